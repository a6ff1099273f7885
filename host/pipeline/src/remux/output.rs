//! `output.fmp4`: what goes on air of a batch, as one file that plays in a browser. It need not exist: its bytes follow from the
//! batch's [`AirIndex`], and any range of them is put together when it is wanted ([`Output`]).
//!
//! The same packets at the same times, so batches follow on without a gap, whatever was trimmed, skipped or spliced. Fragments
//! begin with a key frame and are counted over the stream's life ([`series`]), which keeps playlists of them stable. The same
//! index always gives the same bytes. Where `keep.output` asks for it, they are written to disk too ([`kept`]).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::index::AirIndex;
use crate::limits::OUTPUT_FRAGMENT_MIN;
use outboard_egress::spool::{ReadyBatch, Tag, Track};
use outboard_media::demux::Codec;
use outboard_media::flv::head::record;
use outboard_media::fmp4::head::{self, Fragment, Head, Place};
use outboard_media::fmp4::{self, AUDIO, Run, Sample, VIDEO};
use outboard_media::limits::OUTPUT_FRAGMENTS_MAX;

pub mod kept;
pub mod series;

/// The bytes of one batch's output, each range of which can be read.
#[derive(Debug)]
pub struct Output {
    head: Head,
    chunks: Vec<Chunk>,
    length: u64,
    /// The files of the pictures and of the sound.
    paths: [PathBuf; 2],
}

/// Consecutive bytes of the output.
#[derive(Debug)]
struct Chunk {
    /// Position of its first byte in the output.
    at: u64,
    length: u64,
    from: Origin,
}

/// Where bytes come from.
#[derive(Debug)]
enum Origin {
    /// Made for the output.
    Made(Vec<u8>),
    /// From this offset of the file of a track, the pictures (0) or the sound (1).
    File(usize, u64),
}

/// Reads an [`Output`]. It opens the batch's files when it comes to their bytes.
#[derive(Debug, Default)]
pub struct Reader {
    files: [Option<File>; 2],
}

impl Output {
    /// The output of a batch; `None` if nothing of it went on air, or a fragment would be over 2 GB.
    pub fn of(index: &AirIndex) -> Option<Self> {
        let tracks = Tracks::of(index);
        let (reference, _) = tracks.reference()?;
        let (place, init) = (index.place?, tracks.init());
        let pieces = tracks.pieces();
        let mut moofs = Vec::with_capacity(pieces.len());
        let mut list = Vec::with_capacity(pieces.len());
        for (n, piece) in pieces.iter().enumerate() {
            let end_ms = pieces.get(n + 1).map_or(index.ready.end_ms, |next| next.start_ms);
            let runs = tracks.runs(piece);
            let data: u64 = runs.iter().flat_map(|run| &run.samples).map(|sample| u64::from(sample.size)).sum();
            // Counted from 1, and 32 bits wide.
            let sequence = (place.sequence + n as u64 + 1) as u32;
            let moof = fmp4::fragment(sequence, &runs)?;
            let bytes = u32::try_from(moof.len() as u64 + data).ok()?;
            if bytes > i32::MAX.cast_unsigned() {
                return None;
            }
            let independent = piece.video.first().map_or(tracks.video.is_none(), |tag| tag.key);
            list.push((bytes, u32::try_from(end_ms.saturating_sub(piece.start_ms)).unwrap_or(u32::MAX), independent));
            moofs.push(moof);
        }
        let start = head::build(&init, place, reference, &list);
        let mut offset = start.len() as u64;
        let fragments = list.into_iter().map(|(bytes, duration_ms, independent)| {
            let fragment = Fragment { offset, bytes, duration_ms, independent };
            offset += u64::from(bytes);
            fragment
        });
        let head = Head { init: init.len() as u64, place, fragments: fragments.collect() };
        let paths = [index.ready.video.path.clone(), index.ready.audio.path.clone()];
        let mut output = Self { head, chunks: Vec::new(), length: 0, paths };
        output.made(start);
        for (piece, moof) in pieces.iter().zip(moofs) {
            output.made(moof);
            for (file, tags) in [piece.video, piece.audio].into_iter().enumerate() {
                tags.iter().for_each(|tag| output.sample(file, tag));
            }
        }
        Some(output)
    }

