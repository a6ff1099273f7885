//! Puts the packets of one good stream into fragmented MP4 in other ways, all legal by ISO/IEC 14496-12: fragments, runs,
//! defaults, bases of data, forms of time, edit lists, and boxes of other kinds in every place.

use super::super::{Config, Packet, TrackKind};
use super::handmade::{boxed, mp4a};
use super::repack::Random;

/// Where a value of samples stands that is the same for all of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// With each sample.
    Trun,
    /// Once for the fragment.
    Tfhd,
    /// In the initialization section.
    Trex,
}

/// From where the places of data are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// From the start of the `moof`, for all tracks.
    Moof,
    /// From a place in the file.
    File,
    /// Not told: the first track from the start of the `moof`, each further one from the end of the one before.
    Before,
}

/// How times of fragments are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    Bits32,
    Bits64,
    /// In the first fragment of each track only.
    Once,
}

/// How long an `mdat` says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mdat {
    Bits32,
    Bits64,
    /// To the end of the segment, where it is the last.
    ToTheEnd,
}

/// The settings for packing a stream.
#[derive(Debug, Clone)]
pub struct Boxes {
    pub seed: u64,
    /// Most samples of a track in one fragment, and in one `trun`; `None`: all.
    pub fragment: Option<usize>,
    pub run: Option<usize>,
    /// Whether the runs of the tracks alternate in the `mdat`.
    pub alternate: bool,
    pub duration: Place,
    pub size: Place,
    pub flags: Place,
    /// Version of `trun`, and the ticks by which pictures are decoded later, which makes offsets negative.
    pub version: u32,
    pub late: i64,
    pub base: Base,
    pub time: Time,
    /// Ticks per second of each track, divided by 90 000.
    pub scales: [i64; 2],
    /// Ticks of the tracks that come before the presentation, and milliseconds of nothing before it.
    pub edit: Option<(i64, i64)>,
    pub mdat: Mdat,
    /// Whether other boxes are in all places where they may be, and whether there is a track that nobody takes.
    pub company: bool,
    /// Whether bytes of no sample lie between the runs.
    pub gaps: bool,
    /// Bytes of the length before each NAL unit: 1 to 4.
    pub lengths: usize,
    /// Whether boxes of the initialization section are of version 1.
    pub long: bool,
}

impl Default for Boxes {
    fn default() -> Self {
        Self {
            seed: 1,
            fragment: None,
            run: None,
            alternate: false,
            duration: Place::Trun,
            size: Place::Trun,
            flags: Place::Trun,
            version: 0,
            late: 0,
            base: Base::Moof,
            time: Time::Bits64,
            scales: [1, 1],
            edit: None,
            mdat: Mdat::Bits32,
            company: false,
            gaps: false,
            lengths: 4,
            long: false,
        }
    }
}

const NON_SYNC: u32 = 0x0001_0000;
const IDS: [u32; 3] = [3, 7, 9];
/// Ticks of 90 kHz from each picture to the next, and from each frame to the next.
const STEPS: [i64; 2] = [3600, 1920];

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// The samples of one track in a fragment, and those of each of its runs.
struct Traf<'a> {
    track: usize,
    runs: Vec<&'a [Packet]>,
    /// Whether the time is told.
    told: bool,
}

