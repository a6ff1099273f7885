//! How a pipeline is: a [`Snapshot`] of the core as the API shows it.

use async_graphql::{Enum, ID, SimpleObject};

use super::destination::DestinationStatus;
use super::processor::ProcessorStatus;
use super::stage::RunningStage;
use super::{ReasonCount, by_reason};
use crate::api::graphql::scalars::{BigInt, DateTime, seconds};
use crate::control::health;
use crate::control::id::PipelineId;
use crate::control::runner::RunState;
use crate::control::snapshot::{OFF_AIR, Snapshot};
use crate::pipeline::source::Started;
use crate::pipeline::status::Stats;

/// How a pipeline is at one moment. What is counted is counted since the run began.
#[derive(Debug, Clone, SimpleObject)]
pub struct PipelineStatus {
    /// The pipeline.
    pipeline_id: ID,
    /// The moment.
    at: DateTime,
    /// Where it is on its way to air.
    phase: Phase,
    /// Packets left for at least one destination within the last seconds.
    on_air: bool,
    /// How it is, and why.
    health: Health,
    /// When it was started; kept when it is started again by itself. Null while it is not meant to run.
    started_at: Option<DateTime>,
    /// Since when it is loading, running, stopping, waiting or stopped.
    since: Option<DateTime>,
    /// When it is tried again, after it failed.
    retry_at: Option<DateTime>,
    /// The revision of its settings that runs or ran last.
    running_revision: Option<u64>,
    /// How often it was started again after it failed.
    restarts: BigInt,
    /// Why it last failed, or the last thing that went wrong in it. Null when that is over: while it is healthy.
    last_error: Option<String>,
    /// When that was.
    last_error_at: Option<DateTime>,
    /// The source, once it was found.
    source: Option<SourceStatus>,
    /// What was counted in this run, or in the last one.
    counters: Option<Counters>,
    /// Destinations, in the order of the settings.
    destinations: Vec<DestinationStatus>,
    /// The connection to the processor while it runs; null without one.
    processor: Option<ProcessorStatus>,
    /// The stages that decide.
    stages: Vec<RunningStage>,
    /// Media time that is on air, in seconds from the start of the clock; null until it runs.
    air_seconds: Option<f64>,
    /// Media time up to which everything is ready for air, in seconds.
    ready_seconds: f64,
    /// Batches that are ready and not yet on air everywhere.
    batches_ready: BigInt,
}

/// Where a pipeline is on its way to air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Phase {
    /// It does not run and is not meant to.
    Stopped,
    /// It failed and is tried again.
    Waiting,
    /// It is being opened, or looks for its source.
    Starting,
    /// It collects the first batch.
    Buffering,
    /// The first batch is complete and waits for its reply and its time.
    Holding,
    /// Packets left for at least one destination within the last seconds.
    OnAir,
    /// It was on air, and no packet left for any destination within the last seconds; `health` has the reason.
    OffAir,
    /// It fetches no more; what is there goes on air.
    Draining,
    /// Its source is over and everything was on air.
    Ended,
}

/// How it is in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "health::HealthState")]
pub enum HealthState {
    /// It is not meant to run.
    Idle,
    /// On its way to air, in time.
    Starting,
    /// On air everywhere, with what it should have.
    Healthy,
    /// On air, but not as it should be.
    Degraded,
    /// Not on air though it should be.
    Failing,
}

/// How a pipeline is: judged by packets that left, not by processes that live.
#[derive(Debug, Clone, SimpleObject)]
pub struct Health {
    /// In one word.
    state: HealthState,
    /// Why, in a sentence.
    reason: String,
    /// Since when the word is this one.
    since: DateTime,
}

/// What was chosen of the source.
#[derive(Debug, Clone, SimpleObject)]
pub struct SourceStatus {
    /// Bits per second of the variant, where the playlist says.
    bandwidth: Option<BigInt>,
    /// Its width in pixels, where the playlist says.
    width: Option<u32>,
    /// Its height in pixels, where the playlist says.
    height: Option<u32>,
    /// Its codecs, as the playlist writes them.
    codecs: Option<String>,
    /// The separate audio rendition that is followed, by name and language.
    audio: Option<String>,
    /// The longest segment that the playlist announces, in seconds.
    target_duration_seconds: f64,
    /// It goes on; false: it is a recording, of which all was there from the start.
    live: bool,
    /// Since when it brings nothing new; null while it does.
    stale_since: Option<DateTime>,
}

