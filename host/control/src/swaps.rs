//! Stages of running pipelines are swapped: asked for here, carried out by [`executor`], one task a swap.
//!
//! Called by the API, by pipelines (a change of settings that is of stages) and by components (a newer version of a name that is
//! followed). Owns which swaps are under way; their rows are the registry's. Depends on the directories, on the components and on the
//! rules for settings, never on [`super::pipelines`].
//!
//! A swap has one order. First the wish is stored: the swap's row, which is in the database before a swap is acknowledged. Then, once the
//! new version decides, the settings are changed together with the row, and so again where the old version took over. What decides
//! after a restart is what the settings say; what becomes of a swap that the server's end interrupted is in
//! [`Registry::interrupt_swaps`].

mod changed;
mod executor;
mod fallback;
mod job;
mod past;
mod roll_out;
mod told;
mod under_way;

pub(super) use changed::PendingSwaps;

use std::sync::Arc;

use serde_json::Value;
use tokio::runtime::Handle;

use super::access::{Action, Actor};
use super::components::library::ComponentLibrary;
use super::error::ControlError;
use super::id::PipelineId;
use super::pipeline_directory::PipelineDirectory;
use super::pipeline_handle::PipelineHandle;
use super::recorder::Recorder;
use super::registry::{NextStart, Registry, SwapRecord, SwapRow, SwapState};
use super::runner::Taken;
use super::settings_rules::{SettingsRules, kept, read};
use super::tenant_directory::TenantDirectory;
use crate::limits::STAGE_PROBATION_BATCHES_MAX;
use outboard_pipeline::Host;
use outboard_pipeline::event::{Event, EventKind, Severity};
use outboard_pipeline::settings::{PreviousStage, Settings, Stage};

use outboard_stage::CompileRequester;
use outboard_stage::ComponentLabel;

use outboard_stage::StageKind;

use job::{IfLate, SwapJob, Terms};
use outboard_base::unix_time::now_ms;
use under_way::SwapsUnderWay;

/// A swap that is wanted.
#[derive(Debug, Clone, Default)]
pub struct NewSwap {
    /// `sha256:…` of a component that the tenant may use; `None`: the bundled one.
    pub component: Option<String>,
    /// Its settings; `None`: those that are set now.
    pub settings: Option<Option<Value>>,
    /// It starts from nothing, not from the running version's state.
    pub fresh: bool,
    /// It is carried out even where its batches come so late that the stream goes off air.
    pub force: bool,
    /// It ends after the rehearsal.
    pub rehearse_only: bool,
    /// Batches of its probation; `None`: [`STAGE_PROBATION_BATCHES`](crate::limits::STAGE_PROBATION_BATCHES).
    pub probation: Option<u32>,
}

/// The swaps of stages. Cheap to clone; the task of a swap that is under way has a clone of its own.
#[derive(Debug, Clone)]
pub struct StageSwaps {
    host: Host,
    /// Where tasks of swaps run, whoever calls from wherever.
    home: Handle,
    registry: Registry,
    recorder: Recorder,
    tenants: Arc<TenantDirectory>,
    directory: Arc<PipelineDirectory>,
    library: ComponentLibrary,
    rules: SettingsRules,
    under_way: Arc<SwapsUnderWay>,
}

/// What [`StageSwaps`] works with.
pub(super) struct Below {
    pub(super) host: Host,
    pub(super) home: Handle,
    pub(super) registry: Registry,
    pub(super) recorder: Recorder,
    pub(super) tenants: Arc<TenantDirectory>,
    pub(super) directory: Arc<PipelineDirectory>,
    pub(super) library: ComponentLibrary,
    pub(super) rules: SettingsRules,
}

// === impl StageSwaps ===

impl StageSwaps {
    /// No swap is under way yet.
    pub(super) fn new(below: Below) -> Self {
        let Below { host, home, registry, recorder, tenants, directory, library, rules } = below;
        let under_way = Arc::default();
        Self { host, home, registry, recorder, tenants, directory, library, rules, under_way }
    }

