//! The database, the registry and storage.

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

// === swaps ===

/// Swaps of a pipeline that are kept, the newest.
pub const SWAPS_KEPT: u64 = 200;
/// Roll-outs of a tenant that are kept, the newest.
pub const ROLL_OUTS_KEPT: u64 = 100;
/// Changes of swaps that a subscriber may be behind; then the oldest are lost to it.
pub const SWAPS_LISTENED: usize = 1024;

// === evidence ===

/// Evidence of failed stages that is kept of a pipeline, the newest.
pub const EVIDENCE_KEPT: usize = 40;
/// Evidence that may wait to be written; more is left out and logged.
pub const EVIDENCE_WAITING: usize = 16;

// === registry ===

/// Revisions of a pipeline's settings that are kept, the newest.
pub const REVISIONS_KEPT: u64 = 100;
/// Rows of the audit log that are kept, for each tenant and for the host.
pub const AUDIT_ROWS_KEPT: u64 = 10_000;
/// Events that are kept, for each stream, for each tenant itself and for the host, unless set (`storage.history_events`).
pub const HISTORY_EVENTS_DEFAULT: u64 = 1000;
/// Fewest and most that can be set.
pub const HISTORY_EVENTS: std::ops::RangeInclusive<u64> = 100..=1_000_000;
/// Incidents that are kept, for each pipeline.
pub const INCIDENTS_KEPT: u64 = 200;
/// Deliveries that are kept for each webhook; one that is older than that many is not tried any more.
pub const DELIVERIES_KEPT: u64 = 1000;
/// Rows above such a bound that may be there before the oldest are removed, all at once.
pub const PRUNE_EVERY: u64 = 64;
/// Events that one call writes.
pub const EVENTS_AT_ONCE_MAX: usize = 512;
/// Bytes of an event's detail as JSON; a larger one is left out.
pub const EVENT_DETAIL_BYTES_MAX: usize = 16 << 10;
/// Characters of a text that is kept: an event's message, a note, why a delivery failed.
pub const KEPT_TEXT_CHARS_MAX: usize = 1000;
/// Bytes of a pipeline's settings as JSON.
pub const SETTINGS_BYTES_MAX: usize = 256 << 10;
/// Differences that are named when something is not as it was asked for.
pub const DIFFERENCES_MAX: usize = 16;
/// Tenants on a host.
pub const TENANTS_MAX: u64 = 10_000;
/// Tokens that can be used, for each tenant and for the host.
pub const TOKENS_MAX: u64 = 256;
/// Revoked tokens that are still listed, for each tenant and for the host.
pub const REVOKED_TOKENS_KEPT: u64 = 64;
/// Webhooks of a tenant.
pub const WEBHOOKS_MAX: u64 = 16;

/// What is known of a token is looked up again after this long: a token revoked by another process ends within it.
pub const TOKEN_FRESH: Duration = Duration::from_secs(1);
/// Tokens that are remembered.
pub const TOKENS_REMEMBERED: usize = 4096;
/// Unknown tokens that are remembered as such.
pub const UNKNOWN_TOKENS_REMEMBERED: usize = 4096;
/// Unknown tokens that are looked up in the database at once.
pub const TOKEN_LOOKUPS_AT_ONCE: usize = 2;
/// How long an unknown token waits for its turn to be looked up.
pub const TOKEN_LOOKUP_WAIT: Duration = Duration::from_secs(2);
/// A token's last use is written this often at most.
pub const TOKEN_USE_WRITTEN_EVERY: Duration = Duration::from_secs(60);
/// A connection's token is looked at again this often; what this process changes counts at once.
pub const TOKEN_RECHECK: Duration = Duration::from_secs(10);
/// Longest life of a token that expires, days.
pub const TOKEN_DAYS_MAX: u64 = 3650;

// === storage ===

/// A running pipeline's folders are looked for this often, and made again where they were removed.
pub const FOLDERS_LOOK_EVERY: Duration = Duration::from_millis(500);
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
/// A live source's segments wait for room until so long after it ran out; then they are passed over. Demuxing that a full
/// disk refuses is tried for as long.
pub const ROOM_PATIENCE: Duration = Duration::from_secs(10);
/// Remuxing that was refused by a full disk is tried again until its batch is due, and at least so often...
pub const DISK_FULL_TRIES: u32 = 3;
/// ...after so long, where nothing could be removed.
pub const DISK_FULL_WAIT: Duration = Duration::from_secs(1);
/// A step of a batch waits so long for a journal that the disk refuses; then the stream goes on without it.
pub const JOURNAL_PATIENCE: Duration = Duration::from_millis(500);
/// Steps of one pipeline that wait to be journalled while the disk refuses; beyond, the pipeline ends.
pub const JOURNAL_LATE_MAX: usize = 4096;
/// Events of the storage that wait to be written down; further ones only go to the log.
pub const STORAGE_EVENTS_WAITING: usize = 256;
