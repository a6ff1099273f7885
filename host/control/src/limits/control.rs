//! Limits of pipelines and tenants in the control plane: quotas, dry runs, webhooks, SRS.

use std::time::Duration;

use outboard_base::backoff::Schedule;

// === control plane ===

/// Delays before a failed pipeline is restarted, without end: 1 s, doubling to 60 s. After a run of 60 s the delays
/// start from the beginning.
pub const PIPELINE_AGAIN: Schedule =
    Schedule::doubling(Duration::from_secs(1), Duration::from_secs(60)).healthy_after(Duration::from_secs(60));
/// Interval at which the status of a running pipeline is renewed, so that old numbers are not taken for current ones.
pub const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
/// Minimum interval between renewals of the status after changes.
pub const SNAPSHOT_EVERY_MIN: Duration = Duration::from_millis(50);
/// Approximate time without packets while a pipeline on air is restarted and resumes from the journal.
pub const RESTART_GAP: Duration = Duration::from_millis(500);
/// An error in a stream that stayed healthy is shown as its last error for this long.
pub const ERROR_OVER_AFTER: Duration = Duration::from_secs(60);
/// A problem that does not put the stream off air becomes an incident after this time.
pub const INCIDENT_OPEN_AFTER: Duration = Duration::from_secs(2);
/// An incident is closed when its problem has been absent for this long, so that a flapping problem is one incident.
pub const INCIDENT_QUIET: Duration = Duration::from_secs(10);
/// Kinds of events, by destination, that are remembered as reported, per pipeline and per open incident.
pub const INCIDENT_TOLD_MAX: usize = 256;
/// Minimum interval between writes of an open incident's count and message.
pub const INCIDENT_WRITE_EVERY: Duration = Duration::from_secs(5);
/// Interval for checking open incidents, besides each change of a pipeline's status.
pub const INCIDENT_LOOK_EVERY: Duration = Duration::from_secs(1);
/// A repeating event without an incident is recorded once in this time, with the number of omitted ones.
pub const EVENT_REPEAT_QUIET: Duration = Duration::from_secs(60);
/// Events of one pipeline queued for the database; further ones are only logged.
pub const NOTES_WAITING: usize = 256;

// === quotas ===

/// Largest quota of pipelines of a tenant.
pub const QUOTA_PIPELINES_MAX: u32 = 1000;
/// Largest quota of destinations per pipeline.
pub const QUOTA_DESTINATIONS_MAX: u32 = 16;
/// Smallest storage quota of a tenant in bytes: a few batches.
pub const QUOTA_STORAGE_MIN: u64 = 100_000_000;
/// Largest storage quota of a tenant in bytes.
pub const QUOTA_STORAGE_MAX: u64 = 1_000_000_000_000_000;
/// Smallest memory limit of a stage instance in bytes: what Python needs.
pub const QUOTA_STAGE_MEMORY_MIN: u64 = 32 << 20;
/// Largest quota of fragments in flight of a tenant.
pub const QUOTA_FRAGMENTS_MAX: u32 = 16_000;
/// Largest quota of concurrent ffmpeg processes of a tenant.
pub const QUOTA_FFMPEG_MAX: u32 = 256;
/// Events queued for the task that records them; after that the pipelines' own queues fill.
pub const EVENTS_WAITING: usize = 256;
/// Events that a subscriber may be behind; after that it loses the oldest.
pub const EVENTS_LISTENED: usize = 1024;

// === dry run ===

