//! Receivers that disconnect, return, stall or forget: nothing is missing, repeats and losses are counted.

use super::*;

#[tokio::test]
async fn a_receiver_that_is_killed_and_comes_back_misses_nothing() {
    let (mut nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 8);
    let mut destination = to("a", &nginx.url("key"));
    destination.max_lag = Duration::from_secs(60);
    let mut programme = Programme::new(vec![destination], 4.0);
    programme.start(&batches);
    for at_ms in [4_300, 9_700] {
        programme.until(0, "on its way", |status| status.position.is_some_and(|at| at.air_ms > at_ms)).await;
        nginx.kill();
        programme.until(0, "noticed", |status| matches!(status.state, DestinationState::Retrying { .. })).await;
        nginx.start_again();
        programme.until(0, "back", |status| status.state == DestinationState::Publishing).await;
    }
    let lost = |event: &AirEvent| matches!(event, AirEvent::Lost { .. });
    assert!(std::iter::from_fn(|| programme.events.try_recv().ok()).any(|event| lost(&event)));
    let (status, _, _) = programme.drain().await;
    let want = from_first(&spooled(&batches));
    let recordings = nginx.recordings("key");
    let (all, repeated) = joined(&recordings, &want);
    assert_same(&all, &want);
    for recording in &recordings[1..] {
        assert!(recording.packets[0].key, "each session starts with a key picture");
    }
    let counters = status[0].counters;
    assert_eq!((counters.reconnects, counters.sessions, counters.dropped), (2, 3, Default::default()));
    // The killed nginx did not record everything that it had received, so it may have recorded fewer repeats than were
    // sent.
    assert!(counters.repeated >= repeated as u64 && counters.repeated > 0, "{} < {repeated}", counters.repeated);
    assert_eq!(sent(&status[0]) - counters.repeated, want.len() as u64);
    // The packets between acknowledgements are a large part of this small stream, but never more than all of it.
    assert!(counters.repeated < 2 * want.len() as u64);
    assert!(status[0].max_own_gap < Duration::from_secs(1), "{:?}", status[0].max_own_gap);
}

#[tokio::test]
async fn acknowledgements_bound_what_a_reconnect_repeats() {
    for acks in [Acks::Total, Acks::WithHandshake, Acks::SinceLast] {
        let dir = scratch();
        let batches = batches(dir.path(), 4);
        // 300 kb/s: the session breaks after about 5 s.
        let script = move |session| Script { acks, close_after: (session == 0).then_some(190_000), ..GOOD };
        let server = FakeServer::start(script).await;
        let programme = Programme::new(vec![to("a", &server.url("key"))], 8.0);
        programme.start(&batches);
        let (status, _, _) = programme.drain().await;
        let want = spooled(&batches);
        let recordings: Vec<_> = server.logs().into_iter().map(|log| log.recording).collect();
        let (all, repeated) = joined(&recordings, &want);
        assert_same(&all, &want);
        // One group of pictures has 69 packets; one more for the steps of acknowledgements, and one for a count that
        // may include the handshake.
        assert!(repeated <= 3 * 69, "{acks:?}: {repeated} repeated");
        assert_eq!(status[0].counters.reconnects, 1);
        assert!(status[0].acked.is_some());
    }
}

#[tokio::test]
async fn without_acknowledgements_nothing_is_missing_either() {
    let dir = scratch();
    let batches = batches(dir.path(), 3);
    let script = |session| Script { acks: Acks::Never, close_after: (session == 0).then_some(120_000), ..GOOD };
    let server = FakeServer::start(script).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 4.0);
    programme.start(&batches);
    let (status, _, _) = programme.drain().await;
    let recordings: Vec<_> = server.logs().into_iter().map(|log| log.recording).collect();
    let want = spooled(&batches);
    let (all, repeated) = joined(&recordings, &want);
    assert_same(&all, &want);
    assert!(repeated > 0 && status[0].counters.repeated >= repeated as u64);
    assert_eq!(status[0].acked, None);
}

