//! One destination: a task with its own position in the spool, its own sessions and its own statistics.
//!
//! In: the spool, the clock, the positions to resume at. Out: packets at their time; events, positions and status. It
//! opens sessions until everything is sent or it is stopped. A failing destination does not affect others: it cannot
//! change the clock, and holds only two pieces of files and one write in memory.

mod send;
mod stats;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::send::{Failed, Sent};
use self::stats::DestinationStats;
use super::bodies::Bodies;
use super::clock::AirClock;
use super::cursor::{Cursor, Next};
use super::journal::{AirEvent, AirJournal, DropReason};
use super::marks::Marks;
use super::outage::Outage;
use super::position::Position;
use super::sink::{Opener, Sink, SinkError};
use super::spool::{Spool, SpoolState};
use super::status::{DestinationState, DestinationStatus};
use crate::limits::{AIR_CONNECT_AHEAD, AIR_IDLE_AFTER, AIR_REFUSED_WAIT, AIR_RENEW_EVERY};
use outboard_media::demux::Codec;
use outboard_media::flv::{FileHeader, TagKind};

/// The parts of a destination.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) opener: Opener,
    pub(super) resume: Option<Position>,
    pub(super) max_lag: Duration,
    pub(super) spool: Spool,
    pub(super) clock: AirClock,
    pub(super) journal: Arc<dyn AirJournal>,
    pub(super) events: mpsc::Sender<AirEvent>,
    pub(super) status: watch::Sender<DestinationStatus>,
    pub(super) cancel: CancellationToken,
    /// Notified when an operator requests a new session.
    pub(super) reconnect: Arc<Notify>,
}

pub(super) struct Destination {
    name: String,
    opener: Opener,
    max_lag: Duration,
    spool: Spool,
    spool_changes: watch::Receiver<SpoolState>,
    clock: AirClock,
    clock_changes: watch::Receiver<()>,
    journal: Arc<dyn AirJournal>,
    cancel: CancellationToken,
    reconnect: Arc<Notify>,
    cursor: Cursor,
    bodies: Bodies,
    marks: Marks,
    /// Where the next session starts; `None`: at the first available batch.
    resume: Option<Position>,
    /// The next session starts there because of a new header.
    renews: bool,
    stats: DestinationStats,
    session: send::SessionState,
}

/// How a session ended.
enum End {
    /// The stream has ended and everything was sent.
    Done,
    /// The destination was stopped.
    Stopped,
    /// The destination was stopped in the middle of a write.
    Torn,
    /// A change in the stream requires a new session.
    Renew,
    /// An operator requested a new session.
    Asked,
    /// The receiver failed; contains the instant when the failure began.
    Lost(SinkError, Instant),
}

