//! Bounds of the database, the journal and the files.

use std::time::Duration;

// === database ===

/// Writes that may wait for the one writer; callers wait beyond that.
pub const DATABASE_WRITES_WAITING: usize = 256;
/// Reads that may wait for a reader; callers wait beyond that.
pub const DATABASE_READS_WAITING: usize = 256;
/// Threads that read: one long answer does not hold up the short ones.
pub const DATABASE_READERS: usize = 3;
/// How long a write waits for another process that writes, such as `outboard token create`.
pub const DATABASE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two tries to open the database while another process makes or closes it.
pub const DATABASE_BUSY_STEP: Duration = Duration::from_millis(5);
/// How long a server's start looks for damage in its database; a larger one is looked at in part.
pub const DATABASE_CHECK_LIMIT: Duration = Duration::from_secs(10);
/// Size to which the write-ahead log is cut back, bytes.
pub const DATABASE_WAL_BYTES: u64 = 64 << 20;
/// Statements that a connection keeps prepared.
pub const DATABASE_STATEMENTS: usize = 96;
/// Pages that a connection keeps in memory, KiB; there is one connection more than [`DATABASE_READERS`].
pub const DATABASE_CACHE_KIB: i64 = 2048;
/// Pages in the write-ahead log from which on its content is moved into the file: 4 MiB.
pub const DATABASE_WAL_PAGES: u32 = 1000;
/// Batches of each stream that stay in the journal, counted back from the newest, after their files are gone, unless set
/// (`storage.history_batches`): a day of 30 s each.
pub const HISTORY_BATCHES_DEFAULT: u64 = 2880;
/// Fewest and most that can be set.
pub const HISTORY_BATCHES: std::ops::RangeInclusive<u64> = 100..=1_000_000;
/// Rows of a list that one call answers at most.
pub const PAGE_ROWS_MAX: usize = 500;

// === storage ===

/// Running pipelines' files are counted this often, and the bounds of the storage looked at.
pub const STORAGE_LOOK_EVERY: Duration = Duration::from_secs(5);
/// All files are counted this often, those of streams included that nobody runs.
pub const STORAGE_LOOK_ALL_EVERY: Duration = Duration::from_secs(60);
/// Bytes of the disk that stay free unless set (`storage.min_free`)...
pub const STORAGE_MIN_FREE_BYTES: u64 = 512 << 20;
/// ...or this part of a small one (5 %).
pub const STORAGE_MIN_FREE_PART: u64 = 20;
/// Fetching begins again, and all is well, once a bound is away by this part of it (10 %).
pub const STORAGE_CALM_PART: u64 = 10;
/// A bound that cleaning keeps from being passed is told to be well only after so long without coming near it.
pub const STORAGE_CALM_AFTER: Duration = Duration::from_secs(60);
/// Batches that are removed in one go.
pub const CLEAN_AT_ONCE: usize = 64;
/// Batches that a preview of cleaning lists.
pub const CLEAN_PLAN_MAX: usize = 10_000;
/// Initialization sections of a stream that are let be: they are small, and mostly there are one or two.
pub const INITS_KEPT_MIN: usize = 16;
/// An initialization section that was not used for so long goes, once no segment on disk needs it.
pub const INIT_UNUSED_FOR: Duration = Duration::from_secs(3600);
/// A stream's initialization sections are looked at this often.
pub const INITS_LOOK_EVERY: Duration = Duration::from_secs(600);
/// Steps of batches that a listener may be behind; then it loses the oldest.
pub const BATCH_STEPS_WAITING: usize = 256;
/// Events that are kept, for each stream, for each tenant itself and for the host, unless set (`storage.history_events`).
pub const HISTORY_EVENTS_DEFAULT: u64 = 1000;
/// Fewest and most that can be set.
pub const HISTORY_EVENTS: std::ops::RangeInclusive<u64> = 100..=1_000_000;
