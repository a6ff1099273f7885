//! source -> **batch** -> demux: groups segments into batches as the batching stage decides.
//!
//! In: what the source tells. Out: batches whose segments, borders and stage state are in the journal. When the source
//! ends, everything that is left becomes a batch: the last one, unless a live source is waited for.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::diary::Diary;
use super::event::{Event, EventKind, Severity};
use super::pace::Pace;
use super::status::{Phase, Status};
use outboard_base::unix_time;
use outboard_egress::clock::AirClock;
use outboard_hls::{GapReason, SourceEvent};
use outboard_media::segment::{Cue, Segment};
use outboard_stage::contract::batching as wit;
use outboard_stage::swap::Shared;
use outboard_stage::{Answer, BatchingStage};
use outboard_store::journal::{CutRecord, JournalError, StageSnapshot};

/// Segments that belong together: the unit that goes to the processor.
#[derive(Debug, Clone)]
pub struct Batch {
    /// 0-based over the stream's life.
    pub number: u64,
    /// Segments of the batch, oldest first.
    pub segments: Vec<Segment>,
    /// Its timestamps may not follow on from the batch before.
    pub discontinuity: bool,
    /// When its last segment was there.
    pub complete: Instant,
    /// The same as Unix time in milliseconds.
    pub complete_ms: u64,
}

/// The batch step: asks the stage where to cut, checks the answer, and hands batches on.
pub struct Batcher {
    /// The stage that decides.
    pub stage: Shared<BatchingStage>,
    /// Where cuts are written down.
    pub journal: Diary,
    /// Phase and counters of the pipeline, which the step updates.
    pub status: Arc<Status>,
    /// Number of the next batch.
    pub next_batch: u64,
    /// Segments that are in no batch yet; after a restart those that the journal knows.
    pub pending: VecDeque<Segment>,
    /// Stop after so many more batches; the rest of the stream is not wanted.
    pub limit: Option<u64>,
    /// Ends the source once `limit` is reached.
    pub stop: CancellationToken,
    /// The newest batch of which it was told that it is too long.
    pub too_long: Option<u64>,
    /// How long batches are to be.
    pub pace: Pace,
    /// Tells how late it is, and how long a batch may be.
    pub clock: AirClock,
}

impl Batcher {
    /// Runs until the source ends; the last batch is out then.
    pub async fn run(
        mut self,
        mut events: mpsc::Receiver<SourceEvent>,
        batches: mpsc::Sender<Batch>,
    ) -> Result<(), JournalError> {
        // After a restart: the stage's snapshot knows these already, the host's own books do not.
        for segment in std::mem::take(&mut self.pending) {
            if self.push(segment, false, &batches).await?.is_break() {
                return Ok(());
            }
        }
        while let Some(event) = events.recv().await {
            match event {
                SourceEvent::Segment(segment) => {
                    self.count(&segment);
                    if self.push(*segment, true, &batches).await?.is_break() {
                        return Ok(());
                    }
                }
                SourceEvent::Ended => break,
                SourceEvent::Over => {
                    self.over();
                    if self.flush(&batches).await?.is_break() {
                        return Ok(());
                    }
                }
                other => self.note(&other),
            }
        }
        self.status.enter(Phase::Draining);
        let _ = self.flush(&batches).await?;
        Ok(())
    }

    /// Everything that waits becomes a batch.
    async fn flush(&mut self, batches: &mpsc::Sender<Batch>) -> Result<ControlFlow<()>, JournalError> {
        let Answer { value, failure } = self.stage.lock().await.flush().await;
        self.cut(false, Answer { value: value.into_iter().collect(), failure }, batches).await
    }

    /// A live source ended though nobody ordered it.
    fn over(&self) {
        self.status.update(|stats| {
            stats.ended_since_ms = Some(unix_time::now_ms());
            stats.stale_since_ms = None;
        });
        let what = "source: the live stream has ended (ENDLIST); checking it until it returns";
        self.status.tell(Event::new(EventKind::SourceLost, Severity::Error, what));
    }

    async fn push(
        &mut self,
        segment: Segment,
        new: bool,
        batches: &mpsc::Sender<Batch>,
    ) -> Result<ControlFlow<()>, JournalError> {
        self.keep_pace(&segment).await;
        let cuts = self.stage.lock().await.push(to_wit(&segment)).await;
        self.pending.push_back(segment);
        self.cut(new, cuts, batches).await
    }

