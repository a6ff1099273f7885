//! Revisions: the settings that a pipeline had, the newest [`REVISIONS_KEPT`] of them.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;

use super::{Registry, RegistryError, kept, parsed};
use crate::hidden::Hidden;
use crate::id::PipelineId;
use crate::limits::REVISIONS_KEPT;
use outboard_base::unix_time::now_ms;
use outboard_store::page::{Listed, Page};

/// One revision of a pipeline's settings.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisionRow {
    /// Number of the revision; the first of a pipeline is 1.
    pub number: u64,
    /// The settings; contain secrets.
    pub settings: Hidden<Value>,
    /// When it was created, Unix time in milliseconds.
    pub made_ms: u64,
    /// Name of the caller who made the change.
    pub made_by: String,
    /// The caller's reason for the change.
    pub note: Option<String>,
}

/// A revision to be added.
pub(super) struct NewRevision<'a> {
    pub settings: &'a Hidden<Value>,
    pub note: Option<String>,
    pub by: &'a str,
}

const REVISION: &str =
    "SELECT number, settings, made_ms, made_by, note FROM revision WHERE tenant = ?1 AND stream = ?2";

// === impl Registry ===

impl Registry {
    /// A pipeline's revisions, keyed by number.
    pub async fn revisions(&self, id: &PipelineId, page: Page) -> Result<Listed<RevisionRow>, RegistryError> {
        let id = id.clone();
        self.read(move |connection| {
            let (than, order) = page.words();
            let mut statement = connection
                .prepare_cached(&format!("{REVISION} AND number {than} ?3 ORDER BY number {order} LIMIT ?4"))?;
            let rows = statement.query_map(params![id.tenant, id.stream, page.key(), page.limit()], raw)?;
            Ok(page.cut(rows.map(|row| read(row?)).collect::<Result<_, RegistryError>>()?))
        })
        .await
    }

    /// Reads one revision; `None`: it does not exist, or was removed as the oldest.
    pub async fn revision(&self, id: &PipelineId, number: u64) -> Result<Option<RevisionRow>, RegistryError> {
        let id = id.clone();
        self.read(move |connection| one(connection, &id, number)).await
    }
}

/// Adds a revision, makes it current, and removes the oldest ones above the limit. Returns its number.
pub(super) fn add(transaction: &Transaction<'_>, id: &PipelineId, new: &NewRevision<'_>) -> Result<u64, RegistryError> {
    let number: u64 = transaction.query_row(
        "UPDATE pipeline SET revision = revision + 1 WHERE tenant = ? AND stream = ? RETURNING revision",
        params![id.tenant, id.stream],
        |row| row.get(0),
    )?;
    transaction.execute(
        "INSERT INTO revision (tenant, stream, number, settings, made_ms, made_by, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
        params![
            id.tenant,
            id.stream,
            number,
            new.settings.get().to_string(),
            now_ms(),
            new.by,
            new.note.as_deref().map(kept)
        ],
    )?;
    transaction.execute(
        "DELETE FROM revision WHERE tenant = ? AND stream = ? AND number <= ?",
        params![id.tenant, id.stream, number.saturating_sub(REVISIONS_KEPT)],
    )?;
    Ok(number)
}

pub(super) fn one(connection: &Connection, id: &PipelineId, number: u64) -> Result<Option<RevisionRow>, RegistryError> {
    let mut statement = connection.prepare_cached(&format!("{REVISION} AND number = ?3"))?;
    statement.query_row(params![id.tenant, id.stream, number], raw).optional()?.map(read).transpose()
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(RevisionRow, String)> {
    let revision = RevisionRow {
        number: row.get(0)?,
        settings: Hidden::default(),
        made_ms: row.get(2)?,
        made_by: row.get(3)?,
        note: row.get(4)?,
    };
    Ok((revision, row.get(1)?))
}

fn read((mut row, settings): (RevisionRow, String)) -> Result<RevisionRow, RegistryError> {
    row.settings = Hidden::new(parsed("revision.settings", &settings)?);
    Ok(row)
}
