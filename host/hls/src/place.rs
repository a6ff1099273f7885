//! Finds where to continue in a playlist, by recognising segments over reloads, restarts and other origins. Pure
//! functions.
//!
//! A segment is recognised by its programme date-time first, then by URL and byte range; its number alone proves
//! nothing. Two listings under the same number are the same segment if
//! - both have a time and the times agree to half a segment, or
//! - the times do not contradict each other by more than a segment, the byte range is equal, and so is the URL, or its
//!   path (a token in the query was renewed), or its last path segment (a token in the path, another edge host).
//!
//! Under another number, only the time or the whole URL with its range counts.

use std::time::Duration;

use super::config::Resume;
use super::event::EpochReason;
use super::media_playlist::{Entry, MediaPlaylist};

/// Maximum difference in microseconds between two times of the same instant, for rounding.
const SAME_INSTANT_US: i64 = 250_000;

/// A listed segment, remembered to recognize it in later playlists.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) sequence: u64,
    pub(super) uri: String,
    pub(super) range: Option<(u64, u64)>,
    pub(super) duration_us: i64,
    pub(super) time_us: Option<i64>,
}

impl From<&Entry> for Known {
    fn from(entry: &Entry) -> Self {
        Self {
            sequence: entry.sequence,
            uri: entry.uri.as_str().to_owned(),
            range: entry.range,
            duration_us: entry.duration_us,
            time_us: entry.time_us,
        }
    }
}

impl From<&Resume> for Known {
    fn from(last: &Resume) -> Self {
        Self {
            sequence: last.media_sequence,
            uri: last.identity.uri.clone(),
            range: last.identity.range,
            duration_us: micros(last.duration),
            time_us: last.identity.program_date_time_us,
        }
    }
}

/// Where to continue in a playlist.
pub(super) struct Place {
    pub(super) index: usize,
    pub(super) gap: Option<(u64, Duration)>,
    pub(super) epoch: Option<EpochReason>,
}

impl Place {
    pub(super) fn at(index: usize) -> Self {
        Self { index, gap: None, epoch: None }
    }

    pub(super) fn epoch(index: usize, reason: EpochReason) -> Self {
        Self { index, gap: None, epoch: Some(reason) }
    }
}

/// Finds the place by programme date-time, if both sides have one.
pub(super) fn by_time(last: &Known, playlist: &MediaPlaylist) -> Option<Place> {
    let start = last.time_us?;
    let close = (last.duration_us / 2).clamp(1, SAME_INSTANT_US);
    let entries = &playlist.entries;
    let is_last = |entry: &Entry| entry.time_us.is_some_and(|time| time.abs_diff(start) <= close.unsigned_abs());
    if let Some(index) = entries.iter().rposition(is_last) {
        return Some(Place::epoch(index + 1, EpochReason::Renumbered));
    }
    let end = start.saturating_add(last.duration_us);
    // The dates of a playlist may be carried on by EXTINF, and EXTINF may be too short.
    let next = last.sequence.checked_add(1).and_then(|next| offset(playlist, next));
    let within = |time: i64| time > start.saturating_add(close) && time <= end.saturating_add(close);
    if let Some(index) = next
        && entries.get(index).and_then(|entry| entry.time_us).is_some_and(within)
    {
        return Some(Place::at(index));
    }
    let follows = |entry: &Entry| entry.time_us.is_some_and(|time| time >= end - close);
    let index = entries.iter().position(follows)?;
    let entry = entries.get(index)?;
    let expected = last.sequence.saturating_add(1);
    if entry.sequence == expected {
        return Some(Place::at(index));
    }
    if index > 0 {
        return Some(Place::epoch(index, EpochReason::Replaced));
    }
    let Some(missing) = entry.sequence.checked_sub(expected) else {
        return Some(Place::epoch(0, EpochReason::Restarted));
    };
    let hole = Duration::from_micros(entry.time_us?.saturating_sub(end).max(0).unsigned_abs());
    let quickest = (playlist.target / 4).max(Duration::from_millis(1));
    let fits = u128::from(missing) <= hole.as_millis() / quickest.as_millis().max(1) + 1;
    Some(match hole.as_micros() > u128::from(close.unsigned_abs()) {
        true if fits => Place { index: 0, gap: Some((missing, hole)), epoch: None },
        true => Place::epoch(0, EpochReason::Jumped),
        false => Place::epoch(0, EpochReason::Renumbered),
    })
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(super) fn offset(playlist: &MediaPlaylist, sequence: u64) -> Option<usize> {
    usize::try_from(sequence.checked_sub(playlist.media_sequence)?).ok()
}

/// Whether this is the same segment under the same number.
pub(super) fn same_listing(known: &Known, entry: &Entry) -> bool {
    let apart = known.time_us.zip(entry.time_us).map(|(ours, theirs)| ours.abs_diff(theirs));
    let close = (entry.duration_us / 2).unsigned_abs().min(SAME_INSTANT_US.unsigned_abs());
    match apart {
        Some(apart) if apart <= close => return true,
        Some(apart) if apart > entry.duration_us.unsigned_abs() => return false,
        _ => {}
    }
    known.range == entry.range && last_part(&known.uri) == last_part(entry.uri.as_str())
}

/// Whether this is the same listing in an older copy of the playlist: only host and query may differ.
pub(super) fn same_copy(known: &Known, entry: &Entry) -> bool {
    let dates_agree =
        known.time_us.zip(entry.time_us).is_none_or(|(a, b)| a.abs_diff(b) <= SAME_INSTANT_US.unsigned_abs());
    dates_agree
        && known.range == entry.range
        && known.duration_us == entry.duration_us
        && path(&known.uri) == path(entry.uri.as_str())
}

/// Whether both have a date, and it is the same.
pub(super) fn same_instant(known: &Known, entry: &Entry) -> bool {
    let close = (known.duration_us / 2).clamp(1, SAME_INSTANT_US);
    known.time_us.zip(entry.time_us).is_some_and(|(a, b)| a.abs_diff(b) <= close.unsigned_abs())
}

/// Whether this is the same segment under any number, without dates.
pub(super) fn same_address(known: &Known, entry: &Entry) -> bool {
    known.range == entry.range && known.uri == entry.uri.as_str()
}

/// The path of a URL, without scheme, host and query.
pub(super) fn path(uri: &str) -> &str {
    let uri = uri.split('?').next().unwrap_or(uri);
    let after_scheme = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    after_scheme.split_once('/').map_or("", |(_, path)| path)
}

fn last_part(uri: &str) -> &str {
    path(uri).rsplit('/').next().unwrap_or_default()
}
