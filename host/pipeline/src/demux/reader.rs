//! The demuxers of a run, alive from the first batch to the last. Pure but for the files that it reads and writes.
//!
//! In: the segments of one batch after the other. Out: each batch's `video.fmp4.part`, `audio.fmp4.part`, facts and
//! counts. A unit that reaches over the border of two batches comes out in the second one. In memory: a piece of a
//! segment, open units and one open fragment a track.

use std::collections::VecDeque;
use std::path::Path;

use super::counts::Counts;
use super::feed::{Feed, Sink};
use super::track::{TURN, Track, shifts, us};
use super::{DemuxError, Layout, part};
use crate::limits::RESUME_SEGMENTS_MAX;
use outboard_media::demux::{Choice, Codec, Config, Packet, Stream, TICKS_PER_SECOND, TrackKind};
use outboard_media::facts::{BatchFacts, TrackFacts};
use outboard_media::segment::Segment;
use outboard_store::files::names;

/// Packets of a track that may come out of the last segment before a restart and were not in the batch before: the
/// demuxer then waited for their end.
const KEPT: usize = 8;
/// Times that differ by less are those of one packet, in microseconds.
const SAME_US: i64 = 1000;

/// The state between two batches.
#[derive(Debug, Clone, Default)]
pub(super) struct Reader {
    main: Feed,
    /// The separate sound.
    audio: Feed,
    /// Index of the segment that follows on.
    next: Option<u64>,
    /// What was before the first batch.
    before: Option<Before>,
    /// The last packets before a restart, until others come: their decoding times, in microseconds.
    ends: [Option<i64>; 2],
    /// What is taken of the source.
    choice: Choice,
    /// What of that the source does not have, as far as it was told.
    unmet: Vec<String>,
}

/// The segments before a restart.
#[derive(Debug, Clone)]
pub(super) struct Before {
    segments: Vec<Segment>,
    /// Decoding times of the last packets of their last batch, in microseconds.
    ends: [Option<i64>; 2],
}

impl Before {
    /// `segments`: the last ones before a restart, oldest first. `facts`: of the last batch that was split then.
    pub(super) fn new(segments: Vec<Segment>, facts: Option<&BatchFacts>) -> Self {
        let end = |track: &Option<TrackFacts>| Some(track.as_ref()?.packets.last()?.dts_us);
        Self { segments, ends: facts.map(|facts| [end(&facts.video), end(&facts.audio)]).unwrap_or_default() }
    }

    /// The last `count` segments, as far as they follow on each other and are on disk; `next`: the index after them.
    fn last(&self, count: usize, next: u64) -> &[Segment] {
        let mut expected = next;
        let follows = |segment: &&Segment| {
            expected = expected.wrapping_sub(1);
            segment.index == expected && segment.main.path.is_file()
        };
        let count = self.segments.iter().rev().take(count).take_while(follows).count();
        self.segments.get(self.segments.len() - count..).unwrap_or_default()
    }
}

/// What came out of a batch.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) facts: BatchFacts,
    pub(super) layout: Layout,
    pub(super) counts: Counts,
    /// Streams that are not taken here, where a track is missing that they may be.
    pub(super) doubtful: Vec<Stream>,
    /// Why none of it can be read here.
    pub(super) foreign: Option<&'static str>,
    /// A stream is encrypted inside the segments.
    pub(super) encrypted: bool,
}

impl Reader {
    /// For a new stream, of which this is taken.
    pub(super) fn new(choice: Choice) -> Self {
        // Separate sound has programmes of its own.
        let audio = Choice { program: None, ..choice.clone() };
        Self { main: Feed::new(choice.clone()), audio: Feed::new(audio), choice, ..Self::default() }
    }

    /// True until the first batch.
    pub(super) fn is_new(&self) -> bool {
        self.next.is_none()
    }

    /// What was before the first batch.
    pub(super) fn after(&mut self, before: Before) {
        self.before = Some(before);
    }

