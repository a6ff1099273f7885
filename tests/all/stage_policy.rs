//! Which components a tenant may use: listed ones, and those signed with its key, for every way of adding them.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard_tests::guests::{bundled_file, variant};
use outboard_tests::host::binary;
use outboard_tests::registry::Registry;
use outboard_tests::server::{Answer, Server};
use outboard_tests::signer::Signer;
use serde_json::{Value, json};

/// A component of the same kind under its own digest.
fn component(n: u8) -> Vec<u8> {
    variant(&bundled_file("remux-replace"), n)
}

fn digest(file: &[u8]) -> String {
    format!("sha256:{}", outboard::stage::Digest::of(file))
}

async fn set(server: &Server, policy: Value) -> Answer {
    let change = "mutation($input: UpdateTenantInput!) \
        { updateTenant(id: \"acme\", input: $input) { stagePolicy { allow publicKey } } }";
    server.graphql(None, change, &json!({ "input": { "stagePolicy": policy } })).await
}

/// Pushes with the command line.
async fn push(server: &Server, file: &[u8], signature: Option<&str>, to: &[&str]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let (path, signed) = (dir.path().join("it.wasm"), dir.path().join("it.sig"));
    std::fs::write(&path, file).unwrap();
    let url = server.url("");
    let mut arguments = vec!["stage", "push", path.to_str().unwrap(), "--server", &url];
    arguments.extend(to);
    if let Some(signature) = signature {
        std::fs::write(&signed, signature).unwrap();
        arguments.extend(["--signature", signed.to_str().unwrap()]);
    }
    let output = tokio::process::Command::new(binary()).args(arguments).output().await.unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

const ACME: [&str; 2] = ["--tenant", "acme"];

async fn usable(server: &Server) -> Vec<String> {
    let list = "{ stageComponents(tenant: \"acme\") { digest bundled } }";
    let listed = server.graphql(None, list, &json!({})).await.data("stageComponents").clone();
    let mine = listed.as_array().unwrap().iter().filter(|one| one["bundled"] == false);
    mine.map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
}

async fn create(server: &Server, stream: &str, component: &str) -> Answer {
    let settings = json!({
        "source": { "url": "http://127.0.0.1:9/live.m3u8" },
        "destinations": [{ "url": "rtmp://127.0.0.1:9/live/k" }],
        "stages": { "remuxPlanning": { "component": component } },
    });
    let make = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
    let input = json!({ "tenant": "acme", "streamId": stream, "settings": settings });
    server.graphql(None, make, &json!({ "input": input })).await
}

async fn until(what: &str, found: impl AsyncFn() -> bool) {
    let looking = async {
        while !found().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), looking).await.is_ok(), "not {what}");
}

async fn refused(server: &Server, origin: &str) -> String {
    let list = "{ refusedComponents(tenant: \"acme\") { origin reason } }";
    let listed = server.graphql(None, list, &json!({})).await.data("refusedComponents").clone();
    let one = listed.as_array().unwrap().iter().find(|one| one["origin"] == origin).cloned();
    one.map(|one| one["reason"].as_str().unwrap().to_owned()).unwrap_or_default()
}

fn drop_in(storage: &Path, name: &str, bytes: &[u8]) {
    let folder = storage.join("acme/stages");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), bytes).unwrap();
}

