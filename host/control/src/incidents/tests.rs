use super::*;
use outboard_pipeline::cause::Cause;

const S: u64 = 1000;

fn refused(off_air: bool) -> Vec<Problem> {
    vec![Problem { cause: Cause::new(HealthCause::Destination, "a: connection refused"), off_air }]
}

fn lost(name: &str) -> Event {
    Event::new(EventKind::DestinationLost, Severity::Warning, format!("destination {name}: connection refused"))
        .destination(name)
}

fn kinds(changes: &[Change]) -> Vec<EventKind> {
    changes.iter().filter_map(|change| Some(change.event.as_ref()?.kind)).collect()
}

/// Forty attempts in a minute: one event of the first, one incident that opens and, when it is over, is resolved.
#[test]
fn a_destination_that_refuses_is_one_incident_with_a_count() {
    let (mut incidents, mut told, mut written) = (Incidents::default(), Vec::new(), 0);
    for attempt in 0..40 {
        let now = 1_000 * S + attempt * 1500;
        written += usize::from(incidents.event(now, lost("a")).is_some());
        told.extend(incidents.look(now + 100, &refused(true), true));
    }
    assert_eq!((written, kinds(&told)), (1, vec![EventKind::IncidentOpened]));
    let opened = told[0].event.as_ref().unwrap();
    assert_eq!((opened.severity, opened.cause), (Severity::Error, Some(HealthCause::Destination)));
    assert!(opened.message.starts_with("destination problem: a: connection refused. Check"), "{}", opened.message);
    assert!(incidents.waits());
    // Back; the first 10 s say nothing.
    let back = 1_000 * S + 60 * S;
    assert_eq!(incidents.look(back, &[], true), []);
    assert_eq!(incidents.look(back + 9 * S, &[], true), []);
    let resolved = incidents.look(back + 10 * S, &[], true);
    assert_eq!(kinds(&resolved), [EventKind::IncidentResolved]);
    let state = &resolved[0].incident;
    assert_eq!((state.count, state.opened_ms, state.resolved_ms), (40, 1_000 * S + 100, Some(back)));
    let message = &resolved[0].event.as_ref().unwrap().message;
    assert_eq!(message, "destination resolved: after 59 s, 40 events: a: connection refused");
    assert!(!incidents.waits());
}

#[test]
fn what_flaps_is_one_incident() {
    let (mut incidents, mut told) = (Incidents::default(), Vec::new());
    for turn in 0..20 {
        let now = S + turn * 8 * S;
        told.extend(incidents.look(now, &refused(true), true));
        told.extend(incidents.look(now + 4 * S, &[], true));
    }
    assert_eq!(kinds(&told), [EventKind::IncidentOpened]);
}

#[test]
fn a_problem_that_gets_worse_escalates_once_and_never_back() {
    let mut incidents = Incidents::default();
    assert_eq!(incidents.look(S, &refused(false), true), [], "it may be over at once");
    assert_eq!(kinds(&incidents.look(4 * S, &refused(false), true)), [EventKind::IncidentOpened]);
    let worse = incidents.look(5 * S, &refused(true), true);
    assert_eq!((kinds(&worse), worse[0].incident.severity), (vec![EventKind::IncidentEscalated], Severity::Error));
    assert_eq!(kinds(&incidents.look(60 * S, &refused(false), true)), []);
    assert_eq!(kinds(&incidents.look(90 * S, &refused(true), true)), []);
}

#[test]
fn a_problem_of_a_moment_is_no_incident() {
    let mut incidents = Incidents::default();
    assert_eq!(incidents.look(S, &refused(false), true), []);
    assert_eq!(incidents.look(S + 500, &[], true), []);
    assert_eq!(incidents.look(60 * S, &refused(false), true), [], "its age counts from when it came back");
    assert!(incidents.waits());
}

#[test]
fn each_cause_has_its_own_incident() {
    let mut incidents = Incidents::default();
    let mut problems = refused(true);
    problems.push(Problem { cause: Cause::new(HealthCause::Processor, "away"), off_air: true });
    let told = incidents.look(S, &problems, true);
    assert_eq!(kinds(&told), [EventKind::IncidentOpened; 2]);
    let told = [incidents.look(2 * S, &refused(true), true), incidents.look(12 * S, &refused(true), true)].concat();
    let resolved: Vec<_> = told.iter().filter(|change| change.incident.resolved_ms.is_some()).collect();
    assert_eq!(resolved.len(), 1);
    assert_eq!(resolved[0].incident.cause, HealthCause::Processor);
}

