//! Builds the steps of a pipeline in the order of the data, runs them, and ends them one after the other once the
//! source ends.
//!
//! [`Pipeline::load`] opens storage, journal, stages, exchange, air and steps, in this order. [`Pipeline::run`] runs
//! the pipeline until the source has ended, the requested number of batches is on air, or it is stopped; it ends all
//! tasks before it returns.
//!
//! Input: the checked [`settings`] of one pipeline, and the [`Host`] that all pipelines share. Output: the stream at
//! its destinations, and a [`Watch`] with status and counts. This crate uses the crates of its steps. It does not
//! depend on the rights of tenants, on HTTP, or on where settings come from. Its limits are in [`limits`].
//!
//! [`deadline::Deadlines::of`] decides until when the reply of a processor is used; see [`deadline`].

// source (outboard-hls)
// -> batch: groups segments
pub mod batch;
// -> demux: splits batches and sends their sound out
pub mod demux;
// -> exchange (outboard-exchange): out to the processor and back
pub mod stage_framer;
// when: a reply's deadline, the hold, the clock's rate
pub mod deadline;
// -> remux: what goes on air
pub mod remux;
// -> air (outboard-egress)
pub mod release;
// across the steps
pub mod cause;
pub mod event;
pub mod evidence;
mod folders;
pub mod host;
pub mod journal_writer;
mod levels;
pub mod limits;
pub mod live;
pub mod load;
mod observe;
pub mod pace;
pub mod problems;
pub mod report;
pub mod settings;
pub mod status;
pub mod timings;
pub mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use self::batch::Batcher;
use self::cause::{Cause, HealthCause};
use self::demux::{DemuxStepError, Demuxer};
pub use self::host::{DEFAULT_TENANT, Host, HostLimits, Owner};
use self::live::Live;
use self::observe::Observer;
use self::pace::Pace;
use self::release::Releaser;
use self::remux::Remuxer;
use self::report::Reporter;
use self::status::{Phase, Report, Stats};
pub use self::watch::{RunningStage, Watch};
use crate::limits::{BATCHES_WAITING, DRAIN_SPARE, SEGMENTS_WAITING, SOURCE_AGAIN, SOURCE_EVENTS_WAITING};
use outboard_base::backoff::Backoff;
use outboard_egress::Air;
use outboard_egress::clock::AirClock;
use outboard_egress::spool::Spool;
use outboard_egress::status::{DestinationState, DestinationStatus};
use outboard_exchange::Exchange;
use outboard_hls::SourceError;
use outboard_stage::swap::StageSlots;
use outboard_store::journal::{BatchRow, JournalError, StreamJournal};

