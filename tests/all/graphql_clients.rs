//! Calls every query, mutation and subscription on a real stream with the clients of users: npm's `graphql-ws` (and
//! `graphql-sse`), Python's `gql`. In the end each root field must have been answered with data. Everything that a
//! field returns is selected, so a field that fails is detected.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard_tests::drivers::{ClientKind, Driver, OperationEvent};
use outboard_tests::guests::{bundled_file, variant};
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::origin::{Origin, Reply};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::registry::Registry;
use outboard_tests::schema::{INTROSPECTION, Schema};
use outboard_tests::server::Server;
use serde_json::{Value, json};

#[tokio::test]
async fn every_field_is_answered_to_graphql_ws() {
    everything(ClientKind::Node).await;
}

#[tokio::test]
async fn every_field_is_answered_to_gql() {
    everything(ClientKind::Python).await;
}

/// A client and the schema that it received.
struct Caller {
    client: Driver,
    schema: Schema,
}

impl Caller {
    /// Calls a root field and selects everything. `arguments`: as written, `variables`: as declared.
    async fn call(&mut self, kind: &str, field: &str, (declared, arguments): (&str, &str), variables: Value) -> Value {
        let query = self.query(kind, field, declared, arguments);
        self.client.get(field, &query, variables).await
    }

    fn query(&self, kind: &str, field: &str, declared: &str, arguments: &str) -> String {
        let wrap = |text: &str| if text.is_empty() { String::new() } else { format!("({text})") };
        let (declared, arguments, all) = (wrap(declared), wrap(arguments), self.schema.all_of(kind, field));
        format!("{kind}{declared} {{ {field}{arguments}{all} }}")
    }

    async fn ask(&mut self, field: &str) -> Value {
        self.call("query", field, ("", ""), json!({})).await
    }

    /// Calls a field with this id of a pipeline, webhook, token...
    async fn of(&mut self, kind: &str, field: &str, id: &str) -> Value {
        self.call(kind, field, ("$id: ID!", "id: $id"), json!({ "id": id })).await
    }

    /// Calls a field with this input.
    async fn input(&mut self, field: &str, input: &str, value: Value) -> Value {
        self.call("mutation", field, (&format!("$input: {input}!"), "input: $input"), json!({ "input": value })).await
    }

    async fn change(&mut self, field: &str, id: &str, input: &str, value: Value) -> Value {
        let declared = format!("$id: ID!, $input: {input}!");
        let variables = json!({ "id": id, "input": value });
        self.call("mutation", field, (&declared, "id: $id, input: $input"), variables).await
    }

    /// Subscribes to something about the pipeline.
    async fn follow(&mut self, field: &str, declared: &str, arguments: &str, variables: Value) -> String {
        let query = self.query("subscription", field, declared, arguments);
        self.client.follow(&query, variables).await
    }

    /// Waits until earlier subscriptions have started: those of one connection start in order, and this one starts with
    /// a message. Calls use another transport and could overtake them.
    async fn followed(&mut self, id: &str) {
        let status = self.follow("pipelineStatus", "$id: ID!", "id: $id", json!({ "id": id })).await;
        self.client.until(&status, "pipelineStatus", |_| true).await;
        self.client.stop(&status).await;
    }
}

