//! What can be followed. A subscription ends when what it follows is deleted, or the caller's token is not taken any more;
//! one that is read too slowly skips, and never holds anything up.

pub mod happened;
pub mod pipelines;
pub mod server;
pub mod stages;

use async_graphql::MergedSubscription;
use futures_util::stream::BoxStream;

use super::context::Result;

/// All subscriptions. A subscription ends when the object that it follows is deleted. It ends with the error
/// UNAUTHENTICATED when the caller's token expires or is revoked.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(
    pipelines::PipelineSubscription,
    stages::StageSubscription,
    happened::HappenedSubscription,
    server::ServerSubscription,
);

/// The answers of a subscription.
pub type Follow<T> = BoxStream<'static, Result<T>>;
