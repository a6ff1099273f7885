//! Demuxes fragmented MP4 and CMAF (ISO/IEC 14496-12, ISO/IEC 23000-19) as the bytes arrive: first an initialization
//! section, then segments with any number of fragments. The caller ends each of them with [`Mp4::segment_end`]; places
//! in a segment are counted from its start.

mod entry;
pub(super) mod fragment;
pub(super) mod init;
pub(super) mod track;
mod walker;

use std::collections::VecDeque;

use super::choice::Choice;
use super::event::{Event, Notice, Streams, TrackKind};
use super::out::Out;
use super::witness::{Reason, Witness};
use crate::limits::{DEMUX_SAMPLES_MAX, DEMUX_UNIT_BYTES_MAX};
use fragment::{Ends, Sample};
use init::Track;
use track::Taken;
use walker::{Part, Walker};

/// A demuxer for one series of segments.
#[derive(Debug, Clone)]
pub struct Mp4 {
    walker: Walker,
    parts: Parts,
}

#[derive(Debug, Clone)]
struct Parts {
    choice: Choice,
    /// Whether pictures are handed out as they are stored; see [`Mp4::stored`].
    stored: bool,
    tracks: Vec<Track>,
    told: Streams,
    ends: Ends,
    /// Number of samples that may still be announced: each byte that arrives adds one, up to [`DEMUX_SAMPLES_MAX`].
    credit: usize,
    /// Samples that a `moof` announced and that are incomplete, in the order of their bytes.
    samples: VecDeque<Sample>,
    /// The bytes of the first of these samples that have arrived.
    data: Vec<u8>,
    video: Option<Taken>,
    audio: Option<Taken>,
    out: Out,
}

impl Mp4 {
    /// Makes a demuxer that expects an initialization section.
    pub fn new(choice: Choice) -> Self {
        Self::with(choice, false)
    }

    /// Makes a demuxer for a file whose pictures are handed out as they are stored: also those before the first key
    /// frame, keys only by the file's sync flags, and configurations only from its sample entries. NAL units are not
    /// looked at. For files that were demuxed before, such as those of a batch.
    pub fn stored(choice: Choice) -> Self {
        Self::with(choice, true)
    }

    fn with(choice: Choice, stored: bool) -> Self {
        let parts = Parts {
            choice,
            stored,
            tracks: Vec::new(),
            told: Streams::default(),
            ends: Ends::default(),
            credit: DEMUX_SAMPLES_MAX,
            samples: VecDeque::new(),
            data: Vec::new(),
            video: None,
            audio: None,
            out: Out::default(),
        };
        Self { walker: Walker::default(), parts }
    }

    /// Takes the next bytes of an initialization section or of a segment. A later initialization section replaces the
    /// earlier one.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { walker, parts } = self;
        parts.out.witness.container.bytes += bytes.len() as u64;
        walker.feed(bytes, |part| parts.part(part));
        parts.out.witness.container.held = walker.held() as u64;
    }

    /// Ends the initialization section or a segment. Samples that were announced and have not arrived are counted as
    /// lost.
    pub fn segment_end(&mut self) {
        let held = self.walker.segment_end();
        self.parts.abandon();
        let counts = &mut self.parts.out.witness.container;
        counts.skipped += held as u64;
        counts.held = 0;
        if held > 0 {
            self.parts.out.notice(Notice::Skipped { bytes: held as u64 });
        }
    }

    /// Ends the segment, because the next bytes have unrelated times. The next picture that is handed out is a key
    /// frame.
    pub fn discontinuity(&mut self) {
        self.segment_end();
        self.parts.ends.reset();
        self.parts.video.iter_mut().for_each(Taken::restart);
    }

    /// Ends the segment, because the stream has ended or segments are missing.
    pub fn end(&mut self) {
        self.segment_end();
    }

    /// Removes and returns the oldest event; `None` if there is none.
    pub fn next_event(&mut self) -> Option<Event> {
        self.parts.out.next()
    }

    /// Returns a copy of all counts up to now.
    pub fn witness(&mut self) -> Witness {
        let Parts { video, audio, samples, out, .. } = &mut self.parts;
        for (kind, taken) in [(TrackKind::Video, video), (TrackKind::Audio, audio)] {
            let id = taken.as_ref().map(|taken| taken.id);
            let mut open = super::witness::Count::default();
            let of = samples.iter().filter(|sample| Some(sample.track) == id);
            of.for_each(|sample| open.add(1, sample.size as usize));
            out.track(kind).open = open;
        }
        out.witness.clone()
    }
}

impl Parts {
    fn part(&mut self, part: Part<'_>) {
        let arrived = match &part {
            Part::Bytes(bytes) => *bytes,
            Part::Media(bytes, _) => bytes.len(),
            _ => 0,
        };
        self.credit = self.credit.saturating_add(arrived).min(DEMUX_SAMPLES_MAX);
        match part {
            Part::Bytes(bytes) => self.out.witness.container.packets.bytes += bytes as u64,
            Part::Box(name, body, _) if &name == b"moov" => self.moov(body),
            Part::Box(_, body, at) => self.moof(body, at),
            Part::Media(bytes, at) => self.media(bytes, at),
            Part::MediaEnd(at) => self.media_end(at),
            Part::Damaged(name) => self.out.notice(Notice::BoxDamaged { name }),
        }
    }