    /// The positions of its parts.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn made(&mut self, bytes: Vec<u8>) {
        let length = bytes.len() as u64;
        self.chunks.push(Chunk { at: self.length, length, from: Origin::Made(bytes) });
        self.length += length;
    }

    fn sample(&mut self, file: usize, tag: &Tag) {
        let length = u64::from(tag.len);
        match self.chunks.last_mut() {
            // What is together in the batch's file is read together.
            Some(Chunk { length: before, from: Origin::File(same, offset), .. })
                if *same == file && *offset + *before == tag.offset =>
            {
                *before += length;
            }
            _ => self.chunks.push(Chunk { at: self.length, length, from: Origin::File(file, tag.offset) }),
        }
        self.length += length;
    }
}

impl Reader {
    /// Fills the buffer with the bytes of the output from `at` on, or up to its end; answers how many there were. Blocks.
    ///
    /// # Errors
    /// The system's error if a file of the batch cannot be read, or is shorter than its index says.
    pub fn read(&mut self, output: &Output, at: u64, to: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let first = output.chunks.partition_point(|chunk| chunk.at + chunk.length <= at);
        for chunk in output.chunks.iter().skip(first) {
            let Some(rest) = to.get_mut(filled..).filter(|rest| !rest.is_empty()) else { break };
            let skip = (at + filled as u64).saturating_sub(chunk.at);
            let left = usize::try_from(chunk.length - skip).unwrap_or(usize::MAX).min(rest.len());
            let rest = rest.get_mut(..left).unwrap_or_default();
            match &chunk.from {
                Origin::Made(bytes) => {
                    let from = usize::try_from(skip).unwrap_or(usize::MAX);
                    rest.copy_from_slice(bytes.get(from..from + left).unwrap_or_default());
                }
                Origin::File(file, offset) => self.file(output, *file)?.read_exact_at(rest, offset + skip)?,
            }
            filled += left;
        }
        Ok(filled)
    }

    fn file(&mut self, output: &Output, file: usize) -> io::Result<&File> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let (open, path) = self.files.get_mut(file).zip(output.paths.get(file)).ok_or_else(missing)?;
        match open {
            Some(file) => Ok(file),
            none => Ok(none.insert(File::open(path)?)),
        }
    }
}

/// The tracks that have both packets and what a decoder needs.
struct Tracks<'a> {
    ready: &'a ReadyBatch,
    video: Option<(fmp4::Video<'a>, &'a [Tag])>,
    audio: Option<(fmp4::Audio<'a>, &'a [Tag])>,
}

/// One fragment: when it starts, and the packets of each track in it.
struct Piece<'a> {
    start_ms: u64,
    video: &'a [Tag],
    audio: &'a [Tag],
}

impl<'a> Tracks<'a> {
    fn of(index: &'a AirIndex) -> Self {
        let AirIndex { ready, form, .. } = index;
        let video = config(&ready.video).map(|(codec, config)| {
            (fmp4::Video { codec, config, width: form.width, height: form.height }, ready.video.tags.as_slice())
        });
        let audio = config(&ready.audio).map(|(codec, config)| {
            let (sample_rate, channels) = (form.sample_rate, form.channels);
            (fmp4::Audio { codec, config, sample_rate, channels }, ready.audio.tags.as_slice())
        });
        Self { ready, video, audio }
    }

    fn init(&self) -> Vec<u8> {
        fmp4::init(self.video.map(|(video, _)| video), self.audio.map(|(audio, _)| audio))
    }

    /// Where the batch begins in its stream, but for its numbers; `None`: nothing of it goes on air.
    fn start(&self) -> Option<Place> {
        let (_, tags) = self.reference()?;
        Some(Place { sequence: 0, discontinuity: 0, start_ms: tags.first()?.dts_ms })
    }

