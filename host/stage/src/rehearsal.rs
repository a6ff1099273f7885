//! Rehearses a candidate on the running version's last inputs, apart from live media, before it may decide anything.
//!
//! Both versions start without state and get the same inputs; their answers are compared. A candidate that traps, exceeds a limit,
//! breaks the contract, or rejects an input that the running version accepts, is unfit. Then the candidate is opened with the
//! running version's state, as the cut-over will do. Takes at most [`STAGE_REHEARSAL_LIMIT`], and then skips the remaining calls.

use super::calls::TimedCall;
use super::error::StageError;
use super::evidence::FailureSink;
use super::failure_evidence;
use super::kind::StageKind;
use super::supervised_instance::{CallableStage, InstanceSpec, SupervisedInstance};
use crate::limits::STAGE_REHEARSAL_LIMIT;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// The result of a rehearsal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsal {
    /// Recorded calls that were made.
    pub calls: u32,
    /// Calls that both versions answered in the same way.
    pub same: u32,
    /// Recorded calls that were skipped for lack of time.
    pub left_out: u32,
    /// Time of the longest call, in microseconds.
    pub slowest_us: u64,
    /// Memory of the instance after the calls, in bytes.
    pub memory_bytes: u64,
    /// Why the answers cannot be compared with the running version's; `None`: they were compared.
    #[serde(default)]
    pub not_comparable: Option<String>,
    /// The longest batch that the candidate cut, in milliseconds of media; `None` for other kinds of stage.
    #[serde(default)]
    pub longest_batch_ms: Option<u64>,
    /// The longest batch that the running version cut from the same segments, in milliseconds of media.
    #[serde(default)]
    pub running_batch_ms: Option<u64>,
    /// The longest batch that would be ready before it is due on air, in milliseconds of media; `None`: not on air.
    #[serde(default)]
    pub allowed_batch_ms: Option<u64>,
    /// How much too late the longest batch would be ready, in milliseconds. The stream would be off air for that time.
    #[serde(default)]
    pub late_by_ms: u64,
    /// How long the air clock must run slower before the swap so that no batch is late, in milliseconds.
    #[serde(default)]
    pub stretch_ms: u64,
}

impl Rehearsal {
    /// True if the candidate's batches would be ready too late.
    pub fn would_go_off_air(&self) -> bool {
        self.late_by_ms > 0
    }
}

/// A candidate that must not be cut over to.
#[derive(Debug, Clone)]
pub struct Unfit {
    /// The result up to the failure.
    pub rehearsal: Rehearsal,
    /// The error that made it unfit.
    pub error: StageError,
    /// The id of the evidence that was reported.
    pub evidence: String,
}

