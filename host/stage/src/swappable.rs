//! What the stages of all kinds have in common for whoever swaps them.

use super::slot::StageSlot;
use super::supervised_instance::CallableStage;

/// A stage whose version can be swapped.
pub(super) trait Swappable {
    /// The kind of stage.
    type Interface: CallableStage;

    /// The slot that holds its versions.
    fn slot(&mut self) -> &mut StageSlot<Self::Interface>;

    /// Called after another version took over: tells it what the stage remembers, if it started without state.
    fn after_takeover(&mut self) {}
}