#[test]
fn nothing_is_resolved_before_the_pipeline_is_on_air_again() {
    let mut incidents = Incidents::default();
    incidents.look(S, &refused(true), true);
    for second in 2..100 {
        assert_eq!(incidents.look(second * S, &[], false), []);
    }
    assert_eq!(incidents.look(100 * S, &[], true), []);
    assert_eq!(kinds(&incidents.look(110 * S, &[], true)), [EventKind::IncidentResolved]);
}

#[test]
fn an_incident_that_was_open_before_a_restart_goes_on_and_is_not_doubled() {
    let mut incidents = Incidents::default();
    let state = incidents.look(S, &refused(true), true).remove(0).incident;
    let mut incidents = Incidents::resume(vec![IncidentState { count: 7, ..state.clone() }]);
    assert_eq!(kinds(&incidents.look(60 * S, &refused(true), true)), []);
    assert_eq!(incidents.event(61 * S, lost("a")).map(|event| event.kind), Some(EventKind::DestinationLost));
    incidents.look(70 * S, &[], true);
    let resolved = incidents.look(80 * S, &[], true).remove(0).incident;
    assert_eq!((resolved.opened_ms, resolved.count), (state.opened_ms, 8));
}

#[test]
fn destinations_and_kinds_are_told_apart_and_what_is_no_repetition_is_always_told() {
    let mut incidents = Incidents::default();
    incidents.look(S, &refused(true), true);
    let mut written = |event: Event| incidents.event(2 * S, event).is_some();
    assert!(written(lost("a")) && written(lost("b")) && !written(lost("a")));
    let dropped = Event::new(EventKind::DestinationDropped, Severity::Error, "x").destination("a");
    assert!(written(dropped.clone()) && !written(dropped));
    for _ in 0..9 {
        assert!(written(Event::new(EventKind::OffAir, Severity::Error, "off air")), "never pushed out of sight");
        assert!(written(Event::new(EventKind::OnAir, Severity::Info, "on air")));
    }
}

#[test]
fn what_repeats_without_an_incident_is_told_once_a_minute_with_a_count() {
    let mut incidents = Incidents::default();
    let gap = || Event::new(EventKind::SourceGap, Severity::Warning, "source: 1 segment is missing");
    let told: Vec<_> = (0..130).filter_map(|second| incidents.event(S + second * S, gap())).collect();
    assert_eq!(told.len(), 3);
    assert!(told[1].message.ends_with("is missing (59 more like this since the last one)"), "{}", told[1].message);
}

#[test]
fn counts_are_written_now_and_then() {
    let mut incidents = Incidents::default();
    incidents.look(S, &refused(true), true);
    let mut writes = 0;
    for tenth in 0..600 {
        let now = 2 * S + tenth * 100;
        incidents.event(now, lost("a"));
        writes += incidents.look(now, &refused(true), true).len();
    }
    assert!((10..=13).contains(&writes), "{writes}");
}

/// A tenant may name a thousand destinations one after the other, each with events that are left out.
#[test]
fn what_is_remembered_of_destinations_that_came_and_went_is_bounded() {
    let mut incidents = Incidents::default();
    for n in 0..10 * INCIDENT_TOLD_MAX as u64 {
        let name = format!("gone-{n}");
        assert!(incidents.event(n * 100 * S, lost(&name)).is_some());
        assert!(incidents.event(n * 100 * S + 1, lost(&name)).is_none());
    }
    assert_eq!(incidents.told.len(), INCIDENT_TOLD_MAX);
    // The newest is still known.
    let last = format!("gone-{}", 10 * INCIDENT_TOLD_MAX - 1);
    let again = incidents.event((10 * INCIDENT_TOLD_MAX as u64) * 100 * S, lost(&last)).unwrap();
    assert!(again.message.ends_with("(1 more like this since the last one)"), "{}", again.message);
    // The same while an incident is open.
    incidents.look(u64::MAX / 2, &refused(true), true);
    let told =
        (0..10 * INCIDENT_TOLD_MAX).filter(|n| incidents.event(u64::MAX / 2, lost(&format!("new-{n}"))).is_some());
    assert_eq!(told.count(), INCIDENT_TOLD_MAX);
    let open = &incidents.open[&HealthCause::Destination];
    assert_eq!((open.told.len(), open.state.count), (INCIDENT_TOLD_MAX, 10 * INCIDENT_TOLD_MAX as u64));
}
