//! One version of a stage in a pipeline's slot: the instance that decides now, the snapshot that the next one starts from.
//!
//! After each call that was answered well a snapshot is taken. A trap, a limit or an answer that breaks the contract ends
//! the instance; the next call starts a new one from the last snapshot. A version that keeps failing rests before it is
//! started again: at once after its first failure, then by [`STAGE_REST`], from which
//! running well for long enough clears the count.

use super::calls::Kind;
use super::component::StageComponent;
use super::contract;
use super::counters::StageCounters;
use super::error::StageError;
use super::guest_log::GuestLog;
use super::instance::{self, Instance, Meter, Outcome, StageLimits};
use super::labels::StageLabels;
use super::opening::Opening;
use super::runtime::StageRuntime;
use super::sandbox::Sandbox;
use crate::limits::{STAGE_LOG_LINES_PER_MINUTE, STAGE_REST};
use outboard_base::LineBudget;
use std::sync::Arc;
use tokio::time::Instant;
use wasmtime::Store;

/// How instances of a version are started.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) runtime: StageRuntime,
    pub(super) component: Arc<StageComponent>,
    pub(super) settings: String,
    pub(super) limits: StageLimits,
    pub(super) labels: StageLabels,
}

impl Recipe {
    /// Starts an instance that is not opened yet: all of the work that needs no state.
    pub(super) async fn begin<K: Kind>(&self) -> Result<Instance<K::Guest>, StageError> {
        let linked = self.component.linked();
        let log = GuestLog::new(self.labels.clone(), self.component.description().name.clone());
        instance::start(self.runtime.host(), linked, self.limits, log).await?.of_kind::<K>(linked)
    }

    /// Starts and opens an instance.
    async fn start<K: Kind>(&self, state: Option<&[u8]>) -> Result<Instance<K::Guest>, StageError> {
        let mut instance = self.begin::<K>().await?;
        instance.open(self.runtime.host(), &self.settings, state).await?;
        Ok(instance)
    }
}

/// A kind of stage whose calls can be made.
pub(super) trait Perform: Kind {
    /// Makes a call, checks the answer, and takes a snapshot where the call may have changed the state.
    fn perform(
        occupant: &mut Occupant<Self>,
        books: &Self::Books,
        input: &Self::Input,
    ) -> impl Future<Output = Result<Self::Output, StageError>> + Send;
}

pub(super) struct Occupant<K: Kind> {
    recipe: Recipe,
    counters: Arc<StageCounters>,
    instance: Option<Instance<K::Guest>>,
    /// From the last call that was answered well.
    snapshot: Option<Vec<u8>>,
    /// A call was begun and not settled: it was given up in the middle.
    in_call: bool,
    started: bool,
    /// Of the last instance that failed, in bytes.
    failed_memory: u64,
    rest: Rest,
    logged: LineBudget,
}

impl<K: Kind> Occupant<K> {
    /// Opens the first instance.
    ///
    /// # Errors
    /// Whatever kept the stage from opening; the caller decides what that means.
    pub(super) async fn open(recipe: Recipe, state: Option<Vec<u8>>) -> Result<Self, StageError> {
        let instance = recipe.begin::<K>().await?;
        Self::open_with(recipe, instance, state).await
    }

    /// Opens an instance that was begun before.
    ///
    /// # Errors
    /// Whatever kept the stage from opening.
    pub(super) async fn open_with(
        recipe: Recipe,
        mut instance: Instance<K::Guest>,
        state: Option<Vec<u8>>,
    ) -> Result<Self, StageError> {
        let mut occupant = Self::empty(recipe, state);
        let (host, settings) = (occupant.recipe.runtime.host(), &occupant.recipe.settings);
        instance.open(host, settings, occupant.snapshot.as_deref()).await?;
        occupant.sit(instance).await?;
        Ok(occupant)
    }

    /// Opens the first instance if it can; else the host's defaults answer until a later start succeeds.
    pub(super) async fn resume(recipe: Recipe, state: Option<Vec<u8>>) -> Self {
        let mut occupant = Self::empty(recipe, state);
        // Counted and logged there; the next call tries again.
        let _ = occupant.ready("open").await;
        occupant
    }

