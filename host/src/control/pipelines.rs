//! Pipelines: made, changed, started, stopped, deleted. Each change is in the database before anything runs by it.

use std::sync::Arc;

use serde_json::json;

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::pipeline_handle::PipelineHandle;
use super::registry::{self, Desired, Origin, Wish};
use super::runner::StopMode;
use crate::pipeline::event::{Event, EventKind, Severity};
use crate::settings::{Patch, Settings};
use allowed::judge;

mod allowed;
mod destinations;
mod registration;

pub(super) use registration::{kept, read};

/// A pipeline to be made.
#[derive(Debug, Clone, Default)]
pub struct NewPipeline {
    /// Whose; `None`: the caller's own.
    pub tenant: Option<String>,
    /// Names the stream; unique with its tenant.
    pub stream_id: String,
    /// What it is set to.
    pub patch: Patch,
    /// Start it at once.
    pub start: bool,
    /// A person's words for its first revision.
    pub note: Option<String>,
}

/// When a change of settings counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Apply {
    /// At once: what runs goes on with the new settings, from the place on air that the journal has.
    #[default]
    Now,
    /// With the next start.
    NextStart,
}

/// A change of settings.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The settings to change; others keep their values.
    pub patch: Patch,
    /// The revision that the caller saw; another one is a conflict.
    pub expected_revision: Option<u64>,
    /// Whether a running pipeline applies the change now or at its next start.
    pub apply: Apply,
    /// A person's words for the revision.
    pub note: Option<String>,
}

// === impl Control ===

impl Control {
    /// The pipelines that a caller may see, sorted; `tenant`: only this one's.
    ///
    /// # Errors
    /// A tenant that is not there for them.
    pub fn pipelines(&self, actor: &Actor, tenant: Option<&str>) -> Result<Vec<Arc<PipelineHandle>>, ControlError> {
        let only = match (tenant, &actor.tenant) {
            (None, None) => {
                actor.check(Action::ViewPipelines, None)?;
                None
            }
            (Some(_), _) | (None, Some(_)) => {
                Some(self.tenant_for(actor, Action::ViewPipelines, tenant.or(actor.tenant.as_deref()))?)
            }
        };
        let entries = self.entries().into_iter();
        Ok(entries.filter(|entry| only.as_ref().is_none_or(|tenant| entry.id().tenant == tenant.name)).collect())
    }

