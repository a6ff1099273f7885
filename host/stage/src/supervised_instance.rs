//! One version of a stage, supervised: its running instance, the last snapshot, and when it may be restarted.
//!
//! After each successful call a snapshot is taken. A trap, an exceeded limit or an answer that breaks the contract ends
//! the instance; the next call starts a new one from the last snapshot. The first failure is followed by a restart at once,
//! later ones by the waits of [`STAGE_RESTART_BACKOFF`]; an instance that ran long enough resets the count.

use super::calls::StageInterface;
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
use crate::limits::{STAGE_LOG_LINES_PER_MINUTE, STAGE_RESTART_BACKOFF};
use outboard_base::LineBudget;
use std::sync::Arc;
use tokio::time::Instant;
use wasmtime::Store;

/// How the instances of a version are started: component, settings, limits, labels.
#[derive(Debug, Clone)]
pub(super) struct InstanceSpec {
    pub(super) runtime: StageRuntime,
    pub(super) component: Arc<StageComponent>,
    pub(super) settings: String,
    pub(super) limits: StageLimits,
    pub(super) labels: StageLabels,
}

impl InstanceSpec {
    /// Starts an instance without opening it: all of the work that needs no state.
    pub(super) async fn begin<K: StageInterface>(&self) -> Result<Instance<K::Guest>, StageError> {
        let linked = self.component.linked();
        let log = GuestLog::new(self.labels.clone(), self.component.description().name.clone());
        instance::start(self.runtime.host(), linked, self.limits, log).await?.of_kind::<K>(linked)
    }

    /// Starts and opens an instance.
    async fn start<K: StageInterface>(&self, state: Option<&[u8]>) -> Result<Instance<K::Guest>, StageError> {
        let mut instance = self.begin::<K>().await?;
        instance.open(self.runtime.host(), &self.settings, state).await?;
        Ok(instance)
    }
}

/// A kind of stage, with the code that makes its calls.
pub(super) trait CallableStage: StageInterface {
    /// Makes a call, checks the answer by the contract's rules, and takes a snapshot if the call may have changed the state.
    ///
    /// # Errors
    /// The [`StageError`] of the call or of the snapshot; an answer that breaks a rule is [`StageError::Invalid`].
    fn perform_call(
        supervised: &mut SupervisedInstance<Self>,
        history: &Self::CallHistory,
        input: &Self::Input,
    ) -> impl Future<Output = Result<Self::Output, StageError>> + Send;
}

/// One version of a stage: its instance, if one runs, and what is needed to start the next one.
pub(super) struct SupervisedInstance<K: StageInterface> {
    spec: InstanceSpec,
    counters: Arc<StageCounters>,
    instance: Option<Instance<K::Guest>>,
    /// The state after the last successful call; `None`: the next instance starts without state.
    snapshot: Option<Vec<u8>>,
    /// True while a call runs; still true at the next call if the caller dropped this one's future.
    in_call: bool,
    started: bool,
    /// Memory of the last instance that ended, in bytes.
    failed_memory: u64,
    restarts: RestartTimer,
    logged: LineBudget,
}

impl<K: StageInterface> SupervisedInstance<K> {
    /// Opens the first instance.
    ///
    /// # Errors
    /// The [`StageError`] that kept the stage from opening.
    pub(super) async fn open(spec: InstanceSpec, state: Option<Vec<u8>>) -> Result<Self, StageError> {
        let instance = spec.begin::<K>().await?;
        Self::open_with(spec, instance, state).await
    }

    /// Opens an instance that [`InstanceSpec::begin`] started.
    ///
    /// # Errors
    /// The [`StageError`] that kept the stage from opening.
    pub(super) async fn open_with(
        spec: InstanceSpec,
        mut instance: Instance<K::Guest>,
        state: Option<Vec<u8>>,
    ) -> Result<Self, StageError> {
        let mut supervised = Self::empty(spec, state);
        let (host, settings) = (supervised.spec.runtime.host(), &supervised.spec.settings);
        instance.open(host, settings, supervised.snapshot.as_deref()).await?;
        supervised.install(instance).await?;
        Ok(supervised)
    }

    /// Opens the first instance. If that fails, calls fail until a later start succeeds.
    pub(super) async fn resume(spec: InstanceSpec, state: Option<Vec<u8>>) -> Self {
        let mut supervised = Self::empty(spec, state);
        // `ensure_started` counts and logs a failure; the next call tries again.
        let _ = supervised.ensure_started("open").await;
        supervised
    }

