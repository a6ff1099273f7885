//! Runs requests of all transports.
//!
//! In: a request and its caller. Out: one answer, or a stream of answers; each error has its code. A mutation that has begun runs to
//! its end, even if the client disconnects. Internal errors are logged and reported as UNAVAILABLE.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, Schema};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::bare_schema;
use super::budget::Budget;
use super::context::{Gone, Result};
use super::error::{finish, refusal};
use super::mutation::Mutation;
use super::query::Query;
use super::request_limits::{self};
use super::slots::{Slot, SlotKind, Slots};
use super::subscription::Subscription;
use super::unauthenticated_sockets::UnauthenticatedSockets;
use crate::limits::{GRAPHQL_ANSWER_TIMEOUT, GRAPHQL_INIT_TIMEOUT, GRAPHQL_PING_EVERY, GRAPHQL_WRITE_TIMEOUT};
use outboard_control::Control;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// The schema with its root types, built once for each server.
pub type OutboardSchema = Schema<Query, Mutation, Subscription>;

/// The GraphQL API of a server. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    schema: OutboardSchema,
    control: Control,
    slots: Slots,
    unauthenticated: UnauthenticatedSockets,
    budget: Budget,
    stop: CancellationToken,
    waits: Waits,
}

/// The timeouts of clients with a long connection.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Longest time from opening the connection until the client has authenticated.
    pub init: Duration,
    /// Time to read a message.
    pub write: Duration,
    /// Longest time without a message from the client.
    pub ping: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { init: GRAPHQL_INIT_TIMEOUT, write: GRAPHQL_WRITE_TIMEOUT, ping: GRAPHQL_PING_EVERY }
    }
}

/// A request that was parsed and is within the limits.
pub struct Admitted {
    request: Request,
    kind: OperationType,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("slots", &self.0.slots).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// The API of a control plane. Cancelling `stop` ends all streams.
    pub fn new(control: Control, stop: CancellationToken) -> Self {
        Self::with_waits(control, stop, Waits::default())
    }

    /// Like [`new`](Self::new), with other timeouts.
    pub(super) fn with_waits(control: Control, stop: CancellationToken, waits: Waits) -> Self {
        let schema = bare_schema::bare().data(control.clone()).finish();
        Self(Arc::new(Inner {
            schema,
            control,
            slots: Slots::default(),
            unauthenticated: UnauthenticatedSockets::default(),
            budget: Budget::default(),
            stop,
            waits,
        }))
    }

    /// The timeouts of clients.
    pub fn waits(&self) -> Waits {
        self.0.waits
    }

    /// The control plane that the resolvers call.
    pub fn control(&self) -> &Control {
        &self.0.control
    }

    /// The token that is cancelled when the server stops.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// The slots that requests, connections and subscriptions use.
    pub fn slots(&self) -> &Slots {
        &self.0.slots
    }

    /// The WebSockets that are not authenticated yet.
    pub fn unauthenticated(&self) -> &UnauthenticatedSockets {
        &self.0.unauthenticated
    }

    /// Takes a slot for a request of the caller: before the request is read, until its answer was read by the client.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`] if the tenant has too many open requests, or used too much processor time.
    pub fn place(&self, actor: &Actor) -> Result<Slot> {
        self.0.budget.check(actor)?;
        self.0.slots.take(SlotKind::Answer, actor)
    }

    /// Parses a request and checks it against the limits.
    ///
    /// # Errors
    /// The response with the error.
    pub fn admit(&self, actor: &Actor, request: Request) -> std::result::Result<Admitted, Box<Response>> {
        self.0.budget.measured(actor, ()).at_once(|()| self.admit_at_once(request))
    }

    fn admit_at_once(&self, mut request: Request) -> std::result::Result<Admitted, Box<Response>> {
        request_limits::check_text(&request.query).map_err(|error| Box::new(refusal(&error)))?;
        let name = request.operation_name.clone();
        let document = request.parsed_query().map_err(|error| Box::new(finish(Response::from_errors(vec![error]))))?;
        let kind =
            request_limits::check_document(document, name.as_deref()).map_err(|error| Box::new(refusal(&error)))?;
        Ok(Admitted { request, kind })
    }

    /// Runs a query or a mutation. Its slot is kept until the work has ended, even if the client disconnects.
    pub async fn answer(&self, actor: Arc<Actor>, Admitted { request, kind }: Admitted, place: Arc<Slot>) -> Response {
        if kind == OperationType::Subscription {
            let text = "subscriptions are answered over WebSocket, or to requests that accept text/event-stream";
            return refusal(&ControlError::invalid("query", text));
        }
        match self.run(actor, request, kind, place).await {
            Ok(response) => response,
            Err(error) => refusal(&error),
        }
    }

    async fn run(
        &self,
        actor: Arc<Actor>,
        request: Request,
        kind: OperationType,
        place: Arc<Slot>,
    ) -> Result<Response> {
        let (schema, budget) = (self.0.schema.clone(), self.0.budget.clone());
        let gone = CancellationToken::new();
        let request = request.data(actor.clone()).data(Gone(gone.clone()));
        let _gone = gone.drop_guard();
        let running = async move {
            let answering = Box::pin(schema.execute(request));
            let answer = budget.measured(&actor, answering).await;
            drop(place);
            finish(answer)
        };
        // A separate task: a panic does not affect the connection, and a mutation that has begun is completed.
        let task = tokio::spawn(running.in_current_span());
        // A query ends when its client disconnects.
        let _ends = (kind == OperationType::Query).then(|| Ends(task.abort_handle()));
        match tokio::time::timeout(GRAPHQL_ANSWER_TIMEOUT, task).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                tracing::error!(%error, "a GraphQL request failed");
                Err(ControlError::Unavailable(
                    "the server failed to process the request; its log has the details".to_owned(),
                ))
            }
            Err(_) => Err(ControlError::Unavailable(format!("no response within {GRAPHQL_ANSWER_TIMEOUT:?}"))),
        }
    }

    /// Runs an operation as a stream: one answer of a query or a mutation, all answers of a subscription.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`] if the tenant has too many subscriptions.
    pub fn follow(
        &self,
        actor: Arc<Actor>,
        admitted: Admitted,
        place: Arc<Slot>,
    ) -> Result<BoxStream<'static, Response>> {
        if admitted.kind != OperationType::Subscription {
            let endpoint = self.clone();
            // The slot is kept until the end of the stream is polled, as the answer has been read then.
            let answers = stream::unfold((Some(admitted), place), move |(admitted, place)| {
                let (endpoint, actor) = (endpoint.clone(), actor.clone());
                async move { Some((endpoint.answer(actor, admitted?, place.clone()).await, (None, place))) }
            });
            return Ok(answers.boxed());
        }
        let slot = self.0.slots.take(SlotKind::Subscription, &actor)?;
        let responses = self.0.schema.execute_stream(admitted.request.data(actor.clone()));
        let responses = self.0.budget.measured(&actor, responses.boxed());
        Ok(stream::unfold(Some((responses, slot)), |following| async move {
            let (mut responses, slot) = following?;
            let response = finish(responses.next().await?);
            // A response without data is the last one.
            let goes_on = !is_over(&response);
            Some((response, goes_on.then_some((responses, slot))))
        })
        .boxed())
    }
}

/// True if a response has only errors.
pub fn is_over(response: &Response) -> bool {
    response.data == async_graphql::Value::Null && !response.errors.is_empty()
}

/// Aborts a task when it is dropped.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}
