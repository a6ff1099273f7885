//! Whose a stage is.

/// Whose stage it is, for logs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StageLabels {
    /// The tenant's name.
    pub tenant: String,
    /// The pipeline's id.
    pub pipeline: String,
}

impl StageLabels {
    /// Labels from names.
    pub fn new(tenant: impl Into<String>, pipeline: impl Into<String>) -> Self {
        Self { tenant: tenant.into(), pipeline: pipeline.into() }
    }
}