#[tokio::test]
async fn one_destination_never_delays_another() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 4);
    let stalled = FakeServer::start(|_| Script { acks: Acks::Never, stall_after: Some(30_000), ..GOOD }).await;
    let silent = FakeServer::start(|_| Script { mute_on: Some("connect"), ..GOOD }).await;
    let dead = format!("rtmp://127.0.0.1:{}/live/key", outboard_tests::receiver::free_port());
    let all = [nginx.url("key"), stalled.url("key"), silent.url("key"), dead];
    let names = ["good", "stalled", "silent", "dead"];
    let destinations = names.iter().zip(&all).map(|(name, url)| to(name, url)).collect();
    let programme = Programme::new(destinations, 4.0);
    programme.start(&batches);
    let began = Instant::now();
    programme.spool.finish();
    programme.until(0, "the good one is done", |status| status.state == DestinationState::Done).await;
    let took = began.elapsed();
    let status = programme.air.stop().await;
    assert_same(&nginx.recordings("key")[0].packets, &from_first(&spooled(&batches)));
    // 8 s of media at four times its speed, the last packets slightly before their time, and the clean end. Waiting for
    // the stalled or the silent receiver would take 6 s more.
    assert!((1_800..5_000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(status[0].counters.late, 0);
    assert!(status[0].max_gap < Duration::from_millis(500), "{:?}", status[0].max_gap);
    assert_eq!(status[3].counters.sessions, 0);
    assert!(status[3].counters.reconnects == 0 && status[3].last_packet_at.is_none() && !status[3].on_air());
}

#[tokio::test]
async fn after_a_crash_at_most_one_group_of_pictures_repeats() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 4);
    let want = from_first(&spooled(&batches));
    let programme = Programme::new(vec![to("a", &nginx.url("key"))], 4.0);
    programme.start(&batches);
    programme.until(0, "in the middle", |status| status.position.is_some_and(|at| at.air_ms > 3_400)).await;
    let position = *programme.journal.0.lock().unwrap().last().unwrap();
    // As after kill -9: the last position is that of a key frame, although more was sent since.
    let Programme { air, spool, clock, .. } = programme;
    let before = air.status()[0].counters;
    drop((air, spool, clock));
    // Another key, because the recorder names files by the second.
    let resumed = DestinationConfig { resume: Some(position), ..to("a", &nginx.url("later")) };
    let again = Programme::new(vec![resumed], 4.0);
    again.append(&batches[position.batch() as usize..]);
    again.clock.start(position.air_ms, Instant::now());
    let (status, _, _) = again.drain().await;
    let recordings = [nginx.recordings("key"), nginx.recordings("later")].concat();
    assert_eq!(recordings.len(), 2);
    let (all, repeated) = joined(&recordings, &want);
    assert_same(&all, &want);
    assert!(repeated <= 69 + 3, "{repeated} repeated");
    assert!(before.repeated == 0 && status[0].counters.dropped == Default::default());
}

