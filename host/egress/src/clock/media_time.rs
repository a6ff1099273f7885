//! The arithmetic of the air clock. Pure: every call has the time as an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::ClockStatus;
use crate::limits::AIR_STALL_MIN;

/// Media time on air: one instant at which it is known, the rate since then, and an end.
#[derive(Debug)]
pub struct MediaTime {
    anchor: Option<Anchor>,
    rate: f64,
    speed: f64,
    /// Media time may not pass this; `None`: no media follows, so it may pass the end.
    limit_us: Option<u64>,
    stalls: u64,
    stalled_for: Duration,
    /// Whether the current stall is already counted.
    counted: bool,
}

/// Media time was or will be `media_us` at `at`.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    media_us: u64,
    at: Instant,
}

impl MediaTime {
    /// A clock that has not started, at `speed` times real time.
    pub fn new(speed: f64) -> Self {
        let stalled_for = Duration::ZERO;
        Self { anchor: None, rate: 1.0, speed, limit_us: Some(0), stalls: 0, stalled_for, counted: false }
    }

    /// Starts the clock: media time is `media_ms` at `at`. Returns false, without effect, if it runs already.
    pub fn start(&mut self, media_ms: u64, at: Instant) -> bool {
        let first = self.anchor.is_none();
        if first {
            self.anchor = Some(Anchor { media_us: media_ms.saturating_mul(1000), at });
        }
        first
    }

    /// Resumes a stalled clock at `at`, which may be later than `now`. Returns false if it is not stalled.
    pub fn resume_at(&mut self, at: Instant, now: Instant) -> bool {
        let stands = self.over(now) > Duration::ZERO;
        if stands {
            self.settle(now);
            let more = at.saturating_duration_since(now);
            self.stalled_for += more;
            if let Some(anchor) = &mut self.anchor {
                anchor.at = now + more;
            }
        }
        stands
    }

    /// Moves the limit to `end_ms`, the end of the available packets. Returns false if the limit was there already.
    pub fn extend(&mut self, end_ms: u64, now: Instant) -> bool {
        let end = end_ms.saturating_mul(1000);
        let longer = self.limit_us.is_some_and(|limit| end > limit);
        if longer {
            self.settle(now);
            self.limit_us = Some(end);
            self.counted = false;
        }
        longer
    }

    /// Removes the limit: no more packets follow.
    pub fn unbound(&mut self, now: Instant) {
        self.settle(now);
        self.limit_us = None;
    }

    /// Sets the rate, a factor of the speed, from `now` on. Returns false if it is unchanged.
    pub fn set_rate(&mut self, rate: f64, now: Instant) -> bool {
        let other = self.rate.to_bits() != rate.to_bits();
        if other {
            self.settle(now);
            self.rate = rate;
        }
        other
    }

    /// The instant of a media time; `None` before the start, and for a time after the limit.
    pub fn due(&self, media_ms: u64) -> Option<Instant> {
        let anchor = self.anchor?;
        let media_us = media_ms.saturating_mul(1000);
        if self.limit_us.is_some_and(|limit| media_us > limit) {
            return None;
        }
        Some(match media_us.checked_sub(anchor.media_us) {
            Some(ahead) => anchor.at + self.real(ahead),
            None => anchor.at.checked_sub(self.real(anchor.media_us - media_us)).unwrap_or(anchor.at),
        })
    }

    /// The media time of an instant in milliseconds; `None` before the start.
    pub fn media_ms(&self, at: Instant) -> Option<u64> {
        self.free_us(at).map(|us| self.bounded(us) / 1000)
    }

    /// The instant from which times are counted; `None` before the start.
    pub fn anchored_at(&self) -> Option<Instant> {
        self.anchor.map(|anchor| anchor.at)
    }

