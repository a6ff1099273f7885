//! Pacing: sends due packets, in one write per quantum.
//!
//! Packets are sent up to one quantum before their time and are then written together, so there are about twenty
//! wake-ups and writes per second for any stream. A destination behind the clock sends faster than real time, up to a
//! limit; one that is too far behind skips to a key frame.

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use super::Destination;
use crate::cursor::{Next, Packet, Passed};
use crate::journal::DropReason;
use crate::limits::{
    AIR_BACKLOG_FROM, AIR_BACKLOG_SPEED, AIR_JOURNAL_WAIT, AIR_LATE_AFTER, AIR_POSITION_EVERY, AIR_QUANTUM,
    AIR_STOP_GRACE, AIR_WRITE_BYTES,
};
use crate::sink::{Sink, SinkError};
use outboard_media::flv::TagKind;
use outboard_media::flv::head::Head;

/// What the receiver of this session has been sent.
#[derive(Debug, Default)]
pub(super) struct SessionState {
    /// Whether metadata and the headers of both tracks were sent.
    started: bool,
    /// What was sent of the headers of video and of audio.
    told: [Told; 2],
    metadata: Option<Bytes>,
    /// Air time of the last mark.
    marked_ms: Option<u64>,
    /// While behind the clock: media time and instant from which faster sending is measured.
    backlog: Option<(u64, Instant)>,
    /// Whether video packets are skipped until the next key frame, because an earlier one could not be read.
    broken: bool,
    /// The batch whose file could not be read last: a missing file is reported once.
    unreadable: Option<u64>,
}

/// What a receiver was sent of the headers of one track.
#[derive(Debug, Default)]
struct Told {
    /// The header that was compared last with what was sent: its batch, and its number in the batch.
    compared: Option<(u64, usize)>,
    /// The body that was sent last.
    body: Option<Bytes>,
}

/// What follows a round.
pub(super) enum Sent {
    /// Nothing until this instant, or until the clock or the spool changes.
    Until(Option<Instant>),
    /// Nothing: all packets are sent.
    All,
    /// A new session is required.
    Renew,
    /// The destination was stopped.
    Stopped,
}

/// Why a round ended early.
pub(super) enum Failed {
    /// The receiver failed; contains the instant when the failure began.
    Lost(SinkError, Instant),
    /// The destination was stopped in the middle of a write: the session has no clean end.
    Torn,
}

impl Destination {
    /// Sends the packets that are due now.
    pub(super) async fn send_due(&mut self, sink: &mut Sink) -> Result<Sent, Failed> {
        loop {
            if self.cancel.is_cancelled() {
                return Ok(Sent::Stopped);
            }
            // Read before the cursor, so that a batch that arrives in between is not missed.
            let finished = self.spool_changes.borrow_and_update().finished;
            self.clock_changes.mark_unchanged();
            let Some(horizon_ms) = self.clock.horizon_ms(AIR_QUANTUM) else {
                let start = self.clock.anchored_at().and_then(|at| at.checked_sub(AIR_QUANTUM));
                return Ok(Sent::Until(start));
            };
            let packet = match self.cursor.peek() {
                Next::Packet(packet) => packet,
                Next::Wait => {
                    self.flush(sink).await?;
                    return Ok(if finished { Sent::All } else { Sent::Until(None) });
                }
                Next::Released => {
                    self.flush(sink).await?;
                    let passed = self.cursor.skip_released();
                    self.dropped(DropReason::Released, passed).await;
                    continue;
                }
            };
            let dts_ms = packet.tag.dts_ms;
            let now_ms = self.clock.now_ms().unwrap_or(0);
            if self.skip_if_too_late(sink, now_ms, dts_ms).await? {
                continue;
            }
            let allowed_ms = self.allowed_ms(now_ms, horizon_ms, dts_ms);
            if dts_ms > allowed_ms {
                self.flush(sink).await?;
                let wake =
                    if dts_ms > horizon_ms { self.clock.due(dts_ms) } else { Some(Instant::now() + AIR_QUANTUM) };
                return Ok(Sent::Until(wake));
            }
            if !self.headers(sink, &packet)? {
                self.flush(sink).await?;
                return Ok(Sent::Renew);
            }
            self.send(sink, packet, now_ms).await?;
            if sink.buffered() >= AIR_WRITE_BYTES {
                self.flush(sink).await?;
            }
        }
    }

