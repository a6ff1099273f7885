//! One connection: greets, runs operations, sends their answers.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Request, Response};
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{self, AbortHandle, BoxStream, SelectAll, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::protocol::{Closing, FromClient, PROTOCOL, ToClient, token};
use crate::api::graphql::endpoint::{Endpoint, is_over};
use crate::api::graphql::error::refusal;
use crate::api::graphql::greetings::Greeting;
use crate::api::graphql::slots::{Kind, Slot};
use crate::api::graphql::{admit, written};
use crate::control::access::Actor;
use crate::control::error::ControlError;
use crate::limits::{GRAPHQL_OPERATION_ID_BYTES_MAX, GRAPHQL_SOCKET_OPERATIONS_MAX};

/// A connection that is served.
pub struct Session {
    endpoint: Endpoint,
    socket: WebSocket,
    running: HashMap<Arc<str>, AbortHandle>,
    answers: SelectAll<BoxStream<'static, (Arc<str>, Option<Response>)>>,
}

/// Who opened a connection, as far as that is known.
#[derive(Debug)]
pub enum Guest {
    /// By the request that opened it; with a place among its tenant's connections.
    Known(Arc<Actor>, Slot),
    /// Not authenticated yet; holds its place among such connections.
    Unknown(Greeting),
}

/// Why a session ends.
enum End {
    /// The client went away, or takes nothing.
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

    /// Serves the connection to its end.
    pub async fn run(mut self, guest: Guest) {
        let end = match self.greet(guest).await {
            Ok((actor, _slot)) => self.serve(&actor).await,
            Err(end) => end,
        };
        self.answers.clear();
        if let End::Closing(closing) = end {
            let wait = self.endpoint.waits().write;
            // It may be gone.
            let _ = timeout(wait, self.socket.send(closing.message())).await;
            let _ = timeout(wait, self.socket.recv()).await;
        }
    }

    /// Who it is. One that nobody knows may have to make room for others before it has said so.
    async fn greet(&mut self, guest: Guest) -> Result<(Arc<Actor>, Slot), End> {
        let (known, greeting) = match guest {
            Guest::Known(actor, slot) => (Some((actor, slot)), None),
            Guest::Unknown(greeting) => (None, Some(greeting)),
        };
        let pushed_out = async {
            match &greeting {
                Some(greeting) => greeting.until_its_end().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            welcomed = self.welcome(known) => welcomed,
            () = pushed_out => Err(Closing::InitTimeout.into()),
        }
    }

    async fn welcome(&mut self, known: Option<(Arc<Actor>, Slot)>) -> Result<(Arc<Actor>, Slot), End> {
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
                let slot = self.endpoint.slots().take(Kind::Socket, &actor).map_err(Closing::from)?;
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
        // Anything that comes is a sign of life.
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

    /// Sends an operation's next answer, or that it ended. The answer is counted as long as the client has not taken it.
    async fn tell(&mut self, id: &Arc<str>, answer: Option<Response>, actor: &Actor) -> Result<(), End> {
        // One that the client ended may still have had an answer under way.
        let Some(running) = self.running.get(id) else { return Ok(()) };
        match answer {
            Some(answer) if is_over(&answer) => {
                running.abort();
                self.running.remove(id);
                self.say(&ToClient::Error { id, payload: &answer.errors }).await
            }
            Some(answer) => {
                let next = ToClient::Next { id, payload: &answer };
                match written::answer(self.endpoint.slots(), actor, &next) {
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

    /// The caller's token is not taken any more: every operation ends with that.
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
            // It went away, or reads nothing.
            _ => Err(End::Gone),
        }
    }
}

/// What a frame says; `None`: nothing for us.
fn read(message: Option<Result<Message, axum::Error>>) -> Result<Option<FromClient>, End> {
    let text = match message {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(None),
        Some(Ok(Message::Binary(_))) => return Err(Closing::BadRequest("messages are text".to_owned()).into()),
        Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
    };
    Ok(Some(said(&text)?))
}

/// What a text says.
pub fn said(text: &str) -> Result<FromClient, Closing> {
    admit::json(text.as_bytes()).map_err(|error| Closing::BadRequest(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| Closing::BadRequest(format!("Invalid message: {error}")))
}
