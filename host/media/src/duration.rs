//! Measures the duration of a segment by its timestamps, as EXTINF may be 0 or wrong.
//!
//! In: an untrusted file. Out: its duration, or `None` if it cannot be determined. Blocks for some milliseconds; only
//! headers are kept in memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::adts::{HEADER, Header, SAMPLES};
use super::probe::boxes::{Boxes, child, number32};
use crate::limits::SEGMENT_MEASURED_MAX;
use crate::pes_time;

const TS_PACKET: usize = 188;
/// stream_id of AC-3 and other private data.
const PRIVATE: u8 = 0xBD;
const TS_CLOCK_HZ: u64 = 90_000;
/// Longest step between two frames, in ticks; a longer one is a jump of the clock.
const STEP_MAX: u64 = 10 * TS_CLOCK_HZ;
/// Steps that differ by this much are even, in ticks: some packagers round them to milliseconds.
const UNEVEN: u64 = TS_CLOCK_HZ / 1000;
/// Most elementary streams that are read.
const STREAMS_MAX: usize = 16;
/// Largest `moov` or `moof`, bytes.
const HEADER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Most boxes or frames that are read in one file.
const ITEMS_MAX: usize = 200_000;

/// Facts of a transport stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ts {
    /// Duration of its video; of its audio if it has no video. `None`: not known.
    pub length: Option<Duration>,
    /// Its frames come evenly, so that the last one, whose duration nothing tells, lasts as long as the others.
    pub even: bool,
    /// PIDs of its video and its MPEG audio.
    pub pids: BTreeSet<u16>,
}

/// Reads the facts of a transport stream. `None` if the file cannot be read.
pub fn of_ts(path: &Path) -> Option<Ts> {
    let mut reader = BufReader::with_capacity(348 * TS_PACKET, File::open(path).ok()?);
    let mut packet = [0; TS_PACKET];
    let mut streams: Vec<Stream> = Vec::new();
    while reader.read_exact(&mut packet).is_ok() {
        let Some((pid, kind, time)) = pes_start(&packet) else { continue };
        let room = streams.len() < STREAMS_MAX;
        match streams.iter_mut().find(|stream| stream.pid == pid) {
            Some(stream) => stream.add(time),
            None if room => {
                let (video, private) = (kind & 0xF0 == 0xE0, kind == PRIVATE);
                streams.push(Stream { pid, video, private, last: time, steps: 0, ticks: 0, first: None, even: true });
            }
            None => {}
        }
    }
    let longest = |video: bool| streams.iter().filter(|stream| stream.video == video).filter_map(Stream::length).max();
    let (length, even) = longest(true).or_else(|| longest(false)).unwrap_or_default();
    let length = believed(length);
    let pids = streams.iter().filter(|stream| !stream.private).map(|stream| stream.pid).collect();
    Some(Ts { length, even, pids })
}

/// The duration of a fragmented MP4 segment, by the same rule as [`of_ts`]. `init` has its `moov`, unless the segment
/// has one.
pub fn of_mp4(path: &Path, init: Option<&Path>) -> Option<Duration> {
    let mut tracks = Vec::new();
    let mut lengths: Vec<(u32, u64)> = Vec::new();
    let mut read = |path: &Path| {
        headers(path, |name, body| match name {
            b"moov" => tracks = tracks_of(body),
            b"moof" => {
                for run in Boxes::of(body).filter(|found| &found.name == b"traf") {
                    let Some((id, length)) = run_length(run.body, &tracks) else { continue };
                    let room = lengths.len() < STREAMS_MAX;
                    match lengths.iter_mut().find(|(known, _)| *known == id) {
                        Some((_, whole)) => *whole = whole.saturating_add(length),
                        None if room => lengths.push((id, length)),
                        None => {}
                    }
                }
            }
            _ => {}
        })
    };
    if let Some(init) = init {
        read(init)?;
    }
    read(path)?;
    let longest = |video: bool| {
        let of_kind = lengths.iter().filter_map(|(id, length)| {
            let track = tracks.iter().find(|track| track.id == *id && track.video == video)?;
            u64::try_from(u128::from(*length) * 1_000_000 / u128::from(track.scale.max(1))).ok()
        });
        of_kind.max()
    };
    believed(Duration::from_micros(longest(true).or_else(|| longest(false))?))
}

