//! Every metric: name, kind, unit and labels. The doc comments are the HELP texts of a scrape, and `docs/metrics.md`
//! lists them.

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises; starts at zero when the pipeline or the host starts.
    Counter,
    /// Rises and falls; shows the value at the time of the query.
    Gauge,
    /// Durations, counted by bucket.
    Histogram,
    /// Always 1; the labels carry the information.
    Info,
}

/// The unit of a metric; a metric without a unit counts things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Values are in seconds; the name ends in `_seconds`.
    Seconds,
    /// Values are in bytes; the name ends in `_bytes`.
    Bytes,
}

/// The definition of one metric: name, kind, unit, labels and help text.
#[derive(Debug)]
pub struct Metric {
    /// Name without prefix, unit and suffix.
    pub base: &'static str,
    /// The kind of the metric.
    pub kind: MetricKind,
    /// The unit of its values, if it has one.
    pub unit: Option<Unit>,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// The text of its HELP line.
    pub help: &'static str,
}

/// Prefix of every name.
pub const PREFIX: &str = "outboard";

impl Metric {
    /// The name in a query; for a histogram, `_bucket`, `_sum` or `_count` is appended.
    pub fn name(&self) -> String {
        let unit = match self.unit {
            Some(Unit::Seconds) => "_seconds",
            Some(Unit::Bytes) => "_bytes",
            None => "",
        };
        let suffix = match self.kind {
            MetricKind::Counter => "_total",
            MetricKind::Info => "_info",
            MetricKind::Gauge | MetricKind::Histogram => "",
        };
        format!("{PREFIX}_{}{unit}{suffix}", self.base)
    }
}

