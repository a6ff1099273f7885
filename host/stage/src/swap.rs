//! Swaps a stage of a running pipeline: the new version is prepared apart from live media, then takes over between two calls.
//!
//! [`StageSlots`] gives the control plane access to the three stages of a pipeline. The pipeline's steps share them and lock
//! one for each call; a cut-over locks it while the new version is opened.

use super::batching::BatchingStage;
use super::component::StageComponent;
use super::error::StageError;
use super::framing::FramingStage;
use super::kind::StageKind;
use super::opening::FailurePolicy;
use super::recording::{RECORDING_FORMAT, Recording, to_recorded};
use super::rehearsal::{Rehearsal, Unfit, rehearse};
use super::remux::RemuxStage;
use super::slot::{Candidate, StageSlot};
use super::slot_status::{ProbationStatus, SlotStatusFeed};
use super::supervised_instance::{CallableStage, InstanceSpec};
use super::swappable::Swappable;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// A stage shared by its pipeline's step and the control plane, which swaps it.
pub type Shared<S> = Arc<Mutex<S>>;

/// Runs the same code with the stage of a kind, whose type depends on the kind.
macro_rules! of {
    ($swaps:ident, $kind:ident, $stage:ident => $does:expr) => {
        match $kind {
            StageKind::Batching => {
                let $stage = &$swaps.batching;
                $does
            }
            StageKind::Framing => {
                let $stage = &$swaps.framing;
                $does
            }
            StageKind::RemuxPlanning => {
                let $stage = &$swaps.remux;
                $does
            }
        }
    };
}

/// The result of a cut-over.
#[derive(Debug)]
pub struct CutOver {
    /// How long calls of the stage had to wait.
    pub took: Duration,
    /// The new version's probation, batch by batch. The channel closes when the probation ends.
    pub probation: watch::Receiver<ProbationStatus>,
}

/// A version that is to be put into a stage's slot.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// The component of the version.
    pub component: Arc<StageComponent>,
    /// Its settings, a JSON object as text; empty: the defaults.
    pub settings: String,
    /// True: it starts without the running version's state.
    pub fresh: bool,
    /// Length of its probation in batches, at least 1.
    pub probation: u32,
}

/// The slots of a pipeline's three stages. Cheap to clone; clones share the stages.
#[derive(Clone)]
pub struct StageSlots {
    batching: Shared<BatchingStage>,
    framing: Shared<FramingStage>,
    remux: Shared<RemuxStage>,
    /// Wakes the exchange, which may have to call `on-connect` of the new framing stage.
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl StageSlots {
    /// The slots of these stages. `wake` is called after each change of the framing stage; it must not block.
    pub fn new(
        batching: Shared<BatchingStage>,
        framing: Shared<FramingStage>,
        remux: Shared<RemuxStage>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { batching, framing, remux, wake: Arc::new(wake) }
    }

    /// The status of a stage's slot, for the API and metrics.
    pub async fn status_feed(&self, kind: StageKind) -> Arc<SlotStatusFeed> {
        of!(self, kind, stage => stage.lock().await.slot().status_feed().clone())
    }

    /// Rehearses a version on the running one's last inputs; live calls continue meanwhile. See [`rehearsal`](super::rehearsal).
    ///
    /// # Errors
    /// [`Unfit`], with the evidence, if the version must not be put into the slot.
    pub async fn rehearse(&self, kind: StageKind, new_version: &NewVersion) -> Result<Rehearsal, Box<Unfit>> {
        // The lock is released before the rehearsal runs.
        let rehearsal = of!(self, kind, stage => rehearsed(stage.lock().await.slot(), new_version));
        rehearsal.await.map_err(Box::new)
    }

    /// Makes a version decide from the next call on and begins its probation.
    ///
    /// # Errors
    /// [`StageError`] if it cannot start or open; nothing changed then.
    pub async fn cut_over(&self, kind: StageKind, new_version: &NewVersion) -> Result<CutOver, StageError> {
        let cut = of!(self, kind, stage => cut_over(stage, new_version).await)?;
        self.wake_for(kind);
        Ok(cut)
    }

    /// Ends a probation by returning to the old version. False: no version is on probation.
    pub async fn roll_back(&self, kind: StageKind, reason: String) -> bool {
        let back = of!(self, kind, stage => {
            let mut stage = stage.lock().await;
            let back = stage.slot().roll_back(reason);
            stage.after_takeover();
            back
        });
        self.wake_for(kind);
        back
    }

    /// Sets what happens when the stage fails after a probation; applies to the next failure.
    pub async fn set_on_failure(&self, kind: StageKind, policy: FailurePolicy) {
        of!(self, kind, stage => stage.lock().await.slot().set_on_failure(policy));
    }

    /// The stage's last calls, as a file.
    pub async fn recording(&self, kind: StageKind) -> Recording {
        of!(self, kind, stage => recording(stage.lock().await.slot()))
    }

    /// Wakes the exchange if the framing stage changed: its `on-connect` may have to be called.
    fn wake_for(&self, kind: StageKind) {
        if kind == StageKind::Framing {
            (self.wake)();
        }
    }
}

impl fmt::Debug for StageSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageSlots").finish_non_exhaustive()
    }
}

async fn cut_over<S: Swappable>(shared: &Shared<S>, new_version: &NewVersion) -> Result<CutOver, StageError> {
    let candidate = begun(shared.lock().await.slot(), new_version);
    let candidate = candidate.await?;
    let mut stage = shared.lock().await;
    let began = Instant::now();
    let probation = stage.slot().cut_over(candidate).await?;
    stage.after_takeover();
    Ok(CutOver { took: began.elapsed(), probation })
}

fn spec<K: CallableStage>(slot: &StageSlot<K>, new_version: &NewVersion) -> InstanceSpec {
    InstanceSpec {
        component: new_version.component.clone(),
        settings: new_version.settings.clone(),
        ..slot.spec().clone()
    }
}

/// Prepares a rehearsal. The slot is not borrowed any more when this returns.
fn rehearsed<K: CallableStage>(
    slot: &StageSlot<K>,
    new_version: &NewVersion,
) -> futures_util::future::BoxFuture<'static, Result<Rehearsal, Unfit>> {
    let (candidate, running, calls, failure_sink) =
        (spec(slot, new_version), slot.spec().clone(), slot.recorded_calls(), slot.failure_sink().clone());
    let state = (slot.snapshot().map(<[u8]>::to_vec), new_version.fresh);
    Box::pin(async move { rehearse::<K>(&candidate, &running, &calls, state, &failure_sink).await })
}

/// Prepares the start of a new version's instance. The slot is not borrowed any more when this returns.
fn begun<K: CallableStage>(
    slot: &StageSlot<K>,
    new_version: &NewVersion,
) -> futures_util::future::BoxFuture<'static, Result<Candidate<K>, StageError>> {
    let (spec, fresh, probation) = (spec(slot, new_version), new_version.fresh, new_version.probation);
    Box::pin(async move {
        let instance = spec.begin::<K>().await?;
        Ok(Candidate { spec, instance, fresh, probation })
    })
}

fn recording<K: CallableStage>(slot: &StageSlot<K>) -> Recording {
    let spec = slot.spec();
    Recording {
        format: RECORDING_FORMAT,
        kind: K::KIND,
        component: spec.component.label(),
        settings: spec.settings.clone(),
        calls: to_recorded::<K>(&slot.recorded_calls()),
    }
}
