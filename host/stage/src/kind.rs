//! The three kinds of stage, and the label that identifies a component.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a stage: what it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// Where to cut the stream into batches.
    Batching,
    /// How to communicate with a processor.
    Framing,
    /// Which audio goes on air, and how it is fitted to the video.
    RemuxPlanning,
}

impl StageKind {
    /// Every kind, in the order of the data's way.
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

/// A component's digest, and the name and version that it declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentLabel {
    /// `sha256:` and 64 hexadecimal digits: the digest of the file.
    pub digest: String,
    /// The name that the component declares.
    pub name: String,
    /// The version that the component declares.
    pub version: String,
}
