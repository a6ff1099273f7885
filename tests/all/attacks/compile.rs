//! Components that crash or block the compiler: they are refused with the reason, whatever way they are added and at
//! every start, and no other tenant is affected.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use outboard_tests::attacks::components::{large, nested_types, slow};
use outboard_tests::guests::{bundled_file, variant};
use outboard_tests::host::binary;
use outboard_tests::media::Clip;
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// Longest wait for something quick on a busy machine.
const SOON: Duration = Duration::from_secs(90);
/// Processor seconds that a compilation may use in these tests: a valid component takes a tenth of one.
const SECONDS: &str = "10";
const MEMORY: &str = "256 MiB";
const LIMITS: [(&str, &str); 2] =
    [("OUTBOARD_LIMITS__COMPILE_SECONDS", SECONDS), ("OUTBOARD_LIMITS__COMPILE_MEMORY", MEMORY)];

// === what is asked ===

fn outboard(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).envs(LIMITS).kill_on_drop(true);
    command
}

fn push(server: &Server, token: &str, file: &Path) -> Command {
    outboard(&["stage", "push", file.to_str().unwrap(), "--server", &server.url(""), "--token", token])
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn refused(output: &Output) -> String {
    let text = text(output);
    assert!(!output.status.success(), "{text}");
    text
}

/// Processes of a server that compile.
fn compilers(server: &Server) -> Vec<u32> {
    let parent = server.process().pid().to_string();
    let is_one = |pid: &u32| {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        // The state is the first field after the name, the parent is the second.
        let stat = read("stat");
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.next() != Some("Z") && fields.next() == Some(&parent) && read("cmdline").contains("compile-component")
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_one).collect()
}

async fn until(what: &str, mut found: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !found().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(SOON, looking).await.is_ok(), "not {what}");
}

