//! Converts samples into metrics.

use std::time::Duration;

use super::catalog::{self as is, Metric};
use crate::limits::METRICS_LABEL_BYTES_MAX;
use outboard_control::health::HealthState;
use outboard_control::samples::{HostSample, PipelineSample, StageSample, WebhookSample};
use outboard_egress::status::{DestinationState, DestinationStatus};
use outboard_exchange::{BreakerState, ExchangeStatus};
use outboard_logs::LogCounts;
use outboard_pipeline::cause::HealthCause;
use outboard_pipeline::status::Stats;
use outboard_pipeline::timings::{Reading, Step};

/// A metric with all its values.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) metric: &'static Metric,
    pub(super) series: Vec<(Vec<(&'static str, String)>, Value)>,
}

#[derive(Debug)]
pub(super) enum Value {
    Counter(u64),
    CounterSeconds(f64),
    Gauge(u64),
    GaugeSeconds(f64),
    Histogram(Reading),
    Info,
}

/// All metrics of these samples, in the order of the catalog.
pub(super) fn gather(host: Option<&HostSample>, pipelines: &[PipelineSample]) -> Vec<Family> {
    let families = is::ALL.iter().map(|metric| Family { metric, series: Vec::new() });
    let mut told = Families(families.collect());
    for pipeline in pipelines {
        told.pipeline(pipeline);
    }
    if let Some(host) = host {
        told.host(host);
    }
    told.0.retain(|family| !family.series.is_empty());
    told.0
}

/// Phases of a pipeline, in the order in which it passes them.
pub(super) const PHASES: [&str; 9] =
    ["stopped", "waiting", "starting", "buffering", "holding", "on-air", "off-air", "draining", "ended"];
/// Health states of a pipeline, with their names.
pub(super) const HEALTH: [(HealthState, &str); 5] = [
    (HealthState::Idle, "idle"),
    (HealthState::Starting, "starting"),
    (HealthState::Healthy, "healthy"),
    (HealthState::Degraded, "degraded"),
    (HealthState::Failing, "failing"),
];
const BREAKER: [(BreakerState, &str); 3] =
    [(BreakerState::Closed, "closed"), (BreakerState::Open, "open"), (BreakerState::Probing, "probing")];
const DESTINATION_STATES: [&str; 7] =
    ["waiting", "connecting", "publishing", "retrying", "done", "stopped", "disabled"];

struct Families(Vec<Family>);

impl Families {
    /// Adds a value; `labels` are the values of the metric's labels, in their order.
    fn add(&mut self, metric: &'static Metric, labels: &[&str], value: Value) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.base);
        let labels = metric.labels.iter().copied().zip(labels.iter().copied().map(bounded)).collect();
        if let Some(family) = self.0.iter_mut().find(|family| std::ptr::eq(family.metric, metric)) {
            family.series.push((labels, value));
        }
    }

    fn count(&mut self, metric: &'static Metric, labels: &[&str], count: u64) {
        self.add(metric, labels, Value::Counter(count));
    }

    fn gauge(&mut self, metric: &'static Metric, labels: &[&str], number: u64) {
        self.add(metric, labels, Value::Gauge(number));
    }

    fn seconds(&mut self, metric: &'static Metric, labels: &[&str], time: Duration) {
        self.add(metric, labels, Value::GaugeSeconds(time.as_secs_f64()));
    }

    /// Adds counts that have one more label.
    fn counts<'a>(
        &mut self,
        metric: &'static Metric,
        labels: &[&str],
        counts: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        for (last, count) in counts {
            self.count(metric, &with(labels, last), count);
        }
    }

    /// Adds 1 for the current value in `all`, and 0 for the others.
    fn one_of<'a>(&mut self, metric: &'static Metric, labels: &[&str], all: impl IntoIterator<Item = (&'a str, bool)>) {
        for (last, is_so) in all {
            self.gauge(metric, &with(labels, last), is_so.into());
        }
    }

    // --- pipelines ---

    fn pipeline(&mut self, sample: &PipelineSample) {
        let labels: &[&str] = &[&sample.tenant, &sample.stream];
        self.one_of(&is::PIPELINE_PHASE, labels, PHASES.map(|phase| (phase, phase == sample.phase)));
        self.one_of(&is::PIPELINE_HEALTH, labels, HEALTH.map(|(state, name)| (name, state == sample.health)));
        let causes = HealthCause::ALL.map(|cause| (cause.name(), Some(cause) == sample.cause));
        self.one_of(&is::PIPELINE_CAUSE, labels, causes);
        self.count(&is::PIPELINE_RESTARTS, labels, sample.restarts);
        if let Some(stats) = &sample.stats {
            self.stats(labels, stats);
            self.timings(labels, sample);
            if sample.live {
                self.gauge(&is::SOURCE_STALE, labels, stats.stale_since_ms.is_some().into());
                self.seconds(&is::BUFFER, labels, Duration::from_millis(stats.buffer_ms));
                self.gauge(&is::AIR_BATCHES_READY, labels, sample.batches_ready as u64);
            }
            if let Some(air_ms) = sample.air_ms.filter(|_| sample.live) {
                let ready = Duration::from_millis(sample.ready_ms.saturating_sub(air_ms));
                self.seconds(&is::AIR_READY, labels, ready);
            }
        }
        if let Some(exchange) = &sample.exchange {
            self.exchange(labels, exchange);
        }
        for destination in &sample.destinations {
            self.destination(&with(labels, &destination.name), destination);
        }
        for stage in &sample.stages {
            self.stage(&with(&with(&with(labels, stage.kind), &stage.component), &stage.digest), stage);
        }
        for (kind, bytes) in &sample.storage {
            self.gauge(&is::STORAGE, &with(labels, kind), *bytes);
        }
    }

    fn stats(&mut self, labels: &[&str], stats: &Stats) {
        self.count(&is::SEGMENTS, labels, stats.segments);
        self.count(&is::SEGMENT_BYTES, labels, stats.segment_bytes);
        self.counts(&is::SOURCE_GAPS, labels, stats.gaps.iter().map(|(reason, count)| (*reason, *count)));
        self.count(&is::SOURCE_EPOCHS, labels, stats.epochs);
        self.count(&is::BATCHES_CUT, labels, stats.batches);
        self.count(&is::BATCHES, &with(&with(labels, "processed"), ""), stats.processed);
        for (outcome, counts) in [("original", &stats.original), ("failed", &stats.failed)] {
            let counts = counts.iter().map(|(reason, count)| (*reason, *count));
            self.counts(&is::BATCHES, &with(labels, outcome), counts);
        }
        self.count(&is::BATCHES_LATE, labels, stats.late_batches);
        self.count(&is::PACKETS_IN, labels, stats.packets_in);
        let unusable = stats.packets_unusable.iter().map(|(reason, count)| (*reason, *count));
        self.counts(&is::PACKETS_UNUSABLE, labels, unusable);
        self.count(&is::FRAMES_ENCODED, labels, stats.frames_encoded);
        self.count(&is::PACKETS_LOST, labels, stats.packets_lost);
        self.count(&is::PACKETS_TRIMMED, labels, stats.packets_trimmed);
        self.count(&is::SPLICES, labels, stats.splices);
        self.seconds(&is::SKEW_MAX, labels, Duration::from_micros(stats.max_skew_us));
    }

    fn timings(&mut self, labels: &[&str], sample: &PipelineSample) {
        let timings = &sample.timings;
        for (step, reading) in Step::ALL.iter().zip(&timings.steps) {
            self.add(&is::STEP, &with(labels, step.name()), Value::Histogram(*reading));
        }
        self.add(&is::TIME_LEFT, labels, Value::Histogram(timings.time_left));
        self.add(&is::OVERRUN, labels, Value::Histogram(timings.overrun));
        if sample.exchange.is_some() || timings.round_trip.count() > 0 {
            self.add(&is::PROCESSOR_ROUND_TRIP, labels, Value::Histogram(timings.round_trip));
        }
    }

    fn exchange(&mut self, labels: &[&str], exchange: &ExchangeStatus) {
        self.gauge(&is::PROCESSOR_CONNECTED, labels, exchange.connected.into());
        self.gauge(&is::PROCESSOR_READY, labels, exchange.ready.into());
        self.one_of(&is::PROCESSOR_BREAKER, labels, BREAKER.map(|(state, name)| (name, state == exchange.breaker)));
        if exchange.connected {
            self.gauge(&is::PROCESSOR_IN_FLIGHT, labels, exchange.in_flight as u64);
        }
        self.gauge(&is::PROCESSOR_QUEUED, labels, exchange.queued as u64);
        let counted = &exchange.counters;
        self.count(&is::PROCESSOR_SENT, labels, counted.sent);
        self.count(&is::PROCESSOR_RESENT, labels, counted.resent);
        self.count(&is::PROCESSOR_BYTES, labels, counted.bytes);
        let replies = [
            ("used", counted.replies),
            ("duplicate", counted.duplicates),
            ("late", counted.late),
            ("unknown", counted.unknown),
            ("invalid", counted.invalid),
            ("failed", counted.failed),
        ];
        self.counts(&is::PROCESSOR_REPLIES, labels, replies);
        let unanswered =
            [("timeout", counted.timeouts), ("too-large", counted.too_large), ("breaker-open", counted.held_back)];
        self.counts(&is::PROCESSOR_UNANSWERED, labels, unanswered);
        self.count(&is::PROCESSOR_CONNECTS, labels, counted.connects);
        self.count(&is::PROCESSOR_DISCONNECTS, labels, counted.disconnects);
        self.count(&is::PROCESSOR_CONNECT_FAILURES, labels, counted.connect_failures);
    }

    fn destination(&mut self, labels: &[&str], status: &DestinationStatus) {
        // Alerts on the value 0 must not fire for a disabled destination.
        if !status.disabled {
            self.gauge(&is::DESTINATION_ON_AIR, labels, status.on_air().into());
        }
        let state = if status.disabled { "disabled" } else { state_name(&status.state) };
        self.one_of(&is::DESTINATION_STATE, labels, DESTINATION_STATES.map(|name| (name, name == state)));
        if status.on_air() {
            self.seconds(&is::DESTINATION_LAG, labels, Duration::from_millis(status.backlog_ms));
        }
        self.seconds(&is::DESTINATION_GAP_MAX, labels, status.max_gap);
        self.seconds(&is::DESTINATION_OWN_GAP_MAX, labels, status.max_own_gap);
        let counted = &status.counters;
        self.counts(&is::DESTINATION_PACKETS, labels, [("video", counted.video), ("audio", counted.audio)]);
        self.count(&is::DESTINATION_REPEATED, labels, counted.repeated);
        let dropped = [
            ("lag", counted.dropped.lag),
            ("released", counted.dropped.released),
            ("unreadable", counted.dropped.unreadable),
            ("unconfirmed", counted.unconfirmed),
        ];
        self.counts(&is::DESTINATION_DROPPED, labels, dropped);
        let skipped = Duration::from_millis(counted.skipped_ms);
        self.add(&is::DESTINATION_SKIPPED, labels, Value::CounterSeconds(skipped.as_secs_f64()));
        self.count(&is::DESTINATION_LATE, labels, counted.late);
        self.count(&is::DESTINATION_BYTES, labels, counted.bytes);
        self.count(&is::DESTINATION_SESSIONS, labels, counted.sessions);
        self.count(&is::DESTINATION_RECONNECTS, labels, counted.reconnects);
        self.count(&is::DESTINATION_JOURNAL_FAILURES, labels, counted.journal_failures);
    }

    fn stage(&mut self, labels: &[&str], stage: &StageSample) {
        let counts = &stage.counts;
        let total = Duration::from_nanos(counts.call_ns_total);
        self.count(&is::STAGE_CALLS, labels, counts.calls);
        self.add(&is::STAGE_CALL_TIME, labels, Value::CounterSeconds(total.as_secs_f64()));
        self.seconds(&is::STAGE_CALL_MAX, labels, Duration::from_nanos(counts.call_ns_max));
        let failures = [
            ("error", counts.errors),
            ("trap", counts.traps),
            ("memory", counts.over_memory),
            ("cpu", counts.over_cpu),
            ("wall-clock", counts.over_wall_clock),
            ("stack", counts.over_stack),
            ("snapshot", counts.over_snapshot),
            ("instances", counts.over_instances),
            ("invalid", counts.invalid_answers),
            ("host", counts.host_failures),
        ];
        self.counts(&is::STAGE_FAILURES, labels, failures);
        self.count(&is::STAGE_DEFAULTS, labels, counts.defaults);
        self.count(&is::STAGE_CANCELLED, labels, counts.cancelled);
        self.count(&is::STAGE_RESTARTS, labels, counts.restarts);
        self.count(&is::STAGE_STATES_LOST, labels, counts.states_lost);
    }

    // --- host ---

    fn host(&mut self, host: &HostSample) {
        self.add(&is::BUILD, &[&host.version, &host.ffmpeg], Value::Info);
        self.seconds(&is::UPTIME, &[], host.uptime);
        let process = &host.process;
        for (metric, number) in [
            (&is::RESIDENT, process.resident_bytes),
            (&is::OPEN_FDS, process.open_fds),
            (&is::MAX_FDS, process.max_fds),
            (&is::THREADS, process.threads),
            (&is::CHILDREN, process.children),
            (&is::STORAGE_FREE, host.storage.map(|(free, _)| free)),
            (&is::STORAGE_SIZE, host.storage.map(|(_, size)| size)),
            (&is::STAGE_INSTANCES_FREE, host.stage_instances_free.map(|free| free as u64)),
            (&is::SUBSCRIPTIONS, host.subscriptions.map(|open| open as u64)),
        ] {
            if let Some(number) = number {
                self.gauge(metric, &[], number);
            }
        }
        for (tenant, bytes) in &host.components {
            self.gauge(&is::STORAGE_COMPONENTS, &[tenant], *bytes);
        }
        if let Some(cpu) = process.cpu {
            self.add(&is::CPU, &[], Value::CounterSeconds(cpu.as_secs_f64()));
        }
        if let Some(queue) = &host.ffmpeg_queue {
            self.gauge(&is::FFMPEG_SLOTS, &[], queue.slots as u64);
            self.gauge(&is::FFMPEG_RUNNING, &[], queue.running as u64);
            self.gauge(&is::FFMPEG_WAITING, &[], queue.waiting as u64);
            self.seconds(&is::FFMPEG_WAITING_FOR, &[], queue.waiting_for);
        }
        if let Some(database) = &host.database {
            self.gauge(&is::DATABASE_WAITING, &["write"], database.writes as u64);
            self.gauge(&is::DATABASE_WAITING, &["read"], database.reads as u64);
        }
        if let Some(webhooks) = &host.webhooks {
            self.webhooks(webhooks);
        }
        if let Some(logs) = &host.logs {
            self.logs(logs);
        }
    }

    fn webhooks(&mut self, webhooks: &WebhookSample) {
        let sent = &webhooks.sent;
        self.counts(&is::WEBHOOK_DELIVERIES, &[], [("delivered", sent.delivered), ("given-up", sent.given_up)]);
        self.count(&is::WEBHOOK_FAILURES, &[], sent.failed);
        self.gauge(&is::WEBHOOK_SENDING, &[], sent.sending);
        if let Some(waiting) = webhooks.waiting {
            self.gauge(&is::WEBHOOK_WAITING, &[], waiting);
        }
    }

    fn logs(&mut self, logs: &LogCounts) {
        self.count(&is::LOG_LINES, &[], logs.lines);
        let dropped = [("rate", logs.left_out), ("queue", logs.unwritten), ("file", logs.failed)];
        self.counts(&is::LOG_LINES_DROPPED, &[], dropped);
        self.gauge(&is::LOG_MEMORY, &[], logs.bytes as u64);
        self.gauge(&is::LOG_READERS, &[], logs.subscribers as u64);
    }
}

fn state_name(state: &DestinationState) -> &'static str {
    match state {
        DestinationState::Waiting => "waiting",
        DestinationState::Connecting => "connecting",
        DestinationState::Publishing => "publishing",
        DestinationState::Retrying { .. } => "retrying",
        DestinationState::Done => "done",
        DestinationState::Stopped => "stopped",
    }
}

/// Returns the labels with `last` added at the end.
fn with<'a>(labels: &[&'a str], last: &'a str) -> Vec<&'a str> {
    labels.iter().copied().chain([last]).collect()
}

/// Shortens and cleans a label whose value comes from a component.
fn bounded(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    text.chars().take(METRICS_LABEL_BYTES_MAX / 4).map(plain).collect()
}
