//! Incidents: one row for each problem of a pipeline, from when it opened until it was resolved. At most one of a cause is
//! open, whatever happened to the process in between. Bounded for each pipeline.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::event_row::{number, severity};
use super::{Registry, RegistryError, prune};
use crate::control::id::PipelineId;
use crate::limits::INCIDENTS_KEPT;
use crate::pipeline::cause::HealthCause;
use crate::pipeline::event::Severity;
use crate::store::page::{Listed, Page};

/// One problem from its first event to its end, however often it recurs meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentState {
    /// Where the problem comes from.
    pub cause: HealthCause,
    /// How much it mattered at its worst.
    pub severity: Severity,
    /// When the problem was first seen, Unix time in milliseconds.
    pub opened_ms: u64,
    /// When it was last heard of.
    pub updated_ms: u64,
    /// When the problem was gone; `None` while it is open.
    pub resolved_ms: Option<u64>,
    /// Events that it stands for.
    pub count: u64,
    /// What the problem is, in a sentence.
    pub message: String,
}

/// An incident that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRow {
    /// Number of the incident; later incidents have higher ones.
    pub id: u64,
    /// The pipeline that has the problem.
    pub pipeline: PipelineId,
    /// The incident as it was last stored.
    pub state: IncidentState,
}

const INCIDENT: &str = "SELECT id, tenant, stream, cause, severity, opened_ms, updated_ms, resolved_ms, count, message
     FROM incident";

// === impl Registry ===

impl Registry {
    /// Writes down how incidents that are open stand. One that was resolved meanwhile stays as it is.
    pub async fn update_incidents(&self, incidents: Vec<(PipelineId, IncidentState)>) -> Result<(), RegistryError> {
        self.note(move |transaction| {
            for (pipeline, state) in &incidents {
                update(transaction, &pipeline.tenant, &pipeline.stream, state)?;
            }
            Ok(())
        })
        .await
    }

    /// The incidents of a pipeline that are open.
    pub async fn open_incidents(&self, pipeline: &PipelineId) -> Result<Vec<IncidentState>, RegistryError> {
        let page = Page::newest(HealthCause::ALL.len());
        Ok(self.incidents(pipeline, Some(true), page).await?.rows.into_iter().map(|row| row.state).collect())
    }

    /// The incidents of a pipeline, keyed by id; `open`: only those that are open, or only those that are not.
    pub async fn incidents(
        &self,
        pipeline: &PipelineId,
        open: Option<bool>,
        page: Page,
    ) -> Result<Listed<IncidentRow>, RegistryError> {
        let pipeline = pipeline.clone();
        self.read(move |connection| {
            let (than, order) = page.words();
            let mut statement = connection.prepare_cached(&format!(
                "{INCIDENT} WHERE tenant = ?1 AND stream = ?2 AND id {than} ?3
                 AND (?4 IS NULL OR (resolved_ms IS NULL) = ?4) ORDER BY id {order} LIMIT ?5"
            ))?;
            let of = params![pipeline.tenant, pipeline.stream, page.key(), open, page.limit()];
            let rows = statement.query_map(of, raw)?;
            Ok(page.cut(rows.collect::<Result<_, _>>()?))
        })
        .await
    }
}

/// Writes an incident down with the event that tells of it. Answers its id.
pub(super) fn save(
    transaction: &Transaction<'_>,
    tenant: &str,
    stream: &str,
    state: &IncidentState,
) -> Result<u64, RegistryError> {
    if let Some(id) = update(transaction, tenant, stream, state)? {
        return Ok(id);
    }
    transaction
        .prepare_cached(
            "INSERT INTO incident (tenant, stream, cause, severity, opened_ms, updated_ms, resolved_ms, count, message)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            tenant,
            stream,
            state.cause.name(),
            number(state.severity),
            state.opened_ms,
            state.updated_ms,
            state.resolved_ms,
            state.count,
            super::kept(&state.message)
        ])?;
    let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
    prune(transaction, ("incident", "tenant = ?1 AND stream = ?2"), &[&tenant, &stream], INCIDENTS_KEPT)?;
    Ok(id)
}

fn update(
    transaction: &Transaction<'_>,
    tenant: &str,
    stream: &str,
    state: &IncidentState,
) -> Result<Option<u64>, RegistryError> {
    let found = transaction
        .prepare_cached(
            "UPDATE incident SET severity = ?4, updated_ms = ?5, resolved_ms = ?6, count = ?7, message = ?8
             WHERE tenant = ?1 AND stream = ?2 AND cause = ?3 AND resolved_ms IS NULL RETURNING id",
        )?
        .query_row(
            params![
                tenant,
                stream,
                state.cause.name(),
                number(state.severity),
                state.updated_ms,
                state.resolved_ms,
                state.count,
                super::kept(&state.message)
            ],
            |row| row.get(0),
        )
        .optional()?;
    Ok(found)
}

fn raw(row: &Row<'_>) -> rusqlite::Result<IncidentRow> {
    let cause = HealthCause::of(&row.get::<_, String>(3)?).ok_or(rusqlite::types::FromSqlError::InvalidType)?;
    Ok(IncidentRow {
        id: row.get(0)?,
        pipeline: PipelineId { tenant: row.get(1)?, stream: row.get(2)? },
        state: IncidentState {
            cause,
            severity: severity(row.get(4)?),
            opened_ms: row.get(5)?,
            updated_ms: row.get(6)?,
            resolved_ms: row.get(7)?,
            count: row.get(8)?,
            message: row.get(9)?,
        },
    })
}
