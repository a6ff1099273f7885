//! One WebSocket connection: authenticates the client, runs its operations, and sends their results.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Request, Response};
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{self, AbortHandle, BoxStream, SelectAll, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::protocol::{Closing, FromClient, PROTOCOL, ToClient, token};
use crate::graphql::endpoint::Endpoint;
use crate::graphql::endpoint::is_over;
use crate::graphql::error::refusal;

use crate::graphql::slots::Slot;

use crate::graphql::bounded_json;
use crate::graphql::request_limits;
use crate::graphql::slots::SlotKind;
use crate::graphql::unauthenticated_sockets::UnauthenticatedSocket;
use crate::limits::{GRAPHQL_OPERATION_ID_BYTES_MAX, GRAPHQL_SOCKET_OPERATIONS_MAX};
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// A connection and its running operations.
pub struct Session {
    endpoint: Endpoint,
    socket: WebSocket,
    running: HashMap<Arc<str>, AbortHandle>,
    answers: SelectAll<BoxStream<'static, (Arc<str>, Option<Response>)>>,
}

/// The client of a new connection.
#[derive(Debug)]
pub enum Client {
    /// Authenticated by the request that opened it; with a slot of its tenant's connections.
    Known(Arc<Actor>, Slot),
    /// Not authenticated yet; counted among such connections.
    Unknown(UnauthenticatedSocket),
}

/// Why a session ends.
enum End {
    /// The client disconnected, or does not read.
    Gone,
    /// The server closes the connection for this reason.
    Closing(Closing),
}

impl From<Closing> for End {
    fn from(closing: Closing) -> Self {
        Self::Closing(closing)
    }
}

impl Session {
    pub fn new(endpoint: Endpoint, socket: WebSocket) -> Self {
        Self { endpoint, socket, running: HashMap::new(), answers: SelectAll::new() }
    }

    /// Serves the connection until the client or the server ends it.
    pub async fn run(mut self, client: Client) {
        let end = match self.authenticate(client).await {
            Ok((actor, _slot)) => self.serve(&actor).await,
            Err(end) => end,
        };
        self.answers.clear();
        if let End::Closing(closing) = end {
            let wait = self.endpoint.waits().write;
            // The client may have disconnected.
            let _ = timeout(wait, self.socket.send(closing.message())).await;
            let _ = timeout(wait, self.socket.recv()).await;
        }
    }

    /// Waits until the client is authenticated. If too many others wait too, this one may be closed.
    async fn authenticate(&mut self, client: Client) -> Result<(Arc<Actor>, Slot), End> {
        let (known, unauthenticated) = match client {
            Client::Known(actor, slot) => (Some((actor, slot)), None),
            Client::Unknown(unauthenticated) => (None, Some(unauthenticated)),
        };
        let evicted = async {
            match &unauthenticated {
                Some(socket) => socket.must_close().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            authenticated = self.await_init(known) => authenticated,
            () = evicted => Err(Closing::InitTimeout.into()),
        }
    }

    async fn await_init(&mut self, known: Option<(Arc<Actor>, Slot)>) -> Result<(Arc<Actor>, Slot), End> {
        if self.socket.protocol().is_none_or(|protocol| protocol.as_bytes() != PROTOCOL.as_bytes()) {
            return Err(Closing::WrongProtocol.into());
        }
        let stop = self.endpoint.stop().clone();
        let payload = match timeout(self.endpoint.waits().init, stop.run_until_cancelled(self.init())).await {
            Ok(Some(payload)) => payload?,
            Ok(None) => return Err(Closing::GoingAway.into()),
            Err(_) => return Err(Closing::InitTimeout.into()),
        };
        let (actor, slot) = match (token(payload.as_ref())?, known) {
            (Some(token), known) => {
                drop(known);
                let actor =
                    Arc::new(self.endpoint.control().tenancy().authenticate(&token).await.map_err(Closing::from)?);
                let slot = self.endpoint.slots().take(SlotKind::Socket, &actor).map_err(Closing::from)?;
                (actor, slot)
            }
            (None, Some(known)) => known,
            (None, None) => {
                let why = "a token is needed in connection_init: {\"token\": \"…\"}";
                return Err(Closing::Unauthorized(why.to_owned()).into());
            }
        };
        self.say(&ToClient::ConnectionAck).await?;
        Ok((actor, slot))
    }

    async fn init(&mut self) -> Result<Option<serde_json::Value>, End> {
        loop {
            match self.hear().await? {
                Some(FromClient::ConnectionInit { payload }) => return Ok(payload),
                Some(FromClient::Ping {}) => self.say(&ToClient::Pong).await?,
                Some(FromClient::Pong {}) | None => {}
                Some(FromClient::Subscribe { .. } | FromClient::Complete { .. }) => {
                    return Err(Closing::Unauthorized("connection_init comes first".to_owned()).into());
                }
            }
        }
    }

    async fn serve(&mut self, actor: &Arc<Actor>) -> End {
        let endpoint = self.endpoint.clone();
        let unwelcome = endpoint.control().tenancy().until_unwelcome(actor);
        tokio::pin!(unwelcome);
        let every = endpoint.waits().ping;
        let mut ping = interval_at(Instant::now() + every, every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Any message shows that the client is alive.
        let mut heard = true;
        loop {
            let done = tokio::select! {
                error = &mut unwelcome => return self.turn_out(error).await,
                () = endpoint.stop().cancelled() => return Closing::GoingAway.into(),
                message = self.socket.recv() => {
                    heard = true;
                    match read(message) {
                        Ok(Some(said)) => self.act(said, actor).await,
                        Ok(None) => Ok(()),
                        Err(end) => Err(end),
                    }
                }
                Some((id, answer)) = self.answers.next(), if !self.answers.is_empty() => self.tell(&id, answer, actor).await,
                _ = ping.tick() => {
                    if !std::mem::take(&mut heard) {
                        return End::Gone;
                    }
                    self.send(Message::Ping(Default::default())).await
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn act(&mut self, said: FromClient, actor: &Arc<Actor>) -> Result<(), End> {
        match said {
            FromClient::Subscribe { id, payload } => self.subscribe(id, *payload, actor).await,
            FromClient::Complete { id } => {
                if let Some(running) = self.running.remove(id.as_str()) {
                    running.abort();
                }
                Ok(())
            }
            FromClient::Ping {} => self.say(&ToClient::Pong).await,
            FromClient::Pong {} => Ok(()),
            FromClient::ConnectionInit { .. } => Err(Closing::TooManyInits.into()),
        }
    }

    async fn subscribe(&mut self, id: String, request: Request, actor: &Arc<Actor>) -> Result<(), End> {
        if id.is_empty() || id.len() > GRAPHQL_OPERATION_ID_BYTES_MAX {
            let why = format!("an operation's id has 1 to {GRAPHQL_OPERATION_ID_BYTES_MAX} bytes");
            return Err(Closing::BadRequest(why).into());
        }
        if self.running.contains_key(id.as_str()) {
            return Err(Closing::SubscriberExists(id).into());
        }
        let id: Arc<str> = id.into();
        let answers = self.begin(request, actor);
        match answers {
            Ok(answers) => {
                let named = id.clone();
                let answers = answers.map(Some).chain(stream::once(std::future::ready(None)));
                let (answers, running) = stream::abortable(answers.map(move |answer| (named.clone(), answer)));
                self.answers.push(answers.boxed());
                self.running.insert(id, running);
                Ok(())
            }
            Err(answer) => self.say(&ToClient::Error { id: &id, payload: &answer.errors }).await,
        }
    }

    /// Starts an operation; the stream yields its results and ends with it.
    fn begin(&self, request: Request, actor: &Arc<Actor>) -> Result<BoxStream<'static, Response>, Box<Response>> {
        let refused = |error| Box::new(refusal(&error));
        if self.running.len() >= GRAPHQL_SOCKET_OPERATIONS_MAX {
            let text =
                format!("a connection runs {GRAPHQL_SOCKET_OPERATIONS_MAX} operations at once; open another one");
            return Err(refused(ControlError::LimitExceeded(text)));
        }
        let place = Arc::new(self.endpoint.place(actor).map_err(refused)?);
        let admitted = self.endpoint.admit(actor, request)?;
        self.endpoint.follow(actor.clone(), admitted, place).map_err(refused)
    }

    /// Sends an operation's next result, or its end. The bytes of the result are counted until the client has read them.
    async fn tell(&mut self, id: &Arc<str>, answer: Option<Response>, actor: &Actor) -> Result<(), End> {
        // An operation that the client ended may still have a result in the queue.
        let Some(running) = self.running.get(id) else { return Ok(()) };
        match answer {
            Some(answer) if is_over(&answer) => {
                running.abort();
                self.running.remove(id);
                self.say(&ToClient::Error { id, payload: &answer.errors }).await
            }
            Some(answer) => {
                let next = ToClient::Next { id, payload: &answer };
                match bounded_json::serialize(self.endpoint.slots(), actor, &next) {
                    Ok((json, _waiting)) => {
                        drop(answer);
                        let text = String::from_utf8(json).unwrap_or_default();
                        self.send(Message::Text(text.into())).await
                    }
                    Err(error) => {
                        running.abort();
                        self.running.remove(id);
                        self.say(&ToClient::Error { id, payload: &refusal(&error).errors }).await
                    }
                }
            }
            None => {
                self.running.remove(id);
                self.say(&ToClient::Complete { id }).await
            }
        }
    }

    /// Ends every operation with an error, as the caller's token is no longer valid.
    async fn turn_out(&mut self, error: ControlError) -> End {
        let answer = refusal(&error);
        for (id, running) in std::mem::take(&mut self.running) {
            running.abort();
            if let Err(end) = self.say(&ToClient::Error { id: &id, payload: &answer.errors }).await {
                return end;
            }
        }
        End::Closing(error.into())
    }

    async fn hear(&mut self) -> Result<Option<FromClient>, End> {
        read(self.socket.recv().await)
    }

    async fn say(&mut self, message: &ToClient<'_>) -> Result<(), End> {
        self.send(message.message()).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.endpoint.waits().write, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            // The client disconnected, or does not read.
            _ => Err(End::Gone),
        }
    }
}

/// The client's message in a frame; `None` for frames without one.
fn read(message: Option<Result<Message, axum::Error>>) -> Result<Option<FromClient>, End> {
    let text = match message {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(None),
        Some(Ok(Message::Binary(_))) => return Err(Closing::BadRequest("messages are text".to_owned()).into()),
        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
    };
    Ok(Some(said(&text)?))
}

/// Parses the client's message in a text.
pub fn said(text: &str) -> Result<FromClient, Closing> {
    request_limits::check_json(text.as_bytes()).map_err(|error| Closing::BadRequest(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| Closing::BadRequest(format!("Invalid message: {error}")))
}
