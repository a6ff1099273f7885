use super::*;

#[tokio::test]
async fn a_pipeline_is_made_changed_and_deleted() {
    let server = Server::start().await;
    let create = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) {
        id tenant streamId revision desired settings { source { url } destinations { id url } } status { phase onAir health { state reason } } } }";
    let input = json!({ "input": { "streamId": "tv", "settings": settings() } });
    let made = &server.told(create, input.clone()).await["createPipeline"];
    assert_eq!((made["id"].as_str(), made["revision"].as_u64()), (Some("default:tv"), Some(1)), "{made}");
    assert_eq!((made["desired"].as_str(), made["status"]["phase"].as_str()), (Some("STOPPED"), Some("STOPPED")));
    assert!(!made.to_string().contains("SECRET"), "{made}");
    // The same again is the same; anything else is a conflict.
    assert_eq!(&server.told(create, input).await["createPipeline"]["revision"], &made["revision"]);
    let other = json!({ "input": { "streamId": "tv", "settings": { "source": { "url": "http://127.0.0.1:9/b.m3u8" }, "destinations": [{ "url": "rtmp://a/b/c" }] } } });
    assert_eq!(code(&server.asked(create, other).await), "CONFLICT");

    let update = "mutation($input: UpdatePipelineInput!) { updatePipeline(id: \"tv\", input: $input) { revision settings { batchSeconds } } }";
    let change = |revision: u64| json!({ "input": { "settings": { "batchSeconds": 10 }, "expectedRevision": revision, "note": "longer" } });
    assert_eq!(server.told(update, change(1)).await["updatePipeline"]["settings"]["batchSeconds"], 10);
    let late = json!({ "input": { "settings": { "batchSeconds": 12 }, "expectedRevision": 1 } });
    assert_eq!(code(&server.asked(update, late).await), "CONFLICT");
    let back = server
        .told(
            "mutation { rollBackPipeline(id: \"default:tv\", revision: 1) { revision settings { batchSeconds } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        (back["rollBackPipeline"]["revision"].as_u64(), &back["rollBackPipeline"]["settings"]["batchSeconds"]),
        (Some(3), &Value::Null)
    );

    let seen = server
        .told("{ pipeline(id: \"tv\") { revisions(first: 2) { edges { cursor node { number note settings { batchSeconds } } } pageInfo { hasNextPage endCursor } } events { edges { node { kind message } } } batches { edges { node { number } } } } }", json!({}))
        .await["pipeline"]
        .clone();
    let numbers: Vec<_> = seen["revisions"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["node"]["number"].as_u64().unwrap())
        .collect();
    assert_eq!((numbers, seen["revisions"]["pageInfo"]["hasNextPage"].as_bool()), (vec![3, 2], Some(true)));
    let rest = server
        .told("query($after: String) { pipeline(id: \"tv\") { revisions(after: $after) { edges { node { number } } pageInfo { hasNextPage hasPreviousPage } } } }", json!({ "after": seen["revisions"]["pageInfo"]["endCursor"] }))
        .await;
    assert_eq!(
        rest["pipeline"]["revisions"],
        json!({ "edges": [{ "node": { "number": 1 } }], "pageInfo": { "hasNextPage": false, "hasPreviousPage": true } })
    );

    let delete = "mutation { deletePipeline(id: \"tv\") { id deleted } }";
    assert_eq!(server.told(delete, json!({})).await["deletePipeline"]["deleted"], true);
    assert_eq!(server.told(delete, json!({})).await["deletePipeline"]["deleted"], false);
    let gone = server.asked("{ pipeline(id: \"tv\") { id } me { name } }", json!({})).await;
    assert_eq!(
        (code(&gone).as_str(), &gone["data"]["pipeline"], gone["data"]["me"]["name"].as_str()),
        ("NOT_FOUND", &Value::Null, Some("test"))
    );
}

#[tokio::test]
async fn problems_are_named_as_the_caller_wrote_them() {
    let server = Server::start().await;
    let create = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
    let wrong = json!({ "input": { "streamId": "no spaces", "settings": settings() } });
    assert_eq!(refused(&server.asked(create, wrong).await), ("INVALID_INPUT".into(), vec!["input.streamId".into()]));
    let wrong = json!({ "input": { "streamId": "tv", "settings": {
        "source": { "url": "ftp://x" }, "batchSeconds": 1, "destinations": [{ "url": "rtmp://h/live/k" }, { "url": "http://h" }] } } });
    let (code, mut paths) = refused(&server.asked(create, wrong).await);
    paths.sort();
    assert_eq!(code, "INVALID_INPUT");
    assert_eq!(
        paths,
        ["input.settings.batchSeconds", "input.settings.destinations[1].url", "input.settings.source.url"]
    );
    for (query, path) in [
        ("{ events(first: 201) { edges { cursor } } }", "first"),
        ("{ events(after: \"x\") { edges { cursor } } }", "after"),
        ("{ logs(first: 1, last: 1) { edges { cursor } } }", "last"),
        ("{ nothing }", "query"),
        ("{ me { name }", "query"),
        ("", "query"),
        ("query($a: Int) { me { name } }", "query"),
        ("subscription { server { version } }", "query"),
        ("query a { me { name } } query b { me { name } }", "operationName"),
    ] {
        assert_eq!(
            refused(&server.asked(query, json!({})).await),
            ("INVALID_INPUT".into(), vec![path.into()]),
            "{query}"
        );
    }
    let unknown = json!({ "input": { "streamId": "tv", "settings": {}, "colour": 1 } });
    assert_eq!(super::code(&server.asked(create, unknown).await), "INVALID_INPUT");
}