/// Concurrent dry runs of a tenant.
pub const DRY_RUNS_PER_TENANT: usize = 2;
/// Attempts to fetch a playlist, segment or key in a dry run.
pub const DRY_RUN_TRIES: u32 = 2;
/// Limit for the playlists of a source.
pub const DRY_RUN_PLAYLIST_LIMIT: Duration = Duration::from_secs(20);
/// Segments that a dry run fetches and demuxes.
pub const DRY_RUN_SEGMENTS: usize = 2;
/// Limit for fetching and demuxing the first segments; two target durations if that is longer.
pub const DRY_RUN_MEDIA_LIMIT: Duration = Duration::from_secs(30);
/// Maximum of that limit: together with the playlists it must be over before the API stops waiting.
pub const DRY_RUN_MEDIA_LIMIT_MAX: Duration = Duration::from_secs(55);
/// Limit for the connection to the processor and the handshake.
pub const DRY_RUN_PROCESSOR_LIMIT: Duration = Duration::from_secs(15);
/// Time for a connected processor to report that it is ready.
pub const DRY_RUN_READY_WAIT: Duration = Duration::from_secs(1);
/// Limit for a destination: name resolution, connection, TLS, handshake, two commands.
pub const DRY_RUN_DESTINATION_LIMIT: Duration = Duration::from_secs(15);
/// Limit for checking a folder of this machine.
pub const DRY_RUN_FILE_LIMIT: Duration = Duration::from_secs(5);
/// Limit for loading and opening a stage: a component that was never used on this host is compiled first.
pub const DRY_RUN_STAGE_LIMIT: Duration = Duration::from_secs(60);
/// Media time that the preview of a running pipeline covers.
pub const PREVIEW_WINDOW: Duration = Duration::from_secs(180);
/// Batches that a preview covers.
pub const PREVIEW_BATCHES_MAX: usize = 100;
/// Fragments in a preview's playlist.
pub const PREVIEW_FRAGMENTS_MAX: usize = 2000;
/// Files in the host's component store that are scanned for a list, of all tenants.
pub const COMPONENT_FILES_MAX: usize = 4096;
/// Components in the host's store that are listed for one tenant.
pub const COMPONENTS_LISTED_MAX: usize = 64;

// === webhooks ===

/// Longest URL of a webhook in bytes.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;
/// Minimum bytes of the key after `whsec_` in a webhook's secret, as required by Standard Webhooks.
pub const WEBHOOK_KEY_BYTES_MIN: usize = 24;
/// Maximum bytes of the key after `whsec_` in a webhook's secret.
pub const WEBHOOK_KEY_BYTES_MAX: usize = 64;
/// Minimum bytes of a webhook's secret without `whsec_`: 128 bits, if they are random.
pub const WEBHOOK_SECRET_BYTES_MIN: usize = 16;
/// Maximum bytes of a webhook's secret without `whsec_`.
pub const WEBHOOK_SECRET_BYTES_MAX: usize = 256;

/// Concurrent requests to receivers; each uses a socket and a small task.
pub const WEBHOOK_SENDINGS_MAX: usize = 256;
/// Concurrent requests of one tenant; the others of its webhooks wait.
pub const WEBHOOK_TENANT_SENDINGS_MAX: usize = 4;
/// A receiver that has not answered after this time has failed.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// A claimed delivery without a result is due again after this time: longer than a request may take.
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(60);
/// Interval for checking the queue, even without a notification.
pub const WEBHOOK_LOOK_EVERY: Duration = Duration::from_secs(5);
/// Time for requests in progress at the end of the process; the next start repeats unfinished ones.
pub const WEBHOOK_STOP_LIMIT: Duration = Duration::from_secs(2);
/// Delays between the attempts of one delivery: 16 hours in total; after that it is abandoned.
const WEBHOOK_WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
    Duration::from_secs(8 * 3600),
];
/// The schedule of these delays, each randomly up to 20 % longer or shorter, so that receivers that failed together are
/// not retried together.
pub const WEBHOOK_RETRY: Schedule =
    Schedule::steps(&WEBHOOK_WAITS, Duration::from_secs(8 * 3600 * 12 / 10)).jitter(80, 120);

// === SRS ===

/// Interval for asking SRS's API about each destination that has one.
pub const SRS_ASK_EVERY: Duration = Duration::from_secs(2);
/// Time for SRS's API to answer; after that the result is unknown.
pub const SRS_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest response of SRS's API in bytes; a stream takes about 700.
pub const SRS_ANSWER_BYTES_MAX: usize = 1 << 20;
/// Streams in one page of SRS's list.
pub const SRS_PAGE_STREAMS: usize = 500;
/// Maximum number of pages that are searched for a stream.
pub const SRS_PAGES_MAX: usize = 8;
/// Time for pipelines to stop when the server ends. They are then aborted, for which they have the same time.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);
