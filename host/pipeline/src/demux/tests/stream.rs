//! Streams on disk as segments, and what came out of their batches.

use std::path::Path;
use std::time::Duration;

use super::super::counts::Counts;
use super::super::{DemuxError, Split, Splitter};
use crate::remux::testing::slots;
use outboard_media::facts::{BatchFacts, TrackFacts};
use outboard_media::segment::{Container, Identity, Part, Segment};
use outboard_store::files::names;

/// Segments of one stream, in a folder of its own.
pub struct Stream {
    pub dir: tempfile::TempDir,
    pub segments: Vec<Segment>,
}

impl Stream {
    pub fn new(container: Container, init: Option<&[u8]>, segments: &[Vec<u8>]) -> Self {
        let mut stream = Self { dir: tempfile::tempdir().unwrap(), segments: Vec::new() };
        let init = init.map(|bytes| stream.write("init.mp4", bytes));
        for (index, bytes) in segments.iter().enumerate() {
            let path = stream.write(&format!("segment-{index}.bin"), bytes);
            stream.segments.push(Segment {
                index: index as u64,
                media_sequence: index as u64,
                duration: Duration::from_secs(2),
                discontinuity: false,
                live: true,
                identity: Identity { uri: format!("http://o/{index}"), range: None, program_date_time_us: None },
                cues: Vec::new(),
                main: Part { path, bytes: bytes.len() as u64, container, init: init.clone() },
                audio: Vec::new(),
            });
        }
        stream
    }

    pub fn ts(segments: &[Vec<u8>]) -> Self {
        Self::new(Container::MpegTs, None, segments)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Gives segment `at` sound of its own.
    pub fn beside(&mut self, at: usize, name: &str, bytes: &[u8], container: Container, init: Option<&[u8]>) {
        let init = init.map(|bytes| self.write("init-audio.mp4", bytes));
        let path = self.write(name, bytes);
        self.segments[at].audio.push(Part { path, bytes: bytes.len() as u64, container, init });
    }

    pub fn batch(&self, number: usize) -> std::path::PathBuf {
        let dir = self.dir.path().join(format!("batch-{number}"));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// Splits the stream into batches of so many segments each; with `restart` each by a process of its own.
    pub async fn through(&self, lengths: &[usize], restart: bool) -> Vec<Batch> {
        let mut splitter = Splitter::new(slots());
        let (mut at, mut batches) = (0, Vec::<Batch>::new());
        for (number, length) in lengths.iter().enumerate() {
            if restart {
                splitter = Splitter::new(slots());
                if let Some(before) = batches.last() {
                    splitter.after(self.segments[..at].to_vec(), Some(&before.facts));
                }
            }
            let segments = &self.segments[at..at + length];
            at += length;
            let dir = self.batch(number);
            let split = splitter.next(segments, at == self.segments.len(), &dir).await.unwrap();
            batches.push(Batch::read(&dir, split));
        }
        assert_eq!(at, self.segments.len(), "all segments are in a batch");
        assert_eq!(splitter.finish(), Counts::default(), "nothing is left");
        batches
    }

    pub async fn whole(&self) -> Batch {
        let dir = self.dir.path().join("whole");
        std::fs::create_dir_all(&dir).unwrap();
        let split = Splitter::new(slots()).next(&self.segments, true, &dir).await.unwrap();
        Batch::read(&dir, split)
    }

    /// Why the whole stream cannot be split.
    pub async fn refused(&self) -> DemuxError {
        Splitter::new(slots()).next(&self.segments, true, &self.batch(0)).await.unwrap_err()
    }
}

/// A packet in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// In microseconds.
    pub dts_us: i64,
    pub composition_us: i64,
    pub key: bool,
    pub data: Vec<u8>,
}

/// A batch and what its files hold.
#[derive(Debug)]
pub struct Batch {
    pub facts: BatchFacts,
    pub counts: Counts,
    pub video: Vec<Sample>,
    pub audio: Vec<Sample>,
    /// Configurations of sound (`moov`), each with the number of packets before it.
    pub configs: Vec<(usize, Vec<u8>)>,
}

impl Batch {
    pub fn read(dir: &Path, Split { facts, layout, counts }: Split) -> Self {
        assert_eq!(counts.unbalanced, Vec::<String>::new());
        let listed = std::fs::read_to_string(dir.join(names::PACKETS)).unwrap();
        assert_eq!(BatchFacts::parse(&listed).unwrap(), facts, "a restart reads the same");
        let of = |track: &Option<TrackFacts>, name| match track {
            Some(_) => samples(&std::fs::read(dir.join(name)).unwrap()),
            None => (Vec::new(), Vec::new()),
        };
        let ((video, _), (audio, configs)) = (of(&facts.video, names::VIDEO), of(&facts.audio, names::AUDIO));
        let batch = Self { video, audio, configs, facts, counts };
        batch.check();
        if let Some(layout) = layout {
            for (samples, track, name) in
                [(&batch.video, layout.video, names::VIDEO), (&batch.audio, layout.audio, names::AUDIO)]
            {
                let track = track.unwrap_or_default();
                assert_eq!(track.packets.len(), samples.len(), "{name}");
                let file = std::fs::read(dir.join(name)).unwrap_or_default();
                for (stored, sample) in track.packets.iter().zip(samples) {
                    assert_eq!(&file[stored.offset as usize..][..stored.len as usize], &sample.data, "{name}");
                    assert_eq!(stored.key, sample.key);
                }
            }
        }
        batch
    }

