//! How a pipeline is, in one word and one sentence: read off packets that left, not off tasks that live (law 7).

use serde::{Deserialize, Serialize};

use super::runner::RunState;
use outboard_pipeline::cause::{Cause, HealthCause};
use outboard_pipeline::problems::{Problem, Signs, problems};
use outboard_pipeline::status::Phase;

/// A pipeline's health, judged by the packets sent in the last seconds.
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

/// One word, why, and what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The state that the reason explains.
    pub state: HealthState,
    /// The reason, for people.
    pub reason: String,
    /// Where the reason comes from; `None` where nothing is wrong.
    pub cause: Option<HealthCause>,
    /// What to do about it, one sentence; empty where nothing is wrong.
    pub advice: String,
}

impl Health {
    fn well(state: HealthState, reason: impl Into<String>) -> Self {
        Self { state, reason: reason.into(), cause: None, advice: String::new() }
    }

    fn of(state: HealthState, cause: &Cause) -> Self {
        Self { state, reason: cause.message.clone(), cause: Some(cause.kind), advice: cause.advice().to_owned() }
    }
}

/// What health is judged by.
#[derive(Debug)]
pub struct Vitals<'a> {
    /// What the runner does.
    pub run: &'a RunState,
    /// Why it last ended, while it is stopped.
    pub ended: Option<&'a str>,
    /// Why it last failed.
    pub error: Option<&'a Cause>,
    /// What can be seen of the pipeline, while one is there.
    pub signs: Option<Signs<'a>>,
}

/// Judges: how it is, and every problem that was found, the cause first.
pub fn judge(vitals: &Vitals<'_>) -> (Health, Vec<Problem>) {
    use HealthState::{Degraded, Failing, Healthy, Idle, Starting};
    let failed = |cause: &Cause| (Health::of(Failing, cause), vec![Problem { cause: cause.clone(), off_air: true }]);
    let well = |state, reason: &str| (Health::well(state, reason), Vec::new());
    match (vitals.run, vitals.error) {
        (RunState::Stopped, _) => return well(Idle, vitals.ended.unwrap_or("stopped")),
        // One that failed and is tried again is no better for that.
        (RunState::Waiting { .. } | RunState::Loading, Some(error)) => return failed(error),
        (RunState::Waiting { .. } | RunState::Loading, None) => return well(Starting, "starting"),
        (RunState::Running | RunState::Stopping, _) => {}
    }
    let Some(signs) = &vitals.signs else { return well(Starting, "starting") };
    let (phase, problems) = (signs.stats.phase, problems(signs));
    let first = problems.first();
    let state = match (phase, first) {
        (Phase::Ended, _) => return well(Idle, "ended"),
        (Phase::Starting, None) if vitals.error.is_some() => return vitals.error.map(failed).unwrap_or_default(),
        (Phase::Starting, None) => return well(Starting, "looking for the source"),
        (Phase::Buffering, None) => return well(Starting, "collecting the first batch"),
        (Phase::Holding, None) => return well(Starting, "the first batch is complete and waits for its time on air"),
        // It ends, and nothing is left that would leave: it is well only if it did not fail before.
        (Phase::Draining, None) if !signs.destinations.iter().any(|to| to.on_air()) => {
            return vitals.error.map_or_else(|| well(Idle, "ending; everything was sent"), failed);
        }
        (_, Some(problem)) if problem.off_air => Failing,
        // On its way to air all the same.
        (Phase::Starting | Phase::Buffering | Phase::Holding, Some(_)) => Starting,
        (Phase::OnAir | Phase::Draining, Some(_)) => Degraded,
        (Phase::OnAir | Phase::Draining, None) => Healthy,
    };
    let health = match first {
        Some(Problem { cause, off_air: true }) if matches!(phase, Phase::OnAir | Phase::Draining) => {
            Health { reason: format!("off air: {}", cause.message), ..Health::of(state, cause) }
        }
        Some(problem) => Health::of(state, &problem.cause),
        None if signs.exchange.is_some() => Health::well(Healthy, "on air with processed audio"),
        None => Health::well(Healthy, "on air"),
    };
    (health, problems)
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_egress::status::{DestinationState, DestinationStatus};
    use outboard_pipeline::status::Stats;

    fn judged(stats: &Stats, destinations: &[DestinationStatus]) -> Health {
        let signs = Signs { stats, destinations, exchange: None, room: None, starved: false };
        judge(&Vitals { run: &RunState::Running, ended: None, error: None, signs: Some(signs) }).0
    }

    #[test]
    fn one_that_failed_is_not_well_while_it_ends() {
        let stats = Stats { phase: Phase::Draining, ..Stats::default() };
        let waiting = DestinationStatus { name: "a".into(), ..DestinationStatus::default() };
        let cause = Cause::new(HealthCause::Source, "source: 404");
        let judged = |error| {
            let destinations = std::slice::from_ref(&waiting);
            let signs = Signs { stats: &stats, destinations, exchange: None, room: None, starved: true };
            judge(&Vitals { run: &RunState::Running, ended: None, error, signs: Some(signs) }).0
        };
        assert_eq!((judged(Some(&cause)).state, judged(None).state), (HealthState::Failing, HealthState::Idle));
    }

    #[test]
    fn off_air_says_so_with_cause_and_advice() {
        let stats = Stats { phase: Phase::OnAir, ..Stats::default() };
        let silent = DestinationStatus {
            name: "a".into(),
            state: DestinationState::Retrying { reason: "connection refused".into(), attempt: 3 },
            ..DestinationStatus::default()
        };
        let health = judged(&stats, std::slice::from_ref(&silent));
        assert_eq!((health.state, health.cause), (HealthState::Failing, Some(HealthCause::Destination)));
        assert_eq!(health.reason, "off air: a: connection refused");
        assert_eq!(health.advice, HealthCause::Destination.advice());
        let on_air = DestinationStatus {
            name: "b".into(),
            state: DestinationState::Publishing,
            last_packet_at: Some(tokio::time::Instant::now()),
            ..DestinationStatus::default()
        };
        let both = judged(&stats, &[on_air.clone(), silent]);
        assert_eq!(both.state, HealthState::Degraded);
        assert_eq!(both.reason, "1 of 2 destinations receive no packets: a: connection refused");
        assert_eq!(judged(&stats, &[on_air]), Health::well(HealthState::Healthy, "on air"));
    }

    #[test]
    fn before_air_and_after_it() {
        for (phase, state) in [
            (Phase::Starting, HealthState::Starting),
            (Phase::Holding, HealthState::Starting),
            (Phase::Ended, HealthState::Idle),
        ] {
            let stats = Stats { phase, ..Stats::default() };
            assert_eq!(judged(&stats, &[]).state, state);
        }
        let error = Cause::new(HealthCause::Source, "source: 404");
        for run in [RunState::Waiting { until_ms: 1 }, RunState::Loading] {
            let (health, problems) = judge(&Vitals { run: &run, ended: None, error: Some(&error), signs: None });
            assert_eq!(health, Health::of(HealthState::Failing, &error));
            assert_eq!(problems, [Problem { cause: error.clone(), off_air: true }]);
        }
    }
}
