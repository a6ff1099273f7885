//! A rate limit for log lines: lines per second, and a burst. A writer over the limit drops lines; it never waits.

use std::time::Instant;

/// A token bucket for lines.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: u32,
    burst: u32,
    lines: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// Makes a full bucket: it holds at most `burst` tokens and gains `per_second` of them each second.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst, lines: f64::from(burst), at: None }
    }

    /// Takes one token; returns true if one more line may be written.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.at = Some(now);
        self.lines = (self.lines + since * f64::from(self.per_second)).min(f64::from(self.burst));
        let may = self.lines >= 1.0;
        if may {
            self.lines -= 1.0;
        }
        may
    }

    /// Returns the token of a line that was not written.
    pub(super) fn give_back(&mut self) {
        self.lines += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_then_the_rate() {
        let (mut bucket, start) = (Bucket::new(10, 50), Instant::now());
        let passed = |bucket: &mut Bucket, now| (0..1000).filter(|_| bucket.take(now)).count();
        assert_eq!(passed(&mut bucket, start), 50);
        assert_eq!(passed(&mut bucket, start + Duration::from_secs(2)), 20);
        assert_eq!(passed(&mut bucket, start + Duration::from_secs(3600)), 50, "no more than a burst is saved up");
        bucket.give_back();
        assert_eq!(passed(&mut bucket, start + Duration::from_secs(3600)), 1);
    }
}
