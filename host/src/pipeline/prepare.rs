//! batch -> **demux** -> exchange: takes each batch apart, gives it its place on the timeline and sends its sound out.
//!
//! In: batches in order. Out: prepared batches in order, each with the wait for its reply. Several may be under way at
//! the processor while the next is demuxed. A batch that cannot be demuxed is counted as lost and the stream goes on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::batch::Batch;
use super::cause::{Cause, Origin};
use super::deadline::BatchTimes;
use super::demux::{self, DemuxError, Demuxer, names};
use super::diary::Diary;
use super::event::{Event, EventKind, Severity};
use super::exchange::framer::{AudioFormat, Fragment, Pcm};
use super::exchange::{Audio, Exchange, Outgoing, Pending};
use super::source::segment::Segment;
use super::status::Status;
use super::timeline::{Placed, Timeline};
use crate::ffmpeg::{self, FfmpegError, Slots, Turn};
use crate::limits::{FFMPEG_TIMEOUT, ROOM_PATIENCE};
use crate::media::facts::{BatchFacts, TrackFacts};
use crate::metrics;
use crate::store::files::{FilesError, StreamFiles};
use crate::store::journal::{BatchRow, JournalError, Step};
use crate::store::room::Room;
use crate::unix_time;

/// Why the pipeline cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The stream cannot go on air at all.
    #[error("{0}")]
    Unsupported(String),
    /// The journal failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The storage failed.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// ffmpeg cannot be started any more.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
}

/// A batch on its way through the processor.
#[derive(Debug)]
pub struct Prepared {
    /// Its number.
    pub number: u64,
    /// Its folder.
    pub dir: PathBuf,
    /// Its packets.
    pub facts: BatchFacts,
    /// Its place on the timeline.
    pub placed: Placed,
    /// The wait for its reply; `None` where nothing was sent.
    pub pending: Option<Pending>,
    /// When its last segment was there.
    pub complete: Instant,
    /// When its sound was handed to the exchange, if it was.
    pub sent: Instant,
}

impl Prepared {
    /// Its times, for its deadline.
    pub fn times(&self) -> BatchTimes {
        BatchTimes {
            start_ms: self.placed.start_ms,
            end_ms: self.placed.end_ms,
            complete: self.complete,
            sent: self.sent,
            asked: self.pending.is_some(),
        }
    }
}

/// The demux step.
pub struct Preparer {
    /// Remembers the stream's tracks.
    pub demuxer: Demuxer,
    /// The one timeline.
    pub timeline: Timeline,
    /// The stream's folders.
    pub files: StreamFiles,
    /// Where steps are written down.
    pub journal: Diary,
    /// Counts.
    pub status: Arc<Status>,
    /// `None`: the original audio stays.
    pub exchange: Option<Arc<Exchange>>,
    /// For fragment ids.
    pub stream_id: String,
    /// Where conversions wait for their turn.
    pub slots: Slots,
    /// Asked where the disk is full.
    pub room: Room,
    /// The batch before had no sound, though the playlist promises it.
    pub silent: bool,
}

