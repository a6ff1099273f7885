//! Components: every way to add them, what is refused and why, who may use them, and that a new file in a folder goes
//! on air quickly.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use outboard_tests::guests::{bundled_file, path, variant};
use outboard_tests::host::{Host, binary};
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use serde_json::{Value, json};

const LISTED: &str = "query($tenant: ID) { stageComponents(tenant: $tenant) \
    { digest kind name version contract tenant source origin addedBy usedBy bundled } }";
const REFUSED: &str = "{ refusedComponents { origin source reason tenant } }";

async fn outboard(arguments: &[&str]) -> Output {
    tokio::process::Command::new(binary()).args(arguments).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Pushes with the command line; returns the digest.
async fn push(server: &Server, file: &Path, token: Option<&str>, more: &[&str]) -> Result<String, String> {
    let url = server.url("");
    let mut arguments = vec!["stage", "push", file.to_str().unwrap(), "--server", &url];
    arguments.extend(token.iter().flat_map(|token| ["--token", token]));
    arguments.extend(more);
    let output = outboard(&arguments).await;
    match output.status.success() {
        true => Ok(text(&output.stdout).split_whitespace().next().unwrap().to_owned()),
        false => Err(text(&output.stderr)),
    }
}

async fn listed(server: &Server, token: Option<&str>) -> Vec<Value> {
    server.graphql(token, LISTED, &json!({})).await.data("stageComponents").as_array().unwrap().clone()
}

/// Polls until it is found; folders are scanned at intervals.
async fn until(what: &str, found: impl AsyncFn() -> bool) {
    let looking = async {
        while !found().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), looking).await.is_ok(), "not {what}");
}

#[tokio::test]
async fn a_component_that_is_pushed_is_its_tenants_alone_and_stays() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    let (one, two) = (server.tenant("one").await, server.tenant("two").await);
    let file = storage.path().join("mine.wasm");
    std::fs::write(&file, variant(&bundled_file("remux-replace"), 1)).unwrap();
    let digest = push(&server, &file, Some(&one), &[]).await.unwrap();
    assert_eq!(push(&server, &file, Some(&one), &[]).await.unwrap(), digest, "the same again");

    let has = |list: &[Value]| list.iter().find(|one| one["digest"] == *digest).cloned();
    let mine = has(&listed(&server, Some(&one)).await).unwrap();
    assert_eq!(
        (&mine["tenant"], &mine["source"], &mine["origin"]),
        (&json!("one"), &json!("UPLOAD"), &json!("mine.wasm"))
    );
    assert_eq!(mine["contract"], "outboard:stage@0.1.0");
    assert!(has(&listed(&server, Some(&two)).await).is_none(), "another tenant's is not listed");
    let settings = json!({
        "source": { "url": "http://127.0.0.1:9/live.m3u8" },
        "destinations": [{ "url": "rtmp://127.0.0.1:9/live/k" }],
        "stages": { "remuxPlanning": { "component": digest } },
    });
    let make = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
    let input = json!({ "input": { "streamId": "tv", "settings": settings } });
    let refused = server.graphql(Some(&two), make, &input).await;
    assert_eq!(refused.code(), Some("INVALID_INPUT"));
    let problem = &refused.body["errors"][0]["extensions"]["problems"][0];
    assert_eq!(problem["path"], "input.settings.stages.remuxPlanning.component", "{}", refused.body);
    let roll_out = "mutation($input: RollOutStageInput!) { rollOutStage(input: $input) { to { name } } }";
    let all = json!({ "input": { "kind": "REMUX_PLANNING", "component": digest } });
    let refused = server.graphql(Some(&two), roll_out, &all).await;
    assert_eq!(refused.body["errors"][0]["extensions"]["problems"][0]["path"], "input.component", "{}", refused.body);
    server.graphql(Some(&one), make, &input).await.data("createPipeline");

    let remove = "mutation($digest: String!) { removeStage(digest: $digest) { removed } }";
    let used = server.graphql(Some(&one), remove, &json!({ "digest": digest })).await;
    assert_eq!(used.code(), Some("CONFLICT"), "{}", used.body);
    assert!(used.body.to_string().contains("one:tv"), "it says who uses it: {}", used.body);
    assert_eq!(
        server.graphql(Some(&two), remove, &json!({ "digest": digest })).await.data("removeStage")["removed"],
        false
    );

    server.kill().await;
    server.start_again().await;
    assert!(has(&listed(&server, Some(&one)).await).is_some(), "it survives the server's death");
    let back = json!({ "id": "tv", "input": { "settings": { "stages": { "remuxPlanning": null } } } });
    let change =
        "mutation($id: ID!, $input: UpdatePipelineInput!) { updatePipeline(id: $id, input: $input) { revision } }";
    server.graphql(Some(&one), change, &back).await.data("updatePipeline");
    let used = server.graphql(Some(&one), remove, &json!({ "digest": digest })).await;
    assert_eq!(used.code(), Some("CONFLICT"), "as the version before: {}", used.body);
    server
        .graphql(Some(&one), "mutation { deletePipeline(id: \"tv\") { deleted } }", &json!({}))
        .await
        .data("deletePipeline");
    assert_eq!(
        server.graphql(Some(&one), remove, &json!({ "digest": digest })).await.data("removeStage")["removed"],
        true
    );
    assert!(has(&listed(&server, Some(&one)).await).is_none());

    // Only a token of the whole host may add a component for all tenants.
    let error = push(&server, &file, Some(&one), &["--shared"]).await.unwrap_err();
    assert!(error.contains("host-wide") || error.contains("whole host"), "{error}");
    push(&server, &file, None, &["--shared"]).await.unwrap();
    assert!(has(&listed(&server, Some(&two)).await).is_some());
}

