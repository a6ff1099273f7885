//! How a pipeline is, in one word and one sentence: read off packets that left, not off tasks that live (law 7).

use serde::{Deserialize, Serialize};

use super::runner::RunState;
use crate::pipeline::air::status::{DestinationState, DestinationStatus};
use crate::pipeline::exchange::{BreakerState, ExchangeStatus};
use crate::pipeline::status::{Phase, Stats};

/// One word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HealthState {
    /// It is not meant to run.
    #[default]
    Idle,
    /// On its way to air, in time.
    Starting,
    /// On air everywhere, with what it should have.
    Healthy,
    /// On air, but not as it should be.
    Degraded,
    /// Not on air though it should be.
    Failing,
}

/// One word and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The word.
    pub state: HealthState,
    /// The reason, for people.
    pub reason: String,
}

impl Health {
    fn new(state: HealthState, reason: impl Into<String>) -> Self {
        Self { state, reason: reason.into() }
    }
}

/// What health is judged by.
#[derive(Debug)]
pub struct Signs<'a> {
    /// What the runner does.
    pub run: &'a RunState,
    /// Why it last failed.
    pub error: Option<&'a str>,
    /// Counts, while a pipeline is there.
    pub stats: Option<&'a Stats>,
    /// Destinations.
    pub destinations: &'a [DestinationStatus],
    /// Processor.
    pub exchange: Option<&'a ExchangeStatus>,
    /// The newest batch that has a decision went on air with its original audio because of this.
    pub last_original: Option<&'a str>,
}

/// Judges.
pub fn judge(signs: &Signs<'_>) -> Health {
    use HealthState::{Degraded, Failing, Healthy, Idle, Starting};
    match signs.run {
        RunState::Stopped => return Health::new(Idle, signs.error.unwrap_or("stopped")),
        RunState::Waiting { .. } => {
            return Health::new(Failing, signs.error.unwrap_or("it could not start and is tried again"));
        }
        // One that failed and is tried again is no better for that.
        RunState::Loading if signs.error.is_some() => return Health::new(Failing, signs.error.unwrap_or_default()),
        RunState::Loading => return Health::new(Starting, "starting"),
        RunState::Running | RunState::Stopping => {}
    }
    let Some(stats) = signs.stats else { return Health::new(Starting, "starting") };
    match stats.phase {
        Phase::Starting if signs.error.is_some() => return Health::new(Failing, signs.error.unwrap_or_default()),
        Phase::Starting if stats.ended_since_ms.is_some() => {
            return Health::new(Failing, "the source has ended; waiting for it to come back");
        }
        Phase::Starting => return Health::new(Starting, "looking for the source"),
        Phase::Buffering => return Health::new(Starting, "collecting the first batch"),
        Phase::Holding => return Health::new(Starting, "the first batch is complete and waits for its time on air"),
        Phase::Ended => return Health::new(Idle, "ended"),
        Phase::OnAir | Phase::Draining => {}
    }
    let enabled = || signs.destinations.iter().filter(|destination| !destination.disabled);
    let count = enabled().count();
    if count == 0 && !signs.destinations.is_empty() {
        return Health::new(Degraded, "every destination is disabled: no packets are sent");
    }
    let off: Vec<&DestinationStatus> =
        enabled().filter(|destination| !destination.on_air() && destination.state != DestinationState::Done).collect();
    if let Some(first) = off.first() {
        let why = format!("{}: {}", first.label, why_off(first));
        if off.len() == count && stats.ended_since_ms.is_some() {
            return Health::new(Failing, "the source has ended; waiting for it to come back");
        }
        if off.len() == count {
            let stale = stats.stale_since_ms.map(|_| "the source brings nothing new; ").unwrap_or_default();
            return Health::new(Failing, format!("no packets leave: {stale}{why}"));
        }
        return Health::new(Degraded, format!("{} of {} destinations get packets; {why}", count - off.len(), count));
    }
    if stats.ended_since_ms.is_some() {
        return Health::new(Degraded, "the source has ended; what is buffered is on air");
    }
    if stats.stale_since_ms.is_some() {
        return Health::new(Degraded, "the source brings nothing new; what is buffered is on air");
    }
    if let Some(exchange) = signs.exchange {
        if !exchange.connected {
            let why = exchange.problem.as_deref().unwrap_or("no connection");
            return Health::new(Degraded, format!("original audio: the processor is away ({why})"));
        }
        if exchange.breaker == BreakerState::Open {
            return Health::new(Degraded, "original audio: the processor failed too often, nothing is sent for now");
        }
    }
    if let Some(why) = signs.last_original {
        return Health::new(Degraded, format!("original audio: the last reply was {why}"));
    }
    Health::new(Healthy, if signs.exchange.is_some() { "on air with processed audio" } else { "on air" })
}

