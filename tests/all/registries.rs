//! Components from an OCI registry: by digest, within the tenant's limits, and without storing a password.
#![expect(clippy::panic, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::{Duration, Instant};

use outboard_tests::guests::{bundled_file, path, variant};
use outboard_tests::host::binary;
use outboard_tests::registry::{PASSWORD, Registry, USER};
use outboard_tests::server::{Answer, Server};
use serde_json::{Value, json};

const PULL: &str = "mutation($input: PullStageInput!) \
    { pullStage(input: $input) { component { digest name source origin tenant addedBy } } }";

async fn pull(server: &Server, token: Option<&str>, input: Value) -> Answer {
    server.graphql(token, PULL, &json!({ "input": input })).await
}

/// The message and the path of a problem.
fn problem(answer: &Answer) -> (String, String) {
    let problem = &answer.body["errors"][0]["extensions"]["problems"][0];
    let text = |field: &str| problem[field].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned();
    (text("path"), text("message"))
}

fn digest(file: &[u8]) -> String {
    format!("sha256:{}", outboard::stage::Digest::of(file))
}

#[tokio::test]
async fn a_component_comes_from_a_registry_by_its_digest() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let one = server.tenant("one").await;
    let mut registry = Registry::start();
    let file = variant(&bundled_file("remux-replace"), 1);
    let reference = registry.push("stages/mine:1.0", file.clone(), &[]).await;

    let made = pull(&server, Some(&one), json!({ "reference": reference, "insecure": true })).await;
    let component = &made.data("pullStage")["component"];
    assert_eq!((&component["digest"], &component["tenant"]), (&json!(digest(&file)), &json!("one")));
    assert_eq!((&component["source"], &component["origin"]), (&json!("REGISTRY"), &json!(reference)));
    let kept = storage.path().join("stages").join(format!("{}.wasm", digest(&file).trim_start_matches("sha256:")));
    assert!(holds(&kept, &file), "it is in the store: {}", kept.display());

    // Without a digest, with a wrong one, and for a caller without permission.
    let tag = reference.split_once('@').unwrap().0;
    let refused = problem(&pull(&server, Some(&one), json!({ "reference": tag, "insecure": true })).await);
    assert!(refused.0 == "input.reference" && refused.1.contains("has no digest"), "{refused:?}");
    let unknown = format!("{tag}@sha256:{}", "0".repeat(64));
    let refused = problem(&pull(&server, Some(&one), json!({ "reference": unknown, "insecure": true })).await);
    assert!(refused.0 == "input.reference" && refused.1.contains("404"), "{refused:?}");
    let shared = json!({ "reference": reference, "insecure": true, "shared": true });
    assert_eq!(pull(&server, Some(&one), shared.clone()).await.code(), Some("FORBIDDEN"));
    assert_eq!(pull(&server, None, shared).await.data("pullStage")["component"]["tenant"], Value::Null);

    // An unusable component is refused as everywhere, and remembered.
    let module = registry.push("stages/module:1", b"\0asm\x01\0\0\0".to_vec(), &[]).await;
    let refused = problem(&pull(&server, Some(&one), json!({ "reference": module, "insecure": true })).await);
    assert!(refused.0 == "input.reference" && refused.1.contains("core module"), "{refused:?}");
    let told = server.graphql(Some(&one), "{ refusedComponents { origin source } }", &json!({})).await;
    let told = told.data("refusedComponents").to_string();
    assert!(told.contains(&module) && told.contains(&unknown), "{told}");

    // From the command line.
    let guest = registry.push("stages/faulty", std::fs::read(path("faulty-remux")).unwrap(), &[]).await;
    let arguments = ["stage", "pull", &guest, "--insecure", "--tenant", "one", "--server", &server.url("")];
    let output = tokio::process::Command::new(binary()).args(arguments).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let wanted = digest(&std::fs::read(path("faulty-remux")).unwrap());
    assert!(output.status.success() && text.starts_with(&wanted), "{output:?}");

    // An unreachable registry is reported quickly, and by name.
    registry.kill();
    let began = Instant::now();
    let answer = pull(&server, Some(&one), json!({ "reference": reference, "insecure": true })).await;
    assert_eq!(answer.code(), Some("UNAVAILABLE"), "{}", answer.body);
    assert!(answer.body.to_string().contains("127.0.0.1:") && began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_registry_is_reached_within_the_tenants_walls() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let registry = Registry::start();
    let reference = registry.push("mine", variant(&bundled_file("remux-replace"), 1), &[]).await;
    let make = "mutation { createTenant(input: { name: \"walled\" }) { id } }";
    server.graphql(None, make, &json!({})).await.data("createTenant");
    let walled = json!({ "reference": reference, "insecure": true, "tenant": "walled" });
    let (at, why) = problem(&pull(&server, None, walled).await);
    assert!(at == "input.reference" && why.contains("127.0.0.1") && why.contains("network policy"), "{at}: {why}");
    let open = json!({ "reference": reference, "insecure": true });
    pull(&server, None, open).await.data("pullStage");
}

#[tokio::test]
async fn a_registrys_password_is_used_and_kept_nowhere() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(storage.path(), &[("OUTBOARD_LOG__LEVEL", "trace")]).await;
    let registry = Registry::guarded();
    let reference = registry.push("mine", variant(&bundled_file("remux-replace"), 1), &[]).await;
    let with = |auth: Value| json!({ "reference": reference, "insecure": true, "auth": auth });
    let (at, why) = problem(&pull(&server, None, with(Value::Null)).await);
    assert!(at == "input.auth" && why.contains("requires a user name"), "{at}: {why}");
    let wrong = pull(&server, None, with(json!({ "username": USER, "password": "wrong-secret" }))).await;
    assert_eq!(problem(&wrong).0, "input.auth");
    assert!(!wrong.body.to_string().contains("wrong-secret"), "{}", wrong.body);
    pull(&server, None, with(json!({ "username": USER, "password": PASSWORD }))).await.data("pullStage");
    let audit = server.graphql(None, "{ audit { edges { node { action detail } } } }", &json!({})).await;
    assert!(!audit.data("audit").to_string().contains(PASSWORD), "{}", audit.body);
    let log = server.kill().await;
    assert!(!log.iter().any(|line| line.contains("-secret")), "{log:#?}");
    let database = std::fs::read(storage.path().join("outboard.db")).unwrap();
    assert!(!database.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()));
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    std::fs::read(path).is_ok_and(|kept| kept == bytes)
}