    /// The track that fragments go by: the picture, where there is one.
    fn reference(&self) -> Option<(u32, &'a [Tag])> {
        let video = self.video.map(|(_, tags)| (VIDEO, tags));
        video.or_else(|| self.audio.map(|(_, tags)| (AUDIO, tags)))
    }

    /// Cut before key frames, but not too often. Sound goes with the pictures of its time.
    fn pieces(&self) -> Vec<Piece<'a>> {
        let Some((_, tags)) = self.reference() else { return Vec::new() };
        let first_ms = tags.first().map_or(0, |tag| tag.dts_ms);
        let span_ms = self.ready.end_ms.saturating_sub(first_ms);
        let least = u64::try_from(OUTPUT_FRAGMENT_MIN.as_millis()).unwrap_or(u64::MAX);
        let least = least.max(span_ms / (OUTPUT_FRAGMENTS_MAX as u64 / 2));
        let mut starts = vec![first_ms];
        for tag in tags {
            let since = tag.dts_ms.saturating_sub(starts.last().copied().unwrap_or_default());
            if (tag.key || self.video.is_none()) && since >= least {
                starts.push(tag.dts_ms);
            }
        }
        let (mut video, mut audio) =
            (self.video.map_or(&[][..], |(_, tags)| tags), self.audio.map_or(&[][..], |(_, tags)| tags));
        let mut pieces = Vec::with_capacity(starts.len());
        for (n, start_ms) in starts.iter().enumerate() {
            let end_ms = starts.get(n + 1).copied().unwrap_or(u64::MAX);
            let take = |tags: &mut &'a [Tag]| {
                let (these, rest) = tags.split_at(tags.partition_point(|tag| tag.dts_ms < end_ms));
                *tags = rest;
                these
            };
            pieces.push(Piece { start_ms: *start_ms, video: take(&mut video), audio: take(&mut audio) });
        }
        pieces
    }

    fn runs(&self, piece: &Piece<'a>) -> Vec<Run> {
        let mut runs = Vec::new();
        if let (Some((_, all)), Some(first)) = (self.video, piece.video.first()) {
            let last_ms = all.last().map_or(0, |last| self.ready.end_ms.saturating_sub(last.dts_ms));
            let durations = durations(all, piece.video, last_ms);
            let samples = piece.video.iter().zip(durations).map(|(tag, duration)| Sample {
                size: tag.len,
                duration,
                composition: tag.composition_ms,
                key: tag.key,
            });
            runs.push(Run { track: VIDEO, start: first.dts_ms, samples: samples.collect() });
        }
        if let (Some((_, all)), Some(first)) = (self.audio, piece.audio.first()) {
            let step = |pair: &[Tag]| pair.last().zip(pair.first()).map(|(b, a)| b.dts_ms.saturating_sub(a.dts_ms));
            let last_ms = all.windows(2).last().and_then(step).unwrap_or_default();
            let durations = durations(all, piece.audio, last_ms);
            let samples = piece.audio.iter().zip(durations);
            let samples = samples.map(|(tag, duration)| Sample { size: tag.len, duration, composition: 0, key: true });
            runs.push(Run { track: AUDIO, start: first.dts_ms, samples: samples.collect() });
        }
        runs
    }
}

/// The configuration of a track that has packets: that of its first one.
fn config(track: &Track) -> Option<(Codec, &[u8])> {
    let header = track.headers.first().filter(|_| !track.tags.is_empty())?;
    Some((header.codec, record(header.codec, &header.body)?))
}

/// How long each packet of `some` lasts: until the next one of the track, `last_ms` at its end.
fn durations<'a>(all: &'a [Tag], some: &'a [Tag], last_ms: u64) -> impl Iterator<Item = u32> {
    let first = some.first().map_or(0, |first| all.partition_point(|tag| tag.dts_ms < first.dts_ms));
    (first..first + some.len()).map(move |at| {
        let here = all.get(at).map_or(0, |tag| tag.dts_ms);
        let next = all.get(at + 1).map_or(here + last_ms, |next| next.dts_ms);
        u32::try_from(next.saturating_sub(here)).unwrap_or(u32::MAX)
    })
}

#[cfg(test)]
mod tests;
