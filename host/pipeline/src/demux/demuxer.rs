//! The demux step: demuxes each segment as it comes; where a batch is cut, gives it its place on the timeline and sends its
//! sound out.
//!
//! In: segments of the batch that is open, and cuts. Out: demuxed batches in order, each with the wait for its reply. Several
//! may be under way at the processor while the next is demuxed. A batch that cannot be demuxed is counted as lost and the
//! stream goes on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument, Span};

pub use super::outgoing::before::Joined;
pub use super::outgoing::{FragmentSender, Submitted};
use super::report::Outcome;
use super::waiting::Waiting;
use super::{DemuxError, Layout, Split, Splitter, check_sound, reload};
use crate::batch::{Batch, Decided};
use crate::cause::{HealthCause, Origin};
use crate::deadline::BatchTimes;
use crate::limits::RESUME_SEGMENTS_MAX;
use crate::report::Reporter;
use outboard_base::limits::ROOM_PATIENCE;
use outboard_base::room::Room;
use outboard_base::unix_time;
use outboard_exchange::Pending;
use outboard_ffmpeg::FfmpegError;
use outboard_media::facts::BatchFacts;
use outboard_media::segment::Segment;
use outboard_media::timeline::{Placed, Timeline};
use outboard_store::files::{FilesError, StreamFiles};
use outboard_store::journal::{BatchRow, JournalError, Step};

/// Why the pipeline cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DemuxStepError {
    /// The stream cannot go on air at all.
    #[error("{0}")]
    Unsupported(String),
    /// A step could not be written to the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file or folder of the stream could not be written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// ffmpeg cannot be started any more.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
}

impl Origin for DemuxStepError {
    fn origin(&self) -> HealthCause {
        match self {
            Self::Unsupported(_) => HealthCause::Source,
            Self::Journal(_) | Self::Files(_) => HealthCause::Disk,
            Self::Ffmpeg(error) => error.origin(),
        }
    }
}

/// A batch on its way through the processor.
#[derive(Debug)]
pub struct Demuxed {
    /// Number of the batch in its stream.
    pub number: u64,
    /// The folder that holds the files of the batch.
    pub dir: PathBuf,
    /// Tracks and packets of the batch, as demuxing found them.
    pub facts: BatchFacts,
    /// Where the packets are in its files; `None`: that is not known, because ffmpeg or an earlier run wrote them.
    pub layout: Option<Layout>,
    /// Its place on the timeline.
    pub placed: Placed,
    /// The wait for its reply; `None` where nothing was sent.
    pub pending: Option<Pending>,
    /// The packet of sound that was sent in front of it as pre-roll, if one was.
    pub pre_roll: Option<Vec<u8>>,
    /// When its last segment was there.
    pub complete: Instant,
    /// When its sound was handed to the exchange, if it was.
    pub sent: Instant,
    /// Media of later batches that was there when it was complete.
    pub open: Duration,
}

impl Demuxed {
    /// Its times, for its deadline.
    pub fn times(&self) -> BatchTimes {
        BatchTimes {
            start_ms: self.placed.start_ms,
            end_ms: self.placed.end_ms,
            complete: self.complete,
            sent: self.sent,
            asked: self.pending.is_some(),
            open: self.open,
        }
    }
}

/// Demuxes segments and batches in order and hands each batch to the remux step.
pub struct Demuxer {
    /// Keeps what is open from one segment to the next.
    pub splitter: Splitter,
    /// The batch that is open.
    pub waiting: Waiting,
    /// Until the first batch is split: the last segments before it, oldest first.
    pub before: Vec<Segment>,
    /// The end of the last placed batch, after which the next one is placed.
    pub timeline: Timeline,
    /// The folders in which the stream's segments and batches are stored.
    pub files: StreamFiles,
    /// Tells what came of each batch.
    pub reporter: Reporter,
    /// `None`: the original audio stays.
    pub sender: Option<FragmentSender>,
    /// Asked where the disk is full.
    pub room: Room,
    /// The batch before had no sound, though the playlist promises it.
    pub silent: bool,
}

impl Demuxer {
    /// First the batches that a restart left behind, then new ones, until none follow.
    pub async fn run(
        mut self,
        resumed: Vec<BatchRow>,
        mut decided: mpsc::Receiver<Decided>,
        demuxed: mpsc::Sender<Demuxed>,
    ) -> Result<(), DemuxStepError> {
        let mut newest = 0;
        for row in resumed {
            let known = row.timeline.filter(|_| row.step >= Step::Demuxed);
            let batch = Batch {
                number: row.number,
                segments: row.segments,
                discontinuity: row.discontinuity,
                last: false,
                complete: before_now(unix_time::now_ms().saturating_sub(row.complete_ms)),
                complete_ms: row.complete_ms,
                open: Duration::ZERO,
            };
            newest = batch.number;
            let span = batch_span(batch.number);
            if !self.take(batch, known, &demuxed).instrument(span).await? {
                return Ok(());
            }
        }
        while let Some(decided) = decided.recv().await {
            newest = decided.batch();
            let span = batch_span(newest);
            match decided {
                Decided::Segment { batch, segment } => self.segment(batch, *segment).instrument(span).await?,
                Decided::Cut(batch) => {
                    if !self.take(batch, None, &demuxed).instrument(span).await? {
                        return Ok(());
                    }
                }
            }
        }
        let left = self.splitter.finish();
        self.reporter.demux(newest, Outcome::Counted(&left)).await?;
        Ok(())
    }