/// Waits until a file of a stages folder is refused; returns the reason.
async fn refusal(server: &Server, token: &str, origin: &str) -> String {
    let mut reason = String::new();
    until(&format!("refused: {origin}"), async || {
        let answer = server.graphql(Some(token), "{ refusedComponents { origin reason } }", &json!({})).await;
        let all = answer.data("refusedComponents").as_array().unwrap().clone();
        let Some(one) = all.iter().find(|one| one["origin"] == origin) else { return false };
        one["reason"].as_str().unwrap().clone_into(&mut reason);
        true
    })
    .await;
    reason
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    std::fs::create_dir_all(dir).unwrap();
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

async fn names(server: &Server, token: &str) -> Vec<(String, String)> {
    let answer = server.graphql(Some(token), "{ stageComponents { digest name } }", &json!({})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = answer.data("stageComponents").as_array().unwrap().clone();
    all.iter().map(|one| (text(&one["digest"]), text(&one["name"]))).collect()
}

// === the attacks ===

#[tokio::test]
async fn types_nested_thousands_deep_are_refused_in_every_way_in_and_at_each_start() {
    const WHY: &str = "it declares types inside of types 25 deep or more; 24 are possible";
    let storage = tempfile::tempdir().unwrap();
    let file = write(storage.path(), "nested.wasm", &nested_types());
    let checked = outboard(&["stage", "check", file.to_str().unwrap()]).output().await.unwrap();
    assert!(refused(&checked).contains(WHY), "{}", text(&checked));

    // It is there before the first start.
    write(&storage.path().join("default/stages"), "dropped.wasm", &nested_types());
    let mut server = Server::start(storage.path()).await;
    let token = server.tenant("bad").await;
    let pushed = push(&server, &token, &file).output().await.unwrap();
    assert!(refused(&pushed).contains(WHY), "{}", text(&pushed));
    for _ in 0..2 {
        let answer = async || server.graphql(None, "{ refusedComponents { origin reason } }", &json!({})).await.body;
        until("refused at its start", async || answer().await.to_string().contains(WHY)).await;
        server.kill().await;
        server.start_again().await;
    }
}

#[tokio::test]
async fn what_takes_long_or_much_is_ended_and_others_neither_wait_nor_leave_the_air() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(storage.path(), &LIMITS).await;
    let (good, bad) = (server.tenant("good").await, server.tenant("bad").await);
    let nginx = Nginx::start();
    let plan = Plan { name: "good-tv", clip: Clip::small(60), batch_seconds: 4, processor: None };
    let mut channel = Channel::start(&server, Some(&good), &nginx, plan).await;
    channel.on_air(&server, &nginx).await;
    let [slow, large] =
        [("slow.wasm", slow()), ("large.wasm", large())].map(|(name, it)| write(storage.path(), name, &it));
    let fine = write(storage.path(), "fine.wasm", &variant(&bundled_file("remux-duck"), 7));

    // Two of the same tenant, of which one waits for the other.
    let first = tokio::spawn(push(&server, &bad, &slow).output());
    until("compiling", async || !compilers(&server).is_empty()).await;
    let second = tokio::spawn(push(&server, &bad, &large).output());
    let pushed = push(&server, &good, &fine).output().await.unwrap();
    assert!(pushed.status.success(), "{}", text(&pushed));
    assert!(!first.is_finished() && !second.is_finished(), "the good one is answered while the others compile or wait");
    // That of the valid one may not have ended yet.
    until("one at a time of a tenant", async || compilers(&server).len() <= 1).await;
    assert!(!second.is_finished(), "it did not wait for the first");

    let first = refused(&first.await.unwrap().unwrap());
    assert!(first.contains("it took more than 10 s of execution (limits.compile_seconds)"), "{first}");
    let second = refused(&second.await.unwrap().unwrap());
    assert!(second.contains("it took more than 256 MiB of memory (limits.compile_memory)"), "{second}");
    let last = channel.ended(&server, Duration::from_secs(180)).await;
    assert_eq!(last["counters"]["packetsLost"], 0, "{last:#}");
    assert_eq!(nginx.files(1, "good-tv").len(), 1, "one session: it never left the air");

    // Neither is compiled again: not on upload, not from a folder, not at a start.
    const NOT_AGAIN: &str = "is not compiled again";
    let again = refused(&push(&server, &bad, &slow).output().await.unwrap());
    assert!(again.contains(NOT_AGAIN) && again.contains("of execution"), "{again}");
    server.kill().await;
    let folder = storage.path().join("bad/stages");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(&large, folder.join("dropped.wasm")).unwrap();
    server.start_again().await;
    let why = refusal(&server, &bad, "dropped.wasm").await;
    assert!(why.contains(NOT_AGAIN) && why.contains("of memory"), "{why}");

    // Until an operator releases it.
    let digest = why.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap();
    let storage_dir = storage.path().to_str().unwrap();
    let release = ["stage", "release", digest, "--storage", storage_dir];
    assert!(outboard(&release).output().await.unwrap().status.success());
    assert!(!outboard(&release).output().await.unwrap().status.success(), "there is nothing left to release");
    let tried = refused(&push(&server, &bad, &large).output().await.unwrap());
    assert!(tried.contains("it took more than 256 MiB of memory") && !tried.contains(NOT_AGAIN), "{tried}");
    let checked = refused(&outboard(&["stage", "check", large.to_str().unwrap()]).output().await.unwrap());
    assert!(checked.contains("it took more than 256 MiB of memory"), "{checked}");
}

#[tokio::test]
async fn a_host_wide_admin_who_removes_a_quarantined_file_has_it_tried_again_and_no_tenant_does() {
    const REMOVE: &str = "mutation($digest: String!) { removeStage(digest: $digest) { removed } }";
    const LIMIT: &str = "it took more than 256 MiB of memory";
    const NOT_AGAIN: &str = "is not compiled again";
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start_with(storage.path(), &LIMITS).await;
    let token = server.tenant("bad").await;
    let file = write(storage.path(), "large.wasm", &large());
    let pushed = async || refused(&push(&server, &token, &file).output().await.unwrap());
    let (first, second) = (pushed().await, pushed().await);
    assert!(first.contains(LIMIT) && !first.contains(NOT_AGAIN), "{first}");
    assert!(second.contains(NOT_AGAIN), "{second}");
    let digest = second.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap();
    let remove = async |token: Option<&str>, digest: &str| {
        let answer = server.graphql(token, REMOVE, &json!({ "digest": digest })).await;
        answer.data("removeStage")["removed"].as_bool().unwrap()
    };
    assert!(!remove(Some(&token), digest).await, "the tenant has no such component");
    assert!(!remove(None, &format!("sha256:{}", "0".repeat(64))).await, "another digest");
    let third = pushed().await;
    assert!(third.contains(NOT_AGAIN), "{third}");
    assert!(remove(None, digest).await, "what is released is told to be removed");
    let fourth = pushed().await;
    assert!(fourth.contains(LIMIT) && !fourth.contains(NOT_AGAIN), "{fourth}");
    assert!(remove(None, digest).await && !remove(None, digest).await, "once a time");
}

#[tokio::test]
async fn who_goes_away_ends_the_compilation_and_the_file_is_not_held_against_anybody() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let token = server.tenant("bad").await;
    let slow = write(storage.path(), "slow.wasm", &slow());
    let mut caller: Child = push(&server, &token, &slow).spawn().unwrap();
    let mut compiling = Vec::new();
    until("compiling", async || {
        compiling = compilers(&server);
        !compiling.is_empty()
    })
    .await;
    caller.kill().await.unwrap();
    // Its own limit is a minute of processor time.
    let process = PathBuf::from(format!("/proc/{}", compiling[0]));
    until("ended", async || !process.exists()).await;
    assert_eq!(compilers(&server), [0; 0], "and no other began");
    assert!(!storage.path().join("aot/quarantine").exists(), "it is not quarantined");
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains("ended its compiler")), "{log:#?}");
}

