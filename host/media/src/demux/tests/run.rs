//! Runs a demuxer over pieces and checks after each of them that its counts balance.

use super::super::{Choice, Config, Data, Event, Mp4, Notice, Packed, Packet, Streams, TrackKind, Ts, Witness};
use super::probe::{Probed, crc};

/// A call to a demuxer.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    Feed(&'a [u8]),
    SegmentEnd,
    Discontinuity,
    /// Calls `end`, because segments are missing.
    Gap,
}

/// The complete output of a demuxer.
#[derive(Debug, Default)]
pub struct Run {
    pub packets: Vec<Packet>,
    /// Configurations, each with the number of packets of its kind before it.
    pub configs: Vec<(usize, Config)>,
    pub streams: Vec<Streams>,
    pub data: Vec<Data>,
    pub notices: Vec<Notice>,
    pub witness: Witness,
}

impl Run {
    pub fn of(&self, kind: TrackKind) -> Vec<&Packet> {
        self.packets.iter().filter(|packet| packet.kind == kind).collect()
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Packet(packet) => self.packets.push(packet),
            Event::Config(config) => {
                let kind = match config {
                    Config::Video(_) => TrackKind::Video,
                    Config::Audio(_) => TrackKind::Audio,
                };
                self.configs.push((self.of(kind).len(), config));
            }
            Event::Streams(streams) => self.streams.push(streams),
            Event::Data(data) => self.data.push(data),
            Event::Notice(notice) => self.notices.push(notice),
        }
    }
}

/// The methods that all demuxers have.
pub trait Demuxer {
    fn feed(&mut self, bytes: &[u8]);
    fn segment_end(&mut self);
    fn discontinuity(&mut self);
    fn end(&mut self);
    fn next_event(&mut self) -> Option<Event>;
    fn witness(&mut self) -> Witness;
}

macro_rules! demuxer {
    ($($name:ident)*) => {$(
        impl Demuxer for $name {
            fn feed(&mut self, bytes: &[u8]) {
                self.feed(bytes);
            }

            fn segment_end(&mut self) {
                self.segment_end();
            }

            fn discontinuity(&mut self) {
                self.discontinuity();
            }

            fn end(&mut self) {
                self.end();
            }

            fn next_event(&mut self) -> Option<Event> {
                self.next_event()
            }

            fn witness(&mut self) -> Witness {
                self.witness()
            }
        }
    )*};
}

demuxer!(Ts Mp4 Packed);

/// Runs the steps over a transport stream, then ends it.
pub fn steps(choice: Choice, steps: &[Step<'_>]) -> Run {
    drive(Ts::new(choice), steps)
}

/// Runs the steps with a demuxer, then ends it.
pub fn drive(mut demuxer: impl Demuxer, steps: &[Step<'_>]) -> Run {
    let mut run = Run::default();
    for step in steps {
        match step {
            Step::Feed(bytes) => demuxer.feed(bytes),
            Step::SegmentEnd => demuxer.segment_end(),
            Step::Discontinuity => demuxer.discontinuity(),
            Step::Gap => demuxer.end(),
        }
        while let Some(event) = demuxer.next_event() {
            run.take(event);
        }
        let witness = demuxer.witness();
        assert!(witness.is_balanced(), "after {step:?}: {}", unexplained(&witness));
    }
    demuxer.end();
    while let Some(event) = demuxer.next_event() {
        run.take(event);
    }
    run.witness = demuxer.witness();
    assert!(run.witness.is_balanced(), "at the end: {}", unexplained(&run.witness));
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let open = run.witness.track(kind).open;
        assert_eq!((open.units, open.bytes), (0, 0), "{kind}: nothing is held after the end");
        assert_eq!(run.witness.track(kind).packets.units, run.of(kind).len() as u64);
    }
    run
}

pub fn unexplained(witness: &Witness) -> String {
    let Witness { container, video, audio } = witness;
    format!(
        "container {:?}, video {:?}, audio {:?}: {witness:#?}",
        container.unexplained(),
        video.unexplained(),
        audio.unexplained()
    )
}

/// Demuxes a transport stream in one piece.
pub fn whole(bytes: &[u8]) -> Run {
    steps(Choice::default(), &[Step::Feed(bytes)])
}

/// Checks that packets equal those of ffprobe in times, keys, sizes and data. Times of audio may differ by `slack`
/// ticks, because ffmpeg rounds durations down when a PES packet has several frames.
pub fn assert_same(run: &Run, probed: &[Probed], slack: i64, what: &str) {
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (run.of(kind), probed.iter().filter(|packet| packet.kind == kind).collect());
        for (n, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            let place = format!("{what}: {kind} packet {n}: {our:?} and {their:?}");
            assert_eq!((our.data.len(), crc(&our.data)), (their.size, their.crc), "{place}");
            assert!(their.pts.is_none_or(|pts| (our.pts - pts).abs() <= slack), "{place}");
            assert!(their.dts.is_none_or(|dts| (our.dts - dts).abs() <= slack), "{place}");
            assert_eq!(our.key.is_key(), their.key, "{place}");
        }
        assert_eq!(ours.len(), theirs.len(), "{what}: {kind}");
    }
}

/// Checks that each track has the same packets, whatever lies between them.
pub fn assert_equal(run: &Run, truth: &Run, what: &str) {
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let (ours, theirs) = (run.of(kind), truth.of(kind));
        for (n, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            let facts = |packet: &Packet| (packet.dts, packet.pts, packet.key, packet.samples, crc(&packet.data));
            assert_eq!(facts(our), facts(their), "{what}: {kind} packet {n}: {our:?} and {their:?}");
        }
        assert_eq!(ours.len(), theirs.len(), "{what}: {kind}");
    }
}
