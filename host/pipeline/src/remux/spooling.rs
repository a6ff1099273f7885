//! FLV from ffmpeg -> `air.flv` with our times, and the index of its packets.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::times::AudioTimes;
use super::{CHUNK_BYTES, Job, RemuxError, Remuxed};
use crate::demux::part;
use outboard_egress::spool::{ReadyBatch, Tag, Track};
use outboard_media::avc;
use outboard_media::flv::body::{AudioFacts, FrameType, PacketType, VideoFacts};
use outboard_media::flv::{BACK_POINTER_LEN, FileHeader, TAG_HEADER_LEN, TagHeader, TagKind, TagReader, TagRef};
use outboard_media::timeline::AirTime;
use outboard_store::files::names;

/// Takes ffmpeg's FLV in pieces.
pub(super) struct Spooler<'a> {
    reader: TagReader,
    writer: Writer,
    video_times: &'a [AirTime],
    audio: AudioTimes,
    /// Audio packets seen, the skipped ones included.
    audio_seen: usize,
    video_seen: usize,
    trimmed: u64,
    expected: u64,
}

impl<'a> Spooler<'a> {
    pub(super) fn create(job: &Job<'a>, audio: AudioTimes) -> Result<Self, RemuxError> {
        let header = FileHeader { audio: job.has_audio(), video: job.facts.video.is_some() };
        let expected = job.placed.video.len() + if audio.own { audio.times.len() } else { 0 };
        Ok(Self {
            reader: TagReader::new(),
            writer: Writer::create(&part(job.dir, names::AIR), header, job)?,
            video_times: &job.placed.video,
            audio,
            audio_seen: 0,
            video_seen: 0,
            trimmed: 0,
            expected: expected as u64,
        })
    }

    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), RemuxError> {
        self.reader.feed(piece);
        while let Some(tag) = self.reader.next_tag()? {
            match tag.kind {
                TagKind::Script => self.writer.metadata(tag.body)?,
                TagKind::Video => match VideoFacts::parse(tag.body)?.packet {
                    PacketType::SequenceHeader => {
                        self.writer.header(TagKind::Video, &avc::clean_sequence_header(tag.body))?;
                    }
                    PacketType::Media => {
                        if let Some(time) = self.video_times.get(self.video_seen) {
                            self.writer.video(tag.body, *time)?;
                        }
                        self.video_seen += 1;
                    }
                    // ffmpeg ends each file with an end of sequence; the stream goes on.
                    _ => {}
                },
                TagKind::Audio => match AudioFacts::parse(tag.body)?.packet {
                    PacketType::SequenceHeader => self.writer.header(TagKind::Audio, tag.body)?,
                    PacketType::Media => {
                        let at = self.audio_seen.checked_sub(self.audio.skip);
                        match at.and_then(|at| self.audio.times.get(at)) {
                            Some(time) => self.writer.audio(tag.body, *time)?,
                            None => self.trimmed += 1,
                        }
                        self.audio_seen += 1;
                    }
                    _ => {}
                },
            }
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Remuxed, RemuxError> {
        self.reader.finish()?;
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

/// Writes an FLV file and notes where each packet lies.
struct Writer {
    out: BufWriter<File>,
    offset: u64,
    ready: ReadyBatch,
}

impl Writer {
    fn create(path: &Path, header: FileHeader, job: &Job<'_>) -> Result<Self, RemuxError> {
        let mut out = BufWriter::with_capacity(CHUNK_BYTES, File::create(path)?);
        let bytes = header.to_bytes();
        out.write_all(&bytes)?;
        let ready = empty(job.number, job.dir, (job.placed.start_ms, job.placed.end_ms));
        Ok(Self { out, offset: bytes.len() as u64, ready })
    }

    fn metadata(&mut self, body: &[u8]) -> Result<(), RemuxError> {
        self.write(TagKind::Script, self.ready.start_ms, &[body])?;
        self.ready.metadata = Some(Bytes::copy_from_slice(body));
        Ok(())
    }

    fn header(&mut self, kind: TagKind, body: &[u8]) -> Result<(), RemuxError> {
        self.write(kind, self.ready.start_ms, &[body])?;
        let track = if kind == TagKind::Video { &mut self.ready.video } else { &mut self.ready.audio };
        track.header = Some(Bytes::copy_from_slice(body));
        Ok(())
    }

    fn video(&mut self, body: &[u8], time: AirTime) -> Result<(), RemuxError> {
        let key = VideoFacts::parse(body)?.frame == FrameType::Key;
        let [_, c0, c1, c2] = time.composition_ms.to_be_bytes();
        let (head, payload) = body.split_at_checked(5).unwrap_or((body, &[]));
        let head = [head.first().copied().unwrap_or_default(), 1, c0, c1, c2];
        let tag = self.write(TagKind::Video, time.dts_ms, &[&head, payload])?;
        self.ready.video.tags.push(Tag { key, ..tag });
        Ok(())
    }

    fn audio(&mut self, body: &[u8], time: AirTime) -> Result<(), RemuxError> {
        let tag = self.write(TagKind::Audio, time.dts_ms, &[body])?;
        self.ready.audio.tags.push(tag);
        Ok(())
    }

    fn write(&mut self, kind: TagKind, dts_ms: u64, body: &[&[u8]]) -> Result<Tag, RemuxError> {
        let len = body.iter().map(|piece| piece.len()).sum::<usize>();
        let len = u32::try_from(len).map_err(|_| std::io::Error::other("a packet over 4 GB"))?;
        // FLV has 32 bits: the reader knows the rest from the batch's start.
        let timestamp_ms = dts_ms as u32;
        self.out.write_all(&TagHeader { kind, timestamp_ms, len }.to_bytes())?;
        for piece in body {
            self.out.write_all(piece)?;
        }
        self.out.write_all(&(len + TAG_HEADER_LEN as u32).to_be_bytes())?;
        let offset = self.offset + TAG_HEADER_LEN as u64;
        self.offset = offset + u64::from(len) + BACK_POINTER_LEN as u64;
        Ok(Tag { offset, len, dts_ms, key: false })
    }

    fn finish(mut self) -> Result<ReadyBatch, RemuxError> {
        self.out.flush()?;
        Ok(self.ready)
    }
}

fn empty(number: u64, dir: &Path, (start_ms, end_ms): (u64, u64)) -> ReadyBatch {
    let path: PathBuf = dir.join(names::AIR);
    ReadyBatch { number, path, metadata: None, video: Track::default(), audio: Track::default(), start_ms, end_ms }
}

/// Reads the index of an `air.flv` that was written before a restart. `span` is the batch's start and end on air, in
/// milliseconds.
pub fn reload(number: u64, dir: &Path, span: (u64, u64)) -> Result<ReadyBatch, RemuxError> {
    let mut ready = empty(number, dir, span);
    let mut file = File::open(&ready.path)?;
    let mut reader = TagReader::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let n = file.read(&mut chunk)?;
        if n == 0 {
            break;
        }
        reader.feed(chunk.get(..n).unwrap_or_default());
        while let Some(tag) = reader.next_tag()? {
            note(&mut ready, &tag)?;
        }
    }
    reader.finish()?;
    Ok(ready)
}

fn note(ready: &mut ReadyBatch, tag: &TagRef<'_>) -> Result<(), RemuxError> {
    // The nearest time to the batch's start with these 32 bits.
    let ahead = i64::from(tag.timestamp_ms.wrapping_sub(ready.start_ms as u32) as i32);
    let dts_ms = ready.start_ms.saturating_add_signed(ahead);
    let entry = Tag { offset: tag.offset, len: tag.body.len() as u32, dts_ms, key: false };
    match tag.kind {
        TagKind::Script => ready.metadata = Some(Bytes::copy_from_slice(tag.body)),
        TagKind::Video => {
            let facts = VideoFacts::parse(tag.body)?;
            match facts.packet {
                PacketType::SequenceHeader => ready.video.header = Some(Bytes::copy_from_slice(tag.body)),
                _ => ready.video.tags.push(Tag { key: facts.frame == FrameType::Key, ..entry }),
            }
        }
        TagKind::Audio => match AudioFacts::parse(tag.body)?.packet {
            PacketType::SequenceHeader => ready.audio.header = Some(Bytes::copy_from_slice(tag.body)),
            _ => ready.audio.tags.push(entry),
        },
    }
    Ok(())
}
