//! Two tenants are on air while a third one attacks in various ways. The measure is the longest gap between packets at
//! the others' receivers.
//!
//! `OUTBOARD_RELEASE_BINARY` names an optimised build of `outboard`; `scripts/test` sets it if there is one. The limit
//! of 100 ms applies only to that build, because coverage counters change the times. Delays by which the machine holds
//! up every process are measured at the same time and added to the limit.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

mod api;
mod children;
mod compile;
mod origin;
mod processor;
mod storage;

use std::path::Path;
use std::time::Duration;

use outboard_tests::host::{binary, optimised};
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::recorded;
use outboard_tests::onair::windows::{Window, Windows};
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, GAP_MOST, Plan};
use serde_json::{Value, json};

/// Longest wait for steps that take some seconds on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest gap that an attack on another tenant may cause.
const ATTACKED_MOST: Duration = Duration::from_millis(100);
/// Minimum time for which each attack is watched.
const WINDOW: Duration = Duration::from_secs(8);
/// Length of all programmes in seconds; the streams are ended when the last attack is over.
const LENGTH: u32 = 420;
/// Name of the attacking tenant.
const TENANT: &str = "bad";
/// Limits that end a compilation quickly.
const LIMITS: [(&str, &str); 2] =
    [("OUTBOARD_LIMITS__COMPILE_SECONDS", "6"), ("OUTBOARD_LIMITS__COMPILE_MEMORY", "256 MiB")];

/// The attacking tenant.
struct Attacker<'a> {
    server: &'a Server,
    token: &'a str,
    /// Folder for its files.
    dir: &'a Path,
}

impl Attacker<'_> {
    async fn live(&self) -> LiveOrigin {
        LiveOrigin::start(entries(&Clip::small(LENGTH), false)).await
    }

    fn settings(&self, source: &str, name: &str) -> Value {
        let to = format!("file://{}", self.dir.join(format!("{name}.flv")).display());
        json!({ "source": { "url": source }, "destinations": [{ "url": to }], "batchSeconds": 2 })
    }

    async fn start(&self, name: &str, settings: &Value) -> String {
        self.server.create(Some(self.token), name, settings, true).await
    }

    async fn delete(&self, id: &str) {
        let delete = "mutation($id: ID!) { deletePipeline(id: $id) { deleted } }";
        self.server.graphql(Some(self.token), delete, &json!({ "id": id })).await.data("deletePipeline");
    }
}

/// The measurements during each attack.
struct AttackWindows {
    windows: Windows,
    during: Vec<(&'static str, Window)>,
}

impl AttackWindows {
    #[expect(clippy::print_stderr, reason = "what was measured is told where the test's output is read")]
    async fn watch(&mut self, what: &'static str, attack: impl Future<Output = ()>) {
        self.windows.next();
        tokio::join!(attack, tokio::time::sleep(WINDOW));
        let window = self.windows.next();
        eprintln!(
            "{what}: longest gaps {:.1?}; the machine kept others waiting {:.1?}",
            window.longest, window.overslept
        );
        self.during.push((what, window));
    }
}

#[tokio::test]
async fn no_attack_of_a_tenant_makes_a_gap_in_the_streams_of_two_others() {
    let optimised = optimised();
    if optimised.is_none() {
        eprintln!("OUTBOARD_RELEASE_BINARY is not set: an unoptimised build, held against {GAP_MOST:?} only");
    }
    let (storage, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_wrapper, path) = children::hanging();
    let variables = [&LIMITS[..], &[("PATH", path.as_str())]].concat();
    let program = optimised.clone().unwrap_or_else(binary);
    let server = Server::start_program(program, storage.path(), &variables).await;
    let token = server.tenant(TENANT).await;
    let (node, python) = (
        Processor::start(ServerKind::Node, "echo", &[]).await,
        Processor::start(ServerKind::Python, "echo", &[]).await,
    );
    let mut good = Vec::new();
    for (name, processor) in [("good-a", &node), ("good-b", &python)] {
        let (nginx, owner, url) = (Nginx::start(), server.tenant(name).await, processor.url());
        let plan = Plan { name, clip: Clip::small(LENGTH), batch_seconds: 4, processor: Some(&url) };
        good.push((Channel::start(&server, Some(&owner), &nginx, plan).await, nginx));
    }
    for (channel, nginx) in &mut good {
        channel.on_air(&server, nginx).await;
    }
    let lengths = good.iter().map(|(channel, nginx)| Box::new(recorded(nginx, &channel.name)) as _).collect();
    let mut seen = AttackWindows { windows: Windows::start(lengths), during: Vec::new() };

    let attacker = Attacker { server: &server, token: &token, dir: dir.path() };
    seen.watch("no attack", async {}).await;
    seen.watch("types nested thousands deep", compile::nested(&attacker)).await;
    seen.watch("components that compile for minutes", compile::bombs(&attacker)).await;
    seen.watch("replies without end", processor::replies(&attacker)).await;
    seen.watch("cookies and playlists", origin::playlists(&attacker)).await;
    seen.watch("ffmpeg that hangs", children::hung(&attacker)).await;
    seen.watch("folders that are removed", storage::folders(&attacker)).await;
    seen.watch("clients that never read or greet", api::readers(&attacker)).await;
    // The last attack: it uses up the attacker's processor time at the API.
    seen.watch("the worst requests", api::requests(&attacker)).await;
    let AttackWindows { windows, during } = seen;
    drop(windows);

    for (channel, _) in &mut good {
        channel.end();
    }
    for (channel, nginx) in &mut good {
        let last = channel.ended(&server, PATIENCE).await;
        let longest = channel.assert_laws(&server, nginx, &last).await;
        let (processed, original) = (&last["counters"]["processed"], &last["counters"]["original"]);
        let own = &last["destinations"][0]["maxOwnGapMs"];
        eprintln!(
            "{}: {longest:?} at most, {own} ms of our making, {processed} processed, {original} original",
            channel.name
        );
    }
    if optimised.is_some() {
        let quiet = during[0].1.longest.iter().max().copied().unwrap_or_default();
        for (what, window) in &during[1..] {
            // A packet passes two processes, the server and the receiver: each may be delayed by the machine.
            let allowed = ATTACKED_MOST.max(quiet) + 2 * window.overslept;
            assert!(
                window.longest.iter().all(|longest| *longest <= allowed),
                "{what}: {window:?}, {quiet:?} without an attack"
            );
        }
    }
}