#[tokio::test]
async fn what_is_refused_is_told_in_terms_of_the_contract() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let cases = [
        ("forbidden-import", "imports"),
        ("two-worlds", "exactly one world"),
        ("mistyped", "does not fit the contract"),
        ("trap-in-describe", "trapped"),
    ];
    for (guest, says) in cases {
        let error = push(&server, &path(guest), None, &[]).await.unwrap_err();
        assert!(error.contains(says), "{guest}: {error}");
    }
    let module = storage.path().join("module.wasm");
    std::fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
    let error = push(&server, &module, None, &[]).await.unwrap_err();
    assert!(error.contains("core module"), "{error}");
    assert_eq!(listed(&server, None).await.iter().filter(|one| one["source"] != "BUNDLED").count(), 0);
    let refused = server.graphql(None, REFUSED, &json!({})).await.data("refusedComponents").clone();
    assert_eq!(refused.as_array().unwrap().len(), 5, "{refused:#}");
    // Without the header that a form on another page cannot send.
    let form = reqwest::multipart::Form::new().text("operations", "{}").text("map", "{}");
    let answer = reqwest::Client::new().post(server.url("/graphql")).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("GraphQL-Require-Preflight"));
}

#[tokio::test]
async fn a_folder_takes_whole_files_and_forgets_none() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (one, two) = (server.tenant("one").await, server.tenant("two").await);
    let folder = storage.path().join("one/stages");
    std::fs::create_dir_all(&folder).unwrap();
    let whole = variant(&bundled_file("framing-fragment"), 1);
    let names = async || -> Vec<String> {
        let all = listed(&server, Some(&one)).await;
        all.iter()
            .filter(|one| one["source"] == "FOLDER")
            .map(|one| one["origin"].as_str().unwrap().to_owned())
            .collect()
    };
    let refused = async |origin: &str| -> Option<String> {
        let all = server.graphql(Some(&one), REFUSED, &json!({})).await.data("refusedComponents").clone();
        let one = all.as_array().unwrap().iter().find(|one| one["origin"] == origin)?.clone();
        Some(one["reason"].as_str().unwrap().to_owned())
    };

    // The file is incomplete for longer than the scan interval; then the rest is written.
    let file = folder.join("half.wasm");
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    until("refused while it is half", async || refused("half.wasm").await.is_some()).await;
    std::fs::write(&file, &whole).unwrap();
    until("taken once it is whole", async || names().await == ["half.wasm"]).await;
    assert_eq!(refused("half.wasm").await, None, "it is not refused any more");

    // Replaced under the same name by another component, replaced by nonsense, moved, deleted: the added component
    // stays.
    std::fs::write(&file, variant(&bundled_file("framing-fragment"), 2)).unwrap();
    until("the new contents are taken too", async || names().await.len() == 2).await;
    std::fs::write(&file, b"\0asm nonsense").unwrap();
    until("nonsense is refused", async || refused("half.wasm").await.is_some()).await;
    std::fs::rename(&file, folder.join("moved.wasm")).unwrap();
    until("under its new name too", async || refused("moved.wasm").await.is_some()).await;
    std::fs::remove_file(folder.join("moved.wasm")).unwrap();
    assert_eq!(names().await.len(), 2);
    // Files that are not components are ignored, and links are not followed.
    std::fs::write(folder.join("notes.txt"), "x").unwrap();
    std::os::unix::fs::symlink(bundled_file("framing-fragment"), folder.join("link.wasm")).unwrap();
    std::fs::write(folder.join("last.wasm"), variant(&bundled_file("framing-fragment"), 3)).unwrap();
    until("the last is taken", async || names().await.len() == 3).await;
    assert!(!names().await.contains(&"link.wasm".to_owned()));
    assert!(
        listed(&server, Some(&two)).await.iter().all(|one| one["source"] == "BUNDLED"),
        "the other tenant has none"
    );

    let shared = storage.path().join("stages/shared");
    std::fs::create_dir_all(&shared).unwrap();
    std::fs::write(shared.join("all.wasm"), variant(&bundled_file("framing-fragment"), 4)).unwrap();
    until("everybody has it", async || listed(&server, Some(&two)).await.iter().any(|one| one["origin"] == "all.wasm"))
        .await;
}