    /// Media seconds in a second of real time, without the rate.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The state for the API.
    pub fn status(&self, now: Instant) -> ClockStatus {
        let over = self.over(now);
        ClockStatus {
            media_ms: self.media_ms(now),
            rate: self.rate,
            stalled: over >= AIR_STALL_MIN,
            stalls: self.stalls + u64::from(over >= AIR_STALL_MIN && !self.counted),
            stalled_for: self.stalled_for + over,
            standing: over,
        }
    }

    /// How long media time has stood at the end of the spool.
    fn over(&self, now: Instant) -> Duration {
        self.free_us(now).map_or(Duration::ZERO, |us| self.real(us - self.bounded(us)))
    }

    /// Media time at an instant if the spool had no end.
    fn free_us(&self, at: Instant) -> Option<u64> {
        let anchor = self.anchor?;
        let elapsed = at.saturating_duration_since(anchor.at).as_secs_f64();
        Some(anchor.media_us.saturating_add((elapsed * self.rate * self.speed * 1e6).round() as u64))
    }

    fn bounded(&self, us: u64) -> u64 {
        // An anchor past the limit (started before the first batch arrived) stays where it is.
        let floor = self.anchor.map_or(0, |anchor| anchor.media_us);
        self.limit_us.map_or(us, |limit| us.min(limit.max(floor)))
    }

    fn real(&self, media_us: u64) -> Duration {
        Duration::from_secs_f64(media_us as f64 / 1e6 / (self.rate * self.speed))
    }

