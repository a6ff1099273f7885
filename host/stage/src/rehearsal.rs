//! A candidate is given the running version's last inputs, apart from live media and before it decides anything.
//!
//! Both versions start from nothing and are given the same; answers are compared. A candidate that traps, goes over a limit,
//! breaks the contract, or refuses what the running version takes, is not cut over to. Then it is opened with the running
//! version's state, as the cut-over will do. Bounded by [`STAGE_REHEARSAL_LIMIT`].

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

/// How a rehearsal went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rehearsal {
    /// Recorded calls that were made.
    pub calls: u32,
    /// Of them, those that were answered as by the running version.
    pub same: u32,
    /// Recorded calls for which there was no time.
    pub left_out: u32,
    /// The longest call, in microseconds.
    pub slowest_us: u64,
    /// Memory of the instance afterwards, in bytes.
    pub memory_bytes: u64,
    /// Why the answers cannot be compared with the running version's; `None`: they were.
    #[serde(default)]
    pub not_comparable: Option<String>,
    /// A batching stage: the longest batch that it cut, in milliseconds of media.
    #[serde(default)]
    pub longest_batch_ms: Option<u64>,
    /// The longest batch that the running version cut of the same segments, in milliseconds of media.
    #[serde(default)]
    pub running_batch_ms: Option<u64>,
    /// The longest batch that would be ready before it is due on air, in milliseconds of media; `None`: not on air.
    #[serde(default)]
    pub allowed_batch_ms: Option<u64>,
    /// How much too late the longest batch would be ready, in milliseconds: so long nothing would go on air.
    #[serde(default)]
    pub late_by_ms: u64,
    /// How long the air clock would have to run slower first so that no batch is late, in milliseconds.
    #[serde(default)]
    pub stretch_ms: u64,
}

impl Rehearsal {
    /// Its batches come later than the stream can wait for them.
    pub fn would_go_off_air(&self) -> bool {
        self.late_by_ms > 0
    }
}

/// A candidate that is not fit.
#[derive(Debug, Clone)]
pub struct Unfit {
    /// How far it came.
    pub rehearsal: Rehearsal,
    /// What it did.
    pub error: StageError,
    /// The evidence.
    pub evidence: String,
}

/// Rehearses. `state`: the running version's; `fresh`: the candidate will be opened without it.
pub(super) async fn rehearse<K: CallableStage>(
    candidate: &InstanceSpec,
    running: &InstanceSpec,
    calls: &[TimedCall<K::Input>],
    (state, fresh): (Option<Vec<u8>>, bool),
    failure_sink: &FailureSink,
) -> Result<Rehearsal, Unfit> {
    // Versions that do not read each other's state speak another dialect: neither makes sense of the other's messages.
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
    // A running version that does not open has nothing to compare with.
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
            // What the running version refuses too says nothing about this one.
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

/// The longest of the next two batches that a version decides of more segments, in microseconds of media; where it fails or does
/// not come to an end, what it had not cut by then.
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

/// Whether a version can go on from a state.
async fn reads<K: CallableStage>(version: &InstanceSpec, state: Option<Vec<u8>>) -> bool {
    match SupervisedInstance::<K>::open(version.clone(), state).await {
        Ok(_) => true,
        Err(error) => !error.is_unreadable_state(),
    }
}

/// Evidence of a candidate that does not open.
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
