//! The settings of a pipeline, and their check.
//!
//! In: one [`Settings`] value. The configuration reads it from the file, the environment and the command line; the API
//! applies a [`Patch`] to the previous settings, so that a hidden secret need not be sent again. Out of
//! [`Settings::resolve`]: a [`PipelineConfig`], which the steps take, or every problem at once, under the names that
//! the [`Caller`] uses. Each section has its own file, which declares, changes, checks and shows its settings and
//! defines the effect of a change on air. Never depends on control, on the API, or on the origin of settings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{BATCH_SECONDS, CUSHION_SECONDS, HOLD_SECONDS, SPEED};
use outboard_base::{Problem, Problems};
use outboard_egress::target::Target;
use outboard_net::{Denied, Guard};
use outboard_stage::limits::BATCH_SECONDS_DEFAULT;
use outboard_store::files::{self, Storage};

mod change_effect;
pub mod checks;
mod destinations;
mod effect;
mod headers;
mod hidden;
mod keep;
mod patch;
mod patch_field;
mod processor;
mod shown;
mod source;
mod source_audio;
mod stages;

pub use change_effect::{ChangeEffect, Part};
pub use checks::Caller;
use checks::Checks;
pub use destinations::{CheckedDestination, Destination, DestinationPatch};
pub use headers::{Header, HeaderPatch};
pub use hidden::shown_url;
pub use keep::{Keep, KeepConfig};
pub use patch::Patch;
pub use processor::{PROCESSOR_SCHEMES, Processor, ProcessorConfig, ProcessorPatch};
pub use source::{CatchUp, Source, SourceConfig, SourcePatch, WhenEnded};
pub use source_audio::SourceAudio;
pub use stages::{
    PreviousStage, PreviousStageConfig, STAGE_KINDS, Stage, StagePatch, Stages, StagesConfig, StagesPatch,
    component_path, key,
};

/// All settings of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Where the stream is fetched from.
    pub source: Source,
    /// The server that processes the audio; without one, the original audio goes on air.
    pub processor: Option<Processor>,
    /// Where the stream is sent.
    pub destinations: Vec<Destination>,
    /// Length of a batch in seconds.
    pub batch_seconds: Option<u32>,
    /// When air starts: `None`: automatic; otherwise seconds after the first batch is complete.
    pub hold_seconds: Option<f64>,
    /// Reserve time for slow replies, in seconds.
    pub cushion_seconds: Option<f64>,
    /// Retention of batches that went on air.
    pub keep: Keep,
    /// Components and settings of the three stages: batching, framing and remux-planning.
    pub stages: Stages,
    /// Seconds of media to send per second; `None`: 1. Only for a pipeline in the server's configuration, to test with
    /// recordings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f64>,
}

/// The checked settings of one pipeline.
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// Names the stream in storage, fragments and logs.
    pub stream_id: String,
    /// Where the stream is fetched from.
    pub source: SourceConfig,
    /// The server that processes the audio; `None`: the original audio goes on air.
    pub processor: Option<ProcessorConfig>,
    /// Where the stream is sent.
    pub destinations: Vec<CheckedDestination>,
    /// Length of a batch.
    pub batch: Duration,
    /// When the first packet goes on air.
    pub hold: Hold,
    /// Reserve time for slow replies; `None`: computed from the lengths of batches and segments.
    pub cushion: Option<Duration>,
    /// Retention of batches that went on air.
    pub keep: KeepConfig,
    /// Seconds of media to send per second: 1, or more to test with a recording.
    pub speed: f64,
    /// Components and settings of the stages.
    pub stages: StagesConfig,
}

/// When the first packet of a stream goes on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// When the first reply has arrived, plus the cushion.
    Auto,
    /// This time after the first batch is complete.
    After(Duration),
}

// === impl Settings ===

impl Settings {
    /// Checks everything at once. `storage`: where components are looked up, see [`Stages`]; `None`: nowhere.
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

    /// [`Settings::resolve`] for a server's pipeline: a live source that ends counts as an outage unless set otherwise.
    ///
    /// # Errors
    /// Every problem, with paths as in this type (`source.url`, `destinations[0].url`, `batchSeconds`).
    pub fn check(&self, stream_id: &str, storage: &Storage) -> Result<PipelineConfig, Vec<Problem>> {
        let mut config = self.resolve(stream_id, Some(storage), Caller::Api).map_err(|problems| problems.0)?;
        config.source.when_ended.get_or_insert(WhenEnded::Wait);
        Ok(config)
    }

    /// The addresses that a network policy denies, as far as this can be decided without resolving names. Only for
    /// checked settings.
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
