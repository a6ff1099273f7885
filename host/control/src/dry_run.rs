//! Validates without saving: looks at everything that a pipeline would need, and says what would happen.
//!
//! In: settings that were checked already ([`outboard_pipeline::settings`]). Out: a [`Validation`]: one [`Check`] for each thing that
//! was looked at, problems with stages' settings under their paths, and a summary in plain words. The playlist is
//! fetched and its first segments, the processor is connected to and left, RTMP servers are spoken to up to `publish`,
//! stages are opened and dropped. Nothing of it is kept and nothing that runs is touched: no fragment is sent, no stream
//! key named. All checks run at once, each within its own limit ([`crate::limits`], section dry run). No text holds a
//! secret.

mod destination;
mod media;
mod processor;
mod source;
mod stages;
mod storage;
mod summary;
pub(super) mod taken;

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use super::Interruption;
use super::error::ControlError;
use crate::limits::DRY_RUNS_PER_TENANT;
use outboard_base::Problem;
use outboard_pipeline::settings::PipelineConfig;
use outboard_pipeline::{Host, Owner};

/// What a dry run found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validation {
    /// Every check is: a pipeline with these settings would go on air as it was meant to.
    pub ok: bool,
    /// Not `ok`, and each check that failed may pass without a change of the settings.
    pub temporary: bool,
    /// What would happen, a sentence each.
    pub summary: Vec<String>,
    /// What was looked at, in the order of the data.
    pub checks: Vec<Check>,
    /// What is wrong with settings that only the stages know, with paths as in the settings.
    pub problems: Vec<Problem>,
    /// What applying the settings now would cost a pipeline that is on air; `None`: nothing.
    pub interruption: Option<Interruption>,
}

impl Validation {
    /// Destinations that somebody else publishes to fail, whatever was found there.
    pub fn taken(mut self, taken: Vec<Check>) -> Self {
        for check in taken {
            match self.checks.iter_mut().find(|found| found.path == check.path) {
                Some(found) if found.ok => *found = Check { took_ms: found.took_ms, ..check },
                Some(found) => found.warnings.push(check.message),
                None => self.checks.push(check),
            }
        }
        self.with([])
    }

    /// Takes further checks in, in front of the others, and judges the whole anew.
    pub fn with(mut self, checks: impl IntoIterator<Item = Check>) -> Self {
        drop(self.checks.splice(0..0, checks));
        self.ok = self.checks.iter().all(|check| check.ok);
        self.temporary = !self.ok && self.checks.iter().all(|check| check.ok || check.temporary);
        self
    }
}

impl Check {
    /// What is known without looking: it is not as it should be.
    pub fn failed(path: impl Into<String>, temporary: bool, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        Self { path, ok: false, temporary, took_ms: 0, message, warnings: Vec::new(), detail: Map::new() }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The setting that it is about, such as `source.url` or `destinations[0].url`.
    pub path: String,
    /// It is as it should be.
    pub ok: bool,
    /// It is not, and that may pass without a change of the settings: somebody is away who may come back.
    pub temporary: bool,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What was found, a sentence.
    pub message: String,
    /// What a person may want to look at although it works.
    pub warnings: Vec<String>,
    /// Facts by name, for programs.
    pub detail: Map<String, Value>,
}

/// Bounds how many dry runs a tenant has under way. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct DryRuns(Arc<Mutex<HashMap<String, usize>>>);

/// A place among a tenant's dry runs; free again when dropped.
struct Place {
    runs: DryRuns,
    tenant: String,
}

// === impl DryRuns ===

impl DryRuns {
    /// Looks at everything that a pipeline with these settings would need.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`]: the tenant has [`DRY_RUNS_PER_TENANT`] under way.
    pub async fn run(
        &self,
        host: &Host,
        owner: &Owner,
        config: &PipelineConfig,
        on_air: &[String],
    ) -> Result<Validation, ControlError> {
        let _place = self.enter(&owner.tenant)?;
        // It holds a whole source and more, and whoever awaits it would carry that along, on the stack too.
        Ok(Box::pin(dry_run(host, owner, config, on_air)).await)
    }

