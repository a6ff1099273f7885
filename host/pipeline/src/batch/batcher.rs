//! The batch step: asks the batching stage where to cut, checks the answer and hands segments and batches on.
//!
//! In: what the source tells. Out: each segment of the open batch, so that it is demuxed before the batch is cut, and
//! batches. Segments, borders and stage state are in the journal by then. When the source
//! ends, everything that is left becomes a batch: the last one, unless a live source is waited for. Every outcome goes to
//! the [`Reporter`].

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::report::Outcome;
use super::{Batch, Decided};
use crate::pace::Pace;
use crate::report::{Reporter, source};
use outboard_base::unix_time;
use outboard_egress::clock::AirClock;
use outboard_hls::SourceEvent;
use outboard_media::segment::{Cue, Segment};
use outboard_stage::contract::batching as wit;
use outboard_stage::swap::Shared;
use outboard_stage::{Answer, BatchingStage};
use outboard_store::journal::{CutRecord, JournalError, StageSnapshot};

/// Collects segments, asks the batching stage where to cut, and hands on batches.
pub struct Batcher {
    /// The batching stage, shared with swaps.
    pub stage: Shared<BatchingStage>,
    /// Tells what came of each segment and batch.
    pub reporter: Reporter,
    /// Number of the next batch.
    pub next_batch: u64,
    /// Segments that are in no batch yet, oldest first; after a restart those that the journal knows.
    pub pending: VecDeque<Segment>,
    /// Stop after so many more batches, the rest of the stream is not wanted; `None`: never.
    pub limit: Option<u64>,
    /// Ends the source once `limit` is reached.
    pub stop: CancellationToken,
    /// Number of the newest batch of which it was told that it is too long.
    pub too_long: Option<u64>,
    /// When the newest segment was there, or that none follows, also as Unix time in milliseconds.
    pub arrived: (Instant, u64),
    /// Index of the newest segment that was handed on.
    pub handed: Option<u64>,
    /// How long batches are to be.
    pub pace: Pace,
    /// Tells how late it is on air, and so how long a batch may be.
    pub clock: AirClock,
}

impl Batcher {
    /// Runs until the source ends, `limit` is reached or nobody takes what is decided any more.
    ///
    /// # Errors
    /// [`JournalError`]: a segment or cut could not be written down, and too many wait for that already.
    pub async fn run(
        mut self,
        mut events: mpsc::Receiver<SourceEvent>,
        decided: mpsc::Sender<Decided>,
    ) -> Result<(), JournalError> {
        // After a restart: the stage's snapshot knows these already, the host does not.
        for segment in std::mem::take(&mut self.pending) {
            if self.push(segment, false, &decided).await?.is_break() {
                return Ok(());
            }
        }
        while let Some(event) = events.recv().await {
            if matches!(event, SourceEvent::Ended) {
                break;
            }
            self.reporter.source(source::Outcome::Told(&event));
            let flow = match event {
                SourceEvent::Segment(segment) => self.push(*segment, true, &decided).await?,
                // The next segment may come much later.
                SourceEvent::Over => self.flush(&decided).await?,
                _ => ControlFlow::Continue(()),
            };
            if flow.is_break() {
                return Ok(());
            }
        }
        self.reporter.batch(Outcome::NoMore).await?;
        let _ = self.flush(&decided).await?;
        Ok(())
    }

    /// Everything that waits becomes a batch.
    async fn flush(&mut self, decided: &mpsc::Sender<Decided>) -> Result<ControlFlow<()>, JournalError> {
        self.arrived = (Instant::now(), unix_time::now_ms());
        let Answer { value, failure } = self.stage.lock().await.flush().await;
        self.cut(Newest::None, Answer { value: value.into_iter().collect(), failure }, decided).await
    }

    /// Gives the stage the next segment. `new`: the journal does not have it yet.
    async fn push(
        &mut self,
        segment: Segment,
        new: bool,
        decided: &mpsc::Sender<Decided>,
    ) -> Result<ControlFlow<()>, JournalError> {
        self.arrived = (Instant::now(), unix_time::now_ms());
        self.keep_pace(&segment).await?;
        let cuts = self.stage.lock().await.push(to_wit(&segment)).await;
        self.pending.push_back(segment);
        self.cut(if new { Newest::New } else { Newest::Known }, cuts, decided).await
    }

    /// Tells the stage another length of batches, where one is wanted and there is room for it.
    async fn keep_pace(&self, segment: &Segment) -> Result<(), JournalError> {
        let open = self.pending.iter().map(|segment| segment.duration);
        let longest = open.chain([segment.duration]).max().unwrap_or_default();
        if let Some((from, to)) = self.pace.next_length(&self.clock, longest) {
            self.reporter.batch(Outcome::LengthChanged { from, to }).await?;
            self.stage.lock().await.set_batch_seconds(from, to);
        }
        Ok(())
    }

