//! air -> **release**: journals what is on air and lets go of batches that went out everywhere.
//!
//! A destination that is away must not keep batches for ever: beyond [`AIR_KEEP_FOR_LATE`] behind the clock they go.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::cause::HealthCause;
use super::diary::Diary;
use super::event::{Event, EventKind, Severity};
use super::status::{Phase, Status};
use crate::limits::AIR_KEEP_FOR_LATE;
use outboard_egress::clock::AirClock;
use outboard_egress::journal::{self, AirEvent, AirJournal};
use outboard_egress::position::Position;
use outboard_egress::roster::Destinations;
use outboard_egress::spool::Spool;
use outboard_store::files::StreamFiles;
use outboard_store::files::names;
use outboard_store::janitor::{Keeper, StorageEvent};
use outboard_store::journal::{JournalError, Step, StreamJournal};

mod done;

use done::Done;

/// How often batches are looked at that no destination finishes.
const EVERY: Duration = Duration::from_secs(2);

/// Follows the destinations, and releases batches that all of them have sent.
pub struct Releaser {
    /// What happens on air.
    pub events: mpsc::Receiver<AirEvent>,
    /// Who needs which batches.
    pub destinations: Destinations,
    /// Batches that are ready for air.
    pub spool: Spool,
    /// Tells how late it is.
    pub clock: AirClock,
    /// Where steps are written down.
    pub journal: Diary,
    /// Where the files are.
    pub files: StreamFiles,
    /// Cleans up after batches that went out.
    pub keeper: Keeper,
    /// Phase and counters of the pipeline, which the step updates.
    pub status: Arc<Status>,
}

impl Releaser {
    /// Runs until all destinations ended.
    pub async fn run(mut self) -> Result<(), JournalError> {
        let mut done = Done::default();
        let mut newest = None;
        let mut beat = tokio::time::interval(EVERY);
        loop {
            let taken = tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => {
                        self.count(&event, &mut newest);
                        self.take(event, &mut done).await
                    }
                    None => {
                        self.release(&mut done).await?;
                        self.journal.catch_up().await?;
                        self.keeper.settle().await;
                        return Ok(());
                    }
                },
                _ = beat.tick() => self.journal.catch_up().await,
            };
            // Nothing is let go of that is not written down; the next beat tries again.
            if let Err(error) = taken.and(self.release(&mut done).await) {
                let what = format!("release: {error}");
                self.status.tell(Event::new(EventKind::Failed, Severity::Warning, what).caused_by(HealthCause::Disk));
            }
        }
    }

    /// A batch counts as published when its first packet left for the first destination that takes it.
    fn count(&self, event: &AirEvent, newest: &mut Option<u64>) {
        if let AirEvent::BatchOnAir { batch, .. } = event
            && newest.is_none_or(|newest| newest < *batch)
        {
            *newest = Some(*batch);
            self.status.update(|stats| stats.published += 1);
        }
    }

    async fn take(&self, event: AirEvent, done: &mut Done) -> Result<(), JournalError> {
        match event {
            AirEvent::BatchOnAir { destination, batch, .. } => {
                tracing::info!(batch, destination, "on air");
                self.status.enter(Phase::OnAir);
                self.status.timings().on_air(batch);
                self.journal.step(batch, Step::OnAir).await?;
            }
            AirEvent::BatchDone { destination, batch, .. } => {
                done.add(batch, destination);
            }
            AirEvent::Dropped { destination, reason, video, audio, ms, .. } => {
                let (packets, seconds) = (video + audio, ms as f64 / 1000.0);
                let what = format!(
                    "destination {destination}: skipped {packets} packets, {seconds:.1} s of the programme: {reason}"
                );
                let event = Event::new(EventKind::DestinationDropped, Severity::Error, what);
                self.status.tell(event.destination(destination));
            }
            AirEvent::Lost { destination, reason } => {
                let what = format!("destination {destination}: {reason}");
                let event = Event::new(EventKind::DestinationLost, Severity::Warning, what);
                self.status.tell(event.destination(destination));
            }
            AirEvent::Opened { destination, session, .. } => {
                let what = format!("destination {destination}: publishing, session {session}");
                let event = Event::new(EventKind::DestinationConnected, Severity::Info, what);
                self.status.tell(event.destination(destination));
            }
            AirEvent::Ended { destination } => tracing::info!(destination, "destination is done"),
        }
        Ok(())
    }

    /// Lets go of the oldest batches that nobody needs any more.
    async fn release(&self, done: &mut Done) -> Result<(), JournalError> {
        let now_ms = self.clock.now_ms().unwrap_or_default();
        let keep_ms = u64::try_from(AIR_KEEP_FOR_LATE.as_millis()).unwrap_or(u64::MAX);
        let (mut released, needs) = (false, self.destinations.needs());
        while let Some(oldest) = self.spool.oldest() {
            let nothing = oldest.video.tags.is_empty() && oldest.audio.tags.is_empty();
            let sent_to = |name: &String| done.has(oldest.number, name);
            let sent = match needs.is_empty() {
                // Nobody takes it: it is over when its time is.
                true => oldest.end_ms <= now_ms,
                false => needs.iter().all(|needs| oldest.number < needs.from || sent_to(&needs.name)),
            };
            let everywhere = sent || nothing;
            if !everywhere && oldest.end_ms.saturating_add(keep_ms) > now_ms {
                break;
            }
            self.journal.step(oldest.number, Step::Done).await?;
            self.spool.release_before(oldest.number + 1);
            done.forget_through(oldest.number);
            // output.fmp4 has the same media; this file was for sending.
            tokio::fs::remove_file(self.files.batch(oldest.number).join(names::AIR)).await.ok();
            released = true;
        }
        if released {
            self.keeper.released();
        }
        Ok(())
    }
}

/// What happens to a stream's storage, as an event of its pipeline.
pub fn storage_event(event: StorageEvent) -> Event {
    let (kind, severity) = match event {
        StorageEvent::QuotaReached { full: true, .. } => (EventKind::QuotaReached, Severity::Error),
        StorageEvent::QuotaReached { full: false, .. } => (EventKind::QuotaReached, Severity::Warning),
        StorageEvent::DiskLow { full: true } => (EventKind::DiskLow, Severity::Error),
        StorageEvent::DiskLow { full: false } => (EventKind::DiskLow, Severity::Warning),
        StorageEvent::Recovered => (EventKind::StorageRecovered, Severity::Info),
        StorageEvent::Cleaned { .. } => (EventKind::StorageCleaned, Severity::Info),
    };
    Event::new(kind, severity, event.to_string())
}

/// Writes positions on air into the stream's journal.
pub struct Positions(pub StreamJournal);

impl AirJournal for Positions {
    fn key_frame(&self, destination: &str, position: Position) -> BoxFuture<'_, Result<(), journal::JournalError>> {
        let destination = destination.to_owned();
        Box::pin(async move {
            let text = serde_json::to_string(&position).map_err(|error| journal::JournalError(error.to_string()))?;
            self.0.air(&destination, text).await.map_err(|error| journal::JournalError(error.to_string()))
        })
    }

    fn forget(&self, destination: &str) -> BoxFuture<'_, Result<(), journal::JournalError>> {
        let destination = destination.to_owned();
        Box::pin(async move {
            self.0.forget_air(&destination).await.map_err(|error| journal::JournalError(error.to_string()))
        })
    }
}
