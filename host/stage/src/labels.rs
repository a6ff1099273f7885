//! The owner of a stage, for logs and evidence.

/// The pipeline that a stage belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageLabels {
    /// The name of the tenant.
    pub tenant: String,
    /// The stream id of the pipeline.
    pub pipeline: String,
}

impl StageLabels {
    /// Labels of a tenant's pipeline.
    pub fn new(tenant: impl Into<String>, pipeline: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), pipeline: pipeline.into() }
    }
}
