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
use super::context::{Gone, Result};
use super::error::{finish, refusal};
use super::mutation::Mutation;
use super::query::Query;
use super::slots::{Kind, Slots};
use super::subscription::Subscription;
use crate::control::Control;
use crate::control::access::Actor;
use crate::control::error::ControlError;
use crate::limits::{
    GRAPHQL_ANSWER_TIMEOUT, GRAPHQL_INIT_TIMEOUT, GRAPHQL_NESTING_MAX, GRAPHQL_PING_EVERY, GRAPHQL_WRITE_TIMEOUT,
};

/// The schema.
pub type OutboardSchema = Schema<Query, Mutation, Subscription>;

/// The GraphQL API of a server. Cheap to clone.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    schema: OutboardSchema,
    control: Control,
    slots: Slots,
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
        Self(Arc::new(Inner { schema, control, slots: Slots::default(), stop, waits }))
    }

    /// How long clients are waited for.
    pub fn waits(&self) -> Waits {
        self.0.waits
    }

    /// The core.
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

    /// Holds a request against the limits.
    ///
    /// # Errors
    /// The answer that says what is wrong with it.
    pub fn admit(&self, mut request: Request) -> std::result::Result<Admitted, Box<Response>> {
        admit::text(&request.query).map_err(|error| Box::new(refusal(&error)))?;
        let name = request.operation_name.clone();
        let document = request.parsed_query().map_err(|error| Box::new(finish(Response::from_errors(vec![error]))))?;
        let kind = admit::document(document, name.as_deref()).map_err(|error| Box::new(refusal(&error)))?;
        Ok(Admitted { request, kind })
    }

    /// Answers a query or a mutation.
    pub async fn answer(&self, actor: Arc<Actor>, Admitted { request, kind }: Admitted) -> Response {
        if kind == OperationType::Subscription {
            let text = "subscriptions are answered over WebSocket, or to requests that accept text/event-stream";
            return refusal(&ControlError::invalid("query", text));
        }
        match self.run(actor, request, kind).await {
            Ok(response) => response,
            Err(error) => refusal(&error),
        }
    }

    async fn run(&self, actor: Arc<Actor>, request: Request, kind: OperationType) -> Result<Response> {
        let slot = self.0.slots.take(Kind::Answer, &actor)?;
        let schema = self.0.schema.clone();
        let gone = CancellationToken::new();
        let request = request.data(actor).data(Gone(gone.clone()));
        let _gone = gone.drop_guard();
        let running = async move {
            let answer = Box::pin(schema.execute(request)).await;
            drop(slot);
            finish(answer)
        };
        // A task of its own: what breaks in it breaks no connection, and a mutation that was begun is ended.
        let task = tokio::spawn(running.in_current_span());
        // Nobody waits for a query whose client went away.
        let _ends = (kind == OperationType::Query).then(|| Ends(task.abort_handle()));
        match tokio::time::timeout(GRAPHQL_ANSWER_TIMEOUT, task).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                tracing::error!(%error, "a GraphQL request broke");
                Err(ControlError::Unavailable("the server failed to answer; its log says more".to_owned()))
            }
            Err(_) => Err(ControlError::Unavailable(format!("there was no answer within {GRAPHQL_ANSWER_TIMEOUT:?}"))),
        }
    }

    /// Answers a subscription for as long as it lasts; a query or a mutation once.
    ///
    /// # Errors
    /// [`ControlError::LimitExceeded`].
    pub fn follow(&self, actor: Arc<Actor>, admitted: Admitted) -> Result<BoxStream<'static, Response>> {
        if admitted.kind != OperationType::Subscription {
            let endpoint = self.clone();
            return Ok(stream::once(async move { endpoint.answer(actor, admitted).await }).boxed());
        }
        let slot = self.0.slots.take(Kind::Subscription, &actor)?;
        let responses = self.0.schema.execute_stream(admitted.request.data(actor));
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