    /// Skips if the destination is further behind than allowed; returns whether it did.
    async fn skip_if_too_late(&mut self, sink: &mut Sink, now_ms: u64, dts_ms: u64) -> Result<bool, Failed> {
        let max_lag_ms = self.max_lag.as_millis() as u64;
        if now_ms.saturating_sub(dts_ms) <= max_lag_ms {
            return Ok(false);
        }
        self.flush(sink).await?;
        let passed = self.cursor.skip_to(now_ms - max_lag_ms);
        if passed.is_empty() {
            return Ok(false);
        }
        self.dropped(DropReason::Lag, passed).await;
        Ok(true)
    }

    /// Media time up to which packets may be sent now: the horizon, or less while a backlog is sent.
    fn allowed_ms(&mut self, now_ms: u64, horizon_ms: u64, dts_ms: u64) -> u64 {
        let behind = now_ms.saturating_sub(dts_ms) > AIR_BACKLOG_FROM.as_millis() as u64;
        let Some((from_ms, since)) = self.session.backlog.or(behind.then(|| (dts_ms, Instant::now()))) else {
            return horizon_ms;
        };
        let elapsed = since.elapsed() + AIR_QUANTUM;
        let line = from_ms + (elapsed.as_secs_f64() * AIR_BACKLOG_SPEED * self.clock.speed() * 1000.0) as u64;
        self.session.backlog = (line < horizon_ms).then_some((from_ms, since));
        line.min(horizon_ms)
    }

    /// Sends metadata and headers that the receiver does not have yet and this packet needs; `false`: this sink cannot
    /// accept them.
    fn headers(&mut self, sink: &mut Sink, packet: &Packet) -> Result<bool, Failed> {
        let mut kinds = [Some(packet.kind), None];
        if !self.session.started {
            kinds = [Some(TagKind::Video), Some(TagKind::Audio)];
        }
        for kind in kinds.into_iter().flatten() {
            let Some(batch) = self.cursor.batch(kind) else { continue };
            let Some(told) = self.session.told.get_mut(usize::from(kind == TagKind::Audio)) else { continue };
            let Some((number, header)) = batch.track(kind).header_of(self.cursor.index(kind)) else { continue };
            let compared = Some((batch.number, number));
            if told.compared == compared {
                continue;
            }
            let failed = |error| Failed::Lost(error, Instant::now());
            let differs = told.body.as_ref() != Some(&header.body);
            if differs && told.body.is_some() && sink.new_header_needs_new(header.codec) {
                // A new output begins with a key frame. Until then the pictures have their parameter sets in them.
                if kind == TagKind::Video && !packet.entry {
                    continue;
                }
                return Ok(false);
            }
            if differs && kind == TagKind::Video {
                sink.check_picture(header.codec).map_err(failed)?;
            }
            if let Some(metadata) = &batch.metadata
                && self.session.metadata.as_ref() != Some(metadata)
            {
                sink.push(TagKind::Script, packet.tag.dts_ms, &[metadata]).map_err(failed)?;
                self.session.metadata = Some(metadata.clone());
                self.stats.metadata();
            }
            if differs {
                sink.push(kind, packet.tag.dts_ms, &[&header.body]).map_err(failed)?;
                told.body = Some(header.body.clone());
                self.stats.header();
            }
            told.compared = compared;
        }
        self.session.started = true;
        Ok(true)
    }