    /// Ends the swaps that the last process left in the middle, and logs which version stays.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) async fn interrupt(&self) -> Result<(), ControlError> {
        self.registry.interrupt_roll_outs().await?;
        for row in self.registry.interrupt_swaps(settled).await? {
            let reason = row.swap.reason.unwrap_or_default();
            tracing::warn!(pipeline = %row.pipeline, swap = row.id, reason, "a swap was interrupted");
        }
        Ok(())
    }

    /// Swaps a stage. Answers once the swap is written down; its steps follow ([`Self::watch`]).
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where that is what runs, or another swap of the stage is under way.
    pub async fn swap_stage(
        &self,
        actor: &Actor,
        id: &str,
        kind: StageKind,
        new: NewSwap,
    ) -> Result<SwapRow, ControlError> {
        let handle = self.directory.allowed(actor, Action::SwapStage, id)?;
        self.swap_of(actor, &handle, kind, new, None).await
    }

    pub(super) async fn swap_of(
        &self,
        actor: &Actor,
        handle: &Arc<PipelineHandle>,
        kind: StageKind,
        new: NewSwap,
        roll_out: Option<u64>,
    ) -> Result<SwapRow, ControlError> {
        let terms = Terms::of(&new);
        self.swap_on(actor, handle, kind, new, terms, roll_out).await
    }

    async fn swap_on(
        &self,
        actor: &Actor,
        handle: &Arc<PipelineHandle>,
        kind: StageKind,
        new: NewSwap,
        terms: Terms,
        roll_out: Option<u64>,
    ) -> Result<SwapRow, ControlError> {
        if terms.rehearse_only && handle.swaps().is_none() {
            let what =
                format!("{} is not running: a rehearsal needs recorded calls of a running pipeline", handle.id());
            return Err(ControlError::Conflict(what));
        }
        let probation = terms.probation;
        if !(1..=STAGE_PROBATION_BATCHES_MAX).contains(&probation) {
            let what = format!("must be from 1 to {STAGE_PROBATION_BATCHES_MAX}, not {probation}");
            return Err(ControlError::invalid("probationBatches", what));
        }
        let _changing = self.directory.change().await;
        let mut settings = (*handle.settings()).clone();
        let old = settings.stages.of(kind).clone();
        let stage = settings.stages.of_mut(kind);
        stage.component = new.component;
        if let Some(settings) = new.settings {
            stage.settings = settings;
        }
        if (&stage.component, &stage.settings) == (&old.component, &old.settings) && !new.fresh {
            return Err(ControlError::Conflict(format!(
                "{} already runs this version with these settings",
                handle.id()
            )));
        }
        let wanted = stage.clone();
        let tenant = self.tenants.allowed(actor, Action::SwapStage, Some(&handle.id().tenant))?;
        self.rules.check(&tenant, handle.id(), &settings)?;
        let job = self.prepare(actor, handle, kind, (old, wanted), terms, None).await?;
        let record = self.record(&job, roll_out).await;
        let row = self.registry.create_swap(actor, handle.id(), record).await?;
        self.begin(job, row.clone());
        Ok(row)
    }

    /// Takes a stage back to the version before: at once while the new one is on probation, else by another swap.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where there is no version before.
    pub async fn roll_back_stage(&self, actor: &Actor, id: &str, kind: StageKind) -> Result<SwapRow, ControlError> {
        let handle = self.directory.allowed(actor, Action::SwapStage, id)?;
        if let Some(swap) = self.under_way.get(handle.id(), kind) {
            let reason = format!("rolled back by {}", actor.name);
            let back = match handle.swaps() {
                Some((_, swaps)) => swaps.roll_back(kind, reason.clone()).await,
                None => false,
            };
            if !back {
                // Not cut over yet: it goes no further.
                self.under_way.call_off(swap, reason);
            }
            let ended = self.swap_ended(swap).await?;
            if ended.swap.state != SwapState::Done {
                return Ok(ended);
            }
            // Its probation was over first: it is the version before that is wanted now.
        }
        let Some(previous) = handle.settings().stages.of(kind).previous.clone() else {
            return Err(ControlError::Conflict(format!("the {kind} stage of {} has no previous version", handle.id())));
        };
        let new = NewSwap { component: previous.component, settings: Some(previous.settings), ..NewSwap::default() };
        // The way back is never shut: neither by a state that only the newer version reads, nor by longer batches.
        let terms = Terms { fresh_if_needed: true, late: IfLate::Force, ..Terms::of(&new) };
        self.swap_on(actor, &handle, kind, new, terms, None).await
    }

    /// Settings in which a stage whose swap is under way stays as it is; one that is wanted as that swap wants it is no change.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] that names the swap of a stage that is wanted otherwise.
    pub(super) fn leave_alone(&self, handle: &PipelineHandle, settings: Settings) -> Result<Settings, ControlError> {
        self.under_way.leave_alone(handle, settings)
    }

    /// Whether a swap of this pipeline that is under way leads to a component, which its settings do not name yet.
    pub(super) fn leads_to(&self, id: &PipelineId, digest: &str) -> bool {
        self.under_way.leads_to(id, digest)
    }

    /// The number of the swap of a stage that is under way.
    pub(super) fn under_way(&self, id: &PipelineId, kind: StageKind) -> Option<u64> {
        self.under_way.get(id, kind)
    }

    /// Looks at everything that can be refused without touching the pipeline.
    async fn prepare(
        &self,
        actor: &Actor,
        handle: &Arc<PipelineHandle>,
        kind: StageKind,
        (old, new): (Stage, Stage),
        terms: Terms,
        note: Option<&str>,
    ) -> Result<SwapJob, ControlError> {
        self.under_way.check_idle(handle.id(), kind)?;
        // Compiled before anything is promised: what cannot run here at all is the caller's mistake.
        let component = self
            .library
            .load_component(&CompileRequester::of(Some(&handle.id().tenant)), kind, new.component.as_deref())
            .await;
        let path = outboard_pipeline::settings::component_path(kind);
        let component = component.map_err(|error| ControlError::invalid(&path, error.to_string()))?;
        if component.kind() != kind {
            let what = format!("is a {} stage; expected a {kind} stage", component.kind());
            return Err(ControlError::invalid(path, what));
        }
        Ok(SwapJob {
            actor: actor.clone(),
            handle: handle.clone(),
            kind,
            old,
            new,
            terms,
            component,
            note: note.map(str::to_owned),
        })
    }

    /// The row of a swap that has not begun.
    async fn record(&self, job: &SwapJob, roll_out: Option<u64>) -> SwapRecord {
        let Terms { fresh, late, rehearse_only, probation, .. } = job.terms;
        SwapRecord {
            kind: job.kind,
            from: self.label(job).await,
            to: job.component.label(),
            settings_changed: job.old.settings != job.new.settings,
            fresh,
            force: late == IfLate::Force,
            rehearse_only,
            requested_by: job.actor.name.clone(),
            roll_out,
            state: SwapState::Checking,
            reason: None,
            started_ms: now_ms(),
            ended_ms: None,
            steps: Vec::new(),
            rehearsal: None,
            probation_done: 0,
            probation_wanted: probation,
            different: 0,
            evidence: None,
            next_start: None,
        }
    }

    /// Begins a swap whose row is stored. The caller holds the lock for changes.
    fn begin(&self, job: SwapJob, row: SwapRow) {
        self.under_way.begin((job.handle.id().clone(), job.kind), row.id, &job.new);
        self.under_way.tell(&row);
        self.home.spawn(executor::carry_out(self.clone(), job, row));
    }

    /// The version that a stage is set to, by its own account where it runs.
    async fn label(&self, job: &SwapJob) -> ComponentLabel {
        if let Some((_, swaps)) = job.handle.swaps() {
            return swaps.status_feed(job.kind).await.current().component.label();
        }
        match self
            .library
            .load_component(
                &CompileRequester::of(Some(&job.handle.id().tenant)),
                job.kind,
                job.old.component.as_deref(),
            )
            .await
        {
            Ok(component) => component.label(),
            Err(_) => ComponentLabel {
                digest: job.old.component.clone().unwrap_or_default(),
                name: String::new(),
                version: String::new(),
            },
        }
    }

    /// Waits until a swap is over.
    async fn swap_ended(&self, id: u64) -> Result<SwapRow, ControlError> {
        let mut changes = self.under_way.listen();
        loop {
            // In this order: once it is no longer under way, its end is stored.
            let ended = !self.under_way.has(id);
            let row = self.registry.swap(id).await?;
            match row {
                Some(row) if ended && row.swap.is_over() => return Ok(row),
                Some(_) => {}
                None => return Err(ControlError::NotFound(format!("there is no swap {id}"))),
            }
            // Lagged: look again.
            if let Err(tokio::sync::broadcast::error::RecvError::Closed) = changes.recv().await {
                return Err(ControlError::Unavailable("the server is shutting down".to_owned()));
            }
        }
    }

    /// Changes the settings of a stage together with the row of its swap. What runs has the version already.
    async fn settle(
        &self,
        job: &SwapJob,
        row: &SwapRow,
        change: impl FnOnce(&mut Stage),
        note: &str,
    ) -> Result<u64, ControlError> {
        let _changing = self.directory.change().await;
        self.settle_locked(job, row, change, note).await
    }

    /// [`Self::settle`] of a caller who holds the lock for changes. Answers the number of the revision.
    async fn settle_locked(
        &self,
        job: &SwapJob,
        row: &SwapRow,
        change: impl FnOnce(&mut Stage),
        note: &str,
    ) -> Result<u64, ControlError> {
        let mut settings = (*job.handle.settings()).clone();
        change(settings.stages.of_mut(job.kind));
        let changed = self.registry.settle_swap(&job.actor, row, kept(&settings)?, note.to_owned()).await?;
        let revision = changed.row.revision;
        has_taken(&job.handle, revision, settings);
        Ok(revision)
    }

    async fn tell_stage(&self, id: &PipelineId, kind: EventKind, severity: Severity, what: String) {
        self.recorder.report(id, Event::new(kind, severity, what)).await;
    }
}

/// What runs has these settings of a revision already.
fn has_taken(handle: &PipelineHandle, revision: u64, settings: Settings) {
    let run = handle.live().map(|live| live.number);
    handle.want(|wanted| {
        wanted.revision = revision;
        wanted.settings = Arc::new(settings);
        wanted.taken = run.map(|run| Taken { run, revision });
    });
}

/// Stored settings with the version of a stage that they are changed to; `None`: they cannot be read.
fn settled(stored: &Value, kind: StageKind, to: NextStart) -> Option<Value> {
    let mut settings = read(stored).ok()?;
    set_version(settings.stages.of_mut(kind), to);
    serde_json::to_value(settings).ok()
}

/// Sets a stage to another version; the one that it had is the version before.
fn set_version(stage: &mut Stage, to: NextStart) {
    stage.previous = Some(PreviousStage::from(&*stage));
    (stage.component, stage.settings) = (to.component, to.settings);
}