    /// Facts and files have the same packets.
    fn check(&self) {
        for (track, samples) in [(&self.facts.video, &self.video), (&self.facts.audio, &self.audio)] {
            let listed = track.as_ref().map(|track| track.packets.as_slice()).unwrap_or_default();
            assert_eq!(listed.len(), samples.len());
            assert_eq!(samples.first().map_or(0, |first| first.dts_us), 0, "files begin at 0");
            assert!(samples.is_sorted_by(|a, b| a.dts_us < b.dts_us), "times in files rise");
            for (listed, sample) in listed.iter().zip(samples) {
                assert_eq!(listed.size as usize, sample.data.len());
                let off = (listed.pts_us - listed.dts_us) - sample.composition_us;
                assert!(off.abs() <= 1, "{listed:?} {sample:?}");
            }
        }
    }
}

/// Reads a file that our writer made: the samples of its fragments, and the sample entries with the samples before them.
fn samples(file: &[u8]) -> (Vec<Sample>, Vec<(usize, Vec<u8>)>) {
    let number = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let find = |bytes: &[u8], name: &[u8]| bytes.windows(4).position(|four| four == name).unwrap();
    let (mut rest, mut scale, mut samples, mut configs) = (file, 1, Vec::new(), Vec::new());
    let mut moof: &[u8] = &[];
    while !rest.is_empty() {
        let (this, after) = rest.split_at(number(rest, 0) as usize);
        rest = after;
        match &this[4..8] {
            b"ftyp" => {}
            b"moov" => {
                scale = number(this, find(this, b"mdhd") + 16);
                configs.push((samples.len(), this[find(this, b"stsd")..].to_vec()));
            }
            b"moof" => moof = this,
            b"mdat" => {
                let (tfdt, trun) = (find(moof, b"tfdt") + 8, find(moof, b"trun") + 8);
                let mut ticks = i64::from(number(moof, tfdt)) << 32 | i64::from(number(moof, tfdt + 4));
                let (count, offset) = (number(moof, trun) as usize, number(moof, trun + 4) as usize);
                assert_eq!(offset, moof.len() + 8);
                let mut data = &this[8..];
                for n in 0..count {
                    let field = |at: usize| number(moof, trun + 8 + n * 16 + at);
                    let (now, later) = data.split_at(field(4) as usize);
                    let us = |ticks: i64| (ticks * 1_000_000 + i64::from(scale) / 2).div_euclid(scale.into());
                    samples.push(Sample {
                        dts_us: us(ticks),
                        composition_us: us(field(12).cast_signed().into()),
                        key: field(8) & 0x0001_0000 == 0,
                        data: now.to_vec(),
                    });
                    (data, ticks) = (later, ticks + i64::from(field(0)));
                }
                assert!(data.is_empty(), "a fragment has no more than its samples");
            }
            other => panic!("{other:?}"),
        }
    }
    (samples, configs)
}

/// A packet as air sees it: its time, and what it holds.
type Air = (i64, i64, Vec<u8>);

/// All packets of both tracks, with the source's times in microseconds.
pub fn air(batches: &[Batch]) -> [Vec<Air>; 2] {
    let of = |track: &Option<TrackFacts>, samples: &[Sample]| -> Vec<Air> {
        let listed = track.as_ref().map(|track| track.packets.clone()).unwrap_or_default();
        listed.iter().zip(samples).map(|(fact, sample)| (fact.dts_us, fact.pts_us, sample.data.clone())).collect()
    };
    let video = batches.iter().flat_map(|batch| of(&batch.facts.video, &batch.video)).collect();
    let audio = batches.iter().flat_map(|batch| of(&batch.facts.audio, &batch.audio)).collect();
    [video, audio]
}

/// Checks that batches have the packets of the whole, each once and in order.
pub fn assert_same(batches: &[Batch], whole: &Batch, what: &str) {
    let (ours, truth) = (air(batches), air(std::slice::from_ref(whole)));
    for (kind, (ours, truth)) in ["video", "audio"].into_iter().zip(ours.iter().zip(&truth)) {
        for (n, (our, their)) in ours.iter().zip(truth).enumerate() {
            let (ours, theirs) = ((our.0, our.1, our.2.len()), (their.0, their.1, their.2.len()));
            assert!(our == their, "{what}: {kind} packet {n}: {ours:?}, and {theirs:?} in the whole");
        }
        assert_eq!(ours.len(), truth.len(), "{what}: {kind}");
    }
}
