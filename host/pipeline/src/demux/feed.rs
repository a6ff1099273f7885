//! One input of a source on its way through a demuxer: its main segments, or those of its separate sound.
//!
//! In: files of segments in order. Out: packets, each with the configuration that it needs. The demuxer lives as long as
//! the container stays the same; it is chosen by the first bytes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::DemuxError;
use super::counts::{Counts, Told};
use crate::limits::SEGMENT_READ_BYTES;
use outboard_media::demux::{
    Choice, Config, Demuxer, Event, Packet, Reason, Stream, TELLING_BYTES, TrackKind, Witness,
};
use outboard_media::segment::{Container, Part};

/// Takes the packets of an input.
pub(super) trait Sink {
    /// Takes the next packet.
    fn packet(&mut self, packet: &Packet, config: &Config) -> Result<(), DemuxError>;
    /// What is told of the input beside its packets.
    fn counts(&mut self) -> &mut Counts;
}

/// The state of an input between two segments.
#[derive(Debug, Clone, Default)]
pub(super) struct Feed {
    /// What is taken of the input.
    choice: Choice,
    demuxer: Option<Demuxer>,
    container: Option<Container>,
    /// The initialization section that was fed last.
    init: Option<PathBuf>,
    /// All streams of the input, as it announced them last.
    pub(super) streams: Vec<Stream>,
    /// The programme, and the sound, that are chosen and that the input does not have, in words.
    pub(super) unmet: [Option<String>; 2],
    /// The newest configurations, of pictures and of sound.
    configs: [Option<Config>; 2],
    /// Packets that were taken from the demuxer, of pictures and of sound.
    handed: [u64; 2],
    told: Told,
}

impl Feed {
    /// For an input of which this is taken.
    pub(super) fn new(choice: Choice) -> Self {
        Self { choice, ..Self::default() }
    }

    /// Feeds a segment and what it needs before. False: its container is none that is known here, and nothing was fed.
    pub(super) fn part(&mut self, part: &Part, chunk: &mut Vec<u8>, sink: &mut impl Sink) -> Result<bool, DemuxError> {
        if self.container.is_some_and(|container| container != part.container) {
            self.end(sink)?;
            self.settle([true; 2], sink.counts());
            *self = Self::new(std::mem::take(&mut self.choice));
        }
        if let Some(init) = part.init.as_ref().filter(|init| self.init.as_ref() != Some(*init)) {
            if !self.file(init, chunk, sink)? {
                return Ok(false);
            }
            self.init = Some(init.clone());
        }
        let known = self.file(&part.path, chunk, sink)?;
        if known {
            self.container = Some(part.container);
        }
        Ok(known)
    }

    fn file(&mut self, path: &Path, chunk: &mut Vec<u8>, sink: &mut impl Sink) -> Result<bool, DemuxError> {
        let failed = |source| DemuxError::File { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        loop {
            chunk.clear();
            let limit = u64::try_from(SEGMENT_READ_BYTES).unwrap_or(u64::MAX);
            // Whole pieces, so that the first one tells the container.
            if file.by_ref().take(limit).read_to_end(chunk).map_err(failed)? == 0 {
                break;
            }
            if self.demuxer.is_none() {
                let start = chunk.get(..TELLING_BYTES).unwrap_or(chunk);
                self.demuxer = Demuxer::recognise(start, self.choice.clone());
            }
            let Some(demuxer) = &mut self.demuxer else { return Ok(false) };
            demuxer.feed(chunk);
            self.take(sink)?;
        }
        // An empty file is no reason to give up.
        self.call(Demuxer::segment_end, sink)?;
        Ok(true)
    }

    /// The next segment has unrelated times.
    pub(super) fn discontinuity(&mut self, sink: &mut impl Sink) -> Result<(), DemuxError> {
        self.call(Demuxer::discontinuity, sink)
    }

    /// Nothing follows, or segments are missing: what is open comes out or is counted.
    pub(super) fn end(&mut self, sink: &mut impl Sink) -> Result<(), DemuxError> {
        self.call(Demuxer::end, sink)
    }

    fn call(&mut self, call: impl Fn(&mut Demuxer), sink: &mut impl Sink) -> Result<(), DemuxError> {
        self.demuxer.iter_mut().for_each(call);
        self.take(sink)
    }

    /// Hands on everything that the demuxer has.
    fn take(&mut self, sink: &mut impl Sink) -> Result<(), DemuxError> {
        let Self { demuxer: Some(demuxer), choice, streams, unmet, configs, handed, .. } = self else { return Ok(()) };
        let numbering = demuxer.numbering();
        while let Some(event) = demuxer.next_event() {
            match event {
                Event::Streams(now) => {
                    sink.counts().streams(&now, choice, numbering);
                    *unmet = [choice.unmet_program(&now), choice.unmet(TrackKind::Audio, &now, numbering)];
                    *streams = now.streams;
                }
                Event::Config(config) => {
                    let at = usize::from(matches!(config, Config::Audio(_)));
                    configs[at] = Some(config);
                }
                Event::Packet(packet) => {
                    let at = usize::from(packet.kind == TrackKind::Audio);
                    // A packet without one before it would be a fault of the demuxer, and shows in the counts.
                    if let Some(config) = &configs[at] {
                        handed[at] += 1;
                        sink.packet(&packet, config)?;
                    }
                }
                Event::Notice(notice) => sink.counts().notice(&notice),
                Event::Data(_) => {}
            }
        }
        Ok(())
    }

    /// Checks the demuxer's counts, and adds what is new in them to those of the batch. `wanted`: whether pictures, and
    /// sound, are taken of this input.
    pub(super) fn settle(&mut self, wanted: [bool; 2], counts: &mut Counts) {
        if let Some(demuxer) = &mut self.demuxer {
            let of = (demuxer.numbering(), &self.streams[..]);
            self.told.add(&demuxer.witness(), self.handed, wanted, of, counts);
        }
    }

    /// The counts of the demuxer.
    pub(super) fn witness(&mut self) -> Witness {
        self.demuxer.as_mut().map(Demuxer::witness).unwrap_or_default()
    }

    /// Whether its times have 33 bits.
    pub(super) fn wraps(&self) -> bool {
        matches!(self.demuxer, Some(Demuxer::Ts(_) | Demuxer::Packed(_)))
    }

    /// Whether all sound was without a time: packed audio whose segments do not tell one.
    pub(super) fn is_untimed(&mut self) -> bool {
        let packed = matches!(self.demuxer, Some(Demuxer::Packed(_)));
        let audio = self.witness().audio;
        packed && audio.packets.units == 0 && audio.unused(Reason::NoTime).units > 0
    }
}
