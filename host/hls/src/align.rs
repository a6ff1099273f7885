//! Assigns numbers to playlists without usable sequence numbers, from the segments that the known and the new listing
//! have in common. Pure functions.

use std::collections::{HashMap, VecDeque};

use super::media_playlist::{Entry, MediaPlaylist};
use super::place::{Known, path, same_instant};

/// Number of known segments that are searched by date, newest first.
const BY_DATE: usize = 8;
/// Number of preceding segments that are compared when a URL is listed several times.
const RUN: usize = 64;

/// A playlist whose numbers continue the known ones.
pub(super) struct Aligned {
    pub(super) playlist: MediaPlaylist,
    /// Whether no entry is known and no date shows where the playlist belongs.
    pub(super) foreign: bool,
}

/// Numbers the entries so that a known segment keeps its number. If none is known, the numbers continue after the last
/// known one.
pub(super) fn align(known: &VecDeque<Known>, playlist: &MediaPlaylist) -> Aligned {
    let mut playlist = playlist.clone();
    let Some(last) = known.back() else { return Aligned { playlist, foreign: false } };
    let entries = &playlist.entries;
    let found = by_date(known, entries)
        .or_else(|| by_address(known, entries, &|uri| uri))
        .or_else(|| by_address(known, entries, &path));
    let datable = last.time_us.is_some() && entries.iter().any(|entry| entry.time_us.is_some());
    let foreign = found.is_none() && !datable;
    let first = found.unwrap_or_else(|| last.sequence.saturating_add(1).saturating_add(missing(last, entries)));
    playlist.media_sequence = first;
    for (sequence, entry) in (first..).zip(&mut playlist.entries) {
        entry.sequence = sequence;
    }
    Aligned { playlist, foreign }
}

fn by_date(known: &VecDeque<Known>, entries: &[Entry]) -> Option<u64> {
    known.iter().rev().take(BY_DATE).find_map(|known| {
        let index = entries.iter().rposition(|entry| same_instant(known, entry))?;
        first_number(known, index)
    })
}

/// Finds a known segment by URL and byte range, newest first; `part` selects the relevant part of a URL.
fn by_address<'a>(known: &'a VecDeque<Known>, entries: &'a [Entry], part: &dyn Fn(&'a str) -> &'a str) -> Option<u64> {
    let mut listed: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        listed.entry((part(entry.uri.as_str()), entry.range)).or_default().push(index);
    }
    let id = |known: &'a Known| (part(known.uri.as_str()), known.range);
    known.iter().enumerate().rev().find_map(|(place, last)| {
        let indices = listed.get(&id(last))?;
        // For a URL that is listed repeatedly, the preceding segments show which one is meant.
        let run = |index: usize| {
            let before = known.iter().take(place).rev().zip(entries.iter().take(index).rev()).take(RUN);
            before.take_while(|&(known, entry)| id(known) == (part(entry.uri.as_str()), entry.range)).count()
        };
        let index = *indices.iter().max_by_key(|index| run(**index))?;
        first_number(last, index)
    })
}

fn first_number(known: &Known, index: usize) -> Option<u64> {
    known.sequence.checked_sub(index as u64)
}

/// Number of segments between the last known one and the first entry, by date.
fn missing(last: &Known, entries: &[Entry]) -> u64 {
    let hole = || {
        let first = entries.first()?;
        let end = last.time_us?.saturating_add(last.duration_us);
        let hole = first.time_us?.saturating_sub(end);
        let length = first.duration_us.max(1);
        u64::try_from(hole.saturating_add(length / 2) / length).ok()
    };
    hole().unwrap_or_default()
}
