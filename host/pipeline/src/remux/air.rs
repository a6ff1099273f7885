//! `air.flv`: the packets of a batch as FLV tags at their times on air, and the index of them.
//!
//! Written while a batch is put together; read again after a restart ([`reload`]).

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{CHUNK_BYTES, RemuxError};
use outboard_egress::spool::{ReadyBatch, Tag, Track};
use outboard_media::flv::body::{AudioFacts, FrameType, PacketType, VideoFacts};
use outboard_media::flv::{
    BACK_POINTER_LEN, BODY_MAX, FileHeader, FlvError, TAG_HEADER_LEN, TagHeader, TagKind, TagReader, TagRef,
};
use outboard_media::timeline::AirTime;
use outboard_store::files::names;

/// Writes an FLV file and notes where each packet lies.
pub(super) struct Writer {
    out: BufWriter<File>,
    offset: u64,
    ready: ReadyBatch,
}

impl Writer {
    /// Creates the file at `path`, for a batch whose index `ready` is empty.
    pub(super) fn create(path: &Path, header: FileHeader, ready: ReadyBatch) -> Result<Self, RemuxError> {
        // What is left of an earlier try may still be open in a thread that nobody waits for: it keeps its own file.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut out = BufWriter::with_capacity(CHUNK_BYTES, File::create_new(path)?);
        let bytes = header.to_bytes();
        out.write_all(&bytes)?;
        Ok(Self { out, offset: bytes.len() as u64, ready })
    }

    pub(super) fn metadata(&mut self, body: &[u8]) -> Result<(), RemuxError> {
        self.write(TagKind::Script, self.ready.start_ms, &[body])?;
        self.ready.metadata = Some(Bytes::copy_from_slice(body));
        Ok(())
    }

    pub(super) fn header(&mut self, kind: TagKind, body: &[u8]) -> Result<(), RemuxError> {
        self.write(kind, self.ready.start_ms, &[body])?;
        let track = if kind == TagKind::Video { &mut self.ready.video } else { &mut self.ready.audio };
        track.header = Some(Bytes::copy_from_slice(body));
        Ok(())
    }

    /// Writes a picture: `first` is the first byte of its body (frame type and codec), `payload` what comes behind the
    /// body's head.
    pub(super) fn video(&mut self, first: u8, payload: &[u8], time: AirTime) -> Result<(), RemuxError> {
        let [_, c0, c1, c2] = time.composition_ms.to_be_bytes();
        let head = [first, 1, c0, c1, c2];
        let key = VideoFacts::parse(&head)?.frame == FrameType::Key;
        let tag = self.write(TagKind::Video, time.dts_ms, &[&head, payload])?;
        self.ready.video.tags.push(Tag { key, ..tag });
        Ok(())
    }

    /// Writes a packet of sound, whose body is these pieces.
    pub(super) fn audio(&mut self, body: &[&[u8]], time: AirTime) -> Result<(), RemuxError> {
        let tag = self.write(TagKind::Audio, time.dts_ms, body)?;
        self.ready.audio.tags.push(tag);
        Ok(())
    }

    fn write(&mut self, kind: TagKind, dts_ms: u64, body: &[&[u8]]) -> Result<Tag, RemuxError> {
        let len = body.iter().map(|piece| piece.len()).sum::<usize>();
        let fitting = u32::try_from(len).ok().filter(|len| *len as usize <= BODY_MAX);
        let len = fitting.ok_or(FlvError::BodyTooLong(len))?;
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

    pub(super) fn finish(mut self) -> Result<ReadyBatch, RemuxError> {
        self.out.flush()?;
        Ok(self.ready)
    }
}

/// The index of a batch without packets; `start_ms` and `end_ms` are its start and end on air, in milliseconds.
pub(super) fn empty(number: u64, dir: &Path, (start_ms, end_ms): (u64, u64)) -> ReadyBatch {
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
