//! A minimal client of `graphql-transport-ws`: one WebSocket, any number of subscriptions.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its part fails the test")]

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

/// A connection that was accepted.
pub struct Socket {
    socket: WebSocketStream<TcpStream>,
    ids: u64,
}

impl Socket {
    /// Connects to host and port and authenticates.
    ///
    /// # Panics
    /// If the server refuses it.
    pub async fn open(address: &str, token: Option<&str>) -> Self {
        let mut request = format!("ws://{address}/graphql").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let stream = TcpStream::connect(address).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
        let mut this = Self { socket, ids: 0 };
        let payload = token.map_or_else(|| json!({}), |token| json!({ "token": token }));
        this.say(&json!({ "type": "connection_init", "payload": payload })).await;
        let ack = this.hear().await;
        assert!(ack.as_ref().is_some_and(|ack| ack["type"] == "connection_ack"), "{ack:?}");
        this
    }

    /// Starts a subscription; returns its id.
    pub async fn subscribe(&mut self, query: &str, variables: &Value) -> String {
        self.ids += 1;
        let id = self.ids.to_string();
        let payload = json!({ "query": query, "variables": variables });
        self.say(&json!({ "type": "subscribe", "id": id, "payload": payload })).await;
        id
    }

    /// The next message of any subscription: its id and the payload. `None`: the connection or the subscription ended.
    ///
    /// # Panics
    /// If a subscription is refused.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            let mut message = self.hear().await?;
            match message["type"].as_str() {
                Some("next") => {
                    let id = message["id"].as_str().unwrap_or_default().to_owned();
                    return Some((id, message["payload"].take()));
                }
                Some("ping") => self.say(&json!({ "type": "pong" })).await,
                Some("complete") => return None,
                Some("pong") => {}
                _ => panic!("{message}"),
            }
        }
    }

    /// Executes an operation and waits for its end: a response, or a refusal. `None`: the connection ended.
    pub async fn ask(&mut self, query: &str, variables: &Value) -> Option<Value> {
        let id = self.subscribe(query, variables).await;
        let mut answer = None;
        loop {
            let message = self.hear().await?;
            match message["type"].as_str() {
                Some("ping") => self.say(&json!({ "type": "pong" })).await,
                Some("error") if message["id"] == *id => return Some(message),
                Some("complete") if message["id"] == *id => return answer.or(Some(message)),
                _ => answer = Some(message),
            }
        }
    }

    async fn say(&mut self, message: &Value) {
        // The connection may be closed; then no message follows either.
        let _ = self.socket.send(Message::text(message.to_string())).await;
    }

    async fn hear(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }
}