impl Destination {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { name, opener, resume, max_lag, spool, clock, journal, events, status, cancel, reconnect } = parts;
        let start = resume.unwrap_or_default();
        let stats = DestinationStats::new(&name, opener.target.secrets(), events, status, resume);
        Self {
            opener,
            max_lag,
            spool_changes: spool.watch(),
            clock_changes: clock.watch(),
            cursor: Cursor::new(spool.clone(), start),
            bodies: Bodies::default(),
            marks: Marks::new(start),
            resume,
            renews: false,
            stats,
            session: send::SessionState::default(),
            name,
            spool,
            clock,
            journal,
            cancel,
            reconnect,
        }
    }

    /// Runs until everything is sent or the token is cancelled.
    pub(super) async fn run(mut self) {
        let cancel = self.cancel.clone();
        let state = match cancel.run_until_cancelled(self.wait_for_start()).await {
            None => DestinationState::Stopped,
            Some(()) => self.sessions(&cancel).await,
        };
        tracing::info!(?state, "destination ended");
        self.stats.end(state, &mut self.cursor).await;
    }

    async fn sessions(&mut self, cancel: &CancellationToken) -> DestinationState {
        let mut outage = Outage::default();
        loop {
            self.leave_what_is_released().await;
            if !self.has_something() {
                // A session without packets is useless; some servers close it, and also the next one.
                self.stats.state(DestinationState::Waiting);
            }
            if cancel.run_until_cancelled(self.wait_for_start()).await.is_none() {
                return DestinationState::Stopped;
            }
            if self.nothing_left() {
                return DestinationState::Done;
            }
            self.stats.state(DestinationState::Connecting);
            let (tracks, picture) = (self.tracks(), self.picture());
            let opened = tokio::select! {
                biased;
                () = cancel.cancelled() => return DestinationState::Stopped,
                opened = self.opener.open(tracks, picture) => opened,
                // An operator's request replaces an attempt that hangs.
                () = self.reconnect.notified() => continue,
            };
            let (error, since) = match opened {
                Err(error) => (error, Instant::now()),
                Ok(mut sink) => {
                    let opened = Instant::now();
                    outage.opened(opened);
                    self.begin().await;
                    let end = self.publish(&mut sink, cancel).await;
                    self.resume = Some(self.cursor.position());
                    match end {
                        End::Lost(error, _) if self.was_idle() => {
                            self.stats.closed_idle(&error);
                            continue;
                        }
                        End::Lost(error, since) => {
                            self.resume = Some(self.marks.resume(sink.acked(), Instant::now()));
                            self.stats.lost(since);
                            (error, since)
                        }
                        End::Renew => {
                            tracing::info!("the stream's codec headers changed; opening a new session");
                            self.renews = true;
                            sink.close().await;
                            let next = opened + AIR_RENEW_EVERY;
                            if cancel.run_until_cancelled(sleep_until(next)).await.is_none() {
                                return DestinationState::Stopped;
                            }
                            continue;
                        }
                        End::Asked => {
                            tracing::info!("an operator requested a reconnect; opening a new session");
                            sink.close().await;
                            continue;
                        }
                        End::Torn => return DestinationState::Stopped,
                        End::Done | End::Stopped => {
                            let done = matches!(end, End::Done);
                            self.journal_position().await;
                            sink.close().await;
                            return if done { DestinationState::Done } else { DestinationState::Stopped };
                        }
                    }
                }
            };
            let mut wait = outage.failed(error.busy(), Instant::now(), rand::random());
            if error.wants_a_person() {
                wait = wait.max(AIR_REFUSED_WAIT);
            }
            self.stats.failed(&error, outage.failures(), since, wait).await;
            tokio::select! {
                () = cancel.cancelled() => return DestinationState::Stopped,
                () = self.reconnect.notified() => outage = Outage::default(),
                () = sleep(wait) => {}
            }
        }
    }

    /// Waits until there is a packet to send and its time is near.
    async fn wait_for_start(&mut self) {
        loop {
            let finished = self.spool_changes.borrow_and_update().finished;
            self.clock_changes.mark_unchanged();
            if self.resume.is_none()
                && let Some(oldest) = self.spool.oldest()
            {
                let start = Position::start_of(oldest.number, oldest.start_ms);
                self.resume = Some(start);
                self.cursor.set(start);
            }
            let ready = self.resume.is_some() && self.has_something();
            let start = self.clock.anchored_at().map(|at| at.checked_sub(AIR_CONNECT_AHEAD).unwrap_or(at));
            if (ready && start.is_some_and(|start| start <= Instant::now())) || (finished && !ready) {
                return;
            }
            tokio::select! {
                _ = self.spool_changes.changed() => {}
                _ = self.clock_changes.changed() => {}
                () = sleep_until(start.unwrap_or_else(Instant::now)), if ready && start.is_some() => {}
            }
        }
    }

    /// Moves past batches that were released without a session, and counts them at once, so that the status shows them
    /// before the receiver is back.
    async fn leave_what_is_released(&mut self) {
        let Some(resume) = self.resume else { return };
        self.cursor.set(resume);
        let mut moved = false;
        while self.cursor.peek() == Next::Released {
            let passed = self.cursor.skip_released();
            if passed.is_empty() {
                break;
            }
            moved = true;
            self.dropped(DropReason::Released, passed).await;
        }
        if moved {
            self.resume = Some(self.cursor.position());
            self.journal_position().await;
        }
    }

    /// Whether there was nothing to send for a while. Then all packets have arrived, and a server that closes the
    /// session (SRS does after 5 s without a packet) is not at fault.
    fn was_idle(&mut self) -> bool {
        let quiet = self.stats.last_packet().is_some_and(|at| at.elapsed() >= AIR_IDLE_AFTER);
        quiet && !self.has_something()
    }

    /// Whether the next packet exists and the clock reaches it before more media arrives. The last audio of a batch
    /// reaches over its end, where the clock stands still until the next batch exists.
    fn has_something(&mut self) -> bool {
        match self.cursor.peek() {
            Next::Wait => false,
            Next::Packet(packet) => self.clock.anchored_at().is_none() || self.clock.due(packet.tag.dts_ms).is_some(),
            Next::Released => true,
        }
    }

    /// Whether the spool is finished and all its packets are sent.
    fn nothing_left(&mut self) -> bool {
        let finished = self.spool_changes.borrow_and_update().finished;
        finished && self.cursor.peek() == Next::Wait
    }

    /// The tracks for the FLV header.
    fn tracks(&self) -> FileHeader {
        let has = |kind| self.cursor.batch(kind).is_some_and(|batch| batch.track(kind).exists());
        FileHeader { audio: has(TagKind::Audio), video: has(TagKind::Video) }
    }

    /// The codec of the pictures that come first.
    fn picture(&self) -> Option<Codec> {
        let track = &self.cursor.batch(TagKind::Video)?.video;
        Some(track.header_of(self.cursor.index(TagKind::Video))?.1.codec)
    }

    /// Moves the cursor to the start of the new session.
    async fn begin(&mut self) {
        let resume = self.resume.unwrap_or_default();
        match std::mem::take(&mut self.renews) {
            true => self.cursor.set_at_entry_for_header(resume),
            false => self.cursor.set_at_entry(resume),
        }
        let start = self.cursor.position();
        self.marks.begin(start);
        self.session = send::SessionState::default();
        self.stats.opened(start).await;
    }

    async fn publish(&mut self, sink: &mut Sink, cancel: &CancellationToken) -> End {
        loop {
            let wake = match self.send_due(sink).await {
                Ok(Sent::Until(wake)) => wake,
                Ok(Sent::All) => return End::Done,
                Ok(Sent::Renew) => return End::Renew,
                Ok(Sent::Stopped) => return End::Stopped,
                Err(Failed::Lost(error, since)) => return End::Lost(error, since),
                Err(Failed::Torn) => return End::Torn,
            };
            let acked = sink.acked();
            if let Some(bytes) = acked {
                self.marks.acked(bytes);
            }
            let show = {
                let arrived = acked.map(|bytes| self.marks.arrived(bytes));
                self.stats.publish(arrived, &mut self.cursor, &self.clock, sink.is_stalled())
            };
            let wake = [wake, show].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return End::Stopped,
                () = self.reconnect.notified() => return End::Asked,
                said = sink.incoming() => if let Err(error) = said {
                    return End::Lost(error, Instant::now());
                },
                _ = self.clock_changes.changed() => {}
                _ = self.spool_changes.changed() => {}
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }
}
