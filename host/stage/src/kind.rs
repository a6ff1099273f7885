//! What a stage decides, and how a component is named.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a stage decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// When to cut a batch.
    Batching,
    /// How to speak to a processor.
    Framing,
    /// What goes on air.
    RemuxPlanning,
}

impl StageKind {
    /// Every kind, in the order of the data.
    pub const ALL: [StageKind; 3] = [StageKind::Batching, StageKind::Framing, StageKind::RemuxPlanning];

    /// The name of the contract's interface.
    pub fn name(self) -> &'static str {
        match self {
            StageKind::Batching => "batching",
            StageKind::Framing => "framing",
            StageKind::RemuxPlanning => "remux-planning",
        }
    }
}

impl fmt::Display for StageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A component's identity, and what it calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentLabel {
    /// `sha256:` and the SHA-256 of its file.
    pub digest: String,
    /// Its name, by its own account.
    pub name: String,
    /// Its version, by its own account.
    pub version: String,
}
