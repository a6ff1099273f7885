//! The most expensive requests that are accepted, over every transport at once and without pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use crate::server::Server;

/// Number of clients for each transport and kind.
const CLIENTS: usize = 3;

/// The transports over which requests are sent.
const TRANSPORTS: [&str; 5] = ["post", "events", "multipart", "rest", "socket"];

/// Clients that send requests without pause.
pub struct WorstRequests {
    clients: JoinSet<()>,
    counts: [Arc<AtomicUsize>; 5],
}

impl WorstRequests {
    /// Starts three clients for each of the worst requests and each transport that accepts it.
    pub async fn start(server: &Server, token: &str) -> Self {
        let mut clients = JoinSet::new();
        let http = reqwest::Client::new();
        let post = |path: &str| http.post(server.url(path)).header("authorization", format!("Bearer {token}"));
        let counts: [Arc<AtomicUsize>; 5] = std::array::from_fn(|_| Arc::default());
        let [by_post, events, multiparts, rest, sockets] = &counts;
        for body in worst() {
            for _ in 0..CLIENTS {
                let json = |path| post(path).header("content-type", "application/json").body(body.clone());
                ask(&mut clients, json("/graphql"), by_post);
                ask(&mut clients, json("/graphql").header("accept", "text/event-stream"), events);
                ask(&mut clients, json("/api/pipeline/stop"), rest);
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
                ask(&mut clients, multipart.body(form), multiparts);
                if body.len() < 60 << 10 {
                    let (mut socket, counted) = (server.socket(Some(token)).await, sockets.clone());
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
        Self { clients, counts }
    }

    /// Stops them; returns the number of responses over each transport.
    pub fn end(self) -> [(&'static str, usize); 5] {
        drop(self.clients);
        std::array::from_fn(|n| (TRANSPORTS[n], self.counts[n].load(Ordering::Relaxed)))
    }
}

/// Each is as large as its transport accepts.
fn worst() -> [String; 3] {
    // The maximum number of tokens; validation and execution process all of them.
    let words = format!("query($a: Boolean!) {{ me {{ {} }} }}", "name ".repeat(900));
    let words = json!({ "query": words + &"# x\n".repeat(10_000), "variables": { "a": true } }).to_string();
    // The whole schema, several times.
    let types = "types { name description fields { name description args { name description } } } ";
    let schema: String = (0..6).map(|n| format!("a{n}: __schema {{ {types} }} ")).collect();
    let schema = json!({ "query": format!("{{ {schema} }}") }).to_string();
    // The maximum number of values in a request.
    let values = json!({ "query": "{ me { name } }", "variables": { "a": vec![1; 19_000] } }).to_string();
    [words, schema, values]
}

/// Sends requests until the set is dropped, and counts the responses.
fn ask(to: &mut JoinSet<()>, request: reqwest::RequestBuilder, counted: &Arc<AtomicUsize>) {
    let counted = counted.clone();
    to.spawn(async move {
        while let Some(request) = request.try_clone() {
            // Ignores responses that ask it to wait.
            if let Ok(answer) = request.send().await
                && answer.bytes().await.is_ok()
            {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}
