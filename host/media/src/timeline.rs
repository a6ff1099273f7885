//! The one timeline: maps the source's timestamps to air time, continuous over batches, discontinuities and restarts.
//!
//! Pure. In: the packet facts of each batch in order. Out: for each packet its air time in milliseconds, each derived
//! from the exact timestamp, so that rounding never adds up. Between jumps, air time = source time + one offset for
//! both tracks: the distance between sound and picture stays the source's own.

use serde::{Deserialize, Serialize};

use crate::facts::{BatchFacts, Packet, TrackFacts};
use crate::limits::TIMESTAMP_JUMP;

/// A step back, or a step flagged as discontinuity, up to this size is taken as continuous.
const TOLERANCE_US: i64 = 50_000;
/// A packet's own duration is ignored if the steps between packets are at least this many times longer.
const SLOWER_MAX: i64 = 4;
/// Most by which pictures are decoded earlier than the source says, in microseconds: 16 frames, the most that H.264 may
/// reorder, at 16 per second.
const EARLY_MAX_US: i64 = 1_000_000;
const JUMP_US: i64 = TIMESTAMP_JUMP.as_micros() as i64;
/// MPEG-TS timestamps are 33 bits of 90 kHz and wrap every 26.5 hours (ISO/IEC 13818-1 section 2.4.3.6).
const WRAP_US: i64 = ((1_i128 << 33) * 1_000_000 / 90_000) as i64;

/// The state of the timeline after the last placed batch; stored with each batch, to continue after a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// Air time minus source time in microseconds; `None` before the first packet.
    offset_us: Option<i64>,
    video: Cursor,
    audio: Cursor,
    /// By how much pictures are decoded earlier than the source says, in microseconds, so that none is shown before that
    /// (MP4 with composition offsets below 0). Their presentation times stay.
    #[serde(default)]
    early_us: i64,
}

/// The end of one track on the timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// End of the last packet in source time, in microseconds; `None` before the first packet.
    source_end_us: Option<i64>,
    /// End of the last packet in air time, in microseconds.
    air_end_us: i64,
    /// Air time of the last packet in milliseconds; the next packet cannot be earlier.
    last_ms: u64,
}

/// The time at which one packet goes on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AirTime {
    /// Decoding time in milliseconds on the air timeline.
    pub dts_ms: u64,
    /// Presentation minus decoding time in milliseconds.
    pub composition_ms: i32,
}

/// A batch on the air timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// The air time of each video packet.
    pub video: Vec<AirTime>,
    /// The air time of each audio packet.
    pub audio: Vec<AirTime>,
    /// Air time of the batch's first packet, in milliseconds.
    pub start_ms: u64,
    /// Air time at which the next batch begins, in milliseconds.
    pub end_ms: u64,
    /// Jumps of the source's time that were removed, in microseconds; positive if time was missing.
    pub splices_us: Vec<i64>,
    /// Largest shift between the two tracks that rounding causes, in microseconds.
    pub max_skew_us: u64,
}

impl Timeline {
    /// Places the next batch. `discontinuity`: its timestamps may not follow on from the batch before.
    pub fn place(&mut self, facts: &BatchFacts, discontinuity: bool) -> Placed {
        let mut placed = Placed::default();
        if facts.packets() == 0 {
            // A batch that was lost takes no time and changes nothing.
            placed.start_ms = self.next_ms();
            placed.end_ms = placed.start_ms;
            return placed;
        }
        self.early_us = self.early_us.max(facts.video.as_ref().map_or(0, early_us));
        let moved = (self.early_us > 0).then(|| decoded_earlier(facts, self.early_us));
        let facts = moved.as_ref().unwrap_or(facts);
        let firsts = [(&facts.video, &self.video), (&facts.audio, &self.audio)];
        let firsts: Vec<First> =
            firsts.iter().filter_map(|(track, cursor)| First::of(track.as_ref()?, cursor)).collect();
        let offset = self.offset_at_border(&firsts, discontinuity, &mut placed.splices_us);
        let mut pieces = vec![offset];
        let mut errors = [0, 0];
        let jumps = [&facts.video, &facts.audio].map(|track| track.as_ref().map(jumps));
        if let Some(track) = &facts.video {
            let place = Place { other: jumps[1].as_deref(), cursor: &mut self.video, worst_us: &mut errors[0] };
            placed.video = place.track(track, &mut pieces, &mut placed.splices_us);
        }
        if let Some(track) = &facts.audio {
            let place = Place { other: jumps[0].as_deref(), cursor: &mut self.audio, worst_us: &mut errors[1] };
            placed.audio = place.track(track, &mut pieces, &mut placed.splices_us);
        }
        self.offset_us = pieces.last().copied();
        placed.max_skew_us = errors.iter().sum();
        let starts = placed.video.first().into_iter().chain(placed.audio.first());
        placed.start_ms = starts.map(|time| time.dts_ms).min().unwrap_or_else(|| ms(self.end_us(facts)));
        placed.end_ms = ms(self.end_us(facts)).max(placed.start_ms);
        placed
    }

