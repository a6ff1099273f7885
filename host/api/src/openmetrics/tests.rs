use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::catalog::{ALL, Metric, MetricKind, Unit};
use super::*;
use outboard_control::health::HealthState;
use outboard_control::samples::process::ProcessSample;
use outboard_control::samples::{DatabaseSample, FfmpegSample, HostSample, PipelineSample, StageSample, WebhookSample};
use outboard_control::snapshot::OFF_AIR;
use outboard_control::webhooks::SenderStats;
use outboard_egress::status::{Counters, DestinationState, DestinationStatus, Dropped};
use outboard_exchange::ExchangeStatus;
use outboard_logs::LogCounts;
use outboard_pipeline::cause::HealthCause;
use outboard_pipeline::status::{Phase, Stats};
use outboard_pipeline::timings::{Step, Timings};
use outboard_stage::StageCounts;

mod deploy;
mod exposition;

use exposition::Exposition;

/// A pipeline in which every counter has a value.
fn pipeline(tenant: &str, stream: &str) -> PipelineSample {
    let timings = Timings::default();
    for (n, step) in Step::ALL.into_iter().enumerate() {
        timings.record_step(step, Duration::from_millis(40 * n as u64 + 5));
        timings.record_step(step, Duration::from_secs(500));
    }
    timings.round_trip(Duration::from_millis(1500));
    timings.time_left(2_000);
    timings.time_left(-100);
    let stats = Stats {
        segments: 9,
        segment_bytes: 9_000_000,
        buffer_ms: 2_500,
        gaps: BTreeMap::from([("slid-out", 2)]),
        batches: 4,
        processed: 3,
        original: BTreeMap::from([("late", 1), ("not-sent", 2)]),
        failed: BTreeMap::from([("demux", 1)]),
        packets_in: 4_000,
        packets_unusable: BTreeMap::from([("truncated", 5)]),
        frames_encoded: 77,
        max_skew_us: 666,
        last_error: Some("SECRET error".into()),
        ..Stats::default()
    };
    let counters = Counters {
        video: 100,
        audio: 200,
        bytes: 5_000,
        dropped: Dropped { lag: 7, ..Dropped::default() },
        skipped_ms: 2_500,
        ..Counters::default()
    };
    let destination = DestinationStatus {
        name: "rtmp-0a1b2c3d".into(),
        url: "rtmp://SECRET-host/live/…".into(),
        state: DestinationState::Retrying { reason: "SECRET reason".into(), attempt: 3 },
        counters,
        last_packet_at: Some(Instant::now()),
        max_gap: Duration::from_millis(1_250),
        backlog_ms: 300,
        ..DestinationStatus::default()
    };
    let counts = StageCounts { calls: 12, call_ns_total: 1_500_000_000, traps: 1, ..StageCounts::default() };
    let exchange =
        ExchangeStatus { connected: true, problem: Some("SECRET problem".into()), ..ExchangeStatus::default() };
    PipelineSample {
        tenant: tenant.into(),
        stream: stream.into(),
        phase: Phase::OnAir.name(),
        health: HealthState::Degraded,
        cause: Some(HealthCause::Destination),
        live: true,
        restarts: 1,
        stats: Some(stats),
        timings: timings.read(),
        destinations: vec![destination],
        exchange: Some(exchange),
        stages: vec![StageSample {
            kind: "framing",
            component: "framing-fragment".into(),
            digest: "0123456789ab".into(),
            counts,
        }],
        air_ms: Some(10_000),
        ready_ms: 13_500,
        batches_ready: 2,
        storage: vec![("originalSegments", 1_000), ("logs", 10)],
    }
}

fn host() -> HostSample {
    HostSample {
        version: "0.1.0".into(),
        ffmpeg: "ffmpeg version 5.1".into(),
        uptime: Duration::from_secs(3_600),
        process: ProcessSample {
            resident_bytes: Some(41_000_000),
            threads: Some(9),
            open_fds: Some(30),
            max_fds: Some(u64::MAX),
            children: Some(2),
            cpu: Some(Duration::from_millis(1_234)),
        },
        ffmpeg_queue: Some(FfmpegSample { slots: 8, running: 2, waiting: 1, waiting_for: Duration::from_millis(250) }),
        stage_instances_free: Some(250),
        database: Some(DatabaseSample { writes: 1, reads: 2 }),
        storage: Some((10, 100)),
        components: vec![("acme".into(), 296_000)],
        subscriptions: Some(5),
        webhooks: Some(WebhookSample {
            sent: SenderStats { sending: 1, delivered: 20, failed: 3, given_up: 2 },
            waiting: Some(4),
        }),
        logs: Some(LogCounts { lines: 7, left_out: 1, ..LogCounts::default() }),
    }
}