    /// Journals the newest segment, if it is new, with what was cut, then hands the batches on.
    async fn cut(
        &mut self,
        of: Newest,
        answer: Answer<Vec<wit::Cut>>,
        decided: &mpsc::Sender<Decided>,
    ) -> Result<ControlFlow<()>, JournalError> {
        let failure = answer.failure.as_ref().map(ToString::to_string);
        self.reporter.batch(Outcome::Answered { failure: failure.as_deref() }).await?;
        let newest = self.pending.back().filter(|_| of == Newest::New).cloned();
        let (cut, records) = self.batches_of(&answer.value, of == Newest::None);
        let stage = self.snapshot().await;
        let buffered = self.open();
        self.reporter.batch(Outcome::Cut { segment: newest.as_ref(), records, stage, buffered }).await?;
        match cut.first() {
            Some(batch) => self.check_length(batch.number, batch.media()).await?,
            None => self.check_length(self.next_batch, buffered).await?,
        }
        for batch in cut {
            self.reporter.batch(Outcome::Complete { batch: batch.number, segments: batch.segments.len() }).await?;
            self.limit = self.limit.map(|left| left.saturating_sub(1));
            self.handed = self.handed.max(batch.segments.last().map(|segment| segment.index));
            if decided.send(Decided::Cut(batch)).await.is_err() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if self.limit == Some(0) {
            self.stop.cancel();
            self.reporter.batch(Outcome::NoMore).await?;
            return Ok(ControlFlow::Break(()));
        }
        self.hand_on(decided).await
    }

    /// Hands on the segments that are in no batch yet.
    async fn hand_on(&mut self, decided: &mpsc::Sender<Decided>) -> Result<ControlFlow<()>, JournalError> {
        for segment in &self.pending {
            if self.handed.is_some_and(|handed| segment.index <= handed) {
                continue;
            }
            self.handed = Some(segment.index);
            let segment = Decided::Segment { batch: self.next_batch, segment: Box::new(segment.clone()) };
            if decided.send(segment).await.is_err() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Takes the batches that the stage cut out of what waits, no more than are wanted, each with its line in the journal.
    /// `over`: no segment follows.
    fn batches_of(&mut self, decided: &[wit::Cut], over: bool) -> (Vec<Batch>, Vec<CutRecord>) {
        let (complete, complete_ms) = self.arrived;
        let wanted = usize::try_from(self.limit.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let (mut cut, mut records) = (Vec::new(), Vec::new());
        for decided in decided.iter().take(wanted) {
            let segments = self.take_until(decided.last);
            let Some(first) = segments.first() else { continue };
            let (number, discontinuity) = (self.next_batch, first.discontinuity);
            self.next_batch += 1;
            let reason = reason_name(decided.reason).to_owned();
            let (first, last) = (first.index, decided.last);
            records.push(CutRecord { number, first, last, reason, discontinuity, complete_ms });
            let last = self.pending.front().map_or(over, |next| next.discontinuity) || cut.len() + 1 == wanted;
            let open = self.open();
            cut.push(Batch { number, discontinuity, segments, last, complete, complete_ms, open });
        }
        (cut, records)
    }

    /// What the stage would go on from after a restart; `None`: it keeps no state.
    async fn snapshot(&self) -> Option<StageSnapshot> {
        let stage = self.stage.lock().await;
        let state = stage.snapshot()?.to_vec();
        Some(StageSnapshot { kind: "batching".into(), digest: stage.component().digest().to_string(), state })
    }

    /// Says once of each batch that it will be ready too late, as soon as that is known: it has so much media already.
    async fn check_length(&mut self, number: u64, media: Duration) -> Result<(), JournalError> {
        let recording = self.reporter.recording();
        let Some(allowed) = self.pace.longest_in_time(&self.clock).filter(|allowed| !recording && media > *allowed)
        else {
            return Ok(());
        };
        if self.too_long.replace(number) != Some(number) {
            self.reporter.batch(Outcome::TooLong { batch: number, media, allowed }).await?;
        }
        Ok(())
    }

    /// Media that is in no batch yet.
    fn open(&self) -> Duration {
        self.pending.iter().map(|segment| segment.duration).sum()
    }

    /// The stage's cuts were checked: they are in order and name what was pushed.
    fn take_until(&mut self, last: u64) -> Vec<Segment> {
        let count = self.pending.iter().take_while(|segment| segment.index <= last).count();
        self.pending.drain(..count).collect()
    }
}

/// What the newest segment is to a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newest {
    /// The journal does not have it yet.
    New,
    /// The journal has it.
    Known,
    /// There is none: the source has ended, for now or for good.
    None,
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

#[cfg(test)]
mod tests;