async fn everything(kind: ClientKind) {
    let programme = entries(&Clip::small(120), false);
    let origin = LiveOrigin::start(programme).await;
    let (_echo, processor) = Host::echo(100, &[]).await;
    let nginx = Nginx::start();
    let hooks = Origin::start().await;
    hooks.put("/hook", Reply::ok(""));
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let mut client = Driver::start(kind, server.address(), None).await;
    let told = client.ask(INTROSPECTION, json!({})).await;
    let schema = Schema::new(match &told {
        OperationEvent::Next(answer) => &answer["data"],
        other => unreachable!("{other:?}"),
    });
    let mut caller = Caller { client, schema };

    tenancy(&mut caller).await;
    let hook = webhooks(&mut caller, hooks.url("/hook").as_str()).await;
    let settings = json!({
        "source": { "url": origin.url, "headers": [{ "name": "X-Key", "value": "header-secret" }] },
        "processor": { "url": processor, "auth": { "token": "auth-secret" } },
        "destinations": [{ "url": nginx.url("key-secret") }],
        "batchSeconds": 4,
        "keep": { "batches": 50 },
    });
    pipeline(&mut caller, &server, kind, settings).await;
    pulled(&mut caller).await;
    deliveries(&mut caller, &hook).await;
    let demo = caller.call("mutation", "startDemo", ("", ""), json!({})).await;
    assert_eq!((&demo["id"], &demo["desired"]), (&json!("default:demo"), &json!("RUNNING")));
    assert_eq!(caller.of("mutation", "deletePipeline", "default:demo").await["deleted"], true);
    if kind == ClientKind::Node {
        // A client reports an error with its code, in its own way.
        let refused = caller.client.ask("query { pipeline(id: \"nobody:x\") { id } }", json!({})).await;
        assert_eq!(refused.code(), "NOT_FOUND");
        let refused = caller.client.ask("query { events(first: -1) { edges { cursor } } }", json!({})).await;
        assert_eq!(refused.code(), "INVALID_INPUT");
    }
    let mut called = caller.client.called.clone();
    // A file cannot be sent over a WebSocket: `components` uploads one over HTTP.
    called.entry("mutation").or_default().insert("uploadStage".to_owned());
    // The client itself sends introspection queries.
    called.values_mut().for_each(|names| names.retain(|name| !name.starts_with("__")));
    assert_eq!(called, caller.schema.fields(), "root fields that were not answered with data");
    let log = server.log();
    assert!(!log.iter().any(|line| line.contains("-secret")), "{log:#?}");
}

async fn tenancy(caller: &mut Caller) {
    let new = json!({
        "name": "acme",
        "quotas": { "pipelines": 2 },
        "networkPolicy": { "denyHosts": ["example.com"] },
        "stagePolicy": { "allow": [] },
    });
    let made = caller.input("createTenant", "CreateTenantInput", new.clone()).await;
    assert_eq!((&made["quotas"]["pipelines"], &made["networkPolicy"]["private"]), (&json!(2), &json!(false)));
    assert_eq!(made["stagePolicy"], json!({ "allow": [], "publicKey": null }));
    assert_eq!(caller.input("createTenant", "CreateTenantInput", new).await, made, "the same again");
    let changed = caller
        .change("updateTenant", "acme", "UpdateTenantInput", json!({ "quotas": { "storageBytes": 5_000_000_000u64 } }))
        .await;
    assert_eq!(
        (&changed["quotas"]["storageBytes"], &changed["quotas"]["pipelines"]),
        (&json!(5_000_000_000u64), &json!(2))
    );
    assert_eq!(caller.of("query", "tenant", "acme").await, changed);
    assert_eq!(caller.ask("tenants").await.as_array().unwrap().len(), 2);

    let new = json!({ "tenant": "acme", "name": "ci", "role": "OPERATOR", "expiresAt": "2100-01-01T00:00:00Z" });
    let made = caller.input("createToken", "CreateTokenInput", new).await;
    let (secret, id) = (made["secret"].as_str().unwrap(), made["token"]["id"].as_str().unwrap());
    assert_eq!(made["token"]["expiresAt"], "2100-01-01T00:00:00.000Z");
    let listed = caller.ask("tokens").await;
    assert!(listed.to_string().contains("\"ci\"") && !listed.to_string().contains(secret), "{listed}");
    assert_eq!(caller.of("mutation", "revokeToken", id).await["usable"], false);
    assert_eq!(caller.ask("me").await["role"], "ADMIN");
    assert_eq!(caller.of("mutation", "deleteTenant", "acme").await, json!({ "id": "acme", "deleted": true }));
}

async fn webhooks(caller: &mut Caller, url: &str) -> String {
    let new = json!({ "name": "ops", "url": url, "kinds": ["STARTED", "ON_AIR"], "secret": "hook-secret-of-32-characters-or-so" });
    let made = caller.input("createWebhook", "CreateWebhookInput", new).await;
    // The secret was given, so it is not shown.
    assert_eq!(made["secret"], Value::Null);
    let id = made["webhook"]["id"].as_str().unwrap().to_owned();
    let changed = caller.change("updateWebhook", &id, "UpdateWebhookInput", json!({ "kinds": ["STARTED"] })).await;
    assert_eq!(changed["kinds"], json!(["STARTED"]));
    assert_eq!(caller.ask("webhooks").await, json!([changed]));
    assert_eq!(caller.of("mutation", "testWebhook", &id).await["webhookId"], id.as_str());
    id
}

