//! What the stages of all kinds have in common for whoever swaps them.

use super::slot::StageSlot;
use super::supervised_instance::CallableStage;

/// A stage whose version can be swapped.
pub(super) trait Swappable {
    /// The kind of stage.
    type Kind: CallableStage;

    /// The slot that holds its versions.
    fn slot(&mut self) -> &mut StageSlot<Self::Kind>;

    /// Called after another version took over: tells it what the stage remembers, if it started without state.
    fn after_takeover(&mut self) {}
}
