//! One pipeline as the control plane holds it: what is wanted of it, what it is, and the tasks that keep it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::id::PipelineId;
use super::runner::{DesiredRun, LiveRun, Note, Run, RunState, Runner, StopMode};
use super::snapshot::{self, Snapshot};
use crate::limits::NOTES_WAITING;
use outboard_pipeline::settings::Settings;
use outboard_pipeline::{Host, Owner, Watch};
use outboard_stage::swap::StageSlots;
use outboard_store::journal::BatchProgress;

/// A pipeline that exists. Dropping it stops what runs, at once.
#[derive(Debug)]
pub struct PipelineHandle {
    id: PipelineId,
    created_ms: u64,
    wanted: Mutex<watch::Sender<DesiredRun>>,
    run: watch::Receiver<Run>,
    shown: watch::Receiver<Arc<Snapshot>>,
    progress: broadcast::Sender<BatchProgress>,
    gone: CancellationToken,
    runner: Mutex<Option<JoinHandle<()>>>,
    tasks: Vec<JoinHandle<()>>,
}

// === impl PipelineHandle ===

impl PipelineHandle {
    /// Starts to keep a pipeline as it is wanted. `notes` tells what happens in it.
    pub(super) fn start(
        host: &Host,
        id: PipelineId,
        created_ms: u64,
        wanted: DesiredRun,
    ) -> (Arc<Self>, mpsc::Receiver<Note>) {
        let (wanted, wants) = watch::channel(wanted);
        let (run, runs) = watch::channel(Run::default());
        let (shown, shows) = watch::channel(Arc::new(Snapshot::first()));
        let (notes, noted) = mpsc::channel(NOTES_WAITING);
        let (srs, views) = watch::channel(super::srs::SrsViews::default());
        let progress = wanted.borrow().owner.progress.clone();
        let runner =
            Runner { host: host.clone(), stream_id: id.stream.clone(), wanted: wants.clone(), run, notes, runs: 0 };
        let tasks = vec![
            tokio::spawn(snapshot::keep(runs.clone(), views, shown)),
            tokio::spawn(super::srs::follow(wants, runs.clone(), srs)),
        ];
        let entry = Self {
            id,
            created_ms,
            wanted: Mutex::new(wanted),
            run: runs,
            shown: shows,
            progress,
            gone: CancellationToken::new(),
            runner: Mutex::new(Some(tokio::spawn(runner.run()))),
            tasks,
        };
        (Arc::new(entry), noted)
    }

    /// Tenant and stream id; neither ever changes.
    pub fn id(&self) -> &PipelineId {
        &self.id
    }

    /// When it was made, Unix time in milliseconds.
    pub fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// What it is set to.
    pub fn settings(&self) -> Arc<Settings> {
        self.wanted().settings
    }

    /// Number of the revision that it is set to; what runs may still have another, see [`Snapshot::run`].
    pub fn revision(&self) -> u64 {
        self.wanted().revision
    }

    /// Whether it is meant to run.
    pub fn desired_running(&self) -> bool {
        self.wanted().running
    }

    /// The stages of what runs now, and the number of the run.
    pub(super) fn swaps(&self) -> Option<(u64, StageSlots)> {
        self.run.borrow().swaps.clone()
    }

    /// What runs now, to be changed on air.
    pub(super) fn live(&self) -> Option<LiveRun> {
        self.run.borrow().live.clone()
    }

    /// What runs now, or ran last.
    pub(super) fn watch(&self) -> Option<Watch> {
        self.run.borrow().watch.clone()
    }

    /// What its runner does from now on.
    pub(super) fn runs(&self) -> watch::Receiver<Run> {
        self.run.clone()
    }

    /// It is told to stop, and what is buffered still goes on air.
    pub(super) fn drains(&self) -> bool {
        let wanted = self.wanted();
        !wanted.running && wanted.mode == StopMode::Drain && self.run.borrow().state != RunState::Stopped
    }

    /// When what runs was started, Unix time in milliseconds; `None` where it is restarted already.
    pub(super) fn started_ms(&self) -> Option<u64> {
        let over = self.wanted().over_ms;
        self.run.borrow().started_ms.filter(|started| over != Some(*started))
    }

    /// The newest snapshot, without waiting. It is at most about a second old while the pipeline runs.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shown.borrow().clone()
    }

    /// It from now on; a new one comes after each change, and each second while it runs.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.shown.clone()
    }

    /// The steps of its batches from now on, over restarts. A listener that is too slow loses the oldest.
    pub fn progress(&self) -> broadcast::Receiver<BatchProgress> {
        self.progress.subscribe()
    }

    /// Cancelled when the pipeline is deleted.
    pub fn gone(&self) -> &CancellationToken {
        &self.gone
    }

    pub(super) fn wanted(&self) -> DesiredRun {
        self.lock().borrow().clone()
    }

    /// Changes what is wanted.
    pub(super) fn want(&self, change: impl FnOnce(&mut DesiredRun)) {
        self.lock().send_modify(change);
    }

    /// Stops it for good and waits until nothing of it runs any more.
    pub(super) async fn end(&self, mode: StopMode) {
        self.gone.cancel();
        self.want(|wanted| {
            wanted.running = false;
            wanted.mode = mode;
        });
        let mut run = self.run.clone();
        // An error: the runner is gone already.
        let _ = run.wait_for(|run| run.state == RunState::Stopped).await;
        let runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runner) = runner {
            runner.abort();
            let _ = runner.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, watch::Sender<DesiredRun>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PipelineHandle {
    fn drop(&mut self) {
        self.gone.cancel();
        let runner = self.runner.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        runner.iter().chain(&self.tasks).for_each(JoinHandle::abort);
    }
}

impl DesiredRun {
    /// Of a pipeline that does not run yet.
    pub(super) fn new(owner: Owner, revision: u64, settings: Arc<Settings>, running: bool) -> Self {
        Self { running, mode: StopMode::Drain, turn: 0, over_ms: None, revision, taken: None, settings, owner }
    }
}
