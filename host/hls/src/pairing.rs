//! Assigns the segments of a separate audio rendition to the main segments during which they sound. Pure functions.
//!
//! An audio segment belongs to the first main segment that it overlaps, by programme date-time if both playlists have
//! it, else by accumulated EXTINF. The assignment depends on times only, so it is the same after a restart. Overlaps
//! shorter than [`SLACK_US`] do not count, because audio frames never end exactly with video frames. The exact times
//! are in the media: the pairing only decides with which segment the audio is delivered, and the demux step places it
//! by timestamp.
//!
//! Audio after the end of the last segment before ENDLIST is delivered with that segment. Each audio segment is
//! assigned to exactly one main segment, or it is left out: silently before the start, and reported as
//! [`GapReason::Unpaired`] if its video is missing or was delivered without it.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::GapReason;
use super::media_playlist::{Entry, MediaPlaylist};
use super::window::{Mark, Planned, Step};

/// A few AAC frames and the rounding of EXTINF, in microseconds.
const SLACK_US: i64 = 100_000;
/// Two playlists whose mean segment durations differ by at most this, in per cent, use the same numbers for the same
/// times.
const SAME_GRID_PERCENT: i64 = 10;

/// A main segment with its audio, or a mark in the same order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Paired {
    /// Main segment and audio segments to fetch.
    Segment { main: Box<Planned>, audio: Vec<Planned> },
    /// A gap or an epoch of the main playlist.
    Main(Mark),
    /// A gap or an epoch of the rendition.
    Audio(Mark),
}

/// Waits for the audio of each main segment.
pub(super) struct Pairing {
    main: VecDeque<(Step, Duration)>,
    rendition: Option<Rendition>,
    patience: Duration,
}

struct Rendition {
    queue: VecDeque<Planned>,
    /// Audio for the main segment at the front.
    taken: Vec<Planned>,
    /// The newest listed audio segment, which shows how far the rendition reaches.
    newest: Option<Planned>,
    ended: bool,
    /// Whether a main segment was passed on; earlier audio was then requested.
    begun: bool,
    by_date: bool,
    /// Offset in microseconds from the rendition's clock to the main clock.
    offset_us: i64,
    /// The epochs of main and audio for which the offset is valid.
    epochs: (u64, u64),
}

impl Pairing {
    /// Without a rendition everything is passed on at once.
    pub(super) fn new(main: &MediaPlaylist, audio: Option<&MediaPlaylist>, patience: Duration) -> Self {
        let rendition = audio.map(|audio| Rendition {
            queue: VecDeque::new(),
            taken: Vec::new(),
            newest: None,
            ended: false,
            begun: false,
            by_date: dates_meet(main, audio),
            offset_us: clock_offset(main, audio),
            epochs: (0, 0),
        });
        Self { main: VecDeque::new(), rendition, patience }
    }

    /// Takes the next step of the main playlist.
    pub(super) fn push_main(&mut self, step: Step, now: Duration) {
        self.main.push_back((step, now));
    }

    /// Takes the next step of the rendition; returns gaps and epochs at once.
    pub(super) fn push_audio(&mut self, step: Step) -> Option<Paired> {
        match step {
            Step::Segment(planned) => {
                let rendition = self.rendition.as_mut()?;
                rendition.newest = Some((*planned).clone());
                rendition.queue.push_back(*planned);
                None
            }
            Step::Mark(mark) => Some(Paired::Audio(mark)),
        }
    }

    /// Reports the end of the rendition.
    pub(super) fn end_audio(&mut self) {
        if let Some(rendition) = &mut self.rendition {
            rendition.ended = true;
        }
    }

    /// Called after the last main segment: reports audio without video.
    pub(super) fn rest(&mut self) -> Option<Mark> {
        let rendition = self.rendition.as_mut()?;
        let duration = rendition.queue.iter().map(|planned| planned.entry.duration()).sum();
        let segments = rendition.queue.drain(..).count() as u64;
        (segments > 0).then_some(Mark::Gap { segments, duration, reason: GapReason::Unpaired })
    }

    /// Number of waiting steps of the main playlist.
    pub(super) fn waiting(&self) -> usize {
        self.main.len()
    }

    /// Number of audio segments that wait for their video.
    pub(super) fn audio_waiting(&self) -> usize {
        self.rendition.as_ref().map_or(0, |rendition| rendition.queue.len())
    }

    /// When the front segment stops waiting for its audio.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.rendition.as_ref()?;
        self.main.front().map(|(_, since)| *since + self.patience)
    }

    /// The next item that can be passed on.
    pub(super) fn next(&mut self, now: Duration) -> Option<Paired> {
        let (step, since) = self.main.front()?;
        let (Step::Segment(main), Some(rendition)) = (step, &mut self.rendition) else {
            return self.pass();
        };
        if let Some(lost) = rendition.collect(main) {
            return Some(Paired::Audio(lost));
        }
        let given_up = now >= *since + self.patience;
        if rendition.ended || given_up || rendition.covers(main) { self.pass() } else { None }
    }

    fn pass(&mut self) -> Option<Paired> {
        let (step, _) = self.main.pop_front()?;
        Some(match step {
            Step::Segment(main) => {
                let taken = self.rendition.as_mut().map(|rendition| {
                    rendition.begun = true;
                    std::mem::take(&mut rendition.taken)
                });
                Paired::Segment { main, audio: taken.unwrap_or_default() }
            }
            Step::Mark(mark) => Paired::Main(mark),
        })
    }
}