    async fn send(&mut self, sink: &mut Sink, packet: Packet, now_ms: u64) -> Result<(), Failed> {
        let failed = |error| Failed::Lost(error, Instant::now());
        let due_again = self.session.marked_ms.is_none_or(|at| {
            packet.tag.dts_ms.saturating_sub(at) >= AIR_POSITION_EVERY.as_millis() as u64 || packet.tag.dts_ms < at
        });
        let key = packet.entry && packet.kind == TagKind::Video;
        if key || due_again {
            self.mark(sink, &packet).await?;
        }
        if let Some(batch) = self.cursor.batch(packet.kind).cloned()
            && let Err(error) = self.bodies.load(&packet, &batch).await
        {
            if self.session.unreadable.replace(batch.number) != Some(batch.number) {
                tracing::error!(%error, "failed to read packets of a batch; skipping them");
            }
            self.session.broken |= packet.kind == TagKind::Video;
            self.cursor.advance(packet.kind);
            self.passed_over(&packet).await;
            return Ok(());
        }
        self.session.broken &= !key;
        match self.head(&packet).zip(self.bodies.get(&packet)) {
            Some(_) if self.session.broken && packet.kind == TagKind::Video => {
                self.cursor.advance(packet.kind);
                self.passed_over(&packet).await;
            }
            Some((head, sample)) => {
                sink.push(packet.kind, packet.tag.dts_ms, &[&head, sample]).map_err(failed)?;
                let late_ms = (AIR_LATE_AFTER.as_secs_f64() * self.clock.speed() * 1000.0) as u64;
                self.stats.pushed(&packet, now_ms.saturating_sub(packet.tag.dts_ms) > late_ms);
                self.cursor.advance(packet.kind);
            }
            // An empty sample at the end of a file, or one of a codec that has no form: there is nothing to send.
            None => {
                self.cursor.advance(packet.kind);
                self.passed_over(&packet).await;
            }
        }
        Ok(())
    }

    /// The bytes before the sample of a packet.
    fn head(&self, packet: &Packet) -> Option<Head> {
        let track = self.cursor.batch(packet.kind)?.track(packet.kind);
        let (_, header) = track.header_of(packet.at.tag as usize)?;
        Head::of(header.codec, packet.tag.key, packet.tag.composition_ms)
    }

    /// Records the position before the packet is sent; everything before it is written first.
    async fn mark(&mut self, sink: &mut Sink, packet: &Packet) -> Result<(), Failed> {
        self.flush(sink).await?;
        let position = self.cursor.position();
        let written = sink.written() + sink.buffered() as u64;
        self.marks.push(written, position, packet.entry, Instant::now());
        self.session.marked_ms = Some(packet.tag.dts_ms);
        let call = if packet.entry {
            self.journal.key_frame(&self.name, position)
        } else {
            self.journal.position(&self.name, position)
        };
        let done = timeout(AIR_JOURNAL_WAIT, call).await;
        self.stats.journalled(done);
        Ok(())
    }

    /// Records the final position.
    pub(super) async fn journal_position(&mut self) {
        let position = self.cursor.position();
        let done = timeout(AIR_JOURNAL_WAIT, self.journal.position(&self.name, position)).await;
        self.stats.journalled(done);
    }

    async fn flush(&mut self, sink: &mut Sink) -> Result<(), Failed> {
        if sink.buffered() == 0 {
            return Ok(());
        }
        let began = Instant::now();
        let before = sink.written();
        let cancel = self.cancel.clone();
        let stopped = async {
            cancel.cancelled().await;
            sleep(AIR_STOP_GRACE).await;
        };
        let failed = tokio::select! {
            wrote = sink.flush() => wrote.err().map(|error| Failed::Lost(error, began)),
            () = stopped => Some(Failed::Torn),
        };
        if let Some(failed) = failed {
            self.stats.forget_pending();
            return Err(failed);
        }
        self.stats.flushed(sink.written() - before, began, &self.spool, &self.cursor).await;
        Ok(())
    }

    pub(super) async fn dropped(&mut self, reason: DropReason, passed: Passed) {
        self.session.broken = false;
        let position = self.cursor.position();
        self.stats.dropped(reason, &passed, position, &self.spool).await;
    }

    async fn passed_over(&mut self, packet: &Packet) {
        let position = self.cursor.position();
        self.stats.dropped(DropReason::Unreadable, &Passed::one(packet), position, &self.spool).await;
    }
}
