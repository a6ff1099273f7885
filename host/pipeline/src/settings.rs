//! What a pipeline is set to, and its check.
//!
//! In: one [`Settings`] from whoever gives it: the configuration reads it out of the file, the environment and the command
//! line, the API applies a [`Patch`] to what was set before, so that a secret that is never shown need not be given again.
//! Out of [`Settings::resolve`]: a [`PipelineConfig`], which is what the steps take, or every problem at once, under the names
//! that the [`Caller`] knows. One file per section: a setting is declared, changed, checked and shown there, and says there
//! what its change does on air. Never depends on control, on the API or on where settings are read from.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{BATCH_SECONDS, CUSHION_SECONDS, HOLD_SECONDS, SPEED};
use outboard_base::{Problem, Problems};
use outboard_egress::target::Target;
use outboard_net::{Denied, Guard};
use outboard_stage::limits::BATCH_SECONDS_DEFAULT;
use outboard_store::files::{self, Storage};

pub mod checks;
mod destinations;
mod effect;
mod headers;
mod keep;
mod patch;
mod processor;
mod shown;
mod source;
mod stages;

pub use checks::Caller;
use checks::Checks;
pub use destinations::{CheckedDestination, Destination, DestinationPatch};
pub use effect::{ChangeEffect, Part};
pub use headers::{Header, HeaderPatch};
pub use keep::{Keep, KeepConfig};
pub use patch::Patch;
pub use processor::{PROCESSOR_SCHEMES, Processor, ProcessorConfig, ProcessorPatch};
pub use shown::shown_url;
pub use source::{CatchUp, Source, SourceConfig, SourcePatch, WhenEnded};
pub use stages::{
    PreviousStage, PreviousStageConfig, STAGE_KINDS, Stage, StagePatch, Stages, StagesConfig, StagesPatch,
    component_path, key,
};

/// Everything that a pipeline is set to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Where the stream comes from.
    pub source: Source,
    /// Where the audio goes to and comes back from; without one the original stays.
    pub processor: Option<Processor>,
    /// Where the stream goes on air.
    pub destinations: Vec<Destination>,
    /// Length of a batch in seconds.
    pub batch_seconds: Option<u32>,
    /// When air starts: `None` is automatic, else seconds after the first batch is complete.
    pub hold_seconds: Option<f64>,
    /// Time in hand for slower replies, in seconds.
    pub cushion_seconds: Option<f64>,
    /// What is kept once it was on air.
    pub keep: Keep,
    /// Settings of the stages.
    pub stages: Stages,
    /// Seconds of media that go on air in a second; `None`: 1. Only of a pipeline in the server's configuration: rehearsals of
    /// recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
}

/// One pipeline, checked.
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// Names the stream in storage, fragments and logs.
    pub stream_id: String,
    /// Where the stream comes from.
    pub source: SourceConfig,
    /// Where the audio goes to and comes back from; `None`: the original stays.
    pub processor: Option<ProcessorConfig>,
    /// Where the stream goes on air.
    pub destinations: Vec<CheckedDestination>,
    /// Length of a batch.
    pub batch: Duration,
    /// When air starts.
    pub hold: Hold,
    /// Time in hand for slower replies; `None`: worked out from batch and segment length.
    pub cushion: Option<Duration>,
    /// What is kept once it was on air.
    pub keep: KeepConfig,
    /// How many seconds of media go on air in a second: 1, or more to rehearse with a recording.
    pub speed: f64,
    /// The components that decide.
    pub stages: StagesConfig,
}

/// When air starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// When the first reply is in hand, plus the cushion.
    Auto,
    /// So long after the first batch is complete.
    After(Duration),
}

// === impl Settings ===

