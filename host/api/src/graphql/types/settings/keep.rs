//! What is kept of batches that were on air.

use async_graphql::{InputObject, SimpleObject};
use serde::Deserialize;

use crate::graphql::scalars::BigInt;
use outboard_pipeline::settings;

/// Retention of batches that were on air. A batch is removed as soon as it exceeds one of the limits.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "KeepSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Keep {
    /// Maximum number of batches. Null: the default, 5.
    pub(super) batches: Option<u32>,
    /// Maximum age of a batch, in seconds. Null: no limit.
    pub(super) max_age_seconds: Option<BigInt>,
    /// Maximum size of the stream's files, in bytes. Null: no limit.
    pub(super) max_bytes: Option<BigInt>,
    /// Whether what was on air is also written as one file per batch, `output.fmp4`. Previews do not need it.
    pub(super) output: bool,
}

/// Retention of batches that were on air. A batch is removed as soon as it exceeds one of the limits.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "KeepSettingsInput")]
pub struct KeepInput {
    /// Maximum number of batches. Default: 5.
    pub(super) batches: Option<u32>,
    /// Maximum age of a batch, in seconds. Default: no limit.
    pub(super) max_age_seconds: Option<BigInt>,
    /// Maximum size of the stream's files, in bytes. Default: no limit.
    pub(super) max_bytes: Option<BigInt>,
    /// Whether what was on air is also written as one file per batch, `output.fmp4`. Previews do not need it. Default: false.
    pub(super) output: Option<bool>,
}

impl From<KeepInput> for settings::Keep {
    fn from(input: KeepInput) -> Self {
        Self {
            batches: input.batches,
            max_age_seconds: input.max_age_seconds.map(|value| value.0),
            max_bytes: input.max_bytes.map(|value| value.0),
            output: input.output.unwrap_or_default(),
        }
    }
}