/// The duration of packed AAC (ADTS); `None` unless frames fill the file to its end.
pub fn of_adts(path: &Path) -> Option<Duration> {
    let mut reader = BufReader::new(File::open(path).ok()?);
    let end = i64::try_from(reader.get_ref().metadata().ok()?.len()).ok()?;
    let (mut at, mut frames, mut rate) = (0_i64, 0_u64, None);
    let mut head = [0; 10];
    if reader.read_exact(&mut head).is_ok() && head.starts_with(b"ID3") {
        at = 10 + head[6..].iter().fold(0, |size, byte| size << 7 | i64::from(byte & 0x7F));
    }
    reader.seek(SeekFrom::Start(u64::try_from(at).ok()?)).ok()?;
    let mut head = [0; HEADER];
    for _ in 0..ITEMS_MAX {
        if at == end {
            return believed(Duration::from_micros(frames * u64::from(SAMPLES) * 1_000_000 / rate?));
        }
        reader.read_exact(&mut head).ok()?;
        let frame = Header::parse(&head)?;
        rate = rate.or(Some(u64::from(frame.rate)));
        let length = i64::try_from(frame.length).ok()?;
        frames += 1;
        at += length;
        reader.seek_relative(length - HEADER as i64).ok()?;
    }
    None
}

fn believed(length: Duration) -> Option<Duration> {
    Some(length).filter(|length| !length.is_zero() && *length <= SEGMENT_MEASURED_MAX)
}

/// One elementary stream of a transport stream.
struct Stream {
    pid: u16,
    video: bool,
    private: bool,
    last: u64,
    steps: u64,
    /// Sum of the steps, without jumps of the clock, in ticks of 90 kHz.
    ticks: u64,
    /// The first step.
    first: Option<u64>,
    /// All steps are like the first one.
    even: bool,
}

impl Stream {
    fn add(&mut self, time: u64) {
        let step = time.wrapping_sub(self.last) & ((1 << 33) - 1);
        self.last = time;
        if (1..=STEP_MAX).contains(&step) {
            self.steps += 1;
            self.ticks += step;
        }
        self.even &= step.abs_diff(*self.first.get_or_insert(step)) <= UNEVEN;
    }

    /// The sum of the steps, plus one average step for the last frame, and whether the steps are even.
    fn length(&self) -> Option<(Duration, bool)> {
        let mean = self.ticks.checked_div(self.steps)?;
        Some((Duration::from_micros((self.ticks + mean) * 1_000_000 / TS_CLOCK_HZ), self.even))
    }
}

/// PID, stream_id and decoding time, if a PES packet with timestamps begins in this packet.
fn pes_start(packet: &[u8; TS_PACKET]) -> Option<(u16, u8, u64)> {
    let [0x47, second, third, fourth, ..] = *packet else { return None };
    if second & 0x40 == 0 || fourth & 0x10 == 0 {
        return None;
    }
    let at = if fourth & 0x20 == 0 { 4 } else { 5 + usize::from(*packet.get(4)?) };
    let [0, 0, 1, stream, _, _, mark, flags, _, times @ ..] = packet.get(at..)? else { return None };
    // Video, MPEG audio and private streams (AC-3 and others) have the optional header with its mark.
    if !(stream & 0xF0 == 0xE0 || stream & 0xE0 == 0xC0 || *stream == PRIVATE) || mark & 0xC0 != 0x80 {
        return None;
    }
    let time = match flags >> 6 {
        2 => times.get(..5)?,
        3 => times.get(5..10)?,
        _ => return None,
    };
    let time = pes_time::ticks(time.try_into().ok()?);
    Some((u16::from(second & 0x1F) << 8 | u16::from(third), *stream, time))
}

