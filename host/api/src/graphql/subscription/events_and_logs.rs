//! Subscriptions to events and log lines.

use std::collections::VecDeque;
use std::sync::Arc;

use async_graphql::{Context, ID, Subscription};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, sleep_until};

use super::Follow;
use crate::graphql::context::{Result, core};
use crate::graphql::paging::count;
use crate::graphql::scalars::BigInt;
use crate::graphql::types::event::{Event, EventFilterInput};
use crate::graphql::types::log::{LogFilterInput, LogLine, LogUpdate};
use crate::limits::{GRAPHQL_LOG_LINES_AT_ONCE, GRAPHQL_LOG_UPDATE_EVERY, GRAPHQL_PAGE_MAX};
use outboard_control::access::Actor;
use outboard_control::history::EventQuery;
use outboard_control::recorder::RecordedEvent;
use outboard_control::{Control, Watched};
use outboard_logs::{Feed, Item};
use outboard_store::page::Page;

/// Subscriptions to events and logs, merged into [`super::Subscription`].
#[derive(Debug, Default)]
pub struct EventAndLogSubscription;

#[Subscription]
impl EventAndLogSubscription {
    /// New events, each sent after it is stored. A slow subscriber gets the events that it missed from the store, as
    /// far as they are retained.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects events. Default: all events that the caller may read.")] filter: Option<
            EventFilterInput,
        >,
    ) -> Result<Follow<Event>> {
        let (control, actor) = core(ctx)?;
        let filter = filter.unwrap_or_default();
        let events = Events::follow(control, actor, filter.query())?;
        until_deleted(control, actor, filter.pipeline.as_ref(), events.into_stream())
    }

    /// Log lines: first the newest `last` lines, then each new line. A slow subscriber skips the oldest lines;
    /// `dropped` counts them.
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects log lines. Default: all lines from `INFO` up that the caller may read.")]
        filter: Option<LogFilterInput>,
        #[graphql(desc = "Number of the newest lines to send first, 0 to 200. Default: 20.")] last: Option<i32>,
    ) -> Result<Follow<LogUpdate>> {
        let (control, actor) = core(ctx)?;
        let filter = filter.unwrap_or_default();
        let last = count("last", last)?;
        let feed = control.history().logs().subscribe(filter.checked(control, actor)?, last);
        until_deleted(control, actor, filter.pipeline.as_ref(), Lines::new(feed).into_stream())
    }
}

/// Ends a stream when its pipeline is deleted.
fn until_deleted<T: Send + 'static>(
    control: &Control,
    actor: &Actor,
    pipeline: Option<&ID>,
    stream: impl Stream<Item = Result<T>> + Send + 'static,
) -> Result<Follow<T>> {
    Ok(match pipeline {
        Some(id) => stream.take_until(control.pipelines().get(actor, id)?.gone().clone().cancelled_owned()).boxed(),
        None => stream.boxed(),
    })
}

/// Events without gaps: live ones, and, for a reader that was too slow, the stored ones that it missed.
struct Events {
    control: Control,
    actor: Actor,
    query: EventQuery,
    live: BoxStream<'static, Watched<Arc<RecordedEvent>>>,
    missed: VecDeque<Event>,
    /// Id of the newest event that was sent.
    seen: u64,
    behind: bool,
}

impl Events {
    /// Begins with the next event after this call; it subscribes before it awaits anything.
    fn follow(control: &Control, actor: &Actor, query: EventQuery) -> Result<Self> {
        // In this order: `catch_up` finds events between the two, and events that arrive twice are sent once.
        let seen = control.history().newest_event();
        let live = control.history().watch_events(actor, &query)?.boxed();
        let (control, actor) = (control.clone(), actor.clone());
        Ok(Self { control, actor, query, live, missed: VecDeque::new(), seen, behind: true })
    }

    fn into_stream(self) -> impl Stream<Item = Result<Event>> + Send {
        stream::unfold(Some(self), |events| async move {
            let mut events = events?;
            match events.next().await {
                Ok(event) => event.map(|event| (Ok(event), Some(events))),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.missed.pop_front() {
                return Ok(Some(event));
            }
            if self.behind {
                self.catch_up().await?;
                continue;
            }
            match self.live.next().await {
                None => return Ok(None),
                Some(Watched::Lost(_)) => self.behind = true,
                Some(Watched::Item(event)) if event.id > self.seen => {
                    self.seen = event.id;
                    return Ok(Some((&*event).into()));
                }
                Some(Watched::Item(_)) => {}
            }
        }
    }

    async fn catch_up(&mut self) -> Result<()> {
        let page = Page::oldest(GRAPHQL_PAGE_MAX).after(self.seen);
        let listed = self.control.history().events(&self.actor, &self.query, page).await?;
        self.behind = listed.more;
        self.seen = listed.rows.last().map_or(self.seen, |row| row.id);
        self.missed.extend(listed.rows.into_iter().filter_map(Event::of_row));
        Ok(())
    }
}

/// Log lines, several per update.
struct Lines {
    feed: Feed,
    /// The earliest time of the next update.
    next: Instant,
    /// Number of lines that were dropped after those of the last update.
    dropped: u64,
}

impl Lines {
    fn new(feed: Feed) -> Self {
        Self { feed, next: Instant::now(), dropped: 0 }
    }

    fn into_stream(self) -> impl Stream<Item = Result<LogUpdate>> + Send {
        stream::unfold(self, |mut lines| async move { lines.next().await.map(|update| (Ok(update), lines)) })
    }

    async fn next(&mut self) -> Option<LogUpdate> {
        sleep_until(self.next).await;
        let mut update = LogUpdate { lines: Vec::new(), dropped: BigInt(std::mem::take(&mut self.dropped)) };
        let mut item = Some(self.feed.next().await?);
        while let Some(now) = item {
            match now {
                Item::Record(record) => update.lines.push(LogLine::from(&*record)),
                Item::Dropped(lost) if update.lines.is_empty() => update.dropped.0 += lost,
                // The lines were dropped between these and the next ones.
                Item::Dropped(lost) => {
                    self.dropped = lost;
                    break;
                }
            }
            if update.lines.len() >= GRAPHQL_LOG_LINES_AT_ONCE {
                break;
            }
            item = self.feed.next().now_or_never().flatten();
        }
        self.next = Instant::now() + GRAPHQL_LOG_UPDATE_EVERY;
        Some(update)
    }
}