    /// Splits a batch into files in `dir`. `last`: nothing that follows continues it.
    ///
    /// # Errors
    /// [`DemuxError`]: the state is of no use any more; the files may be incomplete.
    pub(super) fn batch(&mut self, segments: &[Segment], last: bool, dir: &Path) -> Result<Found, DemuxError> {
        let separate = segments.iter().any(|segment| !segment.audio.is_empty());
        let mut chunk = Vec::new();
        let kept = self.resume(segments.first(), separate, &mut chunk);
        let mut batch = Batch {
            tracks: [Track::new(part(dir, names::VIDEO)), Track::new(part(dir, names::AUDIO))],
            counts: Counts::default(),
            ends: self.ends,
            separate,
            beside: false,
            border: segments.first().is_some_and(|first| first.discontinuity),
        };
        for (config, packet) in &kept {
            batch.take(packet, config)?;
        }
        let mut known = false;
        for (n, segment) in segments.iter().enumerate() {
            batch.counts.at(segment);
            batch.border = n == 0;
            if self.next.is_some_and(|next| next != segment.index) {
                self.both(&mut batch, Feed::end)?;
            }
            if segment.discontinuity {
                self.both(&mut batch, Feed::discontinuity)?;
            }
            (batch.border, batch.beside) = (false, false);
            known |= self.main.part(&segment.main, &mut chunk, &mut batch)?;
            batch.beside = true;
            for part in &segment.audio {
                known |= self.audio.part(part, &mut chunk, &mut batch)?;
            }
            self.main.settle([true, !separate], &mut batch.counts);
            self.audio.settle([false, separate], &mut batch.counts);
            self.next = Some(segment.index + 1);
        }
        if last {
            self.both(&mut batch, Feed::end)?;
        }
        let Batch { mut tracks, mut counts, ends, .. } = batch;
        self.ends = ends;
        for track in &mut tracks {
            counts.no_batch(track.close()?);
        }
        self.main.settle([true, !separate], &mut counts);
        self.audio.settle([false, separate], &mut counts);
        let sound = if separate { &self.audio } else { &self.main };
        let unmet: Vec<String> = self.main.unmet[0].iter().chain(&sound.unmet[1]).cloned().collect();
        if self.unmet != unmet {
            self.unmet.clone_from(&unmet);
            counts.unmet = unmet;
        }
        let [video, audio] = &tracks;
        let moved = shifts(video.first(), audio.first(), [self.main.wraps(), sound.wraps()]);
        let facts = BatchFacts { video: video.facts(moved[0]), audio: audio.facts(moved[1]) };
        let [video, audio] = tracks.map(Track::into_layout);
        let layout = Layout { video, audio };
        let missing = [facts.video.is_none(), facts.audio.is_none()];
        let of_main = [missing[0], missing[1] && !separate];
        let mut doubtful = doubtful(&self.main.streams, of_main);
        if separate {
            doubtful.extend(self::doubtful(&self.audio.streams, [false, missing[1]]));
        }
        let streams = || self.main.streams.iter().chain(self.audio.streams.iter().filter(|_| separate));
        let encrypted = streams().any(|stream| stream.encrypted);
        let named = streams().next().is_some();
        let untimed = missing[1] && if separate { self.audio.is_untimed() } else { self.main.is_untimed() };
        let foreign = match (known, named, untimed) {
            (false, ..) => Some("its container is none of MPEG-TS, fragmented MP4 and packed audio"),
            (_, false, _) => Some("no table names its streams"),
            (.., true) => Some("its packed audio tells no time"),
            _ => None,
        };
        Ok(Found { facts, layout, counts, doubtful, foreign, encrypted })
    }

    /// No batch follows: counts what is left.
    pub(super) fn finish(&mut self) -> Counts {
        let separate = !self.audio.streams.is_empty();
        let mut rest = Rest { separate, ..Rest::default() };
        // Nothing is written, so nothing fails.
        let _ = self.main.end(&mut rest);
        rest.beside = true;
        let _ = self.audio.end(&mut rest);
        self.main.settle([true, !separate], &mut rest.counts);
        self.audio.settle([false, separate], &mut rest.counts);
        rest.counts.no_batch(rest.packets);
        rest.counts
    }

    fn both(
        &mut self,
        batch: &mut Batch,
        call: impl Fn(&mut Feed, &mut Batch) -> Result<(), DemuxError>,
    ) -> Result<(), DemuxError> {
        batch.beside = false;
        call(&mut self.main, batch)?;
        batch.beside = true;
        call(&mut self.audio, batch)
    }

    /// After a restart: reads the last segment before the first batch again, so that what reaches over the border is
    /// whole; more of them where that one alone does not lead to the last packets of the batch before (no tables, no key
    /// frame). Answers the packets that the batch before did not have yet.
    fn resume(&mut self, first: Option<&Segment>, separate: bool, chunk: &mut Vec<u8>) -> Vec<(Config, Packet)> {
        let (Some(before), true, Some(first)) = (self.before.take(), self.is_new(), first) else { return Vec::new() };
        let mut kept = Vec::new();
        for count in [1, 4, RESUME_SEGMENTS_MAX] {
            let segments = before.last(count, first.index);
            if segments.is_empty() {
                break;
            }
            *self = Self::new(self.choice.clone());
            let mut again = Again { ends: before.ends, separate, ..Again::default() };
            if let Err(error) = self.read_again(segments, chunk, &mut again) {
                // Removed by now. Then what reaches over the border is cut there, and counted.
                tracing::debug!(%error, "a segment before the first batch is gone");
                *self = Self::new(self.choice.clone());
                break;
            }
            self.next = Some(first.index);
            self.ends = before.ends;
            let wanted = before.ends.map(|end| end.is_some());
            let of_each = again.kept.into_iter().zip(again.found).filter(|(_, found)| *found);
            kept = of_each.flat_map(|(kept, _)| kept).collect();
            if again.found == wanted {
                break;
            }
        }
        // What is told and counted of it was told and counted then.
        let mut past = Counts::default();
        self.main.settle([true; 2], &mut past);
        self.audio.settle([true; 2], &mut past);
        kept
    }