fn why_off(destination: &DestinationStatus) -> String {
    match &destination.state {
        DestinationState::Waiting => "waits for packets".to_owned(),
        DestinationState::Connecting => "connecting".to_owned(),
        DestinationState::Publishing => "connected, but no packet left in the last seconds".to_owned(),
        DestinationState::Retrying { reason, attempt } => format!("{reason} (attempt {attempt})"),
        DestinationState::Done => "done".to_owned(),
        DestinationState::Stopped => "stopped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_air(name: &str) -> DestinationStatus {
        DestinationStatus {
            name: name.into(),
            label: name.into(),
            state: DestinationState::Publishing,
            last_packet_at: Some(tokio::time::Instant::now()),
            ..DestinationStatus::default()
        }
    }

    fn judged(stats: &Stats, destinations: &[DestinationStatus], exchange: Option<&ExchangeStatus>) -> Health {
        let run = RunState::Running;
        judge(&Signs { run: &run, error: None, stats: Some(stats), destinations, exchange, last_original: None })
    }

    #[test]
    fn on_air_means_packets_everywhere() {
        let stats = Stats { phase: Phase::OnAir, ..Stats::default() };
        assert_eq!(judged(&stats, &[on_air("a")], None).state, HealthState::Healthy);
        // It lives, it is connected, and nothing leaves.
        let silent = DestinationStatus { last_packet_at: None, ..on_air("b") };
        let both = judged(&stats, &[on_air("a"), silent.clone()], None);
        assert_eq!(both.state, HealthState::Degraded);
        assert!(both.reason.contains("1 of 2") && both.reason.contains("b:"), "{}", both.reason);
        let none = judged(&stats, &[silent], None);
        assert_eq!(none.state, HealthState::Failing);
        assert!(none.reason.contains("no packets leave"), "{}", none.reason);
    }

    #[test]
    fn what_is_not_as_it_should_be_is_said() {
        let stats = Stats { phase: Phase::OnAir, ..Stats::default() };
        let away = ExchangeStatus { problem: Some("refused".into()), ..ExchangeStatus::default() };
        let health = judged(&stats, &[on_air("a")], Some(&away));
        assert!(health.state == HealthState::Degraded && health.reason.contains("refused"), "{health:?}");
        let ended = Stats { ended_since_ms: Some(1), ..stats.clone() };
        let silent = DestinationStatus { last_packet_at: None, ..on_air("b") };
        for (destination, state) in [(on_air("a"), HealthState::Degraded), (silent, HealthState::Failing)] {
            let health = judged(&ended, &[destination], Some(&away));
            assert!(health.state == state && health.reason.contains("the source has ended"), "{health:?}");
        }
        let stale = Stats { stale_since_ms: Some(1), ..stats };
        let health = judged(&stale, &[on_air("a")], None);
        assert!(health.state == HealthState::Degraded && health.reason.contains("source"), "{health:?}");
    }

    #[test]
    fn before_air_and_after_it() {
        for (phase, state) in [
            (Phase::Starting, HealthState::Starting),
            (Phase::Holding, HealthState::Starting),
            (Phase::Ended, HealthState::Idle),
        ] {
            let stats = Stats { phase, ..Stats::default() };
            assert_eq!(judged(&stats, &[], None).state, state);
        }
        let waiting = RunState::Waiting { until_ms: 1 };
        let signs = Signs {
            run: &waiting,
            error: Some("source: 404"),
            stats: None,
            destinations: &[],
            exchange: None,
            last_original: None,
        };
        assert_eq!(judge(&signs), Health::new(HealthState::Failing, "source: 404"));
    }
}