fn everything() -> Exposition {
    Exposition::parse(&render(Some(&host()), &[pipeline("a", "tv"), pipeline("b", "tv")]))
}

#[test]
fn every_metric_is_told_with_its_labels() {
    let told = everything();
    for metric in ALL {
        let family = told.families.get(&family_name(metric)).unwrap_or_else(|| panic!("{} is not told", metric.name()));
        let kind = match metric.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Info => "info",
        };
        assert_eq!((family.kind.as_str(), family.help.as_str()), (kind, metric.help));
        assert!(family.samples.iter().any(|sample| sample.name.starts_with(&metric.name())), "{}", metric.name());
        let own: BTreeSet<&str> = metric.labels.iter().copied().collect();
        for sample in &family.samples {
            let labels: BTreeSet<&str> =
                sample.labels.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "le").collect();
            assert_eq!(labels, own, "{}", metric.name());
        }
    }
    assert_eq!(told.families.len(), ALL.len());
    let names: BTreeSet<String> = ALL.iter().map(|metric| metric.name()).collect();
    assert_eq!(names.len(), ALL.len(), "names are unique");
}

/// The name in TYPE and HELP: without the suffix of counters and infos.
fn family_name(metric: &Metric) -> String {
    let name = metric.name();
    let suffix = match metric.kind {
        MetricKind::Counter => "_total",
        MetricKind::Info => "_info",
        MetricKind::Gauge | MetricKind::Histogram => "",
    };
    name.strip_suffix(suffix).unwrap().to_owned()
}

#[test]
fn units_are_base_units_and_in_the_name() {
    for metric in ALL {
        let name = family_name(metric);
        match metric.unit {
            Some(Unit::Seconds) => assert!(name.ends_with("_seconds")),
            Some(Unit::Bytes) => assert!(name.ends_with("_bytes")),
            None => {
                assert!(!["_ms", "_us", "_kb", "_seconds", "_bytes"].iter().any(|unit| name.ends_with(unit)), "{name}")
            }
        }
        assert!(metric.kind != MetricKind::Histogram || metric.unit == Some(Unit::Seconds), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.contains(['\\', '\n', '"']), "{name}: {}", metric.help);
    }
}

#[test]
fn numbers_arrive_as_they_are() {
    let told = everything();
    let of = |name: &str, labels: &[(&str, &str)]| {
        told.value(name, &[&[("tenant", "a"), ("stream", "tv")], labels].concat())
    };
    let to = ("destination", "rtmp-0a1b2c3d");
    let stage = [("stage", "framing"), ("component", "framing-fragment"), ("digest", "0123456789ab")];
    for (name, labels, value) in [
        ("outboard_segments_total", &[][..], 9.0),
        ("outboard_segment_bytes_total", &[], 9e6),
        ("outboard_buffer_seconds", &[], 2.5),
        ("outboard_source_gaps_total", &[("reason", "slid-out")], 2.0),
        ("outboard_packets_unusable_total", &[("reason", "truncated")], 5.0),
        ("outboard_frames_encoded_total", &[], 77.0),
        ("outboard_batches_total", &[("outcome", "processed"), ("reason", "")], 3.0),
        ("outboard_batches_total", &[("outcome", "original"), ("reason", "late")], 1.0),
        ("outboard_batches_total", &[("outcome", "failed"), ("reason", "demux")], 1.0),
        ("outboard_skew_max_seconds", &[], 0.000_666),
        ("outboard_air_ready_seconds", &[], 3.5),
        ("outboard_pipeline_phase", &[("phase", "on-air")], 1.0),
        ("outboard_pipeline_phase", &[("phase", "holding")], 0.0),
        ("outboard_pipeline_health", &[("health", "degraded")], 1.0),
        ("outboard_pipeline_cause", &[("cause", "destination")], 1.0),
        ("outboard_pipeline_cause", &[("cause", "source")], 0.0),
        ("outboard_destination_on_air", &[to], 1.0),
        ("outboard_destination_lag_seconds", &[to], 0.3),
        ("outboard_destination_gap_max_seconds", &[to], 1.25),
        ("outboard_destination_packets_total", &[to, ("kind", "audio")], 200.0),
        ("outboard_destination_packets_dropped_total", &[to, ("reason", "lag")], 7.0),
        ("outboard_destination_skipped_seconds_total", &[to], 2.5),
        ("outboard_destination_state", &[to, ("state", "retrying")], 1.0),
        ("outboard_destination_state", &[to, ("state", "publishing")], 0.0),
        ("outboard_stage_call_seconds_total", &stage, 1.5),
        ("outboard_stage_failures_total", &[stage[0], stage[1], stage[2], ("reason", "trap")], 1.0),
        ("outboard_storage_bytes", &[("kind", "logs")], 10.0),
        ("outboard_step_duration_seconds_count", &[("step", "demux")], 2.0),
        ("outboard_step_duration_seconds_bucket", &[("step", "demux"), ("le", "0.01")], 1.0),
        ("outboard_step_duration_seconds_bucket", &[("step", "demux"), ("le", "120.0")], 1.0),
        ("outboard_step_duration_seconds_bucket", &[("step", "demux"), ("le", "+Inf")], 2.0),
        ("outboard_step_duration_seconds_sum", &[("step", "demux")], 500.005),
        ("outboard_deadline_overrun_seconds_sum", &[], 0.1),
        ("outboard_deadline_time_left_seconds_count", &[], 1.0),
    ] {
        assert_eq!(of(name, labels), Some(value), "{name} {labels:?}");
    }
    assert_eq!(told.value("outboard_process_cpu_seconds_total", &[]), Some(1.234));
    assert_eq!(told.value("outboard_process_max_fds", &[]), Some(u64::MAX as f64));
    assert_eq!(told.value("outboard_database_waiting", &[("kind", "read")]), Some(2.0));
    let deliveries = |outcome| told.value("outboard_webhook_deliveries_total", &[("outcome", outcome)]);
    assert_eq!((deliveries("delivered"), deliveries("given-up")), (Some(20.0), Some(2.0)));
    assert_eq!(told.value("outboard_webhook_failures_total", &[]), Some(3.0));
    assert_eq!(told.value("outboard_webhook_waiting", &[]), Some(4.0));
}