impl Settings {
    /// Checks everything at once. `storage`: where components are looked for, see [`Stages`]; `None`: nowhere.
    ///
    /// # Errors
    /// Every problem, under the caller's names.
    pub fn resolve(
        &self,
        stream_id: &str,
        storage: Option<&Storage>,
        caller: Caller,
    ) -> Result<PipelineConfig, Problems> {
        let mut checks = Checks::new(caller);
        let Self { source, processor, destinations, batch_seconds, hold_seconds, cushion_seconds, keep, stages, speed } =
            self;
        let stream_id = resolve_stream_id(stream_id, &mut checks);
        let path = checks.name("batchSeconds", "pipeline.batch_seconds");
        let batch = checks.whole(path, batch_seconds.map(u64::from), &BATCH_SECONDS);
        let path = checks.name("holdSeconds", "pipeline.hold");
        let hold = checks.seconds(path, *hold_seconds, &HOLD_SECONDS).map_or(Hold::Auto, Hold::After);
        let path = checks.name("cushionSeconds", "pipeline.cushion_seconds");
        let cushion = checks.seconds(path, *cushion_seconds, &CUSHION_SECONDS);
        let path = checks.name("speed", "air.speed");
        let speed = checks.seconds(path, *speed, &SPEED).map_or(1.0, |speed| speed.as_secs_f64());
        let keep = keep.resolve(&mut checks);
        let source = source.resolve(&mut checks);
        let processor = processor.as_ref().and_then(|processor| processor.resolve(&mut checks));
        let destinations = destinations::resolve(destinations, &mut checks);
        let stages = stages.resolve(storage, &mut checks);
        let batch = Duration::from_secs(batch.unwrap_or(BATCH_SECONDS_DEFAULT.into()));
        let resolved = source.map(|source| PipelineConfig {
            stream_id,
            source,
            processor,
            destinations,
            batch,
            hold,
            cushion,
            keep,
            speed,
            stages,
        });
        checks.finish(resolved)
    }

    /// As [`Settings::resolve`] for a server's pipeline: a live source that ends is an outage unless set.
    ///
    /// # Errors
    /// Every problem, with paths as in this type (`source.url`, `destinations[0].url`, `batchSeconds`).
    pub fn check(&self, stream_id: &str, storage: &Storage) -> Result<PipelineConfig, Vec<Problem>> {
        let mut config = self.resolve(stream_id, Some(storage), Caller::Api).map_err(|problems| problems.0)?;
        config.source.when_ended.get_or_insert(WhenEnded::Wait);
        Ok(config)
    }

    /// The addresses that a network policy does not allow, as far as can be said without looking names up. Only for
    /// settings that were checked.
    pub fn denied(&self, guard: &Guard) -> Vec<Problem> {
        let mut judged: Vec<(String, Result<(), Denied>)> = Vec::new();
        let mut url = |path: String, text: &str| {
            if let Ok(url) = url::Url::parse(text) {
                judged.push((path, guard.check_url(&url)));
            }
        };
        url("source.url".to_owned(), &self.source.url);
        self.source.backup_url.iter().for_each(|text| url("source.backupUrl".to_owned(), text));
        self.processor.iter().for_each(|processor| url("processor.url".to_owned(), &processor.url));
        for (n, destination) in self.destinations.iter().enumerate() {
            destination.srs_api.iter().for_each(|text| url(format!("destinations[{n}].srsApi"), text));
        }
        for (n, destination) in self.destinations.iter().enumerate() {
            if let Ok(target) = Target::parse(&destination.url) {
                judged.push((format!("destinations[{n}].url"), target.check(guard)));
            }
        }
        let denied = judged.into_iter().filter_map(|(path, judged)| Some((path, judged.err()?)));
        denied.map(|(path, denied)| Problem { path, message: format!("is not allowed: {denied}") }).collect()
    }
}

fn resolve_stream_id(stream_id: &str, checks: &mut Checks) -> String {
    let path = checks.name("streamId", "pipeline.stream_id");
    let stream_id = checks.text(path, stream_id);
    if let Err(error) = files::check_name("stream id", &stream_id) {
        checks.wrong(path, error.to_string());
    }
    stream_id
}

#[cfg(test)]
mod tests;
