//! What a scrape is made of: pipelines and the host at a moment.

use std::time::Duration;

use super::process::ProcessSample;
use super::timings::TimingsReading;
use crate::control::health::HealthState;
use crate::control::snapshot::Snapshot;
use crate::control::webhooks::SenderStats;
use crate::logs::{LogCounts, LogHub};
use crate::pipeline::Host;
use crate::pipeline::air::status::DestinationStatus;
use crate::pipeline::cause::HealthCause;
use crate::pipeline::exchange::ExchangeStatus;
use crate::pipeline::status::Stats;
use crate::stage::StageCounts;
use crate::store::usage::{FileKind, Totals};

/// A pipeline at a moment.
#[derive(Debug, Clone, Default)]
pub struct PipelineSample {
    /// Whose it is.
    pub tenant: String,
    /// Its stream.
    pub stream: String,
    /// The word of [`Snapshot::phase`].
    pub phase: &'static str,
    /// How it is.
    pub health: HealthState,
    /// Where its problem comes from.
    pub cause: Option<HealthCause>,
    /// It runs; else what is only so now is not told.
    pub live: bool,
    /// How often it was started again after a failure.
    pub restarts: u64,
    /// Counts of this run, or the last one; `None`: it never ran.
    pub stats: Option<Stats>,
    /// How long its steps take.
    pub timings: TimingsReading,
    /// Its destinations.
    pub destinations: Vec<DestinationStatus>,
    /// Its processor.
    pub exchange: Option<ExchangeStatus>,
    /// Its stages.
    pub stages: Vec<StageSample>,
    /// Media time on air, once the clock runs, in milliseconds.
    pub air_ms: Option<u64>,
    /// Media time up to which everything is ready, in milliseconds.
    pub ready_ms: u64,
    /// Batches that are ready and have not aired at every destination.
    pub batches_ready: usize,
    /// Bytes of its files by kind.
    pub storage: Vec<(&'static str, u64)>,
}

impl PipelineSample {
    /// A pipeline as its snapshot shows it, and what its files take.
    pub fn of(tenant: &str, stream: &str, snapshot: &Snapshot, files: &Totals) -> Self {
        let stage = |stage: &crate::pipeline::RunningStage| {
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

/// A stage at a moment.
#[derive(Debug, Clone, Default)]
pub struct StageSample {
    /// What it decides.
    pub kind: &'static str,
    /// The name that it gives itself.
    pub component: String,
    /// The first digits of its identity.
    pub digest: String,
    /// What happened in its calls.
    pub counts: StageCounts,
}

/// The host at a moment; what is `None` is not told.
#[derive(Debug, Clone, Default)]
pub struct HostSample {
    /// Its version.
    pub version: String,
    /// ffmpeg's.
    pub ffmpeg: String,
    /// Time since it started.
    pub uptime: Duration,
    /// What the system says of it.
    pub process: ProcessSample,
    /// The queue of ffmpeg runs.
    pub ffmpeg_queue: Option<FfmpegSample>,
    /// Stage instances that can still be started.
    pub stage_instances_free: Option<usize>,
    /// Work that waits for the database.
    pub database: Option<DatabaseSample>,
    /// Bytes free and in all where the storage lies.
    pub storage: Option<(u64, u64)>,
    /// Bytes of the stage components of each tenant that has any.
    pub components: Vec<(String, u64)>,
    /// Subscriptions that are open.
    pub subscriptions: Option<usize>,
    /// What webhooks were sent.
    pub webhooks: Option<WebhookSample>,
    /// The log.
    pub logs: Option<LogCounts>,
}

impl HostSample {
    /// The host as it is now, without its webhooks; `uptime`, since it started; `subscriptions` that are open.
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

/// The queue of ffmpeg runs at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct FfmpegSample {
    /// Runs that may be under way at once.
    pub slots: usize,
    /// Runs under way.
    pub running: usize,
    /// Runs that wait.
    pub waiting: usize,
    /// How long the one that waits longest has waited.
    pub waiting_for: Duration,
}

/// The database's queues at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct DatabaseSample {
    /// Writes that wait.
    pub writes: usize,
    /// Reads that wait.
    pub reads: usize,
}

/// What webhooks were sent, and what waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebhookSample {
    /// Since the start of the process.
    pub sent: SenderStats,
    /// Deliveries that wait for their turn or their next attempt; `None`: the database does not say.
    pub waiting: Option<u64>,
}
