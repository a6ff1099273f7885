//! Incidents: one row per problem of a pipeline, from its beginning to its end. At most one per cause is open, even
//! after a crash. Limited per pipeline.

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;

use super::event_row::{number, severity};
use super::{Registry, RegistryError, prune};
use crate::id::PipelineId;
use crate::limits::INCIDENTS_KEPT;
use outboard_pipeline::cause::HealthCause;
use outboard_pipeline::event::Severity;
use outboard_store::page::{Listed, Page};

/// One problem from its first event to its end, however often it recurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IncidentState {
    /// The part that causes the problem.
    pub cause: HealthCause,
    /// The highest severity so far.
    pub severity: Severity,
    /// When the problem was first seen, Unix time in milliseconds.
    pub opened_ms: u64,
    /// When it last occurred, Unix time in milliseconds.
    pub updated_ms: u64,
    /// When the problem ended, Unix time in milliseconds; `None` while it is open.
    pub resolved_ms: Option<u64>,
    /// Number of its events.
    pub count: u64,
    /// The problem in one sentence.
    pub message: String,
}

/// An incident as it is stored in the database.
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
    /// Updates open incidents. One that was resolved in the meantime is not changed.
    pub async fn update_incidents(&self, incidents: Vec<(PipelineId, IncidentState)>) -> Result<(), RegistryError> {
        self.note(move |transaction| {
            for (pipeline, state) in &incidents {
                update(transaction, &pipeline.tenant, &pipeline.stream, state)?;
            }
            Ok(())
        })
        .await
    }

    /// The open incidents of a pipeline.
    pub async fn open_incidents(&self, pipeline: &PipelineId) -> Result<Vec<IncidentState>, RegistryError> {
        let page = Page::newest(HealthCause::ALL.len());
        Ok(self.incidents(pipeline, Some(true), page).await?.rows.into_iter().map(|row| row.state).collect())
    }

    /// The incidents of a pipeline, keyed by id; `open`: only open ones, or only resolved ones.
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

/// Stores an incident in the transaction of its event. Returns its id.
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
