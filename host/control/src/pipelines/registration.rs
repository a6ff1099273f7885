//! Pipelines are registered with this process: each gets a handle, whose runner makes what runs like what is wanted, and a task that
//! stores what happens.

use std::sync::{Arc, Weak};

use tokio::sync::{mpsc, watch};

use super::{Inner, Pipelines};
use crate::access::Actor;
use crate::error::ControlError;
use crate::id::PipelineId;
use crate::incidents::Incidents;
use crate::limits::INCIDENT_LOOK_EVERY;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::{Desired, PipelineRow, Scope, TenantRow, Wish};
use crate::runner::{DesiredRun, Note};
use crate::settings_rules::read;
use crate::snapshot::Snapshot;
use crate::tenant_network::owner;
use outboard_base::unix_time::now_ms;
use outboard_pipeline::event::{Event, EventKind, Severity};
use outboard_pipeline::settings::Settings;
use outboard_store::page::Page;

impl Pipelines {
    /// Registers every pipeline that is stored; one whose settings cannot be read is logged and left out.
    ///
    /// # Errors
    /// The database cannot be read.
    pub(crate) async fn load(&self) -> Result<(), ControlError> {
        let mut page = Page::oldest(usize::MAX);
        loop {
            let listed = self.0.registry.pipelines(Scope::All, page.clone()).await?;
            let last = listed.rows.last().map(|row| row.id.clone());
            for row in listed.rows {
                let Some(tenant) = self.0.tenants.get(&row.id.tenant) else { continue };
                match read(row.settings.get()) {
                    Ok(settings) => drop(self.hold(&row, Arc::new(settings), &tenant)),
                    Err(error) => {
                        tracing::error!(pipeline = %row.id, %error, "skipping a pipeline whose settings cannot be read")
                    }
                }
            }
            match last.filter(|_| listed.more) {
                Some(last) => page = page.after(last),
                None => return Ok(()),
            }
        }
    }

    /// Starts to keep a pipeline as it is wanted.
    pub(super) fn hold(&self, row: &PipelineRow, settings: Arc<Settings>, tenant: &TenantRow) -> Arc<PipelineHandle> {
        let running = row.desired == Desired::Running && !tenant.disabled;
        let wanted = DesiredRun::new(owner(tenant), row.revision, settings, running);
        // Its runner is spawned in there.
        let _home = self.0.home.enter();
        let (handle, notes) = PipelineHandle::start(&self.0.host, row.id.clone(), row.created_ms, wanted);
        self.0.home.spawn(follow(handle.snapshots(), row.id.clone(), notes, self.clone()));
        self.0.directory.insert(handle.clone());
        handle
    }

    pub(super) async fn tell(&self, id: &PipelineId, kind: EventKind, what: String) {
        let event = Event::new(kind, Severity::Info, what);
        tracing::info!(tenant = id.tenant, stream = id.stream, event = kind.name(), "{}", event.message);
        self.0.recorder.pipeline(id, event).await;
    }

    /// What a pipeline's keeper tells besides events.
    async fn noted(&self, id: &PipelineId, note: Note) {
        match note {
            Note::Event(event) => self.0.recorder.pipeline(id, event).await,
            Note::Ended => self.ended(id).await,
            Note::FellBack(kind, reason, evidence) => self.0.swaps.fell_back(id, kind, &reason, &evidence).await,
            Note::StopFor(kind, reason) => self.stop_for(id, kind, &reason).await,
        }
    }

    /// A pipeline came to its end by itself: it is not wanted to run any more.
    async fn ended(&self, id: &PipelineId) {
        let _changing = self.0.directory.change().await;
        let Some(handle) = self.0.directory.get(id) else { return };
        if let Err(error) = self.0.registry.set_desired(&Actor::local("host"), id, Wish::stop()).await {
            tracing::error!(pipeline = %id, %error, "failed to store that the pipeline ended");
        }
        handle.want(|wanted| wanted.running = false);
    }
}

/// Writes down what happens in a pipeline and which problems it has, until it is deleted.
fn follow(
    mut shown: watch::Receiver<Arc<Snapshot>>,
    id: PipelineId,
    mut notes: mpsc::Receiver<Note>,
    pipelines: Pipelines,
) -> impl Future<Output = ()> + Send {
    let (registry, recorder) = (pipelines.0.registry.clone(), pipelines.0.recorder.clone());
    // The service ends although its pipelines are followed.
    let pipelines: Weak<Inner> = Arc::downgrade(&pipelines.0);
    async move {
        let mut incidents = match registry.open_incidents(&id).await {
            Ok(open) => Incidents::resume(open),
            Err(error) => {
                tracing::error!(pipeline = %id, %error, "failed to read the open incidents of the pipeline");
                Incidents::default()
            }
        };
        loop {
            let waits = incidents.waits();
            tokio::select! {
                biased;
                note = notes.recv() => match note {
                    Some(Note::Event(event)) => {
                        if let Some(event) = incidents.event(now_ms(), event) {
                            recorder.pipeline(&id, event).await;
                        }
                    }
                    Some(note) => {
                        let Some(pipelines) = pipelines.upgrade().map(Pipelines) else { return };
                        pipelines.noted(&id, note).await;
                    }
                    None => return,
                },
                // Where nobody shows anything any more, the notes end too.
                Ok(()) = shown.changed() => {}
                () = tokio::time::sleep(INCIDENT_LOOK_EVERY), if waits => {}
            }
            let snapshot = shown.borrow_and_update().clone();
            for change in incidents.look(now_ms(), &snapshot.problems, snapshot.settled()) {
                if let Some(event) = &change.event {
                    tracing::error_span!("pipeline", tenant = id.tenant, stream = id.stream).in_scope(|| event.log());
                }
                recorder.incident(&id, change).await;
            }
        }
    }
}
