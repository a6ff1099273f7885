//! Law 6, stalls: one tenant fails, spins, floods and requests too much in every possible way; the other tenant's
//! channels keep laws 1 to 3.
//!
//! `OUTBOARD_TEST_SECONDS` sets the length of the quiet tenant's programme.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard_tests::attacks::origins;
use outboard_tests::guests;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::origin::{Origin, Reply};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan, seconds};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Number of pipelines that cannot run, of five kinds.
const FAILING: usize = 50;

/// Adds a guest to the host's store of components; returns its name for settings.
fn component(storage: &Path, guest: &str) -> String {
    let wasm = std::fs::read(guests::path(guest)).unwrap();
    let digest: String = Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::create_dir_all(storage.join("stages")).unwrap();
    std::fs::write(storage.join("stages").join(format!("{digest}.wasm")), wasm).unwrap();
    format!("sha256:{digest}")
}

fn settings(source: &str, to: &str) -> Value {
    json!({ "source": { "url": source }, "destinations": [{ "url": to }], "batchSeconds": 2 })
}

/// All faults at once.
struct Noise {
    _origins: Vec<LiveOrigin>,
    _origin: Origin,
    _echo: Host,
    _dir: tempfile::TempDir,
}

impl Noise {
    async fn start(server: &Server, token: &str, nginx: &Nginx) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let to = |name: &str| format!("file://{}", dir.path().join(format!("{name}.flv")).display());
        let origin = Origin::start().await;
        origin.put("/page.m3u8", Reply::ok("<html>log in first</html>"));
        origins::huge_playlist(&origin, "/huge.m3u8");
        let (echo, slow) = Host::echo(60_000, &[]).await;

        // 50 that fail: nothing listens, no playlist, wrong path, missing segments, no receiver.
        let gone = "http://127.0.0.1:9/off.m3u8".to_owned();
        let kinds = [gone, origin.url("/page.m3u8").into(), origin.url("/missing.m3u8").into()];
        for n in 0..FAILING {
            let name = format!("failing-{n}");
            let source = kinds.get(n % 5).cloned().unwrap_or_else(|| origin.url("/missing.m3u8").into());
            let to = if n % 2 == 0 { to(&name) } else { "rtmp://127.0.0.1:9/live/x".to_owned() };
            server.create(Some(token), &name, &settings(&source, &to), true).await;
        }
        for n in 0..2 {
            let name = format!("huge-{n}");
            let made = settings(origin.url("/huge.m3u8").as_str(), &to(&name));
            server.create(Some(token), &name, &made, true).await;
        }
        // Stages that spin and stages that log without end, on real streams, with a processor that replies too late.
        let mut origins = Vec::new();
        let faults = [
            ("spins", "remuxPlanning", "faulty-remux", json!({ "fault": "spin", "call": "plan" })),
            ("spins-too", "batching", "faulty-batching", json!({ "fault": "spin", "call": "push" })),
            ("chatters", "batching", "faulty-batching", json!({ "fault": "chatter", "call": "push", "ms": 20_000 })),
            ("hoards", "framing", "faulty-framing", json!({ "fault": "hoard", "call": "encode" })),
        ];
        for (name, kind, guest, orders) in faults {
            let live = LiveOrigin::start(entries(&Clip::small(seconds(36)), false)).await;
            let mut made = settings(&live.url, &nginx.url(&format!("noisy-{name}")));
            made["processor"] = json!({ "url": slow });
            made["stages"] = json!({ kind: { "component": component(server.storage(), guest), "settings": orders } });
            server.create(Some(token), name, &made, true).await;
            origins.push(live);
        }
        Self { _origins: origins, _origin: origin, _echo: echo, _dir: dir }
    }
}

#[tokio::test]
async fn a_tenant_that_fails_in_every_way_is_not_felt_by_the_other() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (noisy, quiet) = (server.tenant("noisy").await, server.tenant("quiet").await);
    let nginx = Nginx::start();
    let noise = Noise::start(&server, &noisy, &nginx).await;
    let (_echo, url) = Host::echo(50, &[]).await;
    let length = seconds(36);
    let mut channels = Vec::new();
    for (name, width, processor) in [("quiet-a", 320, Some(url.as_str())), ("quiet-b", 336, None)] {
        let clip = Clip { size: Some((width, 180)), ..Clip::small(length) };
        let plan = Plan { name, clip, batch_seconds: 4, processor };
        channels.push(Channel::start(&server, Some(&quiet), &nginx, plan).await);
    }
    for channel in &mut channels {
        channel.on_air(&server, &nginx).await;
    }
    for channel in &mut channels {
        let last = channel.ended(&server, Duration::from_secs(u64::from(length) + 120)).await;
        let longest = channel.assert_laws(&server, &nginx, &last).await;
        let original = &last["counters"]["original"];
        eprintln!("{}: longest gap {} ms, {original} original", channel.name, longest.as_millis());
    }
    // The faults really happened: pipelines failed, and stages spun.
    let list = "{ pipelines { streamId status { health { state } restarts stages { counters { overLimits } } } } }";
    let answer = server.graphql(Some(&noisy), list, &json!({})).await;
    let pipelines = answer.data("pipelines").as_array().unwrap().clone();
    let failing = pipelines.iter().filter(|pipeline| pipeline["streamId"].as_str().unwrap().starts_with("failing-"));
    assert_eq!(failing.clone().count(), FAILING);
    assert!(failing.clone().all(|pipeline| pipeline["status"]["health"]["state"] == "FAILING"), "{answer:?}");
    drop(noise);
}