/// What a run counted. The numbers only rise.
#[derive(Debug, Clone, SimpleObject)]
pub struct Counters {
    /// Segments on disk.
    segments: BigInt,
    /// Their bytes.
    segment_bytes: BigInt,
    /// Segments that the source did not give, by reason.
    segments_missing: Vec<ReasonCount>,
    /// How often the source's playlist started anew.
    source_restarts: BigInt,
    /// Media time in the batch that is being collected, in seconds.
    buffer_seconds: f64,
    /// Batches that were cut.
    batches: BigInt,
    /// Batches that got the processor's audio.
    processed: BigInt,
    /// Batches that kept the original audio, all reasons together.
    original: BigInt,
    /// Batches that kept the original audio, by reason.
    original_by_reason: Vec<ReasonCount>,
    /// Batches that could not be put on air, by the step that failed.
    failed: Vec<ReasonCount>,
    /// Batches that were ready later than their time on air.
    late_batches: BigInt,
    /// Media packets that came from the source.
    packets_in: BigInt,
    /// Of them, those that were lost on the way to air.
    packets_lost: BigInt,
    /// Packets of processed audio beyond a batch's length, which were cut off.
    packets_trimmed: BigInt,
    /// Jumps of the source's time that were spliced out.
    splices: BigInt,
    /// The most that rounding moved sound against picture, in milliseconds.
    max_skew_ms: f64,
}

// === from the core ===

impl PipelineStatus {
    /// Of a snapshot.
    pub fn new(id: &PipelineId, shown: &Snapshot) -> Self {
        let run = &shown.run;
        let retry_at = match run.state {
            RunState::Waiting { until_ms } => Some(DateTime(until_ms)),
            _ => None,
        };
        let stats = shown.stats.as_ref();
        let (last_error, error_ms) = shown.last_error.clone().unzip();
        Self {
            pipeline_id: ID(id.to_string()),
            at: DateTime(shown.at_ms),
            phase: phase(shown.phase()),
            on_air: shown.on_air(),
            health: Health {
                state: shown.health.state.into(),
                reason: shown.health.reason.clone(),
                since: DateTime(shown.health_since_ms),
            },
            started_at: run.started_ms.map(DateTime),
            since: (run.since_ms > 0).then_some(DateTime(run.since_ms)),
            retry_at,
            running_revision: run.revision,
            restarts: BigInt(run.restarts),
            last_error,
            last_error_at: error_ms.map(DateTime),
            source: stats.and_then(|stats| {
                stats.source.as_ref().map(|started| SourceStatus::new(started, stats.stale_since_ms))
            }),
            counters: stats.map(Counters::from),
            destinations: shown.destinations.iter().map(DestinationStatus::from).collect(),
            processor: shown.exchange.as_ref().map(ProcessorStatus::from),
            stages: shown.stages().iter().map(RunningStage::from).collect(),
            air_seconds: shown.air_ms.map(seconds),
            ready_seconds: seconds(shown.ready_ms),
            batches_ready: shown.batches_ready.into(),
        }
    }
}

/// The core's word.
fn phase(word: &str) -> Phase {
    match word {
        "stopped" => Phase::Stopped,
        "waiting" => Phase::Waiting,
        "buffering" => Phase::Buffering,
        "holding" => Phase::Holding,
        "on-air" => Phase::OnAir,
        OFF_AIR => Phase::OffAir,
        "draining" => Phase::Draining,
        "ended" => Phase::Ended,
        _ => Phase::Starting,
    }
}

impl SourceStatus {
    fn new(started: &Started, stale_since_ms: Option<u64>) -> Self {
        Self {
            bandwidth: started.bandwidth.map(BigInt),
            width: started.resolution.map(|(width, _)| width),
            height: started.resolution.map(|(_, height)| height),
            codecs: started.codecs.clone(),
            audio: started.audio.clone(),
            target_duration_seconds: started.target_duration.as_secs_f64(),
            live: started.live,
            stale_since: stale_since_ms.map(DateTime),
        }
    }
}

impl From<&Stats> for Counters {
    fn from(stats: &Stats) -> Self {
        Self {
            segments: BigInt(stats.segments),
            segment_bytes: BigInt(stats.segment_bytes),
            segments_missing: by_reason(&stats.gaps),
            source_restarts: BigInt(stats.epochs),
            buffer_seconds: seconds(stats.buffer_ms),
            batches: BigInt(stats.batches),
            processed: BigInt(stats.processed),
            original: BigInt(stats.original.values().sum()),
            original_by_reason: by_reason(&stats.original),
            failed: by_reason(&stats.failed),
            late_batches: BigInt(stats.late_batches),
            packets_in: BigInt(stats.packets_in),
            packets_lost: BigInt(stats.packets_lost),
            packets_trimmed: BigInt(stats.packets_trimmed),
            splices: BigInt(stats.splices),
            max_skew_ms: seconds(stats.max_skew_us),
        }
    }
}
