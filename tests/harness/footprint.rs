//! What a server holds while it runs, and whether that stays flat.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::fmt;
use std::path::Path;

use crate::server::Server;

/// What a server holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Memory that is resident, kB.
    pub resident_kb: u64,
    /// The part of it that no file stands behind, kB: heap, stacks, memories of stages.
    pub anonymous_kb: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Bytes of the database's file.
    pub database_bytes: u64,
    /// Bytes of its write-ahead log.
    pub log_bytes: u64,
}

/// What a measure may grow by and is flat all the same.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Which measure.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// How to read it.
    pub of: fn(&Footprint) -> u64,
    /// By how much.
    pub most: u64,
}

/// How a measure stood at two times.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// Which, and what it may grow by.
    pub tolerance: Tolerance,
    /// At first: the median of many looks.
    pub before: u64,
    /// At last: the median of as many.
    pub after: u64,
}

impl Footprint {
    /// Of a server now.
    pub fn of(server: &Server) -> Self {
        let pid = server.process().pid();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let field = |name: &str| -> u64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {status}"));
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let size = |name: &str| std::fs::metadata(Path::new(server.storage()).join(name)).map_or(0, |file| file.len());
        Self {
            resident_kb: field("VmRSS:"),
            anonymous_kb: field("RssAnon:"),
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as u64,
            threads: field("Threads:"),
            database_bytes: size("outboard.db"),
            log_bytes: size("outboard.db-wal"),
        }
    }

    /// The median of each measure: what comes and goes with a request under way does not show in it.
    ///
    /// # Panics
    /// Without any looks.
    pub fn median(looks: &[Self]) -> Self {
        let median = |of: fn(&Self) -> u64| {
            let mut values: Vec<u64> = looks.iter().map(of).collect();
            values.sort_unstable();
            *values.get(values.len() / 2).unwrap_or_else(|| panic!("nothing was looked at"))
        };
        Self {
            resident_kb: median(|look| look.resident_kb),
            anonymous_kb: median(|look| look.anonymous_kb),
            descriptors: median(|look| look.descriptors),
            threads: median(|look| look.threads),
            database_bytes: median(|look| look.database_bytes),
            log_bytes: median(|look| look.log_bytes),
        }
    }
}

impl Growth {
    /// Of a measure between two times.
    pub fn between(before: &Footprint, after: &Footprint, tolerance: Tolerance) -> Self {
        Self { tolerance, before: (tolerance.of)(before), after: (tolerance.of)(after) }
    }

    /// It did not grow by more than it may.
    pub fn is_flat(&self) -> bool {
        self.after <= self.before.saturating_add(self.tolerance.most)
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self { tolerance, before, after }, word) = (self, if self.is_flat() { "flat" } else { "GREW" });
        let by = i128::from(*after) - i128::from(*before);
        let Tolerance { name, unit, most, .. } = tolerance;
        write!(f, "{name}: {before} -> {after} {unit} ({by:+}; flat up to +{most}): {word}")
    }
}
