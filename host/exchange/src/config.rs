//! What a pipeline's exchange is told. Checked when the exchange starts, before any connection.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::limits::{
    BREAKER_FAILURES_DEFAULT, BREAKER_PROBE_AFTER_DEFAULT, EXCHANGE_CONNECT_TIMEOUT_DEFAULT,
    EXCHANGE_READY_TIMEOUT_DEFAULT, IN_FLIGHT_DEFAULT,
};
use outboard_base::redact;
use outboard_net::Guard;

/// When the exchange stops sending to a processor that only fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Retryable failures and timeouts in a row that open the breaker; 0: it never opens.
    pub failures: u32,
    /// How long it stays open before one fragment is let through.
    pub probe_after: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: BREAKER_FAILURES_DEFAULT, probe_after: BREAKER_PROBE_AFTER_DEFAULT }
    }
}

/// Where the processor is and how it is to be treated. `Debug` hides what may be secret.
#[derive(Clone, PartialEq)]
pub struct ExchangeConfig {
    /// `http`, `https`, `ws` or `wss`. A path is the namespace, as with Socket.IO's own clients, unless it ends in
    /// `/socket.io/` or equals `path`; a query is sent along; user and password become Basic authorization.
    pub url: String,
    /// The server's Engine.IO path; `None`: `/socket.io/`.
    pub path: Option<String>,
    /// The namespace; `None`: what the URL tells, else `/`.
    pub namespace: Option<String>,
    /// The payload of Socket.IO's CONNECT.
    pub auth: Option<Value>,
    /// Further headers of the WebSocket upgrade.
    pub headers: Vec<(String, String)>,
    /// Further query parameters of the WebSocket upgrade.
    pub query: Vec<(String, String)>,
    /// A PEM file of the certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// What may be reached.
    pub guard: Guard,
    /// For the WebSocket connection, and again for the Socket.IO handshake.
    pub connect_timeout: Duration,
    /// From the greeting to `ready`, where the dialect has it.
    pub ready_timeout: Duration,
    /// Fragments that the processor works on at once, from 1 to [`crate::limits::IN_FLIGHT_MAX`].
    pub in_flight: usize,
    /// How long an answer may take from the sending on; `None`: only whoever waits decides.
    pub fragment_timeout: Option<Duration>,
    /// Limits of the circuit breaker.
    pub breaker: BreakerConfig,
}

impl ExchangeConfig {
    /// The defaults, for the processor at this URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            path: None,
            namespace: None,
            auth: None,
            headers: Vec::new(),
            query: Vec::new(),
            ca_file: None,
            guard: Guard::open(),
            connect_timeout: EXCHANGE_CONNECT_TIMEOUT_DEFAULT,
            ready_timeout: EXCHANGE_READY_TIMEOUT_DEFAULT,
            in_flight: IN_FLIGHT_DEFAULT,
            fragment_timeout: None,
            breaker: BreakerConfig::default(),
        }
    }
}

impl fmt::Debug for ExchangeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("ExchangeConfig")
            .field("url", &redact::url(&self.url))
            .field("path", &self.path)
            .field("namespace", &self.namespace)
            .field("auth", &self.auth.as_ref().map(|_| "…"))
            .field("headers", &names(&self.headers))
            .field("query", &names(&self.query))
            .field("ca_file", &self.ca_file)
            .field("guard", &self.guard.policy())
            .field("connect_timeout", &self.connect_timeout)
            .field("ready_timeout", &self.ready_timeout)
            .field("in_flight", &self.in_flight)
            .field("fragment_timeout", &self.fragment_timeout)
            .field("breaker", &self.breaker)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_no_secret() {
        let mut config = ExchangeConfig::new("https://user:pass-secret@host/ns?token=query-secret#f");
        config.auth = Some(serde_json::json!({"token": "auth-secret"}));
        config.headers = vec![("X-Key".to_owned(), "header-secret".to_owned())];
        config.query = vec![("key".to_owned(), "param-secret".to_owned())];
        let text = format!("{config:?}");
        assert!(text.contains("https://host/ns") && text.contains("X-Key"), "{text}");
        assert!(!text.contains("secret") && !text.contains("user"), "{text}");
        assert!(!format!("{:?}", ExchangeConfig::new("user secret")).contains("secret"));
    }
}
