//! Another version for a running pipeline's stage: prepared apart from live media, then cut over to between two calls.
//!
//! [`Swaps`] is one pipeline's three stages as whoever steers them sees them. The pipeline's own steps hold the same
//! stages and take a lock for each call; a cut-over takes that lock for the time of one `open`.

use super::batching::BatchingStage;
use super::component::StageComponent;
use super::error::StageError;
use super::face::{Face, Trial};
use super::framing::FramingStage;
use super::kind::StageKind;
use super::occupant::{Perform, Recipe};
use super::opening::FailurePolicy;
use super::rehearsal::{Rehearsal, Unfit, rehearse};
use super::remux::RemuxStage;
use super::seat::{Candidate, Seat};
use super::seated::Seated;
use super::tape::{RECORDING_FORMAT, Recording, written};
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
    pub trial: watch::Receiver<Trial>,
}

/// A version that is wanted in a stage's seat.
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

    /// What is seen of a stage's seat.
    pub async fn face(&self, kind: StageKind) -> Arc<Face> {
        of!(self, kind, stage => stage.lock().await.seat().face().clone())
    }

    /// Gives a version the running one's last inputs, apart from live media.
    ///
    /// # Errors
    /// [`Unfit`] with the evidence.
    pub async fn rehearse(&self, kind: StageKind, wanted: &Wanted) -> Result<Rehearsal, Box<Unfit>> {
        // The seat is let go of first: live calls go on meanwhile.
        let rehearsal = of!(self, kind, stage => rehearsed(stage.lock().await.seat(), wanted));
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
            let back = stage.seat().roll_back(reason);
            stage.settle_in();
            back
        });
        self.wake_for(kind);
        back
    }

    /// Who goes on where a stage fails, from now on.
    pub async fn set_on_failure(&self, kind: StageKind, policy: FailurePolicy) {
        of!(self, kind, stage => stage.lock().await.seat().set_on_failure(policy));
    }

    /// A stage's last calls.
    pub async fn recording(&self, kind: StageKind) -> Recording {
        of!(self, kind, stage => recording(stage.lock().await.seat()))
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

async fn cut_over<S: Seated>(shared: &Shared<S>, wanted: &Wanted) -> Result<CutOver, StageError> {
    let candidate = begun(shared.lock().await.seat(), wanted);
    let candidate = candidate.await?;
    let mut stage = shared.lock().await;
    let began = Instant::now();
    let trial = stage.seat().cut_over(candidate).await?;
    stage.settle_in();
    Ok(CutOver { took: began.elapsed(), trial })
}

fn recipe<K: Perform>(seat: &Seat<K>, wanted: &Wanted) -> Recipe {
    Recipe { component: wanted.component.clone(), settings: wanted.settings.clone(), ..seat.recipe().clone() }
}

/// Takes what a rehearsal needs at once; the seat is free again when this returns.
fn rehearsed<K: Perform>(
    seat: &Seat<K>,
    wanted: &Wanted,
) -> futures_util::future::BoxFuture<'static, Result<Rehearsal, Unfit>> {
    let (candidate, running, tape, witness) =
        (recipe(seat, wanted), seat.recipe().clone(), seat.tape(), seat.witness().clone());
    let state = (seat.snapshot().map(<[u8]>::to_vec), wanted.fresh);
    Box::pin(async move { rehearse::<K>(&candidate, &running, &tape, state, &witness).await })
}

/// Starts an instance of what is wanted; the seat is free again when this returns.
fn begun<K: Perform>(
    seat: &Seat<K>,
    wanted: &Wanted,
) -> futures_util::future::BoxFuture<'static, Result<Candidate<K>, StageError>> {
    let (recipe, fresh, probation) = (recipe(seat, wanted), wanted.fresh, wanted.probation);
    Box::pin(async move {
        let instance = recipe.begin::<K>().await?;
        Ok(Candidate { recipe, instance, fresh, probation })
    })
}

fn recording<K: Perform>(seat: &Seat<K>) -> Recording {
    let recipe = seat.recipe();
    Recording {
        format: RECORDING_FORMAT,
        kind: K::KIND,
        component: recipe.component.label(),
        settings: recipe.settings.clone(),
        calls: written::<K>(&seat.tape()),
    }
}