    /// False when nobody takes batches any more.
    async fn take(
        &mut self,
        batch: Batch,
        known: Option<Timeline>,
        demuxed: &mpsc::Sender<Demuxed>,
    ) -> Result<bool, DemuxStepError> {
        let dir = self.files.batch(batch.number);
        self.reporter.demux(batch.number, Outcome::Complete(batch.complete)).await?;
        let split = match known {
            Some(before) => {
                let facts = reload(&dir).await;
                if facts.is_ok() {
                    self.timeline = before;
                }
                facts.map(|facts| (facts, None))
            }
            None => {
                let began = Instant::now();
                let split = match self.split(&batch, &dir).await? {
                    Ok((facts, layout)) => self.check_sound(batch.number, facts).await?.map(|facts| (facts, layout)),
                    Err(error) => Err(error),
                };
                let took = self.waiting.took + began.elapsed();
                self.waiting.after(&batch);
                self.reporter.demux(batch.number, Outcome::Split { took }).await?;
                split
            }
        };
        let (facts, layout) = match split {
            Ok(split) => split,
            // In mid-stream one such batch (an advertisement, say) is lost and the stream goes on.
            Err(error @ (DemuxError::Unsupported(_) | DemuxError::NoSound { .. })) if !self.timeline.begun() => {
                return Err(DemuxStepError::Unsupported(error.to_string()));
            }
            Err(DemuxError::Ffmpeg(error @ FfmpegError::Start { .. })) => return Err(error.into()),
            Err(DemuxError::Files(error)) if !error.is_disk_full() => return Err(error.into()),
            Err(error) => {
                self.reporter.demux(batch.number, Outcome::Lost(&error)).await?;
                Default::default()
            }
        };
        let before = self.timeline.clone();
        let placed = self.timeline.place(&facts, batch.discontinuity);
        let outcome = Outcome::Placed { facts: &facts, placed: &placed, before: &before, after: &self.timeline };
        self.reporter.demux(batch.number, outcome).await?;
        if self.splitter.is_new() {
            self.before.extend(batch.segments.iter().cloned());
            self.before.drain(..self.before.len().saturating_sub(RESUME_SEGMENTS_MAX));
        } else {
            self.before.clear();
        }
        let submitted = self.send(&batch, &dir, &facts).await?;
        let (pending, pre_roll) = submitted.map_or((None, None), |sent| (Some(sent.pending), sent.pre_roll));
        let sent = Instant::now();
        let after = pending.is_some().then(|| sent.saturating_duration_since(batch.complete));
        self.reporter.demux(batch.number, Outcome::Sent { after }).await?;
        let Batch { number, complete, open, .. } = batch;
        let batch = Demuxed { number, dir, facts, layout, placed, pending, pre_roll, complete, sent, open };
        Ok(demuxed.send(batch).await.is_ok())
    }

    /// Hands the sound of a batch to the exchange. Where that fails, the batch goes on with its original audio.
    async fn send(&self, batch: &Batch, dir: &Path, facts: &BatchFacts) -> Result<Option<Submitted>, JournalError> {
        let Some(sender) = &self.sender else { return Ok(None) };
        let before =
            batch.number.checked_sub(1).filter(|_| !batch.discontinuity).map(|number| self.files.batch(number));
        match sender.send(batch, dir, before.as_deref(), facts).await {
            Ok(submitted) => Ok(submitted),
            Err(error) => {
                self.reporter.demux(batch.number, Outcome::NotSent(&error)).await?;
                Ok(None)
            }
        }
    }

    /// Nothing begins without the sound that the playlist promises. Where it goes away later, the picture goes on and an
    /// event says so, once.
    async fn check_sound(
        &mut self,
        batch: u64,
        facts: BatchFacts,
    ) -> Result<Result<BatchFacts, DemuxError>, JournalError> {
        let checked = check_sound(self.reporter.status.get().source.as_ref(), &facts);
        let was_silent = std::mem::replace(&mut self.silent, checked.is_err());
        match checked {
            Err(error) if !self.timeline.begun() => return Ok(Err(error)),
            Err(DemuxError::NoSound { promise }) if !was_silent => {
                self.reporter.demux(batch, Outcome::NoSound { promise: &promise }).await?;
            }
            _ => {}
        }
        Ok(Ok(facts))
    }