    /// One that never opened.
    pub(super) fn unopened(recipe: Recipe, state: Option<Vec<u8>>) -> Self {
        Self::empty(recipe, state)
    }

    fn empty(recipe: Recipe, state: Option<Vec<u8>>) -> Self {
        Self {
            recipe,
            counters: Arc::default(),
            instance: None,
            snapshot: state,
            in_call: false,
            started: false,
            failed_memory: 0,
            rest: Rest::default(),
            logged: LineBudget::new(STAGE_LOG_LINES_PER_MINUTE),
        }
    }

    pub(super) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    pub(super) fn component(&self) -> &Arc<StageComponent> {
        &self.recipe.component
    }

    pub(super) fn counters(&self) -> &Arc<StageCounters> {
        &self.counters
    }

    /// The last snapshot: what a restart or another version goes on from.
    pub(super) fn snapshot(&self) -> Option<&[u8]> {
        self.snapshot.as_deref()
    }

    /// Memory of the instance that sits here, or of the one that failed, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.instance.as_ref().map_or(self.failed_memory, Instance::memory_bytes)
    }

    /// Lets go of the instance: the next call starts another one from the last snapshot.
    pub(super) fn retire(&mut self) {
        self.failed_memory = self.memory_bytes();
        (self.instance, self.started) = (None, false);
    }

    /// Forgets its state: the next call starts from nothing.
    pub(super) fn forget(&mut self) {
        (self.instance, self.snapshot) = (None, None);
    }

    /// Changes its settings, where `change` answers others: the next call starts an instance with them, from the last
    /// snapshot.
    pub(super) fn change_settings(&mut self, change: impl Fn(&str) -> Option<String>) {
        if let Some(settings) = change(&self.recipe.settings) {
            self.recipe.settings = settings;
            // That is no failure of the instance before.
            (self.instance, self.in_call, self.started) = (None, false, false);
        }
    }

    /// Makes sure that an instance sits here.
    pub(super) async fn ready(&mut self, call: &'static str) -> Result<(), StageError> {
        if std::mem::take(&mut self.in_call) {
            // The host dropped a call in the middle, so the instance's state is unknown.
            self.counters.cancelled();
            self.instance = None;
        }
        if self.instance.is_some() {
            return Ok(());
        }
        self.rest.check(call, Instant::now())?;
        if std::mem::replace(&mut self.started, true) {
            self.counters.restarted();
        }
        let instance = match self.recipe.start::<K>(self.snapshot.as_deref()).await {
            Ok(instance) => instance,
            Err(error) => self.without_state(error).await?,
        };
        self.sit(instance).await.inspect_err(|error| self.fail(error))
    }

    /// After a start failed: if the state may be what broke it, it is dropped; if the stage said so, a start without it is
    /// tried at once.
    async fn without_state(&mut self, error: StageError) -> Result<Instance<K::Guest>, StageError> {
        self.fail(&error);
        if self.snapshot.is_none() || !(error.is_unreadable_state() || error.is_guests_doing()) {
            return Err(error);
        }
        self.snapshot = None;
        self.counters.state_lost();
        if !error.is_unreadable_state() {
            return Err(error);
        }
        self.recipe.start::<K>(None).await.inspect_err(|error| self.fail(error))
    }

    /// Begins a call. [`ready`](Self::ready) came before.
    pub(super) fn begin(&mut self, call: &'static str) -> Result<(Meter, &K::Guest, &mut Store<Sandbox>), StageError> {
        let instance =
            self.instance.as_mut().ok_or(StageError::Host { call, reason: "no instance was started".to_owned() })?;
        self.in_call = true;
        Ok(instance.begin(self.recipe.runtime.host(), call))
    }

    /// Ends a call that answers without an error value.
    pub(super) fn settle_plain<T>(&mut self, outcome: Outcome<T>) -> Result<T, StageError> {
        self.in_call = false;
        self.counters.call(outcome.took);
        let judged = match &self.instance {
            Some(instance) => instance.judge(outcome),
            None => Err(StageError::Host { call: outcome.call, reason: "no instance was started".to_owned() }),
        };
        judged.inspect_err(|error| self.fail(error))
    }

    /// Ends a call.
    pub(super) fn settle<T>(&mut self, outcome: Outcome<Result<T, contract::Error>>) -> Result<T, StageError> {
        let call = outcome.call;
        self.settle_plain(outcome)?
            .map_err(|error| StageError::answered(call, error))
            .inspect_err(|error| self.fail(error))
    }

    /// Ends the instance because its answer breaks the contract.
    pub(super) fn reject(&mut self, call: &'static str, reason: String) -> StageError {
        let error = StageError::Invalid { call, reason };
        self.fail(&error);
        error
    }

    /// Takes a snapshot after a call that was answered well. Failing here is failing that call.
    pub(super) async fn keep(&mut self) -> Result<(), StageError> {
        let Some(instance) = &mut self.instance else { return Ok(()) };
        self.in_call = true;
        let snapshot = instance.snapshot(self.recipe.runtime.host()).await;
        self.in_call = false;
        self.snapshot = Some(snapshot.inspect_err(|error| self.fail(error))?);
        Ok(())
    }

    /// Takes an opened instance and its first snapshot.
    async fn sit(&mut self, mut instance: Instance<K::Guest>) -> Result<(), StageError> {
        let snapshot = instance.snapshot(self.recipe.runtime.host()).await?;
        (self.instance, self.snapshot, self.started) = (Some(instance), Some(snapshot), true);
        self.rest.started(Instant::now());
        Ok(())
    }

    fn fail(&mut self, error: &StageError) {
        self.counters.failure(error);
        if error.ends_instance() {
            self.failed_memory = self.memory_bytes();
            self.instance = None;
            self.rest.failed(Instant::now());
        }
        if let Some(left_out) = self.logged.take(Instant::now()) {
            let StageLabels { tenant, pipeline } = &self.recipe.labels;
            let stage = &self.recipe.component.description().name;
            tracing::warn!(%tenant, stream = %pipeline, kind = %K::KIND, %stage, left_out, %error, "a stage failed");
        }
    }
}