    /// Returns whether a batch with packets was placed.
    pub fn begun(&self) -> bool {
        self.offset_us.is_some()
    }

    /// Returns the air time at which the next batch starts if it follows without a gap, in milliseconds.
    pub fn next_ms(&self) -> u64 {
        ms(self.video.air_end_us.max(self.audio.air_end_us))
    }

    fn end_us(&self, facts: &BatchFacts) -> i64 {
        if facts.video.is_some() { self.video.air_end_us } else { self.audio.air_end_us }
    }

    /// Returns the offset for a new batch: the old one if the source's time continues, else one that joins the batch to
    /// the end without a gap.
    fn offset_at_border(&self, firsts: &[First], discontinuity: bool, splices: &mut Vec<i64>) -> i64 {
        let Some(offset) = self.offset_us else {
            return -firsts.iter().map(|first| first.source_us).min().unwrap_or_default();
        };
        let ahead = if discontinuity { TOLERANCE_US } else { JUMP_US };
        // One track that follows on is enough, where the other has a hole at the border.
        let runs_on = |shift: i64| {
            let step = |first: &First| first.expected_us.map(|expected| first.source_us + shift - expected);
            let follows =
                firsts.iter().any(|first| step(first).is_some_and(|step| (-TOLERANCE_US..=ahead).contains(&step)));
            let behind = |first: &First| match step(first) {
                Some(step) => step < -TOLERANCE_US,
                None => first.source_us + shift + offset < first.air_end_us - TOLERANCE_US,
            };
            follows && !firsts.iter().any(behind)
        };
        for shift in [0, WRAP_US, -WRAP_US] {
            if runs_on(shift) {
                return offset + shift;
            }
        }
        let joined = firsts.iter().map(|first| first.air_end_us - first.source_us).max().unwrap_or(offset);
        splices.push(offset - joined);
        joined
    }
}

/// The first packet of a track of a new batch, and the end of the previous batch.
struct First {
    source_us: i64,
    expected_us: Option<i64>,
    air_end_us: i64,
}

impl First {
    fn of(track: &TrackFacts, cursor: &Cursor) -> Option<Self> {
        track.packets.first().map(|packet| Self {
            source_us: packet.dts_us,
            expected_us: cursor.source_end_us,
            air_end_us: cursor.air_end_us,
        })
    }
}

/// The most by which a picture is shown before its decoding time, in microseconds. More than [`EARLY_MAX_US`] is an error
/// of the source and changes nothing.
fn early_us(track: &TrackFacts) -> i64 {
    let early = track.packets.iter().map(|packet| packet.dts_us.saturating_sub(packet.pts_us));
    early.filter(|early| *early <= EARLY_MAX_US).max().unwrap_or(0)
}

fn decoded_earlier(facts: &BatchFacts, by_us: i64) -> BatchFacts {
    let mut facts = facts.clone();
    let packets = facts.video.iter_mut().flat_map(|track| &mut track.packets);
    packets.for_each(|packet| packet.dts_us = packet.dts_us.saturating_sub(by_us));
    facts
}

/// Returns the jumps of a track's time: by how much each differs from the expected step, in microseconds.
fn jumps(track: &TrackFacts) -> Vec<i64> {
    let usual = i64::try_from(track.packet_us()).unwrap_or_default();
    let differences = track.packets.windows(2).map(|pair| pair[1].dts_us - pair[0].dts_us - length(&pair[0], usual));
    differences.filter(|difference| is_jump(*difference)).collect()
}

fn is_jump(difference_us: i64) -> bool {
    !(-TOLERANCE_US..=JUMP_US).contains(&difference_us)
}

/// Returns the duration of a packet: its own, unless the steps are much longer (a slow camera that declares 25 frames
/// per second).
fn length(packet: &Packet, usual: i64) -> i64 {
    let told = i64::from(packet.duration_us);
    if told.saturating_mul(SLOWER_MAX) > usual { told } else { usual }
}

/// Maps the packets of one track of a batch to air time.
struct Place<'a> {
    /// Jumps of the other track, if there is one. A gap in only one track is kept, because removing it would shift the
    /// tracks.
    other: Option<&'a [i64]>,
    cursor: &'a mut Cursor,
    worst_us: &'a mut u64,
}