#[tokio::test]
async fn a_tenant_with_a_key_takes_what_is_signed_by_every_way_in() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    server.tenant("acme").await;
    let before = component(1);
    push(&server, &before, None, &ACME).await.unwrap();

    for signer in [Signer::ed25519(), Signer::p256()] {
        let set = set(&server, json!({ "publicKey": signer.public })).await;
        assert_eq!(set.data("updateTenant")["stagePolicy"], json!({ "allow": null, "publicKey": signer.public }));
        assert_eq!(usable(&server).await, Vec::<String>::new(), "what was there before is not signed");
        let unsigned = push(&server, &component(2), None, &ACME).await.unwrap_err();
        assert!(unsigned.contains("signature is missing"), "{unsigned}");
        let other = signer.sign(&component(3));
        let wrong = push(&server, &component(2), Some(&other), &ACME).await.unwrap_err();
        assert!(wrong.contains("does not match this file"), "{wrong}");
        let stranger =
            push(&server, &component(2), Some(&Signer::p256().sign(&component(2))), &ACME).await.unwrap_err();
        assert!(stranger.contains("does not match this file"), "{stranger}");
        let nonsense = push(&server, &component(2), Some("?"), &ACME).await.unwrap_err();
        assert!(nonsense.contains("is not a signature"), "{nonsense}");
        push(&server, &component(2), Some(&signer.sign(&component(2))), &ACME).await.unwrap();
        // An existing component may be signed later.
        push(&server, &before, Some(&signer.sign(&before)), &ACME).await.unwrap();
        let mut both = [digest(&before), digest(&component(2))];
        let mut have = usable(&server).await;
        both.sort();
        have.sort();
        assert_eq!(have, both);
    }
    let signer = Signer::p256();
    set(&server, json!({ "publicKey": signer.public })).await.data("updateTenant");

    // In a folder: the signature is a file beside the component, and may be added later.
    let dropped = component(4);
    drop_in(storage.path(), "late.wasm", &dropped);
    until("refused", async || refused(&server, "late.wasm").await.contains("signature is missing")).await;
    drop_in(storage.path(), "late.wasm.sig", b"?");
    until("told", async || refused(&server, "late.wasm").await.contains("is not a signature")).await;
    drop_in(storage.path(), "late.wasm.sig", signer.sign(&dropped).as_bytes());
    until("taken", async || usable(&server).await == [digest(&dropped)]).await;
    assert_eq!(refused(&server, "late.wasm").await, "");

    // In a registry: the signature is stored with it, or given.
    let registry = Registry::start();
    let pulled = component(5);
    let unsigned = registry.push("unsigned", pulled.clone(), &[]).await;
    let notes = [("outboard.stage.signature", &*signer.sign(&component(6)))];
    let signed = registry.push("signed", component(6), &notes).await;
    let pull = async |reference: &str, signature: Option<String>| {
        let pull = "mutation($input: PullStageInput!) { pullStage(input: $input) { component { digest signedBy } } }";
        let input = json!({ "tenant": "acme", "reference": reference, "insecure": true, "signature": signature });
        server.graphql(None, pull, &json!({ "input": input })).await
    };
    let answer = pull(&unsigned, None).await;
    assert_eq!(answer.body["errors"][0]["extensions"]["problems"][0]["path"], "input.signature", "{}", answer.body);
    pull(&unsigned, Some(signer.sign(&pulled))).await.data("pullStage");
    let answer = pull(&signed, None).await;
    let by = answer.data("pullStage")["component"]["signedBy"].as_str().unwrap();
    assert!(by.starts_with("sha256:"), "{by}");

    // Settings with an unsigned component, and with a signed one.
    let answer = create(&server, "tv", &digest(&before)).await;
    assert_eq!(answer.code(), Some("INVALID_INPUT"), "{}", answer.body);
    assert!(answer.body.to_string().contains("is not signed with the tenant's key"), "{}", answer.body);
    create(&server, "tv", &digest(&pulled)).await.data("createPipeline");
    // A shared component is not signed; if listed, it may be used.
    push(&server, &component(7), None, &["--shared"]).await.unwrap();
    let shared = digest(&component(7));
    let answer = create(&server, "shared", &shared).await;
    assert!(answer.body.to_string().contains("stagePolicy.allow"), "{}", answer.body);
    let both = json!({ "publicKey": signer.public, "allow": [shared, digest(&pulled)] });
    set(&server, both.clone()).await.data("updateTenant");
    create(&server, "shared", &shared).await.data("createPipeline");

    server.kill().await;
    server.start_again().await;
    let tenant = server.graphql(None, "{ tenant(id: \"acme\") { stagePolicy { allow publicKey } } }", &json!({})).await;
    assert_eq!(tenant.data("tenant")["stagePolicy"], both, "it survives the server's death");
    let mut have = usable(&server).await;
    have.sort();
    let mut wanted = [shared, digest(&pulled)];
    wanted.sort();
    assert_eq!(have, wanted, "and so does who signed what");
}

#[tokio::test]
async fn a_list_says_what_may_be_used_from_the_next_change_on() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let token = server.tenant("acme").await;
    let (listed, other) = (component(1), component(2));
    push(&server, &listed, None, &ACME).await.unwrap();
    push(&server, &other, None, &ACME).await.unwrap();
    let id = create(&server, "tv", &digest(&other)).await.data("createPipeline")["id"].as_str().unwrap().to_owned();

    set(&server, json!({ "allow": [digest(&listed)] })).await.data("updateTenant");
    assert_eq!(usable(&server).await, [digest(&listed)]);
    let refusal = push(&server, &component(3), None, &ACME).await.unwrap_err();
    assert!(refusal.contains("stagePolicy.allow"), "{refusal}");
    let start = format!("mutation {{ startPipeline(id: \"{id}\") {{ id }} }}");
    let answer = server.graphql(None, &start, &json!({})).await;
    assert_eq!(answer.code(), Some("CONFLICT"), "{}", answer.body);
    assert!(answer.body.to_string().contains(&digest(&other)), "{}", answer.body);
    // Bundled components may always be used.
    let bundled = digest(&std::fs::read(bundled_file("remux-duck")).unwrap());
    create(&server, "duck", &bundled).await.data("createPipeline");
    // A component in a folder is added once it is listed.
    drop_in(storage.path(), "third.wasm", &component(3));
    until("refused", async || refused(&server, "third.wasm").await.contains("stagePolicy.allow")).await;
    set(&server, json!({ "allow": [digest(&component(3)), digest(&other)] })).await.data("updateTenant");
    until("taken", async || usable(&server).await.contains(&digest(&component(3)))).await;
    server.graphql(None, &start, &json!({})).await.data("startPipeline");

    // Only admins of the host may change the policy, and only to valid values.
    let change = "mutation { updateTenant(id: \"acme\", input: { stagePolicy: null }) { id } }";
    assert_eq!(server.graphql(Some(&token), change, &json!({})).await.code(), Some("FORBIDDEN"));
    let wrong = set(&server, json!({ "allow": ["latest"], "publicKey": "none" })).await;
    let problems = &wrong.body["errors"][0]["extensions"]["problems"];
    let paths = [&problems[0]["path"], &problems[1]["path"]];
    assert_eq!(paths, ["input.stagePolicy.allow[0]", "input.stagePolicy.publicKey"], "{}", wrong.body);
    let none = set(&server, Value::Null).await;
    assert_eq!(none.data("updateTenant")["stagePolicy"], json!({ "allow": null, "publicKey": null }));
    assert_eq!(usable(&server).await.len(), 3);
}