impl Preparer {
    /// First the batches that a restart left behind, then new ones, until none follow.
    pub async fn run(
        mut self,
        resumed: Vec<BatchRow>,
        mut batches: mpsc::Receiver<Batch>,
        prepared: mpsc::Sender<Prepared>,
    ) -> Result<(), PrepareError> {
        for row in resumed {
            let known = row.timeline.filter(|_| row.step >= Step::Demuxed);
            let batch = Batch {
                number: row.number,
                segments: row.segments,
                discontinuity: row.discontinuity,
                complete: before_now(unix_time::now_ms().saturating_sub(row.complete_ms)),
                complete_ms: row.complete_ms,
            };
            let span = batch_span(batch.number);
            if !self.take(batch, known, &prepared).instrument(span).await? {
                return Ok(());
            }
        }
        while let Some(batch) = batches.recv().await {
            let span = batch_span(batch.number);
            if !self.take(batch, None, &prepared).instrument(span).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False when nobody takes batches any more.
    async fn take(
        &mut self,
        batch: Batch,
        known: Option<Timeline>,
        prepared: &mpsc::Sender<Prepared>,
    ) -> Result<bool, PrepareError> {
        let dir = self.files.batch(batch.number);
        self.status.timings().complete(batch.number, batch.complete);
        let facts = match known {
            Some(before) => {
                let facts = demux::reload(&dir).await;
                if facts.is_ok() {
                    self.timeline = before;
                }
                facts
            }
            None => {
                let began = Instant::now();
                let facts = self.demux(&batch, &dir).await.and_then(|facts| self.check_sound(batch.number, facts));
                self.status.timings().record_step(metrics::Step::Demux, began.elapsed());
                facts
            }
        };
        let facts = match facts {
            Ok(facts) => facts,
            // In mid-stream one such batch (an advertisement, say) is lost and the stream goes on.
            Err(error @ (DemuxError::Unsupported(_) | DemuxError::NoSound { .. })) if !self.timeline.begun() => {
                return Err(PrepareError::Unsupported(error.to_string()));
            }
            Err(DemuxError::Ffmpeg(error @ FfmpegError::Start { .. })) => return Err(error.into()),
            Err(DemuxError::Files(error)) if !error.is_disk_full() => return Err(error.into()),
            Err(error) => {
                let what = format!("batch {} is lost: {error}", batch.number);
                let lost = Some(Cause::new(error.origin(), what.clone()));
                let event = Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch.number);
                self.status.tell(event.caused_by(error.origin()));
                self.status.update(|stats| {
                    stats.lost = lost;
                    *stats.failed.entry("demux").or_default() += 1;
                });
                BatchFacts::default()
            }
        };
        let before = self.timeline.clone();
        let placed = self.timeline.place(&facts, batch.discontinuity);
        self.status.update(|stats| {
            stats.packets_in += facts.packets();
            stats.splices += placed.splices_us.len() as u64;
            stats.max_skew_us = stats.max_skew_us.max(placed.max_skew_us);
        });
        for jump in &placed.splices_us {
            tracing::info!(batch = batch.number, jump_us = jump, "spliced out a jump of the source's time");
        }
        self.journal.demuxed(batch.number, &before, &self.timeline).await?;
        let pending = self.send(&batch, &dir, &facts).await;
        let sent = Instant::now();
        self.journal.step(batch.number, Step::Sent).await?;
        let (number, complete) = (batch.number, batch.complete);
        Ok(prepared.send(Prepared { number, dir, facts, placed, pending, complete, sent }).await.is_ok())
    }

    /// Nothing begins without the sound that the playlist promises. Where it goes away later, the picture goes on and an
    /// event says so, once.
    fn check_sound(&mut self, batch: u64, facts: BatchFacts) -> Result<BatchFacts, DemuxError> {
        let checked = demux::check_sound(self.status.get().source.as_ref(), &facts);
        let was_silent = std::mem::replace(&mut self.silent, checked.is_err());
        match checked {
            Err(error) if !self.timeline.begun() => Err(error),
            Err(DemuxError::NoSound { promise }) if !was_silent => {
                let what =
                    format_args!("source: batch {batch} has no sound, though the playlist promises it ({promise})");
                self.status.warn(EventKind::SourceWarning, what);
                Ok(facts)
            }
            _ => Ok(facts),
        }
    }

    /// Demuxes; where the disk is full, again for some time.
    async fn demux(&mut self, batch: &Batch, dir: &Path) -> Result<BatchFacts, DemuxError> {
        let give_up = Instant::now() + ROOM_PATIENCE;
        loop {
            let demuxed = match self.files.make_batch(batch.number) {
                Ok(_) => self.demuxer.demux(&batch.segments, dir).await,
                Err(error) => Err(error.into()),
            };
            match demuxed {
                Err(error) if error.is_disk_full() && Instant::now() < give_up => {
                    tracing::warn!(batch = batch.number, %error, "the disk is full; demuxing is tried again");
                    self.room.make().await;
                }
                Err(error) if !error.is_disk_full() => {
                    return match self.what_is_left(batch) {
                        Some(left) => Ok(self.demuxer.demux(&left, dir).await?),
                        None => Err(error),
                    };
                }
                demuxed => return demuxed,
            }
        }
    }

    /// Where somebody removed segments of a batch, and not all of them: those that are there. What is missing is told.
    fn what_is_left(&self, batch: &Batch) -> Option<Vec<Segment>> {
        let left: Vec<Segment> = batch.segments.iter().filter(|segment| segment.is_there()).cloned().collect();
        let missing = batch.segments.len() - left.len();
        if missing == 0 {
            return None;
        }
        self.status.update(|stats| *stats.gaps.entry("removed").or_default() += missing as u64);
        if left.is_empty() {
            return None;
        }
        let what =
            format!("batch {}: {missing} of its segments were removed from the disk; it goes on without", batch.number);
        self.status.tell(Event::new(EventKind::BatchLost, Severity::Error, what).batch(batch.number));
        Some(left)
    }

    async fn send(&self, batch: &Batch, dir: &Path, facts: &BatchFacts) -> Option<Pending> {
        let (exchange, audio) = (self.exchange.as_ref()?, facts.audio.as_ref()?);
        let format = exchange.audio_format();
        let file = match outgoing(dir, format, audio, Turn { slots: &self.slots, by: None }).await {
            Ok(file) => file,
            Err(error) => {
                let what = format!("batch {} is not sent: {error}", batch.number);
                self.status.tell(Event::new(EventKind::Fallback, Severity::Warning, what).batch(batch.number));
                return None;
            }
        };
        let fragment = Fragment {
            id: format!("{}-{}", self.stream_id, batch.number),
            stream_id: self.stream_id.clone(),
            batch: batch.number,
            pts_us: audio.first_pts_us(),
            duration_us: audio.duration_us(),
            codec: file.codec.to_owned(),
            sample_rate_hz: file.sample_rate,
            channels: file.channels,
            content_type: file.content_type.to_owned(),
            file_name: file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
            created_ms: batch.complete_ms,
            now_ms: 0,
            attempt: 0,
        };
        Some(exchange.submit(Outgoing { fragment, audio: Audio::File(file.path), format }))
    }
}

/// What is logged inside is about this batch, whatever the level of the log is.
pub(super) fn batch_span(batch: u64) -> Span {
    tracing::error_span!("batch", batch)
}

/// The instant so many milliseconds ago.
fn before_now(ms: u64) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_millis(ms)).unwrap_or(now)
}