impl Boxes {
    /// The initialization section.
    pub fn init(&self, configs: &[Config]) -> Vec<u8> {
        let version = u32::from(self.long) << 24;
        // Times of creation and change, and the length, of which version 1 has twice the bits.
        let wide = |before: usize, rest: &[u32]| {
            let zeros = if self.long { before * 2 } else { before };
            [&[version][..], &vec![0; zeros], rest].concat()
        };
        let trak = |config: &Config| {
            let (at, entry) = match config {
                Config::Video(video) => {
                    let mut record = video.record.clone();
                    record[4] = 0xfc | (self.lengths as u8 - 1);
                    let [size, place] = [video.width << 16 | video.height, 1].map(u32::to_be_bytes);
                    let head = [&[0; 4][..], &place, &[0; 16], &size, &[0; 50]].concat();
                    (0, boxed(b"avc1", &[&head, &boxed(b"free", &[]), &boxed(b"avcC", &[&record])]))
                }
                Config::Audio(audio) => (1, mp4a(audio.sample_rate as u16, audio.channels, Some(&audio.record))),
            };
            self.trak(at, (self.scales[at] * 90_000) as u32, &entry, &wide)
        };
        let traks: Vec<u8> = configs.iter().flat_map(trak).collect();
        let other = if self.company { self.trak(2, 1000, &boxed(b"stpp", &[&[0; 8]]), &wide) } else { Vec::new() };
        let trex = |at: usize| {
            let duration = if self.duration == Place::Trex && at < 2 { STEPS[at] * self.scales[at] } else { 77 };
            let flags = if self.flags == Place::Trex && at == 0 { NON_SYNC } else { 0 };
            boxed(b"trex", &[&words(&[0, IDS[at], 1, duration as u32, 0, flags])])
        };
        let extends = boxed(b"mvex", &[&trex(2), &trex(0), &trex(1)]);
        let movie = boxed(b"mvhd", &[&words(&wide(2, &[1000, 0]))]);
        let beside = if self.company { boxed(b"udta", &[&boxed(b"meta", &[&[0; 40]])]) } else { Vec::new() };
        [boxed(b"ftyp", &[b"iso6\0\0\0\0cmfc"]), boxed(b"moov", &[&movie, &other, &traks, &beside, &extends])].concat()
    }

    fn trak(&self, at: usize, scale: u32, entry: &[u8], wide: &impl Fn(usize, &[u32]) -> Vec<u32>) -> Vec<u8> {
        let stsd = boxed(b"stsd", &[&words(&[0, 1]), entry]);
        let header = boxed(b"mdhd", &[&words(&wide(2, &[scale, 0, 0x55c4_0000]))]);
        let handler = boxed(b"hdlr", &[&[0; 25]]);
        let media = boxed(b"mdia", &[&header, &handler, &boxed(b"minf", &[&boxed(b"stbl", &[&stsd])])]);
        let edits = match self.edit.filter(|_| at < 2) {
            None => Vec::new(),
            Some((from, empty)) => {
                let from = from * self.scales[at];
                let list = match self.long {
                    false => words(&[0, 2, empty as u32, u32::MAX, 0x1_0000, 0, from as u32, 0x1_0000]),
                    true => {
                        let numbers = [empty as u64, u64::MAX, 0, from as u64].map(u64::to_be_bytes);
                        let rate = words(&[0x1_0000]);
                        [&words(&[0x0100_0000, 2])[..], &numbers[..2].concat(), &rate, &numbers[2..].concat(), &rate]
                            .concat()
                    }
                };
                boxed(b"edts", &[&boxed(b"elst", &[&list])])
            }
        };
        boxed(b"trak", &[&boxed(b"tkhd", &[&words(&wide(2, &[IDS[at], 0]))]), &edits, &media])
    }

    /// A time in ticks of 90 kHz as it stands in the track.
    fn time(&self, track: usize, ticks: i64) -> i64 {
        let (from, empty) = self.edit.unwrap_or_default();
        (ticks + from - empty * 90) * self.scales[track]
    }

