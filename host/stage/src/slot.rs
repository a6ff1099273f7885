//! A pipeline's slot for one stage: holds the version that decides now and the one that takes over when it fails.
//!
//! A new version takes over between two calls ([`StageSlot::cut_over`]) and is then on probation for some batches. During
//! the probation the old version gets every input too, so that it can answer the call in which the new version fails, and
//! take over again. After the probation only the old version's spec is kept. Each call returns an answer, or the reason
//! why there is none; the caller ([`BatchingStage`](super::BatchingStage), …) then answers with the host's default.

use super::call_recorder::CallRecorder;
use super::calls::TimedCall;
use super::component::StageComponent;
use super::counters::StageCounters;
use super::error::StageError;
use super::evidence::FailureSink;
use super::failure_evidence;
use super::instance::Instance;
use super::kind::ComponentLabel;
use super::opening::{FailurePolicy, Opening};
use super::runtime::StageRuntime;
use super::slot_status::{ProbationEnd, ProbationStatus, SlotStatus, SlotStatusFeed};
use super::supervised_instance::{CallableStage, InstanceSpec, SupervisedInstance};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The answer to a call: the stage's own, or the host's default with the reason.
#[derive(Debug)]
pub struct Answer<T> {
    /// The decision that the caller carries out.
    pub value: T,
    /// Why the host's default answered; `None` if the stage answered.
    pub failure: Option<StageError>,
}

impl<T> Answer<T> {
    /// True if the host's default answered.
    pub fn is_default(&self) -> bool {
        self.failure.is_some()
    }
}

/// A version that is ready for a cut-over: its instance is started and not opened yet.
pub(super) struct Candidate<K: CallableStage> {
    pub(super) spec: InstanceSpec,
    pub(super) instance: Instance<K::Guest>,
    /// True: the version starts without the running version's state.
    pub(super) fresh: bool,
    /// Length of its probation, in batches.
    pub(super) probation: u32,
}

/// A probation in progress: the old version runs beside the new one.
struct Probation<K: CallableStage> {
    old: SupervisedInstance<K>,
    fresh: bool,
    /// The old version's state differs from the new one's; if it takes over, it starts without state.
    out_of_sync: bool,
    status: ProbationStatus,
    report: watch::Sender<ProbationStatus>,
}

/// A pipeline's slot for one stage of the kind `K`.
pub(super) struct StageSlot<K: CallableStage> {
    current: SupervisedInstance<K>,
    probation: Option<Probation<K>>,
    previous: Option<InstanceSpec>,
    on_failure: FailurePolicy,
    failure_sink: FailureSink,
    recorder: CallRecorder<K>,
    status_feed: Arc<SlotStatusFeed>,
    /// True: the current version started without state and does not know yet what is open; see [`Self::take_fresh_start`].
    fresh_start: bool,
    /// The version before the last fresh start: only it understands the replies to what it sent.
    predecessor: Option<SupervisedInstance<K>>,
    /// How many versions took over without state.
    fresh_starts: u64,
}

impl<K: CallableStage> StageSlot<K> {
    /// Opens the first instance.
    ///
    /// # Errors
    /// The [`StageError`] that kept the stage from opening.
    pub(super) async fn open(
        runtime: &StageRuntime,
        component: Arc<StageComponent>,
        opening: Opening,
    ) -> Result<Self, StageError> {
        let spec = InstanceSpec::new(runtime, component, &opening);
        let supervised = SupervisedInstance::open(spec, opening.state.clone()).await?;
        Ok(Self::new(supervised, opening))
    }

    /// Opens the first instance. If that fails, the host's defaults answer until a later start succeeds.
    pub(super) async fn resume(runtime: &StageRuntime, component: Arc<StageComponent>, opening: Opening) -> Self {
        let spec = InstanceSpec::new(runtime, component, &opening);
        let supervised = SupervisedInstance::resume(spec, opening.state.clone()).await;
        Self::new(supervised, opening)
    }

