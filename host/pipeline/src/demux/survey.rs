//! Looks at the first segments of a source for a dry run: its streams, and where its key frames are.
//!
//! In: segments on disk. Out: facts and sentences. The demuxer is the one of a run; nothing is written. What cannot be used is
//! told by the [`Splitter`](super::Splitter), which splits the same segments as a run does.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use crate::limits::SEGMENT_READ_BYTES;
use outboard_media::demux::{
    Choice, Demuxer, Event, Numbering, Packet, Reason, Stream, TELLING_BYTES, TICKS_PER_SECOND, TrackKind,
};
use outboard_media::limits::TIMESTAMP_JUMP;
use outboard_media::segment::{Part, Segment};

/// What the first segments of a source have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Every stream of the segments, and of the separate audio.
    pub streams: Vec<Seen>,
    /// The programme that is taken, if there are several: `programme 1 of 1, 2`.
    pub programme: Option<String>,
    /// The longest time from a key frame to the next one; `None`: no video, or no second key frame and less than a batch.
    pub key_frames: Option<Duration>,
    /// What a person may want to change, a sentence each.
    pub warnings: Vec<String>,
}

/// A stream of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// As the input announces it.
    pub stream: Stream,
    /// What its number is called.
    pub numbering: Numbering,
    /// Why it is not used; `None`: it is.
    pub why_not: Option<String>,
}

impl Seen {
    /// The stream in words: `PID 257: aac (deu)`.
    pub fn words(&self) -> String {
        self.numbering.stream(&self.stream)
    }
}

impl Survey {
    /// Looks at segments that follow on each other. `batch`: the length of a batch. Blocks while it reads.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn of(segments: &[Segment], choice: &Choice, batch: Duration) -> io::Result<Self> {
        let separate = segments.iter().any(|segment| !segment.audio.is_empty());
        let (mut main, mut audio) = (Input::default(), Input::default());
        let beside = Choice { program: None, ..choice.clone() };
        for segment in segments {
            if segment.discontinuity {
                main.discontinuity(choice);
                audio.discontinuity(&beside);
            }
            main.segment(std::slice::from_ref(&segment.main), choice)?;
            audio.segment(&segment.audio, &beside)?;
        }
        main.end(choice);
        let kinds: &[TrackKind] = if separate { &[TrackKind::Video] } else { &[TrackKind::Video, TrackKind::Audio] };
        let of_main =
            main.streams.iter().filter(|seen| seen.stream.codec.kind().is_none_or(|kind| kinds.contains(&kind)));
        let streams = of_main.chain(&audio.streams).cloned().collect();
        let (key_frames, mut warnings) = main.key_frames(batch);
        warnings.extend(main.late_keys(segments));
        Ok(Self { streams, programme: main.programme, key_frames, warnings })
    }
}

/// An input on its way through its demuxer.
#[derive(Default)]
struct Input {
    demuxer: Option<Demuxer>,
    init: Option<std::path::PathBuf>,
    streams: Vec<Seen>,
    programme: Option<String>,
    pictures: Pictures,
    /// For each segment: how many pictures began before it.
    starts: Vec<u64>,
}

/// The pictures of an input, in the order of their decoding.
#[derive(Default)]
struct Pictures {
    /// Time since the first one in ticks of 90 kHz, without jumps of the source's clock.
    now: i64,
    last: Option<i64>,
    step: i64,
    /// Of each picture, whether decoding can start there.
    keys: Vec<bool>,
    /// Times of the key frames.
    times: Vec<i64>,
}

