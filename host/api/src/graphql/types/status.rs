//! How a pipeline is: a [`Snapshot`] of the core as the API shows it.

use async_graphql::{Enum, ID, SimpleObject};

use super::destination::DestinationStatus;
use super::processor::ProcessorStatus;
use super::stage::RunningStage;
use super::{ReasonCount, by_reason};
use crate::graphql::scalars::{BigInt, DateTime, seconds};
use outboard_control::health;
use outboard_control::id::PipelineId;
use outboard_control::runner::RunState;
use outboard_control::snapshot::{OFF_AIR, Snapshot};
use outboard_hls::Started;
use outboard_pipeline::cause;
use outboard_pipeline::status::Stats;

/// The status of a pipeline at one moment. All counters start at the start of the run.
#[derive(Debug, Clone, SimpleObject)]
pub struct PipelineStatus {
    /// ID of the pipeline.
    pipeline_id: ID,
    /// Time of this status.
    at: DateTime,
    /// Phase of the pipeline.
    phase: Phase,
    /// True if packets were sent to at least one destination within the last 3 seconds.
    on_air: bool,
    /// Health of the pipeline, with the reason.
    health: Health,
    /// Time at which the pipeline was started. Automatic restarts do not change it. Null while the desired state is
    /// `STOPPED`.
    started_at: Option<DateTime>,
    /// Time of the last change between loading, running, stopping, waiting for a retry and stopped. Null before the
    /// first.
    since: Option<DateTime>,
    /// Time of the next retry. Null unless the phase is `WAITING`.
    retry_at: Option<DateTime>,
    /// Revision of the settings that the current or last run uses. Null before the first run.
    running_revision: Option<u64>,
    /// Number of automatic restarts after failures.
    restarts: BigInt,
    /// The last error of the pipeline. Null once the pipeline is healthy again.
    last_error: Option<String>,
    /// Time of the last error. Null if `lastError` is null.
    last_error_at: Option<DateTime>,
    /// The source. Null until it was found.
    source: Option<SourceStatus>,
    /// Counters of the current or last run. Null before the first run.
    counters: Option<Counters>,
    /// Status of each destination, in the order of the settings.
    destinations: Vec<DestinationStatus>,
    /// Status of the connection to the processor. Null if the pipeline does not run or has no processor.
    processor: Option<ProcessorStatus>,
    /// The stages of the pipeline.
    stages: Vec<RunningStage>,
    /// Position of the air clock: seconds of media since air started. Null before air starts.
    air_seconds: Option<f64>,
    /// Position up to which media is ready for air, in seconds. Null while the pipeline does not run.
    ready_seconds: Option<f64>,
    /// Number of batches that are ready and not yet sent to every destination. Null while the pipeline does not run.
    batches_ready: Option<BigInt>,
    /// How long before its time on air the newest batch was ready, in seconds. Null while the pipeline is not on air,
    /// and if that batch was late.
    time_left_seconds: Option<f64>,
    /// The larger of two values, in seconds: how late the newest batch was ready, and the largest backlog of a
    /// destination. Null while the pipeline is not on air, and if nothing is behind schedule.
    behind_seconds: Option<f64>,
}

/// The phase of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum Phase {
    /// The pipeline does not run, and its desired state is `STOPPED`.
    Stopped,
    /// The pipeline failed and waits for a retry.
    Waiting,
    /// The pipeline is being opened, or searches for its source.
    Starting,
    /// The pipeline collects the first batch.
    Buffering,
    /// The first batch is complete and waits for its reply and its time on air.
    Holding,
    /// Packets were sent to at least one destination within the last 3 seconds.
    OnAir,
    /// The pipeline was on air, but no packets were sent to any destination within the last 3 seconds. `health` has the
    /// reason.
    OffAir,
    /// The pipeline fetches no more media and sends what is buffered.
    Draining,
    /// The source ended and all media was sent.
    Ended,
}

/// The health of a pipeline as one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "health::HealthState")]
pub enum HealthState {
    /// The pipeline is not meant to run.
    Idle,
    /// The pipeline is starting, without delay so far.
    Starting,
    /// Every destination receives the stream as configured.
    Healthy,
    /// The pipeline is on air with problems.
    Degraded,
    /// The pipeline should be on air and is not.
    Failing,
}

/// The health of a pipeline, derived from the packets that were sent and not from running processes.
#[derive(Debug, Clone, SimpleObject)]
pub struct Health {
    /// Health as one value.
    state: HealthState,
    /// Reason for the state, as a sentence.
    reason: String,
    /// Time at which the state last changed.
    since: DateTime,
    /// The component that causes the problem. Null if there is no problem.
    cause: Option<HealthCause>,
    /// Recommended action, as a sentence. Empty if there is no problem.
    advice: String,
}

/// The component that causes a problem. If several have problems, the first in this order: quota or disk, source,
/// processor, stage, destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "cause::HealthCause")]
pub enum HealthCause {
    /// The settings, or a program that is missing on the host.
    Settings,
    /// A quota of the tenant.
    Quota,
    /// The disk of the storage directory.
    Disk,
    /// The source: its playlist or its segments.
    Source,
    /// The processor: its connection or its replies.
    Processor,
    /// A stage: its component or its answers.
    Stage,
    /// A destination: its server or the session with it.
    Destination,
}

