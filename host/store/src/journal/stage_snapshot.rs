//! The state of a stage, as the journal keeps it.

/// A stage's state, used to open another instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageSnapshot {
    /// `batching`, `framing` or `remux-planning`.
    pub kind: String,
    /// Digest of the component that made the snapshot.
    pub digest: String,
    /// The state, in the stage's own format.
    pub state: Vec<u8>,
}