    /// Packs the packets of both tracks into segments, each of which begins with a key frame.
    pub fn segments(&self, video: &[Packet], audio: &[Packet]) -> Vec<Vec<u8>> {
        let mut random = Random(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let starts: Vec<i64> = video.iter().filter(|packet| packet.key.is_key()).map(|packet| packet.dts).collect();
        let mut told = [false; 2];
        let segment = |n: usize| {
            let of = |packets: &[Packet]| -> Vec<Packet> {
                let (from, to) = (starts[n], starts.get(n + 1).copied().unwrap_or(i64::MAX));
                let within = |packet: &&Packet| packet.dts < to && (packet.dts >= from || n == 0);
                packets
                    .iter()
                    .filter(within)
                    .map(|packet| Packet { data: self.narrow(packet), ..packet.clone() })
                    .collect()
            };
            let tracks = [of(video), of(audio)];
            let size = self.fragment.unwrap_or(usize::MAX);
            let count = tracks.iter().map(|track| track.len().div_ceil(size)).max().unwrap_or(0);
            let mut out = Vec::new();
            self.beside(&mut random, &mut out, true);
            for fragment in 0..count {
                self.beside(&mut random, &mut out, false);
                let mut trafs = Vec::new();
                for (track, packets) in tracks.iter().enumerate() {
                    let from = fragment.saturating_mul(size).min(packets.len());
                    let these = &packets[from..from.saturating_add(size).min(packets.len())];
                    if !these.is_empty() {
                        let runs = these.chunks(self.run.unwrap_or(usize::MAX)).collect();
                        let before = std::mem::replace(&mut told[track], true);
                        trafs.push(Traf { track, runs, told: self.time != Time::Once || !before });
                    }
                }
                if random.one_in(2) {
                    trafs.reverse();
                }
                self.fragment(&trafs, &mut random, fragment + 1 == count, &mut out);
            }
            out
        };
        (0..starts.len()).map(segment).collect()
    }

    /// NAL units with lengths of fewer bytes.
    fn narrow(&self, packet: &Packet) -> Vec<u8> {
        if packet.kind == TrackKind::Audio || self.lengths == 4 {
            return packet.data.clone();
        }
        let (mut out, mut rest) = (Vec::new(), &packet.data[..]);
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            assert!(length[..4 - self.lengths].iter().all(|byte| *byte == 0), "NAL units are as short as this");
            let (nal, after) = after.split_at(u32::from_be_bytes(*length) as usize);
            out.extend([&length[4 - self.lengths..], nal].concat());
            rest = after;
        }
        out
    }

