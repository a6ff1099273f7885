//! Subscriptions to the storage and the server, at intervals.

use std::time::Duration;

use async_graphql::{Context, ID, Subscription};
use futures_util::StreamExt;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::wrappers::IntervalStream;

use super::Follow;
use crate::graphql::context::{Result, core};
use crate::graphql::query::storage;
use crate::graphql::types::server::{self, Server};
use crate::graphql::types::storage::StorageStatistics;
use crate::limits::{GRAPHQL_EVERY_SECONDS_MAX, GRAPHQL_SERVER_EVERY_SECONDS, GRAPHQL_STORAGE_EVERY_SECONDS};
use outboard_control::error::ControlError;

/// Subscriptions to the server, merged into [`super::Subscription`].
#[derive(Debug, Default)]
pub struct ServerSubscription;

#[Subscription]
impl ServerSubscription {
    /// Disk usage: immediately, then at regular intervals.
    async fn storage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The tenant. Default: the caller's tenant; for host-wide callers, all tenants \
                    together.")]
        tenant: Option<ID>,
        #[graphql(desc = "Interval in seconds, 1 to 3600. Default: 10.")] every_seconds: Option<i32>,
    ) -> Result<Follow<StorageStatistics>> {
        let (control, actor) = core(ctx)?;
        let (control, actor) = (control.clone(), actor.clone());
        let ticks = every(every_seconds, GRAPHQL_STORAGE_EVERY_SECONDS)?;
        // An invalid argument is reported immediately.
        storage::seen(&control, &actor, tenant.as_ref())?;
        Ok(ticks.map(move |_| storage::seen(&control, &actor, tenant.as_ref())).boxed())
    }

    /// The state of the server: immediately, then at regular intervals.
    async fn server(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Interval in seconds, 1 to 3600. Default: 5.")] every_seconds: Option<i32>,
    ) -> Result<Follow<Server>> {
        let (control, actor) = core(ctx)?;
        let (control, actor) = (control.clone(), actor.clone());
        let ticks = every(every_seconds, GRAPHQL_SERVER_EVERY_SECONDS)?;
        Ok(ticks.map(move |_| server::now(&control, &actor)).boxed())
    }
}

/// Ticks immediately, then at this interval in seconds; ticks that a slow reader misses are skipped.
fn every(asked: Option<i32>, default: u32) -> Result<IntervalStream> {
    let seconds = u32::try_from(asked.unwrap_or_default()).ok().filter(|seconds| *seconds <= GRAPHQL_EVERY_SECONDS_MAX);
    let seconds = match (asked, seconds) {
        (None, _) => default,
        (Some(_), Some(seconds)) if seconds > 0 => seconds,
        _ => {
            let message = format!("must be from 1 to {GRAPHQL_EVERY_SECONDS_MAX}");
            return Err(ControlError::invalid("everySeconds", message));
        }
    };
    let mut ticks = interval(Duration::from_secs(seconds.into()));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(IntervalStream::new(ticks))
}