#[tokio::test]
async fn a_newer_file_of_a_name_that_is_followed_goes_on_air_and_its_failure_is_kept() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let origin = LiveOrigin::start(entries(&Clip::small(120), false)).await;
    let (_echo, echo) = Host::echo(50, &[]).await;
    let nginx = Nginx::start();
    let settings = json!({
        "source": { "url": origin.url },
        "processor": { "url": echo },
        "destinations": [{ "url": nginx.url("key") }],
        "batchSeconds": 2,
        "stages": { "remuxPlanning": { "autoSwap": true } },
    });
    let id = server.create(None, "tv", &settings, true).await;
    let limit = Duration::from_secs(60);
    server
        .until(None, &id, "on air", limit, |status| {
            status["onAir"] == true && status["counters"]["processed"].as_u64() >= Some(2)
        })
        .await;

    let folder = storage.path().join("default/stages");
    std::fs::create_dir_all(&folder).unwrap();
    let dropped = Instant::now();
    std::fs::write(folder.join("newer.wasm"), variant(&bundled_file("remux-replace"), 7)).unwrap();
    let swaps = "query($id: ID!) { pipeline(id: $id) { swaps { edges { node { state reason requestedBy evidenceUrl steps { step tookMs } } } } } }";
    let newest = async || {
        let answer = server.graphql(None, swaps, &json!({ "id": id })).await;
        answer.data("pipeline")["swaps"]["edges"][0]["node"].clone()
    };
    let cut = |swap: &Value| {
        swap["steps"].as_array().is_some_and(|steps| steps.iter().any(|step| step["step"] == "CUT_OVER"))
    };
    until("cut over", async || cut(&newest().await)).await;
    eprintln!("dropped in to on air: {:?}", dropped.elapsed());
    assert_eq!(newest().await["requestedBy"], "stages folder");
    until("it passed its probation", async || newest().await["state"] == "DONE").await;

    // A component that fails after its rehearsal: nothing is lost, and its failure can be inspected and repeated.
    let recording = server.get(None, &format!("/recordings/{id}/remux-planning.json")).await;
    assert_eq!(recording.0, 200);
    let digest = push(&server, &path("faulty-remux"), None, &[]).await.unwrap();
    let input = json!({
        "pipelineId": id, "kind": "REMUX_PLANNING", "component": digest,
        "settings": { "fault": "trap", "call": "plan", "restored_only": true },
    });
    let swap = "mutation($input: SwapStageInput!) { swapStage(input: $input) { id } }";
    server.graphql(None, swap, &json!({ "input": input })).await.data("swapStage");
    until("rolled back", async || newest().await["state"] == "ROLLED_BACK").await;
    let last = newest().await;
    assert!(last["reason"].as_str().unwrap().contains("told to trap in plan"), "{last}");
    let stages = server
        .graphql(
            None,
            "query($id: ID!) { pipeline(id: $id) { settings { stages { remuxPlanning { component autoSwap } } } } }",
            &json!({ "id": id }),
        )
        .await;
    let stage = &stages.data("pipeline")["settings"]["stages"]["remuxPlanning"];
    assert!(stage["component"] != digest && stage["autoSwap"] == true, "the settings say who decides: {stage}");
    let url = last["evidenceUrl"].as_str().unwrap();
    until("the evidence is written", async || server.get(None, url).await.0 == 200).await;
    let (_, evidence) = server.get(None, url).await;
    let (bundle, taped) = (storage.path().join("bundle.json"), storage.path().join("recording.json"));
    std::fs::write(&bundle, evidence).unwrap();
    std::fs::write(&taped, recording.1).unwrap();
    let guest = path("faulty-remux");
    let again = outboard(&["stage", "replay", bundle.to_str().unwrap(), "--component", guest.to_str().unwrap()]).await;
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(text(&again.stdout).contains("the component fails again"), "{again:?}");
    let bundled = bundled_file("remux-replace");
    let well = outboard(&["stage", "test", bundled.to_str().unwrap(), "--recording", taped.to_str().unwrap()]).await;
    assert!(well.status.success() && text(&well.stdout).contains(" calls, the slowest"), "{well:?}");
    let other = bundled_file("batching-duration");
    let wrong = outboard(&["stage", "test", other.to_str().unwrap(), "--recording", taped.to_str().unwrap()]).await;
    assert!(text(&wrong.stderr).contains("these are calls of a remux-planning stage"), "{wrong:?}");

    let status = server.status(None, &id).await;
    assert_eq!((&status["onAir"], &status["counters"]["packetsLost"]), (&json!(true), &json!(0)), "{status:#}");
}