struct Track {
    id: u32,
    video: bool,
    scale: u32,
    /// Default duration of a sample, in ticks.
    sample: u32,
}

/// Reads the `moov` and `moof` boxes of a file, and skips the others.
fn headers(path: &Path, mut each: impl FnMut(&[u8; 4], &[u8])) -> Option<()> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let end = file.get_ref().metadata().ok()?.len();
    let mut at = 0_u64;
    for _ in 0..ITEMS_MAX {
        let mut head = [0; 8];
        if at >= end || file.seek(SeekFrom::Start(at)).is_err() || file.read_exact(&mut head).is_err() {
            break;
        }
        let [a, b, c, d, name @ ..] = head;
        let (header, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, end - at),
            1 => {
                let mut large = [0; 8];
                file.read_exact(&mut large).ok()?;
                (16, u64::from_be_bytes(large))
            }
            size => (8, size.into()),
        };
        let body = size.checked_sub(header)?;
        if matches!(&name, b"moov" | b"moof") {
            if body > HEADER_BYTES_MAX {
                return None;
            }
            let mut bytes = Vec::new();
            file.by_ref().take(body).read_to_end(&mut bytes).ok()?;
            each(&name, &bytes);
        }
        at = at.checked_add(size)?;
    }
    Some(())
}

fn tracks_of(moov: &[u8]) -> Vec<Track> {
    let defaults = |id: u32| {
        let extends = child(moov, b"mvex")?;
        let entry =
            Boxes::of(extends).filter(|found| &found.name == b"trex").find(|found| field(found.body, 4) == Some(id))?;
        field(entry.body, 12)
    };
    let track = |found: super::probe::boxes::Box<'_>| {
        let header = child(found.body, b"tkhd")?;
        let id = field(header, if header.first() == Some(&1) { 20 } else { 12 })?;
        let media = child(found.body, b"mdia")?;
        let header = child(media, b"mdhd")?;
        let scale = field(header, if header.first() == Some(&1) { 20 } else { 12 })?;
        // hdlr: version and flags, pre_defined, handler_type.
        let video = child(media, b"hdlr").and_then(|body| body.get(8..12)) == Some(b"vide");
        Some(Track { id, video, scale, sample: defaults(id).unwrap_or_default() })
    };
    Boxes::of(moov).filter(|found| &found.name == b"trak").filter_map(track).take(STREAMS_MAX).collect()
}

/// The track of a `traf`, and its duration in ticks of the track.
fn run_length(traf: &[u8], tracks: &[Track]) -> Option<(u32, u64)> {
    let header = child(traf, b"tfhd")?;
    let (flags, id) = (field(header, 0)?, field(header, 4)?);
    let before = [(0x1, 8), (0x2, 4)].iter().filter(|(flag, _)| flags & flag != 0).map(|(_, size)| size).sum::<usize>();
    let sample =
        if flags & 0x8 != 0 { field(header, 8 + before)? } else { tracks.iter().find(|track| track.id == id)?.sample };
    let mut length = 0_u64;
    for run in Boxes::of(traf).filter(|found| &found.name == b"trun") {
        let (flags, count) = (field(run.body, 0)?, field(run.body, 4)?);
        if flags & 0x100 == 0 {
            length = length.saturating_add(u64::from(count) * u64::from(sample));
            continue;
        }
        let head = 8 + [0x1, 0x4].iter().filter(|flag| flags & **flag != 0).count() * 4;
        let entry = [0x100, 0x200, 0x400, 0x800].iter().filter(|flag| flags & **flag != 0).count() * 4;
        let samples = run.body.get(head..)?.chunks_exact(entry).take(usize::try_from(count).ok()?);
        length = samples.filter_map(number32).fold(length, |length, sample| length.saturating_add(sample.into()));
    }
    Some((id, length))
}

fn field(body: &[u8], at: usize) -> Option<u32> {
    number32(body.get(at..)?)
}

#[cfg(test)]
#[path = "duration_test.rs"]
mod tests;
