//! What can be seen of a running pipeline from outside. Nothing here can change it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, watch};

use super::event::Event;
use super::pace::Pace;
use super::problems::{Problem, Signs, problems};
use super::status::{Stats, Status};
use crate::timings::Timings;
use outboard_base::room::{NoRoom, Room};
use outboard_egress::clock::{AirClock, Slowed};
use outboard_egress::roster::Statuses;
use outboard_egress::spool::Spool;
use outboard_egress::status::DestinationStatus;
use outboard_exchange::ExchangeStatus;
use outboard_stage::StageKind;
use outboard_stage::slot_status::{SlotStatus, SlotStatusFeed};
use outboard_store::journal::BatchProgress;

/// A stage of a running pipeline.
#[derive(Debug, Clone)]
pub struct RunningStage {
    /// The kind of stage.
    pub kind: StageKind,
    /// The status of its slot: version, counts, probation.
    pub status: Arc<SlotStatusFeed>,
}

/// A view of a running pipeline, also after its end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Watch {
    pub(super) status: Arc<Status>,
    pub(super) clock: AirClock,
    pub(super) spool: Spool,
    pub(super) room: Room,
    pub(super) air: watch::Receiver<Statuses>,
    pub(super) exchange: Option<watch::Receiver<ExchangeStatus>>,
    pub(super) stages: Vec<RunningStage>,
    pub(super) progress: broadcast::Sender<BatchProgress>,
    pub(super) pace: Pace,
}

impl Watch {
    /// How many destinations took packets in the last seconds, and how many are enabled.
    pub fn on_air(&self) -> (usize, usize) {
        let air = self.air.borrow();
        let count = |is: fn(&DestinationStatus) -> bool| air.iter().filter(|status| is(&status.borrow())).count();
        (count(DestinationStatus::on_air), count(|status| !status.disabled))
    }

    /// A copy of the current counters.
    pub fn stats(&self) -> Stats {
        self.status.get()
    }

    /// Changes of the counts: a segment, a batch, a phase. Packets do not wake it.
    pub fn changes(&self) -> watch::Receiver<Stats> {
        self.status.watch()
    }

    /// How long the steps take.
    pub fn timings(&self) -> &Timings {
        self.status.timings()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.status.events()
    }

    /// The steps that batches take from now on, each once it is in the journal.
    pub fn progress(&self) -> broadcast::Receiver<BatchProgress> {
        self.progress.subscribe()
    }

    /// The destinations now, in the order of the configuration.
    pub fn destinations(&self) -> Vec<DestinationStatus> {
        self.air.borrow().iter().map(|status| status.borrow().clone()).collect()
    }

    /// Changes of each destination, in the order of the configuration; several a second while it sends.
    pub fn destination_changes(&self) -> Statuses {
        self.air.borrow().clone()
    }

    /// Destinations that come and go.
    pub fn destination_list(&self) -> watch::Receiver<Statuses> {
        self.air.clone()
    }

    /// The connection to the processor now; `None` without one.
    pub fn exchange(&self) -> Option<ExchangeStatus> {
        Some(self.exchange.as_ref()?.borrow().clone())
    }

    /// Changes of the connection to the processor.
    pub fn exchange_changes(&self) -> Option<watch::Receiver<ExchangeStatus>> {
        self.exchange.clone()
    }

    /// Changes of who decides, in the order of [`Self::stages`].
    pub fn stage_changes(&self) -> Vec<watch::Receiver<SlotStatus>> {
        self.stages.iter().map(|stage| stage.status.subscribe()).collect()
    }

    /// The stages that decide.
    pub fn stages(&self) -> &[RunningStage] {
        &self.stages
    }

    /// Media time on air in milliseconds, once the clock runs.
    pub fn air_ms(&self) -> Option<u64> {
        self.clock.now_ms()
    }

    /// Media time up to which everything is ready, in milliseconds.
    pub fn end_ms(&self) -> u64 {
        self.spool.newest().map_or(0, |batch| batch.end_ms)
    }

    /// Batches that are ready and have not aired at every destination.
    pub fn batches_ready(&self) -> usize {
        self.spool.len()
    }

    /// The longest batch that is ready before it is due on air, in media time; `None`: nothing is on air yet, or the source is
    /// a recording that comes as fast as it is taken.
    pub fn longest_batch_in_time(&self) -> Option<Duration> {
        if self.status.get().recording {
            return None;
        }
        self.pace.longest_in_time(&self.clock)
    }

    /// Makes the clock run as slowly as it may for as long as the answer is held.
    #[must_use]
    pub fn slow_down(&self) -> Slowed {
        self.clock.slow_down()
    }

    /// Media time stands still because the next batch is not there.
    pub fn stalled_for(&self) -> Duration {
        self.clock.status().stalled_for
    }

    /// Why nothing more is fetched; `None` while there is room.
    pub fn refusal(&self) -> Option<NoRoom> {
        self.room.refusal()
    }

    /// Everything that is ready is on air already, or nothing is ready yet.
    pub fn starved(&self) -> bool {
        self.air_ms().unwrap_or_default() >= self.end_ms()
    }

    /// Every problem now, the cause first.
    pub fn problems(&self) -> Vec<Problem> {
        let (stats, destinations, exchange) = (self.stats(), self.destinations(), self.exchange());
        problems(&Signs {
            stats: &stats,
            destinations: &destinations,
            exchange: exchange.as_ref(),
            room: self.refusal(),
            starved: self.starved(),
        })
    }

    /// Length of a batch as set.
    pub fn batch_seconds(&self) -> f64 {
        self.pace.settings().batch.as_secs_f64()
    }
}
