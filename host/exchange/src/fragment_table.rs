//! The fragments of an exchange: their order, their state, and the matching of replies. Pure: no I/O, time is an
//! argument of the calls; the driver executes what the table decides.
//!
//! - Fragments are sent in the order of their submission, up to a number at a time.
//! - If a connection is lost soon after a fragment was written, that fragment is a suspect. After a reconnect, suspects
//!   are sent first and alone, each for [`SUSPECT_WINDOW`] only. This identifies the fragment that ends connections,
//!   and delays the others by seconds at most. A fragment that ended [`FRAGMENT_KILLS_MAX`] connections in a row is not
//!   sent again.
//! - Ids of finished fragments are remembered for a while, to distinguish late and duplicate replies from unknown ones.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Breaker;
use super::config::ExchangeConfig;
use super::message_framer::Reference;
use super::reply::{Absence, Outgoing, Reply, Waiting};
use super::socketio::Receipt;
use super::status::{BreakerState, Counters};
use crate::limits::{
    EXCHANGE_FRAGMENTS_MAX, EXCHANGE_HISTORY_MAX, FRAGMENT_KILLS_MAX, FRAGMENT_RETRIES, FRAGMENT_SENDS_MAX,
    IN_FLIGHT_MAX, SUSPECT_WINDOW,
};

/// Identifies a fragment inside the exchange: its place in the order of submission.
pub type Key = u64;

/// All fragments whose callers wait for a reply.
#[derive(Debug)]
pub struct FragmentTable {
    entries: BTreeMap<Key, Entry>,
    next_key: Key,
    history: VecDeque<Past>,
    breaker: Breaker,
    in_flight_max: usize,
    fragment_timeout: Option<Duration>,
    /// Counts; the driver adds those of the connection.
    pub counters: Counters,
}

#[derive(Debug)]
struct Entry {
    outgoing: Outgoing,
    reply: Waiting,
    state: State,
    sends: u32,
    retries: u32,
    kills: u32,
    /// Whether this fragment is the probe of an open breaker.
    probe: bool,
}

#[derive(Debug)]
enum State {
    Waiting,
    Sent {
        at: Instant,
        receipt: Receipt,
        acknowledged: bool,
    },
    /// A reply arrived and is being probed.
    Probing,
}

#[derive(Debug)]
struct Past {
    id: String,
    batch: u64,
    answered: bool,
}

/// A reply that a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedReply {
    /// The fragment that the reply answers.
    pub key: Key,
    /// From the last transmission to now.
    pub round_trip: Duration,
    /// How often the fragment was sent.
    pub attempts: u32,
}

// === impl FragmentTable ===

impl FragmentTable {
    /// A table without fragments, with these limits.
    pub fn new(config: &ExchangeConfig) -> Self {
        Self {
            entries: BTreeMap::new(),
            next_key: 0,
            history: VecDeque::new(),
            breaker: Breaker::new(config.breaker.clone()),
            in_flight_max: config.in_flight.clamp(1, IN_FLIGHT_MAX),
            fragment_timeout: config.fragment_timeout,
            counters: Counters::default(),
        }
    }

    /// Adds a fragment, or answers at once if the breaker is open or there are too many.
    pub fn submit(&mut self, outgoing: Outgoing, reply: impl Into<Waiting>, now: Instant) {
        let reply = reply.into();
        if self.entries.len() >= EXCHANGE_FRAGMENTS_MAX {
            let reason = format!("{EXCHANGE_FRAGMENTS_MAX} fragments are already waiting for the processor");
            reply.send(Reply::Absent(Absence::Failed(reason)));
            return;
        }
        let Some(probe) = self.breaker.admit(now) else {
            self.counters.held_back += 1;
            reply.send(Reply::Absent(Absence::BreakerOpen));
            return;
        };
        let entry = Entry { outgoing, reply, state: State::Waiting, sends: 0, retries: 0, kills: 0, probe };
        self.entries.insert(self.next_key, entry);
        self.next_key += 1;
    }

