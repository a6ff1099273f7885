//! Packets in the order of their files -> `air.flv`, each at its time, with counts of what did not come and what was left
//! out.
//!
//! Both ways of putting a batch together end here ([`super::copying`], [`super::by_ffmpeg`]), so their files, times and
//! counts are the same.

use std::path::PathBuf;

use super::air::{self, Writer};
use super::times::{self, AudioTimes};
use super::{Job, RemuxError, Remuxed};
use crate::demux::part;
use outboard_egress::spool::ReadyBatch;
use outboard_media::avc;
use outboard_media::flv::{FileHeader, TagKind};
use outboard_media::timeline::AirTime;
use outboard_store::files::names;

/// What a batch's file is made by, apart from its packets. It borrows nothing, so that a blocking thread can have it.
#[derive(Debug)]
pub(super) struct Layout {
    path: PathBuf,
    header: FileHeader,
    ready: ReadyBatch,
    video: Vec<AirTime>,
    audio: AudioTimes,
}

impl Layout {
    pub(super) fn of(job: &Job<'_>) -> Self {
        Self {
            path: part(job.dir, names::AIR),
            header: FileHeader { audio: job.has_audio(), video: job.facts.video.is_some() },
            ready: air::empty(job.number, job.dir, (job.placed.start_ms, job.placed.end_ms)),
            video: job.placed.video.clone(),
            audio: times::audio(job),
        }
    }
}

/// Takes the packets of both tracks, each track in order.
pub(super) struct Spooler {
    writer: Writer,
    video_times: Vec<AirTime>,
    audio: AudioTimes,
    /// Audio packets seen, the skipped ones included.
    audio_seen: usize,
    video_seen: usize,
    trimmed: u64,
    expected: u64,
}

impl Spooler {
    /// Creates the file; blocks.
    pub(super) fn create(layout: Layout) -> Result<Self, RemuxError> {
        let Layout { path, header, ready, video, audio } = layout;
        let expected = video.len() + if audio.own { audio.times.len() } else { 0 };
        Ok(Self {
            writer: Writer::create(&path, header, ready)?,
            video_times: video,
            audio,
            audio_seen: 0,
            video_seen: 0,
            trimmed: 0,
            expected: expected as u64,
        })
    }

    /// Takes the body of the `onMetaData` tag.
    pub(super) fn metadata(&mut self, body: &[u8]) -> Result<(), RemuxError> {
        self.writer.metadata(body)
    }

    /// Takes the body of a sequence header tag.
    pub(super) fn header(&mut self, kind: TagKind, body: &[u8]) -> Result<(), RemuxError> {
        match kind {
            TagKind::Video => self.writer.header(kind, &avc::clean_sequence_header(body)),
            _ => self.writer.header(kind, body),
        }
    }

    /// Takes the next picture: the first byte of its body, and what comes behind the body's head.
    pub(super) fn picture(&mut self, first: u8, payload: &[u8]) -> Result<(), RemuxError> {
        if let Some(time) = self.video_times.get(self.video_seen) {
            self.writer.video(first, payload, *time)?;
        }
        self.video_seen += 1;
        Ok(())
    }

    /// Takes the next packet of sound, whose body is these pieces.
    pub(super) fn sound(&mut self, body: &[&[u8]]) -> Result<(), RemuxError> {
        match self.next_sound() {
            Some(time) => self.writer.audio(body, time)?,
            None => self.trimmed += 1,
        }
        self.audio_seen += 1;
        Ok(())
    }

    fn next_sound(&self) -> Option<AirTime> {
        let at = self.audio_seen.checked_sub(self.audio.skip)?;
        self.audio.times.get(at).copied()
    }

    /// Whether the next picture belongs before the next packet of sound: at equal times it does, as egress sends them. A
    /// packet that is left out has no time, and is taken at once.
    pub(super) fn picture_first(&self) -> bool {
        match (self.video_times.get(self.video_seen), self.next_sound()) {
            (Some(video), Some(audio)) => video.dts_ms <= audio.dts_ms,
            (None, _) => true,
            (_, None) => false,
        }
    }

    /// Ends the file; blocks.
    pub(super) fn finish(self) -> Result<Remuxed, RemuxError> {
        let ready = self.writer.finish()?;
        let own_audio = if self.audio.own { ready.audio.tags.len() } else { 0 };
        let out = (ready.video.tags.len() + own_audio) as u64;
        let extra = self.video_seen.saturating_sub(self.video_times.len());
        if extra > 0 {
            tracing::warn!(batch = ready.number, extra, "remuxing wrote more video frames than were demuxed");
        }
        Ok(Remuxed { lost: self.expected.saturating_sub(out), trimmed: self.trimmed, ready })
    }
}
