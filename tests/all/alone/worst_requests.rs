//! The worst requests that are accepted, over every transport at once and for as long as they like to come: another tenant's
//! stream goes on without a pause.
//!
//! `OUTBOARD_TEST_SECONDS` sets how long the quiet tenant's programme is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use outboard_tests::media::Clip;
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use outboard_tests::server::channel::{Channel, Plan, seconds};
use serde_json::json;
use tokio::task::JoinSet;

/// A pause of our own making on air. The aim is 100 ms; a machine that does more beside this has longer ones of its own.
const PAUSE_MOST_MS: f64 = 400.0;
/// Clients of each transport.
const CLIENTS: usize = 3;

/// Each is as long as its transport takes, and accepted.
fn worst() -> [(&'static str, String); 3] {
    // As many words as a text may have; validation and execution look at all of them.
    let words = format!("query($a: Boolean!) {{ me {{ {} }} }}", "name ".repeat(900));
    let words = json!({ "query": words + &"# x\n".repeat(10_000), "variables": { "a": true } }).to_string();
    // All of the schema, several times.
    let types = "types { name description fields { name description args { name description } } } ";
    let schema: String = (0..6).map(|n| format!("a{n}: __schema {{ {types} }} ")).collect();
    let schema = json!({ "query": format!("{{ {schema} }}") }).to_string();
    // As many values as a request may have.
    let values = json!({ "query": "{ me { name } }", "variables": { "a": vec![1; 19_000] } }).to_string();
    [("words", words), ("schema", schema), ("values", values)]
}

/// Asks until the set is dropped, and counts the answers.
fn ask(to: &mut JoinSet<()>, request: reqwest::RequestBuilder, counted: &Arc<AtomicUsize>) {
    let counted = counted.clone();
    to.spawn(async move {
        while let Some(request) = request.try_clone() {
            // Told to wait, it asks again all the same.
            if let Ok(answer) = request.send().await
                && answer.bytes().await.is_ok()
            {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

#[tokio::test]
async fn the_worst_requests_of_one_tenant_do_not_pause_another_s_stream() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (noisy, quiet) = (server.tenant("noisy").await, server.tenant("quiet").await);
    let nginx = Nginx::start();
    let length = seconds(36);
    let plan = Plan { name: "quiet", clip: Clip::small(length), batch_seconds: 4, processor: None };
    let mut channel = Channel::start(&server, Some(&quiet), &nginx, plan).await;
    channel.on_air(&server, &nginx).await;

    let mut clients = JoinSet::new();
    let http = reqwest::Client::new();
    let post = |path: &str| http.post(server.url(path)).header("authorization", format!("Bearer {noisy}"));
    let counts: Vec<(String, Arc<AtomicUsize>)> = ["post", "events", "multipart", "rest", "socket"]
        .into_iter()
        .map(|name| (name.to_owned(), Arc::default()))
        .collect();
    let count =
        |name: &str| counts.iter().find(|(of, _)| of == name).map(|(_, count)| count.clone()).unwrap_or_default();
    for (_, body) in worst() {
        for _ in 0..CLIENTS {
            let json = |path| post(path).header("content-type", "application/json").body(body.clone());
            ask(&mut clients, json("/graphql"), &count("post"));
            ask(&mut clients, json("/graphql").header("accept", "text/event-stream"), &count("events"));
            ask(&mut clients, json("/api/pipeline/stop"), &count("rest"));
            let part = |name: &str| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"");
            let mut form = format!(
                "{}\r\n\r\n{body}\r\n{}\r\n\r\n{{\"0\":[\"variables.file\"]}}\r\n{}; filename=\"a\"\r\n\r\n",
                part("operations"),
                part("map"),
                part("0")
            );
            form.push_str(&"x".repeat(4 << 20));
            form.push_str("\r\n--x--\r\n");
            let multipart = post("/graphql")
                .header("content-type", "multipart/form-data; boundary=x")
                .header("graphql-require-preflight", "1");
            ask(&mut clients, multipart.body(form), &count("multipart"));
            if body.len() < 60 << 10 {
                let (mut socket, counted) = (server.socket(Some(&noisy)).await, count("socket"));
                let request: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
                clients.spawn(async move {
                    let query = request["query"].as_str().unwrap_or_default().to_owned();
                    loop {
                        if socket.ask(&query, &request["variables"]).await.is_none() {
                            return;
                        }
                        counted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        }
    }
    let last = channel.ended(&server, Duration::from_secs(u64::from(length) + 120)).await;
    drop(clients);
    let longest = channel.assert_laws(&server, &nginx, &last).await;
    let own = last["destinations"][0]["maxOwnGapMs"].as_f64();
    eprintln!("longest pause: {own:?} ms of our making, {} ms at the receiver", longest.as_millis());
    for (transport, count) in &counts {
        let count = count.load(Ordering::Relaxed);
        eprintln!("{transport}: {count} answers");
        assert!(count > 3, "{transport} was asked");
    }
    assert!(own.is_some_and(|own| own <= PAUSE_MOST_MS), "{last:#}");
}
