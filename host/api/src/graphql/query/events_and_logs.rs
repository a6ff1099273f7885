//! Queries of events, incidents, log lines and the audit log.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, boxed, core, named};
use crate::graphql::error::At;
use crate::graphql::paging::{Connection, Piece, cost, count, key, page};
use crate::graphql::types::audit::AuditRecord;
use crate::graphql::types::event::{Event, EventFilterInput};
use crate::graphql::types::incident::Incident;
use crate::graphql::types::log::{LogFilterInput, LogLine};
use outboard_control::error::ControlError;
use outboard_control::id::PipelineId;
use outboard_logs::Take;
use outboard_store::page::Listed;

/// Queries of events and logs, merged into [`super::Query`].
#[derive(Debug, Default)]
pub struct EventAndLogQuery;

#[Object]
impl EventAndLogQuery {
    /// The events that match the filter, newest first.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects events. Default: all events that the caller may read.")] filter: Option<
            EventFilterInput,
        >,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
    ) -> Maybe<Connection<Event>> {
        boxed(events(ctx, &filter.unwrap_or_default(), first, after.as_deref())).await
    }

    /// Log lines in memory, oldest first: the newest `last` lines, or the first `first` lines after a cursor.
    #[graphql(complexity = "cost(first.or(last), child_complexity)")]
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Selects log lines. Default: all lines from `INFO` up that the caller may read.")]
        filter: Option<LogFilterInput>,
        #[graphql(desc = "Number of lines from the oldest on, 0 to 200. Not together with `last`.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
        #[graphql(desc = "Number of newest lines, 0 to 200. Default: 20 if `first` is not set.")] last: Option<i32>,
        #[graphql(desc = "Only edges before this cursor.")] before: Option<String>,
    ) -> Maybe<Connection<LogLine>> {
        Some(logs(ctx, &filter.unwrap_or_default(), &Piece { first, after, last, before }))
    }

    /// The audit log, newest first. For admins.
    #[graphql(complexity = "cost(first, child_complexity)")]
    async fn audit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only records of this tenant. Default: the caller's tenant; for host-wide callers, \
                    all records.")]
        tenant: Option<ID>,
        #[graphql(desc = "Maximum number of edges, 0 to 200. Default: 20.")] first: Option<i32>,
        #[graphql(desc = "Only edges after this cursor.")] after: Option<String>,
    ) -> Maybe<Connection<AuditRecord>> {
        boxed(audit(ctx, tenant.as_ref(), first, after.as_deref())).await
    }
}

/// The events that match a filter, newest first.
pub async fn events(
    ctx: &Context<'_>,
    filter: &EventFilterInput,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<Event>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let listed = control.history().events(actor, &filter.query(), page.clone()).await.at_input("filter")?;
    let Listed { rows, more } = listed;
    let known = rows.into_iter().filter_map(|row| Some((row.id, Event::of_row(row)?)));
    Ok(Connection::new(known, page.after.is_some(), more))
}

/// The incidents of a pipeline, newest first; `open` selects those that last, or are over.
pub async fn incidents(
    ctx: &Context<'_>,
    id: &PipelineId,
    open: Option<bool>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<Incident>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let listed = control.history().incidents(actor, &id.to_string(), open, page.clone()).await?;
    Ok(Connection::of(listed, &page, |row| row.id, Incident::from))
}

/// The log lines that match a filter.
pub fn logs(ctx: &Context<'_>, filter: &LogFilterInput, piece: &Piece) -> Result<Connection<LogLine>> {
    let (control, actor) = core(ctx)?;
    let filter = filter.checked(control, actor)?;
    let (after, before) = (key("after", piece.after.as_deref())?, key("before", piece.before.as_deref())?);
    let take = match (piece.first, piece.last) {
        (Some(_), None) => Take::First(count("first", piece.first)?),
        (None, last) => Take::Last(count("last", last)?),
        (Some(_), Some(_)) => {
            return Err(ControlError::invalid("last", "cannot be given together with first"));
        }
    };
    let found = control.history().logs().query(&filter, take, after, before);
    let lines = found.records.iter().map(|record| (record.id, LogLine::from(&**record)));
    let (before, behind) = match take {
        Take::First(_) => (after.is_some(), found.more),
        Take::Last(_) => (found.more, before.is_some()),
    };
    Ok(Connection::new(lines, before, behind))
}

async fn audit(
    ctx: &Context<'_>,
    tenant: Option<&ID>,
    first: Option<i32>,
    after: Option<&str>,
) -> Result<Connection<AuditRecord>> {
    let (control, actor) = core(ctx)?;
    let page = page(first, after)?;
    let listed = control.history().audit(actor, named(tenant), page.clone()).await?;
    Ok(Connection::of(listed, &page, |row| row.id, AuditRecord::from))
}
