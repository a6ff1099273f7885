//! The resources of a running server, and whether they grow.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::fmt;
use std::path::Path;

use crate::server::Server;

/// The resources of a server at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Resident memory in kB.
    pub resident_kb: u64,
    /// The part of it that is not backed by a file, in kB: heap, stacks, memories of stages.
    pub anonymous_kb: u64,
    /// Number of open descriptors.
    pub descriptors: u64,
    /// Number of threads of the process.
    pub threads: u64,
    /// Size of the database's file in bytes.
    pub database_bytes: u64,
    /// Size of the database's write-ahead log in bytes.
    pub log_bytes: u64,
}

/// The growth of a measure that still counts as flat.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Name of the measure.
    pub name: &'static str,
    /// Unit of the measure.
    pub unit: &'static str,
    /// Reads the measure's value from a footprint.
    pub of: fn(&Footprint) -> u64,
    /// Largest accepted growth, in the measure's unit.
    pub most: u64,
}

/// A measure at two times.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// The measure and its accepted growth.
    pub tolerance: Tolerance,
    /// The first value: the median of many readings.
    pub before: u64,
    /// The last value: the median of as many readings.
    pub after: u64,
}

impl Footprint {
    /// Reads the resources of a server.
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

    /// The median of each measure, which hides resources of requests in progress.
    ///
    /// # Panics
    /// Without readings.
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
    /// Compares a measure between two times.
    pub fn between(before: &Footprint, after: &Footprint, tolerance: Tolerance) -> Self {
        Self { tolerance, before: (tolerance.of)(before), after: (tolerance.of)(after) }
    }

    /// Whether it grew by at most the accepted amount.
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
