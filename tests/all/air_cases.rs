//! Air: what is in the spool arrives, once, in order and in time, whatever the receiver does.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use outboard::media::flv::TagKind;
use outboard::pipeline::air::clock::AirClock;
use outboard::pipeline::air::journal::{AirEvent, AirJournal, DropReason, JournalError};
use outboard::pipeline::air::position::Position;
use outboard::pipeline::air::rtmp::transport::TlsSettings;
use outboard::pipeline::air::spool::{ReadyBatch, Spool};
use outboard::pipeline::air::status::{DestinationState, DestinationStatus};
use outboard::pipeline::air::target::Target;
use outboard::pipeline::air::{Air, AirConfig, DestinationConfig};
use outboard_tests::receiver::clip::{OTHER_SIZE, SMALL, audio_only};
use outboard_tests::receiver::fake::{Acks, FakeServer, GOOD, Script};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::receiver::packets::{Recording, Seen, assert_same, from_first, spooled};
use outboard_tests::receiver::tls::TlsFront;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Nothing here takes longer, unless it is broken.
const SOON: Duration = Duration::from_secs(20);

/// What has been journalled, in order.
#[derive(Debug, Default)]
struct MemoryJournal(Mutex<Vec<Position>>);

impl AirJournal for MemoryJournal {
    fn key_frame(&self, _destination: &str, position: Position) -> BoxFuture<'_, Result<(), JournalError>> {
        async move {
            self.0.lock().unwrap().push(position);
            Ok(())
        }
        .boxed()
    }
}

/// A journal that is broken: it fails, then it never answers.
#[derive(Debug, Default)]
struct BrokenJournal(Mutex<u32>);

impl AirJournal for BrokenJournal {
    fn key_frame(&self, _destination: &str, _position: Position) -> BoxFuture<'_, Result<(), JournalError>> {
        let calls = {
            let mut calls = self.0.lock().unwrap();
            *calls += 1;
            *calls
        };
        if calls == 2 {
            std::future::pending().boxed()
        } else {
            std::future::ready(Err(JournalError("full".into()))).boxed()
        }
    }
}

/// A programme on air.
struct Programme {
    air: Air,
    spool: Spool,
    clock: AirClock,
    journal: Arc<MemoryJournal>,
    events: mpsc::Receiver<AirEvent>,
}

impl Programme {
    /// Puts these destinations on air, with a clock of this speed; nothing is in the spool and the clock stands.
    fn new(destinations: Vec<DestinationConfig>, speed: f64) -> Self {
        let (spool, clock, journal) = (Spool::new(), AirClock::with_speed(speed), Arc::new(MemoryJournal::default()));
        let (events, receiver) = mpsc::channel(1000);
        let config = AirConfig { stream: "test".into(), destinations, ffmpeg: "ffmpeg".into() };
        let cancel = CancellationToken::new();
        let air = Air::start(config, spool.clone(), clock.clone(), journal.clone(), events, &cancel);
        Self { air, spool, clock, journal, events: receiver }
    }

    fn append(&self, batches: &[ReadyBatch]) {
        batches.iter().for_each(|batch| self.spool.append(batch.clone()));
    }

    fn start(&self, batches: &[ReadyBatch]) {
        self.append(batches);
        self.clock.start(batches[0].start_ms, Instant::now());
    }

    /// Waits until a destination's status is as wanted.
    async fn until(&self, destination: usize, what: &str, wanted: impl FnMut(&DestinationStatus) -> bool) {
        let mut status = self.air.watch().swap_remove(destination);
        let waited = timeout(SOON, status.wait_for(wanted)).await.map(|found| found.is_ok());
        assert_eq!(waited, Ok(true), "{what}: {:?}", self.air.status()[destination]);
    }

    async fn drain(self) -> (Vec<DestinationStatus>, Vec<AirEvent>, Vec<Position>) {
        let status = self.air.drain(SOON).await;
        let mut events = Vec::new();
        let mut receiver = self.events;
        while let Ok(event) = receiver.try_recv() {
            events.push(event);
        }
        let journal = self.journal.0.lock().unwrap().clone();
        (status, events, journal)
    }
}

