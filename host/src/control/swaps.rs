//! Stages of running pipelines are swapped: asked for here, carried out by `swaps/carry.rs`, one task a swap.
//!
//! A swap that is acknowledged is in the database, and so is each of its steps before the next begins. What decides after a
//! restart is what the pipeline's settings say: they are changed right after a cut-over, and changed back where the old
//! version took over again.

mod carry;
mod roll_out;
mod seats;
mod told;

use std::sync::{Arc, PoisonError};

use futures_util::Stream;
use serde_json::Value;

use super::Control;
use super::access::{Action, Actor};
use super::entry::Entry;
use super::error::ControlError;
use super::id::PipelineId;
use super::registry::{SwapRecord, SwapRow, SwapState};
use super::runner::Taken;
use super::watching::{Watched, received};
use crate::limits::{STAGE_PROBATION_BATCHES, STAGE_PROBATION_BATCHES_MAX};
use crate::pipeline::event::{Event, EventKind, Severity};
use crate::pipeline::load::bundled_or_file;
use crate::settings::{PreviousStage, Settings, Stage};
use crate::stage::recording::Recording;
use crate::stage::{CompileRequester, ComponentLabel, LoadError, StageComponent, StageKind};
use crate::store::page::{Listed, Page};
use crate::unix_time::now_ms;

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
    /// Batches of its probation; `None`: [`STAGE_PROBATION_BATCHES`].
    pub probation: Option<u32>,
}

/// What a swap may do, and how far it goes.
#[derive(Debug, Clone, Copy)]
struct Terms {
    /// It starts from nothing.
    fresh: bool,
    /// It starts from nothing where it cannot read the running version's state.
    fresh_if_needed: bool,
    /// Where its batches would come late.
    late: IfLate,
    /// It ends after the rehearsal.
    rehearse_only: bool,
    /// Batches of its probation.
    probation: u32,
}

/// What happens with a swap whose batches would come later than the stream can wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IfLate {
    /// Refuses the swap and changes nothing.
    Refuse,
    /// The air clock runs slower until they come in time; where that takes too long, the swap is refused.
    Stretch,
    /// The air clock runs slower for as long as it may; then the swap is carried out all the same.
    Force,
}

/// What a swap task needs to know.
struct Order {
    actor: Actor,
    entry: Arc<Entry>,
    kind: StageKind,
    /// The stage as it was set before.
    old: Stage,
    /// The stage as it is wanted.
    new: Stage,
    /// The settings say so already; they are changed back if it is refused.
    written: bool,
    terms: Terms,
    component: Arc<StageComponent>,
}

// === impl Control ===

