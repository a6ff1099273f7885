//! A candidate is given the running version's last inputs, apart from live media and before it decides anything.
//!
//! Both versions start from nothing and are given the same; answers are compared. A candidate that traps, goes over a limit,
//! breaks the contract, or refuses what the running version takes, is not cut over to. Then it is opened with the running
//! version's state, as the cut-over will do. Bounded by [`STAGE_REHEARSAL_LIMIT`].

use super::error::StageError;
use super::evidence::{self, Witness};
use super::instance::Kind;
use super::occupant::{Occupant, Recipe};
use super::tape::Taped;
use crate::limits::STAGE_REHEARSAL_LIMIT;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// How a rehearsal went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// Rehearses. `state`: what it will be opened with; `None`: nothing.
pub(super) async fn rehearse<K: Kind>(
    candidate: &Recipe,
    running: &Recipe,
    tape: &[Taped<K::Input>],
    state: Option<Vec<u8>>,
    witness: &Witness,
) -> Result<Rehearsal, Unfit> {
    let mut rehearsal = Rehearsal { left_out: u32::try_from(tape.len()).unwrap_or(u32::MAX), ..Rehearsal::default() };
    let until = Instant::now() + STAGE_REHEARSAL_LIMIT;
    let unfit = |rehearsal, error, evidence| Unfit { rehearsal, error, evidence };
    let mut new = match Occupant::<K>::open(candidate.clone(), None).await {
        Ok(new) => new,
        Err(error) => return Err(unfit(rehearsal, error.clone(), unopened::<K>(candidate, None, &error, witness))),
    };
    // A running version that does not open has nothing to compare with.
    let mut old = Occupant::<K>::open(running.clone(), None).await.ok();
    let (mut new_books, mut old_books) = (K::Books::default(), K::Books::default());
    for (n, taped) in tape.iter().enumerate() {
        if Instant::now() >= until {
            break;
        }
        let input = &*taped.input;
        let before = match &mut old {
            Some(old) => {
                K::given(&mut old_books, input);
                K::perform(old, &old_books, input).await.ok()
            }
            None => None,
        };
        if let Some(output) = &before {
            K::answered(&mut old_books, output);
        }
        K::given(&mut new_books, input);
        let began = Instant::now();
        let result = K::perform(&mut new, &new_books, input).await;
        let took = began.elapsed();
        rehearsal.calls += 1;
        rehearsal.left_out -= 1;
        rehearsal.slowest_us = rehearsal.slowest_us.max(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        match result {
            Ok(output) => {
                rehearsal.same += u32::from(before.is_some_and(|before| before == output));
                K::answered(&mut new_books, &output);
            }
            // What the running version refuses too says nothing about this one.
            Err(error) if !error.ends_instance() && before.is_none() => rehearsal.same += 1,
            Err(error) => {
                let calls = tape.get(..=n).unwrap_or(tape).to_vec();
                let (id, making) = evidence::of(&new, calls, &error, took);
                witness.take(making);
                return Err(unfit(rehearsal, error, id));
            }
        }
    }
    rehearsal.memory_bytes = new.memory_bytes();
    if state.is_some() {
        let began = Instant::now();
        if let Err(error) = Occupant::<K>::open(candidate.clone(), state.clone()).await {
            let evidence = unopened::<K>(candidate, state, &error, witness);
            return Err(unfit(rehearsal, error, evidence));
        }
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        rehearsal.slowest_us = rehearsal.slowest_us.max(took);
    }
    Ok(rehearsal)
}

/// Evidence of a candidate that does not open.
fn unopened<K: Kind>(candidate: &Recipe, state: Option<Vec<u8>>, error: &StageError, witness: &Witness) -> String {
    let occupant = Occupant::<K>::unopened(candidate.clone(), state);
    let (id, making) = evidence::of(&occupant, Vec::new(), error, Duration::ZERO);
    witness.take(making);
    id
}