    fn fragment(&self, trafs: &[Traf<'_>], random: &mut Random, last: bool, out: &mut Vec<u8>) {
        let start = out.len();
        let mut between = Vec::new();
        if self.company && random.one_in(2) {
            between = boxed(b"free", &[&vec![7; random.below(40)]]);
        }
        // The order of runs in the data: of one track after the other, or in turns.
        let mut order: Vec<(usize, usize)> =
            (0..trafs.len()).flat_map(|traf| (0..trafs[traf].runs.len()).map(move |run| (traf, run))).collect();
        if self.alternate {
            order.sort_by_key(|(traf, run)| (*run, *traf));
        }
        let (mut data, mut places) = (Vec::new(), std::collections::BTreeMap::new());
        for place in order {
            if self.gaps {
                data.extend(vec![0x47; random.below(30)]);
            }
            places.insert(place, data.len());
            trafs[place.0].runs[place.1].iter().for_each(|packet| data.extend(&packet.data));
        }
        let base = start as i64 + if self.base == Base::File { random.below(300) as i64 } else { 0 };
        let moof = |data_at: i64| {
            let mut next = start as i64;
            let all = trafs.iter().enumerate().map(|(n, traf)| {
                let from = match self.base {
                    Base::Moof => start as i64,
                    Base::File => base,
                    Base::Before => next,
                };
                let place = |run: usize| data_at + places[&(n, run)] as i64;
                let bytes = self.traf(traf, base, |run| place(run) - from);
                let end = |run: usize| traf.runs[run].iter().map(|packet| packet.data.len() as i64).sum::<i64>();
                next = place(traf.runs.len() - 1) + end(traf.runs.len() - 1);
                bytes
            });
            let all = all.collect::<Vec<_>>().concat();
            boxed(b"moof", &[&boxed(b"mfhd", &[&words(&[0, 1])]), &self.unknown(b"uuid"), &all])
        };
        let form = if self.mdat == Mdat::ToTheEnd && !last { Mdat::Bits32 } else { self.mdat };
        let head = match form {
            Mdat::Bits32 => [&words(&[data.len() as u32 + 8])[..], b"mdat"].concat(),
            Mdat::Bits64 => [&[0, 0, 0, 1][..], b"mdat", &(data.len() as u64 + 16).to_be_bytes()].concat(),
            Mdat::ToTheEnd => [&[0; 4][..], b"mdat"].concat(),
        };
        let data_at = out.len() + moof(0).len() + between.len() + head.len();
        for part in [&moof(data_at as i64), &between, &head, &data] {
            out.extend(part);
        }
    }

    fn traf(&self, traf: &Traf<'_>, base: i64, offset: impl Fn(usize) -> i64) -> Vec<u8> {
        let scale = self.scales[traf.track];
        let sizes: Vec<usize> = traf.runs.iter().flat_map(|run| run.iter().map(|packet| packet.data.len())).collect();
        let one_size = self.size != Place::Trun && sizes.iter().all(|size| *size == sizes[0]);
        let usual = if traf.track == 0 { NON_SYNC } else { 0 };
        let mut head = vec![if self.base == Base::Moof { 0x02_0000 } else { 0 }, IDS[traf.track]];
        if self.base == Base::File {
            head[0] |= 1;
            head.extend([0, base as u32]);
        }
        let duration = (STEPS[traf.track] * scale) as u32;
        for (flag, told, value) in [
            (0x08, self.duration == Place::Tfhd, duration),
            (0x10, one_size, sizes[0] as u32),
            (0x20, self.flags == Place::Tfhd, usual),
        ] {
            if told {
                head[0] |= flag;
                head.push(value);
            }
        }
        let first = &traf.runs[0][0];
        let late = if traf.track == 0 { self.late } else { 0 };
        let time = self.time(traf.track, first.dts + late) as u64;
        let tfdt = match self.time {
            _ if !traf.told => Vec::new(),
            Time::Bits32 => boxed(b"tfdt", &[&words(&[0, time as u32])]),
            _ => boxed(b"tfdt", &[&[1, 0, 0, 0], &time.to_be_bytes()]),
        };
        let run = |(n, run): (usize, &&[Packet])| {
            let flags = |packet: &Packet| if packet.key.is_key() { 0 } else { NON_SYNC };
            let odd = run.iter().skip(1).any(|packet| flags(packet) != usual);
            // With offsets counted anew for each run, one that follows the one before needs none.
            let follows = n > 0 && !self.alternate && !self.gaps;
            let mut fields = u32::from(!follows);
            fields |= if self.duration == Place::Trun { 0x100 } else { 0 };
            fields |= if one_size { 0 } else { 0x200 };
            fields |= if traf.track == 0 { 0x800 } else { 0 };
            fields |= match self.flags {
                Place::Trun => 0x400,
                _ if odd => 0x400,
                _ if flags(&run[0]) != usual => 4,
                _ => 0,
            };
            let mut body = vec![self.version << 24 | fields, run.len() as u32];
            if fields & 1 != 0 {
                body.push(offset(n) as i32 as u32);
            }
            if fields & 4 != 0 {
                body.push(flags(&run[0]));
            }
            for packet in *run {
                let composition = ((packet.pts - packet.dts - late) * scale) as i32 as u32;
                let values = [duration, packet.data.len() as u32, flags(packet), composition];
                for (flag, value) in [0x100, 0x200, 0x400, 0x800].into_iter().zip(values) {
                    if fields & flag != 0 {
                        body.push(value);
                    }
                }
            }
            [boxed(b"trun", &[&words(&body)]), self.unknown(b"saiz")].concat()
        };
        let runs: Vec<u8> = traf.runs.iter().enumerate().flat_map(run).collect();
        boxed(b"traf", &[&boxed(b"tfhd", &[&words(&head)]), &self.unknown(b"sbgp"), &tfdt, &runs])
    }

    fn unknown(&self, name: &[u8; 4]) -> Vec<u8> {
        if self.company { boxed(name, &[&[0x5a; 24]]) } else { Vec::new() }
    }

    /// Writes boxes that are no media, at the start of a segment or between fragments.
    fn beside(&self, random: &mut Random, out: &mut Vec<u8>, first: bool) {
        if !self.company {
            return;
        }
        if first {
            out.extend(boxed(b"styp", &[b"msdh\0\0\0\0msdhmsix"]));
            out.extend(boxed(b"sidx", &[&[0; 32]]));
        }
        for name in [b"emsg", b"prft", b"free", b"skip", b"uuid", b"mfra", b"\0\0\0\0", b"\xa9too"] {
            if random.one_in(3) {
                // Names of other boxes inside do not mislead.
                out.extend(boxed(name, &[b"moofmdat", &vec![0; random.below(200)]]));
            }
        }
    }
}