/// Rehearses a candidate. `state`: the running version's snapshot; `fresh`: the cut-over will open the candidate without it.
///
/// # Errors
/// [`Unfit`] with the evidence, which was passed to `failure_sink`.
pub(super) async fn rehearse<K: CallableStage>(
    candidate: &InstanceSpec,
    running: &InstanceSpec,
    calls: &[TimedCall<K::Input>],
    (state, fresh): (Option<Vec<u8>>, bool),
    failure_sink: &FailureSink,
) -> Result<Rehearsal, Unfit> {
    // Framing versions that cannot read each other's state speak different dialects, and cannot decode each other's messages.
    let other_dialect = K::KIND == StageKind::Framing && fresh && !reads::<K>(candidate, state.clone()).await;
    let state = state.filter(|_| !fresh);
    let mut rehearsal = Rehearsal { left_out: u32::try_from(calls.len()).unwrap_or(u32::MAX), ..Rehearsal::default() };
    rehearsal.not_comparable = other_dialect.then(|| "another dialect".to_owned());
    let until = Instant::now() + STAGE_REHEARSAL_LIMIT;
    let unfit = |rehearsal, error, evidence| Unfit { rehearsal, error, evidence };
    let mut new = match SupervisedInstance::<K>::open(candidate.clone(), None).await {
        Ok(new) => new,
        Err(error) => {
            return Err(unfit(rehearsal, error.clone(), unopened::<K>(candidate, None, &error, failure_sink)));
        }
    };
    // If the running version does not open, there are no answers to compare with.
    let mut old = SupervisedInstance::<K>::open(running.clone(), None).await.ok();
    let (mut new_history, mut old_history) = (K::CallHistory::default(), K::CallHistory::default());
    let (mut longest_us, mut running_us) = (0, 0);
    for (n, call) in calls.iter().enumerate() {
        if Instant::now() >= until {
            break;
        }
        let input = &*call.input;
        let before = match &mut old {
            Some(old) => {
                K::record_input(&mut old_history, input);
                K::perform_call(old, &old_history, input).await.ok()
            }
            None => None,
        };
        if let Some(output) = &before {
            running_us = K::batches_us(&old_history, output).into_iter().fold(running_us, u64::max);
            K::record_output(&mut old_history, output);
        }
        K::record_input(&mut new_history, input);
        let began = Instant::now();
        let result = K::perform_call(&mut new, &new_history, input).await;
        let took = began.elapsed();
        rehearsal.calls += 1;
        rehearsal.left_out -= 1;
        rehearsal.slowest_us = rehearsal.slowest_us.max(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match result {
            Ok(output) => {
                rehearsal.same += u32::from(before.is_some_and(|before| before == output));
                longest_us = K::batches_us(&new_history, &output).into_iter().fold(longest_us, u64::max);
                K::record_output(&mut new_history, &output);
            }
            // An input that the running version rejects too is no reason against the candidate.
            Err(error) if !error.ends_instance() && before.is_none() => rehearsal.same += 1,
            Err(error) if !error.ends_instance() && other_dialect => {}
            Err(error) => {
                let calls = calls.get(..=n).unwrap_or(calls).to_vec();
                let (id, report) = failure_evidence::of(&new, calls, &error, took);
                failure_sink.report(report);
                return Err(unfit(rehearsal, error, id));
            }
        }
    }
    if K::KIND == StageKind::Batching {
        let more: Vec<K::Input> = K::more(calls);
        longest_us = longest_us.max(longest::<K>(&mut new, &mut new_history, &more, until).await);
        rehearsal.longest_batch_ms = Some(longest_us / 1000);
        if let Some(old) = &mut old {
            running_us = running_us.max(longest::<K>(old, &mut old_history, &more, until).await);
            rehearsal.running_batch_ms = Some(running_us / 1000);
        }
    }
    if other_dialect {
        rehearsal.same = 0;
    }
    rehearsal.memory_bytes = new.memory_bytes();
    if state.is_some() {
        let began = Instant::now();
        if let Err(error) = SupervisedInstance::<K>::open(candidate.clone(), state.clone()).await {
            let evidence = unopened::<K>(candidate, state, &error, failure_sink);
            return Err(unfit(rehearsal, error, evidence));
        }
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        rehearsal.slowest_us = rehearsal.slowest_us.max(took);
    }
    Ok(rehearsal)
}

/// The longest of the next two batches that a version cuts from more segments, in microseconds of media. If it fails or does not
/// cut, the length of the open batch counts.
async fn longest<K: CallableStage>(
    version: &mut SupervisedInstance<K>,
    history: &mut K::CallHistory,
    more: &[K::Input],
    until: Instant,
) -> u64 {
    let (mut longest, mut batches) = (0, 0);
    for input in more {
        if batches >= 2 || Instant::now() >= until {
            return longest;
        }
        K::record_input(history, input);
        let Ok(output) = K::perform_call(version, history, input).await else { break };
        for us in K::batches_us(history, &output) {
            (longest, batches) = (longest.max(us), batches + 1);
        }
        K::record_output(history, &output);
    }
    if batches >= 2 { longest } else { longest.max(K::open_us(history)) }
}

/// True if a version can be opened with a state.
async fn reads<K: CallableStage>(version: &InstanceSpec, state: Option<Vec<u8>>) -> bool {
    match SupervisedInstance::<K>::open(version.clone(), state).await {
        Ok(_) => true,
        Err(error) => !error.is_unreadable_state(),
    }
}

/// Reports the evidence of a candidate that does not open; returns its id.
fn unopened<K: CallableStage>(
    candidate: &InstanceSpec,
    state: Option<Vec<u8>>,
    error: &StageError,
    failure_sink: &FailureSink,
) -> String {
    let supervised = SupervisedInstance::<K>::unopened(candidate.clone(), state);
    let (id, report) = failure_evidence::of(&supervised, Vec::new(), error, Duration::ZERO);
    failure_sink.report(report);
    id
}
