//! The statistics of a destination: counts, gaps, which batches are on air; and their publication.
//!
//! A packet counts when the write that contains it has succeeded. Packets sent minus packets repeated are therefore the
//! distinct packets of the spool that were sent.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio::time::error::Elapsed;

use crate::clock::AirClock;
use crate::cursor::{Cursor, Packet, Passed, Stretch};
use crate::journal::{AirEvent, DropReason, JournalError};
use crate::limits::{AIR_JOURNAL_WAIT, AIR_STATUS_EVERY};
use crate::position::{Position, TrackPosition};
use crate::sink::SinkError;
use crate::spool::{Counts, Spool};
use crate::status::{Counters, DestinationState, DestinationStatus, Gaps};
use outboard_base::redact::Secrets;
use outboard_media::flv::TagKind;

/// Counts what leaves for one destination, and tells others of it.
pub(super) struct DestinationStats {
    name: String,
    secrets: Secrets,
    events: mpsc::Sender<AirEvent>,
    status: watch::Sender<DestinationStatus>,
    shown_at: Option<Instant>,
    counters: Counters,
    gaps: Gaps,
    /// Packets in the write that is being prepared.
    pending: Vec<Pending>,
    /// The first packet of each track (video, audio) that was neither sent nor skipped: by position and by number.
    fresh: [TrackPosition; 2],
    fresh_index: [Option<u64>; 2],
    /// Air time in milliseconds at which the last sent packet ends.
    fresh_ms: [u64; 2],
    /// Skipped programme in milliseconds, per track.
    skipped_ms: [u64; 2],
    /// Unreadable packets that are not reported yet.
    unreadable: Untold,
    /// Batches of which some but not all packets were sent; oldest first.
    open: VecDeque<BatchStats>,
    /// Batches before this number are not opened again.
    next_batch: u64,
    /// Whether the journal refused the last position.
    unjournalled: bool,
}

struct Pending {
    kind: TagKind,
    at: TrackPosition,
    index: u64,
    end_ms: u64,
    late: bool,
}

#[derive(Default)]
struct Untold {
    packets: [u64; 2],
    ms: u64,
    position: Position,
}

/// Packets of one batch that have left.
struct BatchStats {
    number: u64,
    sent: Counts,
}

impl DestinationStats {
    pub(super) fn new(
        name: &str,
        secrets: Secrets,
        events: mpsc::Sender<AirEvent>,
        status: watch::Sender<DestinationStatus>,
        resume: Option<Position>,
    ) -> Self {
        let resume = resume.unwrap_or_default();
        // A destination that was disabled and enabled again keeps its counts.
        let counters = status.borrow().counters;
        Self {
            name: name.to_owned(),
            secrets,
            events,
            shown_at: None,
            counters,
            status,
            gaps: Gaps::default(),
            pending: Vec::with_capacity(32),
            fresh: [resume.video, resume.audio],
            fresh_index: [None; 2],
            fresh_ms: [0; 2],
            skipped_ms: [counters.skipped_ms; 2],
            unreadable: Untold::default(),
            open: VecDeque::new(),
            next_batch: resume.batch(),
            unjournalled: false,
        }
    }

    pub(super) fn header(&mut self) {
        self.counters.headers += 1;
    }

    pub(super) fn metadata(&mut self) {
        self.counters.metadata += 1;
    }

    /// Adds a packet to the write that is being prepared.
    pub(super) fn pushed(&mut self, packet: &Packet, late: bool) {
        let Packet { kind, at, index, end_ms, .. } = *packet;
        self.pending.push(Pending { kind, at, index, end_ms, late });
    }

    /// The write failed: its packets count when they are sent again.
    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    /// The write, begun at `began`, succeeded.
    pub(super) async fn flushed(&mut self, bytes: u64, began: Instant, spool: &Spool, cursor: &Cursor) {
        self.counters.bytes += bytes;
        self.counters.writes += 1;
        if self.pending.is_empty() {
            return;
        }
        self.gaps.packets(began, Instant::now());
        let mut pending = std::mem::take(&mut self.pending);
        for packet in &pending {
            self.left(packet).await;
        }
        pending.clear();
        self.pending = pending;
        self.tell_unreadable().await;
        while let Some(oldest) = self.open.front()
            && cursor.past(oldest.number + 1)
        {
            let (batch, sent) = (oldest.number, oldest.sent);
            self.open.pop_front();
            let event = AirEvent::BatchDone {
                destination: self.name.clone(),
                batch,
                at: SystemTime::now(),
                video: sent.video,
                audio: sent.audio,
            };
            tracing::debug!(batch, held = spool.get(batch).is_some(), "batch sent");
            self.tell(event).await;
        }
    }

