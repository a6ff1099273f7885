//! `outboard serve` as a user runs it, and clients of its API: requests over HTTP, subscriptions over a WebSocket.
//!
//! The server is a child process on a free port; it listens when `start` returns, and ends with its guard. It can be
//! killed and started again on the same storage, with another port.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

pub mod channel;
pub mod socket;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::host::{Host, binary};
use socket::Socket;

/// Limit for a response: above the server's own 80 s.
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);

/// A running `outboard` server and a client for its API.
pub struct Server {
    program: PathBuf,
    process: Option<Host>,
    storage: PathBuf,
    variables: Vec<(String, String)>,
    address: String,
    http: reqwest::Client,
}

/// A response of the API.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status code of the response.
    pub status: u16,
    /// The body as JSON.
    pub body: Value,
}

impl Answer {
    /// A field of the data.
    ///
    /// # Panics
    /// If there are errors.
    pub fn data(&self, field: &str) -> &Value {
        assert!(self.body["errors"].is_null(), "{}: {}", self.status, self.body);
        &self.body["data"][field]
    }

    /// The code of the first error.
    pub fn code(&self) -> Option<&str> {
        self.body["errors"][0]["extensions"]["code"].as_str()
    }
}

impl Server {
    /// Starts a server on this storage.
    pub async fn start(storage: &Path) -> Self {
        Self::start_with(storage, &[]).await
    }

    /// [`Self::start`] with these environment variables.
    pub async fn start_with(storage: &Path, variables: &[(&str, &str)]) -> Self {
        Self::start_program(binary(), storage, variables).await
    }

    /// [`Self::start_with`] with this build of `outboard`.
    pub async fn start_program(program: PathBuf, storage: &Path, variables: &[(&str, &str)]) -> Self {
        outboard::tls::install();
        let all = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let http = reqwest::Client::builder().timeout(ANSWERS_WITHIN).build().unwrap();
        let (storage, address) = (storage.to_owned(), String::new());
        let mut server = Self { program, process: None, storage, variables: all, address, http };
        server.start_again().await;
        server
    }

    /// Starts it again after [`Server::kill`].
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let variables: Vec<(&str, &str)> = self.variables.iter().map(|(key, value)| (&**key, &**value)).collect();
        let (process, url) = Host::serve_program(&self.program, &self.storage, &variables).await;
        url.trim_start_matches("http://").clone_into(&mut self.address);
        self.process = Some(process);
    }

    /// Kills it with SIGKILL; returns its log.
    pub async fn kill(&mut self) -> Vec<String> {
        self.process.take().unwrap().kill().await
    }

    /// The process alone, to wait for its end.
    pub fn into_process(mut self) -> Host {
        self.process.take().unwrap()
    }

    /// The server's child process, while it runs.
    pub fn process(&self) -> &Host {
        self.process.as_ref().unwrap()
    }

    /// Its log so far.
    pub fn log(&self) -> Vec<String> {
        self.process().log()
    }

    /// The build of `outboard` that it runs.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The folder in which the server keeps its data.
    pub fn storage(&self) -> &Path {
        &self.storage
    }

    /// Host and port of its API.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// URL of a path on this server: `http://<address><path>`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    // === the API ===

    /// Sends a GraphQL request; an error if no response arrives.
    pub async fn try_graphql(&self, token: Option<&str>, query: &str, variables: &Value) -> reqwest::Result<Answer> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let mut request = self.http.post(self.url("/graphql")).header("content-type", "application/json").body(body);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) })
    }

    /// Sends a GraphQL request; without a token as the local admin.
    ///
    /// # Panics
    /// If no response arrives.
    pub async fn graphql(&self, token: Option<&str>, query: &str, variables: &Value) -> Answer {
        match self.try_graphql(token, query, variables).await {
            Ok(answer) => answer,
            Err(error) => panic!("{query}: {error}: {:#?}", self.process.as_ref().map(Host::log)),
        }
    }

    /// Sends a GET request to the REST API.
    pub async fn get(&self, token: Option<&str>, path: &str) -> (u16, String) {
        let mut request = self.http.get(self.url(path));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A WebSocket for subscriptions.
    pub async fn socket(&self, token: Option<&str>) -> Socket {
        Socket::open(&self.address, token).await
    }

    /// Creates a tenant with high quotas that may reach this machine; returns the token of an admin of it.
    pub async fn tenant(&self, name: &str) -> String {
        let tenant = json!({
            "name": name,
            "networkPolicy": { "public": false, "private": true, "files": true },
            "quotas": { "pipelines": 200, "ffmpegProcesses": 8 },
        });
        let make = "mutation($input: CreateTenantInput!) { createTenant(input: $input) { id } }";
        self.graphql(None, make, &json!({ "input": tenant })).await.data("createTenant");
        let token = json!({ "tenant": name, "name": "tests", "role": "ADMIN" });
        let make = "mutation($input: CreateTokenInput!) { createToken(input: $input) { secret } }";
        let answer = self.graphql(None, make, &json!({ "input": token })).await;
        answer.data("createToken")["secret"].as_str().unwrap().to_owned()
    }

    /// Creates a pipeline, and starts it if requested; returns its id.
    pub async fn create(&self, token: Option<&str>, stream: &str, settings: &Value, start: bool) -> String {
        let input = json!({ "streamId": stream, "settings": settings, "start": start });
        let make = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
        let answer = self.graphql(token, make, &json!({ "input": input })).await;
        answer.data("createPipeline")["id"].as_str().unwrap().to_owned()
    }

    /// The current status of a pipeline.
    pub async fn status(&self, token: Option<&str>, id: &str) -> Value {
        let query = format!("query($id: ID!) {{ pipeline(id: $id) {{ desired status {{ {STATUS} }} }} }}");
        self.graphql(token, &query, &json!({ "id": id })).await.data("pipeline")["status"].clone()
    }

    /// Follows a pipeline's status until it matches, and returns it.
    ///
    /// # Panics
    /// If that takes longer than `limit`; the message has the last status and the log.
    pub async fn until(
        &self,
        token: Option<&str>,
        id: &str,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = Value::Null;
        let found = async {
            let mut socket = self.socket(token).await;
            let follow = format!("subscription($id: ID!) {{ pipelineStatus(id: $id) {{ {STATUS} }} }}");
            socket.subscribe(&follow, &json!({ "id": id })).await;
            while let Some((_, mut payload)) = socket.next().await {
                last = payload["data"]["pipelineStatus"].take();
                if wanted(&last) {
                    return true;
                }
            }
            false
        };
        let found = tokio::time::timeout(limit, found).await;
        let tail = || {
            let log = self.log();
            log[log.len().saturating_sub(200)..].to_vec()
        };
        assert!(matches!(found, Ok(true)), "{id}: not {what} within {limit:?}: {last:#}: {:#?}", tail());
        last
    }
}

/// The selected fields of a status.
pub const STATUS: &str = "pipelineId at phase onAir health { state reason since } since startedAt runningRevision \
    restarts lastError airSeconds batchesReady \
    counters { segments batches processed original packetsIn packetsLost maxSkewMs lateBatches } \
    destinations { id url state onAir problem maxGapMs maxOwnGapMs counters { video audio repeated droppedLagging \
    droppedReleased droppedUnreadable skippedPackets skippedSeconds late sessions reconnects } } stages { kind name digest }";

/// Resident memory of a process in kB.
pub fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
