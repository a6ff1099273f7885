//! What is wanted of a pipeline that exists: that it runs, stops, starts anew, or is gone.

use std::sync::Arc;

use serde_json::json;

use super::Pipelines;
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::id::PipelineId;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::Wish;
use crate::runner::StopMode;
use outboard_pipeline::event::{Event, EventKind, Severity};
use outboard_stage::StageKind;

impl Pipelines {
    /// Starts a pipeline; one that is started already goes on.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn start(&self, actor: &Actor, id: &str) -> Result<Arc<PipelineHandle>, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::StartPipeline, id)?;
        if let Some(started) = self.start_idle_demo(actor, &handle).await? {
            return Ok(started);
        }
        let _changing = self.0.directory.change().await;
        if !handle.desired_running() {
            self.may_start(&handle)?;
        }
        let changed = self.0.registry.set_desired(actor, handle.id(), Wish::start()).await?;
        if changed.changed || !handle.desired_running() {
            self.tell(handle.id(), EventKind::Started, format!("started by {}", actor.name)).await;
            handle.want(|wanted| wanted.running = true);
        }
        Ok(handle)
    }

    /// Stops a pipeline. Answers at once: draining goes on for as long as media is buffered.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn stop(&self, actor: &Actor, id: &str, mode: StopMode) -> Result<Arc<PipelineHandle>, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::StopPipeline, id)?;
        let _changing = self.0.directory.change().await;
        let hastens = mode == StopMode::AtOnce && handle.drains();
        let detail = Some(json!({ "mode": mode.name() }));
        let wish = Wish { acts: hastens, detail, ..Wish::stop() };
        let changed = self.0.registry.set_desired(actor, handle.id(), wish).await?;
        if changed.changed || handle.desired_running() {
            self.tell(handle.id(), EventKind::Stopped, format!("stopped by {}", actor.name)).await;
        }
        // One that drains may be told to end at once.
        handle.want(|wanted| {
            wanted.running = false;
            wanted.mode = mode;
        });
        Ok(handle)
    }

    /// Stops what runs and starts it again; starts what does not run. `expected`: the start that the caller saw, Unix time
    /// in milliseconds; another one is a conflict, and so is the same one twice.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn restart(
        &self,
        actor: &Actor,
        id: &str,
        mode: StopMode,
        expected: Option<u64>,
    ) -> Result<Arc<PipelineHandle>, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::RestartPipeline, id)?;
        let _changing = self.0.directory.change().await;
        let started = handle.started_ms();
        if expected.is_some() && expected != started {
            let text = format!(
                "pipeline {} was started at another time, or is being restarted: read its status again",
                handle.id()
            );
            return Err(ControlError::Conflict(text));
        }
        self.may_start(&handle)?;
        let wish = Wish { detail: Some(json!({ "mode": mode.name() })), ..Wish::restart() };
        self.0.registry.set_desired(actor, handle.id(), wish).await?;
        self.tell(handle.id(), EventKind::Started, format!("restarted by {}", actor.name)).await;
        handle.want(|wanted| {
            wanted.running = true;
            wanted.mode = mode;
            wanted.turn += 1;
            wanted.over_ms = started.or(wanted.over_ms);
        });
        Ok(handle)
    }

    /// Deletes a pipeline and, unless `keep_files`, everything on disk of it. What runs is stopped at once. False: there
    /// was none.
    ///
    /// # Errors
    /// Any [`ControlError`]; then the pipeline is there and goes on as it was.
    pub async fn delete(&self, actor: &Actor, id: &str, keep_files: bool) -> Result<bool, ControlError> {
        let handle = match self.0.directory.allowed(actor, Action::DeletePipeline, id) {
            Ok(handle) => handle,
            // Another tenant's is as absent as one that never was.
            Err(ControlError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let id = handle.id().clone();
        let removing = self.0.removing.begin(&id.tenant).await;
        let changing = self.0.directory.change().await;
        if self.0.directory.get(&id).is_none_or(|there| !Arc::ptr_eq(&there, &handle)) {
            return Ok(false);
        }
        self.0.registry.delete_pipeline(actor, &id, !keep_files).await?;
        self.0.directory.remove(&id);
        drop(changing);
        self.0.removing.remove_behind(removing, id.removal(!keep_files), Some(handle)).await;
        self.end_demo_of(&id).await;
        let what = Event::new(EventKind::Deleted, Severity::Info, format!("{id} was deleted by {}", actor.name));
        what.log();
        self.0.recorder.record(Some(id.tenant), None, what).await;
        Ok(true)
    }

    /// Ends every pipeline and waits until nothing of them runs. What is wanted of them stays as it is in the database.
    pub(crate) async fn end_all(&self, mode: StopMode) {
        let handles = self.0.directory.all();
        futures_util::future::join_all(handles.iter().map(|handle| handle.end(mode))).await;
    }

    /// Whether a pipeline may start with the components that it is set to: the tenant's policy may have changed since.
    fn may_start(&self, handle: &PipelineHandle) -> Result<(), ControlError> {
        // Of one without a tenant nothing is left to start.
        let Some(tenant) = self.0.tenants.get(&handle.id().tenant) else { return Ok(()) };
        let wrong = |error| ControlError::Conflict(format!("pipeline {} cannot start: {error}", handle.id()));
        self.0.library.check(&tenant, &handle.settings()).map_err(wrong)
    }

    /// A stage failed whose pipeline is to be stopped for that.
    pub(super) async fn stop_for(&self, id: &PipelineId, kind: StageKind, reason: &str) {
        let what = format!("{kind}: {reason}; stopping the pipeline, as configured (onFailure: STOP)");
        self.0.recorder.report(id, Event::new(EventKind::StageFailed, Severity::Error, what)).await;
        if let Err(error) = self.stop(&Actor::local("host"), &id.to_string(), StopMode::Drain).await {
            tracing::error!(pipeline = %id, %error, "failed to stop the pipeline");
        }
    }
}
