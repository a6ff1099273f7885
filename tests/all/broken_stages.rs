//! Law 4 in whole pipelines: whatever a stage does, the batch goes on air with every packet, and the counters name the
//! cause. `stage_failures` tests the stage runtime alone.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard_tests::guests;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::{assert_same_packets, hashes, monotonic, of_entries};
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use serde_json::{Value, json};

/// One broken stage in a pipeline: its kind in the settings, the guest, its orders, and the counters of which one must
/// rise.
struct Case {
    kind: &'static str,
    guest: &'static str,
    orders: Value,
    counters: &'static [&'static str],
}

/// What ends a guest that spins: its processor time, or the wall-clock time on a busy machine.
const SPUN: &[&str] = &["over_cpu", "over_wall_clock"];

fn case(kind: &'static str, orders: Value, counters: &'static [&'static str]) -> Case {
    let guest = match kind {
        "batching" => "faulty-batching",
        "framing" => "faulty-framing",
        _ => "faulty-remux",
    };
    Case { kind, guest, orders, counters }
}

async fn airs_all_the_same(case: Case) {
    let programme = entries(&Clip::small(12), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let processor = Processor::start(ServerKind::Node, "echo", &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let stage = format!("{}={}", case.kind, guests::path(case.guest).display());
    let (to, url) = (nginx.url("broken"), processor.url());
    let arguments = ["run", "--storage", storage.path().to_str().unwrap(), "--source", &origin.url, "--to", &to];
    let more = ["--processor", &url, "--batch-seconds", "4", "--batches", "100", "--stage", &stage];
    let variable = format!("OUTBOARD_STAGES__{}_SETTINGS", case.kind.to_uppercase());
    let host = Host::spawn_with(&[&arguments[..], &more[..]].concat(), &[(&variable, &case.orders.to_string())]);
    let ended = host.ended(Duration::from_secs(90)).await;
    let name = format!("{} {}", case.kind, case.orders);
    assert!(ended.status.success(), "{name}: {:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0, "{name}");
    assert!(ended.count("max_gap_ms") <= 1000, "{name}: {}", ended.report());
    for stream in ["v", "a"] {
        let source: Vec<_> = of_entries(&programme, stream).concat();
        let air = monotonic(&nginx.files(1, "broken")[0], stream);
        assert_same_packets(&hashes(&air), &hashes(&source), &format!("{name} {stream}"));
    }
    let kind = case.kind.replace('_', "-");
    let line = ended.log.iter().find(|line| line.contains(&format!("stage kind={kind} counts="))).unwrap();
    let counts: Value = serde_json::from_str(line.split("counts=").nth(1).unwrap()).unwrap();
    let told: u64 = case.counters.iter().map(|counter| counts[counter].as_u64().unwrap()).sum();
    assert!(told > 0, "{name}: {counts}");
    assert!(counts["defaults"].as_u64().unwrap() > 0, "{name}: {counts}");
}

async fn all_air(cases: Vec<Case>) {
    let running: Vec<_> = cases.into_iter().map(|case| tokio::spawn(airs_all_the_same(case))).collect();
    for case in running {
        case.await.unwrap();
    }
}

#[tokio::test]
async fn batching_stages_that_break() {
    all_air(vec![
        case("batching", json!({"fault": "trap", "call": "push", "on": 3}), &["traps"]),
        case("batching", json!({"fault": "spin", "call": "push"}), SPUN),
        case("batching", json!({"fault": "lie", "call": "push", "lie": "future"}), &["invalid_answers"]),
    ])
    .await;
}

#[tokio::test]
async fn framing_stages_that_break() {
    all_air(vec![
        case("framing", json!({"fault": "trap", "call": "on-connect"}), &["traps"]),
        case("framing", json!({"fault": "hoard", "call": "on-connect"}), &["over_memory"]),
        case("framing", json!({"fault": "lie", "call": "on-connect", "lie": "placeholder"}), &["invalid_answers"]),
    ])
    .await;
}

#[tokio::test]
async fn remux_planning_stages_that_break() {
    all_air(vec![
        case("remux_planning", json!({"fault": "trap", "call": "plan", "on": 2}), &["traps"]),
        case("remux_planning", json!({"fault": "spin", "call": "plan"}), SPUN),
        case("remux_planning", json!({"fault": "lie", "call": "plan", "lie": "offset"}), &["invalid_answers"]),
    ])
    .await;
}
