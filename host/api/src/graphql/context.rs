//! What resolvers find in their request: the core, and who is calling.

use std::sync::Arc;

use async_graphql::{Context, ID};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use outboard_control::Control;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// An answer of a resolver. What went wrong gets its code where answers leave ([`super::error`]).
pub type Result<T> = std::result::Result<T, ControlError>;

/// An answer whose failure makes this field null and leaves its neighbours as they are; a plain [`Result`] would take the
/// whole object with it. For the fields of the three roots: what a request did or found beside a failure is still told.
pub type Maybe<T> = Option<Result<T>>;

/// Does a field's work in a box of its own. The future of an object holds those of all its fields, and a thread's stack holds
/// several such objects; only what is on the heap does not add up.
pub fn boxed<'a, T: Send + 'a>(work: impl Future<Output = Result<T>> + Send + 'a) -> BoxFuture<'a, Maybe<T>> {
    Box::pin(async move { Some(work.await) })
}

/// The core, and who is calling it.
///
/// # Errors
/// [`ControlError::Unavailable`]: the request was run without them, which is a bug.
pub fn core<'a>(ctx: &Context<'a>) -> Result<(&'a Control, &'a Actor)> {
    match (ctx.data_opt::<Control>(), ctx.data_opt::<Arc<Actor>>()) {
        (Some(control), Some(actor)) => Ok((control, actor)),
        _ => Err(ControlError::Unavailable("this request was run without a caller".to_owned())),
    }
}

/// Cancelled once nobody waits for the request's answer any more.
#[derive(Debug, Clone)]
pub struct Gone(pub CancellationToken);

/// Whether somebody still waits; for work of a mutation that is of no use then. What it wrote down stays.
pub fn gone(ctx: &Context<'_>) -> CancellationToken {
    ctx.data_opt::<Gone>().map(|Gone(gone)| gone.clone()).unwrap_or_default()
}

/// An optional id as the core takes it.
pub fn named(id: Option<&ID>) -> Option<&str> {
    id.map(|id| id.as_str())
}