impl Control {
    /// Swaps a stage. Answers once the swap is written down; its steps follow ([`Self::watch_swaps`]).
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
        let entry = self.allowed(actor, Action::SwapStage, id)?;
        self.swap_of(actor, &entry, kind, new, None).await
    }

    pub(super) async fn swap_of(
        &self,
        actor: &Actor,
        entry: &Arc<Entry>,
        kind: StageKind,
        new: NewSwap,
        roll_out: Option<u64>,
    ) -> Result<SwapRow, ControlError> {
        let terms = Terms::of(&new);
        self.swap_on(actor, entry, kind, new, terms, roll_out).await
    }

    async fn swap_on(
        &self,
        actor: &Actor,
        entry: &Arc<Entry>,
        kind: StageKind,
        new: NewSwap,
        terms: Terms,
        roll_out: Option<u64>,
    ) -> Result<SwapRow, ControlError> {
        if terms.rehearse_only && entry.swaps().is_none() {
            let what = format!("{} is not running: a rehearsal needs recorded calls of a running pipeline", entry.id());
            return Err(ControlError::Conflict(what));
        }
        let probation = terms.probation;
        if !(1..=STAGE_PROBATION_BATCHES_MAX).contains(&probation) {
            let what = format!("must be from 1 to {STAGE_PROBATION_BATCHES_MAX}, not {probation}");
            return Err(ControlError::invalid("probationBatches", what));
        }
        let _changing = self.0.changing.lock().await;
        let mut settings = (*entry.settings()).clone();
        let old = settings.stages.of(kind).clone();
        let stage = settings.stages.of_mut(kind);
        stage.component = new.component;
        if let Some(settings) = new.settings {
            stage.settings = settings;
        }
        if (&stage.component, &stage.settings) == (&old.component, &old.settings) && !new.fresh {
            return Err(ControlError::Conflict(format!(
                "{} already runs this version with these settings",
                entry.id()
            )));
        }
        let wanted = stage.clone();
        let tenant = self.tenant_for(actor, Action::SwapStage, Some(&entry.id().tenant))?;
        self.check(&tenant, entry.id(), &settings)?;
        let order = self.order(actor, entry, kind, (old, wanted), false, terms).await?;
        self.begin(order, roll_out).await
    }

    /// Takes a stage back to the version before: at once while the new one is on probation, else by another swap.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where there is no version before.
    pub async fn roll_back_stage(&self, actor: &Actor, id: &str, kind: StageKind) -> Result<SwapRow, ControlError> {
        let entry = self.allowed(actor, Action::SwapStage, id)?;
        if let Some(swap) = self.swap_under_way(entry.id(), kind) {
            let reason = format!("rolled back by {}", actor.name);
            let back = match entry.swaps() {
                Some((_, swaps)) => swaps.roll_back(kind, reason.clone()).await,
                None => false,
            };
            if !back {
                // Not cut over yet: it goes no further.
                self.0.swaps.call_off(swap, reason);
            }
            let ended = self.swap_ended(swap).await?;
            if ended.swap.state != SwapState::Done {
                return Ok(ended);
            }
            // Its probation was over first: it is the version before that is wanted now.
        }
        let Some(previous) = entry.settings().stages.of(kind).previous.clone() else {
            return Err(ControlError::Conflict(format!("the {kind} stage of {} has no previous version", entry.id())));
        };
        let new = NewSwap { component: previous.component, settings: Some(previous.settings), ..NewSwap::default() };
        // The way back is never shut: neither by a state that only the newer version reads, nor by longer batches.
        let terms = Terms { fresh_if_needed: true, late: IfLate::Force, ..Terms::of(&new) };
        self.swap_on(actor, &entry, kind, new, terms, None).await
    }

    /// One swap.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn swap(&self, actor: &Actor, id: u64) -> Result<SwapRow, ControlError> {
        let absent = || ControlError::NotFound(format!("there is no swap {id}"));
        let row = self.0.registry.swap(id).await?.ok_or_else(absent)?;
        let tenant = Some(row.pipeline.tenant.as_str());
        actor.check(Action::ViewPipelines, tenant).map_err(|denied| denied.or_absent(absent()))?;
        Ok(row)
    }

    /// A pipeline's swaps.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn swaps(&self, actor: &Actor, id: &str, page: Page) -> Result<Listed<SwapRow>, ControlError> {
        let entry = self.allowed(actor, Action::ViewPipelines, id)?;
        Ok(self.0.registry.swaps(entry.id(), page).await?)
    }

    /// Each change of a swap from now on: of one pipeline, or of all that the caller may see.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn watch_swaps(
        &self,
        actor: &Actor,
        id: Option<&str>,
    ) -> Result<impl Stream<Item = Watched<Arc<SwapRow>>> + Send + use<>, ControlError> {
        use futures_util::StreamExt;
        let only = match id {
            Some(id) => Some(self.allowed(actor, Action::ViewPipelines, id)?.id().clone()),
            None => {
                actor.check(Action::ViewPipelines, actor.tenant.as_deref())?;
                None
            }
        };
        let actor = actor.clone();
        let wanted = move |swap: &Watched<Arc<SwapRow>>| {
            std::future::ready(match swap {
                Watched::Item(row) => {
                    only.as_ref().is_none_or(|id| *id == row.pipeline) && actor.knows(&row.pipeline.tenant)
                }
                Watched::Lost(_) => true,
            })
        };
        Ok(Box::pin(received(self.0.swaps.changes.subscribe()).filter(wanted)))
    }

    /// The last calls of a running stage.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Conflict`] where the pipeline does not run.
    pub async fn recording(&self, actor: &Actor, id: &str, kind: StageKind) -> Result<Recording, ControlError> {
        let entry = self.allowed(actor, Action::ViewMedia, id)?;
        match entry.swaps() {
            Some((_, swaps)) => Ok(swaps.recording(kind).await),
            None => Err(ControlError::Conflict(format!("{} is not running: there is no recording", entry.id()))),
        }
    }

    /// The file of some evidence.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn evidence(&self, actor: &Actor, id: &str, evidence: &str) -> Result<std::path::PathBuf, ControlError> {
        let entry = self.allowed(actor, Action::ViewMedia, id)?;
        let file = self.0.host.evidence().file(&entry.id().tenant, &entry.id().stream, evidence);
        file.filter(|file| file.is_file())
            .ok_or_else(|| ControlError::NotFound(format!("there is no evidence {evidence:?} (any more)")))
    }

    /// After a change of settings that is of stages only: what runs takes them on air.
    pub(super) async fn swap_changed(
        &self,
        actor: &Actor,
        entry: &Arc<Entry>,
        old: &Settings,
        new: &Settings,
    ) -> Result<(), ControlError> {
        for kind in StageKind::ALL {
            let stages = (old.stages.of(kind).clone(), new.stages.of(kind).clone());
            if let Some((_, swaps)) = entry.swaps() {
                swaps.set_on_failure(kind, stages.1.on_failure.unwrap_or_default()).await;
            }
            if (&stages.0.component, &stages.0.settings) != (&stages.1.component, &stages.1.settings) {
                // The way back to the version before is open whatever that makes of the state.
                let back = stages.0.previous.as_ref() == Some(&PreviousStage::from(&stages.1));
                let terms = Terms { late: IfLate::Stretch, fresh_if_needed: back, ..Terms::of(&NewSwap::default()) };
                let order = self.order(actor, entry, kind, stages, true, terms).await?;
                self.begin(order, None).await?;
            }
        }
        Ok(())
    }

    /// A stage whose swap is under way is not set to something else meanwhile.
    pub(super) fn no_swap_under_way(&self, entry: &Entry, settings: &Settings) -> Result<(), ControlError> {
        let now = entry.settings();
        for kind in StageKind::ALL {
            if now.stages.of(kind) != settings.stages.of(kind)
                && let Some(swap) = self.swap_under_way(entry.id(), kind)
            {
                return Err(ControlError::Conflict(format!(
                    "swap {swap} of the {kind} stage of {} is in progress: wait until it ends, or roll it back",
                    entry.id()
                )));
            }
        }
        Ok(())
    }

    /// The swap of a stage that is under way.
    pub(super) fn swap_under_way(&self, id: &PipelineId, kind: StageKind) -> Option<u64> {
        let under_way = self.0.swaps.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.get(&(id.clone(), kind)).copied()
    }

    async fn order(
        &self,
        actor: &Actor,
        entry: &Arc<Entry>,
        kind: StageKind,
        (old, new): (Stage, Stage),
        written: bool,
        terms: Terms,
    ) -> Result<Order, ControlError> {
        if let Some(swap) = self.swap_under_way(entry.id(), kind) {
            return Err(ControlError::Conflict(format!(
                "swap {swap} of the {kind} stage of {} is in progress: wait until it ends, or roll it back",
                entry.id()
            )));
        }
        // Compiled before anything is promised: what cannot run here at all is the caller's mistake.
        let component =
            self.load_component(&CompileRequester::of(Some(&entry.id().tenant)), kind, new.component.as_deref()).await;
        let path = crate::settings::component_path(kind);
        let component = component.map_err(|error| ControlError::invalid(&path, error.to_string()))?;
        if component.kind() != kind {
            let what = format!("is a {} stage; expected a {kind} stage", component.kind());
            return Err(ControlError::invalid(path, what));
        }
        Ok(Order { actor: actor.clone(), entry: entry.clone(), kind, old, new, written, terms, component })
    }

    /// Writes a swap down and starts it.
    async fn begin(&self, order: Order, roll_out: Option<u64>) -> Result<SwapRow, ControlError> {
        let Terms { fresh, late, rehearse_only, probation, .. } = order.terms;
        let from = self.label(&order).await;
        let record = SwapRecord {
            kind: order.kind,
            from,
            to: order.component.label(),
            settings_changed: order.old.settings != order.new.settings,
            fresh,
            force: late == IfLate::Force,
            rehearse_only,
            requested_by: order.actor.name.clone(),
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
        };
        let row = self.0.registry.create_swap(&order.actor, order.entry.id(), record).await?;
        let seat = (order.entry.id().clone(), order.kind);
        self.0.swaps.under_way.lock().unwrap_or_else(PoisonError::into_inner).insert(seat, row.id);
        self.tell_swap(&row);
        self.0.home.spawn(carry::carry(self.clone(), order, row.clone()));
        Ok(row)
    }

    /// The component of a digest that was checked, or the default of a kind.
    async fn load_component(
        &self,
        asker: &CompileRequester,
        kind: StageKind,
        digest: Option<&str>,
    ) -> Result<Arc<StageComponent>, LoadError> {
        let file = digest.and_then(|digest| self.0.host.storage().component(digest));
        bundled_or_file(self.0.host.runtime(), asker, kind, file.as_deref()).await
    }

    /// The version that a stage is set to, by its own account where it runs.
    async fn label(&self, order: &Order) -> ComponentLabel {
        if let Some((_, swaps)) = order.entry.swaps() {
            return swaps.status_feed(order.kind).await.current().component.label();
        }
        match self
            .load_component(
                &CompileRequester::of(Some(&order.entry.id().tenant)),
                order.kind,
                order.old.component.as_deref(),
            )
            .await
        {
            Ok(component) => component.label(),
            Err(_) => ComponentLabel {
                digest: order.old.component.clone().unwrap_or_default(),
                name: String::new(),
                version: String::new(),
            },
        }
    }

    /// Waits until a swap is over.
    async fn swap_ended(&self, id: u64) -> Result<SwapRow, ControlError> {
        let mut changes = self.0.swaps.changes.subscribe();
        loop {
            let row = self.0.registry.swap(id).await?;
            match row {
                Some(row) if row.swap.is_over() => return Ok(row),
                Some(_) => {}
                None => return Err(ControlError::NotFound(format!("there is no swap {id}"))),
            }
            // Lagged: look again.
            if let Err(tokio::sync::broadcast::error::RecvError::Closed) = changes.recv().await {
                return Err(ControlError::Unavailable("the server is shutting down".to_owned()));
            }
        }
    }

    fn tell_swap(&self, row: &SwapRow) {
        // Nobody may be listening.
        let _ = self.0.swaps.changes.send(Arc::new(row.clone()));
    }

    /// Sets what a stage is after it was swapped. What runs has it already.
    async fn set_stage(
        &self,
        actor: &Actor,
        entry: &Arc<Entry>,
        kind: StageKind,
        change: impl FnOnce(&mut Stage),
        note: String,
    ) -> Result<(), ControlError> {
        let _changing = self.0.changing.lock().await;
        let mut settings = (*entry.settings()).clone();
        change(settings.stages.of_mut(kind));
        let kept = super::pipelines::kept(&settings)?;
        let changed = self.0.registry.update_pipeline(actor, entry.id(), kept, None, Some(note)).await?;
        let (revision, run) = (changed.row.revision, entry.live().map(|live| live.number));
        entry.want(|wanted| {
            wanted.revision = revision;
            wanted.settings = Arc::new(settings);
            wanted.taken = run.map(|run| Taken { run, revision });
        });
        Ok(())
    }

    async fn tell_stage(&self, id: &PipelineId, kind: EventKind, severity: Severity, what: String) {
        let event = Event::new(kind, severity, what);
        tracing::error_span!("pipeline", tenant = id.tenant, stream = id.stream).in_scope(|| event.log());
        self.0.recorder.pipeline(id, event).await;
    }
}

impl Terms {
    fn of(new: &NewSwap) -> Self {
        Self {
            fresh: new.fresh,
            fresh_if_needed: false,
            late: if new.force { IfLate::Force } else { IfLate::Refuse },
            rehearse_only: new.rehearse_only,
            probation: new.probation.unwrap_or(STAGE_PROBATION_BATCHES),
        }
    }
}