    fn read_again(&mut self, segments: &[Segment], chunk: &mut Vec<u8>, again: &mut Again) -> Result<(), DemuxError> {
        for segment in segments {
            if segment.discontinuity {
                self.main.discontinuity(again)?;
                self.audio.discontinuity(again)?;
            }
            again.beside = false;
            self.main.part(&segment.main, chunk, again)?;
            again.beside = true;
            for part in &segment.audio {
                self.audio.part(part, chunk, again)?;
            }
        }
        Ok(())
    }
}

/// A batch on its way into its files.
struct Batch {
    tracks: [Track; 2],
    counts: Counts,
    ends: [Option<i64>; 2],
    /// The sound is an input of its own.
    separate: bool,
    /// Packets come from that input now.
    beside: bool,
    /// They were open when the batch before was cut, and what follows does not continue them.
    border: bool,
}

impl Batch {
    fn take(&mut self, packet: &Packet, config: &Config) -> Result<(), DemuxError> {
        let at = index(packet.kind);
        // On air already: it was handed out before the restart, though its end was missing.
        if self.ends[at].is_some_and(|end| is_at(packet, end)) {
            return Ok(());
        }
        self.ends[at] = None;
        if self.border {
            self.tracks[at].left_over(config, packet);
            return Ok(());
        }
        self.tracks[at].packet(config, packet)
    }
}

impl Sink for Batch {
    fn packet(&mut self, packet: &Packet, config: &Config) -> Result<(), DemuxError> {
        if is_wanted(packet.kind, self.separate, self.beside) { self.take(packet, config) } else { Ok(()) }
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }
}

/// The segment before the first batch, read again.
#[derive(Default)]
struct Again {
    ends: [Option<i64>; 2],
    /// The newest packets of each kind after the last one of the batch before.
    kept: [VecDeque<(Config, Packet)>; 2],
    /// That packet was found.
    found: [bool; 2],
    counts: Counts,
    separate: bool,
    beside: bool,
}

impl Sink for Again {
    fn packet(&mut self, packet: &Packet, config: &Config) -> Result<(), DemuxError> {
        let at = index(packet.kind);
        let Some(end) = self.ends[at].filter(|_| is_wanted(packet.kind, self.separate, self.beside)) else {
            return Ok(());
        };
        if is_at(packet, end) {
            self.kept[at].clear();
            self.found[at] = true;
            return Ok(());
        }
        if self.kept[at].len() >= KEPT {
            self.kept[at].pop_front();
        }
        self.kept[at].push_back((config.clone(), packet.clone()));
        Ok(())
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }
}

/// What comes out when no batch follows.
#[derive(Default)]
struct Rest {
    packets: u64,
    counts: Counts,
    separate: bool,
    beside: bool,
}

impl Sink for Rest {
    fn packet(&mut self, packet: &Packet, _: &Config) -> Result<(), DemuxError> {
        self.packets += u64::from(is_wanted(packet.kind, self.separate, self.beside));
        Ok(())
    }

    fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }
}

fn index(kind: TrackKind) -> usize {
    usize::from(kind == TrackKind::Audio)
}

/// Pictures come from the main input, sound from the separate one if there is one.
fn is_wanted(kind: TrackKind, separate: bool, beside: bool) -> bool {
    match kind {
        TrackKind::Video => !beside,
        TrackKind::Audio => beside == separate,
    }
}

/// Whether a packet has this decoding time, in microseconds and perhaps another turn of the source's clock.
fn is_at(packet: &Packet, end_us: i64) -> bool {
    let turn = us(TURN, TICKS_PER_SECOND);
    let off = (us(packet.dts, TICKS_PER_SECOND) - end_us).rem_euclid(turn);
    off.min(turn - off) < SAME_US
}

/// Streams that are not taken and may be what is missing.
fn doubtful(streams: &[Stream], missing: [bool; 2]) -> Vec<Stream> {
    let may_be = |stream: &&Stream| match stream.codec.kind() {
        Some(kind) => missing[index(kind)],
        None => matches!(stream.codec, Codec::Other(_)) && missing.contains(&true),
    };
    streams.iter().filter(|stream| !stream.taken && !stream.encrypted).filter(may_be).cloned().collect()
}