    async fn left(&mut self, packet: &Pending) {
        let audio = packet.kind == TagKind::Audio;
        let count = if audio { &mut self.counters.audio } else { &mut self.counters.video };
        *count += 1;
        self.counters.late += u64::from(packet.late);
        let slot = usize::from(audio);
        let (Some(fresh), Some(fresh_index), Some(fresh_ms)) =
            (self.fresh.get_mut(slot), self.fresh_index.get_mut(slot), self.fresh_ms.get_mut(slot))
        else {
            return;
        };
        if packet.at < *fresh {
            self.counters.repeated += 1;
            return;
        }
        *fresh = TrackPosition { batch: packet.at.batch, tag: packet.at.tag + 1 };
        *fresh_index = Some(packet.index + 1);
        *fresh_ms = packet.end_ms;
        if packet.at.batch >= self.next_batch {
            self.next_batch = packet.at.batch + 1;
            self.open.push_back(BatchStats { number: packet.at.batch, sent: Counts::default() });
            let event =
                AirEvent::BatchOnAir { destination: self.name.clone(), batch: packet.at.batch, at: SystemTime::now() };
            self.tell(event).await;
        }
        if let Some(batch) = self.open.iter_mut().find(|batch| batch.number == packet.at.batch) {
            let count = if audio { &mut batch.sent.audio } else { &mut batch.sent.video };
            *count += 1;
        }
    }

    /// Records skipped packets; `position` is where the destination continues. Packets that had been written before,
    /// and may have arrived, count as unconfirmed instead of dropped. Each packet is counted once, whatever happens to
    /// it later.
    pub(super) async fn dropped(&mut self, reason: DropReason, passed: &Passed, position: Position, spool: &Spool) {
        let unconfirmed = self.counters.unconfirmed;
        let mut packets = [0; 2];
        let before = self.skipped_ms();
        let next = [position.video, position.audio];
        for (slot, (stretch, next)) in [&passed.video, &passed.audio].into_iter().zip(next).enumerate() {
            if let Some(packets) = packets.get_mut(slot) {
                *packets = self.skip(slot, stretch, next, spool);
            }
        }
        let all: u64 = packets.iter().sum();
        let dropped = &mut self.counters.dropped;
        match reason {
            DropReason::Lag => dropped.lag += all,
            DropReason::Released => dropped.released += all,
            DropReason::Unreadable => dropped.unreadable += all,
        }
        self.counters.skipped_ms = self.skipped_ms();
        let ms = self.counters.skipped_ms - before;
        let [video, audio] = packets;
        if reason == DropReason::Unreadable {
            // A missing file has hundreds of packets: they are reported together.
            self.unreadable.packets.iter_mut().zip(packets).for_each(|(all, more)| *all += more);
            self.unreadable.ms += ms;
            self.unreadable.position = position;
            return;
        }
        let unconfirmed = self.counters.unconfirmed - unconfirmed;
        tracing::warn!(?reason, video, audio, ms, unconfirmed, ?position, "packets skipped");
        if all > 0 {
            self.tell(AirEvent::Dropped { destination: self.name.clone(), reason, video, audio, ms, position }).await;
        }
    }

    /// Counts skipped packets of one track; returns how many of them were never written.
    fn skip(&mut self, slot: usize, stretch: &Stretch, next: TrackPosition, spool: &Spool) -> u64 {
        let (Some(fresh), Some(fresh_index), Some(fresh_ms), Some(skipped_ms)) = (
            self.fresh.get_mut(slot),
            self.fresh_index.get_mut(slot),
            self.fresh_ms.get_mut(slot),
            self.skipped_ms.get_mut(slot),
        ) else {
            return 0;
        };
        let kind = if slot == 0 { TagKind::Video } else { TagKind::Audio };
        let known = fresh_index.or_else(|| Some(spool.place(kind, *fresh)?.index)).unwrap_or_default();
        let never = stretch.packets.end.saturating_sub(stretch.packets.start.max(known));
        self.counters.unconfirmed += stretch.len() - never;
        if never == 0 {
            return 0;
        }
        *skipped_ms += stretch.ms.end.saturating_sub(stretch.ms.start.max(*fresh_ms));
        *fresh_index = Some(stretch.packets.end);
        *fresh_ms = stretch.ms.end;
        *fresh = (*fresh).max(next);
        never
    }

