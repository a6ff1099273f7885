//! Limits of the registry: what the control plane keeps in the database.

use std::time::Duration;

/// Newest swaps of a pipeline that are kept.
pub const SWAPS_KEPT: u64 = 200;
/// Newest roll-outs of a tenant that are kept.
pub const ROLL_OUTS_KEPT: u64 = 100;
/// Changes of swaps that a subscriber may be behind; after that it loses the oldest.
pub const SWAPS_LISTENED: usize = 1024;
/// Newest revisions of a pipeline's settings that are kept.
pub const REVISIONS_KEPT: u64 = 100;
/// Rows of the audit log that are kept, for each tenant and for the host.
pub const AUDIT_ROWS_KEPT: u64 = 10_000;
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
/// Storage events queued for the database; further ones are only logged.
pub const STORAGE_EVENTS_WAITING: usize = 256;
