//! Every metric: its name, kind, unit and labels. Its documentation is what a scrape tells as HELP and what
//! `docs/metrics.md` lists.

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises; from zero again when the pipeline or the host starts anew.
    Counter,
    /// What is now.
    Gauge,
    /// Durations by size.
    Histogram,
    /// Always 1; the labels tell.
    Info,
}

/// What a metric is counted in; without one, things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name without prefix, unit and suffix.
    pub base: &'static str,
    /// What it is.
    pub kind: Kind,
    /// What it is counted in.
    pub unit: Option<Unit>,
    /// What its labels are.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

/// Begins every name.
pub const PREFIX: &str = "outboard";

impl Metric {
    /// Its name in a query; a histogram's has `_bucket`, `_sum` or `_count` behind it there.
    pub fn name(&self) -> String {
        let unit = match self.unit {
            Some(Unit::Seconds) => "_seconds",
            Some(Unit::Bytes) => "_bytes",
            None => "",
        };
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
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
                kind: Kind::$kind,
                unit: metrics!(@unit $($unit)?),
                labels: &[$(stringify!($label)),*],
                help: $help.trim_ascii(),
            };
        )*

        /// All of them, in the order in which they are told.
        pub static ALL: &[&Metric] = &[$(&$id),*];
    };
    (@unit) => { None };
    (@unit $unit:ident) => { Some(Unit::$unit) };
}

