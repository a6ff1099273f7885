//! Keeps one pipeline the way it is wanted: starts it, starts it again after a failure, stops it.
//!
//! In: what is wanted, on a watch. Out: what is, on another. All of its work happens in one task; whoever drops the
//! handles ends it. A change of settings that cannot be loaded while the stream is on air falls back to the settings
//! that ran (law 2).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tracing::Instrument;

use crate::limits::PIPELINE_AGAIN;
use outboard_base::backoff::Backoff;
use outboard_base::unix_time::now_ms;
use outboard_pipeline::cause::{Cause, HealthCause, Origin};
use outboard_pipeline::event::{Event, EventKind, Severity};
use outboard_pipeline::live::Live;
use outboard_pipeline::settings::Settings;
use outboard_pipeline::{Host, Owner, Pipeline, PipelineError, Stop, Watch};
use outboard_stage::StageKind;
use outboard_stage::slot_status::SlotStatus;
use outboard_stage::swap::StageSlots;

/// How a running pipeline is stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StopMode {
    /// What is buffered goes on air first.
    #[default]
    Drain,
    /// Now; the next start goes on from there.
    AtOnce,
}

impl StopMode {
    /// The word in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::AtOnce => "at-once",
        }
    }
}

/// What is wanted of a pipeline.
#[derive(Debug, Clone)]
pub struct DesiredRun {
    /// It is to run.
    pub running: bool,
    /// How it stops, when it has to.
    pub mode: StopMode,
    /// Rises with each change that a running pipeline must be restarted for.
    pub turn: u64,
    /// The start ([`Run::started_ms`]) that a restart was asked for: what runs after it has another.
    pub over_ms: Option<u64>,
    /// Number of the revision that is to run.
    pub revision: u64,
    /// The revision that what runs has taken on air, without being restarted.
    pub taken: Option<Taken>,
    /// The settings of that revision.
    pub settings: Arc<Settings>,
    /// Whose it is and what it may use.
    pub owner: Owner,
}

/// A revision that a run has taken on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The number of the run.
    pub run: u64,
    /// Number of the revision that runs.
    pub revision: u64,
}

/// What the runner does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RunState {
    /// Nothing runs, and nothing is meant to.
    #[default]
    Stopped,
    /// A pipeline is being opened.
    Loading,
    /// The pipeline is loaded and its steps run.
    Running,
    /// A pipeline was told to stop.
    Stopping,
    /// It failed and is tried again.
    Waiting {
        /// Unix time in milliseconds.
        until_ms: u64,
    },
}

/// The state of a pipeline's run, as the runner publishes it.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// What the runner does.
    pub state: RunState,
    /// Since when, Unix time in milliseconds.
    pub since_ms: u64,
    /// The pipeline that runs or ran last.
    pub watch: Option<Watch>,
    /// The stages of the pipeline that runs, and the number of the run.
    pub swaps: Option<(u64, StageSlots)>,
    /// What else of it takes new settings on air.
    pub live: Option<LiveRun>,
    /// Which settings it has.
    pub revision: Option<u64>,
    /// When it was started, Unix time in milliseconds; kept over restarts by itself.
    pub started_ms: Option<u64>,
    /// How often it was started again after a failure.
    pub restarts: u64,
    /// Why it last failed.
    pub error: Option<String>,
    /// The same with where it comes from; `None` where it did not fail.
    pub cause: Option<Cause>,
    /// When that was, Unix time in milliseconds.
    pub error_ms: Option<u64>,
    /// The newest settings cannot run and older ones do: that is not over when the stream is well.
    pub reverted: bool,
}

impl Run {
    fn fail(&mut self, cause: Cause) {
        self.error = Some(cause.message.clone());
        self.cause = Some(cause);
        self.error_ms = Some(now_ms());
    }

    fn forget_error(&mut self) {
        self.error = None;
        self.cause = None;
        self.error_ms = None;
        self.reverted = false;
    }
}

/// A pipeline that runs, to be changed on air.
#[derive(Debug, Clone)]
pub struct LiveRun {
    /// The number of the run.
    pub number: u64,
    /// Handles to the running parts, for changes on air.
    pub parts: Live,
    /// The settings that it has.
    pub settings: Arc<Settings>,
}

/// What the runner tells its owner.
#[derive(Debug)]
pub enum Note {
    /// The pipeline reported an event.
    Event(Event),
    /// It ended by itself and is not to run any more.
    Ended,
    /// A stage's version before took over by itself: why, and the evidence.
    FellBack(StageKind, String, String),
    /// A stage failed whose pipeline is to be stopped for that.
    StopFor(StageKind, String),
}

