//! Another version for a running pipeline's stage: prepared apart from live media, then cut over to between two calls.
//!
//! [`Swaps`] is one pipeline's three stages as whoever steers them sees them. The pipeline's own steps hold the same
//! stages and take a lock for each call; a cut-over takes that lock for the time of one `open`.

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

/// A stage that its pipeline's step and whoever swaps it share.
pub type Shared<S> = Arc<Mutex<S>>;

/// The same for the stage of a kind, whichever it is.
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

/// What a cut-over left.
#[derive(Debug)]
pub struct CutOver {
    /// How long no call could be made.
    pub took: Duration,
    /// The probation, to be followed.
    pub probation: watch::Receiver<ProbationStatus>,
}

/// A version that is wanted in a stage's slot.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The component.
    pub component: Arc<StageComponent>,
    /// Its settings: a JSON object as text; empty: the defaults.
    pub settings: String,
    /// It starts from nothing, not from the running version's state.
    pub fresh: bool,
    /// Batches of its probation, at least 1.
    pub probation: u32,
}

/// The three stages of a pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Swaps {
    batching: Shared<BatchingStage>,
    framing: Shared<FramingStage>,
    remux: Shared<RemuxStage>,
    /// Wakes the exchange, which may have to greet the processor again.
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Swaps {
    /// Of a pipeline's stages.
    pub fn new(
        batching: Shared<BatchingStage>,
        framing: Shared<FramingStage>,
        remux: Shared<RemuxStage>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { batching, framing, remux, wake: Arc::new(wake) }
    }

    /// What is seen of a stage's slot.
    pub async fn status_feed(&self, kind: StageKind) -> Arc<SlotStatusFeed> {
        of!(self, kind, stage => stage.lock().await.slot().status_feed().clone())
    }

    /// Gives a version the running one's last inputs, apart from live media.
    ///
    /// # Errors
    /// [`Unfit`] with the evidence.
    pub async fn rehearse(&self, kind: StageKind, wanted: &Wanted) -> Result<Rehearsal, Box<Unfit>> {
        // The slot is let go of first: live calls go on meanwhile.
        let rehearsal = of!(self, kind, stage => rehearsed(stage.lock().await.slot(), wanted));
        rehearsal.await.map_err(Box::new)
    }

    /// Lets a version decide from the next call on.
    ///
    /// # Errors
    /// [`StageError`]: it cannot start or open; nothing changed.
    pub async fn cut_over(&self, kind: StageKind, wanted: &Wanted) -> Result<CutOver, StageError> {
        let cut = of!(self, kind, stage => cut_over(stage, wanted).await)?;
        self.wake_for(kind);
        Ok(cut)
    }

    /// Takes a version on probation back; false: none is.
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

    /// Who goes on where a stage fails, from now on.
    pub async fn set_on_failure(&self, kind: StageKind, policy: FailurePolicy) {
        of!(self, kind, stage => stage.lock().await.slot().set_on_failure(policy));
    }

    /// A stage's last calls.
    pub async fn recording(&self, kind: StageKind) -> Recording {
        of!(self, kind, stage => recording(stage.lock().await.slot()))
    }

    /// The processor may have to be greeted by another version.
    fn wake_for(&self, kind: StageKind) {
        if kind == StageKind::Framing {
            (self.wake)();
        }
    }
}

impl fmt::Debug for Swaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swaps").finish_non_exhaustive()
    }
}

async fn cut_over<S: Swappable>(shared: &Shared<S>, wanted: &Wanted) -> Result<CutOver, StageError> {
    let candidate = begun(shared.lock().await.slot(), wanted);
    let candidate = candidate.await?;
    let mut stage = shared.lock().await;
    let began = Instant::now();
    let probation = stage.slot().cut_over(candidate).await?;
    stage.after_takeover();
    Ok(CutOver { took: began.elapsed(), probation })
}

fn spec<K: CallableStage>(slot: &StageSlot<K>, wanted: &Wanted) -> InstanceSpec {
    InstanceSpec { component: wanted.component.clone(), settings: wanted.settings.clone(), ..slot.spec().clone() }
}

/// Takes what a rehearsal needs at once; the slot is free again when this returns.
fn rehearsed<K: CallableStage>(
    slot: &StageSlot<K>,
    wanted: &Wanted,
) -> futures_util::future::BoxFuture<'static, Result<Rehearsal, Unfit>> {
    let (candidate, running, calls, failure_sink) =
        (spec(slot, wanted), slot.spec().clone(), slot.recorded_calls(), slot.failure_sink().clone());
    let state = (slot.snapshot().map(<[u8]>::to_vec), wanted.fresh);
    Box::pin(async move { rehearse::<K>(&candidate, &running, &calls, state, &failure_sink).await })
}

/// Starts an instance of what is wanted; the slot is free again when this returns.
fn begun<K: CallableStage>(
    slot: &StageSlot<K>,
    wanted: &Wanted,
) -> futures_util::future::BoxFuture<'static, Result<Candidate<K>, StageError>> {
    let (spec, fresh, probation) = (spec(slot, wanted), wanted.fresh, wanted.probation);
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