    /// Moves the anchor to `now` without a jump in media time, and counts the stall up to `now`.
    fn settle(&mut self, now: Instant) {
        let Some(us) = self.free_us(now) else { return };
        let media_us = self.bounded(us);
        let over = self.real(us - media_us);
        if over >= AIR_STALL_MIN {
            self.stalled_for += over;
            self.stalls += u64::from(!self.counted);
            self.counted = true;
        }
        if let Some(anchor) = &mut self.anchor
            && anchor.at <= now
        {
            *anchor = Anchor { media_us, at: now };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn running() -> (MediaTime, Instant) {
        let (mut media_time, now) = (MediaTime::new(1.0), Instant::now());
        assert!(media_time.extend(10_000, now));
        assert!(media_time.start(1_000, now));
        (media_time, now)
    }

    #[test]
    fn maps_both_ways() {
        let mut media_time = MediaTime::new(1.0);
        let now = Instant::now() + 100 * S;
        assert_eq!((media_time.media_ms(now), media_time.due(0), media_time.status(now).stalled), (None, None, false));
        media_time.extend(10_000, now);
        let start = now + 2 * S;
        assert!(media_time.start(1_000, start));
        assert!(!media_time.start(5_000, start), "only the first start counts");
        assert_eq!(media_time.media_ms(now), Some(1_000), "before its start it stands at its start");
        assert_eq!(media_time.due(3_500), Some(start + 5 * S / 2));
        assert_eq!(media_time.due(500), Some(start - S / 2));
        assert_eq!(media_time.media_ms(start + S), Some(2_000));
        assert_eq!(media_time.due(10_001), None, "past the end of the spool nothing is due");
        // A change before the start does not move the start.
        media_time.set_rate(0.95, now + S);
        assert_eq!((media_time.due(1_000), media_time.anchored_at()), (Some(start), Some(start)));
    }

    #[test]
    fn leans_without_a_step() {
        let (mut media_time, now) = running();
        assert!(media_time.set_rate(1.05, now + 2 * S));
        assert!(!media_time.set_rate(1.05, now + 2 * S));
        assert_eq!(media_time.media_ms(now + 2 * S), Some(3_000));
        assert_eq!(media_time.media_ms(now + 4 * S), Some(5_100));
        media_time.set_rate(1.25, now + 4 * S);
        assert_eq!(media_time.media_ms(now + 6 * S), Some(7_600));
        let status = media_time.status(now + 6 * S);
        assert_eq!((status.rate, status.stalls, status.stalled), (1.25, 0, false));
    }

    #[test]
    fn stands_still_at_the_end_of_the_spool_and_goes_on_there() {
        let (mut media_time, start) = running();
        let now = start + 12 * S;
        assert_eq!(media_time.media_ms(now), Some(10_000));
        let status = media_time.status(now);
        assert_eq!((status.stalls, status.stalled, status.stalled_for), (1, true, 3 * S), "seen while it goes on");
        media_time.set_rate(1.05, now);
        media_time.set_rate(1.0, now);
        let now = now + S;
        assert!(!media_time.extend(9_000, now), "the end never goes back");
        assert_eq!(media_time.media_ms(now), Some(10_000));
        assert!(media_time.extend(20_000, now));
        assert_eq!((media_time.media_ms(now), media_time.due(10_500)), (Some(10_000), Some(now + S / 2)));
        let status = media_time.status(now + S);
        assert_eq!((status.media_ms, status.stalls, status.stalled), (Some(11_000), 1, false));
        assert_eq!(status.stalled_for, 4 * S);
        media_time.unbound(now + S);
        assert_eq!(media_time.media_ms(now + 61 * S), Some(71_000), "with nothing to follow it runs out");
        assert!(!media_time.extend(1, now + 61 * S));
    }

    #[test]
    fn a_clock_that_ran_dry_can_be_held() {
        let (mut media_time, start) = running();
        assert!(!media_time.resume_at(start + 60 * S, start + 2 * S), "it runs");
        // Dry at 9 s, media again at 20 s, held for 4 s more.
        let now = start + 20 * S;
        assert_eq!(media_time.status(now).standing, 11 * S);
        assert!(media_time.resume_at(now + 4 * S, now));
        assert_eq!((media_time.anchored_at(), media_time.media_ms(now + 4 * S)), (Some(now + 4 * S), Some(10_000)));
        assert!(!media_time.resume_at(now + 9 * S, now + S), "once");
        media_time.extend(16_000, now + 3 * S);
        assert_eq!((media_time.due(10_000), media_time.due(12_000)), (Some(now + 4 * S), Some(now + 6 * S)));
        assert_eq!(media_time.media_ms(now + 5 * S), Some(11_000));
        let status = media_time.status(now + 5 * S);
        assert_eq!((status.stalled_for, status.standing, status.stalls), (15 * S, Duration::ZERO, 1));
    }

    #[test]
    fn started_before_the_first_batch_it_waits() {
        let (mut media_time, now) = (MediaTime::new(1.0), Instant::now());
        media_time.start(5_000, now);
        assert_eq!(media_time.media_ms(now + 3 * S), Some(5_000));
        media_time.extend(9_000, now + 3 * S);
        assert_eq!(media_time.due(5_000), Some(now + 3 * S));
        assert_eq!(media_time.media_ms(now + 4 * S), Some(6_000));
    }

    #[test]
    fn a_fast_clock_is_fast() {
        let (mut media_time, now) = (MediaTime::new(8.0), Instant::now());
        media_time.extend(100_000, now);
        media_time.start(0, now);
        assert_eq!((media_time.media_ms(now + 2 * S), media_time.due(8_000)), (Some(16_000), Some(now + S)));
    }

    /// Days of rate changes must not accumulate an error: 10 days, a change every minute.
    #[test]
    fn does_not_drift_over_days() {
        let (mut media_time, mut now) = (MediaTime::new(1.0), Instant::now());
        media_time.unbound(now);
        media_time.start(0, now);
        let mut want_us = 0u64;
        for minute in 0..14_400u64 {
            let up = minute % 2 == 0;
            media_time.set_rate(if up { 1.01 } else { 0.99 }, now);
            want_us += if up { 60_600_000 } else { 59_400_000 };
            now += 60 * S;
        }
        assert!(media_time.media_ms(now).unwrap().abs_diff(want_us / 1000) <= 10);
    }
}
