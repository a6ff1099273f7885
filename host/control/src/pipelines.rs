//! Pipelines: made, changed, started, stopped, deleted. Each change is in the database before anything runs by it.
//!
//! Called by the API and by the server's configuration. Owns what runs: this service alone adds handles to the directory and removes
//! them; dry runs and the demo are its own as well. Depends on everything below: the directories, removals, components, the rules for
//! settings, and swaps, which take a change of stages on air.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::access::{Action, Actor};
use super::components::library::ComponentLibrary;
use super::dry_run::DryRuns;
use super::error::ControlError;
use super::id::PipelineId;
use super::pipeline_directory::PipelineDirectory;
use super::pipeline_handle::PipelineHandle;
use super::recorder::Recorder;
use super::registry::{self, Desired, Origin, Registry, SettingsChange};
use super::removing::Removing;
use super::settings_rules::{SettingsRules, judge, kept, read};
use super::swaps::StageSwaps;
use super::tenant_directory::TenantDirectory;
use outboard_pipeline::Host;
use outboard_pipeline::event::EventKind;
use outboard_pipeline::settings::{Patch, Settings};

mod change;
mod demo;
mod destinations;
mod preview;
mod registration;
mod steering;
mod validation;
mod watching;

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

/// The pipelines of this host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pipelines(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    /// Where pipelines run, whoever makes them from wherever.
    home: Handle,
    registry: Registry,
    recorder: Recorder,
    tenants: Arc<TenantDirectory>,
    directory: Arc<PipelineDirectory>,
    removing: Arc<Removing>,
    library: ComponentLibrary,
    rules: SettingsRules,
    swaps: StageSwaps,
    dry_runs: DryRuns,
    demo: demo::Running,
}

/// What [`Pipelines`] works with.
pub(super) struct Below {
    pub(super) host: Host,
    pub(super) home: Handle,
    pub(super) registry: Registry,
    pub(super) recorder: Recorder,
    pub(super) tenants: Arc<TenantDirectory>,
    pub(super) directory: Arc<PipelineDirectory>,
    pub(super) removing: Arc<Removing>,
    pub(super) library: ComponentLibrary,
    pub(super) rules: SettingsRules,
    pub(super) swaps: StageSwaps,
}

// === impl Pipelines ===

impl Pipelines {
    /// Holds no pipeline yet: see [`Self::load`].
    pub(super) fn new(below: Below) -> Self {
        let Below { host, home, registry, recorder, tenants, directory, removing, library, rules, swaps } = below;
        let (dry_runs, demo) = (DryRuns::default(), demo::Running::default());
        Self(Arc::new(Inner {
            host,
            home,
            registry,
            recorder,
            tenants,
            directory,
            removing,
            library,
            rules,
            swaps,
            dry_runs,
            demo,
        }))
    }

    /// What is being removed, to hold it up.
    #[cfg(test)]
    pub(super) fn removing(&self) -> &Removing {
        &self.0.removing
    }

    /// The pipelines that a caller may see, sorted; `tenant`: only this one's.
    ///
    /// # Errors
    /// A tenant that is not there for them.
    pub fn list(&self, actor: &Actor, tenant: Option<&str>) -> Result<Vec<Arc<PipelineHandle>>, ControlError> {
        let only = match (tenant, &actor.tenant) {
            (None, None) => {
                actor.check(Action::ViewPipelines, None)?;
                None
            }
            (Some(_), _) | (None, Some(_)) => {
                Some(self.0.tenants.allowed(actor, Action::ViewPipelines, tenant.or(actor.tenant.as_deref()))?)
            }
        };
        let handles = self.0.directory.all().into_iter();
        Ok(handles.filter(|handle| only.as_ref().is_none_or(|tenant| handle.id().tenant == tenant.name)).collect())
    }

    /// The pipeline of that id, or of that stream id of the caller's tenant.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if it does not exist or is another tenant's; [`ControlError::Forbidden`].
    pub fn get(&self, actor: &Actor, id: &str) -> Result<Arc<PipelineHandle>, ControlError> {
        self.0.directory.allowed(actor, Action::ViewPipelines, id)
    }

    /// Makes a pipeline. Idempotent: identical settings return the existing pipeline.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where one of that name has other settings.
    pub async fn create(&self, actor: &Actor, new: NewPipeline) -> Result<Arc<PipelineHandle>, ControlError> {
        self.create_as(actor, new, Origin::Api).await
    }