#[tokio::test]
async fn a_receiver_that_takes_bytes_but_acknowledges_none_is_left() {
    let dir = scratch();
    let batches = batches(dir.path(), 6);
    // Acknowledges at first, then accepts bytes into its buffers without acknowledging.
    let script = |session| match session {
        0 => Script { acks_end: Some(50_000), stall_after: Some(60_000), ..GOOD },
        _ => GOOD,
    };
    let server = FakeServer::start(script).await;
    let mut destination = to("a", &server.url("key"));
    destination.max_lag = Duration::from_secs(2);
    let mut programme = Programme::new(vec![destination], 1.0);
    programme.start(&batches);
    programme.until(0, "left", |status| status.counters.reconnects == 1).await;
    let lost = std::iter::from_fn(|| programme.events.try_recv().ok()).find_map(|event| match event {
        AirEvent::Lost { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(lost.as_deref(), Some("the server made no progress during acknowledging for 8 s"));
    let (status, _, _) = programme.drain().await;
    let want = spooled(&batches);
    let counters = status[0].counters;
    // Packets that were sent but too old to be repeated do not count as delivered.
    assert!(counters.unconfirmed > 200, "{}", counters.unconfirmed);
    assert_eq!(counters.dropped, Default::default());
    assert_eq!(sent(&status[0]) - counters.repeated, want.len() as u64);
    let second = &server.logs()[1].recording.packets;
    assert!(second[0].key);
    assert_same(&second[second.len() - 60..], &want[want.len() - 60..]);
}

#[tokio::test]
async fn after_a_long_outage_what_is_too_old_is_skipped_and_counted() {
    let dir = scratch();
    let batches = batches(dir.path(), 8);
    let script = |session| match session {
        0 => Script { close_after: Some(60_000), ..GOOD },
        1..5 => Script { refuse_connect: true, ..GOOD },
        _ => GOOD,
    };
    let server = FakeServer::start(script).await;
    let mut destination = to("a", &server.url("key"));
    destination.max_lag = Duration::from_secs(1);
    let programme = Programme::new(vec![destination], 4.0);
    programme.start(&batches);
    let (status, events, _) = programme.drain().await;
    let want = spooled(&batches);
    let counters = status[0].counters;
    let told = events.iter().filter_map(|event| match event {
        AirEvent::Dropped { video, audio, .. } => Some(video + audio),
        _ => None,
    });
    let told: u64 = told.sum();
    assert!(told > 0 && told == counters.dropped.lag, "{told} {:?}", counters.dropped);
    // Everything is accounted for: sent once, or dropped.
    assert_eq!(sent(&status[0]) - counters.repeated + counters.dropped.lag, want.len() as u64);
    let last = server.logs().last().unwrap().recording.packets.clone();
    assert!(last[0].key);
    assert_same(&last, &want[want.len() - last.len()..]);
}

#[tokio::test]
async fn a_backlog_is_sent_faster_than_real_time_but_not_in_one_burst() {
    let dir = scratch();
    let batches = batches(dir.path(), 8);
    let script = |session| Script { refuse_connect: session < 4, ..GOOD };
    let server = FakeServer::start(script).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 4.0);
    let began = Instant::now();
    programme.start(&batches);
    let (status, _, _) = programme.drain().await;
    let took = began.elapsed();
    let log = server.logs().pop().unwrap();
    let packets = &log.recording.packets;
    assert_same(packets, &spooled(&batches));
    assert_eq!(status[0].counters.dropped, Default::default());
    assert!(status[0].counters.late > 50, "what left a second behind its time is counted");
    // The first session opens 1.1 s to 1.5 s late, which is 4.5 s of media or more.
    let media = |within: Duration| {
        let came = log.times.iter().take_while(|at| **at - log.times[0] <= within).count();
        packets[came.min(packets.len() - 1)].dts_ms
    };
    let fast = media(Duration::from_millis(500));
    assert!((2_100..=5_200).contains(&fast), "{fast} ms of media in half a second, twice the clock's 2 s is 4 s");
    // After that it follows the clock, and ends with it: 16 s of media at four times its speed.
    assert!((3_800..8_000).contains(&took.as_millis()), "{took:?}");
}

/// A receiver that is unavailable until the batches are released: its losses are counted at once, not when it is back.
#[tokio::test]
async fn what_is_released_while_the_receiver_is_away_is_counted_at_once() {
    let dir = scratch();
    let batches = batches(dir.path(), 6);
    let server = FakeServer::start(|_| GOOD).await;
    let away = FakeServer::start(|_| Script { refuse_connect: true, ..GOOD }).await;
    let programme = Programme::new(vec![to("here", &server.url("key")), to("away", &away.url("key"))], 8.0);
    programme.append(&batches);
    programme.clock.start(0, Instant::now());
    programme.until(0, "on its way", |status| status.position.is_some_and(|at| at.air_ms > 8_000)).await;
    programme.spool.release_before(4);
    let packets = |range: std::ops::Range<usize>| -> u64 {
        batches[range].iter().map(|batch| (batch.video.tags.len() + batch.audio.tags.len()) as u64).sum()
    };
    programme.until(1, "counted", |status| status.counters.dropped.released >= packets(0..4)).await;
    let status = programme.air.stop().await;
    let counters = status[1].counters;
    assert_eq!(counters.dropped.released, packets(0..4), "{counters:?}");
    assert!((8_000..8_100).contains(&counters.skipped_ms), "{counters:?}");
    assert_eq!((sent(&status[1]), sent(&status[0]) > 0), (0, true));
}

/// A receiver that closes an idle session (SRS does after 5 s) is not at fault: nothing is repeated, and no session is
/// opened before there is something to send.
#[tokio::test]
async fn a_session_that_is_closed_for_want_of_packets_is_no_loss() {
    let dir = scratch();
    let batches = batches(dir.path(), 2);
    let idle = Script { close_idle: Some(Duration::from_millis(3_500)), ..GOOD };
    let server = FakeServer::start(move |_| idle).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 4.0);
    programme.start(&batches[..1]);
    let waits =
        |status: &DestinationStatus| status.counters.reconnects == 1 && status.state == DestinationState::Waiting;
    programme.until(0, "closed by the server", waits).await;
    programme.append(&batches[1..]);
    let (status, events, _) = programme.drain().await;
    let counters = status[0].counters;
    assert_eq!((counters.sessions, counters.repeated, counters.dropped), (2, 0, Default::default()));
    assert!(!events.iter().any(|event| matches!(event, AirEvent::Lost { .. })), "{events:?}");
    let want = spooled(&batches);
    let (joined, repeated) = joined(&server.logs().iter().map(|log| log.recording.clone()).collect::<Vec<_>>(), &want);
    assert_same(&joined, &want);
    assert_eq!(repeated, 0);
}
