//! A rate of lines: so many a second, and a burst in between. Who is over it writes less; nobody waits.

use std::time::Instant;

/// Lines that may be written now.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: u32,
    burst: u32,
    lines: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second, burst, lines: f64::from(burst), at: None }
    }

    /// True if one more line may be written.
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

    /// Puts a line back that was not written after all.
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
