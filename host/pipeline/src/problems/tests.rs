use super::*;

fn on_air(name: &str) -> DestinationStatus {
    DestinationStatus {
        name: name.into(),
        state: DestinationState::Publishing,
        last_packet_at: Some(tokio::time::Instant::now()),
        ..DestinationStatus::default()
    }
}

/// Connected, and nothing left within the last seconds.
fn silent(name: &str) -> DestinationStatus {
    DestinationStatus { last_packet_at: None, ..on_air(name) }
}

fn refused(name: &str) -> DestinationStatus {
    let state = DestinationState::Retrying { reason: "connection refused".into(), attempt: 7 };
    DestinationStatus { state, ..silent(name) }
}

fn stats() -> Stats {
    Stats { phase: Phase::OnAir, ..Stats::default() }
}

fn stale() -> Stats {
    Stats { stale_since_ms: Some(outboard_base::unix_time::now_ms() - 40_000), ..stats() }
}

fn signs<'a>(stats: &'a Stats, destinations: &'a [DestinationStatus]) -> Signs<'a> {
    Signs { stats, destinations, exchange: None, room: None, starved: false }
}

fn first(signs: &Signs<'_>) -> (HealthCause, bool, String) {
    let Problem { cause, off_air } = problems(signs).remove(0);
    (cause.kind, off_air, cause.message)
}

const FULL: NoRoom = NoRoom::Quota { used: 2048, quota: 1024 };

#[test]
fn nothing_is_wrong_while_packets_leave_everywhere() {
    assert_eq!(problems(&signs(&stats(), &[on_air("a"), on_air("b")])), []);
}

#[test]
fn a_full_quota_is_the_cause_and_not_the_destination_that_gets_nothing() {
    let (stats, to) = (stale(), [silent("rtmp-8750")]);
    let full = Signs { room: Some(FULL), starved: true, ..signs(&stats, &to) };
    let (kind, off_air, message) = first(&full);
    assert_eq!((kind, off_air), (HealthCause::Quota, true));
    assert_eq!(message, "the storage quota is reached: 2.0 kB of 1.0 kB: no new segment is fetched");
    assert_eq!(problems(&full).len(), 1, "the source and the destination are not to blame");
    // What was buffered is still on air.
    let to = [on_air("a")];
    let full = Signs { room: Some(FULL), ..signs(&stats, &to) };
    assert_eq!((first(&full).0, first(&full).1), (HealthCause::Quota, false));
    let disk = Signs { room: Some(NoRoom::Disk), starved: true, ..full };
    assert_eq!(first(&disk).0, HealthCause::Disk);
}

#[test]
fn a_stale_source_is_the_cause_and_not_the_destination_that_gets_nothing() {
    let (stats, to) = (stale(), [silent("a")]);
    let dry = Signs { starved: true, ..signs(&stats, &to) };
    let (kind, off_air, message) = first(&dry);
    assert_eq!((kind, off_air, message.as_str()), (HealthCause::Source, true, "source: no new segment for 40 s"));
    // The receiver refuses as well: the source speaks.
    let to = [refused("a")];
    let both = Signs { starved: true, ..signs(&stats, &to) };
    assert_eq!((first(&both).0, problems(&both).len()), (HealthCause::Source, 2));
    // There is enough to send: only the receiver explains that nothing leaves.
    let buffered = signs(&stats, &to);
    assert_eq!((first(&buffered).0, problems(&buffered).len()), (HealthCause::Destination, 2));
}

#[test]
fn a_processor_that_is_away_does_not_explain_that_nothing_leaves() {
    let away = ExchangeStatus { problem: Some("refused".into()), ..ExchangeStatus::default() };
    let (stats, to) = (stats(), [refused("a")]);
    let off = Signs { exchange: Some(&away), ..signs(&stats, &to) };
    assert_eq!(first(&off).0, HealthCause::Destination);
    let to = [on_air("a"), refused("b")];
    let on = Signs { exchange: Some(&away), ..signs(&stats, &to) };
    let (kind, off_air, message) = first(&on);
    assert_eq!((kind, off_air), (HealthCause::Processor, false));
    assert!(message.contains("refused"), "{message}");
    let kinds: Vec<_> = problems(&on).into_iter().map(|problem| problem.cause.kind).collect();
    assert_eq!(kinds, [HealthCause::Processor, HealthCause::Destination]);
}