impl Place<'_> {
    /// `pieces` are the offsets of this batch, one more after each jump; both tracks share them, so that sound and
    /// picture jump alike.
    fn track(self, track: &TrackFacts, pieces: &mut Vec<i64>, splices: &mut Vec<i64>) -> Vec<AirTime> {
        let usual = i64::try_from(track.packet_us()).unwrap_or_default();
        let shared =
            |jump: i64| self.other.is_none_or(|other| other.iter().any(|theirs| (theirs - jump).abs() <= JUMP_US));
        let mut piece = 0;
        let mut expected: Option<i64> = None;
        let mut times = Vec::with_capacity(track.packets.len());
        for packet in &track.packets {
            let jump = expected.map_or(0, |expected| packet.dts_us - expected);
            if is_jump(jump) && shared(jump) {
                piece += 1;
                let joined = self.cursor.air_end_us - packet.dts_us;
                match pieces.get_mut(piece) {
                    // The other track jumped already; follow it where that keeps this one running.
                    Some(theirs) => *theirs = (*theirs).max(joined - TOLERANCE_US),
                    None => {
                        splices.push(pieces.last().copied().unwrap_or_default() - joined);
                        pieces.push(joined);
                    }
                }
            }
            let offset = pieces.get(piece).copied().unwrap_or_default();
            times.push(self.cursor.step(packet, offset, self.worst_us));
            self.cursor.source_end_us = Some(packet.dts_us + length(packet, usual));
            self.cursor.air_end_us = packet.dts_us + offset + length(packet, usual);
            expected = self.cursor.source_end_us;
        }
        times
    }
}

impl Cursor {
    fn step(&mut self, packet: &Packet, offset: i64, worst_us: &mut u64) -> AirTime {
        let exact = packet.dts_us + offset;
        let dts_ms = ms(exact).max(self.last_ms);
        self.last_ms = dts_ms;
        let error = i64::try_from(dts_ms).unwrap_or(i64::MAX).saturating_mul(1000).abs_diff(exact);
        *worst_us = error.max(*worst_us);
        let pts_ms = i64::try_from(ms(packet.pts_us + offset)).unwrap_or(i64::MAX);
        let composition = pts_ms - i64::try_from(dts_ms).unwrap_or(i64::MAX);
        AirTime { dts_ms, composition_ms: i32::try_from(composition.max(0)).unwrap_or_default() }
    }
}