    async fn create_as(
        &self,
        actor: &Actor,
        new: NewPipeline,
        origin: Origin,
    ) -> Result<Arc<PipelineHandle>, ControlError> {
        let tenant = self.0.tenants.allowed(actor, Action::CreatePipeline, new.tenant.as_deref())?;
        let note = new.note.as_deref();
        let named = self.0.rules.named(&tenant, new.stream_id, new.patch);
        let (id, settings) = named.or_else(|error| SettingsRules::with_note(Err(error), note))?;
        // One of that name that is being deleted is gone first.
        let _making = self.0.removing.make_room_for(&tenant.name).await?;
        let _changing = self.0.directory.change().await;
        SettingsRules::with_note(self.0.rules.check(&tenant, &id, &settings), note)?;
        judge(&tenant, &settings)?;
        let desired = if new.start { Desired::Running } else { Desired::Stopped };
        let row = registry::NewPipeline { id: id.clone(), settings: kept(&settings)?, desired, origin, note: new.note };
        let made = self.0.registry.create_pipeline(actor, row).await?;
        if let Some(handle) = self.0.directory.get(&id).filter(|_| !made.changed) {
            return Ok(handle);
        }
        let handle = self.hold(&made.row, Arc::new(settings), &tenant);
        self.tell(&id, EventKind::Created, format!("created by {}", actor.name)).await;
        if new.start {
            self.tell(&id, EventKind::Started, format!("started by {}", actor.name)).await;
        }
        Ok(handle)
    }

    /// Changes what a pipeline is set to. What runs goes on with the new settings at once, unless told otherwise.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where the revision is not the expected one.
    pub async fn update(&self, actor: &Actor, id: &str, change: Change) -> Result<Arc<PipelineHandle>, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::UpdatePipeline, id)?;
        let _changing = self.0.directory.change().await;
        let (note, patched) = (change.note.as_deref(), handle.settings().patched(change.patch));
        let settings =
            patched.map_err(ControlError::InvalidInput).or_else(|error| SettingsRules::with_note(Err(error), note))?;
        let tenant = self.0.tenants.allowed(actor, Action::UpdatePipeline, Some(&handle.id().tenant))?;
        SettingsRules::with_note(self.0.rules.check(&tenant, handle.id(), &settings), note)?;
        let settings = self.0.swaps.leave_alone(&handle, settings)?;
        judge(&tenant, &settings)?;
        let what = |revision| (EventKind::Updated, format!("revision {revision} by {}", actor.name));
        let planned = self.plan(actor, &handle, settings, change.apply, note).await?;
        let new = SettingsChange { expected: change.expected_revision, note: change.note, ..SettingsChange::default() };
        self.commit(actor, &handle, planned, new, Some(&what)).await?;
        Ok(handle)
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
        let handle = self.0.directory.allowed(actor, Action::RollBackPipeline, id)?;
        let _changing = self.0.directory.change().await;
        let absent =
            || ControlError::NotFound(format!("pipeline {} has no revision {revision} (any more)", handle.id()));
        let old = self.0.registry.revision(handle.id(), revision).await?.ok_or_else(absent)?;
        let settings = read(old.settings.get())?;
        let tenant = self.0.tenants.allowed(actor, Action::RollBackPipeline, Some(&handle.id().tenant))?;
        // What was allowed once may not be any more.
        self.0.rules.check(&tenant, handle.id(), &settings)?;
        let settings = self.0.swaps.leave_alone(&handle, settings)?;
        judge(&tenant, &settings)?;
        let what = |new| {
            let what = format!("rolled back to revision {revision}, stored as revision {new}, by {}", actor.name);
            (EventKind::RolledBack, what)
        };
        let note = format!("back to revision {revision}");
        let planned = self.plan(actor, &handle, settings, Apply::Now, Some(&note)).await?;
        let new = SettingsChange { expected, back_to: Some(revision), ..SettingsChange::default() };
        self.commit(actor, &handle, planned, new, Some(&what)).await?;
        Ok(handle)
    }

    /// Makes the pipeline of the server's configuration, or changes it to that.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn configure(&self, stream_id: &str, settings: Settings) -> Result<Arc<PipelineHandle>, ControlError> {
        let actor = Actor::local("configuration");
        let tenant = self.0.tenants.allowed(&actor, Action::UpdatePipeline, None)?;
        let id = PipelineId::new(&tenant.name, stream_id)?;
        if let Some(handle) = self.0.directory.get(&id) {
            let _changing = self.0.directory.change().await;
            let settings = self.0.swaps.leave_alone(&handle, settings)?;
            let planned = self.plan(&actor, &handle, settings, Apply::Now, None).await?;
            self.commit(&actor, &handle, planned, SettingsChange::default(), None).await?;
            return Ok(handle);
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