impl Rendition {
    /// Removes the audio of `main` from the queue; `Some`: audio that is too late for any video.
    fn collect(&mut self, main: &Planned) -> Option<Mark> {
        let mut lost: Option<(u64, Duration)> = None;
        while let Some(head) = self.queue.front() {
            let lag = self.lag(main, head).unwrap_or_else(|| {
                // After a restart of either playlist, the next segments of both belong together.
                self.offset_us = main.clock_us.saturating_sub(head.clock_us);
                self.epochs = (main.epoch, head.epoch);
                0
            });
            let slack = slack(head);
            if lag + slack >= reach(main) {
                break;
            }
            let Some(head) = self.queue.pop_front() else { break };
            if lag + head.entry.duration_us > slack {
                self.taken.push(head);
            } else if self.begun {
                let (segments, duration) = lost.get_or_insert_default();
                *segments += 1;
                *duration += head.entry.duration();
            }
        }
        lost.map(|(segments, duration)| Mark::Gap { segments, duration, reason: GapReason::Unpaired })
    }

    /// Whether all audio of `main` is listed.
    fn covers(&self, main: &Planned) -> bool {
        if main.last {
            return self.ended;
        }
        if !self.queue.is_empty() {
            return true;
        }
        let Some(newest) = &self.newest else { return false };
        let end = self.lag(main, newest).map(|lag| lag + newest.entry.duration_us + slack(newest));
        end.is_some_and(|end| end >= main.entry.duration_us)
    }

    /// How far `audio` starts after `main`, in microseconds; `None`: their clocks cannot be compared.
    fn lag(&self, main: &Planned, audio: &Planned) -> Option<i64> {
        if self.by_date
            && let (Some(picture), Some(sound)) = (main.entry.time_us, audio.entry.time_us)
        {
            return Some(sound.saturating_sub(picture));
        }
        let lag = audio.clock_us.saturating_add(self.offset_us).saturating_sub(main.clock_us);
        (self.epochs == (main.epoch, audio.epoch)).then_some(lag)
    }
}

/// Audio that starts before this time is delivered with `main`; with the last segment, all that is left.
fn reach(main: &Planned) -> i64 {
    if main.last { i64::MAX } else { main.entry.duration_us }
}

fn slack(audio: &Planned) -> i64 {
    (audio.entry.duration_us / 4).min(SLACK_US)
}

/// Whether the date-times of both playlists use the same clock: their ranges must overlap.
fn dates_meet(main: &MediaPlaylist, audio: &MediaPlaylist) -> bool {
    let stretch = |playlist: &MediaPlaylist| {
        let end = |entry: &Entry| entry.time_us.map(|time| time.saturating_add(entry.duration_us));
        Some((playlist.entries.first()?.time_us?, end(playlist.entries.last()?)?))
    };
    match (stretch(main), stretch(audio)) {
        (Some(main), Some(audio)) => main.0 < audio.1 && audio.0 < main.1,
        // A stream that has not started: nothing contradicts the dates.
        _ => main.entries.is_empty() || audio.entries.is_empty(),
    }
}

/// The offset between the clocks of two playlists that were loaded together. Both clocks are zero at the first entry.
fn clock_offset(main: &MediaPlaylist, audio: &MediaPlaylist) -> i64 {
    let length = |entries: &[Entry]| entries.iter().map(|entry| entry.duration_us).sum::<i64>();
    let (main_length, audio_length) = (length(&main.entries), length(&audio.entries));
    let numbered = main.numbered && audio.numbered;
    let both_from_their_beginning = main.ended || (numbered && main.media_sequence == 0 && audio.media_sequence == 0);
    if both_from_their_beginning {
        return 0;
    }
    let mean = |length: i64, entries: &[Entry]| length / i64::try_from(entries.len().max(1)).unwrap_or(1);
    let (main_mean, audio_mean) = (mean(main_length, &main.entries), mean(audio_length, &audio.entries));
    if numbered && (main_mean - audio_mean).abs() * 100 <= main_mean * SAME_GRID_PERCENT {
        let until = |playlist: &MediaPlaylist, sequence: u64| {
            let count = usize::try_from(sequence.checked_sub(playlist.media_sequence)?).ok()?;
            playlist.entries.get(..count).map(length)
        };
        let first = main.media_sequence.max(audio.media_sequence);
        if let (Some(main), Some(audio)) = (until(main, first), until(audio, first)) {
            return main - audio;
        }
    }
    // Other segment durations, so other numbers: both playlists end at the live edge.
    main_length - audio_length
}

#[cfg(test)]
#[path = "pairing_test.rs"]
mod tests;
