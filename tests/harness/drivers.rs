//! GraphQL clients that users have, each in its own process: `graphql-ws` (and `graphql-sse`) on Node, `gql` on Python.
//! A test sends them operations and receives their results.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

/// Longest wait for a response.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The GraphQL client library that a test drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    /// `graphql-ws`: queries, mutations and subscriptions over one WebSocket.
    Node,
    /// `gql`: queries and mutations over HTTP, subscriptions over a WebSocket; it validates them against the server's
    /// schema.
    Python,
}

/// The client's view of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum OperationEvent {
    /// A response: `data`, and `errors` if there are any.
    Next(Value),
    /// The operation ended with these errors.
    Error(Value),
    /// The operation ended without errors.
    End,
}

impl OperationEvent {
    /// The data of a root field.
    ///
    /// # Panics
    /// If this is not a response with data.
    pub fn field(&self, name: &str) -> &Value {
        match self {
            Self::Next(answer) if answer["errors"].is_null() => &answer["data"][name],
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The code of the first error.
    ///
    /// # Panics
    /// If there is no error.
    pub fn code(&self) -> &str {
        let errors = match self {
            Self::Next(answer) => &answer["errors"],
            Self::Error(errors) => errors,
            Self::End => panic!("it ended without an error"),
        };
        errors[0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("no code in {errors}"))
    }
}

/// A running client process, which executes orders from the test. Dropping it kills the process.
pub struct Driver {
    _child: Child,
    orders: ChildStdin,
    told: mpsc::Receiver<Value>,
    waiting: HashMap<String, VecDeque<OperationEvent>>,
    asked: HashMap<String, &'static str>,
    ids: u64,
    /// Root fields that were answered with data, by kind of operation.
    pub called: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Driver {
    /// Starts a client of the server at host and port, with or without a token.
    pub async fn start(kind: ClientKind, address: &str, token: Option<&str>) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let (program, script, needs) = match kind {
            ClientKind::Node => {
                (PathBuf::from("node"), folder.join("node/client.js"), folder.join("node/node_modules"))
            }
            ClientKind::Python => {
                let python = folder.join("python/.venv/bin/python");
                (python.clone(), folder.join("python/client.py"), python)
            }
        };
        assert!(needs.exists(), "{} is missing; scripts/test makes it", needs.display());
        let mut child = Command::new(program)
            .arg(script)
            .arg(address)
            .args(token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, told) = mpsc::channel(4096);
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                let message = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        });
        Self {
            _child: child,
            orders,
            told,
            waiting: HashMap::new(),
            asked: HashMap::new(),
            ids: 0,
            called: BTreeMap::new(),
        }
    }

    /// Executes an operation; returns the response.
    pub async fn ask(&mut self, query: &str, variables: Value) -> OperationEvent {
        let id = self.order("call", query, variables).await;
        let answer = self.next(&id).await;
        if matches!(answer, OperationEvent::Next(_)) {
            assert_eq!(self.next(&id).await, OperationEvent::End);
        }
        answer
    }

    /// Executes an operation with one root field; returns its data.
    ///
    /// # Panics
    /// If there are errors.
    pub async fn get(&mut self, field: &str, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables).await;
        match &answer {
            OperationEvent::Next(data) if data["errors"].is_null() => data["data"][field].clone(),
            other => panic!("{query}: {other:?}"),
        }
    }

    /// Starts a subscription; returns its id.
    pub async fn follow(&mut self, query: &str, variables: Value) -> String {
        self.order("follow", query, variables).await
    }

    /// [`Self::follow`] over server-sent events.
    pub async fn follow_events(&mut self, query: &str, variables: Value) -> String {
        self.order("follow-sse", query, variables).await
    }

    /// Ends a subscription from the client's side.
    pub async fn stop(&mut self, id: &str) {
        self.send(json!({ "id": id, "do": "stop" })).await;
    }

    /// The next response of an operation.
    pub async fn next(&mut self, id: &str) -> OperationEvent {
        loop {
            if let Some(heard) = self.waiting.get_mut(id).and_then(VecDeque::pop_front) {
                return heard;
            }
            let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
            let mut message = told
                .unwrap_or_else(|_| panic!("nothing more for {id}"))
                .unwrap_or_else(|| panic!("the client is gone"));
            let of = message["id"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned();
            let heard = if message["end"] == true {
                OperationEvent::End
            } else if message.get("error").is_some() {
                OperationEvent::Error(message["error"].take())
            } else {
                let answer = message["next"].take();
                self.note(&of, &answer["data"]);
                OperationEvent::Next(answer)
            };
            self.waiting.entry(of).or_default().push_back(heard);
        }
    }

    /// Reads responses of an operation until one matches; returns the data of all of them.
    pub async fn until(&mut self, id: &str, field: &str, mut wanted: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let mut all = Vec::new();
        let found = async {
            loop {
                let value = self.next(id).await.field(field).clone();
                let enough = wanted(&value);
                all.push(value);
                if enough {
                    return;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        assert!(found.is_ok(), "{field} never came to that: {:#?}", all.last());
        all
    }

    /// Reads responses of an operation until it ends.
    pub async fn ends(&mut self, id: &str) {
        while self.next(id).await != OperationEvent::End {}
    }

    fn note(&mut self, id: &str, data: &Value) {
        let kind = self.asked[id];
        let answered = data.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        self.called.entry(kind).or_default().extend(answered.map(|(name, _)| name.clone()));
    }

    async fn order(&mut self, what: &str, query: &str, variables: Value) -> String {
        self.ids += 1;
        let id = self.ids.to_string();
        let kind = ["mutation", "subscription"].into_iter().find(|kind| query.starts_with(kind)).unwrap_or("query");
        self.asked.insert(id.clone(), kind);
        self.send(json!({ "id": id, "do": what, "query": query, "variables": variables })).await;
        id
    }

    async fn send(&mut self, order: Value) {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    }
}
