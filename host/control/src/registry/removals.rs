//! Pending removals: recorded in the transaction that deletes a pipeline or tenant, and deleted when the files are
//! gone. After a crash, the next process continues them. Only what is recorded here is removed.

use rusqlite::{Transaction, params};

use super::{Registry, RegistryError};
use outboard_store::journal;

/// What a deleted pipeline or tenant left on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Name of the tenant whose files are to be removed.
    pub tenant: String,
    /// The pipeline's stream; `None`: everything of the tenant.
    pub stream: Option<String>,
    /// Whether files are removed too, not only the journal.
    pub files: bool,
}

// === impl Registry ===

impl Registry {
    /// Reads the removals that were begun and have not finished, of every tenant.
    pub async fn removals(&self) -> Result<Vec<Removal>, RegistryError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT tenant, stream, files FROM removal")?;
            let rows = statement.query_map([], |row| {
                let stream = Some(row.get::<_, String>(1)?).filter(|stream| !stream.is_empty());
                Ok(Removal { tenant: row.get(0)?, stream, files: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Records that it is removed, and deletes its journal. Nothing of that name may run.
    pub async fn removed(&self, removal: Removal) -> Result<(), RegistryError> {
        self.write(move |transaction| {
            let Removal { tenant, stream, .. } = &removal;
            if let Some(stream) = stream {
                journal::remove(transaction, tenant, stream)?;
            }
            let stream = stream.as_deref().unwrap_or_default();
            transaction.execute("DELETE FROM removal WHERE tenant = ? AND stream = ?", params![tenant, stream])?;
            Ok(())
        })
        .await
    }
}

/// Records a removal. That of a whole tenant replaces those of its streams.
pub(super) fn add(transaction: &Transaction<'_>, removal: &Removal) -> Result<(), RegistryError> {
    let Removal { tenant, stream, files } = removal;
    if stream.is_none() {
        transaction.execute("DELETE FROM removal WHERE tenant = ?", params![tenant])?;
    }
    transaction.execute(
        "INSERT OR REPLACE INTO removal (tenant, stream, files) VALUES (?, ?, ?)",
        params![tenant, stream.as_deref().unwrap_or_default(), files],
    )?;
    Ok(())
}
