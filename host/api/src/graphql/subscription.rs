//! The subscriptions. A subscription ends when its object is deleted or the caller's token is no longer valid. A subscriber that reads
//! too slowly skips updates, and never delays anything.

pub mod events_and_logs;
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
    events_and_logs::EventAndLogSubscription,
    server::ServerSubscription,
);

/// The stream of a subscription's results.
pub type Follow<T> = BoxStream<'static, Result<T>>;
