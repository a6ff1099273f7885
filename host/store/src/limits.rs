//! Limits of the database, the journal and the files.

use std::time::Duration;

// === database ===

/// Writes queued for the single writer; further callers wait.
pub const DATABASE_WRITES_WAITING: usize = 256;
/// Reads queued for the readers; further callers wait.
pub const DATABASE_READS_WAITING: usize = 256;
/// Threads that read, so that a long query does not delay short ones.
pub const DATABASE_READERS: usize = 3;
/// How long a write waits for another process that writes, such as `outboard token create`.
pub const DATABASE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval between attempts to open the database while another process creates or closes it.
pub const DATABASE_BUSY_STEP: Duration = Duration::from_millis(5);
/// Time limit of the integrity check when a server starts; a larger database is checked in part.
pub const DATABASE_CHECK_LIMIT: Duration = Duration::from_secs(10);
/// Size to which the write-ahead log is truncated, in bytes.
pub const DATABASE_WAL_BYTES: u64 = 64 << 20;
/// Prepared statements that a connection caches.
pub const DATABASE_STATEMENTS: usize = 96;
/// Page cache of a connection in KiB; there is one connection more than [`DATABASE_READERS`].
pub const DATABASE_CACHE_KIB: i64 = 2048;
/// Size of the write-ahead log, in pages, at which it is written back to the file: 4 MiB.
pub const DATABASE_WAL_PAGES: u32 = 1000;
/// Default number of newest batches of each stream that stay in the journal after their files are removed
/// (`storage.history_batches`): a day of batches of 30 s.
pub const HISTORY_BATCHES_DEFAULT: u64 = 2880;
/// Permitted values of `storage.history_batches`, in batches per stream.
pub const HISTORY_BATCHES: std::ops::RangeInclusive<u64> = 100..=1_000_000;
/// Maximum rows of a list that one call returns.
pub const PAGE_ROWS_MAX: usize = 500;

// === storage ===

/// Interval for scanning running pipelines' files and checking the limits of the storage.
pub const STORAGE_LOOK_EVERY: Duration = Duration::from_secs(5);
/// Interval for scanning all files, including those of streams without a running pipeline.
pub const STORAGE_LOOK_ALL_EVERY: Duration = Duration::from_secs(60);
/// Default minimum of free bytes on the disk (`storage.min_free`).
pub const STORAGE_MIN_FREE_BYTES: u64 = 512 << 20;
/// Divisor of the disk's size that gives the default minimum on a small disk (5 %).
pub const STORAGE_MIN_FREE_PART: u64 = 20;
/// Divisor of a limit that gives the margin at which fetching resumes (10 %).
pub const STORAGE_CALM_PART: u64 = 10;
/// A limit that cleaning keeps from being exceeded is reported as normal only after this time without coming near it.
pub const STORAGE_CALM_AFTER: Duration = Duration::from_secs(60);
/// Batches that are removed at a time.
pub const CLEAN_AT_ONCE: usize = 64;
/// Batches that the preview of a clean lists.
pub const CLEAN_PLAN_MAX: usize = 10_000;
/// Initialization sections of a stream that are always kept: they are small, and usually there are one or two.
pub const INITS_KEPT_MIN: usize = 16;
/// An initialization section that was not used for this long is removed once no segment on disk needs it.
pub const INIT_UNUSED_FOR: Duration = Duration::from_secs(3600);
/// Interval for checking a stream's initialization sections.
pub const INITS_LOOK_EVERY: Duration = Duration::from_secs(600);
/// Steps of batches that a listener may be behind; after that it loses the oldest.
pub const BATCH_STEPS_WAITING: usize = 256;
/// Default number of events that are kept, for each stream, for each tenant and for the host
/// (`storage.history_events`).
pub const HISTORY_EVENTS_DEFAULT: u64 = 1000;
/// Permitted values of `storage.history_events`, in events per stream, tenant or host.
pub const HISTORY_EVENTS: std::ops::RangeInclusive<u64> = 100..=1_000_000;