#[tokio::test]
async fn answers_that_may_become_too_large_are_refused() {
    let server = Server::start().await;
    let many = "{ pipelines { batches(first: 200) { edges { node { number step steps { at } } } } } }";
    assert_eq!(code(&server.asked(many, json!({})).await), "LIMIT_EXCEEDED");
    // The same by a variable, and by one that is left out of range.
    let by_variable =
        "query($n: Int) { pipelines { batches(first: $n) { edges { node { number step steps { at } } } } } }";
    assert_eq!(code(&server.asked(by_variable, json!({ "n": 200 })).await), "LIMIT_EXCEEDED");
    assert_eq!(code(&server.asked(by_variable, json!({ "n": -5 })).await), "LIMIT_EXCEEDED");
    server.told(by_variable, json!({ "n": 10 })).await;
    assert_eq!(code(&server.asked(&"{me".repeat(9999), json!({})).await), "LIMIT_EXCEEDED");
}

#[tokio::test]
async fn roles_and_tenants_are_told_apart() {
    let server = Server::start().await;
    let made = server.told("mutation { createTenant(input: { name: \"acme\", quotas: { pipelines: 1, storageBytes: 4000000000 } }) { id quotas { pipelines storageBytes } networkPolicy { private } } }", json!({})).await;
    assert_eq!(
        made["createTenant"],
        json!({ "id": "acme", "quotas": { "pipelines": 1, "storageBytes": 4_000_000_000u64 }, "networkPolicy": { "private": false } })
    );
    let viewer = of("acme", Role::Viewer);
    let me = server.asked_by(&viewer, "{ me { tenant role tokenId } }", json!({})).await;
    assert_eq!(me["data"]["me"], json!({ "tenant": "acme", "role": "VIEWER", "tokenId": null }));
    let start = "mutation { startPipeline(id: \"tv\") { id } }";
    assert_eq!(code(&server.asked_by(&viewer, start, json!({})).await), "FORBIDDEN");
    assert_eq!(
        code(
            &server
                .asked_by(
                    &of("acme", Role::Admin),
                    "mutation { createTenant(input: { name: \"b\" }) { id } }",
                    json!({})
                )
                .await
        ),
        "FORBIDDEN"
    );
    let of_other = server.asked_by(&viewer, "{ tenant(id: \"default\") { id } }", json!({})).await;
    let of_nobody = server.asked_by(&viewer, "{ tenant(id: \"nobody\") { id } }", json!({})).await;
    let told = |answer: &Value| answer["errors"][0]["message"].as_str().unwrap().replace("default", "nobody");
    assert_eq!((code(&of_other).as_str(), told(&of_other)), ("NOT_FOUND", told(&of_nobody)));
    let limits = json!({ "input": { "tenant": "acme", "streamId": "a", "settings": settings() } });
    let create = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
    // What a strict policy makes of these addresses is not this test's business.
    let policy = "mutation { updateTenant(id: \"acme\", input: { networkPolicy: { private: true } }) { networkPolicy { private public } } }";
    assert_eq!(
        server.told(policy, json!({})).await["updateTenant"]["networkPolicy"],
        json!({ "private": true, "public": true })
    );
    server.told(create, limits.clone()).await;
    let second = json!({ "input": { "tenant": "acme", "streamId": "b", "settings": settings() } });
    assert_eq!(code(&server.asked(create, second).await), "LIMIT_EXCEEDED");
    assert_eq!(code(&server.asked("mutation { deleteTenant(id: \"acme\") { deleted } }", json!({})).await), "CONFLICT");
}

#[tokio::test]
async fn a_token_s_secret_is_shown_once() {
    let server = Server::start().await;
    let made = server.told("mutation { createToken(input: { name: \"ci\", role: OPERATOR, tenant: \"default\" }) { secret token { id name role usable } } }", json!({})).await;
    let secret = made["createToken"]["secret"].as_str().unwrap();
    let actor = server.endpoint.control().tenancy().authenticate(secret).await.unwrap();
    assert_eq!((actor.tenant.as_deref(), actor.role), (Some("default"), Role::Operator));
    let listed = server.told("{ tokens { edges { node { id name role usable revokedAt } } } }", json!({})).await;
    assert!(!listed.to_string().contains(secret) && listed.to_string().contains("\"ci\""), "{listed}");
    let revoke =
        format!("mutation {{ revokeToken(id: {}) {{ usable revokedAt }} }}", made["createToken"]["token"]["id"]);
    assert_eq!(server.told(&revoke, json!({})).await["revokeToken"]["usable"], false);
    assert!(server.endpoint.control().tenancy().authenticate(secret).await.is_err());
}

