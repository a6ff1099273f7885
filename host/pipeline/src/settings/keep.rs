//! Retention of batches that went on air: settings, check, and the effect of a change on air.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change_effect::{ChangeEffect, Part};
use super::checks::Checks;
use crate::limits::{KEEP_BATCHES, KEEP_BATCHES_DEFAULT, KEEP_SECONDS};

/// Retention of batches that went on air; the strictest limit applies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Keep {
    /// Number of aired batches to keep, the newest ones.
    pub batches: Option<u32>,
    /// Maximum age in seconds.
    pub max_age_seconds: Option<u64>,
    /// Maximum size in bytes.
    pub max_bytes: Option<u64>,
    /// Whether what went on air is written as one file per batch (`output.fmp4`) too. Previews and downloads do not need it.
    pub output: bool,
}

/// A [`Keep`] whose fields were checked, with defaults filled in.
#[derive(Debug, Clone, Copy)]
pub struct KeepConfig {
    /// Number of aired batches to keep.
    pub batches: usize,
    /// Batches that aired longer ago are removed; `None`: no limit.
    pub age: Option<Duration>,
    /// The oldest aired batches are removed while all files together are larger, in bytes; `None`: no limit.
    pub bytes: Option<u64>,
    /// Whether `output.fmp4` is written for each batch.
    pub output: bool,
}

// === impl Keep ===

impl Keep {
    pub(super) fn resolve(&self, checks: &mut Checks) -> KeepConfig {
        let path = checks.name("keep.batches", "pipeline.keep_batches");
        let batches = checks.whole(path, self.batches.map(u64::from), &KEEP_BATCHES).unwrap_or(KEEP_BATCHES_DEFAULT);
        let path = checks.name("keep.maxAgeSeconds", "pipeline.keep_seconds");
        let age = checks.whole(path, self.max_age_seconds, &KEEP_SECONDS);
        KeepConfig {
            batches: usize::try_from(batches).unwrap_or(usize::MAX),
            age: age.map(Duration::from_secs),
            bytes: self.max_bytes,
            output: self.output,
        }
    }

    pub(super) fn effect(&self, new: &Self, effect: &mut ChangeEffect) {
        effect.live(Part::Keep, self != new);
    }
}