/// The deliveries of the webhook so far: the test, and the start of the pipeline.
async fn deliveries(caller: &mut Caller, hook: &str) {
    let declared = ("$hook: ID!", "webhook: $hook");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
    let edges = loop {
        let listed = caller.call("query", "deliveries", declared, json!({ "hook": hook })).await;
        let edges = listed["edges"].as_array().unwrap().clone();
        if edges.iter().filter(|edge| edge["node"]["state"] == "DELIVERED").count() >= 2 {
            break edges;
        }
        assert!(tokio::time::Instant::now() < deadline, "{listed:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let kinds: Vec<&str> = edges.iter().map(|edge| edge["node"]["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"started") && kinds.contains(&"test"), "{kinds:?}");
    let first = edges[0]["node"]["id"].as_str().unwrap();
    assert_eq!(caller.of("mutation", "deliverAgain", first).await["webhookId"], hook);
    assert_eq!(caller.of("mutation", "deleteWebhook", hook).await["deleted"], true);
}

/// A component from a registry.
async fn pulled(caller: &mut Caller) {
    let registry = Registry::start();
    let reference = registry.push("cuts", variant(&bundled_file("batching-duration"), 1), &[]).await;
    let input = json!({ "reference": reference, "insecure": true });
    let made = caller.input("pullStage", "PullStageInput", input).await;
    assert_eq!((&made["component"]["origin"], &made["component"]["kind"]), (&json!(reference), &json!("BATCHING")));
}

/// Swaps of a stopped pipeline: `swaps::on_air` has those of running ones.
async fn swaps(caller: &mut Caller, id: &str) {
    let changes = caller.follow("swapChanged", "$id: ID!", "pipelineId: $id", json!({ "id": id })).await;
    caller.followed(id).await;
    let wanted = json!({ "pipelineId": id, "kind": "BATCHING", "settings": { "batch_seconds": 5 } });
    let asked = caller.input("swapStage", "SwapStageInput", wanted).await;
    assert_eq!((&asked["to"]["name"], &asked["settingsChanged"]), (&json!("batching-duration"), &json!(true)));
    let done = |swap: &Value| swap["state"] == "DONE";
    let seen = caller.client.until(&changes, "swapChanged", done).await;
    assert!(seen.iter().all(|swap| swap["id"] == asked["id"]), "{seen:#?}");
    let swap = asked["id"].as_str().unwrap();
    assert_eq!(caller.of("query", "swap", swap).await["state"], "DONE");
    let of = ("$id: ID!", "pipelineId: $id, kind: BATCHING");
    let back = caller.call("mutation", "rollBackStage", of, json!({ "id": id })).await;
    caller.client.until(&changes, "swapChanged", |swap| swap["id"] == back["id"] && done(swap)).await;
    let whole = caller.of("query", "pipeline", id).await;
    assert_eq!(whole["swaps"]["edges"].as_array().unwrap().len(), 2);
    assert_eq!(whole["settings"]["stages"]["batching"]["settings"], Value::Null);
    let wanted = json!({ "kind": "BATCHING", "settings": { "batch_seconds": 6 } });
    let asked = caller.input("rollOutStage", "RollOutStageInput", wanted.clone()).await;
    let of_it = |swap: &Value| swap["rollOut"] == asked["id"] && done(swap);
    caller.client.until(&changes, "swapChanged", of_it).await;
    let over = async {
        while caller.of("query", "rollOut", asked["id"].as_str().unwrap()).await["state"] != "DONE" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(90), over).await.unwrap();
    let again = "mutation($input: RollOutStageInput!) { rollOutStage(input: $input) { id } }";
    assert_eq!(caller.client.ask(again, json!({ "input": wanted })).await.code(), "CONFLICT");
    caller.client.stop(&changes).await;
}

