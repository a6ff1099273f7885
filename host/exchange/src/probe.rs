//! Checks whether a processor is reachable: connects, waits until it is ready, disconnects. No fragment is sent.
//!
//! In: the configuration of an exchange and, for readiness, the framing stage. Limits: those of a connection
//! ([`ExchangeConfig::connect_timeout`], twice), and the caller's time for `ready`.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::ExchangeConfig;
use super::message_framer::{self, Event, MessageFramer};
use super::socketio::{ConnectError, Connection, Endpoint, EndpointError, Incoming};
use crate::limits::EXCHANGE_TEXT_MAX_BYTES;
use outboard_base::text::shortened;
use outboard_base::unix_time;

/// Why a processor was not reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The settings of the processor are invalid.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The connection or the handshake failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl ProbeError {
    /// Whether another attempt may succeed, see [`ConnectError::may_pass`].
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Connect(error) if error.may_pass())
    }
}

/// A processor that accepted the connection.
#[derive(Debug)]
pub struct Reached {
    connection: Connection,
    /// Host and port of the processor.
    pub server: String,
    /// The namespace that was joined.
    pub namespace: String,
    /// Duration of DNS, TCP, TLS, the WebSocket handshake and both protocol handshakes.
    pub took: Duration,
    /// The largest frame that it accepts, if announced.
    pub max_payload: Option<u64>,
}

/// Whether the processor would accept fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// The dialect has no `ready`: fragments follow the connection.
    AtOnce,
    /// It reported ready this long after the greeting.
    Said(Duration),
    /// It had not reported ready when the time was over.
    NotYet,
    /// It refused, in its own words, or the connection or the stage failed.
    No(String),
}

/// Connects and joins the namespace.
///
/// # Errors
/// [`ProbeError`] if the settings are invalid, or the connection or handshake fails.
pub async fn reach(config: &ExchangeConfig) -> Result<Reached, ProbeError> {
    let endpoint = Endpoint::new(config)?;
    let began = Instant::now();
    let connection = Connection::connect(&endpoint).await?;
    Ok(Reached {
        max_payload: connection.max_payload(),
        connection,
        server: endpoint.server().to_owned(),
        namespace: endpoint.namespace().to_owned(),
        took: began.elapsed(),
    })
}

impl Reached {
    /// Sends the framing stage's greeting and waits for `ready`. A dialect without `ready` is not greeted, because this
    /// would show nothing.
    pub async fn ready(&mut self, framer: &mut dyn MessageFramer, stream_id: &str, patience: Duration) -> Readiness {
        let connection = message_framer::Connection {
            stream_id: stream_id.to_owned(),
            attempt: 0,
            max_payload_bytes: self.max_payload,
            now_ms: unix_time::now_ms(),
        };
        let greeting = match framer.on_connect(connection).await {
            Ok(greeting) => greeting,
            Err(error) => return Readiness::No(error.to_string()),
        };
        if greeting.ready {
            return Readiness::AtOnce;
        }
        if let Err(error) = self.connection.emit(greeting.messages) {
            return Readiness::No(format!("the greeting: {error}"));
        }
        let began = Instant::now();
        match timeout(patience, self.listen(framer)).await {
            Ok(None) => Readiness::Said(began.elapsed()),
            Ok(Some(reason)) => Readiness::No(reason),
            Err(_) => Readiness::NotYet,
        }
    }

