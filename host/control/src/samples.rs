//! The input of a scrape: pipelines and the host at one moment.

use std::time::Duration;

use self::process::ProcessSample;
use crate::health::HealthState;
use crate::snapshot::Snapshot;
use crate::webhooks::SenderStats;
use outboard_egress::status::DestinationStatus;
use outboard_exchange::ExchangeStatus;
use outboard_logs::LogCounts;
use outboard_logs::LogHub;
use outboard_pipeline::Host;
use outboard_pipeline::cause::HealthCause;
use outboard_pipeline::status::Stats;
use outboard_pipeline::timings::TimingsReading;
use outboard_stage::StageCounts;

use outboard_store::usage::Totals;

use outboard_store::usage::FileKind;

pub mod process;

/// A pipeline at one moment.
#[derive(Debug, Clone, Default)]
pub struct PipelineSample {
    /// Name of the tenant that owns the pipeline.
    pub tenant: String,
    /// Stream id of the pipeline, unique within its tenant.
    pub stream: String,
    /// The name of [`Snapshot::phase`].
    pub phase: &'static str,
    /// The health of the pipeline.
    pub health: HealthState,
    /// The part that causes its problem, if it has one.
    pub cause: Option<HealthCause>,
    /// Whether the pipeline runs. Otherwise metrics of its current state are left out.
    pub live: bool,
    /// Number of restarts after failures.
    pub restarts: u64,
    /// Counts of this run or the last one; `None`: the pipeline never ran.
    pub stats: Option<Stats>,
    /// Durations of its steps.
    pub timings: TimingsReading,
    /// Status of its destinations.
    pub destinations: Vec<DestinationStatus>,
    /// Status of its processor.
    pub exchange: Option<ExchangeStatus>,
    /// Counts of the pipeline's stages, one entry for each stage.
    pub stages: Vec<StageSample>,
    /// Media time on air in milliseconds; `None` until the air clock runs.
    pub air_ms: Option<u64>,
    /// Media time in milliseconds up to which everything is ready.
    pub ready_ms: u64,
    /// Batches that are ready and have not aired at every destination.
    pub batches_ready: usize,
    /// Bytes of its files by kind.
    pub storage: Vec<(&'static str, u64)>,
}

impl PipelineSample {
    /// The sample of a pipeline, from its snapshot and the sizes of its files.
    pub fn of(tenant: &str, stream: &str, snapshot: &Snapshot, files: &Totals) -> Self {
        let stage = |stage: &outboard_pipeline::RunningStage| {
            let status = stage.status.current();
            StageSample {
                kind: stage.kind.name(),
                component: status.component.description().name.clone(),
                digest: status.component.digest().to_string().chars().take(12).collect(),
                counts: status.counters.read(),
            }
        };
        Self {
            tenant: tenant.to_owned(),
            stream: stream.to_owned(),
            phase: snapshot.phase(),
            health: snapshot.health.state,
            cause: snapshot.health.cause,
            live: snapshot.live(),
            restarts: snapshot.run.restarts,
            stats: snapshot.stats.clone(),
            timings: snapshot.run.watch.as_ref().map(|watch| watch.timings().read()).unwrap_or_default(),
            destinations: snapshot.destinations.iter().map(|view| view.status.clone()).collect(),
            exchange: snapshot.exchange.clone(),
            stages: snapshot.stages().iter().map(stage).collect(),
            air_ms: snapshot.air_ms,
            ready_ms: snapshot.ready_ms,
            batches_ready: snapshot.batches_ready,
            storage: FileKind::ALL
                .into_iter()
                .filter(|kind| *kind != FileKind::Components)
                .map(|kind| (kind.name(), files.of(kind).bytes))
                .collect(),
        }
    }
}

/// A stage at one moment.
#[derive(Debug, Clone, Default)]
pub struct StageSample {
    /// The kind of the stage.
    pub kind: &'static str,
    /// The component's own name.
    pub component: String,
    /// The first digits of the component's digest.
    pub digest: String,
    /// Counts of its calls.
    pub counts: StageCounts,
}

/// The host at one moment; `None` values are left out.
#[derive(Debug, Clone, Default)]
pub struct HostSample {
    /// Version of the host.
    pub version: String,
    /// Version of the ffmpeg program that the host runs.
    pub ffmpeg: String,
    /// Time since the host started.
    pub uptime: Duration,
    /// Resources of the process.
    pub process: ProcessSample,
    /// The queue of ffmpeg runs.
    pub ffmpeg_queue: Option<FfmpegSample>,
    /// Stage instances that can still be started.
    pub stage_instances_free: Option<usize>,
    /// The queues of the database.
    pub database: Option<DatabaseSample>,
    /// Free bytes and size of the storage's file system.
    pub storage: Option<(u64, u64)>,
    /// Bytes of stage components by tenant.
    pub components: Vec<(String, u64)>,
    /// Number of open subscriptions.
    pub subscriptions: Option<usize>,
    /// Counts of webhook deliveries.
    pub webhooks: Option<WebhookSample>,
    /// Counts of the log.
    pub logs: Option<LogCounts>,
}

impl HostSample {
    /// Samples the host without its webhooks. `uptime`: since the host started; `subscriptions`: number of open ones.
    pub fn take(host: &Host, logs: &LogHub, uptime: Duration, subscriptions: usize) -> Self {
        let queue = host.queue().counts();
        let waiting = host.database().waiting();
        let space = host.janitor().usage().space().ok();
        let components = host.janitor().usage().components();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ffmpeg: host.ffmpeg().to_owned(),
            uptime,
            process: ProcessSample::take(),
            ffmpeg_queue: Some(FfmpegSample {
                slots: queue.slots,
                running: queue.running,
                waiting: queue.waiting,
                waiting_for: queue.waiting_for,
            }),
            stage_instances_free: Some(host.runtime().instances_free()),
            database: Some(DatabaseSample { writes: waiting.writes, reads: waiting.reads }),
            storage: space.map(|space| (space.free, space.total)),
            components: components
                .tenants()
                .into_iter()
                .map(|tenant| (tenant.clone(), components.bytes(&tenant)))
                .collect(),
            subscriptions: Some(subscriptions),
            webhooks: None,
            logs: Some(logs.counts()),
        }
    }
}

/// The queue of ffmpeg runs at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct FfmpegSample {
    /// Limit of concurrent runs.
    pub slots: usize,
    /// Number of ffmpeg runs in progress.
    pub running: usize,
    /// Number of ffmpeg runs that wait for a slot.
    pub waiting: usize,
    /// Longest time that a queued run has waited.
    pub waiting_for: Duration,
}

/// The queues of the database at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct DatabaseSample {
    /// Number of writes that wait in the database's queue.
    pub writes: usize,
    /// Number of reads that wait in the database's queue.
    pub reads: usize,
}

/// Counts of webhook deliveries, sent and queued.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookSample {
    /// Counts since the start of the process.
    pub sent: SenderStats,
    /// Deliveries that wait for their first or next attempt; `None`: the database could not be read.
    pub waiting: Option<u64>,
}
