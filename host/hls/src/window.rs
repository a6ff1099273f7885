//! Which segments of a reloaded playlist are new, which are missing, and whether the playlist restarted. Pure:
//! playlists and a clock reading in, steps out.
//!
//! `place` describes how segments are recognised.
//!
//! A playlist whose entries all lie before the last known segment is either an old copy (a cache, a slower edge) or a
//! restart. If its dates lie after ours, it is a restart. If its segments are unknown, it counts as a restart when a
//! second load agrees. If all its segments are known, it counts as a restart only after it has changed on its own for
//! [`OLD_COPY_TARGETS`]: repeating media would be worse than starting some seconds later, and the restarted playlist
//! still lists its beginning then.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::align::align;
use super::config::Resume;
use super::event::{EpochReason, GapReason};
use super::media_playlist::{Entry, MediaPlaylist};
use super::place::{Known, Place, by_time, micros, offset, same_address, same_copy, same_listing};
use crate::limits::{
    CATCH_UP_TARGETS, CUES_PER_SEGMENT_MAX, DATERANGES_KNOWN_MAX, EDGE_SEGMENTS_PER_TARGET, LIVE_EDGE_TARGETS,
    OLD_COPY_TARGETS, RENUMBERED_MAX, SEGMENTS_KNOWN_MAX,
};
use outboard_media::segment::Cue;

/// How far numbers may run ahead over a restart of ours, whose duration is unknown.
const RESUME_AWAY: Duration = Duration::from_secs(24 * 3600);

/// An origin that seems to restart this many times in a row while its numbers continue uses new names in every
/// response. From then on, number and duration together are trusted, because repeating its segments without end would
/// be worse.
const RENAMED_MAX: u32 = 3;

/// Where to start in the first playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// As in EXT-X-START, else three target durations before the end, or at the beginning if ENDLIST is present.
    LiveEdge,
    /// This many segments before the end, whatever the playlist contains; with ENDLIST like
    /// [`LiveEdge`](Self::LiveEdge).
    Behind(u32),
    /// At the beginning (for an audio rendition: audio before the video is removed later).
    Beginning,
}

/// A new item of a playlist, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A segment that was not seen before.
    Segment(Box<Planned>),
    /// A mark between segments, such as a gap or a new epoch.
    Mark(Mark),
}

/// A mark between segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// Segments that will not be delivered.
    Gap { segments: u64, duration: Duration, reason: GapReason },
    /// Number of the epoch and why it began.
    Epoch { number: u64, reason: EpochReason },
}

/// A segment to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    /// The entry of the playlist.
    pub(super) entry: Entry,
    /// Whether a tag, gap or epoch stands before it.
    pub(super) discontinuity: bool,
    /// Its epoch, from 0.
    pub(super) epoch: u64,
    /// Start in microseconds on this playlist's own clock: accumulated EXTINF since the first entry that was seen.
    pub(super) clock_us: i64,
    /// Whether ENDLIST follows it.
    pub(super) last: bool,
}

/// A playlist before the last known segment that is not accepted yet.
#[derive(Debug, Clone, Copy)]
struct Suspicion {
    since: Duration,
    last_sequence: u64,
}

/// The state of one playlist.
pub(super) struct Window {
    start: Start,
    known: VecDeque<Known>,
    epoch: u64,
    clock_us: i64,
    /// Whether continuity breaks before the next segment.
    broken: bool,
    /// Whether a segment was planned, in this run or the previous one.
    begun: bool,
    /// Whether the origin changed since the last update.
    moved: bool,
    suspicion: Option<Suspicion>,
    located_at: Option<Duration>,
    /// Consecutive restarts whose numbers continued.
    renamed: u32,
    /// Consecutive reloads that listed known segments under other numbers; above [`RENUMBERED_MAX`], numbers are
    /// ignored.
    renumbered: u32,
    /// Number of the first entry of the last playlist, after [`align`].
    first_listed: u64,
    ranges_seen: VecDeque<u64>,
    /// Whether media that accumulated before the live edge is skipped.
    catch_up: bool,
}

