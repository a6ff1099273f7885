//! What a tenant may use. The numbers are kept with the tenant; here are their ranges, and the words when one is reached.
//!
//! Storage bytes, fragments and ffmpeg processes are counted by those who use them; this only compares.

use serde::{Deserialize, Serialize};

use super::error::ControlError;
use crate::limits::{
    QUOTA_DESTINATIONS_MAX, QUOTA_FFMPEG_MAX, QUOTA_FRAGMENTS_MAX, QUOTA_PIPELINES_MAX, QUOTA_STAGE_MEMORY_MIN,
    QUOTA_STORAGE_MAX, QUOTA_STORAGE_MIN,
};
use outboard_base::Problem;
use outboard_pipeline::DEFAULT_TENANT;
use outboard_stage::limits::{STAGE_MEMORY_BYTES_DEFAULT, STAGE_MEMORY_BYTES_MAX};

/// What a tenant may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quotas {
    /// Pipelines, running or not.
    pub pipelines: u32,
    /// Destinations of one pipeline.
    pub destinations_per_pipeline: u32,
    /// Bytes in storage, of all pipelines together.
    pub storage_bytes: u64,
    /// Memory of one stage instance, in bytes.
    pub stage_memory_bytes: u64,
    /// Fragments with processors at once, of all pipelines together.
    pub in_flight_fragments: u32,
    /// ffmpeg processes at once, of all pipelines together; more wait for their turn.
    pub ffmpeg_processes: u32,
}

/// What is set for a tenant; what is `None` is as for every other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaPatch {
    /// New value of [`Quotas::pipelines`]; `None` keeps the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipelines: Option<u32>,
    /// New value of [`Quotas::destinations_per_pipeline`]; `None` keeps the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destinations_per_pipeline: Option<u32>,
    /// New value of [`Quotas::storage_bytes`]; `None` keeps the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_bytes: Option<u64>,
    /// New value of [`Quotas::stage_memory_bytes`]; `None` keeps the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage_memory_bytes: Option<u64>,
    /// New value of [`Quotas::in_flight_fragments`]; `None` keeps the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight_fragments: Option<u32>,
    /// New value of [`Quotas::ffmpeg_processes`]; `None` keeps the old one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffmpeg_processes: Option<u32>,
}

/// A quota is reached; the text says which, how much there is of it and how much is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Reached(pub String);

impl From<Reached> for ControlError {
    fn from(reached: Reached) -> Self {
        Self::LimitExceeded(reached.0)
    }
}

impl Default for Quotas {
    /// Of a new tenant.
    fn default() -> Self {
        Self {
            pipelines: 5,
            destinations_per_pipeline: 4,
            storage_bytes: 50_000_000_000,
            stage_memory_bytes: STAGE_MEMORY_BYTES_DEFAULT,
            in_flight_fragments: 30,
            ffmpeg_processes: 4,
        }
    }
}

// === impl Quotas ===

impl Quotas {
    /// Of a tenant for whom nothing else was set. `default` is the one user of their own machine: what a host can do.
    pub fn unset(tenant: &str) -> Self {
        if tenant != DEFAULT_TENANT {
            return Self::default();
        }
        Self {
            pipelines: 64,
            destinations_per_pipeline: QUOTA_DESTINATIONS_MAX,
            storage_bytes: 1_000_000_000_000,
            stage_memory_bytes: STAGE_MEMORY_BYTES_DEFAULT,
            in_flight_fragments: 1024,
            ffmpeg_processes: 64,
        }
    }

    /// Of a tenant for whom this is set.
    pub fn of(tenant: &str, set: &QuotaPatch) -> Self {
        let unset = Self::unset(tenant);
        Self {
            pipelines: set.pipelines.unwrap_or(unset.pipelines),
            destinations_per_pipeline: set.destinations_per_pipeline.unwrap_or(unset.destinations_per_pipeline),
            storage_bytes: set.storage_bytes.unwrap_or(unset.storage_bytes),
            stage_memory_bytes: set.stage_memory_bytes.unwrap_or(unset.stage_memory_bytes),
            in_flight_fragments: set.in_flight_fragments.unwrap_or(unset.in_flight_fragments),
            ffmpeg_processes: set.ffmpeg_processes.unwrap_or(unset.ffmpeg_processes),
        }
    }

    /// Everything that is out of range. Quotas below what is in use are fine: nothing is taken away, nothing is added.
    pub fn problems(&self) -> Vec<Problem> {
        let ranges = [
            ("pipelines", self.pipelines.into(), 0..=QUOTA_PIPELINES_MAX.into()),
            ("destinationsPerPipeline", self.destinations_per_pipeline.into(), 1..=QUOTA_DESTINATIONS_MAX.into()),
            ("storageBytes", self.storage_bytes, QUOTA_STORAGE_MIN..=QUOTA_STORAGE_MAX),
            ("stageMemoryBytes", self.stage_memory_bytes, QUOTA_STAGE_MEMORY_MIN..=STAGE_MEMORY_BYTES_MAX),
            ("inFlightFragments", self.in_flight_fragments.into(), 1..=QUOTA_FRAGMENTS_MAX.into()),
            ("ffmpegProcesses", self.ffmpeg_processes.into(), 1..=QUOTA_FFMPEG_MAX.into()),
        ];
        let wrong = ranges
            .into_iter()
            .filter(|(_, value, range): &(_, u64, std::ops::RangeInclusive<u64>)| !range.contains(value));
        let problem = |(name, value, range): (&str, u64, std::ops::RangeInclusive<u64>)| Problem {
            path: format!("quotas.{name}"),
            message: format!("{value} must be a whole number from {} to {}", range.start(), range.end()),
        };
        wrong.map(problem).collect()
    }

