//! Puts the segments of a separate audio rendition to the main segments that they sound under. Pure.
//!
//! An audio segment belongs to the first main segment that it overlaps, by programme date-time where both playlists have
//! it, else by EXTINF added up. Which segment that is follows from times alone, so a restart pairs the same way. Overlaps
//! shorter than [`SLACK_US`] do not count: audio frames never end where pictures do. The exact times are in the media; the
//! pairing only decides with which segment the sound travels, and the demux step puts it in place by timestamp.
//!
//! With the last segment before ENDLIST travels whatever sounds on after it. Each audio segment goes to exactly one main segment, or is reported: before the start (not an event: nobody asked for
//! it), or [`GapReason::Unpaired`] where its picture is missing or went ahead without it.

use std::collections::VecDeque;
use std::time::Duration;

use super::event::GapReason;
use super::playlist::{Entry, MediaPlaylist};
use super::window::{Mark, Planned, Step};

/// A few AAC frames and the rounding of EXTINF.
const SLACK_US: i64 = 100_000;
/// Playlists whose mean segment lengths are this close (in percent) number the same instants.
const SAME_GRID_PERCENT: i64 = 10;

/// A main segment with the sound that belongs to it, or whatever else goes on in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Paired {
    /// Both are to be fetched.
    Segment { main: Box<Planned>, audio: Vec<Planned> },
    /// A gap or an epoch of the main playlist.
    Main(Mark),
    /// A gap or an epoch of the rendition.
    Audio(Mark),
}

/// Waits for the sound of each main segment.
pub(super) struct Pairing {
    main: VecDeque<(Step, Duration)>,
    rendition: Option<Rendition>,
    patience: Duration,
}

struct Rendition {
    queue: VecDeque<Planned>,
    /// Taken for the main segment at the front.
    taken: Vec<Planned>,
    /// The newest audio segment that was listed, to know how far the rendition reaches.
    newest: Option<Planned>,
    ended: bool,
    /// A main segment was passed on: earlier sound was asked for.
    begun: bool,
    by_date: bool,
    /// Added to the rendition's clock it gives the main clock,
    offset_us: i64,
    /// in these epochs of main and audio.
    epochs: (u64, u64),
}

impl Pairing {
    /// Without a rendition everything passes at once.
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

    /// Takes the next step of the rendition; gaps and epochs come back at once.
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

    /// No more sound will come.
    pub(super) fn end_audio(&mut self) {
        if let Some(rendition) = &mut self.rendition {
            rendition.ended = true;
        }
    }

    /// After the last main segment: sound that had no picture.
    pub(super) fn rest(&mut self) -> Option<Mark> {
        let rendition = self.rendition.as_mut()?;
        let duration = rendition.queue.iter().map(|planned| planned.entry.duration()).sum();
        let segments = rendition.queue.drain(..).count() as u64;
        (segments > 0).then_some(Mark::Gap { segments, duration, reason: GapReason::Unpaired })
    }

    /// Steps of the main playlist that wait.
    pub(super) fn waiting(&self) -> usize {
        self.main.len()
    }

    /// Audio segments that wait for their picture.
    pub(super) fn audio_waiting(&self) -> usize {
        self.rendition.as_ref().map_or(0, |rendition| rendition.queue.len())
    }

    /// When the front segment stops waiting for its sound.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.rendition.as_ref()?;
        self.main.front().map(|(_, since)| *since + self.patience)
    }

    /// What can go on now, if anything.
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
    /// Takes what sounds under `main` off the queue; `Some`: sound that comes too late for any picture.
    fn collect(&mut self, main: &Planned) -> Option<Mark> {
        let mut lost: Option<(u64, Duration)> = None;
        while let Some(head) = self.queue.front() {
            let lag = self.lag(main, head).unwrap_or_else(|| {
                // After a restart of either, what comes next in one belongs to what comes next in the other.
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

    /// Whether all sound under `main` is listed.
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

    /// How far `audio` starts after `main`, in microseconds; `None`: their clocks do not compare.
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

/// Sound that starts before this travels with `main`: with the last one, all that is left.
fn reach(main: &Planned) -> i64 {
    if main.last { i64::MAX } else { main.entry.duration_us }
}

fn slack(audio: &Planned) -> i64 {
    (audio.entry.duration_us / 4).min(SLACK_US)
}

/// Whether the date-times of both playlists speak of the same clock: their stretches must overlap.
fn dates_meet(main: &MediaPlaylist, audio: &MediaPlaylist) -> bool {
    let stretch = |playlist: &MediaPlaylist| {
        let end = |entry: &Entry| entry.time_us.map(|time| time.saturating_add(entry.duration_us));
        Some((playlist.entries.first()?.time_us?, end(playlist.entries.last()?)?))
    };
    match (stretch(main), stretch(audio)) {
        (Some(main), Some(audio)) => main.0 < audio.1 && audio.0 < main.1,
        // A stream that is not yet on: nothing speaks against dates.
        _ => main.entries.is_empty() || audio.entries.is_empty(),
    }
}

/// Lays the clocks of two playlists that were loaded together side by side. Both read zero at their first entry.
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
    // Other segment lengths, other numbers: both playlists end at the live edge.
    main_length - audio_length
}

#[cfg(test)]
#[path = "pairing_test.rs"]
mod tests;
