//! `air.flv` -> `output.fmp4`: what goes on air, as a file that is kept and plays in a browser.
//!
//! The same packets at the same times, written by us: so batches follow on without a gap, whatever was trimmed, skipped or
//! spliced. Fragments begin with a key frame and are counted over the stream's life, which keeps playlists of them stable. It
//! is not needed for air: where it cannot be written, the stream goes on without it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::CHUNK_BYTES;
use crate::demux::part;
use crate::limits::OUTPUT_FRAGMENT_MIN;
use outboard_egress::spool::{ReadyBatch, Tag};
use outboard_media::demux::Codec;
use outboard_media::facts::BatchFacts;
use outboard_media::fmp4::head::{self, Head, Place};
use outboard_media::fmp4::{self, AUDIO, Run, Sample, VIDEO};
use outboard_media::limits::OUTPUT_FRAGMENTS_MAX;
use outboard_store::files::StreamFiles;
use outboard_store::files::names;

/// Bytes before the packet in an FLV body: frame and packet type with the composition time, sound format and packet type.
const VIDEO_HEAD: u32 = 5;
const AUDIO_HEAD: u32 = 2;
/// Batches follow on if the next begins this near to the end of the one before, in milliseconds. Real breaks are far larger.
const FOLLOWS_MS: u64 = 500;

/// The outputs of a stream's batches, one after another. Remembers where the last one ended.
#[derive(Debug, Default)]
pub struct Series(Option<Last>);

#[derive(Debug)]
struct Last {
    place: Place,
    init: Vec<u8>,
    next_sequence: u64,
    end_ms: u64,
}

impl Series {
    /// Goes on after the newest output on disk of a batch before `below`; blocks. Without one, counts begin anew.
    pub fn resume(files: &StreamFiles, below: u64) -> Self {
        let entries = std::fs::read_dir(&files.batches).into_iter().flatten().flatten();
        let number = |name: &str| name.strip_prefix("batch-")?.parse::<u64>().ok().filter(|number| *number < below);
        let mut numbers: Vec<u64> = entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        Self(numbers.into_iter().find_map(|number| Last::read(&files.batch(number).join(names::OUTPUT))))
    }

    /// Writes the output of the next batch into its folder; blocks. `ready` tells what is in its `air.flv`.
    pub fn write(&mut self, dir: &Path, ready: &ReadyBatch, facts: &BatchFacts) -> io::Result<()> {
        let tracks = Tracks::of(ready, facts);
        let Some((reference, first)) = tracks.reference().and_then(|(track, tags)| Some((track, tags.first()?))) else {
            return Ok(());
        };
        let init = tracks.init();
        let mut place = Place { sequence: 0, discontinuity: 0, start_ms: first.dts_ms };
        if let Some(last) = &self.0 {
            let follows = last.init == init && last.end_ms.abs_diff(place.start_ms) <= FOLLOWS_MS;
            place.sequence = last.next_sequence;
            place.discontinuity = last.place.discontinuity + u64::from(!follows);
        }
        let temporary = part(dir, names::OUTPUT);
        let written = tracks.write(&temporary, reference, place, &init);
        let end_ms = ready.end_ms.max(place.start_ms);
        match written.and_then(|count| std::fs::rename(&temporary, dir.join(names::OUTPUT)).map(|()| count)) {
            Ok(count) => {
                self.0 = Some(Last { place, init, next_sequence: place.sequence + count as u64, end_ms });
                Ok(())
            }
            Err(error) => {
                // What is left is swept at the next start.
                let _ = std::fs::remove_file(&temporary);
                Err(error)
            }
        }
    }
}