    fn moov(&mut self, body: &[u8]) {
        let tracks = init::tracks(body);
        if tracks == self.tracks {
            return;
        }
        self.abandon();
        let now = [&self.video, &self.audio].map(|taken| taken.as_ref().map(|taken| taken.id));
        let streams = track::streams(&tracks, &self.choice, now);
        for (kind, seat) in [(TrackKind::Video, &mut self.video), (TrackKind::Audio, &mut self.audio)] {
            let stream = streams.iter().find(|stream| stream.taken && stream.codec.kind() == Some(kind));
            let track = stream.and_then(|stream| tracks.iter().find(|track| track.id == stream.number));
            match (seat.as_mut(), track) {
                (Some(taken), Some(track)) => taken.is_now(track),
                (_, track) => *seat = track.map(|track| Taken::new(kind, track, self.stored)),
            }
        }
        self.tracks = tracks;
        self.ends.reset();
        let told = Streams { program: None, programs: Vec::new(), streams };
        if self.told != told {
            self.told.clone_from(&told);
            self.out.tell(Event::Streams(told));
        }
    }

    fn moof(&mut self, body: &[u8], at: u64) {
        self.abandon();
        let Some(samples) = fragment::samples(body, at, &self.tracks, &mut self.ends, self.credit) else {
            self.out.notice(Notice::BoxDamaged { name: *b"moof" });
            return;
        };
        // A few bytes can announce many samples; those of a stream as it should be bring a byte each.
        self.credit -= samples.len().min(self.credit);
        for sample in &samples {
            if let Some(kind) = self.kind(sample) {
                let counts = self.out.track(kind);
                counts.taken.add(1, sample.size as usize);
                counts.begun += 1;
            }
        }
        self.samples = samples.into();
    }

    fn kind(&self, sample: &Sample) -> Option<TrackKind> {
        let of = |taken: &Option<Taken>| taken.as_ref().is_some_and(|taken| taken.id == sample.track);
        match (of(&self.video), of(&self.audio)) {
            (true, _) => Some(TrackKind::Video),
            (_, true) => Some(TrackKind::Audio),
            _ => None,
        }
    }

    /// Takes bytes of an `mdat`; `at` is the place of the first one in the segment.
    fn media(&mut self, mut bytes: &[u8], at: u64) {
        let mut at = i64::try_from(at).unwrap_or(i64::MAX);
        loop {
            let Some(sample) = self.samples.front().copied() else {
                self.out.witness.container.skipped += bytes.len() as u64;
                return;
            };
            let size = sample.size as usize;
            let next = sample.at + self.data.len() as i64;
            if next < at {
                // Its bytes were before, or another sample has taken them.
                self.give_up(Reason::Truncated);
                continue;
            }
            if size > DEMUX_UNIT_BYTES_MAX {
                self.give_up(Reason::TooLarge);
                continue;
            }
            let gap = usize::try_from(next - at).unwrap_or(usize::MAX).min(bytes.len());
            let (before, rest) = bytes.split_at(gap);
            let (now, rest) = rest.split_at(rest.len().min(size - self.data.len()));
            self.out.witness.container.skipped += before.len() as u64;
            self.out.witness.container.packets.bytes += now.len() as u64;
            if self.data.is_empty() && !now.is_empty() {
                self.data.reserve(size);
            }
            self.data.extend_from_slice(now);
            at += (before.len() + now.len()) as i64;
            bytes = rest;
            if self.data.len() == size && at >= sample.at {
                self.whole(&sample);
            } else if bytes.is_empty() {
                return;
            }
        }
    }

    /// Hands out the first sample, which is complete, if its track is taken.
    fn whole(&mut self, sample: &Sample) {
        self.samples.pop_front();
        let data = std::mem::take(&mut self.data);
        let kind = self.kind(sample);
        let Self { video, audio, out, .. } = self;
        let taken = match kind {
            Some(TrackKind::Video) => video.as_mut(),
            Some(TrackKind::Audio) => audio.as_mut(),
            None => None,
        };
        let counts = &mut out.witness.container;
        counts.packets.units += 1;
        *(if taken.is_some() { &mut counts.media } else { &mut counts.passed_over }) += 1;
        if let Some(taken) = taken {
            match data.is_empty() {
                true => out.drop(kind.unwrap_or(TrackKind::Video), Reason::Corrupt, 1, 0),
                false => taken.sample(sample, data, out),
            }
        }
    }

    /// Gives up all samples that begin before `at`, where an `mdat` has ended.
    fn media_end(&mut self, at: u64) {
        while self.samples.front().is_some_and(|sample| u64::try_from(sample.at).unwrap_or(0) < at) {
            self.give_up(Reason::Truncated);
        }
    }

    /// Gives up all samples that were announced and are incomplete.
    fn abandon(&mut self) {
        while !self.samples.is_empty() {
            self.give_up(Reason::Truncated);
        }
    }

    fn give_up(&mut self, reason: Reason) {
        self.data.clear();
        let Some(sample) = self.samples.pop_front() else { return };
        if let Some(kind) = self.kind(&sample) {
            self.out.drop(kind, reason, 1, sample.size as usize);
        }
    }
}
