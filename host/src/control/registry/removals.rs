//! What is to be removed: noted in the transaction that deletes it, forgotten when it is done. What a process that died in
//! between left is found here by the next one; what is not noted here is nobody's to remove.

use rusqlite::{Transaction, params};

use super::{Registry, RegistryError};
use crate::store::journal;

/// What a deleted pipeline or tenant left on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Name of the tenant whose files are to be removed.
    pub tenant: String,
    /// The pipeline's stream; `None`: all that was the tenant's.
    pub stream: Option<String>,
    /// Files go too, not only what the journal has.
    pub files: bool,
}

// === impl Registry ===

impl Registry {
    /// What is still to be removed.
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

    /// It is removed: the journal forgets it as well. Nothing of that name may run.
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

/// Notes that something is to be removed. A whole tenant's goes instead of its streams'.
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