    /// Milliseconds of skipped programme, of the track that lost more.
    fn skipped_ms(&self) -> u64 {
        self.skipped_ms.iter().copied().max().unwrap_or_default()
    }

    /// Reports unreadable packets, once the next packet was sent or the session ended.
    pub(super) async fn tell_unreadable(&mut self) {
        let Untold { packets: [video, audio], ms, position } = std::mem::take(&mut self.unreadable);
        if video + audio > 0 {
            let (destination, reason) = (self.name.clone(), DropReason::Unreadable);
            tracing::warn!(?reason, video, audio, ms, ?position, "packets skipped");
            self.tell(AirEvent::Dropped { destination, reason, video, audio, ms, position }).await;
        }
    }

    pub(super) async fn opened(&mut self, position: Position) {
        self.counters.sessions += 1;
        self.show(|status| {
            status.state = DestinationState::Publishing;
            (status.failing, status.stalled) = (None, false);
        });
        tracing::info!(session = self.counters.sessions, ?position, "session opened");
        let (destination, session) = (self.name.clone(), self.counters.sessions);
        self.tell(AirEvent::Opened { destination, session, position }).await;
    }

    /// Records the loss of an open session; the failure began at `since`.
    pub(super) fn lost(&mut self, since: Instant) {
        self.counters.reconnects += 1;
        self.gaps.lost(since);
    }

    /// Records that the receiver closed a session on which there was nothing to send.
    pub(super) fn closed_idle(&mut self, error: &SinkError) {
        self.counters.reconnects += 1;
        let reason = error.told(&self.secrets);
        tracing::info!(reason, "the receiver closed an idle session; the next packet opens a new one");
        self.state(DestinationState::Waiting);
    }

    /// When the last packet was sent.
    pub(super) fn last_packet(&self) -> Option<Instant> {
        self.gaps.last()
    }

    /// Records a failed attempt, and when the next one follows.
    pub(super) async fn failed(&mut self, error: &SinkError, attempt: u32, since: Instant, wait: Duration) {
        self.gaps.lost(since);
        let reason = error.told(&self.secrets);
        tracing::warn!(reason, attempt, wait_ms = wait.as_millis() as u64, "no session");
        self.show(|status| {
            status.state = DestinationState::Retrying { reason: reason.clone(), attempt };
            status.failing = Some(reason.clone());
        });
        self.tell(AirEvent::Lost { destination: self.name.clone(), reason }).await;
    }