#[test]
fn batches_that_cannot_be_taken_apart_are_the_sources_fault() {
    let lost = Some(Cause::new(HealthCause::Source, "batch 3 is lost: no usable sound"));
    let (stats, to) = (Stats { lost, ..stats() }, [silent("a")]);
    let (kind, off_air, message) = first(&Signs { starved: true, ..signs(&stats, &to) });
    assert_eq!((kind, off_air, message.as_str()), (HealthCause::Source, true, "batch 3 is lost: no usable sound"));
}

#[test]
fn a_receiver_that_refuses_before_air_is_told() {
    let (stats, to) = (Stats { phase: Phase::Holding, ..Stats::default() }, [refused("a"), silent("b")]);
    assert_eq!(first(&signs(&stats, &to)).0, HealthCause::Destination);
    assert!(!first(&signs(&stats, &to)).1, "the other one may still take packets");
    assert!(first(&signs(&stats, &to[..1])).1);
    assert_eq!(problems(&signs(&stats, &to[1..])), [], "one that waits for its time is fine");
}

#[test]
fn a_destination_that_is_disabled_is_not_judged() {
    let off = DestinationStatus { disabled: true, ..silent("off") };
    let (stats, to) = (stats(), [on_air("a"), off.clone()]);
    assert_eq!(problems(&signs(&stats, &to)), []);
    let to = [off];
    let (kind, off_air, message) = first(&signs(&stats, &to));
    assert_eq!((kind, off_air), (HealthCause::Settings, false));
    assert_eq!(message, "every destination is disabled: no packets are sent");
}

#[test]
fn on_air_far_behind_is_a_problem() {
    let behind = |seconds: u64| [DestinationStatus { backlog_ms: seconds * 1000, ..on_air("a") }];
    let stats = stats();
    assert_eq!(problems(&signs(&stats, &behind(10))), []);
    let (kind, off_air, message) = first(&signs(&stats, &behind(41)));
    assert_eq!((kind, off_air, message.as_str()), (HealthCause::Destination, false, "a: on air, but 41 s behind"));
}

#[test]
fn original_audio_names_who_is_at_fault() {
    let exchange = ExchangeStatus { connected: true, ..ExchangeStatus::default() };
    let to = [on_air("a")];
    for (why, kind) in [("late", Some(HealthCause::Processor)), ("stage", Some(HealthCause::Stage)), ("planned", None)]
    {
        let stats = Stats { last_original: Some(why), ..stats() };
        let found = problems(&Signs { exchange: Some(&exchange), ..signs(&stats, &to) });
        assert_eq!(found.first().map(|problem| problem.cause.kind), kind, "{why}");
    }
    let stage_problems = [("batching", "it trapped".to_owned())].into();
    let failing = Stats { stage_problems, ..stats() };
    let (kind, _, message) = first(&signs(&failing, &to));
    assert_eq!(
        (kind, message.as_str()),
        (HealthCause::Stage, "batching stage: it trapped; the host's default answers")
    );
}

#[test]
fn what_has_been_drained_is_no_outage() {
    let (stats, to) = (Stats { phase: Phase::Draining, ..stale() }, [silent("a")]);
    assert_eq!(problems(&Signs { starved: true, ..signs(&stats, &to) }), []);
    assert!(off_air(&signs(&stats, &to)), "there is still something to send");
}

/// Between two attempts there is one under way, which may take as long: it is not well for that.
#[test]
fn a_destination_that_is_tried_again_is_still_failing() {
    let stats = Stats { phase: Phase::Holding, ..Stats::default() };
    let again = DestinationStatus {
        state: DestinationState::Connecting,
        failing: Some("connection refused".into()),
        ..silent("a")
    };
    let to = [again.clone()];
    assert_eq!(first(&signs(&stats, &to)), (HealthCause::Destination, true, "a: connection refused".to_owned()));
    let to = [DestinationStatus { failing: None, ..again }];
    assert_eq!(problems(&signs(&stats, &to)), [], "the first attempt");
}