/// The task that makes one pipeline run as wanted: loads, runs, stops, and restarts it after failures.
pub(super) struct Runner {
    pub(super) host: Host,
    pub(super) stream_id: String,
    pub(super) wanted: watch::Receiver<DesiredRun>,
    pub(super) run: watch::Sender<Run>,
    pub(super) notes: mpsc::Sender<Note>,
    /// Pipelines that were run so far.
    pub(super) runs: u64,
}

/// How one run of a pipeline ended.
enum Ended {
    /// Because of a change of what is wanted.
    Changed,
    /// The source is over and everything was on air.
    Over,
    /// The run failed for this cause; the runner tries again.
    Failed(Cause),
}

impl Runner {
    /// Runs until what is wanted cannot change any more; a running pipeline is stopped at once then.
    pub(super) async fn run(mut self) {
        let mut again = Backoff::new(PIPELINE_AGAIN);
        // The last settings that ran.
        let mut good: Option<(u64, Arc<Settings>)> = None;
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            if !wanted.running {
                self.enter(RunState::Stopped);
                self.run.send_modify(|run| run.started_ms = None);
                if self.wanted.changed().await.is_err() {
                    return;
                }
                self.run.send_modify(|run| {
                    run.forget_error();
                    run.restarts = 0;
                });
                again.reset();
                continue;
            }
            self.run.send_if_modified(|run| {
                let over = run.started_ms.is_some() && run.started_ms == wanted.over_ms;
                if over {
                    run.started_ms = None;
                }
                over
            });
            let began = tokio::time::Instant::now();
            let ended = self.once(&wanted, &mut good).await;
            if self.wanted.has_changed().is_err() {
                return;
            }
            match ended {
                Ended::Changed => {
                    again.reset();
                    // Whatever it was, it says nothing of what starts now.
                    self.run.send_modify(Run::forget_error);
                }
                Ended::Over => {
                    self.tell(Event::new(
                        EventKind::Ended,
                        Severity::Info,
                        "the source has ended; everything was on air",
                    ))
                    .await;
                    self.run.send_modify(|run| {
                        run.error = Some("ended: the source has no more segments".to_owned());
                        run.error_ms = Some(now_ms());
                        run.cause = None;
                    });
                    self.enter(RunState::Stopped);
                    // The owner writes it down and takes the wish back.
                    if self.notes.send(Note::Ended).await.is_err() || self.wanted.changed().await.is_err() {
                        return;
                    }
                }
                Ended::Failed(cause) => {
                    let error = cause.message.clone();
                    again.lived(began.elapsed());
                    let wait = again.failed();
                    let what = format!("{error}; trying again in {:.0} s", wait.as_secs_f64().ceil());
                    self.tell(Event::new(EventKind::Failed, Severity::Error, what).caused_by(cause.kind)).await;
                    self.run.send_modify(|run| {
                        run.fail(cause);
                        run.reverted = false;
                        run.restarts += 1;
                    });
                    if !self.rest(wait).await {
                        return;
                    }
                }
            }
        }
    }

    /// Opens the pipeline and drives it until it ends or something else is wanted.
    async fn once(&mut self, wanted: &DesiredRun, good: &mut Option<(u64, Arc<Settings>)>) -> Ended {
        self.enter(RunState::Loading);
        let pipeline = match self.load(wanted, &wanted.settings).await {
            Ok(pipeline) => {
                *good = Some((wanted.revision, wanted.settings.clone()));
                pipeline
            }
            Err(error) => {
                let Some((revision, settings)) = good.clone().filter(|(number, _)| *number != wanted.revision) else {
                    return Ended::Failed(error);
                };
                let what = format!(
                    "revision {} cannot run, revision {revision} continues: {}",
                    wanted.revision, error.message
                );
                self.tell(Event::new(EventKind::Failed, Severity::Error, what).caused_by(error.kind)).await;
                match self.load(wanted, &settings).await {
                    Ok(pipeline) => {
                        self.run.send_modify(|run| {
                            run.fail(error);
                            run.reverted = true;
                            run.revision = Some(revision);
                        });
                        pipeline
                    }
                    Err(_) => return Ended::Failed(error),
                }
            }
        };
        let watch = pipeline.watch();
        let mut events = watch.events();
        let mut seats = Seats::of(&watch);
        self.runs += 1;
        let swaps = Some((self.runs, pipeline.swaps()));
        let has = good.as_ref().map_or(&wanted.settings, |(_, settings)| settings);
        let live = Some(LiveRun { number: self.runs, parts: pipeline.live(), settings: has.clone() });
        self.run.send_modify(|run| {
            run.watch = Some(watch);
            (run.swaps, run.live) = (swaps, live);
            run.started_ms = run.started_ms.or(Some(now_ms()));
        });
        self.enter(RunState::Running);
        let stop = Stop::default();
        let running = pipeline.run(stop.clone());
        tokio::pin!(running);
        let mut stopping = false;
        let result = loop {
            tokio::select! {
                result = &mut running => break result,
                event = events.recv() => {
                    if let Ok(event) = event {
                        self.note(Note::Event(event));
                    }
                }
                note = seats.next() => self.note(note),
                changed = self.wanted.changed() => {
                    let now = self.wanted.borrow_and_update().clone();
                    let gone = changed.is_err();
                    let taken = now.taken.filter(|taken| taken.revision == now.revision);
                    if taken.is_some_and(|taken| taken.run == self.runs) && now.turn == wanted.turn {
                        self.run.send_modify(|run| {
                            run.revision = Some(now.revision);
                            run.live.iter_mut().for_each(|live| live.settings = now.settings.clone());
                        });
                        *good = Some((now.revision, now.settings.clone()));
                    }
                    // Taken by the run before, while this one was loaded with what was wanted before.
                    let missed = taken.is_some_and(|taken| taken.run < self.runs) && now.revision != wanted.revision;
                    if gone || !now.running || now.turn != wanted.turn || missed {
                        stopping = true;
                        self.enter(RunState::Stopping);
                        match now.mode {
                            StopMode::Drain if !gone && !missed => stop.gently(),
                            _ => stop.at_once(),
                        }
                    }
                    if gone {
                        break running.await;
                    }
                }
            }
        };
        self.run.send_modify(|run| (run.swaps, run.live) = (None, None));
        // What was told at the very end.
        while let Ok(event) = events.try_recv() {
            self.note(Note::Event(event));
        }
        match result {
            _ if stopping => Ended::Changed,
            Ok(_) => Ended::Over,
            Err(PipelineError::Stopped) => Ended::Changed,
            Err(error) => Ended::Failed(error.cause()),
        }
    }

    async fn load(&self, wanted: &DesiredRun, settings: &Settings) -> Result<Pipeline, Cause> {
        let problems = |problems: Vec<outboard_base::Problem>| {
            Cause::new(HealthCause::Settings, outboard_base::Problems(problems).to_string())
        };
        let config = settings.check(&self.stream_id, self.host.storage()).map_err(problems)?;
        self.run.send_modify(|run| run.revision = Some(wanted.revision));
        let loading = Pipeline::load(&self.host, wanted.owner.clone(), config, None);
        loading.in_current_span().await.map_err(|error| error.cause())
    }

    /// False: nobody wants anything any more.
    async fn rest(&mut self, wait: Duration) -> bool {
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.enter(RunState::Waiting { until_ms: now_ms().saturating_add(ms) });
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            changed = self.wanted.changed() => changed.is_ok(),
        }
    }

    fn enter(&self, state: RunState) {
        self.run.send_if_modified(|run| {
            let new = run.state != state;
            if new {
                run.state = state;
                run.since_ms = now_ms();
            }
            new
        });
    }

    async fn tell(&self, event: Event) {
        let tenant = &self.wanted.borrow().owner.tenant.clone();
        tracing::error_span!("pipeline", tenant, stream = self.stream_id).in_scope(|| event.log());
        // The owner may be gone.
        let _ = self.notes.send(Note::Event(event)).await;
    }

    /// Never waits: the stream does not wait for its books.
    fn note(&self, note: Note) {
        if self.notes.try_send(note).is_err() {
            tracing::warn!("an event was dropped: too many are waiting to be stored");
        }
    }
}

/// What the seats of a running pipeline's stages do by themselves.
struct Seats(Vec<(StageKind, watch::Receiver<SlotStatus>, Option<String>)>);

impl Seats {
    fn of(watch: &Watch) -> Self {
        Self(watch.stages().iter().map(|stage| (stage.kind, stage.status.subscribe(), None)).collect())
    }

    /// The next thing; each is told once.
    async fn next(&mut self) -> Note {
        loop {
            for (kind, status, told) in &mut self.0 {
                let now = status.borrow_and_update().clone();
                if let Some((reason, evidence)) = now.fell_back.filter(|(_, id)| told.as_ref() != Some(id)) {
                    *told = Some(evidence.clone());
                    return Note::FellBack(*kind, reason, evidence);
                }
                if let Some(reason) = now.stop.filter(|reason| told.as_ref() != Some(reason)) {
                    *told = Some(reason.clone());
                    return Note::StopFor(*kind, reason);
                }
            }
            let changes = self.0.iter_mut().map(|(_, status, _)| Box::pin(status.changed()));
            if futures_util::future::select_all(changes).await.0.is_err() {
                // The pipeline is gone.
                std::future::pending::<()>().await;
            }
        }
    }
}