fn to(name: &str, url: &str) -> DestinationConfig {
    DestinationConfig::new(name, Target::parse(url).unwrap())
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn batches(dir: &Path, count: u64) -> Vec<ReadyBatch> {
    SMALL.batches(dir, 0, count, 2_000, 0)
}

/// The packets of several recordings without those that a later one repeats; and how many were repeated.
fn joined(recordings: &[Recording], want: &[Seen]) -> (Vec<Seen>, usize) {
    let mut all: Vec<Seen> = Vec::new();
    let mut repeated = 0;
    for recording in recordings {
        let Some(first) = recording.packets.first() else { continue };
        let at = want.iter().position(|seen| seen.digest == first.digest).expect("a packet of the spool");
        let base = want[at].dts_ms - first.dts_ms;
        assert!(at <= all.len(), "packets {} to {at} are missing", all.len());
        repeated += all.len() - at;
        all.truncate(at);
        all.extend(recording.packets.iter().map(|seen| Seen { dts_ms: seen.dts_ms + base, ..*seen }));
    }
    (all, repeated)
}

fn sent(status: &DestinationStatus) -> u64 {
    status.counters.video + status.counters.audio
}

#[tokio::test]
async fn what_nginx_records_is_what_the_spool_held() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 8);
    let programme = Programme::new(vec![to("a", &nginx.url("key"))], 8.0);
    programme.start(&batches[..1]);
    // The others come while the first is on air.
    for batch in &batches[1..] {
        programme.append(std::slice::from_ref(batch));
        tokio::task::yield_now().await;
    }
    let (status, events, journal) = programme.drain().await;
    let want = spooled(&batches);
    let recordings = nginx.recordings("key");
    assert_eq!(recordings.len(), 1, "one session");
    assert_same(&recordings[0].packets, &from_first(&want));
    let status = &status[0];
    assert_eq!(status.state, DestinationState::Done);
    assert_eq!(sent(status), want.len() as u64);
    let counters = status.counters;
    assert_eq!((counters.headers, counters.metadata, counters.sessions), (2, 1, 1));
    assert_eq!((counters.repeated, counters.late, counters.reconnects), (0, 0, 0));
    assert_eq!(counters.dropped, Default::default());
    for number in 0..8 {
        let of = |event: &&AirEvent| match event {
            AirEvent::BatchOnAir { batch, .. } | AirEvent::BatchDone { batch, .. } => *batch == number,
            _ => false,
        };
        let told: Vec<_> = events.iter().filter(of).collect();
        assert!(
            matches!(told[..], [AirEvent::BatchOnAir { .. }, AirEvent::BatchDone { video: 50, .. }]),
            "batch {number}: {told:?}"
        );
    }
    // Each key picture was journalled before it left, and the end.
    for key in want.iter().filter(|seen| seen.key) {
        let times = journal.iter().filter(|position| position.air_ms == key.dts_ms).count();
        assert_eq!(times, 1, "the key picture at {} ms", key.dts_ms);
    }
    assert_eq!(journal.last().unwrap().air_ms, 16_000);
}

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
    // Some that the dead nginx had taken it did not write down, so it may have recorded fewer repeats than were sent.
    assert!(counters.repeated >= repeated as u64 && counters.repeated > 0, "{} < {repeated}", counters.repeated);
    assert_eq!(sent(&status[0]) - counters.repeated, want.len() as u64);
    // 256 KiB between acknowledgements is much of this small stream, but never more than all of it.
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
        // One group of pictures is 69 packets; one more for acknowledgements that come in steps, and one for a count
        // that must leave room for the handshake.
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
    // 8 s of media at four times its speed, the last packets a little before their time, and the clean end.
    assert!((1_800..2_600).contains(&took.as_millis()), "{took:?}");
    assert_eq!(status[0].counters.late, 0);
    assert!(status[0].max_gap < Duration::from_millis(500), "{:?}", status[0].max_gap);
    assert_eq!(status[3].counters.sessions, 0);
    assert!(status[3].counters.reconnects == 0 && status[3].last_packet_at.is_none() && !status[3].on_air());
}