    fn new(current: SupervisedInstance<K>, opening: Opening) -> Self {
        let spec = current.spec();
        let previous =
            opening.previous.map(|(component, settings)| InstanceSpec { component, settings, ..spec.clone() });
        let status_feed = Arc::new(SlotStatusFeed::new(SlotStatus {
            component: current.component().clone(),
            counters: current.counters().clone(),
            previous: previous.as_ref().map(|spec| spec.component.label()),
            probation: None,
            fell_back: None,
            stop: None,
        }));
        let (on_failure, failure_sink) = (opening.on_failure, opening.failure_sink);
        let recorder = CallRecorder::default();
        Self {
            current,
            probation: None,
            previous,
            on_failure,
            failure_sink,
            recorder,
            status_feed,
            fresh_start: false,
            predecessor: None,
            fresh_starts: 0,
        }
    }

    pub(super) fn component(&self) -> &Arc<StageComponent> {
        self.current.component()
    }

    pub(super) fn counters(&self) -> &Arc<StageCounters> {
        self.current.counters()
    }

    /// Publishes the slot's status to API and metrics.
    pub(super) fn status_feed(&self) -> &Arc<SlotStatusFeed> {
        &self.status_feed
    }

    /// The last snapshot, from which a restart or another version resumes.
    pub(super) fn snapshot(&self) -> Option<&[u8]> {
        self.current.snapshot()
    }

    /// How instances of the current version are started.
    pub(super) fn spec(&self) -> &InstanceSpec {
        self.current.spec()
    }

    /// The last calls, oldest first.
    pub(super) fn recorded_calls(&self) -> Vec<TimedCall<K::Input>> {
        self.recorder.calls()
    }

    /// Receives the evidence of failures.
    pub(super) fn failure_sink(&self) -> &FailureSink {
        &self.failure_sink
    }

    /// True once after a version took over without state: the caller must pass it what is open.
    pub(super) fn take_fresh_start(&mut self) -> bool {
        std::mem::take(&mut self.fresh_start)
    }

    /// The version before the last fresh start, if the kind keeps it ([`KEEPS_PREDECESSOR`](super::calls::StageInterface::KEEPS_PREDECESSOR)).
    pub(super) fn predecessor(&mut self) -> Option<&mut SupervisedInstance<K>> {
        match &mut self.probation {
            Some(probation) if probation.fresh && K::KEEPS_PREDECESSOR => Some(&mut probation.old),
            _ => self.predecessor.as_mut(),
        }
    }

    /// Drops the version before the last fresh start: no replies to it are expected any more.
    pub(super) fn drop_predecessor(&mut self) {
        self.predecessor = None;
    }

    /// How many versions took over without state since the slot was opened.
    pub(super) fn fresh_starts(&self) -> u64 {
        self.fresh_starts
    }

    /// The current version, for calls that change no state and are not recorded.
    pub(super) fn current(&mut self) -> &mut SupervisedInstance<K> {
        &mut self.current
    }

    /// Makes a call to the current version; if it fails, to the previous one.
    ///
    /// # Errors
    /// The current version's [`StageError`], if no other version could answer.
    pub(super) async fn call(&mut self, history: &K::CallHistory, input: K::Input) -> Result<K::Output, StageError> {
        let (input, began) = (Arc::new(input), Instant::now());
        let result = K::perform_call(&mut self.current, history, &input).await;
        let took = began.elapsed();
        self.recorder.record(input.clone(), took);
        match result {
            Ok(output) => {
                self.shadow(history, &input, &output).await;
                Ok(output)
            }
            Err(error) => self.failed(history, &input, error, took).await,
        }
    }

