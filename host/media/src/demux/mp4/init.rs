//! Reads `moov` boxes (ISO/IEC 14496-12 section 8.2): tracks with their time scales, edit lists and defaults.

use super::super::event::TICKS_PER_SECOND;
use super::entry::Entry;
use crate::limits::DEMUX_STREAMS_MAX;
use crate::probe::boxes::{Boxes, child, number32, number64};

/// A track that `moov` announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// track_ID from the track's `tkhd` box.
    pub id: u32,
    /// Time scale of the track in ticks per second, from `mdhd`.
    pub scale: u32,
    /// Language from `mdhd`, as an ISO 639-2 code such as `deu`; `None` for `und`.
    pub language: Option<String>,
    /// Sample entries in the order of `stsd`.
    pub entries: Vec<Entry>,
    /// From the edit list (section 8.6.6): the media time that is shown first, in the track's ticks, and the length of
    /// the empty edits before it, in ticks of 90 kHz.
    pub edit: (i64, i64),
    /// Defaults for samples, from `trex`.
    pub defaults: Defaults,
}

/// Defaults for samples where a fragment has no values of its own (section 8.8.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    /// default_sample_description_index: the index of the sample entry, counted from 1.
    pub entry: u32,
    /// default_sample_duration: duration of a sample in the track's ticks.
    pub duration: u32,
    /// default_sample_size: size of a sample in bytes.
    pub size: u32,
    /// default_sample_flags: flags of a sample (ISO/IEC 14496-12 section 8.8.3.1).
    pub flags: u32,
}

/// Reads the tracks from the content of a `moov` box; incomplete tracks are left out.
pub fn tracks(moov: &[u8]) -> Vec<Track> {
    let movie_scale = child(moov, b"mvhd").and_then(scale).unwrap_or(1000);
    let extends = child(moov, b"mvex").unwrap_or_default();
    let track = |trak: &[u8]| {
        let header = child(trak, b"tkhd")?;
        let id = number32(header.get(if header.first() == Some(&1) { 20 } else { 12 }..)?)?;
        let media = child(trak, b"mdia")?;
        let header = child(media, b"mdhd")?;
        let list = child(trak, b"edts").and_then(|edts| child(edts, b"elst"));
        let table = child(child(media, b"minf")?, b"stbl")?;
        Some(Track {
            id,
            scale: scale(header).filter(|scale| *scale > 0)?,
            language: language(header),
            entries: Entry::all(child(table, b"stsd")?),
            edit: list.and_then(|list| edit(list, movie_scale)).unwrap_or_default(),
            defaults: defaults(extends, id).unwrap_or(Defaults { entry: 1, ..Defaults::default() }),
        })
    };
    let traks = Boxes::of(moov).filter(|found| &found.name == b"trak");
    traks.filter_map(|found| track(found.body)).take(DEMUX_STREAMS_MAX).collect()
}

/// Reads the timescale from an `mvhd` or `mdhd` box.
fn scale(header: &[u8]) -> Option<u32> {
    number32(header.get(if header.first() == Some(&1) { 20 } else { 12 }..)?)
}

/// Reads the language: three letters of five bits each (section 8.4.2.3).
fn language(mdhd: &[u8]) -> Option<String> {
    let at = if mdhd.first() == Some(&1) { 32 } else { 20 };
    let code = u16::from_be_bytes(*mdhd.get(at..)?.first_chunk()?);
    let letters = [10, 5, 0].map(|shift| 0x60 + (code >> shift & 0x1f) as u8);
    let text = String::from_utf8(letters.to_vec()).ok()?;
    (text != "und" && text.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(text)
}

fn edit(list: &[u8], movie_scale: u32) -> Option<(i64, i64)> {
    let long = list.first() == Some(&1);
    let mut empty = 0_i64;
    for entry in list.get(8..)?.chunks_exact(if long { 20 } else { 12 }) {
        let (duration, time) = if long {
            (number64(entry)?, number64(entry.get(8..)?)?.cast_signed())
        } else {
            (number32(entry)?.into(), number32(entry.get(4..)?)?.cast_signed().into())
        };
        if time >= 0 {
            return Some((time, empty));
        }
        empty = empty.saturating_add(ticks(i64::try_from(duration).unwrap_or_default(), movie_scale));
    }
    Some((0, empty))
}

fn defaults(extends: &[u8], id: u32) -> Option<Defaults> {
    let of = |found: &crate::probe::boxes::Box<'_>| &found.name == b"trex" && field(found.body, 4) == Some(id);
    let found = Boxes::of(extends).find(of)?;
    Some(Defaults {
        entry: field(found.body, 8)?,
        duration: field(found.body, 12)?,
        size: field(found.body, 16)?,
        flags: field(found.body, 20)?,
    })
}

/// Reads the 32 bits at this byte of a box.
pub fn field(body: &[u8], at: usize) -> Option<u32> {
    number32(body.get(at..)?)
}

/// Converts a time to ticks of 90 kHz, rounded to the nearest.
pub fn ticks(time: i64, scale: u32) -> i64 {
    let scale = i128::from(scale.max(1));
    let ticks = (i128::from(time) * i128::from(TICKS_PER_SECOND) * 2 + scale).div_euclid(scale * 2);
    i64::try_from(ticks)
        .unwrap_or(if ticks < 0 { i64::MIN / 4 } else { i64::MAX / 4 })
        .clamp(i64::MIN / 4, i64::MAX / 4)
}