impl Last {
    fn read(path: &Path) -> Option<Self> {
        let head = Head::read(path).ok()??;
        let mut init = vec![0; usize::try_from(head.init).ok()?];
        File::open(path).ok()?.read_exact_at(&mut init, 0).ok()?;
        Some(Self { place: head.place, init, next_sequence: head.next_sequence(), end_ms: head.end_ms() })
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
    fn of(ready: &'a ReadyBatch, facts: &BatchFacts) -> Self {
        let config = |header: &'a Option<bytes::Bytes>, head: u32| header.as_ref()?.get(head as usize..);
        let video = config(&ready.video.header, VIDEO_HEAD).filter(|_| !ready.video.tags.is_empty()).map(|config| {
            let (width, height) = facts.video.as_ref().map_or((0, 0), |track| track.dimensions);
            (fmp4::Video { codec: Codec::H264, config, width, height }, ready.video.tags.as_slice())
        });
        let audio = config(&ready.audio.header, AUDIO_HEAD).filter(|_| !ready.audio.tags.is_empty()).map(|config| {
            let (sample_rate, channels) = facts.audio.as_ref().map_or((0, 2), |t| (t.sample_rate, t.channels));
            (fmp4::Audio { codec: Codec::Aac, config, sample_rate, channels }, ready.audio.tags.as_slice())
        });
        Self { ready, video, audio }
    }

    fn init(&self) -> Vec<u8> {
        fmp4::init(self.video.map(|(video, _)| video), self.audio.map(|(audio, _)| audio))
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

    /// Writes the file; answers how many fragments it has.
    fn write(&self, path: &Path, reference: u32, place: Place, init: &[u8]) -> io::Result<usize> {
        let from = File::open(&self.ready.path)?;
        let pieces = self.pieces();
        let too_large = || io::Error::other("a fragment over 2 GB");
        let mut moofs = Vec::with_capacity(pieces.len());
        let mut list = Vec::with_capacity(pieces.len());
        for (n, piece) in pieces.iter().enumerate() {
            let end_ms = pieces.get(n + 1).map_or(self.ready.end_ms, |next| next.start_ms);
            let runs = self.runs(piece, &from)?;
            let data: u64 = runs.iter().flat_map(|run| &run.samples).map(|sample| u64::from(sample.size)).sum();
            // Counted from 1, and 32 bits wide.
            let sequence = (place.sequence + n as u64 + 1) as u32;
            let moof = fmp4::fragment(sequence, &runs).ok_or_else(too_large)?;
            let bytes = u32::try_from(moof.len() as u64 + data).map_err(|_| too_large())?;
            if bytes > i32::MAX.cast_unsigned() {
                return Err(too_large());
            }
            let independent = piece.video.first().map_or(self.video.is_none(), |tag| tag.key);
            list.push((bytes, u32::try_from(end_ms.saturating_sub(piece.start_ms)).unwrap_or(u32::MAX), independent));
            moofs.push(moof);
        }
        let mut out = BufWriter::with_capacity(CHUNK_BYTES, File::create(path)?);
        out.write_all(&head::build(init, place, reference, &list))?;
        let mut packet = Vec::new();
        for (piece, moof) in pieces.iter().zip(&moofs) {
            out.write_all(moof)?;
            for (tags, head) in [(piece.video, VIDEO_HEAD), (piece.audio, AUDIO_HEAD)] {
                for tag in tags {
                    packet.resize(tag.len.saturating_sub(head) as usize, 0);
                    from.read_exact_at(&mut packet, tag.offset + u64::from(head))?;
                    out.write_all(&packet)?;
                }
            }
        }
        out.flush()?;
        Ok(pieces.len())
    }

    fn runs(&self, piece: &Piece<'a>, from: &File) -> io::Result<Vec<Run>> {
        let mut runs = Vec::new();
        if let (Some((_, all)), Some(first)) = (self.video, piece.video.first()) {
            let last_ms = all.last().map_or(0, |last| self.ready.end_ms.saturating_sub(last.dts_ms));
            let durations = durations(all, piece.video, last_ms);
            let samples = piece.video.iter().zip(durations).map(|(tag, duration)| {
                let mut head = [0; VIDEO_HEAD as usize];
                from.read_exact_at(&mut head, tag.offset)?;
                let [_, _, c0, c1, c2] = head;
                // 24 bits with a sign.
                let composition = i32::from_be_bytes([c0, c1, c2, 0]) >> 8;
                Ok(Sample { size: tag.len.saturating_sub(VIDEO_HEAD), duration, composition, key: tag.key })
            });
            let samples = samples.collect::<io::Result<_>>()?;
            runs.push(Run { track: VIDEO, start: first.dts_ms, samples });
        }
        if let (Some((_, all)), Some(first)) = (self.audio, piece.audio.first()) {
            let step = |pair: &[Tag]| pair.last().zip(pair.first()).map(|(b, a)| b.dts_ms.saturating_sub(a.dts_ms));
            let last_ms = all.windows(2).last().and_then(step).unwrap_or_default();
            let durations = durations(all, piece.audio, last_ms);
            let samples = piece.audio.iter().zip(durations).map(|(tag, duration)| Sample {
                size: tag.len.saturating_sub(AUDIO_HEAD),
                duration,
                composition: 0,
                key: true,
            });
            runs.push(Run { track: AUDIO, start: first.dts_ms, samples: samples.collect() });
        }
        Ok(runs)
    }
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