    /// Tells the stage another length of batches, where one is wanted and there is room for it.
    async fn keep_pace(&self, segment: &Segment) {
        let open = self.pending.iter().map(|segment| segment.duration);
        let longest = open.chain([segment.duration]).max().unwrap_or_default();
        if let Some((from, to)) = self.pace.next_length(&self.clock, longest) {
            tracing::info!(from, to, "changed the length of batches (seconds)");
            self.stage.lock().await.set_batch_seconds(from, to);
        }
    }

    /// Journals the newest segment, if it is new, with what was cut, then hands the batches on.
    async fn cut(
        &mut self,
        new: bool,
        answer: Answer<Vec<wit::Cut>>,
        batches: &mpsc::Sender<Batch>,
    ) -> Result<ControlFlow<()>, JournalError> {
        self.status.stage_answered("batching", answer.failure.as_ref().map(ToString::to_string));
        if let Some(failure) = &answer.failure {
            self.status.warn(
                EventKind::StageFailed,
                format_args!("batching stage: {failure}; the host's default cuts batches"),
            );
        }
        let (complete, complete_ms) = (Instant::now(), unix_time::now_ms());
        let newest = self.pending.back().filter(|_| new).cloned();
        let wanted = usize::try_from(self.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let mut cut = Vec::new();
        let mut records = Vec::new();
        for decided in answer.value.iter().take(wanted) {
            let segments: Vec<Segment> = self.take_until(decided.last);
            let Some(first) = segments.first() else { continue };
            let number = self.next_batch + cut.len() as u64;
            records.push(CutRecord {
                number,
                first: first.index,
                last: decided.last,
                reason: reason_name(decided.reason).to_owned(),
                discontinuity: first.discontinuity,
                complete_ms,
            });
            cut.push(Batch { number, discontinuity: first.discontinuity, segments, complete, complete_ms });
        }
        self.next_batch += cut.len() as u64;
        let state = {
            let stage = self.stage.lock().await;
            stage.snapshot().map(|state| StageSnapshot {
                kind: "batching".into(),
                digest: stage.component().digest().to_string(),
                state: state.to_vec(),
            })
        };
        self.journal.segment(newest.as_ref(), records, state).await?;
        let buffered: Duration = self.pending.iter().map(|segment| segment.duration).sum();
        match cut.first() {
            Some(batch) => self.warn_too_long(batch.number, batch.segments.iter().map(|one| one.duration).sum()),
            None => self.warn_too_long(self.next_batch, buffered),
        }
        self.status.update(|stats| {
            stats.batches += cut.len() as u64;
            stats.buffer_ms = u64::try_from(buffered.as_millis()).unwrap_or(u64::MAX);
        });
        for batch in cut {
            tracing::info!(batch = batch.number, segments = batch.segments.len(), "batch is complete");
            self.status.enter(Phase::Holding);
            self.limit = self.limit.map(|left| left.saturating_sub(1));
            if batches.send(batch).await.is_err() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if self.limit == Some(0) {
            self.stop.cancel();
            self.status.enter(Phase::Draining);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Says once of each batch that it will be ready too late, as soon as that is known: it has so much media already.
    fn warn_too_long(&mut self, number: u64, media: Duration) {
        let recording = self.status.get().recording;
        let Some(allowed) = self.pace.longest_in_time(&self.clock).filter(|allowed| !recording && media > *allowed)
        else {
            return;
        };
        if self.too_long.replace(number) != Some(number) {
            let (media, allowed) = (media.as_secs_f64(), allowed.as_secs_f64());
            let what = format!(
                "batch {number} is {media:.1} s long, and {allowed:.1} s is the longest that is ready before it is due on air: it \
                 comes too late. The batching stage cuts longer batches than before"
            );
            self.status.tell(Event::new(EventKind::BatchTooLong, Severity::Warning, what).batch(number));
        }
    }

    /// The stage's cuts were checked: they are in order and name what was pushed.
    fn take_until(&mut self, last: u64) -> Vec<Segment> {
        let count = self.pending.iter().take_while(|segment| segment.index <= last).count();
        self.pending.drain(..count).collect()
    }

    fn count(&self, segment: &Segment) {
        self.status.enter(Phase::Buffering);
        self.status.update(|stats| {
            stats.segments += 1;
            stats.segment_bytes += segment.main.bytes + segment.audio.iter().map(|part| part.bytes).sum::<u64>();
        });
    }

    fn note(&self, event: &SourceEvent) {
        match event {
            SourceEvent::Gap(gap) => {
                let reason = match gap.reason {
                    GapReason::Marked => "marked",
                    GapReason::Missed => "missed",
                    GapReason::Behind => "behind",
                    GapReason::GivenUp(_) | GapReason::Unusable(_) => "given-up",
                    GapReason::NoRoom(_) => "no-room",
                    _ => "unpaired",
                };
                self.status.update(|stats| *stats.gaps.entry(reason).or_default() += gap.segments);
                let what = match gap.segments {
                    1 => format!("source: 1 segment is missing: {}", gap.reason),
                    count => format!("source: {count} segments are missing: {}", gap.reason),
                };
                self.status.warn(EventKind::SourceGap, what);
            }
            SourceEvent::NewEpoch { reason, .. } => {
                self.status.update(|stats| stats.epochs += 1);
                let what = format_args!("source: the playlist restarted ({reason:?})");
                self.status.warn(EventKind::SourceRestarted, what);
            }
            SourceEvent::Stale { unchanged_for, .. } => {
                let ms = u64::try_from(unchanged_for.as_millis()).unwrap_or(u64::MAX);
                let since = unix_time::now_ms().saturating_sub(ms);
                self.status.update(|stats| stats.stale_since_ms = stats.stale_since_ms.or(Some(since)));
                let what = format_args!("source: no new segment for {:.0} s", unchanged_for.as_secs_f64());
                self.status.warn(EventKind::SourceStale, what);
            }
            SourceEvent::Fresh { after, .. } => {
                self.status.update(|stats| stats.stale_since_ms = None);
                let what = format!("source: new segments again after {:.0} s", after.as_secs_f64());
                self.status.tell(Event::new(EventKind::SourceFresh, Severity::Info, what));
            }
            SourceEvent::Back { after } => {
                self.status.update(|stats| stats.ended_since_ms = None);
                let what = format!("source: available again after {:.0} s", after.as_secs_f64());
                self.status.tell(Event::new(EventKind::SourceFresh, Severity::Info, what));
            }
            SourceEvent::Failover { to, reason } => {
                let what = format_args!("source: switched to {to}: {reason}");
                self.status.warn(EventKind::SourceFailover, what);
            }
            SourceEvent::Started(started) => {
                self.status.update(|stats| {
                    stats.recording = !started.live;
                    stats.source_problem = None;
                    stats.source = Some(started.clone());
                });
                let kind = if started.live { "live" } else { "a recording" };
                let what = format!("source: connected, {kind}");
                self.status.tell(Event::new(EventKind::SourceConnected, Severity::Info, what));
            }
            SourceEvent::Warning(text) => self.status.warn(EventKind::SourceWarning, format_args!("source: {text}")),
            other => tracing::info!(event = ?other, "source"),
        }
    }
}

/// The contract's word for why a batch was cut.
fn reason_name(reason: wit::Reason) -> &'static str {
    match reason {
        wit::Reason::Length => "length",
        wit::Reason::Discontinuity => "discontinuity",
        wit::Reason::Cue => "cue",
        wit::Reason::Aligned => "aligned",
        wit::Reason::Flush => "flush",
        wit::Reason::Other => "other",
    }
}

/// A segment in the contract's terms.
fn to_wit(segment: &Segment) -> wit::Segment {
    let cue = |cue: &Cue| match cue {
        Cue::Out(length) => wit::Cue::Out(*length),
        Cue::In => wit::Cue::In,
        Cue::Other(text) => wit::Cue::Other(text.clone()),
    };
    wit::Segment {
        index: segment.index,
        media_sequence: segment.media_sequence,
        duration_us: u64::try_from(segment.duration.as_micros()).unwrap_or(u64::MAX),
        size_bytes: segment.main.bytes,
        discontinuity: segment.discontinuity,
        program_date_time_us: segment.identity.program_date_time_us,
        cues: segment.cues.iter().map(cue).collect(),
    }
}
