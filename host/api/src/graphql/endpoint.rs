//! Runs requests, whichever transport they came by.
//!
//! In: a request and who is calling. Out: one answer, or a stream of them; each error has its code. A mutation that was
//! begun is ended, whether or not the client waits for it. What breaks inside is logged, and told as UNAVAILABLE.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response, Schema};
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::admit::{self, Complexity};
use super::budget::Budget;
use super::context::{Gone, Result};
use super::error::{finish, refusal};
use super::greetings::Greetings;
use super::mutation::Mutation;
use super::query::Query;
use super::slots::{Kind, Slot, Slots};
use super::subscription::Subscription;
use crate::limits::{
    GRAPHQL_ANSWER_TIMEOUT, GRAPHQL_INIT_TIMEOUT, GRAPHQL_NESTING_MAX, GRAPHQL_PING_EVERY, GRAPHQL_WRITE_TIMEOUT,
};
use outboard_control::Control;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// The schema with its root types, built once for each server.
pub type OutboardSchema = Schema<Query, Mutation, Subscription>;

/// The GraphQL API of a server. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    schema: OutboardSchema,
    control: Control,
    slots: Slots,
    greetings: Greetings,
    budget: Budget,
    stop: CancellationToken,
    waits: Waits,
}

/// How long clients that stay are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// To say who they are.
    pub init: Duration,
    /// To take a message.
    pub write: Duration,
    /// Between signs of life.
    pub ping: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { init: GRAPHQL_INIT_TIMEOUT, write: GRAPHQL_WRITE_TIMEOUT, ping: GRAPHQL_PING_EVERY }
    }
}

/// A request that may be run.
pub struct Admitted {
    request: Request,
    kind: OperationType,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("slots", &self.0.slots).finish_non_exhaustive()
    }
}

/// The schema without anything behind it: what it says of itself.
pub fn bare() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .extension(Complexity)
        .limit_recursive_depth(GRAPHQL_NESTING_MAX)
}

impl Endpoint {
    /// In front of a core. `stop` ends all streams.
    pub fn new(control: Control, stop: CancellationToken) -> Self {
        Self::with_waits(control, stop, Waits::default())
    }

    /// The same with other waits.
    pub(super) fn with_waits(control: Control, stop: CancellationToken, waits: Waits) -> Self {
        let schema = bare().data(control.clone()).finish();
        Self(Arc::new(Inner {
            schema,
            control,
            slots: Slots::default(),
            greetings: Greetings::default(),
            budget: Budget::default(),
            stop,
            waits,
        }))
    }

    /// How long clients are waited for.
    pub fn waits(&self) -> Waits {
        self.0.waits
    }

    /// The core that the resolvers call.
    pub fn control(&self) -> &Control {
        &self.0.control
    }

    /// Cancelled when the server is to end.
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// What is taken of the API.
    pub fn slots(&self) -> &Slots {
        &self.0.slots
    }

    /// Connections of nobody yet.
    pub fn greetings(&self) -> &Greetings {
        &self.0.greetings
    }

    /// A place for a request of the caller's: taken before the request is read, held until its answer was taken.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`]: the tenant has too many under way, or spent too much.
    pub fn place(&self, actor: &Actor) -> Result<Slot> {
        self.0.budget.check(actor)?;
        self.0.slots.take(Kind::Answer, actor)
    }

    /// Reads a request's JSON and holds the request against the limits.
    ///
    /// # Errors
    /// The answer that says what is wrong with it.
    pub fn admit(&self, actor: &Actor, request: Request) -> std::result::Result<Admitted, Box<Response>> {
        self.0.budget.measured(actor, ()).at_once(|()| self.admit_at_once(request))
    }

    fn admit_at_once(&self, mut request: Request) -> std::result::Result<Admitted, Box<Response>> {
        admit::text(&request.query).map_err(|error| Box::new(refusal(&error)))?;
        let name = request.operation_name.clone();
        let document = request.parsed_query().map_err(|error| Box::new(finish(Response::from_errors(vec![error]))))?;
        let kind = admit::document(document, name.as_deref()).map_err(|error| Box::new(refusal(&error)))?;
        Ok(Admitted { request, kind })
    }

    /// Answers a query or a mutation. Its place is held until the work has ended, whether or not somebody waits for it.
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
        // A task of its own: what breaks in it breaks no connection, and a mutation that was begun is ended.
        let task = tokio::spawn(running.in_current_span());
        // Nobody waits for a query whose client went away.
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

    /// Answers a subscription for as long as it lasts; a query or a mutation once.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`].
    pub fn follow(
        &self,
        actor: Arc<Actor>,
        admitted: Admitted,
        place: Arc<Slot>,
    ) -> Result<BoxStream<'static, Response>> {
        if admitted.kind != OperationType::Subscription {
            let endpoint = self.clone();
            // The place is held until the stream's end is asked for: the answer was taken then.
            let answers = stream::unfold((Some(admitted), place), move |(admitted, place)| {
                let (endpoint, actor) = (endpoint.clone(), actor.clone());
                async move { Some((endpoint.answer(actor, admitted?, place.clone()).await, (None, place))) }
            });
            return Ok(answers.boxed());
        }
        let slot = self.0.slots.take(Kind::Subscription, &actor)?;
        let responses = self.0.schema.execute_stream(admitted.request.data(actor.clone()));
        let responses = self.0.budget.measured(&actor, responses.boxed());
        Ok(stream::unfold(Some((responses, slot)), |following| async move {
            let (mut responses, slot) = following?;
            let response = finish(responses.next().await?);
            // An answer without data is the last one.
            let goes_on = !is_over(&response);
            Some((response, goes_on.then_some((responses, slot))))
        })
        .boxed())
    }
}

/// Whether an answer only says what went wrong.
pub fn is_over(response: &Response) -> bool {
    response.data == async_graphql::Value::Null && !response.errors.is_empty()
}

/// Ends a task with its owner.
struct Ends(AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}
