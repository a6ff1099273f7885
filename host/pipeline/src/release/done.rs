//! Which destinations have sent which batches, until the batch is let go of.

use std::collections::{BTreeMap, BTreeSet};

/// Destinations that a batch was sent to, by its number.
#[derive(Debug, Default)]
pub(super) struct Done {
    sent: BTreeMap<u64, BTreeSet<String>>,
    /// Batches before this one were let go of.
    from: u64,
}

impl Done {
    /// A destination has sent a batch. One that is that late counts for nothing.
    pub(super) fn add(&mut self, batch: u64, destination: String) {
        if batch >= self.from {
            self.sent.entry(batch).or_default().insert(destination);
        }
    }

    /// Whether a destination has sent a batch.
    pub(super) fn has(&self, batch: u64, destination: &str) -> bool {
        self.sent.get(&batch).is_some_and(|sent| sent.contains(destination))
    }

    /// A batch, and those before it, are let go of.
    pub(super) fn forget_through(&mut self, batch: u64) {
        self.from = self.from.max(batch + 1);
        self.sent = self.sent.split_off(&self.from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_that_is_always_late_leaves_nothing_behind() {
        let mut done = Done::default();
        for batch in 0..10_000 {
            done.add(batch, "quick".into());
            assert!(done.has(batch, "quick") && !done.has(batch, "slow"));
            done.forget_through(batch);
            done.add(batch, "slow".into());
            done.add(batch + 1, "ahead".into());
            assert!(done.has(batch + 1, "ahead") && !done.has(batch, "slow"));
            assert_eq!(done.sent.len(), 1, "{done:?}");
        }
    }
}