    /// One pipeline.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn pipeline(&self, actor: &Actor, id: &str) -> Result<Arc<PipelineHandle>, ControlError> {
        self.allowed(actor, Action::ViewPipelines, id)
    }

    /// Makes a pipeline. The same again is the same pipeline.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where one of that name has other settings.
    pub async fn create(&self, actor: &Actor, new: NewPipeline) -> Result<Arc<PipelineHandle>, ControlError> {
        self.create_as(actor, new, Origin::Api).await
    }

    pub(crate) async fn create_as(
        &self,
        actor: &Actor,
        new: NewPipeline,
        origin: Origin,
    ) -> Result<Arc<PipelineHandle>, ControlError> {
        let tenant = self.tenant_for(actor, Action::CreatePipeline, new.tenant.as_deref())?;
        let note = new.note.as_deref();
        let named = self.named(&tenant, new.stream_id, new.patch);
        let (id, settings) = named.or_else(|error| Self::with_note(Err(error), note))?;
        // One of that name that is being deleted is gone first.
        let _making = self.0.removing.make_room_for(&tenant.name).await?;
        let _changing = self.0.directory.change().await;
        Self::with_note(self.check(&tenant, &id, &settings), note)?;
        judge(&tenant, &settings)?;
        let desired = if new.start { Desired::Running } else { Desired::Stopped };
        let row = registry::NewPipeline { id: id.clone(), settings: kept(&settings)?, desired, origin, note: new.note };
        let made = self.0.registry.create_pipeline(actor, row).await?;
        if let Some(entry) = self.entry(&id).filter(|_| !made.changed) {
            return Ok(entry);
        }
        let entry = self.hold(&made.row, Arc::new(settings), &tenant);
        self.tell(&id, EventKind::Created, format!("created by {}", actor.name)).await;
        if new.start {
            self.tell(&id, EventKind::Started, format!("started by {}", actor.name)).await;
        }
        Ok(entry)
    }

    /// Changes what a pipeline is set to. What runs goes on with the new settings at once, unless told otherwise.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where the revision is not the expected one.
    pub async fn update(&self, actor: &Actor, id: &str, change: Change) -> Result<Arc<PipelineHandle>, ControlError> {
        let entry = self.allowed(actor, Action::UpdatePipeline, id)?;
        let _changing = self.0.directory.change().await;
        let (note, patched) = (change.note.as_deref(), entry.settings().patched(change.patch));
        let settings =
            patched.map_err(ControlError::InvalidInput).or_else(|error| Self::with_note(Err(error), note))?;
        let tenant = self.tenant_for(actor, Action::UpdatePipeline, Some(&entry.id().tenant))?;
        Self::with_note(self.check(&tenant, entry.id(), &settings), note)?;
        self.no_swap_under_way(&entry, &settings)?;
        judge(&tenant, &settings)?;
        let kept = kept(&settings)?;
        let changed =
            self.0.registry.update_pipeline(actor, entry.id(), kept, change.expected_revision, change.note).await?;
        if changed.changed {
            let what = format!("revision {} by {}", changed.row.revision, actor.name);
            self.tell(entry.id(), EventKind::Updated, what).await;
            self.take(actor, &entry, changed.row.revision, settings, change.apply).await?;
        }
        Ok(entry)
    }

    /// Sets a pipeline to what it was at an earlier revision, as a new one.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::NotFound`] for a revision that is not kept.
    pub async fn roll_back(
        &self,
        actor: &Actor,
        id: &str,
        revision: u64,
        expected: Option<u64>,
    ) -> Result<Arc<PipelineHandle>, ControlError> {
        let entry = self.allowed(actor, Action::RollBackPipeline, id)?;
        let _changing = self.0.directory.change().await;
        let absent =
            || ControlError::NotFound(format!("pipeline {} has no revision {revision} (any more)", entry.id()));
        let old = self.0.registry.revision(entry.id(), revision).await?.ok_or_else(absent)?;
        let settings = read(old.settings.get())?;
        let tenant = self.tenant_for(actor, Action::RollBackPipeline, Some(&entry.id().tenant))?;
        // What was allowed once may not be any more.
        self.check(&tenant, entry.id(), &settings)?;
        self.no_swap_under_way(&entry, &settings)?;
        judge(&tenant, &settings)?;
        let changed = self.0.registry.roll_back_pipeline(actor, entry.id(), revision, expected).await?;
        if changed.changed {
            let what = format!(
                "rolled back to revision {revision}, stored as revision {}, by {}",
                changed.row.revision, actor.name
            );
            self.tell(entry.id(), EventKind::RolledBack, what).await;
            self.take(actor, &entry, changed.row.revision, settings, Apply::Now).await?;
        }
        Ok(entry)
    }

    /// Starts a pipeline; one that is started already goes on.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn start(&self, actor: &Actor, id: &str) -> Result<Arc<PipelineHandle>, ControlError> {
        let entry = self.allowed(actor, Action::StartPipeline, id)?;
        if let Some(started) = self.start_idle_demo(actor, &entry).await? {
            return Ok(started);
        }
        let _changing = self.0.directory.change().await;
        if !entry.desired_running() {
            self.may_start(&entry)?;
        }
        let changed = self.0.registry.set_desired(actor, entry.id(), Wish::start()).await?;
        if changed.changed || !entry.desired_running() {
            self.tell(entry.id(), EventKind::Started, format!("started by {}", actor.name)).await;
            entry.want(|wanted| wanted.running = true);
        }
        Ok(entry)
    }

    /// Stops a pipeline. Answers at once: draining goes on for as long as media is buffered.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn stop(&self, actor: &Actor, id: &str, mode: StopMode) -> Result<Arc<PipelineHandle>, ControlError> {
        let entry = self.allowed(actor, Action::StopPipeline, id)?;
        let _changing = self.0.directory.change().await;
        let hastens = mode == StopMode::AtOnce && entry.drains();
        let detail = Some(json!({ "mode": mode.name() }));
        let wish = Wish { acts: hastens, detail, ..Wish::stop() };
        let changed = self.0.registry.set_desired(actor, entry.id(), wish).await?;
        if changed.changed || entry.desired_running() {
            self.tell(entry.id(), EventKind::Stopped, format!("stopped by {}", actor.name)).await;
        }
        // One that drains may be told to end at once.
        entry.want(|wanted| {
            wanted.running = false;
            wanted.mode = mode;
        });
        Ok(entry)
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
        let entry = self.allowed(actor, Action::RestartPipeline, id)?;
        let _changing = self.0.directory.change().await;
        let started = entry.started_ms();
        if expected.is_some() && expected != started {
            let text = format!(
                "pipeline {} was started at another time, or is being restarted: read its status again",
                entry.id()
            );
            return Err(ControlError::Conflict(text));
        }
        self.may_start(&entry)?;
        let wish = Wish { detail: Some(json!({ "mode": mode.name() })), ..Wish::restart() };
        self.0.registry.set_desired(actor, entry.id(), wish).await?;
        self.tell(entry.id(), EventKind::Started, format!("restarted by {}", actor.name)).await;
        entry.want(|wanted| {
            wanted.running = true;
            wanted.mode = mode;
            wanted.turn += 1;
            wanted.over_ms = started.or(wanted.over_ms);
        });
        Ok(entry)
    }

    /// Deletes a pipeline and, unless `keep_files`, everything on disk of it. What runs is stopped at once. False: there
    /// was none.
    ///
    /// # Errors
    /// Any [`ControlError`]; then it is there and goes on as it was.
    pub async fn delete(&self, actor: &Actor, id: &str, keep_files: bool) -> Result<bool, ControlError> {
        let entry = match self.allowed(actor, Action::DeletePipeline, id) {
            Ok(entry) => entry,
            // Another tenant's is as absent as one that never was.
            Err(ControlError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let id = entry.id().clone();
        let removing = self.0.removing.begin(&id.tenant).await;
        let changing = self.0.directory.change().await;
        if self.entry(&id).is_none_or(|there| !Arc::ptr_eq(&there, &entry)) {
            return Ok(false);
        }
        self.0.registry.delete_pipeline(actor, &id, !keep_files).await?;
        self.0.directory.remove(&id);
        drop(changing);
        self.0.removing.remove_behind(removing, id.removal(!keep_files), Some(entry)).await;
        self.end_demo_of(&id).await;
        let what = Event::new(EventKind::Deleted, Severity::Info, format!("{id} was deleted by {}", actor.name));
        what.log();
        self.0.recorder.record(Some(id.tenant), None, what).await;
        Ok(true)
    }

    /// Makes the pipeline of the server's configuration, or changes it to that.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn configure(&self, stream_id: &str, settings: Settings) -> Result<Arc<PipelineHandle>, ControlError> {
        let actor = Actor::local("configuration");
        let tenant = self.tenant_for(&actor, Action::UpdatePipeline, None)?;
        let id = PipelineId::new(&tenant.name, stream_id)?;
        if let Some(entry) = self.entry(&id) {
            let _changing = self.0.directory.change().await;
            let changed = self.0.registry.update_pipeline(&actor, &id, kept(&settings)?, None, None).await?;
            if changed.changed {
                self.take(&actor, &entry, changed.row.revision, settings, Apply::Now).await?;
            }
            return Ok(entry);
        }
        let _making = self.0.removing.make_room_for(&tenant.name).await?;
        let _changing = self.0.directory.change().await;
        let row = registry::NewPipeline {
            id,
            settings: kept(&settings)?,
            desired: Desired::Running,
            origin: Origin::Config,
            note: None,
        };
        let made = self.0.registry.create_pipeline(&actor, row).await?;
        Ok(self.hold(&made.row, Arc::new(settings), &tenant))
    }
}