    /// Wraps a result: the stage's answer, or `default` with the reason; counts defaults.
    pub(super) fn answer<T>(&self, result: Result<T, StageError>, default: impl FnOnce() -> T) -> Answer<T> {
        match result {
            Ok(value) => Answer { value, failure: None },
            Err(error) => {
                self.current.counters().default_answered();
                Answer { value: default(), failure: Some(error) }
            }
        }
    }

    // --- probation ---

    /// Makes another version decide from the next call on. If it fails to open, nothing changes.
    ///
    /// # Errors
    /// [`StageError`] of `open` or `snapshot`, such as a state that it cannot read; [`StageError::Host`] while another
    /// version is on probation.
    pub(super) async fn cut_over(
        &mut self,
        candidate: Candidate<K>,
    ) -> Result<watch::Receiver<ProbationStatus>, StageError> {
        if self.probation.is_some() {
            let reason = "another version is on probation".to_owned();
            return Err(StageError::Host { call: "open", reason });
        }
        let Candidate { spec, instance, fresh, probation } = candidate;
        let state = self.current.snapshot().filter(|_| !fresh).map(<[u8]>::to_vec);
        let new = SupervisedInstance::open_with(spec, instance, state).await?;
        let old = std::mem::replace(&mut self.current, new);
        (self.fresh_start, self.predecessor) = (fresh, None);
        self.fresh_starts += u64::from(fresh);
        let status = ProbationStatus { done: 0, wanted: probation.max(1), different: 0, end: None };
        let (report, followed) = watch::channel(status.clone());
        self.probation = Some(Probation { old, fresh, out_of_sync: fresh && K::DIVERGES, status, report });
        self.status_feed.change(|status| status.fell_back = None);
        self.publish();
        Ok(followed)
    }

    /// Sets what happens when a version fails after its probation; applies to the next failure.
    pub(super) fn set_on_failure(&mut self, policy: FailurePolicy) {
        self.on_failure = policy;
    }

    /// Replaces the settings of every version for which `change` returns new ones; they apply from the next call on.
    pub(super) fn change_settings(&mut self, change: impl Fn(&str) -> Option<String>) {
        self.current.change_settings(&change);
        if let Some(probation) = &mut self.probation {
            probation.old.change_settings(&change);
        }
        if let Some(previous) = &mut self.previous
            && let Some(settings) = change(&previous.settings)
        {
            previous.settings = settings;
        }
    }

    /// Ends a probation by returning to the old version. False: no version is on probation.
    pub(super) fn roll_back(&mut self, reason: String) -> bool {
        let Some(probation) = self.probation.take() else { return false };
        self.take_over(probation, ProbationEnd::RolledBack { reason, evidence: None });
        true
    }

    /// Passes the new version's input to the old one as well, compares the answers, and counts the probation's batches.
    async fn shadow(&mut self, history: &K::CallHistory, input: &Arc<K::Input>, output: &K::Output) {
        let Some(probation) = &mut self.probation else { return };
        if !probation.out_of_sync {
            let same = K::perform_call(&mut probation.old, history, input).await.is_ok_and(|old| old == *output);
            if !same {
                probation.status.different += 1;
                if K::DIVERGES {
                    probation.old.reset();
                    probation.out_of_sync = true;
                }
            }
        }
        if !K::is_batch(input, output) {
            return;
        }
        probation.status.done += 1;
        if probation.status.done < probation.status.wanted {
            probation.report.send_replace(probation.status.clone());
            self.publish();
        } else if let Some(mut probation) = self.probation.take() {
            probation.status.end = Some(ProbationEnd::Passed);
            probation.report.send_replace(probation.status);
            self.previous = Some(probation.old.spec().clone());
            self.predecessor = (probation.fresh && K::KEEPS_PREDECESSOR).then_some(probation.old);
            self.publish();
        }
    }