/// Why a pipeline ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The source cannot be read.
    #[error("source: {0}")]
    Source(#[from] SourceError),
    /// The stream cannot go on air, or the storage failed.
    #[error(transparent)]
    Demux(#[from] DemuxStepError),
    /// A step could not be written to the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It was told to end at once.
    #[error("ended before everything was on air; the next start resumes from here")]
    Stopped,
    /// Not everything went on air.
    #[error("not everything went on air: {}", .0.message)]
    NotDrained(Cause),
    /// A task of ours broke.
    #[error("the {0} step ended unexpectedly: {1}")]
    Task(&'static str, tokio::task::JoinError),
}

/// How a pipeline is told to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    gently: CancellationToken,
    at_once: CancellationToken,
}

impl Stop {
    /// Fetch no more; what is there goes on air.
    pub fn gently(&self) {
        self.gently.cancel();
    }

    /// Ends the run at once: buffered media is not sent, and the next start resumes there.
    pub fn at_once(&self) {
        self.gently.cancel();
        self.at_once.cancel();
    }
}

/// A pipeline whose parts are open, ready to run.
pub struct Pipeline {
    /// Holds the storage for as long as the pipeline lives.
    host: Host,
    span: Span,
    reporter: Reporter,
    journal: StreamJournal,
    clock: AirClock,
    spool: Spool,
    air: Air,
    exchange: Option<Arc<Exchange>>,
    source: outboard_hls::SourceConfig,
    resume: Option<outboard_hls::Resume>,
    batcher: Batcher,
    demuxer: Demuxer,
    resumed: Vec<BatchRow>,
    remuxer: Remuxer,
    releaser: Releaser,
    stages: Vec<RunningStage>,
    swaps: StageSlots,
    live: Live,
    fetching: CancellationToken,
    pace: Pace,
}

impl Pipeline {
    /// A view that outlives the pipeline.
    pub fn watch(&self) -> Watch {
        Watch {
            status: self.reporter.status.clone(),
            clock: self.clock.clone(),
            spool: self.spool.clone(),
            room: self.source.room.clone(),
            air: self.air.destinations().statuses(),
            exchange: self.exchange.as_ref().map(|exchange| exchange.watch()),
            stages: self.stages.clone(),
            progress: self.journal.progress(),
            pace: self.pace.clone(),
        }
    }

    /// Its stages, to be swapped while it runs.
    pub fn swaps(&self) -> StageSlots {
        self.swaps.clone()
    }

    /// Its other parts that take new settings while it runs.
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// Runs to the end. The report is of this run; after an error the journal has what the next start needs.
    pub async fn run(self, stop: Stop) -> Result<Report, PipelineError> {
        let span = self.span.clone();
        self.drive(stop).instrument(span).await
    }

    async fn drive(mut self, stop: Stop) -> Result<Report, PipelineError> {
        let mut observing = Tasks(Vec::new());
        observing.own(tokio::spawn(Observer::new(self.watch(), self.reporter.clone()).run().in_current_span()));
        let folders = folders::keep(self.demuxer.files.clone(), self.reporter.status.clone());
        observing.own(tokio::spawn(folders.in_current_span()));
        let (events, events_in) = mpsc::channel(SOURCE_EVENTS_WAITING);
        let (decided, decided_in) = mpsc::channel(SEGMENTS_WAITING);
        let (demuxed, demuxed_in) = mpsc::channel(BATCHES_WAITING);
        let fetching = self.fetching.clone();
        let gentle = stop.gently.clone();
        let forward = tokio::spawn(async move {
            gentle.cancelled().await;
            fetching.cancel();
        });
        let releaser = tokio::spawn(self.releaser.run().in_current_span());
        let mut tasks = Tasks(Vec::new());
        let fetch = fetch(self.source, self.resume, events, self.fetching.clone(), self.reporter.clone());
        let source = tasks.own(tokio::spawn(fetch.in_current_span()));
        let fetching = self.fetching.clone();
        let batching = or_cancel(self.batcher.run(events_in, decided), fetching.clone());
        let batcher = tasks.own(tokio::spawn(batching.in_current_span()));
        let demuxing = or_cancel(self.demuxer.run(self.resumed, decided_in, demuxed), fetching.clone());
        let demuxer = tasks.own(tokio::spawn(demuxing.in_current_span()));
        let remuxing = or_cancel(self.remuxer.run(demuxed_in), fetching);
        let remuxer = tasks.own(tokio::spawn(remuxing.in_current_span()));
        let steps = async {
            // In the order of the data: each ends because the one before it ended.
            let source = joined("source", source.await);
            let batcher = joined("batch", batcher.await);
            let demuxer = joined("demux", demuxer.await);
            let remuxer = joined("remux", remuxer.await);
            // The step nearest to the cause speaks.
            demuxer??;
            source??;
            batcher??;
            remuxer??;
            Ok::<_, PipelineError>(())
        };
        let ended = tokio::select! {
            ended = steps => ended,
            () = stop.at_once.cancelled() => Err(PipelineError::Stopped),
        };
        drop(tasks);
        forward.abort();
        self.reporter.status.enter(Phase::Draining);
        // Nothing more will come, even where the remux step did not get to say so.
        self.spool.finish();
        self.clock.unbound();
        let limit = drain_limit(&self.clock, &self.spool);
        let destinations = tokio::select! {
            destinations = self.air.drain(limit) => destinations,
            () = stop.at_once.cancelled() => Vec::new(),
        };
        // From here on connections end because we end them.
        drop(observing);
        let enabled = || destinations.iter().filter(|destination| !destination.disabled);
        let drained = enabled().all(|destination| destination.state == DestinationState::Done);
        let released = joined("air", releaser.await);
        if let Some(exchange) = self.exchange.take().and_then(Arc::into_inner) {
            exchange.shutdown().await;
        }
        for stage in &self.stages {
            let counts = serde_json::to_string(&stage.status.current().counters.read()).unwrap_or_default();
            tracing::info!(kind = %stage.kind, %counts, "stage");
        }
        self.reporter.status.enter(Phase::Ended);
        ended?;
        released??;
        if stop.at_once.is_cancelled() {
            return Err(PipelineError::Stopped);
        }
        let report = self::status::report(&self.reporter.status.get(), enabled().next());
        if !drained {
            return Err(PipelineError::NotDrained(undrained(&self.reporter.status.get(), &destinations)));
        }
        // A run that was told to stop goes on with the next start, from the next segment that the source still offers.
        if !stop.gently.is_cancelled() {
            self.journal.finish().await?;
        }
        drop(self.host);
        Ok(report)
    }
}

/// Runs the source. A stream that was on air before is not given up because its origin is away at our start.
async fn fetch(
    config: outboard_hls::SourceConfig,
    resume: Option<outboard_hls::Resume>,
    events: mpsc::Sender<outboard_hls::SourceEvent>,
    stop: CancellationToken,
    reporter: Reporter,
) -> Result<(), SourceError> {
    let mut again = Backoff::new(SOURCE_AGAIN);
    loop {
        let ended = outboard_hls::run(config.clone(), resume.clone(), events.clone(), stop.clone()).await;
        match ended {
            Err(error @ SourceError::Unreachable { .. }) if resume.is_some() => {
                let wait = again.failed();
                reporter.source(report::source::Outcome::Unreachable { error: &error, wait });
                if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                    return Ok(());
                }
            }
            ended => return ended,
        }
    }
}

