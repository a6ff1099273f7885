//! The demuxers of a run, alive from the first batch to the last. Pure but for the files that it reads and writes.
//!
//! In: one segment after the other. Out: packets in the files of the batch that is open ([`Open`]); where it is cut, its
//! facts and counts. A unit that reaches over the border of two batches comes out in the second one. In memory: a piece of a
//! segment, open units, and one open fragment a track while a segment is read.

use std::collections::VecDeque;

use super::DemuxError;
use super::Layout;
use super::counts::Counts;
use super::feed::{Feed, Sink};
use super::open::Open;
use super::track::{TURN, us};
use crate::limits::RESUME_SEGMENTS_MAX;
use outboard_media::demux::{Choice, Codec, Config, Packet, Stream, TICKS_PER_SECOND, TrackKind};
use outboard_media::facts::{BatchFacts, TrackFacts};
use outboard_media::segment::Segment;

/// Packets of a track that may come out of the last segment before a restart and were not in the batch before: the
/// demuxer then waited for their end.
const KEPT: usize = 8;
/// Times that differ by less are those of one packet, in microseconds.
const SAME_US: i64 = 1000;

/// The state between two segments.
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
    /// The sound is an input of its own, and the batch that is open, or the one before, had some of it.
    separate: bool,
    heard: bool,
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
        let mut ends = facts.map(|facts| [end(&facts.video), end(&facts.audio)]).unwrap_or_default();
        if facts.and_then(|facts| facts.audio.as_ref()).is_some_and(|audio| !audio.encoded_from.is_empty()) {
            // Its times are not those of the source's frames.
            ends[1] = None;
        }
        Self { segments, ends }
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

    /// Reads the next segment of the batch that is open.
    ///
    /// # Errors
    /// [`DemuxError`]: neither the state nor that of `open` is of use any more.
    pub(super) fn segment(&mut self, segment: &Segment, open: &mut Open) -> Result<(), DemuxError> {
        let mut chunk = Vec::new();
        let first = open.is_empty();
        self.choose_sound(segment, first);
        if first {
            let kept = self.resume(segment, &mut chunk);
            open.begin(self.ends, segment.discontinuity);
            kept.iter().try_for_each(|(config, packet)| open.take(packet, config))?;
        }
        open.counts.at(segment);
        open.border = first;
        open.separate = self.separate;
        if self.next.is_some_and(|next| next != segment.index) {
            self.both(open, Feed::end)?;
        }
        if segment.discontinuity {
            self.both(open, Feed::discontinuity)?;
        }
        (open.border, open.beside) = (false, false);
        // What comes now is in a later batch if it is cut here.
        open.place(segment.index)?;
        let mut known = self.main.part(&segment.main, &mut chunk, open)?;
        open.beside = true;
        for part in &segment.audio {
            known |= self.audio.part(part, &mut chunk, open)?;
        }
        open.known |= known;
        self.main.settle([true, !self.separate], &mut open.counts);
        self.audio.settle([false, self.separate], &mut open.counts);
        // Written before the segment counts as done: a full disk undoes all of it.
        open.write_out()?;
        self.ends = open.ends;
        self.next = Some(segment.index + 1);
        Ok(())
    }

    /// Ends the batch that is open. `last`: nothing that follows continues it.
    ///
    /// # Errors
    /// [`DemuxError`]: neither the state nor that of `open` is of use any more.
    pub(super) fn cut(&mut self, open: &mut Open, last: bool) -> Result<Found, DemuxError> {
        if last {
            self.both(open, Feed::end)?;
        }
        self.ends = open.ends;
        let separate = self.separate;
        open.close()?;
        let mut counts = std::mem::take(&mut open.counts);
        self.main.settle([true, !separate], &mut counts);
        self.audio.settle([false, separate], &mut counts);
        let sound = if separate { &self.audio } else { &self.main };
        let unmet: Vec<String> = self.main.unmet[0].iter().chain(&sound.unmet[1]).cloned().collect();
        if self.unmet != unmet {
            self.unmet.clone_from(&unmet);
            counts.unmet = unmet;
        }
        let facts = open.facts([self.main.wraps(), sound.wraps()]);
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
        let foreign = match (open.known, named, untimed) {
            (false, ..) => Some("its container is none of MPEG-TS, fragmented MP4 and packed audio"),
            (_, false, _) => Some("no table names its streams"),
            (.., true) => Some("its packed audio tells no time"),
            _ => None,
        };
        Ok(Found { facts, layout: open.layout(), counts, doubtful, foreign, encrypted })
    }

    /// Sound comes from the input of its own from the first segment that has it on. At a discontinuity, and after a batch
    /// without any of it, the segment decides anew.
    fn choose_sound(&mut self, segment: &Segment, first: bool) {
        let has = !segment.audio.is_empty();
        if segment.discontinuity || first && !self.heard {
            self.separate = false;
        }
        self.separate |= has;
        self.heard = has || self.heard && !first;
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
        open: &mut Open,
        call: impl Fn(&mut Feed, &mut Open) -> Result<(), DemuxError>,
    ) -> Result<(), DemuxError> {
        open.beside = false;
        call(&mut self.main, open)?;
        open.beside = true;
        call(&mut self.audio, open)
    }

    /// After a restart: reads the last segment before the first batch again, so that what reaches over the border is
    /// whole; more of them where that one alone does not lead to the last packets of the batch before (no tables, no key
    /// frame). Answers the packets that the batch before did not have yet.
    fn resume(&mut self, first: &Segment, chunk: &mut Vec<u8>) -> Vec<(Config, Packet)> {
        let (Some(before), true) = (self.before.take(), self.is_new()) else { return Vec::new() };
        let (separate, heard) = (self.separate, self.heard);
        let mut kept = Vec::new();
        for count in [1, 4, RESUME_SEGMENTS_MAX] {
            let segments = before.last(count, first.index);
            if segments.is_empty() {
                break;
            }
            *self = Self { separate, heard, ..Self::new(self.choice.clone()) };
            let mut again = Again { ends: before.ends, separate, ..Again::default() };
            if let Err(error) = self.read_again(segments, chunk, &mut again) {
                // Removed by now. Then what reaches over the border is cut there, and counted.
                tracing::debug!(%error, "a segment before the first batch is gone");
                *self = Self { separate, heard, ..Self::new(self.choice.clone()) };
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

pub(super) fn index(kind: TrackKind) -> usize {
    usize::from(kind == TrackKind::Audio)
}

/// Pictures come from the main input, sound from the separate one if there is one.
pub(super) fn is_wanted(kind: TrackKind, separate: bool, beside: bool) -> bool {
    match kind {
        TrackKind::Video => !beside,
        TrackKind::Audio => beside == separate,
    }
}

/// Whether a packet has this decoding time, in microseconds and perhaps another turn of the source's clock.
pub(super) fn is_at(packet: &Packet, end_us: i64) -> bool {
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