    /// Handles a failed call: reports it, and lets the previous version answer where probation or policy say so.
    async fn failed(
        &mut self,
        history: &K::CallHistory,
        input: &Arc<K::Input>,
        error: StageError,
        took: Duration,
    ) -> Result<K::Output, StageError> {
        let answered = !error.ends_instance();
        if let Some(mut probation) = self.probation.take() {
            let old = match probation.out_of_sync {
                // The caller calls it again with everything that it missed.
                true => Err(error.clone()),
                false => K::perform_call(&mut probation.old, history, input).await,
            };
            if answered && old.is_err() && !probation.out_of_sync {
                // Both versions reject the input, so a roll-back would not help.
                self.probation = Some(probation);
                return Err(error);
            }
            let evidence = self.report_failure(input, &error, took);
            self.take_over(probation, ProbationEnd::RolledBack { reason: error.to_string(), evidence: Some(evidence) });
            return old;
        }
        if answered || !error.is_guests_doing() {
            return Err(error);
        }
        let evidence = self.report_failure(input, &error, took);
        match (self.on_failure, self.previous.take()) {
            (FailurePolicy::Previous, Some(spec)) => self.fall_back(spec, history, input, error, evidence).await,
            (FailurePolicy::Stop, previous) => {
                self.previous = previous;
                self.status_feed.change(|status| status.stop = Some(error.to_string()));
                Err(error)
            }
            (_, previous) => {
                self.previous = previous;
                Err(error)
            }
        }
    }

    /// Replaces the failed version by the previous one: with its state, or without state if it cannot read that.
    async fn fall_back(
        &mut self,
        spec: InstanceSpec,
        history: &K::CallHistory,
        input: &Arc<K::Input>,
        error: StageError,
        evidence: String,
    ) -> Result<K::Output, StageError> {
        let state = self.current.snapshot().map(<[u8]>::to_vec);
        let opened = match SupervisedInstance::open(spec.clone(), state).await {
            Err(refused) if refused.is_unreadable_state() => {
                self.fresh_start = true;
                SupervisedInstance::open(spec, None).await
            }
            opened => opened,
        };
        let Ok(old) = opened else { return Err(error) };
        self.current = old;
        self.publish();
        let fell_back = Some((error.to_string(), evidence));
        self.status_feed.change(|status| status.fell_back = fell_back);
        if self.fresh_start && K::DIVERGES {
            return Err(error);
        }
        K::perform_call(&mut self.current, history, input).await
    }

    /// Ends a probation: the old version becomes the current one again.
    fn take_over(&mut self, probation: Probation<K>, end: ProbationEnd) {
        let Probation { old, fresh, out_of_sync, mut status, report } = probation;
        let new = std::mem::replace(&mut self.current, old);
        self.predecessor = (fresh && K::KEEPS_PREDECESSOR).then_some(new);
        self.fresh_starts += u64::from(fresh);
        self.fresh_start = fresh || out_of_sync;
        status.end = Some(end);
        report.send_replace(status);
        self.publish();
    }

    /// Reports a failed call; returns the id of its evidence.
    fn report_failure(&self, input: &Arc<K::Input>, error: &StageError, took: Duration) -> String {
        let mut calls = self.recorder.calls();
        if calls.last().is_none_or(|last| !Arc::ptr_eq(&last.input, input)) {
            // The failed call must be in the evidence, even if it was too large to be recorded.
            calls.push(TimedCall { input: input.clone(), took });
        }
        let (id, report) = failure_evidence::of(&self.current, calls, error, took);
        self.failure_sink.report(report);
        id
    }

    /// Publishes the slot's status.
    fn publish(&self) {
        let label = |spec: &InstanceSpec| -> ComponentLabel { spec.component.label() };
        self.status_feed.change(|status| {
            status.component = self.current.component().clone();
            status.counters = self.current.counters().clone();
            status.probation = self.probation.as_ref().map(|probation| probation.status.clone());
            status.previous = match &self.probation {
                Some(probation) => Some(label(probation.old.spec())),
                None => self.previous.as_ref().map(label),
            };
        });
    }
}
