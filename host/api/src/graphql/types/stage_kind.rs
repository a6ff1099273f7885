//! The kind of a stage.

use async_graphql::Enum;
use outboard_stage as stage;

/// The kind of a stage: what it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "stage::StageKind")]
pub enum StageKind {
    /// Where a batch is cut.
    Batching,
    /// How a fragment is framed for the processor.
    Framing,
    /// How the returned audio is put on air, or what goes on air instead.
    RemuxPlanning,
}