/// Converts microseconds to the nearest millisecond, at least 0.
fn ms(us: i64) -> u64 {
    u64::try_from((us + 500).div_euclid(1000)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 33_333;
    const AAC: i64 = 21_333;

    fn track(first_us: i64, step_us: i64, count: i64) -> TrackFacts {
        let packets = (0..count)
            .map(|n| {
                let dts_us = first_us + n * step_us;
                Packet { dts_us, pts_us: dts_us, duration_us: step_us as u32, size: 1 }
            })
            .collect();
        TrackFacts { packets, ..TrackFacts::default() }
    }

    /// Makes a batch of `seconds` from `start_us`, whose audio is 20 ms behind the video.
    fn batch(start_us: i64, seconds: i64) -> BatchFacts {
        BatchFacts {
            video: Some(track(start_us, FRAME, seconds * 30)),
            audio: Some(track(start_us + 20_000, AAC, seconds * 1_000_000 / AAC)),
        }
    }

    fn assert_runs_on(before: &[AirTime], after: &[AirTime], step_ms: u64) {
        let (last, first) = (before.last().unwrap().dts_ms, after[0].dts_ms);
        assert!((last..=last + step_ms + 60).contains(&first), "{last} then {first}");
    }

    #[test]
    fn starts_at_zero_and_keeps_the_distance_of_the_tracks() {
        let placed = Timeline::default().place(&batch(1_400_000, 2), false);
        assert_eq!((placed.start_ms, placed.video[0].dts_ms, placed.audio[0].dts_ms), (0, 0, 20));
        assert_eq!(placed.end_ms, 2000);
        assert!(placed.max_skew_us <= 1000);
    }

    #[test]
    fn composition_times_survive() {
        let mut facts = batch(0, 1);
        facts.video.as_mut().unwrap().packets[1].pts_us += 2 * FRAME;
        let placed = Timeline::default().place(&facts, false);
        assert_eq!((placed.video[0].composition_ms, placed.video[1].composition_ms), (0, 67));
    }

    /// Composition offsets below 0: sound and picture that are together in the source are together on air.
    #[test]
    fn pictures_that_are_shown_before_they_are_decoded_are_decoded_earlier() {
        let mut timeline = Timeline::default();
        let mut start = 7_000_000;
        for _ in 0..3 {
            let mut facts = batch(start, 2);
            for (n, packet) in facts.video.as_mut().unwrap().packets.iter_mut().enumerate() {
                packet.pts_us += [0, 40_000, -80_000, -40_000][n % 4];
            }
            let placed = timeline.place(&facts, false);
            assert!(placed.splices_us.is_empty() && placed.max_skew_us <= 1000, "{placed:?}");
            let (video, audio) = (placed.video[0], placed.audio[0]);
            let shown = video.dts_ms + u64::try_from(video.composition_ms).unwrap();
            assert!((19..=21).contains(&(audio.dts_ms - shown)), "{video:?} {audio:?}");
            let compositions: Vec<i32> = placed.video[..4].iter().map(|time| time.composition_ms).collect();
            assert!(compositions.iter().zip([80, 120, 0, 40]).all(|(a, b)| (a - b).abs() <= 1), "{compositions:?}");
            assert!(placed.video.windows(2).all(|pair| (33..=34).contains(&(pair[1].dts_ms - pair[0].dts_ms))));
            let stored = serde_json::to_string(&timeline).unwrap();
            timeline = serde_json::from_str(&stored).unwrap();
            start += 60 * FRAME;
        }
        let mut facts = batch(start, 2);
        facts.video.as_mut().unwrap().packets[5].pts_us -= 3_000_000;
        timeline.place(&facts, false);
        assert_eq!(timeline.early_us, 80_000, "an error of one packet moves nothing");
    }

    #[test]
    fn rounding_does_not_add_up_over_many_batches() {
        let mut timeline = Timeline::default();
        let mut start = 5_000_000;
        for _ in 0..2_000 {
            let facts = batch(start, 2);
            let placed = timeline.place(&facts, false);
            let exact = start - 5_000_000;
            assert!(i64::try_from(placed.start_ms).unwrap() * 1000 - exact <= 500);
            assert!(placed.splices_us.is_empty() && placed.max_skew_us <= 1000);
            start += 60 * FRAME;
        }
    }

    #[test]
    fn a_discontinuity_joins_without_gap_or_step_back() {
        for start in [1_400_000, 900_000_000] {
            let mut timeline = Timeline::default();
            let before = timeline.place(&batch(100_000_000, 2), false);
            let after = timeline.place(&batch(start, 2), true);
            assert_runs_on(&before.video, &after.video, 34);
            assert_runs_on(&before.audio, &after.audio, 22);
            assert_eq!(after.splices_us.len(), 1);
            assert_eq!(after.audio[0].dts_ms - after.video[0].dts_ms, 20);
        }
    }

    #[test]
    fn a_flagged_discontinuity_whose_time_runs_on_is_no_splice() {
        let mut timeline = Timeline::default();
        timeline.place(&batch(0, 2), false);
        let placed = timeline.place(&batch(60 * FRAME, 2), true);
        assert_eq!((placed.splices_us.len(), placed.start_ms), (0, 2000));
    }

    #[test]
    fn an_unflagged_jump_between_batches_is_spliced_out() {
        let mut timeline = Timeline::default();
        let before = timeline.place(&batch(0, 2), false);
        let after = timeline.place(&batch(8_000_000, 2), false);
        assert_runs_on(&before.video, &after.video, 34);
        assert_eq!(after.splices_us.len(), 1);
        assert!((after.splices_us[0] - 6_000_000).abs() < 50_000, "{:?}", after.splices_us);
    }

    #[test]
    fn a_small_gap_of_the_source_stays() {
        let mut timeline = Timeline::default();
        timeline.place(&batch(0, 2), false);
        assert_eq!(timeline.place(&batch(2_300_000, 2), false).start_ms, 2300);
    }

    #[test]
    fn pictures_far_apart_are_no_jumps_whatever_their_rate_says() {
        let mut facts = batch(0, 2);
        (facts.audio, facts.video.as_mut().unwrap().packets) = (None, Vec::new());
        for n in 0..8 {
            let time = n * 1_500_000;
            let packet = Packet { dts_us: time, pts_us: time, duration_us: 40_000, size: 1 };
            facts.video.as_mut().unwrap().packets.push(packet);
        }
        let placed = Timeline::default().place(&facts, false);
        assert!(placed.splices_us.is_empty(), "{:?}", placed.splices_us);
        let steps: Vec<_> = placed.video.windows(2).map(|pair| pair[1].dts_ms - pair[0].dts_ms).collect();
        assert_eq!(steps, [1500; 7]);
    }

    #[test]
    fn the_33_bit_wrap_is_no_jump() {
        let mut timeline = Timeline::default();
        let before = timeline.place(&batch(WRAP_US - 60 * FRAME, 2), false);
        let after = timeline.place(&batch(0, 2), false);
        assert!(after.splices_us.is_empty());
        assert_runs_on(&before.video, &after.video, 34);
        assert_eq!(timeline.place(&batch(60 * FRAME, 2), false).start_ms, 4000);
    }

    #[test]
    fn a_jump_inside_a_batch_takes_both_tracks_along() {
        let mut facts = batch(0, 2);
        for (track, from) in [(facts.video.as_mut(), 30), (facts.audio.as_mut(), 47)] {
            for packet in &mut track.unwrap().packets[from..] {
                packet.dts_us += 20_000_000;
                packet.pts_us += 20_000_000;
            }
        }
        let mut timeline = Timeline::default();
        let placed = timeline.place(&facts, false);
        assert_runs_on(&placed.video[..30], &placed.video[30..], 34);
        assert_runs_on(&placed.audio[..47], &placed.audio[47..], 22);
        assert_eq!(placed.splices_us.len(), 1);
        let skew = placed.audio[47].dts_ms as i64 - placed.video[30].dts_ms as i64;
        assert!((skew - 23).abs() <= 1, "sound was 22.65 ms behind there, is {skew}");
    }

    #[test]
    fn a_hole_in_one_track_alone_stays_a_hole() {
        for silent in [false, true] {
            let mut timeline = Timeline::default();
            let mut facts = batch(0, 8);
            let track = if silent { facts.audio.as_mut() } else { facts.video.as_mut() }.unwrap();
            track.packets.retain(|packet| !(2_000_000..5_000_000).contains(&packet.dts_us));
            let placed = timeline.place(&facts, false);
            assert!(placed.splices_us.is_empty(), "{placed:?}");
            for (times, track) in [(&placed.video, &facts.video), (&placed.audio, &facts.audio)] {
                for (time, packet) in times.iter().zip(&track.as_ref().unwrap().packets) {
                    assert!((time.dts_ms as i64 * 1000 - packet.dts_us).abs() <= 500);
                }
            }
            let next = timeline.place(&batch(8_000_000, 2), false);
            assert_eq!((next.start_ms, next.splices_us.len()), (8000, 0));
        }
    }

    #[test]
    fn a_hole_of_one_track_at_a_border_stays_a_hole() {
        let mut timeline = Timeline::default();
        let mut facts = batch(0, 6);
        facts.audio.as_mut().unwrap().packets.truncate(100);
        timeline.place(&facts, false);
        let next = timeline.place(&batch(6_000_000, 2), false);
        assert_eq!((next.splices_us.len(), next.video[0].dts_ms, next.audio[0].dts_ms), (0, 6000, 6020));
    }

    #[test]
    fn a_lost_batch_changes_nothing() {
        let mut timeline = Timeline::default();
        let lost = timeline.place(&BatchFacts::default(), false);
        assert_eq!((lost.start_ms, lost.end_ms, timeline.begun()), (0, 0, false));
        assert_eq!(timeline.place(&batch(900_000_000, 2), false).start_ms, 0);
        let lost = timeline.place(&BatchFacts::default(), false);
        assert!((2000..=2020).contains(&lost.start_ms), "{lost:?}");
        assert!(timeline.begun());
    }

    #[test]
    fn goes_on_after_a_restart_where_it_was() {
        let mut timeline = Timeline::default();
        timeline.place(&batch(7_000_000, 2), false);
        let text = serde_json::to_string(&timeline).unwrap();
        let mut restored: Timeline = serde_json::from_str(&text).unwrap();
        let next = batch(7_000_000 + 60 * FRAME, 2);
        assert_eq!(restored.place(&next, false), timeline.place(&next, false));
    }

    #[test]
    fn one_track_alone_is_enough() {
        let mut timeline = Timeline::default();
        let audio = |start| BatchFacts { video: None, audio: Some(track(start, AAC, 100)) };
        assert_eq!(timeline.place(&audio(500_000), false).start_ms, 0);
        let placed = timeline.place(&audio(500_000 + 100 * AAC), false);
        assert_eq!((placed.start_ms, placed.end_ms), (2133, 4267));
    }

    #[test]
    fn a_track_that_appears_later_joins_on_the_same_offset() {
        let mut timeline = Timeline::default();
        timeline.place(&BatchFacts { video: Some(track(0, FRAME, 60)), audio: None }, false);
        let placed = timeline.place(&batch(60 * FRAME, 2), false);
        assert_eq!((placed.video[0].dts_ms, placed.audio[0].dts_ms), (2000, 2020));
    }
}
