//! Limits the log lines of untrusted output per minute. Lines above the limit are counted, and the next line reports them.

use std::time::Duration;

use tokio::time::Instant;

/// The budget of one writer; counts the lines of the current minute.
#[derive(Debug)]
pub struct LineBudget {
    per_minute: u32,
    minute: Option<Instant>,
    in_minute: u32,
    left_out: u64,
}

impl LineBudget {
    /// A budget of `per_minute` lines.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, minute: None, in_minute: 0, left_out: 0 }
    }

    /// Takes one line from the budget. `Some` if it may be written: the number of lines that were omitted before it.
    pub fn take(&mut self, now: Instant) -> Option<u64> {
        if self.minute.is_none_or(|minute| now.duration_since(minute) >= Duration::from_secs(60)) {
            (self.minute, self.in_minute) = (Some(now), 0);
        }
        if self.in_minute < self.per_minute {
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
        let (mut budget, now) = (LineBudget::new(60), Instant::now());
        let logged = (0..180).filter(|_| budget.take(now).is_some()).count();
        assert_eq!(logged, 60);
        let later = now + Duration::from_secs(60);
        assert_eq!(budget.take(later), Some(120));
        assert_eq!(budget.take(later), Some(0));
    }
}