    /// Waits until it is ready, or returns the reason why it will not be.
    async fn listen(&mut self, framer: &mut dyn MessageFramer) -> Option<String> {
        loop {
            let message = match self.connection.next().await {
                Incoming::Message(message) => message,
                Incoming::Ack { .. } => continue,
                Incoming::Closed(closed) => return Some(closed.to_string()),
            };
            let events = match framer.decode(message, unix_time::now_ms()).await {
                Ok(events) => events,
                Err(error) => return Some(error.to_string()),
            };
            for event in events {
                match event {
                    Event::Ready => return None,
                    Event::Failed(failure) if failure.fragment.is_none() => {
                        return Some(shortened(failure.reason, EXCHANGE_TEXT_MAX_BYTES));
                    }
                    Event::Reply(reply) => {
                        if let Err(error) = self.connection.emit(vec![reply]) {
                            return Some(error.to_string());
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Leaves the namespace and closes, within [`crate::limits::EXCHANGE_CLOSE_TIMEOUT`].
    pub async fn leave(self) {
        self.connection.close().await;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake::{FakeFramer, Peer, Script};

    const LONG: Duration = Duration::from_secs(60);

    /// The processor runs `does` after the greeting; returns the resulting readiness.
    async fn ready(does: impl AsyncFnOnce(Peer) -> Option<Peer>, patience: Duration) -> Readiness {
        let (script, url) = Script::new().await;
        let config = ExchangeConfig::new(url);
        let (reached, peer) = tokio::join!(reach(&config), script.accept_limited(LONG, 1000));
        let (mut reached, mut peer) = (reached.unwrap(), peer);
        assert_eq!((reached.max_payload, reached.namespace.as_str()), (Some(1000), "/"));
        let mut framer = FakeFramer { wait_for_ready: true, ..FakeFramer::default() };
        let answering = async {
            assert_eq!(peer.hear().await.as_deref(), Some(r#"42["hello"]"#));
            does(peer).await
        };
        let (readiness, peer) = tokio::join!(reached.ready(&mut framer, "s", patience), answering);
        let leaving = async {
            if let Some(mut peer) = peer {
                assert_eq!(peer.hear().await.as_deref(), Some("41"), "it leaves the namespace");
            }
        };
        tokio::join!(reached.leave(), leaving);
        assert!(framer.seen().iter().all(|seen| !seen.starts_with("encode")), "no fragment is sent");
        readiness
    }

    #[tokio::test]
    async fn what_the_processor_says_is_told() {
        let said = ready(
            async |mut peer| {
                peer.event("ready", json!({})).await;
                Some(peer)
            },
            LONG,
        )
        .await;
        assert!(matches!(said, Readiness::Said(_)), "{said:?}");
        let refused = ready(
            async |mut peer| {
                peer.event("fragment:error", json!({"error": "no licence"})).await;
                Some(peer)
            },
            LONG,
        )
        .await;
        assert_eq!(refused, Readiness::No("no licence".to_owned()));
        let gone = ready(async |_| None, LONG).await;
        assert!(matches!(gone, Readiness::No(_)), "{gone:?}");
    }

    #[tokio::test]
    async fn silence_is_not_waited_for() {
        let silent = ready(async |peer| Some(peer), Duration::from_millis(100)).await;
        assert_eq!(silent, Readiness::NotYet);
    }

    #[tokio::test]
    async fn a_dialect_without_ready_is_not_greeted() {
        let (script, url) = Script::new().await;
        let config = ExchangeConfig::new(url);
        let (reached, mut peer) = tokio::join!(reach(&config), script.accept(LONG));
        let mut reached = reached.unwrap();
        assert_eq!(reached.ready(&mut FakeFramer::default(), "s", LONG).await, Readiness::AtOnce);
        let mut broken = FakeFramer { fail_on: Some("on_connect"), ..FakeFramer::default() };
        assert!(matches!(reached.ready(&mut broken, "s", LONG).await, Readiness::No(_)));
        let ((), heard) = tokio::join!(reached.leave(), peer.hear());
        assert_eq!(heard.as_deref(), Some("41"), "the first that it hears is the end");
    }

    #[tokio::test]
    async fn what_is_no_processor_is_named() {
        let error = reach(&ExchangeConfig::new("http://user:SECRET@127.0.0.1:9/x?key=SECRET")).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:9") && !text.contains("SECRET"), "{text}");
        let error = reach(&ExchangeConfig::new("http://h/a,b")).await.unwrap_err();
        assert!(matches!(error, ProbeError::Endpoint(_)), "{error}");
    }
}