impl Input {
    fn segment(&mut self, parts: &[Part], choice: &Choice) -> io::Result<()> {
        self.starts.push(self.demuxer.as_mut().map_or(0, |demuxer| demuxer.witness().video.begun));
        let mut chunk = Vec::new();
        for part in parts {
            if part.init.is_some() && self.init != part.init {
                self.init.clone_from(&part.init);
                part.init.iter().try_for_each(|init| self.file(init, choice, &mut chunk))?;
            }
            self.file(&part.path, choice, &mut chunk)?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, choice: &Choice, chunk: &mut Vec<u8>) -> io::Result<()> {
        let mut file = File::open(path)?;
        let limit = u64::try_from(SEGMENT_READ_BYTES).unwrap_or(u64::MAX);
        loop {
            chunk.clear();
            if file.by_ref().take(limit).read_to_end(chunk)? == 0 {
                break;
            }
            if self.demuxer.is_none() {
                self.demuxer = Demuxer::recognise(chunk.get(..TELLING_BYTES).unwrap_or(chunk), choice.clone());
            }
            // Of no known container: a run leaves it to ffmpeg, and says so.
            let Some(demuxer) = &mut self.demuxer else { return Ok(()) };
            demuxer.feed(chunk);
            self.take(choice);
        }
        self.demuxer.iter_mut().for_each(Demuxer::segment_end);
        self.take(choice);
        Ok(())
    }

    fn discontinuity(&mut self, choice: &Choice) {
        self.demuxer.iter_mut().for_each(Demuxer::discontinuity);
        self.take(choice);
        self.pictures.last = None;
    }

    fn end(&mut self, choice: &Choice) {
        self.demuxer.iter_mut().for_each(Demuxer::end);
        self.take(choice);
    }

    fn take(&mut self, choice: &Choice) {
        let Some(demuxer) = &mut self.demuxer else { return };
        let numbering = demuxer.numbering();
        while let Some(event) = demuxer.next_event() {
            match event {
                Event::Streams(found) if !found.streams.is_empty() => {
                    self.programme = found.programme();
                    let seen = |stream: &Stream| Seen {
                        stream: stream.clone(),
                        numbering,
                        why_not: choice.why_not(stream, &found.streams, numbering),
                    };
                    self.streams = found.streams.iter().map(seen).collect();
                }
                Event::Packet(packet) if packet.kind == TrackKind::Video => self.pictures.take(&packet),
                _ => {}
            }
        }
    }

    /// Names the video stream.
    fn video(&self) -> String {
        let is_video = |seen: &&Seen| seen.stream.taken && seen.stream.codec.kind() == Some(TrackKind::Video);
        self.streams.iter().find(is_video).map_or("video".to_owned(), |seen| seen.numbering.name(seen.stream.number))
    }

    /// The longest time between key frames, and a warning where a batch may have none.
    fn key_frames(&self, batch: Duration) -> (Option<Duration>, Vec<String>) {
        let Pictures { now, step, times, .. } = &self.pictures;
        let length =
            |ticks: i64| Duration::from_micros(u64::try_from(ticks * 1_000_000 / TICKS_PER_SECOND).unwrap_or_default());
        let between = times.windows(2).map(|pair| pair[1] - pair[0]).max().map(length);
        // After the last one there may be one soon; what is known is that there was none until the end.
        let after = times.last().map(|last| length(now + step - last)).unwrap_or_default();
        let (distance, words) = match between {
            Some(between) if between >= after || after <= batch => (Some(between), ""),
            _ => (Some(after).filter(|after| *after > batch), "at least "),
        };
        let warning = distance.filter(|distance| *distance > batch).map(|distance| {
            format!(
                "{}: key frames are {words}{:.1} s apart, and a batch has {} s; a destination that connects again shows nothing \
                 until the next one: set the encoder's key frame interval to the length of a segment",
                self.video(),
                distance.as_secs_f64(),
                batch.as_secs_f64()
            )
        });
        (distance, warning.into_iter().collect())
    }

    /// Segments after the first one that do not begin with a key frame. Those of the first are not used, which is told where
    /// they are counted.
    fn late_keys(&mut self, segments: &[Segment]) -> Vec<String> {
        let video = self.video();
        let unused = self.demuxer.as_mut().map(|demuxer| demuxer.witness().video).unwrap_or_default();
        let before = unused.unused(Reason::BeforeKey).units;
        if unused.unused_in_all().units > before {
            // Which picture is the first one of a segment is not known then.
            return Vec::new();
        }
        let is_late = |start: u64| {
            let at = usize::try_from(start.saturating_sub(before)).unwrap_or(usize::MAX);
            start > before && self.pictures.keys.get(at) == Some(&false)
        };
        let late = segments.iter().zip(&self.starts).skip(1).filter(|(_, start)| is_late(**start));
        let words = |(segment, _): (&Segment, &u64)| {
            format!("{}: {video}: its first picture is no key frame; {}", segment.name(), Reason::BeforeKey.right())
        };
        late.map(words).collect()
    }
}

impl Pictures {
    fn take(&mut self, packet: &Packet) {
        const JUMP: i64 = TIMESTAMP_JUMP.as_secs() as i64 * TICKS_PER_SECOND;
        if let Some(last) = self.last {
            let step = packet.dts.saturating_sub(last);
            // A slow camera has seconds between its pictures.
            if (1..=JUMP.max(10 * TICKS_PER_SECOND)).contains(&step) {
                self.step = step;
            }
            self.now += self.step;
        }
        self.last = Some(packet.dts);
        self.keys.push(packet.key.is_key());
        if packet.key.is_key() {
            self.times.push(self.now);
        }
    }
}