#[tokio::test]
async fn webhooks_never_show_what_gives_access() {
    let server = Server::start().await;
    let made = server.told("mutation { createWebhook(input: { name: \"ops\", url: \"https://u:SECRET@h.test/SECRET?k=SECRET\", kinds: [ON_AIR, OFF_AIR] }) { secret webhook { id name url kinds enabled } } }", json!({})).await;
    let hook = &made["createWebhook"]["webhook"];
    assert_eq!((&hook["kinds"], &hook["enabled"]), (&json!(["ON_AIR", "OFF_AIR"]), &json!(true)));
    assert!(made["createWebhook"]["secret"].is_string());
    let id = hook["id"].as_str().unwrap();
    let changed = server.told("mutation($id: ID!) { updateWebhook(id: $id, input: { enabled: false, secret: \"another-secret-of-mine\" }) { url enabled } }", json!({ "id": id })).await;
    let listed =
        server.told("{ webhooks { id url } audit { edges { node { action target detail } } } }", json!({})).await;
    for shown in [&changed, &listed, hook] {
        assert!(!shown.to_string().contains("SECRET") && !shown.to_string().contains("another-secret"), "{shown}");
    }
    let tried =
        server.told("mutation($id: ID!) { testWebhook(id: $id) { id webhookId state } }", json!({ "id": id })).await;
    assert_eq!(tried["testWebhook"]["webhookId"].as_str(), Some(id));
    let delete = "mutation($id: ID!) { deleteWebhook(id: $id) { deleted } }";
    assert_eq!(server.told(delete, json!({ "id": id })).await["deleteWebhook"]["deleted"], true);
    assert_eq!(server.told(delete, json!({ "id": id })).await["deleteWebhook"]["deleted"], false);
    assert_eq!(code(&server.asked("mutation { testWebhook(id: \"nonsense\") { id } }", json!({})).await), "NOT_FOUND");
}

#[tokio::test]
async fn problems_of_tenants_tokens_and_webhooks_are_named_as_the_caller_wrote_them() {
    let server = Server::start().await;
    server.told("mutation { createTenant(input: { name: \"acme\" }) { id } }", json!({})).await;
    for (mutation, paths) in [
        (
            "updateTenant(id: \"acme\", input: { quotas: { pipelines: 9 }, networkPolicy: { denyHosts: [\"a b\"] } }) { id }",
            vec!["input.networkPolicy.denyHosts[0]"],
        ),
        (
            "createTenant(input: { name: \"a b\", quotas: { ffmpegProcesses: 0 }, networkPolicy: { allowRanges: [\"x\"] } }) { id }",
            vec!["input.name", "input.quotas.ffmpegProcesses", "input.networkPolicy.allowRanges[0]"],
        ),
        (
            "createToken(input: { name: \"t\", role: VIEWER, expiresAt: \"2020-01-01T00:00:00Z\" }) { secret }",
            vec!["input.expiresAt"],
        ),
        (
            "createWebhook(input: { name: \"w\", url: \"file:///etc/passwd\", secret: \"a\" }) { secret }",
            vec!["input.url", "input.secret"],
        ),
    ] {
        let answer = server.asked(&format!("mutation {{ {mutation} }}"), json!({})).await;
        let paths = paths.into_iter().map(str::to_owned).collect();
        assert_eq!(refused(&answer), ("INVALID_INPUT".to_owned(), paths), "{mutation}");
    }
    let quotas = server.told("{ tenant(id: \"acme\") { quotas { pipelines } } }", json!({})).await;
    assert_eq!(quotas["tenant"]["quotas"]["pipelines"], 5, "something was changed");
}

#[tokio::test]
async fn a_restart_may_say_which_start_it_means() {
    let server = Server::start().await;
    let create = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
    server.told(create, json!({ "input": { "streamId": "tv", "settings": settings() } })).await;
    let restart =
        "mutation($at: DateTime) { restartPipeline(id: \"tv\", mode: AT_ONCE, expectedStartedAt: $at) { desired } }";
    let expected = server.asked(restart, json!({ "at": "2026-01-01T00:00:00Z" })).await;
    assert_eq!(code(&expected), "CONFLICT");
    assert_eq!(server.told(restart, json!({})).await["restartPipeline"]["desired"], "RUNNING");
}

#[tokio::test]
async fn the_server_says_what_it_is_built_with() {
    let server = Server::start().await;
    let told = server.told("{ server { wasmtimeVersion } }", json!({})).await;
    let version = told["server"]["wasmtimeVersion"].as_str().unwrap();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts.len() == 3 && parts[0] >= 48, "{version}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_process_uses_is_told_to_callers_of_the_whole_host_only() {
    let server = Server::start().await;
    let query = "{ server { rssBytes childProcesses } }";
    let told = server.told(query, json!({})).await;
    assert!(told["server"]["rssBytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{told}");
    assert!(told["server"]["childProcesses"].is_u64(), "{told}");
    let told = server.asked_by(&of("default", Role::Admin), query, json!({})).await;
    assert_eq!(told["data"]["server"], json!({ "rssBytes": null, "childProcesses": null }), "{told}");
}
