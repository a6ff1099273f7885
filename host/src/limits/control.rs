//! Pipelines and tenants as the API steers them: quotas, dry runs, webhooks, SRS.

use std::time::Duration;

use crate::backoff::Schedule;

// === control plane ===

/// Waits before a pipeline that failed is started again, for ever: 1 s doubling to 60 s. One that ran for 60 s was healthy.
pub const PIPELINE_AGAIN: Schedule =
    Schedule::doubling(Duration::from_secs(1), Duration::from_secs(60)).healthy_after(Duration::from_secs(60));
/// A pipeline's status is made anew this often while it runs, so that nobody takes old numbers for new ones...
pub const SNAPSHOT_EVERY: Duration = Duration::from_secs(1);
/// ...and after a change, but not more often than this.
pub const SNAPSHOT_EVERY_MIN: Duration = Duration::from_millis(50);
/// No packets leave for about this long while a pipeline on air is restarted and goes on from the journal.
pub const RESTART_GAP: Duration = Duration::from_millis(500);
/// What went wrong in a stream that stayed healthy is shown as its last error for so long.
pub const ERROR_OVER_AFTER: Duration = Duration::from_secs(60);
/// A problem that does not put the stream off air is an incident once it has been there for so long...
pub const INCIDENT_OPEN_AFTER: Duration = Duration::from_secs(2);
/// ...and an incident is over once its problem has been away for so long, so that what flaps is one incident.
pub const INCIDENT_QUIET: Duration = Duration::from_secs(10);
/// Kinds of events, each of a destination, that are remembered as told of a pipeline and of each of its open incidents.
pub const INCIDENT_TOLD_MAX: usize = 256;
/// The count and message of an open incident are written down this often at most.
pub const INCIDENT_WRITE_EVERY: Duration = Duration::from_secs(5);
/// Open incidents are looked at this often, beside each change of a pipeline's status.
pub const INCIDENT_LOOK_EVERY: Duration = Duration::from_secs(1);
/// An event that repeats without an incident is written down once in this time, with how many were left out.
pub const EVENT_REPEAT_QUIET: Duration = Duration::from_secs(60);
/// Events of one pipeline that wait to be written down; further ones only go to the log.
pub const NOTES_WAITING: usize = 256;

// === quotas ===

/// Most pipelines that a tenant can be given.
pub const QUOTA_PIPELINES_MAX: u32 = 1000;
/// Most destinations of a pipeline that a tenant can be given.
pub const QUOTA_DESTINATIONS_MAX: u32 = 16;
/// Least storage of a tenant, bytes: a few batches.
pub const QUOTA_STORAGE_MIN: u64 = 100_000_000;
/// Most storage of a tenant, bytes.
pub const QUOTA_STORAGE_MAX: u64 = 1_000_000_000_000_000;
/// Least memory of a stage instance, bytes: Python's own needs.
pub const QUOTA_STAGE_MEMORY_MIN: u64 = 32 << 20;
/// Most fragments in flight that a tenant can be given.
pub const QUOTA_FRAGMENTS_MAX: u32 = 16_000;
/// Most ffmpeg processes at once that a tenant can be given.
pub const QUOTA_FFMPEG_MAX: u32 = 256;
/// Events that wait for the one task that writes them down; pipelines' own queues wait beyond that.
pub const EVENTS_WAITING: usize = 256;
/// Events that a subscriber may be behind; then it loses the oldest.
pub const EVENTS_LISTENED: usize = 1024;
/// For pipelines to stop when the server ends, and again to be ended at once.
pub const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);
/// For threads that block (files, replies that are being read) when all else has ended; the process does not wait for
/// them any longer.
pub const BLOCKING_END_LIMIT: Duration = Duration::from_secs(2);

// === dry run ===