    fn enter(&self, tenant: &str) -> Result<Place, ControlError> {
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = under_way.entry(tenant.to_owned()).or_default();
        if *count >= DRY_RUNS_PER_TENANT {
            return Err(ControlError::LimitExceeded(format!(
                "{count} dry runs of this tenant are in progress, which is the limit; wait until one ends"
            )));
        }
        *count += 1;
        Ok(Place { runs: self.clone(), tenant: tenant.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = self.runs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = under_way.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                under_way.remove(&self.tenant);
            }
        }
    }
}

/// Looks at everything that a pipeline with these settings would need. `on_air`: names of destinations
/// ([`outboard_pipeline::load::destination_name`]) that it is on air at now. Ends within the longest of the limits.
pub async fn dry_run(host: &Host, owner: &Owner, config: &PipelineConfig, on_air: &[String]) -> Validation {
    let destinations = config.destinations.iter().enumerate().map(|(n, one)| destination::look(owner, n, one, on_air));
    let (source, stages, destinations, storage) = tokio::join!(
        // Each holds a whole step of a pipeline: side by side they would not fit on a small stack.
        Box::pin(source::look(host, owner, config)),
        Box::pin(async {
            let (batching, remux, (framing, processor)) = tokio::join!(
                stages::batching(host, owner, config),
                stages::remux_planning(host, owner, config),
                Box::pin(processor::look(host, owner, config)),
            );
            (batching, framing, remux, processor)
        }),
        futures_util::future::join_all(destinations),
        storage::look(host),
    );
    let (batching, framing, remux, processor) = stages;
    let mut found = Found { source, processor, destinations, storage };
    found.compare(config);
    let summary = summary::write(config, &found);
    let mut problems = Vec::new();
    let mut checks = found.source.checks;
    for stage in [batching, framing, remux] {
        problems.extend(stage.problems);
        checks.push(stage.check);
    }
    checks.extend(found.processor);
    checks.extend(found.destinations);
    checks.push(found.storage.check);
    Validation { ok: false, temporary: false, summary, checks, problems, interruption: None }.with([])
}

/// Everything that was found, before it is put into words.
struct Found {
    source: source::SourceFindings,
    processor: Option<Check>,
    destinations: Vec<Check>,
    storage: storage::StorageFindings,
}

impl Found {
    /// What only shows when findings are held against each other.
    fn compare(&mut self, config: &PipelineConfig) {
        let pictures = self.source.checks.iter().find_map(|check| check.detail.get("video")?.get("codec")?.as_str());
        self.destinations.iter_mut().for_each(|check| destination::hold_against(check, pictures));
        let media = self.source.media.as_ref();
        if let (Some(processor), Some(media)) = (self.processor.as_mut().filter(|check| check.ok), media) {
            let seconds = config.batch.as_secs_f64();
            let fragment = (media.audio_bits_per_second as f64 * seconds / 8.0) as u64;
            if let Some(most) = processor.detail.get("maxPayloadBytes").and_then(Value::as_u64)
                && fragment > most
            {
                processor.warnings.push(format!(
                    "a batch of {seconds} s has about {fragment} bytes of audio, and the processor accepts {most} in one message \
                     (maxPayload): the original audio would go on air"
                ));
            }
            if media.audio_bits_per_second == 0 {
                processor.warnings.push("the source has no audio: nothing would be sent".to_owned());
            }
        }
        if let Some(media) = media {
            let kept = summary::bytes_kept(config, media);
            if self.storage.free.is_some_and(|free| free < kept) {
                self.storage.check.message = "the disk is nearly full".to_owned();
                let kept = summary::size(kept);
                self.storage
                    .check
                    .warnings
                    .push(format!("about {kept} would be kept, which is more than the free space"));
            }
        }
    }
}

// === checks ===

/// What a check that went well has to say.
#[derive(Debug, Default)]
struct Finding {
    message: String,
    warnings: Vec<String>,
    detail: Map<String, Value>,
}

impl Finding {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// A fact; one that is not known is left out.
    fn fact(mut self, name: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::Null) | Err(_) => {}
            Ok(value) => drop(self.detail.insert(name.to_owned(), value)),
        }
        self
    }

    fn warn(mut self, warning: Option<impl Into<String>>) -> Self {
        self.warnings.extend(warning.map(Into::into));
        self
    }
}

/// Why a check failed. For people: without secrets.
#[derive(Debug)]
struct Fault {
    message: String,
    temporary: bool,
}

impl Fault {
    fn new(why: impl Display, temporary: bool) -> Self {
        Self { message: why.to_string(), temporary }
    }

    /// Somebody has to change something.
    fn lasting(why: impl Display) -> Self {
        Self::new(why, false)
    }

    /// It may be over by itself.
    fn passing(why: impl Display) -> Self {
        Self::new(why, true)
    }
}

/// Runs a check within its limit.
async fn check(path: impl Into<String>, limit: Duration, work: impl Future<Output = Result<Finding, Fault>>) -> Check {
    let began = Instant::now();
    let ended = match timeout(limit, work).await {
        Ok(ended) => ended,
        Err(_) => Err(Fault::passing(format_args!("not finished within {} s", limit.as_secs()))),
    };
    let took_ms = millis(began.elapsed());
    let (ok, temporary, Finding { message, warnings, detail }) = match ended {
        Ok(finding) => (true, false, finding),
        Err(fault) => (false, fault.temporary, Finding::new(fault.message)),
    };
    Check { path: path.into(), ok, temporary, took_ms, message, warnings, detail }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