    /// Demuxes a segment of the batch that is open. What cannot be is tried again with the next one, and when the batch is
    /// cut.
    async fn segment(&mut self, batch: u64, segment: Segment) -> Result<(), JournalError> {
        let began = Instant::now();
        self.waiting.push(batch, segment);
        let dir = self.files.batch(batch);
        let mut fed = self.feed(&dir).await;
        if let Err(error) = &fed
            && error.is_disk_full()
        {
            self.reporter.demux(batch, Outcome::DiskFull(error)).await?;
            self.room.make().await;
            fed = self.feed(&dir).await;
        }
        if let Err(error) = fed {
            tracing::warn!(batch, %error, "a segment is not demuxed yet; it is tried again");
        }
        self.waiting.took += began.elapsed();
        Ok(())
    }

    /// Demuxes the segments that wait for it. One whose file somebody removed is left out.
    async fn feed(&mut self, dir: &Path) -> Result<(), DemuxError> {
        self.follow_on(self.waiting.batch).await;
        while let Some(segment) = self.waiting.next(self.splitter.newest()).filter(|_| !self.splitter.is_foreign()) {
            if self.splitter.newest().is_none() {
                self.files.make_batch(self.waiting.batch)?;
            }
            match self.splitter.segment(&segment, dir).await {
                Err(error) if !error.is_disk_full() && !on_disk(&segment) => {
                    tracing::debug!(segment = segment.index, %error, "a segment was removed from the disk");
                    self.waiting.remove(segment.index);
                }
                fed => fed?,
            }
        }
        Ok(())
    }

    /// Splits a batch; where the disk is full, again for some time; where its files are gone, once more from its segments.
    async fn split(
        &mut self,
        batch: &Batch,
        dir: &Path,
    ) -> Result<Result<(BatchFacts, Option<Layout>), DemuxError>, JournalError> {
        let give_up = Instant::now() + ROOM_PATIENCE;
        let (mut again, mut told) = (false, 0);
        self.waiting.cut(batch);
        loop {
            let split = match self.feed(dir).await {
                Ok(()) => self.end(batch, dir).await,
                Err(error) => Err(error),
            };
            let (removed, left) = (self.waiting.removed_count() - told, self.waiting.left().count());
            if removed > 0 {
                told += removed;
                self.reporter.demux(batch.number, Outcome::SegmentsRemoved { removed, left }).await?;
            }
            match split {
                Ok(Split { facts, layout, counts }) => {
                    self.reporter.demux(batch.number, Outcome::Counted(&counts)).await?;
                    return Ok(Ok((facts, layout)));
                }
                Err(error) if error.is_disk_full() && Instant::now() < give_up => {
                    self.reporter.demux(batch.number, Outcome::DiskFull(&error)).await?;
                    self.room.make().await;
                }
                Err(DemuxError::Ffmpeg(_)) if self.waiting.remove_unless(on_disk) => {}
                Err(error @ DemuxError::File { .. }) if !again && self.splitter.again() => {
                    tracing::warn!(%error, "demuxing the batch again from its segments");
                    again = true;
                }
                Err(error) => {
                    self.splitter.give_up();
                    return Ok(Err(error));
                }
            }
        }
    }

    /// Ends the batch that is open.
    async fn end(&mut self, batch: &Batch, dir: &Path) -> Result<Split, DemuxError> {
        let left: Vec<Segment> = self.waiting.left().cloned().collect();
        if let (true, Some(first)) = (left.is_empty(), batch.segments.first()) {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(DemuxError::File { path: first.main.path.clone(), source });
        }
        let next = self.files.batch(batch.number + 1);
        // Of what ffmpeg splits, nothing was written before.
        if self.splitter.newest().is_none() {
            self.files.make_batch(batch.number)?;
        }
        if self.waiting.has_more() {
            self.files.make_batch(batch.number + 1)?;
        }
        self.splitter.cut(&left, batch.last, dir, &next).await
    }

    /// After a restart the first batch that is split follows on the last segments before it.
    async fn follow_on(&mut self, batch: u64) {
        if !self.splitter.is_new() || self.before.is_empty() {
            return;
        }
        let facts = match batch.checked_sub(1) {
            Some(number) => reload(&self.files.batch(number)).await.ok(),
            None => None,
        };
        self.splitter.after(self.before.clone(), facts.as_ref());
    }
}

/// What is logged inside is about this batch, whatever the level of the log is.
pub(crate) fn batch_span(batch: u64) -> Span {
    tracing::error_span!("batch", batch)
}

/// The instant so many milliseconds ago.
fn before_now(ms: u64) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_millis(ms)).unwrap_or(now)
}

/// Whether all files of a segment are still on disk.
fn on_disk(segment: &Segment) -> bool {
    let mut parts = std::iter::once(&segment.main).chain(&segment.audio);
    parts.all(|part| part.path.is_file() && part.init.as_ref().is_none_or(|init| init.is_file()))
}