#[tokio::test]
async fn headers_go_out_once_and_again_when_they_change() {
    let dir = scratch();
    let mut all = SMALL.batches(dir.path(), 0, 2, 2_000, 0);
    all.extend(OTHER_SIZE.batches(dir.path(), 2, 2, 2_000, 4_000));
    let server = FakeServer::start(|_| GOOD).await;
    let programme = Programme::new(vec![to("a", &server.url("key?token=1"))], 8.0);
    programme.start(&all);
    let (status, _, _) = programme.drain().await;
    let logs = server.logs();
    assert_eq!(logs.len(), 1);
    let recording = &logs[0].recording;
    let headers: Vec<_> = recording.headers.iter().map(|(_, body)| body.as_slice()).collect();
    let (first, other) = (&all[0], &all[2]);
    let want = [&first.video.header, &first.audio.header, &other.video.header];
    assert_eq!(headers, want.map(|header| header.as_deref().unwrap()));
    assert_eq!((recording.scripts, status[0].counters.headers, status[0].counters.metadata), (2, 3, 2));
    assert_same(&recording.packets, &spooled(&all));
    assert_eq!(logs[0].names, ["live", &server.url("x")[..server.url("x").len() - 2], "key?token=1"]);
    let commands = ["connect", "releaseStream", "FCPublish", "createStream", "publish", "FCUnpublish", "deleteStream"];
    assert_eq!(logs[0].commands, commands);
    assert!(logs[0].ended && logs[0].pongs == 1);
}

#[tokio::test]
async fn a_busy_stream_is_tried_again_without_growing_waits() {
    let dir = scratch();
    let batches = batches(dir.path(), 3);
    // Lost after some media; then twice busy, as SRS is after a broken connection: once said, once by hanging up.
    let script = |session| match session {
        0 => Script { close_after: Some(60_000), ..GOOD },
        1 => Script { refuse_publish: Some("NetStream.Publish.BadName: StreamBusy"), ..GOOD },
        2 => Script { close_on: Some("publish"), ..GOOD },
        _ => GOOD,
    };
    let server = FakeServer::start(script).await;
    let mut programme = Programme::new(vec![to("a", &server.url("key"))], 2.0);
    programme.start(&batches);
    programme.until(0, "back", |status| status.counters.sessions == 2).await;
    let reasons: Vec<_> = std::iter::from_fn(|| programme.events.try_recv().ok())
        .filter_map(|event| match event {
            AirEvent::Lost { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[1].starts_with("the stream is busy"), "{reasons:?}");
    let (status, _, _) = programme.drain().await;
    let recordings: Vec<_> = server.logs().into_iter().map(|log| log.recording).collect();
    let want = spooled(&batches);
    assert_same(&joined(&recordings, &want).0, &want);
    assert_eq!(status[0].counters.dropped, Default::default());
    // The outage is the receiver's, not ours.
    assert!(status[0].max_gap > Duration::from_secs(2), "{:?}", status[0].max_gap);
    assert!(status[0].max_own_gap < Duration::from_millis(600), "{:?}", status[0].max_own_gap);
}

#[tokio::test]
async fn what_a_server_refuses_is_named_without_secrets() {
    let cases: [(Script, &str); 5] = [
        (Script { refuse_connect: true, ..GOOD }, "the server refused connect: NetConnection.Connect.Rejected go away"),
        (
            Script { refuse_publish: Some("NetStream.Publish.Denied"), ..GOOD },
            "refused publish: NetStream.Publish.Denied",
        ),
        (Script { close_on: Some("createStream"), ..GOOD }, "closed the connection during createStream"),
        (
            Script { status: Some(("error", "NetStream.Failed")), ..GOOD },
            "the server refused publishing: NetStream.Failed",
        ),
        (Script { refuse_publish: Some("SECRET-KEY is wrong"), ..GOOD }, "… is wrong"),
    ];
    let dir = scratch();
    let batches = batches(dir.path(), 1);
    for (script, want) in cases {
        let server = FakeServer::start(move |_| script).await;
        let mut programme = Programme::new(vec![to("a", &server.url("SECRET-KEY"))], 1.0);
        programme.start(&batches);
        let lost = async {
            loop {
                if let Some(AirEvent::Lost { reason, .. }) = programme.events.recv().await {
                    return reason;
                }
            }
        };
        let reason = timeout(SOON, lost).await.unwrap();
        assert!(reason.contains(want) && !reason.contains("SECRET"), "{reason}");
        let status = programme.air.stop().await;
        assert_eq!(status[0].state, DestinationState::Stopped);
        assert_eq!(status[0].url, server.url("…"));
    }
}

#[tokio::test]
async fn rtmps_with_a_certificate_that_is_trusted_and_one_that_is_not() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let front = TlsFront::start(nginx.port()).await;
    let batches = batches(dir.path(), 1);
    let url = |key: &str| format!("rtmps://127.0.0.1:{}/live/{key}", front.port());
    let mut destinations = vec![to("trusting", &url("a")), to("careless", &url("b")), to("wary", &url("c"))];
    destinations[0].tls = TlsSettings { extra_ca: Some(front.certificate().to_owned()), insecure: false };
    destinations[1].tls = TlsSettings { extra_ca: None, insecure: true };
    let programme = Programme::new(destinations, 4.0);
    programme.start(&batches);
    programme.until(2, "refused", |status| matches!(status.state, DestinationState::Retrying { .. })).await;
    programme.spool.finish();
    programme.until(0, "done", |status| status.state == DestinationState::Done).await;
    programme.until(1, "done", |status| status.state == DestinationState::Done).await;
    let status = programme.air.stop().await;
    let want = from_first(&spooled(&batches));
    assert_same(&nginx.recordings("a")[0].packets, &want);
    assert_same(&nginx.recordings("b")[0].packets, &want);
    assert_eq!((status[2].counters.sessions, nginx.recordings("c").len()), (0, 0));
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
    // As good as kill -9: no clean end, no last position.
    let Programme { air, spool, clock, .. } = programme;
    let before = air.status()[0].counters;
    drop((air, spool, clock));
    let resumed = DestinationConfig { resume: Some(position), ..to("a", &nginx.url("key")) };
    let again = Programme::new(vec![resumed], 4.0);
    again.append(&batches[position.batch() as usize..]);
    again.clock.start(position.air_ms, Instant::now());
    let (status, _, _) = again.drain().await;
    let recordings = nginx.recordings("key");
    assert_eq!(recordings.len(), 2);
    let (all, repeated) = joined(&recordings, &want);
    assert_same(&all, &want);
    assert!(repeated <= 69 + 3, "{repeated} repeated");
    assert!(before.repeated == 0 && status[0].counters.dropped == Default::default());
}

#[tokio::test]
async fn a_starved_clock_stands_still_and_goes_on() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 3);
    let programme = Programme::new(vec![to("a", &nginx.url("key"))], 4.0);
    programme.start(&batches[..1]);
    programme.until(0, "at its end", |status| status.position.is_some_and(|at| at.video.tag == 50)).await;
    let mut changes = programme.clock.watch();
    let stalled = async {
        while programme.clock.status().stalled_for < Duration::from_millis(400) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, stalled).await.unwrap();
    changes.mark_unchanged();
    assert_eq!(programme.clock.now_ms(), Some(2_000), "never past the spool");
    programme.append(&batches[1..]);
    timeout(SOON, changes.changed()).await.unwrap().unwrap();
    assert!(programme.clock.now_ms().unwrap() < 2_400, "goes on where it stood");
    assert_eq!(programme.clock.status().stalls, 1);
    let (status, _, _) = programme.drain().await;
    assert_same(&nginx.recordings("key")[0].packets, &from_first(&spooled(&batches)));
    assert_eq!(status[0].counters.late, 0);
    // The gap was ours, and is shown as such.
    let gap = status[0].max_own_gap;
    assert!((300..900).contains(&gap.as_millis()), "{gap:?}");
}

