//! The configuration of a pipeline's exchange. Checked when the exchange starts, before any connection.

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
    /// Consecutive retryable failures and timeouts that open the breaker; 0: it never opens.
    pub failures: u32,
    /// How long it stays open before one fragment is sent as a probe.
    pub probe_after: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: BREAKER_FAILURES_DEFAULT, probe_after: BREAKER_PROBE_AFTER_DEFAULT }
    }
}

/// The processor's address and how to use it. `Debug` hides secrets.
#[derive(Clone, PartialEq)]
pub struct ExchangeConfig {
    /// URL with the scheme `http`, `https`, `ws` or `wss`. A path is the namespace, as with Socket.IO's own clients,
    /// unless it ends in `/socket.io/` or equals `path`. A query is sent; user and password become Basic authorization.
    pub url: String,
    /// The server's Engine.IO path; `None`: `/socket.io/`.
    pub path: Option<String>,
    /// The namespace; `None`: from the URL, else `/`.
    pub namespace: Option<String>,
    /// The payload of Socket.IO's CONNECT.
    pub auth: Option<Value>,
    /// Additional headers of the WebSocket handshake.
    pub headers: Vec<(String, String)>,
    /// Additional query parameters of the WebSocket handshake.
    pub query: Vec<(String, String)>,
    /// A PEM file of the certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Checks each address against the network policy before connecting.
    pub guard: Guard,
    /// Limit for the WebSocket connection; the Socket.IO handshake has the same limit again.
    pub connect_timeout: Duration,
    /// Limit from the greeting to `ready`, if the dialect has it.
    pub ready_timeout: Duration,
    /// Fragments that the processor works on at once, from 1 to [`crate::limits::IN_FLIGHT_MAX`].
    pub in_flight: usize,
    /// Limit from sending to the answer; `None`: only the waiting caller decides.
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
