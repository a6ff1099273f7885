//! What callers may see and do: tenants, roles, tokens, sessions and health.

use super::*;

#[tokio::test]
async fn tenants_are_walls_and_roles_are_kept() {
    let server = Server::start(false).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    let acme = server.token(Some("acme"), "acme", Role::Operator).await;
    let globex = server.token(Some("globex"), "globex", Role::Operator).await;
    let viewer = server.token(Some("acme"), "viewer", Role::Viewer).await;
    assert_eq!(server.post(&acme, START, with(start_request(), "streamId", json!("tv"))).await.status, 200);
    assert_eq!(server.get(&viewer, STATUS).await.body["streamId"], "tv");
    // Not there, or somebody else's: word for word the same.
    for path in [
        "/api/pipeline/status?streamId=ID",
        "/api/storage/stats?streamId=ID",
        "/preview/ID/index.m3u8",
        "/preview/ID/batch/0/output",
        STOP,
        "/api/storage/clean",
    ] {
        let ask = async |id: &str| match path {
            STOP | "/api/storage/clean" => server.post(&globex, path, json!({ "streamId": id })).await,
            _ => server.get(&globex, &path.replace("ID", id)).await,
        };
        let (foreign, absent) = (ask("acme:tv").await, ask("acme:xx").await);
        assert_eq!(foreign.code(), (404, "NOT_FOUND"), "{path}: {}", foreign.body);
        assert_eq!(foreign.body.to_string(), absent.body.to_string().replace("acme:xx", "acme:tv"));
        assert_eq!(ask("tv").await.code(), (404, "NOT_FOUND"));
    }
    let foreign = server.post(&globex, START, with(start_request(), "streamId", json!("acme:tv"))).await;
    assert_eq!((foreign.code(), foreign.problems()), ((400, "INVALID_INPUT"), vec!["streamId"]));
    assert_eq!(server.get(&globex, STATUS).await.body["streamId"], Value::Null);
    let health = server.get(&globex, "/api/health").await;
    assert_eq!((health.status, &health.body["pipelines"]["all"]), (200, &json!(0)), "{}", health.body);
    // Viewers look.
    let same = with(start_request(), "streamId", json!("tv"));
    let new = with(start_request(), "streamId", json!("new"));
    for answer in [
        server.post(&viewer, START, same).await,
        server.post(&viewer, START, new).await,
        server.post(&viewer, STOP, json!({})).await,
    ] {
        assert_eq!(answer.code(), (403, "FORBIDDEN"), "{}", answer.body);
    }
    assert!(server.control.pipelines().get(&server.control.local_actor(), "acme:tv").unwrap().desired_running());
}

#[tokio::test]
async fn nothing_is_said_without_a_token_but_that_we_live() {
    let server = Server::start(false).await;
    for (method, path, _) in table() {
        let path = path.replace("{pipeline}", "live").replace("{number}", "0").replace("{media}", "output");
        let answer = server.send(method.as_str(), &path, &[("content-type", "application/json")], "{}").await;
        let open = match (method.as_str(), path.as_str()) {
            ("GET", "/livez" | "/readyz" | "/api/health" | "/api/openapi.json") => 200,
            ("DELETE", "/api/session") => 204,
            ("POST", "/api/session") => 400,
            _ => 401,
        };
        assert_eq!(answer.status, open, "{method} {path}: {}", answer.body);
    }
    let health = server.get("", "/api/health").await;
    assert_eq!((&health.body["status"], &health.body["pipelines"]), (&json!("ok"), &Value::Null));
    assert_eq!(server.get("obt_wrong", "/api/health").await.code(), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn health_tells_what_is_wrong_and_liveness_does_not() {
    let server = Server::start(true).await;
    assert_eq!(server.get("", "/api/health").await.status, 200);
    server.post("", START, start_request()).await;
    let failing = async {
        loop {
            let health = server.get("", "/api/health").await;
            if health.status == 503 {
                return health;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let health = tokio::time::timeout(std::time::Duration::from_secs(120), failing).await.unwrap();
    assert_eq!((&health.body["status"], &health.body["pipelines"]["failing"]), (&json!("failing"), &json!(1)));
    let reason = health.body["reasons"][0].as_str().unwrap();
    assert!(reason.starts_with("default:live: "), "{reason}");
    for path in ["/livez", "/readyz"] {
        assert_eq!(server.get("", path).await.status, 200, "{path}");
    }
    server.stop.cancel();
    assert_eq!((server.get("", "/livez").await.status, server.get("", "/readyz").await.status), (200, 503));
}

#[tokio::test]
async fn pages_sign_in_and_out() {
    let server = Server::start(false).await;
    server.tenant("acme").await;
    let token = server.token(Some("acme"), "page", Role::Viewer).await;
    let json = ("content-type", "application/json");
    let own = ("origin", "http://localhost");
    let body = json!({ "token": token }).to_string();
    let signed = server.send("POST", "/api/session", &[json, own], body.clone()).await;
    assert_eq!(signed.status, 200, "{}", signed.body);
    let who = json!({ "tenant": "acme", "role": "viewer", "name": "token page", "local": false });
    assert_eq!(signed.body, who);
    let cookie = signed.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = ("cookie", cookie.split(';').next().unwrap());
    assert_eq!(server.send("GET", "/api/session", &[cookie], "").await.body, who);
    let evil = ("origin", "http://evil.example");
    for (method, headers) in
        [("GET", [cookie, evil, json]), ("POST", [evil, json, json]), ("DELETE", [cookie, evil, json])]
    {
        let answer = server.send(method, "/api/session", &headers, body.clone()).await;
        assert_eq!(answer.code(), (403, "FORBIDDEN"), "{method}: {}", answer.body);
    }
    let out = server.send("DELETE", "/api/session", &[cookie, own], "").await;
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(out.status, 204);
}

#[tokio::test]
async fn guessing_ends_and_nobody_is_locked_out() {
    let server = Server::start(false).await;
    let token = server.token(None, "page", Role::Viewer).await;
    let mut told = Vec::new();
    for n in 0..SIGN_IN_FAILURES + 5 {
        let wrong = json!({ "token": format!("obt_wrong{n}") });
        told.push(server.post("", "/api/session", wrong).await.status);
    }
    let (first, last) = told.split_at(SIGN_IN_FAILURES as usize);
    assert!(first.iter().all(|status| *status == 401), "{told:?}");
    assert!(last.iter().filter(|status| **status == 429).count() >= 3, "{told:?}");
    assert_eq!(server.post("", "/api/session", json!({ "token": token })).await.status, 200);
}