    /// A version that never opened, for evidence.
    pub(super) fn unopened(spec: InstanceSpec, state: Option<Vec<u8>>) -> Self {
        Self::empty(spec, state)
    }

    fn empty(spec: InstanceSpec, state: Option<Vec<u8>>) -> Self {
        Self {
            spec,
            counters: Arc::default(),
            instance: None,
            snapshot: state,
            in_call: false,
            started: false,
            failed_memory: 0,
            restarts: RestartTimer::default(),
            logged: LineBudget::new(STAGE_LOG_LINES_PER_MINUTE),
        }
    }

    pub(super) fn spec(&self) -> &InstanceSpec {
        &self.spec
    }

    pub(super) fn component(&self) -> &Arc<StageComponent> {
        &self.spec.component
    }

    pub(super) fn counters(&self) -> &Arc<StageCounters> {
        &self.counters
    }

    /// The last snapshot, from which a restart or another version resumes.
    pub(super) fn snapshot(&self) -> Option<&[u8]> {
        self.snapshot.as_deref()
    }

    /// Memory of the running instance, or of the last one that ended, in bytes.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.instance.as_ref().map_or(self.failed_memory, Instance::memory_bytes)
    }

    /// Drops the instance: the next call starts another one from the last snapshot.
    pub(super) fn retire(&mut self) {
        self.failed_memory = self.memory_bytes();
        (self.instance, self.started) = (None, false);
    }

    /// Drops the instance and the snapshot: the next call starts an instance without state.
    pub(super) fn reset(&mut self) {
        (self.instance, self.snapshot) = (None, None);
    }

    /// Replaces the settings if `change` returns new ones: the next call starts an instance with them, from the last
    /// snapshot.
    pub(super) fn change_settings(&mut self, change: impl Fn(&str) -> Option<String>) {
        if let Some(settings) = change(&self.spec.settings) {
            self.spec.settings = settings;
            // The previous instance did not fail, so this does not count as a restart.
            (self.instance, self.in_call, self.started) = (None, false, false);
        }
    }

    /// Starts an instance if none runs.
    ///
    /// # Errors
    /// The [`StageError`] of the start; [`StageError::BackingOff`] until the version may be restarted.
    pub(super) async fn ensure_started(&mut self, call: &'static str) -> Result<(), StageError> {
        if std::mem::take(&mut self.in_call) {
            // The caller dropped a call before it ended, so the instance's state is unknown.
            self.counters.cancelled();
            self.instance = None;
        }
        if self.instance.is_some() {
            return Ok(());
        }
        self.restarts.check(call, Instant::now())?;
        if std::mem::replace(&mut self.started, true) {
            self.counters.restarted();
        }
        let instance = match self.spec.start::<K>(self.snapshot.as_deref()).await {
            Ok(instance) => instance,
            Err(error) => self.start_without_state(error).await?,
        };
        self.install(instance).await.inspect_err(|error| self.fail(error))
    }

    /// Handles a failed start: drops the snapshot if it may be the cause, and starts without it if the stage rejected it.
    async fn start_without_state(&mut self, error: StageError) -> Result<Instance<K::Guest>, StageError> {
        self.fail(&error);
        if self.snapshot.is_none() || !(error.is_unreadable_state() || error.is_guests_doing()) {
            return Err(error);
        }
        self.snapshot = None;
        self.counters.state_lost();
        if !error.is_unreadable_state() {
            return Err(error);
        }
        self.spec.start::<K>(None).await.inspect_err(|error| self.fail(error))
    }

    /// Begins a call to the running instance.
    ///
    /// # Errors
    /// [`StageError::Host`] if no instance runs: [`ensure_started`](Self::ensure_started) comes first.
    pub(super) fn begin(&mut self, call: &'static str) -> Result<(Meter, &K::Guest, &mut Store<Sandbox>), StageError> {
        let instance =
            self.instance.as_mut().ok_or(StageError::Host { call, reason: "no instance was started".to_owned() })?;
        self.in_call = true;
        Ok(instance.begin(self.spec.runtime.host(), call))
    }

    /// Ends a call of a function that returns no error value: counts it and checks how it ended.
    pub(super) fn finish_infallible<T>(&mut self, outcome: Outcome<T>) -> Result<T, StageError> {
        self.in_call = false;
        self.counters.call(outcome.took);
        let judged = match &self.instance {
            Some(instance) => instance.judge(outcome),
            None => Err(StageError::Host { call: outcome.call, reason: "no instance was started".to_owned() }),
        };
        judged.inspect_err(|error| self.fail(error))
    }

    /// Ends a call of a function that may return an error value: counts it and checks how it ended.
    pub(super) fn finish<T>(&mut self, outcome: Outcome<Result<T, contract::Error>>) -> Result<T, StageError> {
        let call = outcome.call;
        self.finish_infallible(outcome)?
            .map_err(|error| StageError::answered(call, error))
            .inspect_err(|error| self.fail(error))
    }

    /// Ends the instance because its answer breaks the contract; `reason` names the rule.
    pub(super) fn reject(&mut self, call: &'static str, reason: String) -> StageError {
        let error = StageError::Invalid { call, reason };
        self.fail(&error);
        error
    }

    /// Takes a snapshot after a successful call.
    ///
    /// # Errors
    /// The [`StageError`] of the snapshot; the call then counts as failed.
    pub(super) async fn save_state(&mut self) -> Result<(), StageError> {
        let Some(instance) = &mut self.instance else { return Ok(()) };
        self.in_call = true;
        let snapshot = instance.snapshot(self.spec.runtime.host()).await;
        self.in_call = false;
        self.snapshot = Some(snapshot.inspect_err(|error| self.fail(error))?);
        Ok(())
    }

    /// Puts an opened instance into use and takes its first snapshot.
    async fn install(&mut self, mut instance: Instance<K::Guest>) -> Result<(), StageError> {
        let snapshot = instance.snapshot(self.spec.runtime.host()).await?;
        (self.instance, self.snapshot, self.started) = (Some(instance), Some(snapshot), true);
        self.restarts.started(Instant::now());
        Ok(())
    }

    fn fail(&mut self, error: &StageError) {
        self.counters.failure(error);
        if error.ends_instance() {
            self.failed_memory = self.memory_bytes();
            self.instance = None;
            self.restarts.failed(Instant::now());
        }
        if let Some(left_out) = self.logged.take(Instant::now()) {
            let StageLabels { tenant, pipeline } = &self.spec.labels;
            let stage = &self.spec.component.description().name;
            tracing::warn!(%tenant, stream = %pipeline, kind = %K::KIND, %stage, left_out, %error, "a stage failed");
        }
    }
}