macro_rules! metrics {
    ($(#[doc = $help:literal] $id:ident = $kind:ident $base:literal $(in $unit:ident)? [$($label:ident),*];)*) => {
        $(
            #[doc = $help]
            pub static $id: Metric = Metric {
                base: $base,
                kind: MetricKind::$kind,
                unit: metrics!(@unit $($unit)?),
                labels: &[$(stringify!($label)),*],
                help: $help.trim_ascii(),
            };
        )*

        /// All metrics, in the order of the output.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
    (@unit) => { None };
    (@unit $unit:ident) => { Some(Unit::$unit) };
}

metrics! {
    // --- pipelines ---
    /// 1 for the phase that the pipeline is in, 0 for the others: stopped, waiting, starting, buffering, holding, on-air, off-air, draining, ended.
    PIPELINE_PHASE = Gauge "pipeline_phase" [tenant, stream, phase];
    /// 1 for the pipeline's health, 0 for the others: idle, starting, healthy, degraded, failing. Computed from packets sent.
    PIPELINE_HEALTH = Gauge "pipeline_health" [tenant, stream, health];
    /// 1 for the part that causes the pipeline's problem, 0 for the others: settings, quota, disk, source, processor, stage, destination; all 0 without a problem.
    PIPELINE_CAUSE = Gauge "pipeline_cause" [tenant, stream, cause];
    /// Restarts of the pipeline after failures, since it was last started by a user.
    PIPELINE_RESTARTS = Counter "pipeline_restarts" [tenant, stream];

    // --- source and batch ---
    /// Segments fetched.
    SEGMENTS = Counter "segments" [tenant, stream];
    /// Bytes of the segments fetched.
    SEGMENT_BYTES = Counter "segment" in Bytes [tenant, stream];
    /// Segments missing, by reason.
    SOURCE_GAPS = Counter "source_gaps" [tenant, stream, reason];
    /// Restarts of the playlist.
    SOURCE_EPOCHS = Counter "source_epochs" [tenant, stream];
    /// 1 while the playlist has no new segments.
    SOURCE_STALE = Gauge "source_stale" [tenant, stream];
    /// Media time in the batch that is being collected.
    BUFFER = Gauge "buffer" in Seconds [tenant, stream];
    /// Batches cut.
    BATCHES_CUT = Counter "batches_cut" [tenant, stream];

    // --- what became of batches ---
    /// Batches by what went on air: outcome processed, original (reason: why) or failed (reason: the step that lost it).
    BATCHES = Counter "batches" [tenant, stream, outcome, reason];
    /// How long a step took for a batch: demux (all its segments, and its cut), exchange (until reply or decision), remux; and from its last segment on: sent (until its audio was handed to the exchange), ready (until it was ready for air), on-air (until its first packet was on air).
    STEP = Histogram "step_duration" in Seconds [tenant, stream, step];
    /// Time between a batch being ready and its time on air.
    TIME_LEFT = Histogram "deadline_time_left" in Seconds [tenant, stream];
    /// How late a batch was ready; late batches only.
    OVERRUN = Histogram "deadline_overrun" in Seconds [tenant, stream];
    /// Batches that were ready later than their time on air.
    BATCHES_LATE = Counter "batches_late" [tenant, stream];
    /// Packets demuxed.
    PACKETS_IN = Counter "packets_in" [tenant, stream];
    /// Packets of the source that could not be used, by reason.
    PACKETS_UNUSABLE = Counter "packets_unusable" [tenant, stream, reason];
    /// Frames of the source's audio that were encoded to AAC.
    FRAMES_ENCODED = Counter "frames_encoded" [tenant, stream];
    /// Packets that remuxing lost.
    PACKETS_LOST = Counter "packets_lost" [tenant, stream];
    /// Packets of processed audio beyond a batch's length, removed.
    PACKETS_TRIMMED = Counter "packets_trimmed" [tenant, stream];
    /// Jumps in the source's timestamps that were spliced.
    SPLICES = Counter "splices" [tenant, stream];
    /// Largest shift of audio against video in this run, by rounding or by a reply of another length.
    SKEW_MAX = Gauge "skew_max" in Seconds [tenant, stream];

    // --- processor ---
    /// 1 while the processor is connected.
    PROCESSOR_CONNECTED = Gauge "processor_connected" [tenant, stream];
    /// 1 while the processor accepts fragments: connected, ready, not paused.
    PROCESSOR_READY = Gauge "processor_ready" [tenant, stream];
    /// 1 for the state of the circuit breaker, 0 for the others: closed, open, probing.
    PROCESSOR_BREAKER = Gauge "processor_breaker" [tenant, stream, state];
    /// Fragments sent and not yet answered.
    PROCESSOR_IN_FLIGHT = Gauge "processor_in_flight" [tenant, stream];
    /// Fragments waiting to be sent.
    PROCESSOR_QUEUED = Gauge "processor_queued" [tenant, stream];
    /// Time from the last byte of a fragment to its reply; replies in time only.
    PROCESSOR_ROUND_TRIP = Histogram "processor_round_trip" in Seconds [tenant, stream];
    /// Fragments sent, each sending counted.
    PROCESSOR_SENT = Counter "processor_fragments_sent" [tenant, stream];
    /// Fragments sent again.
    PROCESSOR_RESENT = Counter "processor_fragments_resent" [tenant, stream];
    /// Bytes sent to the processor.
    PROCESSOR_BYTES = Counter "processor_sent" in Bytes [tenant, stream];
    /// Replies, by use: used, duplicate, late, unknown, invalid, or failed (the processor reported a failure).
    PROCESSOR_REPLIES = Counter "processor_replies" [tenant, stream, result];
    /// Fragments without a reply, by reason: timeout, too-large, breaker-open.
    PROCESSOR_UNANSWERED = Counter "processor_unanswered" [tenant, stream, reason];
    /// Connections to the processor opened.
    PROCESSOR_CONNECTS = Counter "processor_connects" [tenant, stream];
    /// Connections to the processor lost.
    PROCESSOR_DISCONNECTS = Counter "processor_disconnects" [tenant, stream];
    /// Attempts to connect to the processor that failed.
    PROCESSOR_CONNECT_FAILURES = Counter "processor_connect_failures" [tenant, stream];

    // --- air ---
    /// Media that is ready and not yet on air: the cushion.
    AIR_READY = Gauge "air_ready" in Seconds [tenant, stream];
    /// Batches that are ready and have not aired at every destination.
    AIR_BATCHES_READY = Gauge "air_batches_ready" [tenant, stream];
    /// 1 while packets were sent to the destination in the last seconds; absent while it is disabled.
    DESTINATION_ON_AIR = Gauge "destination_on_air" [tenant, stream, destination];
    /// 1 for the state of the destination's session, 0 for the others: waiting, connecting, publishing, retrying, done, stopped, disabled.
    DESTINATION_STATE = Gauge "destination_state" [tenant, stream, destination, state];
    /// How far the destination is behind the air clock, in media time.
    DESTINATION_LAG = Gauge "destination_lag" in Seconds [tenant, stream, destination];
    /// Longest gap between packets in this run.
    DESTINATION_GAP_MAX = Gauge "destination_gap_max" in Seconds [tenant, stream, destination];
    /// Longest gap between packets in this run, without the receiver's own outages.
    DESTINATION_OWN_GAP_MAX = Gauge "destination_own_gap_max" in Seconds [tenant, stream, destination];
    /// Packets written, repeats included, by kind: video, audio.
    DESTINATION_PACKETS = Counter "destination_packets" [tenant, stream, destination, kind];
    /// Packets written that had been written before.
    DESTINATION_REPEATED = Counter "destination_packets_repeated" [tenant, stream, destination];
    /// Packets skipped, by reason: lag (too far behind), released (disconnected for too long), unreadable, unconfirmed (written to a session that was lost).
    DESTINATION_DROPPED = Counter "destination_packets_dropped" [tenant, stream, destination, reason];
    /// Programme that the destination did not get because packets were skipped.
    DESTINATION_SKIPPED = Counter "destination_skipped" in Seconds [tenant, stream, destination];
    /// Packets sent more than a second after their time.
    DESTINATION_LATE = Counter "destination_packets_late" [tenant, stream, destination];
    /// Bytes written, with all protocol overhead.
    DESTINATION_BYTES = Counter "destination_sent" in Bytes [tenant, stream, destination];
    /// Sessions opened.
    DESTINATION_SESSIONS = Counter "destination_sessions" [tenant, stream, destination];
    /// Sessions lost.
    DESTINATION_RECONNECTS = Counter "destination_reconnects" [tenant, stream, destination];
    /// Positions on air that were not journalled in time; the packets were sent nevertheless.
    DESTINATION_JOURNAL_FAILURES = Counter "destination_journal_failures" [tenant, stream, destination];

    // --- stages ---
    /// Calls of a stage: batching, framing, remux-planning; component is its own name, digest the first 12 digits of its identity.
    STAGE_CALLS = Counter "stage_calls" [tenant, stream, stage, component, digest];
    /// Time in a stage's calls.
    STAGE_CALL_TIME = Counter "stage_call" in Seconds [tenant, stream, stage, component, digest];
    /// The longest call of a stage in this run.
    STAGE_CALL_MAX = Gauge "stage_call_max" in Seconds [tenant, stream, stage, component, digest];
    /// Calls that failed, by reason: error (the stage said so), trap, memory, cpu, wall-clock, stack, snapshot, instances, invalid (breaks the contract), host.
    STAGE_FAILURES = Counter "stage_failures" [tenant, stream, stage, component, digest, reason];
    /// Calls that the host's default decision answered.
    STAGE_DEFAULTS = Counter "stage_defaults" [tenant, stream, stage, component, digest];
    /// Calls that the host cancelled.
    STAGE_CANCELLED = Counter "stage_cancelled" [tenant, stream, stage, component, digest];
    /// Instances of a stage that were started after the first.
    STAGE_RESTARTS = Counter "stage_restarts" [tenant, stream, stage, component, digest];
    /// Restarts of a stage that could not resume from its snapshot.
    STAGE_STATES_LOST = Counter "stage_states_lost" [tenant, stream, stage, component, digest];

    // --- storage ---
    /// Bytes that a stream's files take, by kind: originalSegments, videoFragments, audioFragments, processedAudio, remuxedOutput, other, logs.
    STORAGE = Gauge "storage" in Bytes [tenant, stream, kind];
    /// Bytes of the stage components that a tenant added; they count in its storage quota. For host-wide callers.
    STORAGE_COMPONENTS = Gauge "storage_components" in Bytes [tenant];
    /// Free bytes on the file system of the storage.
    STORAGE_FREE = Gauge "storage_free" in Bytes [];
    /// Size of the file system of the storage.
    STORAGE_SIZE = Gauge "storage_size" in Bytes [];

    // --- host ---
    /// Versions of the host and of ffmpeg.
    BUILD = Info "build" [version, ffmpeg];
    /// Time since the host started.
    UPTIME = Gauge "uptime" in Seconds [];
    /// Resident memory of the host, without its child processes.
    RESIDENT = Gauge "process_resident_memory" in Bytes [];
    /// Processor time of the host, user and system, without its child processes.
    CPU = Counter "process_cpu" in Seconds [];
    /// File descriptors that are open.
    OPEN_FDS = Gauge "process_open_fds" [];
    /// File descriptors that may be open.
    MAX_FDS = Gauge "process_max_fds" [];
    /// Threads.
    THREADS = Gauge "process_threads" [];
    /// Running child processes: ffmpeg.
    CHILDREN = Gauge "child_processes" [];
    /// Limit of concurrent runs of ffmpeg.
    FFMPEG_SLOTS = Gauge "ffmpeg_slots" [];
    /// Runs of ffmpeg in progress.
    FFMPEG_RUNNING = Gauge "ffmpeg_running" [];
    /// Runs of ffmpeg that are queued.
    FFMPEG_WAITING = Gauge "ffmpeg_waiting" [];
    /// Longest time that a queued run of ffmpeg has waited.
    FFMPEG_WAITING_FOR = Gauge "ffmpeg_longest_wait" in Seconds [];
    /// Stage instances that can still be started.
    STAGE_INSTANCES_FREE = Gauge "stage_instances_free" [];
    /// Queued requests to the database, by kind: write, read.
    DATABASE_WAITING = Gauge "database_waiting" [kind];
    /// Subscriptions that are open.
    SUBSCRIPTIONS = Gauge "subscriptions" [];
    /// Completed deliveries of webhooks, by outcome: delivered, or given-up after too many attempts.
    WEBHOOK_DELIVERIES = Counter "webhook_deliveries" [outcome];
    /// Failed requests to webhooks, each attempt counted.
    WEBHOOK_FAILURES = Counter "webhook_failures" [];
    /// Requests to webhooks in progress.
    WEBHOOK_SENDING = Gauge "webhook_sending" [];
    /// Deliveries of webhooks that wait for an attempt.
    WEBHOOK_WAITING = Gauge "webhook_waiting" [];
    /// Lines of the log.
    LOG_LINES = Counter "log_lines" [];
    /// Lines of the log that were dropped, by reason: rate (everywhere), queue and file (only in the file).
    LOG_LINES_DROPPED = Counter "log_lines_dropped" [reason];
    /// Bytes of the log lines kept in memory.
    LOG_MEMORY = Gauge "log_memory" in Bytes [];
    /// Readers of the log's live feed.
    LOG_READERS = Gauge "log_readers" [];
}
