//! A faulty journal, disk or spool.

use outboard::pipeline::air::position::TrackPosition;

use super::*;

#[tokio::test]
async fn a_broken_journal_and_a_deaf_listener_hold_packets_back_only_so_long() {
    let dir = scratch();
    let batches = batches(dir.path(), 2);
    let server = FakeServer::start(|_| GOOD).await;
    let (spool, clock) = (Spool::new(), AirClock::with_speed(4.0));
    // Room for one event, which nobody takes.
    let (events, receiver) = mpsc::channel(1);
    let config = AirConfig {
        stream: "test".into(),
        destinations: vec![to("a", &server.url("key"))],
        ffmpeg: "ffmpeg".into(),
        runtime: Handle::current(),
    };
    let cancel = CancellationToken::new();
    let air = Air::start(config, spool.clone(), clock.clone(), Arc::new(BrokenJournal::default()), events, &cancel);
    batches.iter().for_each(|batch| spool.append(batch.clone()));
    clock.start(0, Instant::now());
    let status = air.drain(SOON).await;
    assert_same(&server.logs()[0].recording.packets, &spooled(&batches));
    assert!(status[0].counters.journal_failures >= 5, "{:?}", status[0].counters);
    assert!(status[0].counters.events_lost >= 2, "{:?}", status[0].counters);
    drop(receiver);
}

#[tokio::test]
async fn what_cannot_be_read_is_counted_up_to_the_next_key_picture() {
    let dir = scratch();
    let mut batches = batches(dir.path(), 3);
    let want = spooled(&batches);
    // The second batch's file is truncated within its first second.
    let cut = batches[1].video.tags[10].offset;
    let file = std::fs::OpenOptions::new().write(true).open(&batches[1].video.path).unwrap();
    file.set_len(cut).unwrap();
    batches[1].end_ms = 4_000;
    let server = FakeServer::start(|_| GOOD).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 8.0);
    programme.start(&batches);
    let (status, events, _) = programme.drain().await;
    let got = &server.logs()[0].recording.packets;
    let counters = status[0].counters;
    assert_eq!(got.len() as u64 + counters.dropped.unreadable, want.len() as u64);
    assert!((100..115).contains(&counters.dropped.unreadable), "{:?}", counters.dropped);
    let after = got.iter().find(|seen| seen.kind == TagKind::Video && seen.dts_ms > 2_400).unwrap();
    assert!(after.key, "pictures go on with a key picture");
    assert!(events.iter().any(|event| matches!(event, AirEvent::Dropped { reason: DropReason::Unreadable, .. })));
}

#[tokio::test]
async fn batches_released_too_early_are_counted() {
    let dir = scratch();
    let batches = batches(dir.path(), 4);
    let server = FakeServer::start(|_| GOOD).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 4.0);
    programme.append(&batches);
    programme.clock.start(0, Instant::now());
    programme.until(0, "on its way", |status| status.position.is_some_and(|at| at.air_ms > 500)).await;
    programme.spool.release_before(3);
    let (status, events, _) = programme.drain().await;
    let want = spooled(&batches);
    let counters = status[0].counters;
    assert!(counters.dropped.released > 250, "{:?}", counters.dropped);
    assert_eq!(sent(&status[0]) + counters.dropped.released, want.len() as u64);
    assert!(events.iter().any(|event| matches!(event, AirEvent::Dropped { reason: DropReason::Released, .. })));
    let got = &server.logs()[0].recording.packets;
    assert_same(&got[got.len() - 120..], &want[want.len() - 120..]);
}

/// Checks the receiver while a position is being recorded.
struct Watchful {
    server: FakeServer,
    batches: Vec<ReadyBatch>,
    looked: Mutex<Vec<(usize, usize)>>,
}

impl AirJournal for Watchful {
    fn key_frame(&self, _destination: &str, position: Position) -> BoxFuture<'_, Result<(), JournalError>> {
        async move {
            let before = |at: TrackPosition, len: fn(&ReadyBatch) -> usize| {
                self.batches.iter().take(at.batch as usize).map(len).sum::<usize>() + at.tag as usize
            };
            let want = before(position.video, |batch| batch.video.tags.len())
                + before(position.audio, |batch| batch.audio.tags.len());
            let there = || self.server.logs()[0].recording.packets.len();
            // Waits until everything written earlier has passed through the sockets.
            while there() < want {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.looked.lock().unwrap().push((want, there()));
            Ok(())
        }
        .boxed()
    }
}

#[tokio::test]
async fn a_position_is_journalled_when_all_before_it_and_nothing_after_it_has_left() {
    let dir = scratch();
    let batches = batches(dir.path(), 2);
    let server = FakeServer::start(|_| GOOD).await;
    let url = server.url("key");
    let journal = Arc::new(Watchful { server, batches: batches.clone(), looked: Mutex::default() });
    let (spool, clock) = (Spool::new(), AirClock::with_speed(2.0));
    let (events, _receiver) = mpsc::channel(100);
    let config = AirConfig {
        stream: "test".into(),
        destinations: vec![to("a", &url)],
        ffmpeg: "ffmpeg".into(),
        runtime: Handle::current(),
    };
    let cancel = CancellationToken::new();
    let air = Air::start(config, spool.clone(), clock.clone(), journal.clone(), events, &cancel);
    batches.iter().for_each(|batch| spool.append(batch.clone()));
    clock.start(0, Instant::now());
    let status = air.drain(SOON).await;
    let looked = journal.looked.lock().unwrap().clone();
    assert!(looked.len() > 4 && status[0].counters.journal_failures == 0, "{looked:?} {:?}", status[0].counters);
    assert!(looked.iter().all(|(want, there)| want == there), "{looked:?}");
}
