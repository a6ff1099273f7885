//! Limits of the database, the registry and storage.

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
/// Range of `storage.history_batches`.
pub const HISTORY_BATCHES: std::ops::RangeInclusive<u64> = 100..=1_000_000;
/// Maximum rows of a list that one call returns.
pub const PAGE_ROWS_MAX: usize = 500;

// === swaps ===

/// Newest swaps of a pipeline that are kept.
pub const SWAPS_KEPT: u64 = 200;
/// Newest roll-outs of a tenant that are kept.
pub const ROLL_OUTS_KEPT: u64 = 100;
/// Changes of swaps that a subscriber may be behind; after that it loses the oldest.
pub const SWAPS_LISTENED: usize = 1024;

// === evidence ===

/// Newest evidence files of a pipeline that are kept.
pub const EVIDENCE_KEPT: usize = 40;
/// Evidence queued for writing; more is dropped and logged.
pub const EVIDENCE_WAITING: usize = 16;

// === registry ===

/// Newest revisions of a pipeline's settings that are kept.
pub const REVISIONS_KEPT: u64 = 100;
/// Rows of the audit log that are kept, for each tenant and for the host.
pub const AUDIT_ROWS_KEPT: u64 = 10_000;
/// Default number of events that are kept, for each stream, for each tenant and for the host
/// (`storage.history_events`).
pub const HISTORY_EVENTS_DEFAULT: u64 = 1000;
/// Range of `storage.history_events`.
pub const HISTORY_EVENTS: std::ops::RangeInclusive<u64> = 100..=1_000_000;
/// Incidents that are kept for each pipeline.
pub const INCIDENTS_KEPT: u64 = 200;
/// Deliveries that are kept for each webhook; older ones are not attempted any more.
pub const DELIVERIES_KEPT: u64 = 1000;
/// Rows above such a limit that may exist before the oldest are removed together.
pub const PRUNE_EVERY: u64 = 64;
/// Events that one call writes.
pub const EVENTS_AT_ONCE_MAX: usize = 512;
/// Largest detail of an event as JSON, in bytes; a larger one is left out.
pub const EVENT_DETAIL_BYTES_MAX: usize = 16 << 10;
/// Longest stored text in characters: an event's message, a note, why a delivery failed.
pub const KEPT_TEXT_CHARS_MAX: usize = 1000;
/// Largest settings of a pipeline as JSON, in bytes.
pub const SETTINGS_BYTES_MAX: usize = 256 << 10;
/// Differences that are named when something does not match the request.
pub const DIFFERENCES_MAX: usize = 16;
/// Maximum number of tenants on a host.
pub const TENANTS_MAX: u64 = 10_000;
/// Maximum number of valid tokens, for each tenant and for the host.
pub const TOKENS_MAX: u64 = 256;
/// Revoked tokens that are still listed, for each tenant and for the host.
pub const REVOKED_TOKENS_KEPT: u64 = 64;
/// Maximum number of webhooks of a tenant.
pub const WEBHOOKS_MAX: u64 = 16;

/// Time after which a cached token is looked up again; a token that another process revoked is rejected after this
/// time.
pub const TOKEN_FRESH: Duration = Duration::from_secs(1);
/// Tokens that are cached.
pub const TOKENS_REMEMBERED: usize = 4096;
/// Unknown tokens that are cached as unknown.
pub const UNKNOWN_TOKENS_REMEMBERED: usize = 4096;
/// Concurrent database lookups of unknown tokens.
pub const TOKEN_LOOKUPS_AT_ONCE: usize = 2;
/// How long an unknown token waits for its lookup.
pub const TOKEN_LOOKUP_WAIT: Duration = Duration::from_secs(2);
/// Minimum interval between writes of a token's last use.
pub const TOKEN_USE_WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// Interval for checking a connection's token again; changes by this process apply at once.
pub const TOKEN_RECHECK: Duration = Duration::from_secs(10);
/// Longest validity of a token that expires, in days.
pub const TOKEN_DAYS_MAX: u64 = 3650;

// === storage ===

/// Interval for checking a running pipeline's folders, which are created again if they were removed.
pub const FOLDERS_LOOK_EVERY: Duration = Duration::from_millis(500);
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
/// How long a live source's segments wait for room after it ran out; then they are skipped. Demuxing that a full disk
/// refuses is retried for as long.
pub const ROOM_PATIENCE: Duration = Duration::from_secs(10);
/// Minimum attempts of remuxing on a full disk; it is retried until its batch is due.
pub const DISK_FULL_TRIES: u32 = 3;
/// Delay between these attempts if no file could be removed.
pub const DISK_FULL_WAIT: Duration = Duration::from_secs(1);
/// How long a step of a batch waits for a journal that the disk refuses; then the stream continues without it.
pub const JOURNAL_PATIENCE: Duration = Duration::from_millis(500);
/// Steps of one pipeline that wait to be journalled while the disk refuses; after that the pipeline ends.
pub const JOURNAL_LATE_MAX: usize = 4096;
/// Storage events queued for the database; further ones are only logged.
pub const STORAGE_EVENTS_WAITING: usize = 256;