    /// One more pipeline, beside those that are there.
    pub fn one_more_pipeline(&self, tenant: &str, have: u64) -> Result<(), Reached> {
        let most = self.pipelines;
        if have < most.into() {
            return Ok(());
        }
        Err(Reached(format!("tenant {tenant} may have {} and has {have}", count(most.into(), "pipeline"))))
    }

    /// So many destinations in one pipeline.
    pub fn destinations(&self, tenant: &str, want: usize) -> Result<(), Reached> {
        let most = self.destinations_per_pipeline;
        if want as u64 <= most.into() {
            return Ok(());
        }
        let most = count(most.into(), "destination");
        Err(Reached(format!("tenant {tenant} may have {most} in a pipeline, and this one has {want}")))
    }
}

// === impl QuotaPatch ===

impl QuotaPatch {
    /// With further changes on top.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            pipelines: other.pipelines.or(self.pipelines),
            destinations_per_pipeline: other.destinations_per_pipeline.or(self.destinations_per_pipeline),
            storage_bytes: other.storage_bytes.or(self.storage_bytes),
            stage_memory_bytes: other.stage_memory_bytes.or(self.stage_memory_bytes),
            in_flight_fragments: other.in_flight_fragments.or(self.in_flight_fragments),
            ffmpeg_processes: other.ffmpeg_processes.or(self.ffmpeg_processes),
        }
    }
}

fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_is_said_with_numbers_and_the_tenant() {
        let quotas = Quotas::default();
        assert_eq!(quotas.one_more_pipeline("acme", 4), Ok(()));
        let said = |reached: Result<(), Reached>| reached.unwrap_err().to_string();
        assert_eq!(said(quotas.one_more_pipeline("acme", 5)), "tenant acme may have 5 pipelines and has 5");
        let one = Quotas { pipelines: 1, ..quotas };
        assert_eq!(said(one.one_more_pipeline("acme", 7)), "tenant acme may have 1 pipeline and has 7");
        assert_eq!(quotas.destinations("acme", 4), Ok(()));
        let text = said(quotas.destinations("acme", 5));
        assert_eq!(text, "tenant acme may have 4 destinations in a pipeline, and this one has 5");
        assert_eq!(ControlError::from(Reached(text)).code(), "LIMIT_EXCEEDED");
    }

    #[test]
    fn every_number_out_of_range_is_named() {
        for tenant in ["default", "acme"] {
            assert_eq!(Quotas::unset(tenant).problems(), []);
        }
        let wrong = Quotas {
            pipelines: QUOTA_PIPELINES_MAX + 1,
            destinations_per_pipeline: 0,
            storage_bytes: 0,
            stage_memory_bytes: 1,
            in_flight_fragments: 0,
            ffmpeg_processes: u32::MAX,
        };
        let problems = wrong.problems();
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        let all = ["pipelines", "destinationsPerPipeline", "storageBytes", "stageMemoryBytes", "inFlightFragments"];
        let all: Vec<String> = all.iter().chain(&["ffmpegProcesses"]).map(|name| format!("quotas.{name}")).collect();
        assert_eq!(paths, all);
        assert_eq!(problems[1].message, "0 must be a whole number from 1 to 16");
    }

    #[test]
    fn the_one_user_of_a_machine_has_at_least_what_a_tenant_has() {
        let (one, tenant) = (Quotas::unset(DEFAULT_TENANT), Quotas::default());
        assert!(one.pipelines > tenant.pipelines && one.storage_bytes > tenant.storage_bytes);
        assert!(one.in_flight_fragments > tenant.in_flight_fragments && one.ffmpeg_processes > tenant.ffmpeg_processes);
    }

    #[test]
    fn what_is_not_set_is_as_for_every_other_tenant() {
        let set: QuotaPatch = serde_json::from_str(r#"{"pipelines":9,"later":1}"#).unwrap();
        assert_eq!(Quotas::of("acme", &set), Quotas { pipelines: 9, ..Quotas::default() });
        let further = QuotaPatch { pipelines: Some(3), ffmpeg_processes: Some(2), ..QuotaPatch::default() };
        let both = set.and(further).and(QuotaPatch::default());
        assert_eq!(Quotas::of("acme", &both), Quotas { pipelines: 3, ffmpeg_processes: 2, ..Quotas::default() });
        assert_eq!(serde_json::to_string(&both).unwrap(), r#"{"pipelines":3,"ffmpegProcesses":2}"#);
        assert_eq!(Quotas::of("default", &QuotaPatch::default()), Quotas::unset("default"));
    }
}
