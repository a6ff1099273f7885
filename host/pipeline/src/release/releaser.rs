//! The release step: journals what is on air and lets go of batches that went out everywhere.
//!
//! In: what destinations tell. Out: batches that are done in the journal and out of the spool. A destination that is away must not keep batches for ever: beyond [`AIR_KEEP_FOR_LATE`] behind the
//! clock they go. Every outcome goes to the [`Reporter`].

use std::time::Duration;

use tokio::sync::mpsc;

use super::done::Done;
use super::report::Outcome;
use crate::limits::AIR_KEEP_FOR_LATE;
use crate::report::{Reporter, air};
use outboard_egress::clock::AirClock;
use outboard_egress::journal::AirEvent;
use outboard_egress::roster::Destinations;
use outboard_egress::spool::Spool;
use outboard_store::janitor::Keeper;
use outboard_store::journal::JournalError;

/// How often batches are looked at that no destination finishes.
const EVERY: Duration = Duration::from_secs(2);

/// The release step: follows the destinations, and releases batches that all of them have sent.
pub struct Releaser {
    /// What destinations tell; it ends when all of them ended.
    pub events: mpsc::Receiver<AirEvent>,
    /// Which destination needs which batches.
    pub destinations: Destinations,
    /// Batches that are ready for air; released ones are taken out of it.
    pub spool: Spool,
    /// Tells how late it is on air.
    pub clock: AirClock,
    /// The janitor's part for this stream: cleans up after batches that were released.
    pub keeper: Keeper,
    /// Tells what came of each batch.
    pub reporter: Reporter,
}

impl Releaser {
    /// Runs until all destinations ended.
    ///
    /// # Errors
    /// [`JournalError`]: what is on air or done could not be written down, and no destination runs any more.
    pub async fn run(mut self) -> Result<(), JournalError> {
        let mut done = Done::default();
        let mut newest = None;
        let mut beat = tokio::time::interval(EVERY);
        loop {
            let taken = tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.take(event, &mut newest, &mut done).await,
                    None => {
                        self.release(&mut done).await?;
                        self.reporter.catch_up().await?;
                        self.keeper.settle().await;
                        return Ok(());
                    }
                },
                _ = beat.tick() => self.reporter.catch_up().await,
            };
            // Nothing is let go of that is not written down; the next beat tries again.
            if let Err(error) = taken.and(self.release(&mut done).await) {
                self.reporter.release(Outcome::Refused(&error)).await?;
            }
        }
    }

    /// Takes what a destination tells. `newest`: the newest batch of which a packet left; `done`: who has sent what.
    async fn take(&self, event: AirEvent, newest: &mut Option<u64>, done: &mut Done) -> Result<(), JournalError> {
        // A batch counts as published when its first packet left for the first destination that takes it.
        if let AirEvent::BatchOnAir { batch, .. } = event
            && newest.is_none_or(|newest| newest < batch)
        {
            *newest = Some(batch);
            self.reporter.air(air::Outcome::Published).await?;
        }
        self.reporter.air(air::Outcome::Told(&event)).await?;
        if let AirEvent::BatchDone { destination, batch, .. } = event {
            done.add(batch, destination);
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
            self.reporter.release(Outcome::Done { batch: oldest.number }).await?;
            self.spool.release_before(oldest.number + 1);
            done.forget_through(oldest.number);
            released = true;
        }
        if released {
            self.keeper.released();
        }
        Ok(())
    }
}
