//! Stored events, for queries and webhooks. Written in groups; an event and its deliveries are one transaction, so that
//! none is delivered twice or never. Limited per stream.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value, json};

use super::event_row::{EventRow, number, severity};
use super::incidents::{self, IncidentState};
use super::{Registry, RegistryError, Scope, deliveries, kept, next_seq, parsed, prune};
use crate::limits::{EVENT_DETAIL_BYTES_MAX, EVENTS_AT_ONCE_MAX};
use outboard_pipeline::event::{Event, Severity};
use outboard_store::page::{Listed, Page};

/// An event to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The tenant; `None`: an event of the host.
    pub tenant: Option<String>,
    /// The pipeline's stream; `None`: an event of the tenant itself, or of a pipeline that was deleted.
    pub stream: Option<String>,
    /// The event as its source reported it.
    pub event: Event,
    /// The incident that it belongs to.
    pub incident: Option<IncidentState>,
}

impl NewEvent {
    /// Everything beyond the event's own columns, without secrets.
    fn detail(&self) -> Map<String, Value> {
        let mut detail = Map::new();
        if let Some(cause) = self.event.cause {
            detail.insert("cause".into(), cause.name().into());
            if self.event.severity > Severity::Info {
                detail.insert("advice".into(), cause.advice().into());
            }
        }
        if let Some(destination) = &self.event.destination {
            detail.insert("destination".into(), destination.as_str().into());
        }
        detail
    }
}

/// Selects events; all conditions must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFilter {
    /// The owners whose events are selected.
    pub scope: Scope,
    /// Only events of this stream.
    pub stream: Option<String>,
    /// Only events of at least this severity.
    pub at_least: Severity,
    /// Only these kinds; empty: all.
    pub kinds: Vec<String>,
}

impl EventFilter {
    /// All events of a scope.
    pub fn all(scope: Scope) -> Self {
        Self { scope, stream: None, at_least: Severity::Info, kinds: Vec::new() }
    }
}

// === impl Registry ===

impl Registry {
    /// Writes events in their order, at most [`EVENTS_AT_ONCE_MAX`] per call, and a delivery for each webhook that
    /// selects them. Events of deleted tenants are dropped.
    pub async fn add_events(&self, events: Vec<NewEvent>) -> Result<Vec<EventRow>, RegistryError> {
        let kept = self.database.history().events;
        self.note(move |transaction| {
            let mut written = Vec::new();
            for new in events.into_iter().take(EVENTS_AT_ONCE_MAX) {
                if let Some(row) = add(transaction, new, kept)? {
                    deliveries::fan_out(transaction, &row, &row.payload())?;
                    written.push(row);
                }
            }
            Ok(written)
        })
        .await
    }

    /// Id of the newest event of all tenants; 0 if there is none.
    pub async fn newest_event(&self) -> Result<u64, RegistryError> {
        self.read(
            |connection| Ok(connection.query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| row.get(0))?),
        )
        .await
    }

    /// Events, keyed by id.
    pub async fn events(&self, filter: EventFilter, page: Page) -> Result<Listed<EventRow>, RegistryError> {
        self.read(move |connection| {
            let ((of, tenant), (than, order)) = (filter.scope.sql(), page.words());
            let stream = if filter.stream.is_some() { "stream IS ?3" } else { "?3 IS NULL" };
            let kinds = (!filter.kinds.is_empty()).then(|| json!(filter.kinds).to_string());
            let mut statement = connection.prepare_cached(&format!(
                "SELECT id, tenant, stream, at_ms, kind, severity, message, batch, detail FROM event
                 WHERE {of} AND id {than} ?2 AND {stream} AND severity >= ?4
                 AND (?5 IS NULL OR kind IN (SELECT value FROM json_each(?5)))
                 ORDER BY id {order} LIMIT ?6"
            ))?;
            let of = params![tenant, page.key(), filter.stream, number(filter.at_least), kinds, page.limit()];
            let rows = statement.query_map(of, raw)?;
            let rows = rows.map(|row| {
                let (row, detail) = row?;
                Ok(EventRow { detail: detail.map(|text| parsed("event.detail", &text)).transpose()?, ..row })
            });
            Ok(page.cut(rows.collect::<Result<_, RegistryError>>()?))
        })
        .await
    }
}

fn add(transaction: &Transaction<'_>, mut new: NewEvent, most: u64) -> Result<Option<EventRow>, RegistryError> {
    let known = "SELECT 1 FROM tenant WHERE name = ?";
    if let Some(tenant) = &new.tenant
        && !transaction.prepare_cached(known)?.exists([tenant])?
    {
        return Ok(None);
    }
    // The last events of a deleted pipeline belong to its tenant, because nobody can query the pipeline any more.
    let mut detail = new.detail();
    let known = "SELECT 1 FROM pipeline WHERE tenant = ? AND stream = ?";
    if let Some(stream) = new.stream.take()
        && let Some(tenant) = &new.tenant
    {
        if transaction.prepare_cached(known)?.exists([tenant, &stream])? {
            if let Some(incident) = &new.incident {
                let id = incidents::save(transaction, tenant, &stream, incident)?;
                let IncidentState { opened_ms, resolved_ms, count, .. } = incident;
                let told = json!({ "id": id, "openedAtMs": opened_ms, "resolvedAtMs": resolved_ms, "count": count });
                detail.insert("incident".into(), told);
            }
            new.stream = Some(stream);
        } else {
            detail.insert("streamId".into(), stream.into());
        }
    }
    let newest = transaction
        .prepare_cached("SELECT seq FROM event WHERE tenant IS ? AND stream IS ? ORDER BY id DESC LIMIT 1")?
        .query_row(params![new.tenant, new.stream], |row| row.get(0))
        .optional()?;
    let (seq, is_time) = next_seq(newest);
    let Event { at_ms, kind, severity, message, batch, .. } = new.event;
    let detail = (!detail.is_empty()).then_some(Value::Object(detail));
    let detail = detail.filter(|detail| detail.to_string().len() <= EVENT_DETAIL_BYTES_MAX);
    let message = kept(&message);
    transaction
        .prepare_cached(
            "INSERT INTO event (tenant, stream, seq, at_ms, kind, severity, message, batch, detail)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            new.tenant,
            new.stream,
            seq,
            at_ms,
            kind.name(),
            number(severity),
            message,
            batch,
            detail.as_ref().map(Value::to_string)
        ])?;
    let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
    if is_time {
        prune(transaction, ("event", "tenant IS ?1 AND stream IS ?2"), &[&new.tenant, &new.stream], most)?;
    }
    Ok(Some(EventRow {
        id,
        tenant: new.tenant,
        stream: new.stream,
        at_ms,
        kind: kind.name().to_owned(),
        severity,
        message,
        batch,
        detail,
    }))
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(EventRow, Option<String>)> {
    let event = EventRow {
        id: row.get(0)?,
        tenant: row.get(1)?,
        stream: row.get(2)?,
        at_ms: row.get(3)?,
        kind: row.get(4)?,
        severity: severity(row.get(5)?),
        message: row.get(6)?,
        batch: row.get(7)?,
        detail: None,
    };
    Ok((event, row.get(8)?))
}