/// Dry runs that a tenant may have under way.
pub const DRY_RUNS_PER_TENANT: usize = 2;
/// Requests for a playlist, segment or key in a dry run.
pub const DRY_RUN_TRIES: u32 = 2;
/// For the playlists of a source.
pub const DRY_RUN_PLAYLIST_LIMIT: Duration = Duration::from_secs(20);
/// For the first segment and for ffmpeg to take it apart, or two target durations where those are longer...
pub const DRY_RUN_MEDIA_LIMIT: Duration = Duration::from_secs(30);
/// ...but not longer than this: together with the playlists it has to be over before the API stops waiting.
pub const DRY_RUN_MEDIA_LIMIT_MAX: Duration = Duration::from_secs(55);
/// For the connection to the processor and the handshake.
pub const DRY_RUN_PROCESSOR_LIMIT: Duration = Duration::from_secs(15);
/// For a processor that was greeted to say that it is ready.
pub const DRY_RUN_READY_WAIT: Duration = Duration::from_secs(1);
/// For a destination: name, connection, TLS, handshake, two commands.
pub const DRY_RUN_DESTINATION_LIMIT: Duration = Duration::from_secs(15);
/// For a folder of this machine.
pub const DRY_RUN_FILE_LIMIT: Duration = Duration::from_secs(5);
/// To load and open a stage: a component that was never used here is compiled first.
pub const DRY_RUN_STAGE_LIMIT: Duration = Duration::from_secs(60);
/// A dry run ends in its own answer: none of its parts, which run beside each other, takes as long as the API waits.
const _: () = {
    let source = DRY_RUN_PLAYLIST_LIMIT.as_secs() + DRY_RUN_MEDIA_LIMIT_MAX.as_secs();
    let processor = DRY_RUN_STAGE_LIMIT.as_secs() + DRY_RUN_PROCESSOR_LIMIT.as_secs() + DRY_RUN_READY_WAIT.as_secs();
    let answer = super::GRAPHQL_ANSWER_TIMEOUT.as_secs();
    assert!(source < answer && processor < answer && DRY_RUN_DESTINATION_LIMIT.as_secs() < answer);
    assert!(answer < super::API_ANSWER_MAX.as_secs());
};
/// Media time that a preview of a running pipeline goes back.
pub const PREVIEW_WINDOW: Duration = Duration::from_secs(180);
/// Batches that a preview is made of.
pub const PREVIEW_BATCHES_MAX: usize = 100;
/// Fragments in a preview's playlist.
pub const PREVIEW_FRAGMENTS_MAX: usize = 2000;
/// Files in the host's store of components that are looked at for a list, those of all tenants.
pub const COMPONENT_FILES_MAX: usize = 4096;
/// Components in the host's store that are listed for one tenant.
pub const COMPONENTS_LISTED_MAX: usize = 64;

// === webhooks ===

/// Bytes of a webhook's URL.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;
/// Least bytes of the key that a webhook's secret holds behind `whsec_`, as Standard Webhooks demands.
pub const WEBHOOK_KEY_BYTES_MIN: usize = 24;
/// Most bytes of it.
pub const WEBHOOK_KEY_BYTES_MAX: usize = 64;
/// Least bytes of a webhook's secret without `whsec_`: 128 bits, if they are random.
pub const WEBHOOK_SECRET_BYTES_MIN: usize = 16;
/// Most bytes of it.
pub const WEBHOOK_SECRET_BYTES_MAX: usize = 256;

/// Requests to receivers under way at once; each is a socket and a small task.
pub const WEBHOOK_SENDINGS_MAX: usize = 256;
/// Requests of one tenant under way at once; the others of its webhooks wait.
pub const WEBHOOK_TENANT_SENDINGS_MAX: usize = 4;
/// A receiver that has not answered by then has failed.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// A delivery that was claimed and never heard of again is due again after this: longer than a request may take.
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(60);
/// The queue is looked at this often even if nobody says that something is due.
pub const WEBHOOK_LOOK_EVERY: Duration = Duration::from_secs(5);
/// At the end of the process, for requests that are under way; what is cut off is sent again by the next start.
pub const WEBHOOK_STOP_LIMIT: Duration = Duration::from_secs(2);
/// Waits between the attempts of one delivery: 16 hours in all, then it is given up.
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
/// The schedule of these waits, each up to 20 % longer or shorter by chance: receivers that failed together are not tried
/// together.
pub const WEBHOOK_RETRY: Schedule =
    Schedule::steps(&WEBHOOK_WAITS, Duration::from_secs(8 * 3600 * 12 / 10)).jitter(80, 120);

// === SRS ===

/// SRS's API is asked this often about each destination that has one.
pub const SRS_ASK_EVERY: Duration = Duration::from_secs(2);
/// An API that has not answered by then has no view.
pub const SRS_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes of one answer; a stream takes about 700.
pub const SRS_ANSWER_BYTES_MAX: usize = 1 << 20;
/// Streams in one page of SRS's list.
pub const SRS_PAGE_STREAMS: usize = 500;
/// Pages in which a stream is looked for.
pub const SRS_PAGES_MAX: usize = 8;