/// A file in the form that the processor wants.
struct File {
    path: PathBuf,
    codec: &'static str,
    content_type: &'static str,
    sample_rate: u32,
    channels: u32,
}

/// The batch's audio as the processor wants it: as demuxed, or converted with one more ffmpeg run.
async fn outgoing(dir: &Path, format: AudioFormat, audio: &TrackFacts, turn: Turn<'_>) -> Result<File, FfmpegError> {
    let (rate, channels) = (audio.sample_rate, audio.channels);
    let as_it_is = |name: &str, codec, content_type| File {
        path: dir.join(name),
        codec,
        content_type,
        sample_rate: rate,
        channels,
    };
    let (file, arguments): (File, Vec<String>) = match format {
        AudioFormat::Fmp4 => return Ok(as_it_is(names::AUDIO, "aac", "audio/mp4")),
        AudioFormat::Adts => {
            (as_it_is("outgoing.aac", "aac", "audio/aac"), ["-c", "copy", "-f", "adts"].map(Into::into).into())
        }
        AudioFormat::Wav(pcm) => pcm_file(as_it_is("outgoing.wav", "pcm_s16le", "audio/wav"), pcm, "wav"),
        AudioFormat::Pcm(pcm) => pcm_file(as_it_is("outgoing.pcm", "pcm_s16le", "audio/L16"), pcm, "s16le"),
    };
    let mut command = ffmpeg::command("file,pipe");
    command.writes(dir).args(["-f", "mp4", "-i"]).arg(dir.join(names::AUDIO)).args(arguments).arg(&file.path);
    turn.output("convert", command, 0, FFMPEG_TIMEOUT).await?;
    Ok(file)
}

fn pcm_file(mut file: File, pcm: Pcm, format: &str) -> (File, Vec<String>) {
    file.sample_rate = pcm.sample_rate_hz.unwrap_or(file.sample_rate);
    file.channels = pcm.channels.unwrap_or(file.channels);
    let (rate, channels) = (file.sample_rate.to_string(), file.channels.to_string());
    (file, ["-c:a", "pcm_s16le", "-ar", &rate, "-ac", &channels, "-f", format].map(Into::into).into())
}