#[tokio::test]
async fn a_receiver_that_takes_bytes_but_acknowledges_none_is_left() {
    let dir = scratch();
    let batches = batches(dir.path(), 6);
    // Acknowledges at first, then takes bytes into its buffers without a word.
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
    // What it had been given and was too old to be repeated is not called delivered.
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
    // The first session comes 1.1 s to 1.5 s late, which is 4.5 s of media or more.
    let media = |within: Duration| {
        let came = log.times.iter().take_while(|at| **at - log.times[0] <= within).count();
        packets[came.min(packets.len() - 1)].dts_ms
    };
    let fast = media(Duration::from_millis(500));
    assert!((2_500..=5_200).contains(&fast), "{fast} ms of media in half a second, twice the clock's 2 s is 4 s");
    // Then it is with the clock, and ends with it: 16 s of media at four times its speed.
    assert!((3_800..4_600).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn sound_alone_goes_on_air_and_is_resumed_anywhere() {
    let dir = scratch();
    let batches = audio_only(batches(dir.path(), 3));
    let script = |session| Script { close_after: (session == 0).then_some(40_000), ..GOOD };
    let server = FakeServer::start(script).await;
    let programme = Programme::new(vec![to("a", &server.url("key"))], 4.0);
    programme.start(&batches);
    let (status, _, journal) = programme.drain().await;
    let recordings: Vec<_> = server.logs().into_iter().map(|log| log.recording).collect();
    assert_eq!(recordings.len(), 2);
    let want = spooled(&batches);
    let (all, repeated) = joined(&recordings, &want);
    assert_same(&all, &want);
    // What 20 000 bytes between acknowledgements and the handshake's 3073 hold, and a second between marks.
    assert!(repeated <= 23_073 / 180 + 44, "{repeated}");
    assert_eq!((recordings[0].headers.len(), status[0].counters.video), (1, 0));
    // A position each second.
    assert!(journal.len() >= 6, "{journal:?}");
}

#[tokio::test]
async fn timestamps_go_on_where_24_and_32_bits_end() {
    for at_ms in [0x00FF_FFFF - 1_000, 0xFFFF_FFFF - 1_000u64] {
        let dir = scratch();
        let batches = SMALL.batches(dir.path(), 0, 1, 2_000, at_ms);
        let server = FakeServer::start(|_| GOOD).await;
        let nginx = Nginx::start();
        let programme = Programme::new(vec![to("a", &server.url("key")), to("b", &nginx.url("key"))], 8.0);
        programme.start(&batches);
        programme.drain().await;
        let want: Vec<_> =
            spooled(&batches).iter().map(|seen| Seen { dts_ms: seen.dts_ms % (1 << 32), ..*seen }).collect();
        assert_same(&server.logs()[0].recording.packets, &want);
        let digests = |packets: &[Seen]| packets.iter().map(|seen| seen.digest).collect::<Vec<_>>();
        assert_eq!(digests(&nginx.recordings("key")[0].packets), digests(&want));
    }
}

/// Packets of a media file as ffprobe reads them: kind and digest of what the codec gets, in order per track.
fn probe(url: &str, flags: &[&str]) -> [Vec<String>; 2] {
    ["v", "a"].map(|track| {
        let output = std::process::Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error"])
            .args(flags)
            .args(["-i", url, "-map", &format!("0:{track}"), "-c", "copy"])
            .args(if track == "v" { &["-bsf:v", "h264_mp4toannexb,filter_units=remove_types=9"][..] } else { &[] })
            .args(["-f", "framemd5", "-"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
            .collect()
    })
}

#[tokio::test]
async fn files_of_all_kinds_hold_the_stream() {
    let dir = scratch();
    let batches = batches(dir.path(), 3);
    let names = ["out.flv", "out.mkv", "out.mp4", "out.ts"];
    let url = |name: &&str| format!("file:{}/{name}", dir.path().display());
    let programme = Programme::new(names.iter().map(|name| to(name, &url(name))).collect(), 8.0);
    programme.start(&batches);
    let (status, events, _) = programme.drain().await;
    let want = spooled(&batches);
    for status in &status {
        assert_eq!(
            (status.state.clone(), sent(status)),
            (DestinationState::Done, want.len() as u64),
            "{}",
            status.name
        );
    }
    assert!(!events.iter().any(|event| matches!(event, AirEvent::Lost { .. })), "{events:?}");
    assert_same(&Recording::read(&dir.path().join("out.flv")).packets, &from_first(&want));
    let path = |name: &str| dir.path().join(name).display().to_string();
    let [video, audio] = probe(&path("out.flv"), &[]);
    assert_eq!(video.len() + audio.len(), want.len());
    for name in ["out.mkv", "out.mp4"] {
        assert!(probe(&path(name), &[]) == [video.clone(), audio.clone()], "{name}");
    }
    // MPEG-TS wraps sound in ADTS and pictures in access unit delimiters: numbers are compared.
    let [ts_video, ts_audio] = probe(&path("out.ts"), &[]);
    assert_eq!((ts_video.len(), ts_audio.len()), (video.len(), audio.len()));
}

#[tokio::test]
async fn a_changed_header_starts_a_new_file_and_a_dead_process_another() {
    let dir = scratch();
    let mut all = SMALL.batches(dir.path(), 0, 1, 2_000, 0);
    all.extend(OTHER_SIZE.batches(dir.path(), 1, 1, 2_000, 2_000));
    let out = scratch();
    let programme = Programme::new(vec![to("a", &format!("file:{}/x.mkv", out.path().display()))], 8.0);
    programme.start(&all);
    let (status, _, _) = programme.drain().await;
    assert_eq!((status[0].counters.sessions, status[0].counters.reconnects), (2, 0));
    let [first, _] = probe(&out.path().join("x.mkv").display().to_string(), &[]);
    let [second, _] = probe(&out.path().join("x-2.mkv").display().to_string(), &[]);
    assert_eq!((first.len(), second.len()), (50, 50));
}

#[tokio::test]
async fn srt_carries_the_stream() {
    let (dir, out) = (scratch(), scratch());
    let batches = batches(dir.path(), 3);
    let port = outboard_tests::receiver::free_port();
    let path = out.path().join("srt.ts");
    let mut listener = tokio::process::Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-copyts", "-i"])
        .arg(format!("srt://127.0.0.1:{port}?mode=listener&passphrase=0123456789ab"))
        .args(["-map", "0", "-c", "copy", "-f", "mpegts"])
        .arg(&path)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let url = format!("srt://127.0.0.1:{port}?mode=caller&passphrase=0123456789ab");
    let programme = Programme::new(vec![to("a", &url)], 2.0);
    programme.start(&batches);
    let (status, _, _) = programme.drain().await;
    let want = spooled(&batches);
    assert_eq!(
        (status[0].state.clone(), sent(&status[0]) - status[0].counters.repeated),
        (DestinationState::Done, want.len() as u64)
    );
    assert!(!status[0].url.contains("0123456789"), "{}", status[0].url);
    timeout(SOON, listener.wait()).await.unwrap().unwrap();
    let [video, audio] = probe(&path.display().to_string(), &[]);
    // A live protocol may lose its first moments while the other side looks at the stream, not its end.
    assert!(video.len() >= 140 && audio.len() >= 240, "{} {}", video.len(), audio.len());
}

#[tokio::test]
async fn a_broken_journal_and_a_deaf_listener_hold_packets_back_only_so_long() {
    let dir = scratch();
    let batches = batches(dir.path(), 2);
    let server = FakeServer::start(|_| GOOD).await;
    let (spool, clock) = (Spool::new(), AirClock::with_speed(4.0));
    // Room for one event, and nobody takes it.
    let (events, receiver) = mpsc::channel(1);
    let config =
        AirConfig { stream: "test".into(), destinations: vec![to("a", &server.url("key"))], ffmpeg: "ffmpeg".into() };
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
    // The second batch's file is cut in the middle of its first second.
    let cut = batches[1].video.tags[10].offset;
    let file = std::fs::OpenOptions::new().write(true).open(&batches[1].path).unwrap();
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

#[tokio::test]
async fn nginx_says_busy_and_stopping_ends_cleanly() {
    let (nginx, dir) = (Nginx::start(), scratch());
    let batches = batches(dir.path(), 4);
    let mut programme = Programme::new(vec![to("a", &nginx.url("key")), to("c", &nginx.url("other"))], 4.0);
    programme.start(&batches);
    programme.until(1, "on air", |status| status.on_air()).await;
    let mut second = Programme::new(vec![to("b", &nginx.url("key"))], 4.0);
    second.start(&batches);
    let reason = loop {
        if let AirEvent::Lost { reason, .. } = timeout(SOON, second.events.recv()).await.unwrap().unwrap() {
            break reason;
        }
    };
    assert_eq!(reason, "the stream is busy: NetStream.Publish.BadName Already publishing");
    let stopped = second.air.stop().await;
    assert_eq!((stopped[0].state.clone(), stopped[0].counters.sessions), (DestinationState::Stopped, 0));
    let status = programme.air.stop().await;
    assert_eq!(status[1].state, DestinationState::Stopped);
    // (The recorder opens its file anew for the one that is refused.)
    let got = &nginx.recordings("other")[0].packets;
    assert_eq!(got.len() as u64, sent(&status[1]), "all that was counted as sent has arrived");
    assert_same(got, &from_first(&spooled(&batches))[..got.len()]);
    // The last position is where it stopped.
    let journal = programme.journal.0.lock().unwrap().clone();
    assert!(journal.iter().rev().take(2).any(|position| Some(*position) == status[1].position));
    assert!(
        std::iter::from_fn(|| programme.events.try_recv().ok()).any(|event| matches!(event, AirEvent::Ended { .. }))
    );
}
