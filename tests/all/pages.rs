//! The web pages in a real browser, with a server as a user runs it. The scripts of `tests/browser/ui` contain the
//! actions and checks in the page; this file has the parts around them and checks the results.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use outboard_tests::browser::Script;
use outboard_tests::guests::{bundled_file, variant};
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::registry::Registry;
use outboard_tests::server::Server;
use outboard_tests::signer::Signer;
use serde_json::{Value, json};

/// Limit for a whole script; each wait in it has its own limit.
const LIMIT: Duration = Duration::from_secs(300);
/// Seconds of media that the origin has: more than a script takes.
const MEDIA: u32 = 400;

/// The bundled remux-planning stage under another digest, as another build would have.
fn another_build(dir: &Path) -> PathBuf {
    let path = dir.join("remux-replace-2.wasm");
    std::fs::write(&path, variant(&bundled_file("remux-replace"), 1)).unwrap();
    path
}

#[tokio::test]
async fn an_operator_makes_a_pipeline_sees_it_through_and_cleans_up() {
    let origin = LiveOrigin::start(entries(&Clip::small(MEDIA), false)).await;
    let (echo, processor) = Host::echo(100, &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let given = json!({
        "url": server.url("/"), "source": origin.url, "processor": processor, "to": nginx.url("pages"), "stream": "show",
        "component": another_build(storage.path()),
    });
    let mut script = Script::start("ui/journey.mjs", &given);
    assert_eq!(script.next(LIMIT).await, json!({ "ask": "kill-processor" }), "{:#?}", server.log());
    echo.kill().await;
    script.answer(&json!(true)).await;
    let told = script.result(LIMIT).await;

    let text = |name: &str| told[name].as_str().unwrap().to_owned();
    assert!(text("refusal").contains("is not a URL"), "the server's own words: {told:#}");
    assert_eq!(text("address"), "/pipelines/default:show");
    let (before, after) = (&told["played"]["before"], &told["played"]["after"]);
    let (played, frames) = (after["at"].as_f64().unwrap() - before["at"].as_f64().unwrap(), after["frames"].as_u64());
    assert!(played >= 3.0 && frames.unwrap() > 60 && after["width"] == 320, "{told:#}");
    assert_eq!(told["watchedOn"], true, "a batch that is picked does not begin the preview anew: {told:#}");
    let why = text("why").to_lowercase();
    assert!(why.contains("original audio") && why.contains("processor"), "{told:#}");
    assert!(text("original").contains("no connection to the processor"), "{told:#}");
    let swapped = &told["swapped"];
    assert!(swapped["question"].as_str().unwrap().contains("remux-replace"), "{told:#}");
    assert_eq!(swapped["steps"].as_array().unwrap().len(), 4, "each step is told: {told:#}");
    assert!(swapped["refused"].as_str().unwrap().len() > 10, "a file that is none is refused with a reason: {told:#}");
    assert!(text("question").contains("default:show"), "names what it destroys: {told:#}");
    assert!(text("cleaned").contains("freed"), "{told:#}");
    let left = server.graphql(
        None,
        r#"{ pipeline(id: "show") { desired batches { edges { node { cleaned } } } } }"#,
        &Value::Null,
    );
    let left = left.await.data("pipeline").clone();
    let cleaned = left["batches"]["edges"].as_array().unwrap().iter().filter(|edge| edge["node"]["cleaned"] == true);
    assert!(left["desired"] == "STOPPED" && cleaned.count() > 0, "as the API has it: {left:#}");
}

#[tokio::test]
async fn a_server_with_nothing_on_it_is_on_air_after_one_click() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let told = Script::start("ui/first-run.mjs", &json!({ "url": server.url("/") })).result(LIMIT).await;
    assert_eq!(told["address"], "/pipelines/default:demo", "{told:#}");
    assert!(told["frames"].as_u64().unwrap() > 10, "it is to be seen: {told:#}");
}