async fn pipeline(caller: &mut Caller, server: &Server, kind: ClientKind, settings: Value) {
    let tried = caller
        .input("validatePipeline", "ValidatePipelineInput", json!({ "streamId": "tv", "settings": settings }))
        .await;
    assert_eq!((&tried["ok"], &tried["problems"]), (&json!(true), &json!([])), "{tried:#}");
    assert!(tried["checks"].as_array().unwrap().len() >= 5, "{tried:#}");

    let new = json!({ "streamId": "tv", "settings": settings, "note": "first" });
    let made = caller.input("createPipeline", "CreatePipelineInput", new).await;
    let id = made["id"].as_str().unwrap();
    assert_eq!((id, &made["desired"]), ("default:tv", &json!("STOPPED")));

    // All subscriptions.
    let of = json!({ "id": id });
    let status = caller.follow("pipelineStatus", "$id: ID!", "id: $id", of.clone()).await;
    let steps = caller.follow("batchProgress", "$id: ID!", "id: $id", of.clone()).await;
    let events = caller.follow("events", "$id: ID!", "filter: { pipeline: $id }", of.clone()).await;
    let logs = caller.follow("logs", "$id: ID!", "filter: { pipeline: $id, level: DEBUG }, last: 5", of.clone()).await;
    let disk = caller.follow("storage", "", "everySeconds: 1", json!({})).await;
    let host = caller.follow("server", "", "everySeconds: 1", json!({})).await;
    let streamed = if kind == ClientKind::Node {
        let query = caller.query("subscription", "pipelineStatus", "$id: ID!", "id: $id");
        Some(caller.client.follow_events(&query, of.clone()).await)
    } else {
        None
    };
    caller.followed(id).await;
    caller.client.until(&status, "pipelineStatus", |status| status["phase"] == "STOPPED").await;
    caller.of("mutation", "startPipeline", id).await;
    let on_air = |status: &Value| {
        status["onAir"] == true
            && status["health"]["state"] == "HEALTHY"
            && status["counters"]["processed"].as_u64() >= Some(2)
    };
    let seen = caller.client.until(&status, "pipelineStatus", on_air).await;
    // The number of phases depends on speed: a reader gets the newest.
    assert!(seen.iter().any(|status| status["phase"] != "ON_AIR"), "{seen:#?}");
    let last = seen.last().unwrap();
    assert_eq!(
        (&last["processor"]["connected"], &last["destinations"][0]["state"]),
        (&json!(true), &json!("PUBLISHING"))
    );
    assert_eq!(last["stages"].as_array().unwrap().len(), 3);
    if let Some(streamed) = &streamed {
        caller.client.until(streamed, "pipelineStatus", on_air).await;
    }
    // The first batch, step by step and in order.
    let first = |step: &Value| step["number"] == 0 && step["step"] == "DONE";
    let taken = caller.client.until(&steps, "batchProgress", first).await;
    let names: Vec<&str> =
        taken.iter().filter(|step| step["number"] == 0).map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["CUT", "DEMUXED", "SENT", "DECIDED", "REMUXED", "ON_AIR", "DONE"]);
    assert!(taken.iter().all(|step| step["dropped"] == 0), "{taken:#?}");
    caller.client.until(&events, "events", |event| event["kind"] == "STARTED").await;
    caller.client.until(&events, "events", |event| event["kind"] == "ON_AIR").await;
    caller.client.until(&logs, "logs", |update| !update["lines"].as_array().unwrap().is_empty()).await;
    caller.client.until(&disk, "storage", |disk| disk["usage"]["totalBytes"].as_u64() > Some(10_000)).await;
    caller.client.until(&host, "server", |server| server["pipelinesOnAir"] == 1).await;
    for id in [&disk, &host, &logs] {
        caller.client.stop(id).await;
    }

    let whole = caller.of("query", "pipeline", id).await;
    let batches = whole["batches"]["edges"].as_array().unwrap();
    let done = batches.iter().map(|edge| &edge["node"]).find(|batch| batch["step"] == "DONE").unwrap();
    assert_eq!((&done["outcome"], done["steps"].as_array().unwrap().len()), (&json!("PROCESSED"), 7), "{done:#}");
    let seconds: f64 = done["steps"].as_array().unwrap().iter().map(|step| step["seconds"].as_f64().unwrap()).sum();
    // It passed all steps, and four seconds of it were on air.
    assert!((4.0..60.0).contains(&seconds), "{done:#}");
    let one = "query($id: ID!, $number: Int!) { pipeline(id: $id) { batch(number: $number) { number step } } }";
    let one = caller.client.get("pipeline", one, json!({ "id": id, "number": done["number"] })).await;
    assert_eq!(one["batch"]["number"], done["number"]);
    for list in ["events", "revisions", "logs"] {
        assert!(!whole[list]["edges"].as_array().unwrap().is_empty(), "{list}");
    }
    assert!(whole["storage"]["usage"]["totalBytes"].as_u64() > Some(0), "{}", whole["storage"]);
    assert!(!whole.to_string().contains("-secret"), "{whole:#}");
    assert_eq!(caller.ask("pipelines").await.as_array().unwrap().len(), 1);
    let components = caller.ask("stageComponents").await;
    let told = |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["bundled"] == true, one["default"] == true);
    let bundled = |name: &str, default| (name.to_owned(), true, default);
    let wanted = [
        bundled("batching-duration", true),
        bundled("batching-aligned", false),
        bundled("framing-fragment", true),
        bundled("framing-sts", false),
        bundled("remux-replace", true),
        bundled("remux-duck", false),
    ];
    assert_eq!(components.as_array().unwrap().iter().map(told).collect::<Vec<_>>(), wanted);
    for list in ["events", "logs", "audit"] {
        let edges = caller.ask(list).await["edges"].as_array().unwrap().clone();
        assert!(!edges.is_empty(), "{list}");
    }
    assert_eq!(caller.ask("storage").await["pipelines"][0]["pipelineId"], id);
    let server_told = caller.ask("server").await;
    assert!(server_told["ffmpegVersion"].as_str().unwrap().contains("ffmpeg"), "{server_told}");

    // A destination is reconnected, and enabled although it is enabled already.
    let to = caller.of("query", "pipeline", id).await["settings"]["destinations"][0]["id"].clone();
    let at = ("$id: ID!, $to: ID!", "id: $id, destination: $to");
    caller.call("mutation", "reconnectDestination", at, json!({ "id": id, "to": to })).await;
    let on = ("$id: ID!, $to: ID!", "id: $id, destination: $to, enabled: true");
    let same = caller.call("mutation", "setDestinationEnabled", on, json!({ "id": id, "to": to })).await;
    assert_eq!(same["revision"], 1);

    // Changed, rolled back, restarted, stopped, cleaned, deleted.
    let change =
        json!({ "settings": { "batchSeconds": 6 }, "expectedRevision": 1, "apply": "NEXT_START", "note": "longer" });
    let changed = caller.change("updatePipeline", id, "UpdatePipelineInput", change).await;
    assert_eq!((&changed["revision"], &changed["settings"]["batchSeconds"]), (&json!(2), &json!(6)));
    let back = ("$id: ID!, $revision: Int!", "id: $id, revision: $revision");
    let back = caller.call("mutation", "rollBackPipeline", back, json!({ "id": id, "revision": 1 })).await;
    assert_eq!((&back["revision"], &back["settings"]["batchSeconds"]), (&json!(3), &json!(4)));
    let now = |how: &'static str| ("$id: ID!", if how == "now" { "id: $id, mode: AT_ONCE" } else { "id: $id" });
    caller.call("mutation", "restartPipeline", now("now"), of.clone()).await;
    caller
        .client
        .until(&status, "pipelineStatus", |status| status["runningRevision"] == 3 && status["onAir"] == true)
        .await;
    caller.call("mutation", "stopPipeline", now("now"), of.clone()).await;
    caller.client.until(&status, "pipelineStatus", |status| status["phase"] == "STOPPED").await;
    let clean = |dry: &'static str| {
        (
            "$id: ID!",
            if dry == "dry" { "pipeline: $id, keepBatches: 0, dryRun: true" } else { "pipeline: $id, keepBatches: 0" },
        )
    };
    let planned = caller.call("mutation", "cleanStorage", clean("dry"), of.clone()).await;
    let cleaned = caller.call("mutation", "cleanStorage", clean("now"), of.clone()).await;
    assert_eq!((&planned["batches"], &planned["bytes"]), (&cleaned["batches"], &cleaned["bytes"]));
    assert!(cleaned["batches"].as_u64() >= Some(1) && cleaned["bytes"].as_u64() > Some(0), "{cleaned}");
    swaps(caller, id).await;
    assert_eq!(caller.ask("refusedComponents").await, json!([]));
    let unknown = format!("sha256:{}", "0".repeat(64));
    let removed = ("$digest: String!", "digest: $digest");
    let removed = caller.call("mutation", "removeStage", removed, json!({ "digest": unknown })).await;
    assert_eq!(removed["removed"], false);
    assert_eq!(caller.of("mutation", "deletePipeline", id).await, json!({ "id": id, "deleted": true }));
    for id in [&status, &steps, &events].into_iter().chain(&streamed) {
        caller.client.ends(id).await;
    }
    assert_eq!(server.graphql(None, "{ pipelines { id } }", &json!({})).await.data("pipelines"), &json!([]));
}