impl Window {
    /// A window before its first playlist; with `resume`, it continues after that segment.
    pub(super) fn new(start: Start, resume: Option<&Resume>) -> Self {
        Self {
            start,
            begun: resume.is_some(),
            known: resume.into_iter().map(Known::from).collect(),
            epoch: 0,
            clock_us: 0,
            broken: false,
            moved: false,
            suspicion: None,
            located_at: None,
            renamed: 0,
            renumbered: 0,
            first_listed: 0,
            ranges_seen: VecDeque::new(),
            catch_up: false,
        }
    }

    /// Sets whether media that accumulated during an outage of ours is skipped.
    pub(super) fn catching_up(self, catch_up: bool) -> Self {
        Self { catch_up, ..self }
    }

    /// Reports that the next playlist comes from another origin: numbers cannot be compared, and the next segment is
    /// discontinuous.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }

    /// Whether the last playlist lay before the last known segment and nothing was taken from it yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.suspicion.is_some()
    }

    /// Number of epochs so far.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Number of the first entry of the last playlist.
    pub(super) fn first_listed(&self) -> u64 {
        self.first_listed
    }

    /// Processes a playlist. `now` is a monotonic reading; only differences count.
    pub(super) fn update(&mut self, playlist: &MediaPlaylist, now: Duration) -> Vec<Step> {
        let numbered = playlist.numbered && self.renumbered < RENUMBERED_MAX;
        let aligned = (!numbered && !playlist.entries.is_empty()).then(|| align(&self.known, playlist));
        let foreign = aligned.as_ref().is_some_and(|aligned| aligned.foreign);
        let playlist = aligned.as_ref().map_or(playlist, |aligned| &aligned.playlist);
        let place = if foreign { Some(Place::epoch(0, EpochReason::Replaced)) } else { self.place(playlist, now) };
        let Some(place) = place else { return Vec::new() };
        self.first_listed = playlist.media_sequence;
        if numbered {
            match place.epoch {
                Some(EpochReason::Renumbered) => self.renumbered += 1,
                // A new segment under the expected number.
                None if place.index < playlist.entries.len() => self.renumbered = 0,
                _ => {}
            }
        }
        self.suspicion = None;
        let first = self.located_at.replace(now).is_none();
        let mut steps = Vec::new();
        let reason = place.epoch.or(self.moved.then_some(EpochReason::Moved));
        self.moved = false;
        if let Some(reason) = reason {
            self.epoch += 1;
            self.broken = true;
            steps.push(Step::Mark(Mark::Epoch { number: self.epoch, reason }));
        }
        if let Some((segments, duration)) = place.gap {
            self.broken = true;
            self.clock_us = self.clock_us.saturating_add(micros(duration));
            steps.push(Step::Mark(Mark::Gap { segments, duration, reason: GapReason::Missed }));
        }
        let from = self.live_again(playlist, place.index, &mut steps);
        let (old, new) = playlist.entries.split_at_checked(from).unwrap_or((&playlist.entries, &[]));
        if first {
            // The clock is zero at the first listed entry, so that it can be compared with a rendition's clock.
            self.clock_us = old.iter().map(|entry| entry.duration_us).sum();
        }
        let mut carried = self.unseen_ranges(old, first);
        for entry in new {
            self.take(entry, &mut carried, &mut steps);
        }
        if let (true, Some(Step::Segment(planned))) = (playlist.ended, steps.last_mut()) {
            planned.last = true;
        }
        self.remember(playlist, reason.is_some());
        steps
    }

    /// Where to continue to be live, after reading up to `index`: there, unless more than [`CATCH_UP_TARGETS`] target
    /// durations have accumulated before the position where a new stream would start.
    fn live_again(&mut self, playlist: &MediaPlaylist, index: usize, steps: &mut Vec<Step>) -> usize {
        if !self.catch_up || !self.begun || playlist.ended {
            return index;
        }
        let edge = self.first_index(playlist);
        let piled = playlist.entries.get(index..edge).unwrap_or_default();
        let duration: Duration = piled.iter().map(Entry::duration).sum();
        if duration <= playlist.target.saturating_mul(CATCH_UP_TARGETS) {
            return index;
        }
        self.broken = true;
        self.clock_us = self.clock_us.saturating_add(micros(duration));
        steps.push(Step::Mark(Mark::Gap { segments: piled.len() as u64, duration, reason: GapReason::Behind }));
        edge
    }

    fn take(&mut self, entry: &Entry, carried: &mut Vec<Cue>, steps: &mut Vec<Step>) {
        let clock_us = self.clock_us;
        self.clock_us = clock_us.saturating_add(entry.duration_us);
        if entry.gap {
            self.broken = true;
            match steps.last_mut() {
                Some(Step::Mark(Mark::Gap { segments, duration, reason: GapReason::Marked })) => {
                    *segments += 1;
                    *duration += entry.duration();
                }
                _ => {
                    let duration = entry.duration();
                    steps.push(Step::Mark(Mark::Gap { segments: 1, duration, reason: GapReason::Marked }));
                }
            }
            return;
        }
        let mut entry = entry.clone();
        let own = std::mem::take(&mut entry.cues).into_iter().filter(|cue| !is_range(cue) || self.first_seen(cue));
        entry.cues = carried.drain(..).chain(own).take(CUES_PER_SEGMENT_MAX).collect();
        let discontinuity = self.begun && (self.broken || entry.discontinuity);
        (self.broken, self.begun) = (false, true);
        steps.push(Step::Segment(Box::new(Planned { entry, discontinuity, epoch: self.epoch, clock_us, last: false })));
    }

    /// Finds where to continue; `None`: nothing can be taken from this playlist yet.
    fn place(&mut self, playlist: &MediaPlaylist, now: Duration) -> Option<Place> {
        let entries = &playlist.entries;
        let end = entries.last()?.sequence;
        let Some(last) = self.known.back().cloned() else {
            return Some(Place::at(self.first_index(playlist)));
        };
        let same_number = offset(playlist, last.sequence).and_then(|index| Some((index, entries.get(index)?)));
        if let Some((index, entry)) = same_number {
            if same_listing(&last, entry) {
                self.renamed = 0;
                return Some(Place::at(index + 1));
            }
            if self.renamed >= RENAMED_MAX && last.duration_us == entry.duration_us {
                return Some(Place::at(index + 1));
            }
        }
        if let Some(place) = by_time(&last, playlist) {
            return Some(place);
        }
        let datable = last.time_us.is_some() && entries.iter().any(|entry| entry.time_us.is_some());
        if !datable && let Some(index) = entries.iter().rposition(|entry| same_address(&last, entry)) {
            return Some(Place::epoch(index + 1, EpochReason::Renumbered));
        }
        if self.moved && !datable {
            return Some(Place::epoch(self.first_index(playlist), EpochReason::Moved));
        }
        if let Some(missing) = playlist.media_sequence.checked_sub(last.sequence.saturating_add(1))
            && !datable
        {
            if missing == 0 {
                return Some(Place::at(0));
            }
            if !self.explicable(missing, playlist, now) {
                return Some(Place::epoch(self.first_index(playlist), EpochReason::Jumped));
            }
            let duration = playlist.target.saturating_mul(u32::try_from(missing).unwrap_or(u32::MAX));
            return Some(Place { index: 0, gap: Some((missing, duration)), epoch: None });
        }
        let oldest = self.known.front().map_or(0, |known| known.sequence);
        // The byte range is compared first, because a playlist may list tens of thousands of unknown segments.
        let known = |entry: &Entry| {
            let listed = |known: &Known| known.sequence == entry.sequence && same_copy(known, entry);
            (oldest..=last.sequence).contains(&entry.sequence) && self.known.iter().any(listed)
        };
        let latest_known = entries.iter().rposition(known);
        let differs = entries.iter().any(|entry| (oldest..=last.sequence).contains(&entry.sequence) && !known(entry));
        if let (Some(index), true, false) = (latest_known, differs, datable) {
            return Some(Place::epoch(index + 1, EpochReason::Replaced));
        }
        let familiar = datable || (latest_known.is_some() && !differs);
        if !self.believe(playlist.target, familiar, end, now) {
            return None;
        }
        self.renamed += u32::from(same_number.is_some());
        Some(Place::epoch(self.first_index(playlist), EpochReason::Restarted))
    }

    /// Whether a playlist before the last known segment counts as a restart by now.
    fn believe(&mut self, target: Duration, familiar: bool, last_sequence: u64, now: Duration) -> bool {
        let Some(suspicion) = self.suspicion else {
            self.suspicion = Some(Suspicion { since: now, last_sequence });
            return false;
        };
        let waited = now.saturating_sub(suspicion.since) >= target.saturating_mul(OLD_COPY_TARGETS);
        !familiar || (waited && last_sequence != suspicion.last_sequence)
    }

    /// Whether this many segments can have passed since the place was last known.
    fn explicable(&self, missing: u64, playlist: &MediaPlaylist, now: Duration) -> bool {
        let away = self.located_at.map_or(RESUME_AWAY, |at| now.saturating_sub(at));
        // Segments may be much shorter than the target duration; four times as many are accepted.
        let quickest = (playlist.target / 4).max(Duration::from_millis(1));
        let passed = away.as_millis() / quickest.as_millis().max(1);
        u128::from(missing) <= passed + 2 * playlist.entries.len() as u128 + 8
    }

    fn first_index(&self, playlist: &MediaPlaylist) -> usize {
        match self.start {
            Start::Beginning => return 0,
            Start::Behind(segments) if !playlist.ended => {
                let segments = usize::try_from(segments.max(1)).unwrap_or(usize::MAX);
                return playlist.entries.len().saturating_sub(segments);
            }
            Start::Behind(_) | Start::LiveEdge => {}
        }
        if let Some(offset) = playlist.start_us {
            return index_at(&playlist.entries, offset);
        }
        if playlist.ended {
            return 0;
        }
        let edge = micros(playlist.target).saturating_mul(LIVE_EDGE_TARGETS.into());
        // EXTINF may be wrong: a playlist of an hour whose segments say 1 ms is not begun an hour ago.
        let least = micros(playlist.target / EDGE_SEGMENTS_PER_TARGET);
        let mut behind = 0_i64;
        for (index, entry) in playlist.entries.iter().enumerate().rev() {
            behind = behind.saturating_add(entry.duration_us.max(least));
            if behind >= edge {
                return index;
            }
        }
        0
    }

    fn remember(&mut self, playlist: &MediaPlaylist, anew: bool) {
        if anew || self.known.back().is_none_or(|last| last.sequence < playlist.media_sequence) {
            self.known.clear();
        }
        self.known.retain(|known| known.sequence < playlist.media_sequence);
        self.known.extend(playlist.entries.iter().map(Known::from));
        let excess = self.known.len().saturating_sub(SEGMENTS_KNOWN_MAX);
        self.known.drain(..excess);
    }

    /// DATERANGE tags that some packagers keep at the top of the playlist, before segments that are already known.
    fn unseen_ranges(&mut self, old: &[Entry], first: bool) -> Vec<Cue> {
        // When joining a running stream, only those at the very top are current.
        let listed = if first { old.get(..1).unwrap_or_default() } else { old };
        let cues: Vec<Cue> = listed.iter().flat_map(|entry| &entry.cues).filter(|cue| is_range(cue)).cloned().collect();
        let unseen = cues.into_iter().filter(|cue| self.first_seen(cue)).collect();
        if first {
            let history: Vec<Cue> =
                old.iter().flat_map(|entry| &entry.cues).filter(|cue| is_range(cue)).cloned().collect();
            for cue in &history {
                let _ = self.first_seen(cue);
            }
        }
        unseen
    }

    fn first_seen(&mut self, cue: &Cue) -> bool {
        let mut hasher = DefaultHasher::new();
        if let Cue::Other(text) = cue {
            text.hash(&mut hasher);
        }
        let hash = hasher.finish();
        if self.ranges_seen.contains(&hash) {
            return false;
        }
        if self.ranges_seen.len() == DATERANGES_KNOWN_MAX {
            self.ranges_seen.pop_front();
        }
        self.ranges_seen.push_back(hash);
        true
    }
}

/// The entry at this time: from the start of the playlist, or from its end if negative (EXT-X-START). Clamped to the
/// first and last entry.
fn index_at(entries: &[Entry], offset_us: i64) -> usize {
    let length: i64 = entries.iter().map(|entry| entry.duration_us).sum();
    let at = if offset_us < 0 { length.saturating_add(offset_us).max(0) } else { offset_us };
    let mut end = 0_i64;
    let over = |entry: &Entry| {
        end = end.saturating_add(entry.duration_us);
        end > at
    };
    entries.iter().position(over).unwrap_or(entries.len().saturating_sub(1))
}

fn is_range(cue: &Cue) -> bool {
    matches!(cue, Cue::Other(text) if text.starts_with("EXT-X-DATERANGE"))
}

#[cfg(test)]
#[path = "window_test.rs"]
mod tests;