#[test]
fn what_makes_sense_only_while_it_runs_or_is_on_air_is_not_told_after() {
    let mut stopped = PipelineSample { live: false, ..pipeline("a", "tv") };
    stopped.destinations[0].last_packet_at = None;
    stopped.exchange = Some(ExchangeStatus::default());
    let told = Exposition::parse(&render(None, &[stopped]));
    for name in [
        "outboard_buffer_seconds",
        "outboard_source_stale",
        "outboard_air_ready_seconds",
        "outboard_air_batches_ready",
        "outboard_destination_lag_seconds",
        "outboard_processor_in_flight",
    ] {
        assert!(!told.families.contains_key(name), "{name}");
    }
    assert!(told.families.contains_key("outboard_destination_on_air"));
}

#[test]
fn a_tenant_is_told_of_itself_only() {
    let told = Exposition::parse(&render(None, &[pipeline("a", "tv")]));
    for (name, family) in &told.families {
        for sample in &family.samples {
            assert!(sample.labels.contains(&("tenant".to_owned(), "a".to_owned())), "{name}: {sample:?}");
        }
    }
    assert_eq!(Exposition::parse(&render(None, &[])).families.len(), 0);
}

#[test]
fn what_is_not_known_is_not_told() {
    let bare =
        PipelineSample { tenant: "a".into(), stream: "tv".into(), phase: "stopped", ..PipelineSample::default() };
    let told = Exposition::parse(&render(Some(&HostSample::default()), &[bare]));
    let names: Vec<&str> = told.families.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "outboard_build",
            "outboard_pipeline_cause",
            "outboard_pipeline_health",
            "outboard_pipeline_phase",
            "outboard_pipeline_restarts",
            "outboard_uptime_seconds"
        ]
    );
}

#[test]
fn no_text_of_a_stranger_becomes_a_label_but_a_components_name_and_that_is_bounded() {
    let mut sample = pipeline("a", "tv");
    let odd = format!("x\"}} 1\n\\{}", "é".repeat(10_000));
    sample.stages[0].component = odd;
    let text = render(Some(&host()), &[sample]);
    assert!(!text.contains("SECRET") && !text.contains("://"), "{text}");
    let told = Exposition::parse(&text);
    let calls = &told.families["outboard_stage_calls"].samples[0];
    let component = &calls.labels.iter().find(|(name, _)| name == "component").unwrap().1;
    assert!(component.starts_with("x\"} 1\u{fffd}\\éé") && component.len() <= 256, "{component}");
}

#[test]
fn phases_and_health_are_closed_sets() {
    use Phase::{Buffering, Draining, Ended, Holding, OnAir, Starting};
    let phases = [Starting, Buffering, Holding, OnAir, Draining, Ended].map(Phase::name);
    let health =
        [HealthState::Idle, HealthState::Starting, HealthState::Healthy, HealthState::Degraded, HealthState::Failing];
    for phase in phases.into_iter().chain(["stopped", "waiting", OFF_AIR]) {
        for health in health {
            let sample = PipelineSample { phase, health, ..pipeline("a", "tv") };
            let told = Exposition::parse(&render(None, &[sample]));
            for name in ["outboard_pipeline_phase", "outboard_pipeline_health"] {
                let sum: f64 = told.families[name].samples.iter().map(|sample| sample.value).sum();
                assert!((sum - 1.0).abs() < f64::EPSILON, "{name} with {phase} {health:?}");
            }
        }
    }
}
