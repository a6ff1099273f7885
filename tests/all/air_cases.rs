//! Air: what is in the spool arrives, once, in order and in time, whatever the receiver does.

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use outboard::pipeline::air::clock::AirClock;
use outboard::pipeline::air::journal::{AirEvent, AirJournal, JournalError};
use outboard::pipeline::air::position::Position;
use outboard::pipeline::air::spool::{ReadyBatch, Spool};
use outboard::pipeline::air::status::{DestinationState, DestinationStatus};
use outboard::pipeline::air::target::Target;
use outboard::pipeline::air::{Air, AirConfig, DestinationConfig};
use outboard_tests::receiver::clip::{OTHER_SIZE, SMALL};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::receiver::packets::{Recording, Seen, assert_same, from_first, spooled};
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
    let keys = want.iter().filter(|seen| seen.key).count();
    assert_eq!(journal.len(), keys + 1);
    assert_eq!(journal.last().unwrap().air_ms, 16_000);
}
