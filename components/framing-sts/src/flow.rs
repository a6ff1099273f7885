//! Flow control: whether the next fragment may be sent, by the processor's backpressure and its `max_inflight`.
//!
//! In: the processor's requests and the fragments in flight. Out: events for the host, one for each change. Reaching `max_inflight` is
//! reported as a wait, not as a pause, so that it ends even if no reply arrives.

use serde::{Deserialize, Serialize};
use stage_kit::framing::Event;

/// Longest wait in one event, in milliseconds; the host accepts no longer one.
const WAIT_MS_MAX: u64 = 60_000;

/// Whether a fragment may be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Gate {
    #[default]
    Open,
    /// From this time on, Unix time in milliseconds.
    Opens(u64),
    Shut,
}

/// The flow control of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// True: the processor asked for a pause.
    paused: bool,
    /// The processor asked for no fragment before this time, Unix time in milliseconds.
    not_before_ms: u64,
    /// What was last reported to the host.
    told: Gate,
}

impl Flow {
    /// The processor asked for a pause until further notice.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// The processor asked for no fragment before `until_ms`, Unix time in milliseconds.
    pub fn slow_down(&mut self, until_ms: u64) {
        (self.paused, self.not_before_ms) = (false, until_ms);
    }

    /// The processor accepts fragments again.
    pub fn resume(&mut self) {
        (self.paused, self.not_before_ms) = (false, 0);
    }

    /// The events that report a change to the host. `full_until_ms`: until when `max_inflight` is reached, if it is.
    pub fn changes(&mut self, now_ms: u64, full_until_ms: Option<u64>) -> Vec<Event> {
        let until = self.not_before_ms.max(full_until_ms.unwrap_or(0));
        let gate = match self.paused {
            true => Gate::Shut,
            false if until > now_ms => Gate::Opens(until),
            false => Gate::Open,
        };
        let told = std::mem::replace(&mut self.told, gate);
        match (told, gate) {
            (told, gate) if told == gate => Vec::new(),
            (_, Gate::Shut) => vec![Event::Pause],
            // The wait that was reported is over.
            (Gate::Opens(at), Gate::Open) if at <= now_ms => Vec::new(),
            (_, Gate::Open) => vec![Event::Resume],
            (Gate::Shut, Gate::Opens(at)) => vec![Event::Resume, wait(at, now_ms)],
            (_, Gate::Opens(at)) => vec![wait(at, now_ms)],
        }
    }
}

fn wait(until_ms: u64, now_ms: u64) -> Event {
    Event::SlowDown(u32::try_from(until_ms.saturating_sub(now_ms).min(WAIT_MS_MAX)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let mut flow = Flow::default();
        assert_eq!(flow.changes(0, None), []);
        flow.pause();
        assert_eq!(flow.changes(1, None), [Event::Pause]);
        assert_eq!(flow.changes(2, Some(9)), []);
        flow.slow_down(1_500);
        assert_eq!(flow.changes(500, None), [Event::Resume, Event::SlowDown(1_000)]);
        assert_eq!(flow.changes(600, None), []);
        flow.resume();
        assert_eq!(flow.changes(700, None), [Event::Resume]);
        assert_eq!(flow.changes(800, None), []);
    }

    #[test]
    fn a_grant_that_is_used_up_is_a_wait_and_never_lifts_what_the_processor_asked_for() {
        let mut flow = Flow::default();
        assert_eq!(flow.changes(0, Some(8_000)), [Event::SlowDown(8_000)]);
        assert_eq!(flow.changes(100, None), [Event::Resume], "an answer came");
        flow.slow_down(5_000);
        assert_eq!(flow.changes(1_000, Some(9_000)), [Event::SlowDown(8_000)]);
        assert_eq!(flow.changes(2_000, None), [Event::SlowDown(3_000)], "the processor's own wait goes on");
        assert_eq!(flow.changes(6_000, None), [], "it ended by itself");
        flow.pause();
        assert_eq!(flow.changes(7_000, Some(9_000)), [Event::Pause]);
        assert_eq!(flow.changes(7_100, None), []);
    }

    #[test]
    fn waits_are_bounded() {
        let mut flow = Flow::default();
        flow.slow_down(u64::MAX);
        assert_eq!(flow.changes(0, None), [Event::SlowDown(60_000)]);
    }
}
