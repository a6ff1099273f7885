//! How many fragments may go: what the processor asks for (backpressure) and what it granted (`max_inflight`).
//!
//! In: what happened. Out: the events that tell the host, each change once. A grant that is used up is told as a wait, not
//! as a pause: should the answers never come, it ends by itself.

use serde::{Deserialize, Serialize};
use stage_kit::framing::Event;

/// Longest wait that can be asked for at once; the host takes no longer one.
const WAIT_MS_MAX: u64 = 60_000;

/// Whether a fragment may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Gate {
    #[default]
    Open,
    /// From this time on (Unix milliseconds).
    Opens(u64),
    Shut,
}

/// The flow of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The processor wants nothing for now.
    paused: bool,
    /// The processor wants nothing before (Unix milliseconds).
    not_before_ms: u64,
    /// What the host was told last.
    told: Gate,
}

impl Flow {
    /// The processor wants nothing until further notice.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// The processor wants nothing before this.
    pub fn slow_down(&mut self, until_ms: u64) {
        (self.paused, self.not_before_ms) = (false, until_ms);
    }

    /// The processor takes what comes.
    pub fn resume(&mut self) {
        (self.paused, self.not_before_ms) = (false, 0);
    }

    /// What the host is to be told now. `full_until_ms`: until when the grant is used up, if it is.
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
            // It has opened by itself.
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
