//! The registry: what the control plane keeps in the database.

use std::time::Duration;

/// Swaps of a pipeline that are kept, the newest.
pub const SWAPS_KEPT: u64 = 200;
/// Roll-outs of a tenant that are kept, the newest.
pub const ROLL_OUTS_KEPT: u64 = 100;
/// Changes of swaps that a subscriber may be behind; then the oldest are lost to it.
pub const SWAPS_LISTENED: usize = 1024;
/// Revisions of a pipeline's settings that are kept, the newest.
pub const REVISIONS_KEPT: u64 = 100;
/// Rows of the audit log that are kept, for each tenant and for the host.
pub const AUDIT_ROWS_KEPT: u64 = 10_000;
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
/// Events of the storage that wait to be written down; further ones only go to the log.
pub const STORAGE_EVENTS_WAITING: usize = 256;
