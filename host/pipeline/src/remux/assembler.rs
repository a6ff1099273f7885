//! Puts a batch together as planned. In: a batch, its plan and its reply. Out: its files, and what of them goes on air.
//!
//! Where the plan's audio cannot be used, the original goes on air; where the disk is full, it is tried again in time.

use std::io;

use tokio::time::Instant;

use super::encode::aired::{self, Aired};
use super::index::AirIndex;
use super::output::series::Series;
use super::plan::{Audio, Coding};
use super::reply::{self, Decision, Why};
use super::{Job, Plan, Processed, RemuxError, Remuxed, remux};
use crate::demux::Demuxed;
use crate::limits::DISK_FULL_TRIES;
use outboard_base::room::{Room, is_full};
use outboard_egress::spool::ReadyBatch;
use outboard_ffmpeg::{Slots, Turn};

/// Makes the files of batches, one batch after the other.
pub struct Assembler {
    /// Where runs of ffmpeg wait for their turn.
    pub slots: Slots,
    /// Asked where the disk is full.
    pub room: Room,
    /// Gives each batch its place, and writes its index.
    pub series: Series,
    /// What the last batch put on air as sound; `None` at the start.
    pub aired: Option<Aired>,
}

/// What came of putting a batch together.
#[derive(Debug)]
pub(super) struct Assembled {
    /// The reply that is heard, or why there is none.
    pub(super) decision: Decision,
    /// The plan by which the batch was remuxed; differs from the stage's plan after a fallback.
    pub(super) plan: Plan,
    /// What goes on air; the error: the batch is lost.
    pub(super) remuxed: Result<Remuxed, RemuxError>,
}

impl Assembler {
    /// Remuxes; falls back to the original where the plan's audio cannot be used, and tries once more where that fails.
    pub(super) async fn assemble(
        &mut self,
        batch: &Demuxed,
        mut plan: Plan,
        mut decision: Decision,
        due: Instant,
    ) -> Assembled {
        self.remove_index(batch).await;
        let mut remuxed = self.follow(batch, &plan, &decision, due).await;
        if let (Err(error), true) = (&remuxed, plan.uses_processed() || plan.coding != Coding::Copy) {
            tracing::warn!(batch = batch.number, %error, "the plan's audio could not be used");
            decision = Decision::original(Why::unusable(error.to_string()));
            plan = Plan::original(batch.facts.audio.is_some(), "the plan's audio could not be used");
            remuxed = self.original(batch, &plan, due).await;
        } else if let Err(error) = &remuxed {
            // A run of ffmpeg that was killed says nothing about the next one.
            tracing::warn!(batch = batch.number, %error, "remuxing is tried once more");
            remuxed = self.original(batch, &plan, due).await;
        }
        if let Ok(remuxed) = &remuxed {
            self.write_index(batch, &remuxed.ready, due).await;
        }
        Assembled { decision, plan, remuxed }
    }

    /// Does what the plan says; where the disk is full, again until it is due, and some times at least.
    async fn follow(
        &mut self,
        batch: &Demuxed,
        plan: &Plan,
        decision: &Decision,
        due: Instant,
    ) -> Result<Remuxed, RemuxError> {
        let mut tries = 0..DISK_FULL_TRIES;
        loop {
            let made = reply::processed_audio(batch, plan, decision, self.before(batch), self.turn(due)).await;
            let remuxed = match made {
                Ok(processed) => self.remux(batch, plan, processed.as_ref(), due).await,
                Err(error) => Err(error),
            };
            match remuxed {
                Err(error) if error.is_disk_full() && (tries.next().is_some() || Instant::now() < due) => {
                    tracing::warn!(batch = batch.number, %error, "the disk is full; remuxing is tried again");
                    self.room.make().await;
                }
                remuxed => return remuxed,
            }
        }
    }

    /// Puts the original on air as it is.
    async fn original(&mut self, batch: &Demuxed, plan: &Plan, due: Instant) -> Result<Remuxed, RemuxError> {
        let decision = Decision::original(Why::not_sent());
        let made = reply::processed_audio(batch, plan, &decision, self.before(batch), self.turn(due)).await;
        if let Ok(Some(led_in)) = made {
            match self.remux(batch, plan, Some(&led_in), due).await {
                Ok(remuxed) => return Ok(remuxed),
                Err(error) => tracing::warn!(batch = batch.number, %error, "remuxing without the packet before"),
            }
        }
        self.remux(batch, plan, None, due).await
    }

    /// What the batch before put on air as sound, if the sound of this one goes on after it.
    fn before(&self, batch: &Demuxed) -> Option<&Aired> {
        self.aired.as_ref().filter(|aired| aired.joins(batch))
    }

    async fn remux(
        &mut self,
        batch: &Demuxed,
        plan: &Plan,
        processed: Option<&Processed>,
        due: Instant,
    ) -> Result<Remuxed, RemuxError> {
        let mut remuxed = remux(Job {
            number: batch.number,
            dir: &batch.dir,
            facts: &batch.facts,
            layout: batch.layout.as_ref(),
            placed: &batch.placed,
            with_audio: plan.audio != Audio::None,
            processed,
            turn: self.turn(due),
        })
        .await?;
        // What is in front of the batch, or left to the next one, is not too long.
        let elsewhere = processed.map_or(0, |made| made.priming + u64::from(made.tail.is_some()));
        remuxed.trimmed = remuxed.trimmed.saturating_sub(elsewhere);
        let now = Aired::of(batch, &remuxed.ready, processed);
        let before = std::mem::replace(&mut self.aired, now);
        aired::clean(before.as_ref(), &batch.dir, processed).await;
        Ok(remuxed)
    }

    fn turn(&self, due: Instant) -> Turn<'_> {
        Turn { slots: &self.slots, by: Some(due) }
    }

    /// What an earlier run left may be of another plan.
    async fn remove_index(&self, batch: &Demuxed) {
        let dir = batch.dir.clone();
        let removed = tokio::task::spawn_blocking(move || AirIndex::remove(&dir)).await.map_err(io::Error::other);
        if let Err(error) = removed.and_then(|removed| removed) {
            tracing::warn!(batch = batch.number, %error, "the index of an earlier run cannot be removed");
        }
    }

    /// Writes what a restart goes on from, and the preview shows. Air does not need it: where the disk stays full, the batch
    /// goes on air without it, and a restart would remux it again.
    async fn write_index(&mut self, batch: &Demuxed, ready: &ReadyBatch, due: Instant) {
        let mut tries = 0..DISK_FULL_TRIES;
        loop {
            let mut series = std::mem::take(&mut self.series);
            let (dir, ready, facts) = (batch.dir.clone(), ready.clone(), batch.facts.clone());
            let written = tokio::task::spawn_blocking(move || {
                let written = series.write(&dir, &ready, &facts);
                (series, written)
            });
            let written = match written.await {
                Ok((series, written)) => {
                    self.series = series;
                    written
                }
                Err(error) => Err(io::Error::other(error)),
            };
            let Err(error) = written else { return };
            if is_full(&error) && Instant::now() < due && tries.next().is_some() {
                self.room.make().await;
                continue;
            }
            self.room.nudge();
            tracing::warn!(batch = batch.number, %error, "on air, but air.index cannot be written");
            return;
        }
    }
}
