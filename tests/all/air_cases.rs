//! Air: the packets of the spool arrive once, in order and in time, whatever the receiver does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at the first thing that is not as it should be"
)]

mod answers;
mod delivery;
mod faults;
mod guarded;
mod handshakes;
mod logins;
mod outages;
mod processes;

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
use outboard::pipeline::air::spool::{ReadyBatch, SequenceHeader, Spool, Tag};
use outboard::pipeline::air::status::{DestinationState, DestinationStatus};
use outboard::pipeline::air::target::Target;
use outboard::pipeline::air::{Air, AirConfig, DestinationConfig};
use outboard_tests::receiver::clip::{OTHER_SIZE, SMALL, audio_only};
use outboard_tests::receiver::fake::{Acks, FakeServer, GOOD, Login, Opening, Script};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::receiver::packets::{ReceivedPacket, Recording, assert_same, from_first, spooled};
use outboard_tests::receiver::tls::TlsFront;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Longer than any step here takes, unless it is broken.
const SOON: Duration = Duration::from_secs(60);

/// The journalled positions, in order.
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

/// A broken journal: it fails, then it never answers.
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
    /// Starts these destinations, with a clock of this speed; the spool is empty and the clock stands still.
    fn new(destinations: Vec<DestinationConfig>, speed: f64) -> Self {
        let (spool, clock, journal) = (Spool::new(), AirClock::with_speed(speed), Arc::new(MemoryJournal::default()));
        let (events, receiver) = mpsc::channel(1000);
        let config =
            AirConfig { stream: "test".into(), destinations, ffmpeg: "ffmpeg".into(), runtime: Handle::current() };
        let cancel = CancellationToken::new();
        let air = Air::start(config, spool.clone(), clock.clone(), journal.clone(), events, &cancel);
        Self { air, spool, clock, journal, events: receiver }
    }

    /// Waits for the loss of a session; returns its reason.
    async fn lost(&mut self) -> String {
        let lost = async {
            loop {
                if let Some(AirEvent::Lost { reason, .. }) = self.events.recv().await {
                    return reason;
                }
            }
        };
        timeout(SOON, lost).await.unwrap()
    }

    fn append(&self, batches: &[ReadyBatch]) {
        batches.iter().for_each(|batch| self.spool.append(batch.clone()));
    }

    fn start(&self, batches: &[ReadyBatch]) {
        self.append(batches);
        self.clock.start(batches[0].start_ms, Instant::now());
    }

    /// Waits until a destination's status matches.
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

/// The packets of several recordings without repeats, and the number of repeats.
fn joined(recordings: &[Recording], want: &[ReceivedPacket]) -> (Vec<ReceivedPacket>, usize) {
    let mut all: Vec<ReceivedPacket> = Vec::new();
    let mut repeated = 0;
    for recording in recordings {
        let Some(first) = recording.packets.first() else { continue };
        let at = want.iter().position(|seen| seen.digest == first.digest).expect("a packet of the spool");
        let base = want[at].dts_ms - first.dts_ms;
        assert!(at <= all.len(), "packets {} to {at} are missing", all.len());
        repeated += all.len() - at;
        all.truncate(at);
        all.extend(recording.packets.iter().map(|seen| ReceivedPacket { dts_ms: seen.dts_ms + base, ..*seen }));
    }
    (all, repeated)
}

fn sent(status: &DestinationStatus) -> u64 {
    status.counters.video + status.counters.audio
}
