//! Reads `moof` boxes (ISO/IEC 14496-12 section 8.8): the places and the times of a fragment's samples.

use super::init::{Defaults, Track, field};
use crate::limits::DEMUX_STREAMS_MAX;
use crate::probe::boxes::{Box, Boxes, child, number32, number64};

/// A sample that a `moof` announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// track_ID of the track to which the sample belongs.
    pub track: u32,
    /// Index of its entry among the track's sample entries, counted from 1.
    pub entry: u32,
    /// Place of its first byte, counted from the start of the segment; negative if it lies before the segment.
    pub at: i64,
    /// Size of the sample in bytes.
    pub size: u32,
    /// Decoding time in the track's ticks.
    pub dts: i64,
    /// Presentation minus decoding time in the track's ticks.
    pub composition: i32,
    /// Duration in the track's ticks.
    pub duration: u32,
    /// Whether it is a sync sample: sample_is_non_sync_sample is not set.
    pub sync: bool,
}

/// The end time of each track's last fragment, at which the next one begins if it has no `tfdt`.
#[derive(Debug, Clone, Default)]
pub struct Ends(Vec<(u32, i64)>);

impl Ends {
    fn get(&self, track: u32) -> Option<i64> {
        self.0.iter().find(|(id, _)| *id == track).map(|(_, end)| *end)
    }

    fn set(&mut self, track: u32, end: i64) {
        self.0.retain(|(id, _)| *id != track);
        if self.0.len() < DEMUX_STREAMS_MAX {
            self.0.push((track, end));
        }
    }

    /// Forgets the times of all tracks.
    pub fn reset(&mut self) {
        self.0.clear();
    }
}

/// The bit sample_is_non_sync_sample in sample flags (ISO/IEC 14496-12 section 8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// Returns all samples of a `moof` that begins at `at`, in the order of their bytes. `None` if the box is invalid or
/// has more than `most` samples.
pub fn samples(moof: &[u8], at: u64, tracks: &[Track], ends: &mut Ends, most: usize) -> Option<Vec<Sample>> {
    let start = i64::try_from(at).ok()?;
    let mut samples = Vec::new();
    // Without a base of its own a track's data follow those of the one before; those of the first begin with the box.
    let mut next = start;
    for traf in Boxes::of(moof).filter(|found| &found.name == b"traf") {
        next = fragment(traf.body, start, next, (tracks, most), ends, &mut samples)?;
    }
    samples.sort_by_key(|sample| sample.at);
    Some(samples)
}

/// Reads the samples of one `traf`; returns the place where its data end.
fn fragment(
    traf: &[u8],
    start: i64,
    next: i64,
    (tracks, most): (&[Track], usize),
    ends: &mut Ends,
    samples: &mut Vec<Sample>,
) -> Option<i64> {
    let header = child(traf, b"tfhd")?;
    let (flags, id) = (field(header, 0)?, field(header, 4)?);
    let mut defaults = tracks.iter().find(|track| track.id == id).map(|track| track.defaults).unwrap_or_default();
    let mut rest = header.get(8..)?;
    let mut base = if flags & 0x02_0000 != 0 { start } else { next };
    if flags & 1 != 0 {
        base = i64::try_from(number64(rest)?).ok()?;
        rest = rest.get(8..)?;
    }
    for (flag, value) in [
        (0x02, &mut defaults.entry),
        (0x08, &mut defaults.duration),
        (0x10, &mut defaults.size),
        (0x20, &mut defaults.flags),
    ] {
        if flags & flag != 0 {
            *value = number32(rest)?;
            rest = rest.get(4..)?;
        }
    }
    let mut dts = time(traf, ends.get(id)).or(ends.get(id)).unwrap_or(0);
    let mut place = base;
    for run in Boxes::of(traf).filter(|found| &found.name == b"trun") {
        (place, dts) = self::run(&run, (base, place), dts, (id, &defaults), most, samples)?;
    }
    ends.set(id, dts);
    Some(place)
}

/// Reads the decoding time from `tfdt`. A time of 32 bits that has wrapped is continued after `before`.
fn time(traf: &[u8], before: Option<i64>) -> Option<i64> {
    const TURN: i64 = 1 << 32;
    let body = child(traf, b"tfdt")?;
    if body.first() == Some(&1) {
        // Half of it is for sums.
        return i64::try_from(number64(body.get(4..)?)?).ok().filter(|time| *time < i64::MAX / 2);
    }
    let bits = i64::from(field(body, 4)?);
    let step = before.map(|before| (before, (bits - before).rem_euclid(TURN)));
    Some(match step {
        // Small steps over the wrap only: a stream that begins anew begins anew.
        Some((before, step)) if step < TURN / 4 && before >= TURN - TURN / 4 => before + step,
        _ => bits,
    })
}

/// Reads the samples of one `trun`; returns the place where its data end, and the decoding time after its last sample.
fn run(
    found: &Box<'_>,
    (base, place): (i64, i64),
    mut dts: i64,
    (track, defaults): (u32, &Defaults),
    most: usize,
    samples: &mut Vec<Sample>,
) -> Option<(i64, i64)> {
    let (flags, count) = (field(found.body, 0)?, field(found.body, 4)?);
    let mut rest = found.body.get(8..)?;
    let mut take = || {
        let value = number32(rest)?;
        rest = rest.get(4..)?;
        Some(value)
    };
    let mut at = if flags & 1 != 0 { base.checked_add(i64::from(take()?.cast_signed()))? } else { place };
    let first = if flags & 4 != 0 { Some(take()?) } else { None };
    if usize::try_from(count).ok()? > most.saturating_sub(samples.len()) {
        return None;
    }
    for n in 0..count {
        let mut or = |flag: u32, default: u32| if flags & flag != 0 { take() } else { Some(default) };
        let (duration, size) = (or(0x100, defaults.duration)?, or(0x200, defaults.size)?);
        let own = or(0x400, first.filter(|_| n == 0).unwrap_or(defaults.flags))?;
        // Version 0 says that it has no sign; senders write negative numbers all the same.
        let composition = or(0x800, 0)?.cast_signed();
        let sync = own & NON_SYNC == 0;
        samples.push(Sample { track, entry: defaults.entry, at, size, dts, composition, duration, sync });
        at = at.checked_add(i64::from(size))?;
        dts = dts.checked_add(i64::from(duration))?;
    }
    Some((at, dts))
}

#[cfg(test)]
#[path = "fragment_test.rs"]
mod tests;