/// A step that fails ends the source too: nothing after it would take what is fetched.
async fn or_cancel<T, E>(step: impl Future<Output = Result<T, E>>, fetching: CancellationToken) -> Result<T, E> {
    let ended = step.await;
    if ended.is_err() {
        fetching.cancel();
    }
    ended
}

/// Tasks that must not outlive the run.
struct Tasks(Vec<tokio::task::AbortHandle>);

impl Tasks {
    fn own<T>(&mut self, task: JoinHandle<T>) -> JoinHandle<T> {
        self.0.push(task.abort_handle());
        task
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

fn joined<T>(name: &'static str, result: Result<T, tokio::task::JoinError>) -> Result<T, PipelineError> {
    result.map_err(|error| PipelineError::Task(name, error))
}

/// Why not everything went on air: where nothing was ever ready for air, no destination is to blame.
fn undrained(stats: &Stats, destinations: &[DestinationStatus]) -> Cause {
    let ready = stats.processed + stats.original.values().sum::<u64>();
    if let Some(lost) = stats.lost.as_ref().filter(|_| ready == 0) {
        return lost.clone();
    }
    if ready == 0 {
        return Cause::new(HealthCause::Source, "the source ended before a batch was complete");
    }
    let late = destinations.iter().find(|to| !to.disabled && to.state != DestinationState::Done);
    let what = match late.map(|destination| (destination.shown(), &destination.state)) {
        Some((name, DestinationState::Retrying { reason, .. })) => format!("{name}: {reason}"),
        Some((name, _)) => format!("{name} did not take it in time"),
        None => "the destinations did not take it in time".to_owned(),
    };
    Cause::new(HealthCause::Destination, what)
}

/// What is left to send takes as long as it lasts, and a reconnect may come in between.
fn drain_limit(clock: &AirClock, spool: &Spool) -> Duration {
    let Some(now_ms) = clock.now_ms() else { return DRAIN_SPARE };
    let left = spool.newest().map_or(0, |newest| newest.end_ms.saturating_sub(now_ms));
    let until_start = clock.anchored_at().map(|at| at.saturating_duration_since(tokio::time::Instant::now()));
    Duration::from_millis(left) + until_start.unwrap_or_default() + DRAIN_SPARE
}
