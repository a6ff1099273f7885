//! The data that resolvers get with a request: the control plane and the caller.

use std::sync::Arc;

use async_graphql::{Context, ID};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use outboard_control::Control;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// The result of a resolver. Errors get their code in [`super::error`].
pub type Result<T> = std::result::Result<T, ControlError>;

/// The result of a nullable field: an error makes only this field null, while an error of a plain [`Result`] makes its whole object
/// null. For fields of the root types, so that the other fields of a request are answered.
pub type Maybe<T> = Option<Result<T>>;

/// Boxes a field's future. The future of an object contains those of its fields, which would need too much stack.
pub fn boxed<'a, T: Send + 'a>(work: impl Future<Output = Result<T>> + Send + 'a) -> BoxFuture<'a, Maybe<T>> {
    Box::pin(async move { Some(work.await) })
}

/// The control plane and the caller of a request.
///
/// # Errors
/// [`ControlError::Unavailable`] if the request has none, which is a bug.
pub fn core<'a>(ctx: &Context<'a>) -> Result<(&'a Control, &'a Actor)> {
    match (ctx.data_opt::<Control>(), ctx.data_opt::<Arc<Actor>>()) {
        (Some(control), Some(actor)) => Ok((control, actor)),
        _ => Err(ControlError::Unavailable("this request was run without a caller".to_owned())),
    }
}

/// A token that is cancelled when the client of the request has disconnected.
#[derive(Debug, Clone)]
pub struct Gone(pub CancellationToken);

/// The token that is cancelled when the client has disconnected. A mutation may then end work that only served its answer; what it
/// stored is kept.
pub fn gone(ctx: &Context<'_>) -> CancellationToken {
    ctx.data_opt::<Gone>().map(|Gone(gone)| gone.clone()).unwrap_or_default()
}

/// An optional id as text.
pub fn named(id: Option<&ID>) -> Option<&str> {
    id.map(|id| id.as_str())
}