impl Recipe {
    /// For a component that is opened so.
    pub(super) fn new(runtime: &StageRuntime, component: Arc<StageComponent>, opening: &Opening) -> Self {
        Self {
            runtime: runtime.clone(),
            component,
            settings: opening.settings.clone(),
            limits: opening.limits,
            labels: opening.labels.clone(),
        }
    }
}

/// When a stage that failed may start again.
#[derive(Debug, Default)]
struct Rest {
    failures: u32,
    not_before: Option<Instant>,
    started: Option<Instant>,
}

impl Rest {
    fn started(&mut self, now: Instant) {
        self.started = Some(now);
    }

    fn failed(&mut self, now: Instant) {
        if self.started.is_some_and(|started| STAGE_REST.healthy(now.duration_since(started))) {
            self.failures = 0;
        }
        self.started = None;
        self.failures = self.failures.saturating_add(1);
        // The first failure costs no rest.
        self.not_before = now.checked_add(STAGE_REST.wait(self.failures - 1, 1.0));
    }

    fn check(&self, call: &'static str, now: Instant) -> Result<(), StageError> {
        let remaining = self.not_before.map(|time| time.saturating_duration_since(now)).unwrap_or_default();
        if remaining.is_zero() {
            return Ok(());
        }
        Err(StageError::Resting { call, failures: self.failures, remaining })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rest_grows_from_nothing_to_a_minute() {
        let (mut rest, mut now) = (Rest::default(), Instant::now());
        let mut rests = Vec::new();
        for _ in 0..9 {
            rest.failed(now);
            let remaining = match rest.check("push", now) {
                Ok(()) => Duration::ZERO,
                Err(StageError::Resting { remaining, .. }) => remaining,
                Err(other) => panic!("{other}"),
            };
            now += remaining;
            assert!(rest.check("push", now).is_ok());
            rest.started(now);
            rests.push(remaining.as_secs());
        }
        assert_eq!(rests, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        now += STAGE_REST.healthy_after.unwrap();
        rest.failed(now);
        assert!(rest.check("push", now).is_ok(), "it ran well for long: this is a first failure again");
    }
}
