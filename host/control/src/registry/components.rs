//! Components: the metadata of files in the store. The digest is the identity; a tenant's and the operator's rows of
//! the same digest are separate.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::json;

use super::audit::NewAudit;
use super::{Change, Registry, RegistryError, count, kept};
use crate::access::{Action, Actor};
use crate::limits::COMPONENTS_OF_TENANT_MAX;
use crate::words::words;
use outboard_base::unix_time::now_ms;

words! {
    /// How a component was added.
    pub enum ComponentSource {
        /// Bundled with the host's binary.
        Bundled = "bundled",
        /// Added with `outboard stage add`.
        CommandLine = "command-line",
        /// Put into a folder.
        Folder = "folder",
        /// Uploaded over the API.
        Upload = "upload",
        /// Pulled from an OCI registry.
        Registry = "registry",
    }
}

/// A component to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewComponent {
    /// Identity: `sha256:` and the SHA-256 of the file, in hexadecimal digits.
    pub digest: String,
    /// The owner; `None`: available to every tenant.
    pub tenant: Option<String>,
    /// Kind of stage, by [`outboard_stage::StageKind::name`].
    pub kind: String,
    /// The name that the component reports.
    pub name: String,
    /// The version that the component reports.
    pub version: String,
    /// How it was added.
    pub source: ComponentSource,
    /// The file or reference that it was added from.
    pub origin: Option<String>,
    /// The id of the tenant's key that signed it, if a signature was required.
    pub signed_by: Option<String>,
}

/// A component as it is stored in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentRow {
    /// Digest, owner, kind, name, version and origin of the component.
    pub component: NewComponent,
    /// When it was added, Unix time in milliseconds.
    pub added_ms: u64,
    /// Name of the caller who added it.
    pub added_by: String,
}

const COMPONENT: &str =
    "SELECT digest, tenant, kind, name, version, source, origin, added_ms, added_by, signed_by FROM component";

// === impl Registry ===

impl Registry {
    /// Records a component. Idempotent, except that a signature with another key is updated.
    pub async fn add_component(&self, actor: &Actor, new: NewComponent) -> Result<Change<ComponentRow>, RegistryError> {
        let actor = actor.clone();
        self.write(move |transaction| {
            let before = one(transaction, &new.digest, new.tenant.as_deref())?;
            let action = if new.tenant.is_some() { Action::AddStage } else { Action::ShareStage };
            let audit = NewAudit::new(&actor, action, new.tenant.as_deref(), format!("component {}", new.digest))
                .detail(json!({ "name": new.name, "version": new.version, "source": new.source }));
            if let Some(mut row) = before {
                let signed = new.signed_by.is_some() && new.signed_by != row.component.signed_by;
                audit.changed(signed).write(transaction)?;
                if signed {
                    transaction.execute(
                        "UPDATE component SET signed_by = ? WHERE digest = ? AND tenant IS ?",
                        params![new.signed_by, new.digest, new.tenant],
                    )?;
                    row.component.signed_by = new.signed_by;
                }
                return Ok(Change::none(row));
            }
            if let Some(tenant) = &new.tenant {
                let have = count(transaction, "SELECT count(*) FROM component WHERE tenant = ?", tenant)?;
                if have >= COMPONENTS_OF_TENANT_MAX {
                    return Err(RegistryError::Limit(format!(
                        "tenant {tenant} has {have} components, and may have {COMPONENTS_OF_TENANT_MAX}: remove some"
                    )));
                }
            }
            let row = ComponentRow { component: new, added_ms: now_ms(), added_by: kept(&actor.name) };
            let ComponentRow { component: new, added_ms, added_by } = &row;
            transaction.execute(
                "INSERT INTO component (digest, tenant, kind, name, version, source, origin, added_ms, added_by, signed_by)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    new.digest,
                    new.tenant,
                    new.kind,
                    new.name,
                    new.version,
                    new.source,
                    new.origin.as_deref().map(kept),
                    added_ms,
                    added_by,
                    new.signed_by
                ],
            )?;
            audit.write(transaction)?;
            Ok(Change::new(row))
        })
        .await
    }

    /// Removes a component from an owner's list. Returns whether it was there, and whether no owner has it any more.
    pub async fn remove_component(
        &self,
        actor: &Actor,
        digest: &str,
        tenant: Option<&str>,
    ) -> Result<(bool, bool), RegistryError> {
        let (actor, digest, tenant) = (actor.clone(), digest.to_owned(), tenant.map(str::to_owned));
        self.write(move |transaction| {
            let removed = transaction
                .execute("DELETE FROM component WHERE digest = ? AND tenant IS ?", params![digest, tenant])?;
            let left = count(transaction, "SELECT count(*) FROM component WHERE digest = ?", &digest)?;
            NewAudit::new(&actor, Action::RemoveStage, tenant.as_deref(), format!("component {digest}"))
                .changed(removed > 0)
                .write(transaction)?;
            Ok((removed > 0, left == 0))
        })
        .await
    }

    /// All components; there are never many.
    pub async fn components(&self) -> Result<Vec<ComponentRow>, RegistryError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{COMPONENT} ORDER BY kind, name, added_ms"))?;
            let rows = statement.query_map([], raw)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn one(connection: &Connection, digest: &str, tenant: Option<&str>) -> Result<Option<ComponentRow>, RegistryError> {
    let mut statement = connection.prepare_cached(&format!("{COMPONENT} WHERE digest = ? AND tenant IS ?"))?;
    Ok(statement.query_row(params![digest, tenant], raw).optional()?)
}

fn raw(row: &Row<'_>) -> rusqlite::Result<ComponentRow> {
    Ok(ComponentRow {
        component: NewComponent {
            digest: row.get(0)?,
            tenant: row.get(1)?,
            kind: row.get(2)?,
            name: row.get(3)?,
            version: row.get(4)?,
            source: row.get(5)?,
            origin: row.get(6)?,
            signed_by: row.get(9)?,
        },
        added_ms: row.get(7)?,
        added_by: row.get(8)?,
    })
}
