//! A bound on lines in the log: so many in a minute, the rest is counted and told with the next line.

use crate::limits::STAGE_LOG_LINES_PER_MINUTE;
use std::time::Duration;
use tokio::time::Instant;

/// Lines in the current minute.
#[derive(Debug, Default)]
pub(super) struct LogBudget {
    minute: Option<Instant>,
    in_minute: u32,
    left_out: u64,
}

impl LogBudget {
    /// `Some` if a line may be written now, with the number of lines that were left out before it.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        if self.minute.is_none_or(|minute| now.duration_since(minute) >= Duration::from_secs(60)) {
            (self.minute, self.in_minute) = (Some(now), 0);
        }
        if self.in_minute < STAGE_LOG_LINES_PER_MINUTE {
            self.in_minute += 1;
            Some(std::mem::take(&mut self.left_out))
        } else {
            self.left_out += 1;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_not_logged() {
        let (mut budget, now) = (LogBudget::default(), Instant::now());
        let logged = (0..STAGE_LOG_LINES_PER_MINUTE * 3).filter(|_| budget.take(now).is_some()).count();
        assert_eq!(logged, STAGE_LOG_LINES_PER_MINUTE as usize);
        let later = now + Duration::from_secs(60);
        assert_eq!(budget.take(later), Some(u64::from(STAGE_LOG_LINES_PER_MINUTE) * 2));
        assert_eq!(budget.take(later), Some(0));
    }
}