#[tokio::test]
async fn compiled_code_that_this_host_did_not_write_is_not_loaded() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    let token = server.tenant("good").await;
    let (mut digests, mut entries) = (Vec::new(), Vec::new());
    for name in ["remux-duck", "framing-sts"] {
        let file = write(storage.path(), name, &variant(&bundled_file(name), 9));
        let pushed = push(&server, &token, &file).output().await.unwrap();
        assert!(pushed.status.success(), "{}", text(&pushed));
        let digest = text(&pushed).split_whitespace().find(|word| word.starts_with("sha256:")).unwrap().to_owned();
        let hex = digest.trim_start_matches("sha256:").to_owned();
        let files = std::fs::read_dir(storage.path().join("aot")).unwrap().flatten().map(|entry| entry.path());
        let is_entry = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with(&hex) && name.ends_with(".cwasm")
        };
        entries.push(files.into_iter().find(is_entry).unwrap());
        digests.push(digest);
    }
    server.kill().await;
    // Code that this very host compiled, under another component's name, with its own checksum.
    let right = std::fs::read(&entries[0]).unwrap();
    for end in ["cwasm", "mac"] {
        std::fs::copy(entries[1].with_extension(end), entries[0].with_extension(end)).unwrap();
    }
    // Foreign code with a valid checksum, which anybody can compute.
    std::fs::write(&entries[1], b"\x7fELF of somebody").unwrap();
    std::fs::write(entries[1].with_extension("mac"), "00".repeat(32)).unwrap();
    server.start_again().await;
    let listed = names(&server, &token).await;
    let of = |digest: &String| listed.iter().find(|(one, _)| one == digest).map(|(_, name)| name.as_str());
    assert_eq!(digests.iter().map(of).collect::<Vec<_>>(), [Some("remux-duck"), Some("framing-sts")]);
    assert_eq!(std::fs::read(&entries[0]).unwrap(), right, "it was compiled again");
    let log = server.log();
    let told = |digest: &String| {
        let hex = digest.trim_start_matches("sha256:");
        log.iter().any(|line| line.contains("this host's key did not make it") && line.contains(hex))
    };
    assert!(digests.iter().all(told), "{log:#?}");
}
