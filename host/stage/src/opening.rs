//! How a stage is opened: with what, for whom, and what is to happen where it fails.

use super::component::StageComponent;
use super::evidence::Witness;
use super::instance::StageLimits;
use super::labels::StageLabels;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who goes on where a stage fails outside of a probation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// The version before it, where there is one; else as with [`Self::HostDefault`].
    #[default]
    Previous,
    /// The host answers; the same version is tried again at the next call.
    HostDefault,
    /// The host answers, and the pipeline is stopped.
    Stop,
}

/// How a stage is opened.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// The settings: a JSON object as text; empty stands for all defaults.
    pub settings: String,
    /// A snapshot to go on from.
    pub state: Option<Vec<u8>>,
    /// What it may use.
    pub limits: StageLimits,
    /// Whose it is.
    pub labels: StageLabels,
    /// Who goes on where it fails.
    pub on_failure: FailurePolicy,
    /// The version before it, with its settings.
    pub previous: Option<(Arc<StageComponent>, String)>,
    /// Where evidence of failures goes.
    pub witness: Witness,
}
