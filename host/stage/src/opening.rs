//! The options a stage is opened with: settings, state, limits, labels, and what happens when it fails.

use super::component::StageComponent;
use super::evidence::FailureSink;
use super::instance::StageLimits;
use super::labels::StageLabels;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Who answers when a stage fails outside of a probation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// The previous version, which also stays in use; without one, as [`Self::HostDefault`].
    #[default]
    Previous,
    /// The host's default; the same version is started again for the next call.
    HostDefault,
    /// The host's default; the pipeline is then stopped.
    Stop,
}

/// The options a stage is opened with.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// The settings, a JSON object as text; empty: the defaults.
    pub settings: String,
    /// The snapshot to resume from; `None`: the stage starts without state.
    pub state: Option<Vec<u8>>,
    /// Limits of memory, time and snapshot size.
    pub limits: StageLimits,
    /// Tenant and pipeline, for logs and evidence.
    pub labels: StageLabels,
    /// Who answers when the stage fails.
    pub on_failure: FailurePolicy,
    /// The previous version and its settings.
    pub previous: Option<(Arc<StageComponent>, String)>,
    /// Receives the evidence of failures.
    pub failure_sink: FailureSink,
}