    pub(super) fn journalled(&mut self, done: Result<Result<(), JournalError>, Elapsed>) {
        let error = match done {
            Ok(Ok(())) => {
                if std::mem::take(&mut self.unjournalled) {
                    tracing::info!("positions are journalled again");
                }
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", AIR_JOURNAL_WAIT.as_millis()),
        };
        self.counters.journal_failures += 1;
        // Happens twice per second while the journal is unavailable: reported once.
        if !std::mem::replace(&mut self.unjournalled, true) {
            tracing::error!(error, "failed to journal positions on air; packets are sent nevertheless");
        }
    }

    pub(super) async fn end(mut self, state: DestinationState, cursor: &mut Cursor) {
        self.tell_unreadable().await;
        self.show(|status| {
            status.state = state;
            status.position = Some(cursor.position());
        });
        self.tell(AirEvent::Ended { destination: self.name.clone() }).await;
    }

    /// Publishes a new state at once.
    pub(super) fn state(&mut self, state: DestinationState) {
        self.show(|status| status.state = state);
    }

    /// Publishes the progress at intervals. Returns when to call again if nothing else happens, because there are
    /// unpublished changes.
    pub(super) fn publish(
        &mut self,
        acked: Option<Position>,
        cursor: &mut Cursor,
        clock: &AirClock,
        stalled: bool,
    ) -> Option<Instant> {
        let changed = self.status.borrow().stalled != stalled;
        if !changed
            && let Some(next) = self.shown_at.map(|at| at + AIR_STATUS_EVERY)
            && next > Instant::now()
        {
            let (writes, shown) = (self.counters.writes, self.status.borrow().counters.writes);
            return (writes != shown).then_some(next);
        }
        let position = cursor.position();
        self.show(|status| {
            status.position = Some(position);
            status.acked = acked;
            status.stalled = stalled;
            status.backlog_ms = clock.now_ms().unwrap_or(0).saturating_sub(position.air_ms);
        });
        None
    }

    fn show(&mut self, change: impl FnOnce(&mut DestinationStatus)) {
        self.shown_at = Some(Instant::now());
        self.status.send_modify(|status| {
            status.counters = self.counters;
            status.last_packet_at = self.gaps.last();
            (status.max_gap, status.max_own_gap) = (self.gaps.max, self.gaps.max_own);
            change(status);
        });
    }

    async fn tell(&mut self, event: AirEvent) {
        // A closed channel has no receiver.
        if let Err(TrySendError::Full(event)) = self.events.try_send(event)
            && self.events.send_timeout(event, AIR_JOURNAL_WAIT).await.is_err()
        {
            self.counters.events_lost += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Tag;

    /// Packets of a failed write may not have been sent: they count when they are sent again, and not as repeated.
    #[tokio::test]
    async fn only_writes_that_succeed_count() {
        let (events, mut told) = mpsc::channel(10);
        let (status, shown) = watch::channel(DestinationStatus::default());
        let mut stats = DestinationStats::new("a", Secrets::default(), events, status, None);
        let (spool, clock) = (Spool::new(), AirClock::new());
        let mut cursor = Cursor::new(spool.clone(), Position::default());
        let packet = |index: u32| Packet {
            kind: TagKind::Video,
            at: TrackPosition { batch: 0, tag: index },
            tag: Tag { offset: 0, len: 1, dts_ms: 0, composition_ms: 0, key: false },
            index: u64::from(index),
            end_ms: u64::from(index) * 40 + 40,
            entry: false,
        };
        stats.pushed(&packet(0), false);
        stats.forget_pending();
        stats.flushed(10, Instant::now(), &spool, &cursor).await;
        assert_eq!((stats.counters.video, stats.counters.writes, told.try_recv().is_err()), (0, 1, true));
        for _ in 0..2 {
            stats.pushed(&packet(0), true);
            stats.pushed(&packet(1), false);
            stats.flushed(10, Instant::now(), &spool, &cursor).await;
        }
        let Counters { video, repeated, late, .. } = stats.counters;
        assert_eq!((video, repeated, late), (4, 2, 2));
        assert!(matches!(told.try_recv(), Ok(AirEvent::BatchOnAir { batch: 0, .. })));
        // Skipped: the two that were sent are unconfirmed, the one that was never sent is dropped.
        let passed = |packets, ms| Passed { video: Stretch { packets, ms }, audio: Stretch::default() };
        let after = |tag| Position { video: TrackPosition { batch: 0, tag }, ..Position::default() };
        stats.dropped(DropReason::Lag, &passed(0..3, 0..120), after(3), &spool).await;
        assert_eq!((stats.counters.unconfirmed, stats.counters.dropped.lag, stats.counters.skipped_ms), (2, 1, 40));
        // A new session goes back before the skipped packets: sending them now does not count again.
        stats.pushed(&packet(2), false);
        stats.pushed(&packet(3), false);
        stats.flushed(10, Instant::now(), &spool, &cursor).await;
        let Counters { video, repeated, dropped, .. } = stats.counters;
        assert_eq!(video - repeated + dropped.lag, 4, "packets 0 to 3, each once");
        // Unreadable packets are reported once, together.
        while told.try_recv().is_ok() {}
        stats.dropped(DropReason::Unreadable, &passed(4..5, 160..200), after(5), &spool).await;
        stats.dropped(DropReason::Unreadable, &passed(5..6, 200..240), after(6), &spool).await;
        assert!(told.try_recv().is_err());
        stats.pushed(&packet(6), false);
        stats.flushed(10, Instant::now(), &spool, &cursor).await;
        assert!(matches!(told.try_recv(), Ok(AirEvent::Dropped { video: 2, ms: 80, .. })));
        assert_eq!((stats.counters.dropped.unreadable, stats.counters.skipped_ms), (2, 120));
        // The first status is published, the next only after the interval and only if it changed.
        assert_eq!(stats.publish(None, &mut cursor, &clock, false), None);
        assert_eq!(shown.borrow().counters, stats.counters);
        assert_eq!(stats.publish(None, &mut cursor, &clock, false), None);
        stats.flushed(10, Instant::now(), &spool, &cursor).await;
        assert!(stats.publish(None, &mut cursor, &clock, false).is_some_and(|at| at > Instant::now()));
    }
}