/// The selected variant of the source.
#[derive(Debug, Clone, SimpleObject)]
pub struct SourceStatus {
    /// Bitrate of the variant, in bits per second. Null if the playlist does not state it.
    bandwidth: Option<BigInt>,
    /// Width of the variant, in pixels. Null if the playlist does not state it.
    width: Option<u32>,
    /// Height of the variant, in pixels. Null if the playlist does not state it.
    height: Option<u32>,
    /// Codecs of the variant, as written in the playlist. Null if the playlist does not state them.
    codecs: Option<String>,
    /// Name and language of the separate audio rendition. Null if there is none.
    audio: Option<String>,
    /// How the source's audio is encoded to AAC, such as `sound mp3 is encoded to AAC 128 kb/s`. Null if it is AAC.
    sound: Option<String>,
    /// Target duration of the playlist (the longest segment), in seconds.
    target_duration_seconds: f64,
    /// True for a live stream. False for a recording, which is complete from the start.
    live: bool,
    /// Time since which the playlist has had no new segments. Null while it has, and while the pipeline does not run.
    stale_since: Option<DateTime>,
}

/// Counters of a run. They never decrease.
#[derive(Debug, Clone, SimpleObject)]
pub struct Counters {
    /// Segments stored on disk.
    segments: BigInt,
    /// Bytes of all stored segments.
    segment_bytes: BigInt,
    /// Segments that could not be fetched, by reason.
    segments_missing: Vec<ReasonCount>,
    /// Restarts of the source's playlist.
    source_restarts: BigInt,
    /// Duration of the media in the current, incomplete batch, in seconds. 0 while the pipeline does not run.
    buffer_seconds: f64,
    /// Batches cut from the source's segments.
    batches: BigInt,
    /// Batches with processed audio.
    processed: BigInt,
    /// Batches with original audio (fallbacks), for any reason.
    original: BigInt,
    /// Batches with original audio (fallbacks), by reason.
    original_by_reason: Vec<ReasonCount>,
    /// Batches that could not be put on air, by the step that failed.
    failed: Vec<ReasonCount>,
    /// Batches that were ready after their time on air.
    late_batches: BigInt,
    /// Media packets received from the source.
    packets_in: BigInt,
    /// Media packets of the source that could not be used, by reason: truncated, lost (packets of the transport stream are
    /// missing), scrambled, corrupt, before-key, no-time, too-large, after-end, no-batch (the run ended within them),
    /// not-encoded (sound that ffmpeg could not encode to AAC).
    packets_unusable: Vec<ReasonCount>,
    /// Frames of the source's audio that were encoded to AAC. The resulting packets are counted as received.
    frames_encoded: BigInt,
    /// Media packets received from the source that were lost before air.
    packets_lost: BigInt,
    /// Packets of processed audio that were cut off because they exceeded the length of their batch.
    packets_trimmed: BigInt,
    /// Jumps in the source's timestamps that were removed.
    splices: BigInt,
    /// Largest shift between audio and video, by rounding or by a reply of another length, in milliseconds.
    max_skew_ms: f64,
}

// === from the core ===

impl PipelineStatus {
    /// The status of a pipeline as this snapshot has it.
    pub fn new(id: &PipelineId, shown: &Snapshot) -> Self {
        let run = &shown.run;
        let retry_at = match run.state {
            RunState::Waiting { until_ms } => Some(DateTime(until_ms)),
            _ => None,
        };
        let stats = shown.stats.as_ref();
        let (last_error, error_ms) = shown.last_error.clone().unzip();
        let live = shown.live();
        Self {
            pipeline_id: ID(id.to_string()),
            at: DateTime(shown.at_ms),
            phase: phase(shown.phase()),
            on_air: shown.on_air(),
            health: Health {
                state: shown.health.state.into(),
                reason: shown.health.reason.clone(),
                since: DateTime(shown.health_since_ms),
                cause: shown.health.cause.map(Into::into),
                advice: shown.health.advice.clone(),
            },
            started_at: run.started_ms.map(DateTime),
            since: (run.since_ms > 0).then_some(DateTime(run.since_ms)),
            retry_at,
            running_revision: run.revision,
            restarts: BigInt(run.restarts),
            last_error,
            last_error_at: error_ms.map(DateTime),
            source: stats.and_then(|stats| {
                let stale_since_ms = stats.stale_since_ms.filter(|_| live);
                let source = stats.source.as_ref();
                source.map(|started| SourceStatus::new(started, stale_since_ms, stats.source_sound.clone()))
            }),
            counters: stats.map(|stats| Counters {
                buffer_seconds: if live { seconds(stats.buffer_ms) } else { 0.0 },
                ..Counters::from(stats)
            }),
            destinations: shown.destinations.iter().map(DestinationStatus::from).collect(),
            processor: shown
                .exchange
                .as_ref()
                .map(|exchange| ProcessorStatus::new(exchange, stats.and_then(|stats| stats.round_trip_ms))),
            stages: shown.stages().iter().map(RunningStage::from).collect(),
            air_seconds: shown.air_ms.map(seconds),
            ready_seconds: live.then(|| seconds(shown.ready_ms)),
            batches_ready: live.then(|| shown.batches_ready.into()),
            time_left_seconds: shown.time_left_ms().map(seconds),
            behind_seconds: shown.behind_ms().map(seconds),
        }
    }
}

/// Converts the control plane's name of a phase.
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
    fn new(started: &Started, stale_since_ms: Option<u64>, sound: Option<String>) -> Self {
        Self {
            bandwidth: started.bandwidth.map(BigInt),
            width: started.resolution.map(|(width, _)| width),
            height: started.resolution.map(|(_, height)| height),
            codecs: started.codecs.clone(),
            audio: started.audio.clone(),
            sound,
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
            packets_unusable: by_reason(&stats.packets_unusable),
            frames_encoded: BigInt(stats.frames_encoded),
            packets_lost: BigInt(stats.packets_lost),
            packets_trimmed: BigInt(stats.packets_trimmed),
            splices: BigInt(stats.splices),
            max_skew_ms: seconds(stats.max_skew_us),
        }
    }
}
