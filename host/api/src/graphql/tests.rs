//! The schema as it is published, and its answers in front of a real core on a temporary storage.

mod answers;
mod schema;
mod subscriptions;
mod transports;
mod unknown_names;
mod upload;

use std::sync::Arc;

use async_graphql::Request;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Endpoint;
use outboard_control::Control;
use outboard_control::access::{Actor, Role};
use outboard_pipeline::Host;

/// A core with nothing in it but the tenant `default`.
struct Server {
    endpoint: Endpoint,
    _storage: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let storage = tempfile::tempdir().unwrap();
        let control = Control::open(Host::open(storage.path()).await.unwrap()).await.unwrap();
        Self { endpoint: Endpoint::new(control, CancellationToken::new()), _storage: storage }
    }

    /// The whole answer, as JSON.
    async fn asked_by(&self, actor: &Actor, query: &str, variables: Value) -> Value {
        let request = Request::new(query).variables(async_graphql::Variables::from_json(variables));
        let place = Arc::new(self.endpoint.place(actor).unwrap());
        let answer = match self.endpoint.admit(actor, request) {
            Ok(admitted) => self.endpoint.answer(Arc::new(actor.clone()), admitted, place).await,
            Err(answer) => *answer,
        };
        serde_json::to_value(answer).unwrap()
    }

    async fn asked(&self, query: &str, variables: Value) -> Value {
        self.asked_by(&local(), query, variables).await
    }

    /// What was answered; nothing may have gone wrong.
    async fn told(&self, query: &str, variables: Value) -> Value {
        let answer = self.asked(query, variables).await;
        assert_eq!(answer["errors"], Value::Null, "{query}");
        answer["data"].clone()
    }
}

fn local() -> Actor {
    Actor::local("test")
}

fn of(tenant: &str, role: Role) -> Actor {
    Actor { tenant: Some(tenant.to_owned()), role, token: None, name: format!("{role} of {tenant}") }
}

/// The only error's code and, for input, its problems' paths.
fn refused(answer: &Value) -> (String, Vec<String>) {
    let errors = answer["errors"].as_array().unwrap_or_else(|| panic!("no error in {answer}"));
    assert_eq!(errors.len(), 1, "{answer}");
    let extensions = &errors[0]["extensions"];
    let problems = extensions["problems"].as_array().cloned().unwrap_or_default();
    let paths = problems.iter().map(|problem| problem["path"].as_str().unwrap().to_owned()).collect();
    (extensions["code"].as_str().unwrap_or_else(|| panic!("no code in {answer}")).to_owned(), paths)
}

fn code(answer: &Value) -> String {
    refused(answer).0
}

/// Settings that can be kept; nothing is there at their addresses.
fn settings() -> Value {
    json!({
        "source": { "url": "http://127.0.0.1:9/live.m3u8?token=SECRET" },
        "destinations": [{ "url": "rtmp://127.0.0.1:9/live/SECRET" }],
    })
}