metrics! {
    // --- pipelines ---
    /// 1 for the phase that the pipeline is in, 0 for the others: stopped, waiting, starting, buffering, holding, on-air, off-air, draining, ended.
    PIPELINE_PHASE = Gauge "pipeline_phase" [tenant, stream, phase];
    /// 1 for the health that the pipeline has, 0 for the others: idle, starting, healthy, degraded, failing. Read off packets that left.
    PIPELINE_HEALTH = Gauge "pipeline_health" [tenant, stream, health];
    /// 1 for the part that the pipeline's problem comes from, 0 for the others: settings, quota, disk, source, processor, stage, destination; all 0 where nothing is wrong.
    PIPELINE_CAUSE = Gauge "pipeline_cause" [tenant, stream, cause];
    /// Starts of the pipeline after a failure, since it was last told to run.
    PIPELINE_RESTARTS = Counter "pipeline_restarts" [tenant, stream];

    // --- source and batch ---
    /// Segments fetched.
    SEGMENTS = Counter "segments" [tenant, stream];
    /// Bytes of the segments fetched.
    SEGMENT_BYTES = Counter "segment" in Bytes [tenant, stream];
    /// Segments that the source did not give, by reason.
    SOURCE_GAPS = Counter "source_gaps" [tenant, stream, reason];
    /// Playlists that started anew.
    SOURCE_EPOCHS = Counter "source_epochs" [tenant, stream];
    /// 1 while the source brings nothing new.
    SOURCE_STALE = Gauge "source_stale" [tenant, stream];
    /// Media time in the batch that is being collected.
    BUFFER = Gauge "buffer" in Seconds [tenant, stream];
    /// Batches cut.
    BATCHES_CUT = Counter "batches_cut" [tenant, stream];

    // --- what became of batches ---
    /// Batches by what went on air: outcome processed, original (reason: why) or failed (reason: the step that lost it).
    BATCHES = Counter "batches" [tenant, stream, outcome, reason];
    /// How long a step took for a batch: demux, exchange (until reply or decision), remux; and from its last segment on: ready (until it was ready for air), on-air (until its first packet was on air).
    STEP = Histogram "step_duration" in Seconds [tenant, stream, step];
    /// Time in hand when a batch was ready for air.
    TIME_LEFT = Histogram "deadline_time_left" in Seconds [tenant, stream];
    /// How much too late a batch was ready, where it was.
    OVERRUN = Histogram "deadline_overrun" in Seconds [tenant, stream];
    /// Batches that were ready later than their time on air.
    BATCHES_LATE = Counter "batches_late" [tenant, stream];
    /// Packets demuxed.
    PACKETS_IN = Counter "packets_in" [tenant, stream];
    /// Packets that remuxing lost.
    PACKETS_LOST = Counter "packets_lost" [tenant, stream];
    /// Packets of processed audio beyond a batch's length, left out.
    PACKETS_TRIMMED = Counter "packets_trimmed" [tenant, stream];
    /// Jumps of the source's time that were spliced out.
    SPLICES = Counter "splices" [tenant, stream];
    /// The most that rounding moved sound against picture in this run.
    SKEW_MAX = Gauge "skew_max" in Seconds [tenant, stream];

    // --- processor ---
    /// 1 while there is a connection to the processor.
    PROCESSOR_CONNECTED = Gauge "processor_connected" [tenant, stream];
    /// 1 while the processor takes fragments: connected, ready, not paused.
    PROCESSOR_READY = Gauge "processor_ready" [tenant, stream];
    /// 1 for the state of the circuit breaker, 0 for the others: closed, open, probing.
    PROCESSOR_BREAKER = Gauge "processor_breaker" [tenant, stream, state];
    /// Fragments that the processor has.
    PROCESSOR_IN_FLIGHT = Gauge "processor_in_flight" [tenant, stream];
    /// Fragments that wait to be sent.
    PROCESSOR_QUEUED = Gauge "processor_queued" [tenant, stream];
    /// From the last byte of a fragment to its reply, where it came in time.
    PROCESSOR_ROUND_TRIP = Histogram "processor_round_trip" in Seconds [tenant, stream];
    /// Fragments sent, each sending counted.
    PROCESSOR_SENT = Counter "processor_fragments_sent" [tenant, stream];
    /// Fragments sent again.
    PROCESSOR_RESENT = Counter "processor_fragments_resent" [tenant, stream];
    /// Bytes sent to the processor.
    PROCESSOR_BYTES = Counter "processor_sent" in Bytes [tenant, stream];
    /// Replies by what became of them: used, duplicate, late, unknown, invalid, or failed where the processor gave up.
    PROCESSOR_REPLIES = Counter "processor_replies" [tenant, stream, result];
    /// Fragments without a reply, by reason: timeout, too-large, breaker-open.
    PROCESSOR_UNANSWERED = Counter "processor_unanswered" [tenant, stream, reason];
    /// Connections to the processor made.
    PROCESSOR_CONNECTS = Counter "processor_connects" [tenant, stream];
    /// Connections to the processor lost.
    PROCESSOR_DISCONNECTS = Counter "processor_disconnects" [tenant, stream];
    /// Attempts to connect to the processor that failed.
    PROCESSOR_CONNECT_FAILURES = Counter "processor_connect_failures" [tenant, stream];

    // --- air ---
    /// Media that is ready and not yet on air: the cushion.
    AIR_READY = Gauge "air_ready" in Seconds [tenant, stream];
    /// Batches that are ready and not yet on air everywhere.
    AIR_BATCHES_READY = Gauge "air_batches_ready" [tenant, stream];
    /// 1 while packets left for the destination within the last seconds; absent while it is disabled.
    DESTINATION_ON_AIR = Gauge "destination_on_air" [tenant, stream, destination];
    /// 1 for what the destination's session does, 0 for the others: waiting, connecting, publishing, retrying, done, stopped, disabled.
    DESTINATION_STATE = Gauge "destination_state" [tenant, stream, destination, state];
    /// How far the destination is behind the air clock, in media time.
    DESTINATION_LAG = Gauge "destination_lag" in Seconds [tenant, stream, destination];
    /// Longest pause between packets in this run.
    DESTINATION_GAP_MAX = Gauge "destination_gap_max" in Seconds [tenant, stream, destination];
    /// Longest pause between packets in this run, without the receiver's own outages.
    DESTINATION_OWN_GAP_MAX = Gauge "destination_own_gap_max" in Seconds [tenant, stream, destination];
    /// Packets written, repeats included, by kind: video, audio.
    DESTINATION_PACKETS = Counter "destination_packets" [tenant, stream, destination, kind];
    /// Packets written that had been written before.
    DESTINATION_REPEATED = Counter "destination_packets_repeated" [tenant, stream, destination];
    /// Packets skipped, by reason: lag (too far behind), released (away for too long), unreadable; unconfirmed where they had been written to a session that was lost.
    DESTINATION_DROPPED = Counter "destination_packets_dropped" [tenant, stream, destination, reason];
    /// Programme that the destination never got because its packets were skipped.
    DESTINATION_SKIPPED = Counter "destination_skipped" in Seconds [tenant, stream, destination];
    /// Packets that left later than a second after their time.
    DESTINATION_LATE = Counter "destination_packets_late" [tenant, stream, destination];
    /// Bytes written, with all protocol overhead.
    DESTINATION_BYTES = Counter "destination_sent" in Bytes [tenant, stream, destination];
    /// Sessions opened.
    DESTINATION_SESSIONS = Counter "destination_sessions" [tenant, stream, destination];
    /// Sessions lost.
    DESTINATION_RECONNECTS = Counter "destination_reconnects" [tenant, stream, destination];
    /// Positions on air that were not journalled in time; packets left without.
    DESTINATION_JOURNAL_FAILURES = Counter "destination_journal_failures" [tenant, stream, destination];

    // --- stages ---
    /// Calls of a stage: batching, framing, remux-planning; component is the name that it gives itself, digest the first 12 digits of its identity.
    STAGE_CALLS = Counter "stage_calls" [tenant, stream, stage, component, digest];
    /// Time in a stage's calls.
    STAGE_CALL_TIME = Counter "stage_call" in Seconds [tenant, stream, stage, component, digest];
    /// The longest call of a stage in this run.
    STAGE_CALL_MAX = Gauge "stage_call_max" in Seconds [tenant, stream, stage, component, digest];
    /// Calls that failed, by reason: error (the stage said so), trap, memory, cpu, wall-clock, stack, snapshot, instances, invalid (breaks the contract), host.
    STAGE_FAILURES = Counter "stage_failures" [tenant, stream, stage, component, digest, reason];
    /// Calls that the host's plain default answered.
    STAGE_DEFAULTS = Counter "stage_defaults" [tenant, stream, stage, component, digest];
    /// Calls that the host gave up in the middle.
    STAGE_CANCELLED = Counter "stage_cancelled" [tenant, stream, stage, component, digest];
    /// Instances of a stage that were started after the first.
    STAGE_RESTARTS = Counter "stage_restarts" [tenant, stream, stage, component, digest];
    /// Restarts of a stage that could not go on from its snapshot.
    STAGE_STATES_LOST = Counter "stage_states_lost" [tenant, stream, stage, component, digest];

    // --- storage ---
    /// Bytes that a stream's files take, by kind: originalSegments, videoFragments, audioFragments, processedAudio, remuxedOutput, other, logs.
    STORAGE = Gauge "storage" in Bytes [tenant, stream, kind];
    /// Bytes of the stage components that a tenant added; they count in its storage quota. For host-wide callers.
    STORAGE_COMPONENTS = Gauge "storage_components" in Bytes [tenant];
    /// Bytes that may still be written where the storage lies.
    STORAGE_FREE = Gauge "storage_free" in Bytes [];
    /// Size of the file system that the storage lies on.
    STORAGE_SIZE = Gauge "storage_size" in Bytes [];

    // --- host ---
    /// Versions of the host and of ffmpeg.
    BUILD = Info "build" [version, ffmpeg];
    /// Time since the host started.
    UPTIME = Gauge "uptime" in Seconds [];
    /// Memory of the host that is in RAM, its child processes' not included.
    RESIDENT = Gauge "process_resident_memory" in Bytes [];
    /// Time on a processor, user and system, child processes' not included.
    CPU = Counter "process_cpu" in Seconds [];
    /// File descriptors that are open.
    OPEN_FDS = Gauge "process_open_fds" [];
    /// File descriptors that may be open.
    MAX_FDS = Gauge "process_max_fds" [];
    /// Threads.
    THREADS = Gauge "process_threads" [];
    /// Child processes that live: ffmpeg.
    CHILDREN = Gauge "child_processes" [];
    /// Runs of ffmpeg that may be under way at once.
    FFMPEG_SLOTS = Gauge "ffmpeg_slots" [];
    /// Runs of ffmpeg under way.
    FFMPEG_RUNNING = Gauge "ffmpeg_running" [];
    /// Runs of ffmpeg that wait for their turn.
    FFMPEG_WAITING = Gauge "ffmpeg_waiting" [];
    /// How long the run of ffmpeg that waits longest has waited.
    FFMPEG_WAITING_FOR = Gauge "ffmpeg_longest_wait" in Seconds [];
    /// Stage instances that can still be started.
    STAGE_INSTANCES_FREE = Gauge "stage_instances_free" [];
    /// Work that waits for the database, by kind: write, read.
    DATABASE_WAITING = Gauge "database_waiting" [kind];
    /// Subscriptions that are open.
    SUBSCRIPTIONS = Gauge "subscriptions" [];
    /// Deliveries of webhooks that are over, by outcome: delivered, or given-up after too many attempts.
    WEBHOOK_DELIVERIES = Counter "webhook_deliveries" [outcome];
    /// Requests to webhooks in vain, each attempt counted.
    WEBHOOK_FAILURES = Counter "webhook_failures" [];
    /// Requests to webhooks under way.
    WEBHOOK_SENDING = Gauge "webhook_sending" [];
    /// Deliveries of webhooks that wait for their turn or their next attempt.
    WEBHOOK_WAITING = Gauge "webhook_waiting" [];
    /// Lines of the log.
    LOG_LINES = Counter "log_lines" [];
    /// Lines of the log that are missing, by reason: rate (nowhere), queue and file (not in the file).
    LOG_LINES_DROPPED = Counter "log_lines_dropped" [reason];
    /// Bytes of the lines that are kept in memory.
    LOG_MEMORY = Gauge "log_memory" in Bytes [];
    /// Readers of the log's live feed.
    LOG_READERS = Gauge "log_readers" [];
}