#[tokio::test]
async fn a_host_admin_makes_a_tenant_take_signed_stages_only() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    server.tenant("acme").await;
    let (signer, component) = (Signer::ed25519(), another_build(storage.path()));
    let signature = component.with_extension("wasm.sig");
    std::fs::write(&signature, signer.sign(&std::fs::read(&component).unwrap())).unwrap();
    let registry = Registry::start();
    let pulled = variant(&bundled_file("remux-replace"), 2);
    let signed_by = signer.sign(&pulled);
    let reference = registry.push("stages/remux", pulled, &[("outboard.stage.signature", &*signed_by)]).await;
    let given = json!({
        "url": server.url("/"), "tenant": "acme", "publicKey": signer.public,
        "component": component, "signature": signature, "reference": reference,
    });
    let told = Script::start("ui/policy.mjs", &given).result(LIMIT).await;

    let refused = told["refused"].as_array().unwrap();
    assert!(refused[0].as_str().unwrap().contains("is not a digest"), "at its field: {told:#}");
    assert_eq!(refused.len(), 2, "both are told at once: {told:#}");
    assert_eq!(told["key"].as_str().unwrap().trim(), signer.public.trim());
    assert!(told["unsigned"].as_str().unwrap().contains("Signature is missing"), "{told:#}");
    assert!(told["reference"].as_str().unwrap().contains("oci://"), "{told:#}");
    assert!(told["pulled"].as_str().unwrap().contains("remux-replace"), "{told:#}");
    let list = "{ stageComponents(tenant: \"acme\") { source signedBy } }";
    let kept = server.graphql(None, list, &json!({})).await.data("stageComponents").clone();
    let signed = kept.as_array().unwrap().iter().filter(|one| !one["signedBy"].is_null());
    let mut sources: Vec<_> = signed.map(|one| one["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["REGISTRY", "UPLOAD"], "{kept:#}");
}

#[tokio::test]
async fn two_tenants_in_two_browsers_see_nothing_of_each_other() {
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    let mut tenants = Vec::new();
    for (tenant, stream) in [("acme", "acme-news"), ("bolt", "bolt-sport")] {
        let admin = server.tenant(tenant).await;
        let settings = json!({
            "source": { "url": format!("http://127.0.0.1:9/{tenant}.m3u8") },
            "destinations": [{ "url": "rtmp://127.0.0.1:9/live/key" }],
        });
        server.create(Some(&admin), stream, &settings, true).await;
        let token = json!({ "name": "looks", "role": "VIEWER" });
        let make = "mutation($input: CreateTokenInput!) { createToken(input: $input) { secret } }";
        let viewer = server.graphql(Some(&admin), make, &json!({ "input": token })).await;
        let viewer = viewer.data("createToken")["secret"].as_str().unwrap().to_owned();
        tenants.push(json!({ "tenant": tenant, "stream": stream, "admin": admin, "viewer": viewer }));
    }
    // From here on a token is required; the server checks that a valid one exists.
    let root = json!({ "input": { "name": "root", "role": "ADMIN" } });
    let make = "mutation($input: CreateTokenInput!) { createToken(input: $input) { secret } }";
    server.graphql(None, make, &root).await.data("createToken");
    server.kill().await;
    let server = Server::start_with(storage.path(), &[("OUTBOARD_SERVER__AUTH", "token")]).await;
    let given = json!({ "url": server.url("/"), "tenants": tenants });
    let told = Script::start("ui/walls.mjs", &given).result(LIMIT).await;
    assert_eq!(told["looked"].as_u64(), Some(2), "{told:#}");
}

#[tokio::test]
async fn screens_let_everybody_in_fit_a_phone_and_tell_when_they_are_not_live() {
    let origin = LiveOrigin::start(entries(&Clip::small(MEDIA), false)).await;
    let (_echo, processor) = Host::echo(100, &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let settings = |processor: &str, key: &str| {
        json!({
            "source": { "url": origin.url }, "processor": { "url": processor }, "batchSeconds": 4,
            "destinations": [{ "url": nginx.url(key) }], "keep": { "batches": 12 },
        })
    };
    let fine = server.create(None, "evening-news", &settings(&processor, "a"), true).await;
    let trouble = server.create(None, "late-show", &settings("http://127.0.0.1:9", "b"), true).await;
    let hook = json!({ "name": "pager", "url": "http://127.0.0.1:9/hook" });
    let make = "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { webhook { id } } }";
    let hook =
        server.graphql(None, make, &json!({ "input": hook })).await.data("createWebhook")["webhook"]["id"].clone();
    server.graphql(None, "mutation($id: ID!) { testWebhook(id: $id) { id } }", &json!({ "id": hook })).await;
    let several = |status: &Value| status["counters"]["batches"].as_u64().is_some_and(|count| count >= 5);
    server.until(None, &fine, "at its sixth batch", Duration::from_secs(90), several).await;
    let given = json!({ "url": server.url("/"), "pipeline": fine, "trouble": trouble, "tenant": "default" });
    let told = Script::start("ui/screens.mjs", &given).result(LIMIT).await;
    assert!(told["looked"].as_u64().unwrap() > 70, "{told:#}");
    let told = Script::start("ui/left.mjs", &given).result(LIMIT).await;
    assert!(told["left"].as_u64().unwrap() > 12, "{told:#}");
    let told = Script::start("ui/link.mjs", &given).result(LIMIT).await;
    assert_eq!(told["connections"].as_u64(), Some(1), "a connection that was lost came back by itself: {told:#}");
}

#[tokio::test]
async fn an_overview_of_many_is_low_sorted_and_steered_at_once_and_each_batch_of_an_hour_is_reached() {
    let told = Script::start("ui/overview.mjs", &json!({})).result(LIMIT).await;
    assert_eq!(told["first"], json!(["stream-00", "stream-01", "stream-02", "stream-03"]), "trouble first: {told:#}");
    assert!(
        told["cause"].as_str().unwrap().starts_with("Destination: No packets leave: connection refused"),
        "{told:#}"
    );
    assert_eq!(told["offAirNumbers"], json!(["–", "–"]), "no number that comforts: {told:#}");
    assert_eq!(told["behind"], "On air, behind", "41 s behind is not green: {told:#}");
    assert_eq!(told["sorted"], json!(["stream-30", "stream-29"]), "{told:#}");
    assert!(told["question"].as_str().unwrap().contains("stream-05, stream-06, stream-07"), "{told:#}");
    assert!(told["cost"].as_str().unwrap().contains("off air for about 6.4 s"), "asked before: {told:#}");
    let done = [
        "stop default:stream-05",
        "stop default:stream-06",
        "stop default:stream-07",
        "reconnect default:stream-05 a",
        "enabled false default:stream-05 a",
        "update default:stream-05 NEXT_START",
    ];
    assert_eq!(told["done"], json!(done), "{told:#}");
    assert!(told["clicked"].as_u64().is_some(), "a narrow batch can be clicked: {told:#}");
    assert!(told["staleAfterMs"].as_u64().unwrap() < 4000, "a server that hangs is told: {told:#}");
}