impl InstanceSpec {
    /// The spec of a component with the options of `opening`.
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

/// When a version that failed may be restarted.
#[derive(Debug, Default)]
struct RestartTimer {
    failures: u32,
    not_before: Option<Instant>,
    started: Option<Instant>,
}

impl RestartTimer {
    fn started(&mut self, now: Instant) {
        self.started = Some(now);
    }

    fn failed(&mut self, now: Instant) {
        if self.started.is_some_and(|started| STAGE_RESTART_BACKOFF.healthy(now.duration_since(started))) {
            self.failures = 0;
        }
        self.started = None;
        self.failures = self.failures.saturating_add(1);
        // The first failure is followed by a restart at once.
        self.not_before = now.checked_add(STAGE_RESTART_BACKOFF.wait(self.failures - 1, 1.0));
    }

    fn check(&self, call: &'static str, now: Instant) -> Result<(), StageError> {
        let remaining = self.not_before.map(|time| time.saturating_duration_since(now)).unwrap_or_default();
        if remaining.is_zero() {
            return Ok(());
        }
        Err(StageError::BackingOff { call, failures: self.failures, remaining })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_wait_before_a_restart_grows_from_nothing_to_a_minute() {
        let (mut restarts, mut now) = (RestartTimer::default(), Instant::now());
        let mut waits = Vec::new();
        for _ in 0..9 {
            restarts.failed(now);
            let remaining = match restarts.check("push", now) {
                Ok(()) => Duration::ZERO,
                Err(StageError::BackingOff { remaining, .. }) => remaining,
                Err(other) => panic!("{other}"),
            };
            now += remaining;
            assert!(restarts.check("push", now).is_ok());
            restarts.started(now);
            waits.push(remaining.as_secs());
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        now += STAGE_RESTART_BACKOFF.healthy_after.unwrap();
        restarts.failed(now);
        assert!(restarts.check("push", now).is_ok(), "it ran long enough: this counts as a first failure");
    }
}