    /// Removes fragments that nobody waits for, and those whose time is over.
    pub fn sweep(&mut self, now: Instant) {
        let timeout = self.fragment_timeout;
        let over = |entry: &Entry| match (&entry.state, timeout) {
            (State::Sent { at, .. }, Some(timeout)) => *at + timeout <= now,
            _ => false,
        };
        let gone: Vec<Key> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.reply.is_closed() || over(entry))
            .map(|(&key, _)| key)
            .collect();
        for key in gone {
            let entry = self.entries.get(&key);
            let sent = entry.is_some_and(|entry| matches!(entry.state, State::Sent { .. }));
            let early = entry.is_some_and(|entry| entry.reply.gave_up_early() && !over(entry));
            let probe = entry.is_some_and(|entry| entry.probe);
            self.end(key, Reply::Absent(Absence::Late), false, now);
            if !sent {
                continue;
            }
            self.counters.timeouts += 1;
            match (early, probe) {
                (false, _) => self.failure(now),
                (true, true) => self.breaker.inconclusive(now),
                (true, false) => {}
            }
        }
    }

    /// The next fragment to send, if one may be sent: suspects first, and alone.
    pub fn next_to_send(&self, now: Instant) -> Option<Key> {
        if self.in_flight() >= self.in_flight_max {
            return None;
        }
        let waiting = || self.entries.iter().filter(|(_, entry)| matches!(entry.state, State::Waiting));
        let (&key, next) = waiting().find(|(_, entry)| entry.kills > 0).or_else(|| waiting().next())?;
        let mut fresh = self.entries.values().filter(|entry| entry.fresh_until(now).is_some());
        let alone = if next.kills > 0 { fresh.next().is_none() } else { fresh.all(|entry| entry.kills == 0) };
        alone.then_some(key)
    }

    /// The fragment, and how often it was already sent.
    pub fn outgoing(&self, key: Key) -> Option<(&Outgoing, u32)> {
        self.entries.get(&key).map(|entry| (&entry.outgoing, entry.sends))
    }

    /// Records that the fragment was passed to the connection.
    pub fn sent(&mut self, key: Key, bytes: u64, receipt: Receipt, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        self.counters.sent += 1;
        self.counters.bytes += bytes;
        self.counters.resent += u64::from(entry.sends > 0);
        entry.sends += 1;
        entry.state = State::Sent { at: now, receipt, acknowledged: false };
    }

    /// Records that the fragment cannot be sent.
    pub fn refuse(&mut self, key: Key, absence: Absence, now: Instant) {
        if matches!(absence, Absence::TooLarge(_)) {
            self.counters.too_large += 1;
        }
        self.end(key, Reply::Absent(absence), false, now);
    }

    /// Records that the processor has received the fragment.
    pub fn acknowledged(&mut self, reference: &Reference) {
        let key = self.find(reference);
        if let Some(entry) = key.and_then(|key| self.entries.get_mut(&key)) {
            entry.kills = 0;
            if let State::Sent { acknowledged, .. } = &mut entry.state {
                *acknowledged = true;
            }
        } else if self.past(reference).is_none() {
            self.counters.unknown += 1;
        }
    }

    /// Records a reply; `Some` if a caller waits for it. Until [`FragmentTable::finish`], further replies count as duplicates.
    pub fn processed(&mut self, reference: &Reference, now: Instant) -> Option<WantedReply> {
        let Some(key) = self.find(reference) else {
            match self.past(reference) {
                Some(past) if past.answered => self.counters.duplicates += 1,
                Some(_) => self.counters.late += 1,
                None => self.counters.unknown += 1,
            }
            return None;
        };
        let entry = self.entries.get_mut(&key)?;
        let round_trip = match entry.state {
            State::Sent { at, .. } => now.saturating_duration_since(at),
            // The reply belongs to an earlier connection.
            State::Waiting => Duration::ZERO,
            State::Probing => {
                self.counters.duplicates += 1;
                return None;
            }
        };
        entry.state = State::Probing;
        entry.kills = 0;
        let attempts = entry.sends;
        self.breaker.success();
        Some(WantedReply { key, round_trip, attempts })
    }

    /// Records the result of probing a reply.
    pub fn finish(&mut self, key: Key, reply: Reply, now: Instant) {
        let wanted = self.entries.get(&key).is_some_and(|entry| !entry.reply.is_closed());
        match &reply {
            Reply::Absent(_) => self.counters.invalid += 1,
            Reply::Returned(_) if wanted => self.counters.replies += 1,
            Reply::Returned(_) => self.counters.late += 1,
        }
        self.end(key, reply, true, now);
    }

    /// Records that the processor could not process a fragment, or any of its fragments. It is sent again if that may
    /// help.
    pub fn failed(&mut self, reference: Option<&Reference>, reason: &str, retryable: bool, now: Instant) {
        self.counters.failed += 1;
        let keys: Vec<Key> = match reference {
            Some(reference) => self.find(reference).into_iter().collect(),
            None => self.sent_keys(),
        };
        if reference.is_some_and(|reference| keys.is_empty() && self.past(reference).is_none()) {
            self.counters.unknown += 1;
        }
        if keys.is_empty() {
            return;
        }
        if retryable {
            self.failure(now);
        } else {
            self.breaker.success();
        }
        let again = retryable && self.breaker.state() == BreakerState::Closed;
        for key in keys {
            match self.entries.get_mut(&key) {
                Some(entry) if matches!(entry.state, State::Probing) => {}
                Some(entry) if again && entry.may_go_again() => {
                    entry.retries += 1;
                    entry.state = State::Waiting;
                }
                _ => self.end(key, Reply::Absent(Absence::Failed(reason.to_owned())), false, now),
            }
        }
    }

    /// Records the loss of the connection: fragments with waiting callers are sent again over the next one.
    pub fn connection_lost(&mut self, now: Instant) {
        for key in self.sent_keys() {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            entry.kills = if entry.fresh_until(now).is_some() { entry.kills + 1 } else { 0 };
            let reason = if entry.kills >= FRAGMENT_KILLS_MAX {
                format!("the connection was lost {} times in a row just after it was sent", entry.kills)
            } else if entry.sends >= FRAGMENT_SENDS_MAX {
                format!("sent {} times, and the connection was lost each time", entry.sends)
            } else {
                entry.state = State::Waiting;
                continue;
            };
            self.end(key, Reply::Absent(Absence::Failed(reason)), false, now);
            self.failure(now);
        }
    }

    /// Moves to another processor: unanswered fragments are sent again, and earlier failures do not count for it.
    pub fn moved(&mut self, config: &ExchangeConfig) {
        for key in self.sent_keys() {
            if let Some(entry) = self.entries.get_mut(&key) {
                (entry.state, entry.kills) = (State::Waiting, 0);
            }
        }
        self.breaker = Breaker::new(config.breaker.clone());
        self.set_in_flight(config.in_flight);
    }

    /// Sets the number of fragments that the processor may have at once.
    pub fn set_in_flight(&mut self, in_flight: usize) {
        self.in_flight_max = in_flight.clamp(1, IN_FLIGHT_MAX);
    }

    /// When the state changes by time alone.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let waiting = self.queued() > 0;
        self.entries
            .values()
            .filter_map(|entry| {
                let State::Sent { at, .. } = &entry.state else { return None };
                let timeout = self.fragment_timeout.map(|timeout| *at + timeout);
                // For a fragment that is not written yet, this is unknown: check again after one window.
                let window = entry.fresh_until(now).map(|until| until.unwrap_or(now + SUSPECT_WINDOW));
                let window = window.filter(|_| waiting);
                [timeout, window].into_iter().flatten().min()
            })
            .min()
    }

    /// Answers every caller and removes all fragments.
    pub fn clear(&mut self, now: Instant) {
        for key in self.entries.keys().copied().collect::<Vec<_>>() {
            self.end(key, Reply::Absent(Absence::Disconnected), false, now);
        }
    }

    /// Number of fragments sent and not yet answered.
    pub fn in_flight(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.state, State::Sent { .. })).count()
    }

    /// Number of fragments waiting to be sent.
    pub fn queued(&self) -> usize {
        self.entries.values().filter(|entry| matches!(entry.state, State::Waiting)).count()
    }

    /// The circuit breaker, for its state and the time of its next probe.
    pub fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    fn sent_keys(&self) -> Vec<Key> {
        let sent = self.entries.iter().filter(|(_, entry)| matches!(entry.state, State::Sent { .. }));
        sent.map(|(&key, _)| key).collect()
    }

    fn failure(&mut self, now: Instant) {
        if self.breaker.failure(now) {
            self.hold_back(now);
        }
    }

    /// With an open breaker, no waiting fragment is sent any more.
    fn hold_back(&mut self, now: Instant) {
        let waiting = self.entries.iter().filter(|(_, entry)| matches!(entry.state, State::Waiting));
        for key in waiting.map(|(&key, _)| key).collect::<Vec<_>>() {
            self.counters.held_back += 1;
            self.end(key, Reply::Absent(Absence::BreakerOpen), false, now);
        }
    }

    /// Finds a fragment by id, else by batch number; only sent fragments can be answered.
    fn find(&self, reference: &Reference) -> Option<Key> {
        let matches = |entry: &Entry| match reference {
            Reference::Id(id) => entry.outgoing.fragment.id == *id,
            Reference::Batch(batch) => entry.outgoing.fragment.batch == *batch,
        };
        self.entries.iter().find(|(_, entry)| entry.sends > 0 && matches(entry)).map(|(&key, _)| key)
    }

    fn past(&self, reference: &Reference) -> Option<&Past> {
        self.history.iter().rev().find(|past| match reference {
            Reference::Id(id) => past.id == *id,
            Reference::Batch(batch) => past.batch == *batch,
        })
    }

    fn end(&mut self, key: Key, reply: Reply, answered: bool, now: Instant) {
        let Some(entry) = self.entries.remove(&key) else { return };
        let answered = answered && !entry.reply.is_closed();
        // The caller may have stopped waiting; the counters record it.
        entry.reply.send(reply);
        if entry.sends > 0 {
            if self.history.len() >= EXCHANGE_HISTORY_MAX {
                self.history.pop_front();
            }
            let fragment = entry.outgoing.fragment;
            self.history.push_back(Past { id: fragment.id, batch: fragment.batch, answered });
        }
        if entry.probe && !matches!(entry.state, State::Sent { .. }) {
            self.breaker.inconclusive(now);
        }
    }
}

// === impl Entry ===

impl Entry {
    fn may_go_again(&self) -> bool {
        self.retries < FRAGMENT_RETRIES && self.sends < FRAGMENT_SENDS_MAX
    }

    /// `Some` while the loss of the connection would make it a suspect: until when, or `None` inside if it is not
    /// written yet.
    fn fresh_until(&self, now: Instant) -> Option<Option<Instant>> {
        let State::Sent { receipt, acknowledged: false, .. } = &self.state else { return None };
        match receipt.written_at() {
            None => Some(None),
            Some(at) if at + SUSPECT_WINDOW > now => Some(Some(at + SUSPECT_WINDOW)),
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
