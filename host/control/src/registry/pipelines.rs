//! Pipelines: their settings and their desired state. Their actual state is not stored here.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Value, json};

use super::removals;
use super::revisions::{self, NewRevision};
use super::tenants::start;
use super::{
    Change, NewAudit, Registry, RegistryError, Removal, Scope, count, differences, enabled_tenant, kept, parsed,
};
use crate::access::{Action, Actor};
use crate::hidden::Hidden;
use crate::id::PipelineId;
use crate::limits::SETTINGS_BYTES_MAX;
use crate::words::words;
use outboard_base::unix_time::now_ms;
use outboard_store::page::{Listed, Page};

words! {
    /// The desired state of a pipeline, which a restart of the server applies.
    pub enum Desired {
        /// On air as soon and as long as possible.
        Running = "running",
        /// Not running until it is started.
        Stopped = "stopped",
    }
}

words! {
    /// How a pipeline was created.
    pub enum Origin {
        /// Created with the GraphQL API.
        Api = "api",
        /// Created with the REST API.
        Rest = "rest",
        /// Defined in the configuration of the server.
        Config = "config",
        /// Created by the demo in the web UI.
        Demo = "demo",
    }
}

/// A pipeline to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPipeline {
    /// Tenant and stream id that the pipeline gets.
    pub id: PipelineId,
    /// The checked settings; contain secrets.
    pub settings: Hidden<Value>,
    /// The initial desired state.
    pub desired: Desired,
    /// How it is created.
    pub origin: Origin,
    /// The caller's note for the first revision.
    pub note: Option<String>,
}

/// A requested change of the desired state.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// The action, for the audit log.
    pub action: Action,
    /// The new desired state.
    pub desired: Desired,
    /// Whether the request has an effect even if the desired state is unchanged: a restart, or the end of a drain.
    pub acts: bool,
    /// Further facts for the audit log.
    pub detail: Option<Value>,
}

/// A stored pipeline, with the settings of its newest revision.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineRow {
    /// Tenant and stream id of the pipeline.
    pub id: PipelineId,
    /// When it was created, Unix time in milliseconds.
    pub created_ms: u64,
    /// Name of the caller who created it.
    pub created_by: String,
    /// How it was created.
    pub origin: Origin,
    /// The state that users want: running or stopped.
    pub desired: Desired,
    /// When the desired state was set, Unix time in milliseconds.
    pub desired_ms: u64,
    /// Name of the caller who set the desired state.
    pub desired_by: String,
    /// Number of its newest revision; the first is 1.
    pub revision: u64,
    /// The settings of that revision; contain secrets.
    pub settings: Hidden<Value>,
}

impl Wish {
    /// Requests that the pipeline runs; a running one is not changed.
    pub fn start() -> Self {
        Self { action: Action::StartPipeline, desired: Desired::Running, acts: false, detail: None }
    }

    /// Requests that the pipeline does not run.
    pub fn stop() -> Self {
        Self { action: Action::StopPipeline, desired: Desired::Stopped, acts: false, detail: None }
    }

    /// Requests that the pipeline is started again, even if it is running.
    pub fn restart() -> Self {
        Self { action: Action::RestartPipeline, desired: Desired::Running, acts: true, detail: None }
    }
}

const PIPELINE: &str =
    "SELECT tenant, stream, created_ms, created_by, origin, desired, desired_ms, desired_by, revision,
    (SELECT settings FROM revision r WHERE r.tenant = p.tenant AND r.stream = p.stream AND r.number = p.revision)
    FROM pipeline p";

// === impl Registry ===

impl Registry {
    /// Creates a pipeline. Idempotent: identical settings return the existing pipeline; other settings are a conflict.
    pub async fn create_pipeline(&self, actor: &Actor, new: NewPipeline) -> Result<Change<PipelineRow>, RegistryError> {
        check(&new.settings)?;
        let actor = actor.clone();
        self.write(move |transaction| {
            let id = &new.id;
            let audit = NewAudit::new(&actor, Action::CreatePipeline, Some(&id.tenant), target(id));
            if let Some(there) = one(transaction, id)? {
                let mut found = differences(there.settings.get(), new.settings.get());
                if there.desired != new.desired {
                    found.insert(0, format!("it is {}", there.desired));
                }
                if !found.is_empty() {
                    return Err(RegistryError::Conflict(format!(
                        "pipeline {id} already exists and differs in: {}",
                        found.join(", ")
                    )));
                }
                audit.changed(false).write(transaction)?;
                return Ok(Change::none(there));
            }
            let tenant = enabled_tenant(transaction, &id.tenant)?;
            let have = count(transaction, "SELECT count(*) FROM pipeline WHERE tenant = ?", &id.tenant)?;
            tenant.quotas().one_more_pipeline(&id.tenant, have)?;
            let (now, by) = (now_ms(), kept(&actor.name));
            transaction.execute(
                "INSERT INTO pipeline
                     (tenant, stream, created_ms, created_by, origin, desired, desired_ms, desired_by, revision)
                 VALUES (?, ?, ?4, ?5, ?3, ?6, ?4, ?5, 0)",
                params![id.tenant, id.stream, new.origin, now, by, new.desired],
            )?;
            revisions::add(transaction, id, &NewRevision { settings: &new.settings, note: new.note, by: &by })?;
            audit.detail(json!({ "desired": new.desired, "origin": new.origin })).write(transaction)?;
            Ok(Change::new(there(transaction, id)?))
        })
        .await
    }

    /// Says what is wanted of a pipeline.
    pub async fn set_desired(
        &self,
        actor: &Actor,
        id: &PipelineId,
        wish: Wish,
    ) -> Result<Change<PipelineRow>, RegistryError> {
        let (id, actor) = (id.clone(), actor.clone());
        self.write(move |transaction| {
            let before = there(transaction, &id)?;
            // Checked also if the state is unchanged: a disabled tenant stays disabled.
            if wish.desired == Desired::Running {
                enabled_tenant(transaction, &id.tenant)?;
            }
            let changed = before.desired != wish.desired;
            if changed {
                transaction.execute(
                    "UPDATE pipeline SET desired = ?, desired_ms = ?, desired_by = ? WHERE tenant = ? AND stream = ?",
                    params![wish.desired, now_ms(), kept(&actor.name), id.tenant, id.stream],
                )?;
            }
            NewAudit { detail: wish.detail, ..NewAudit::new(&actor, wish.action, Some(&id.tenant), target(&id)) }
                .changed(changed || wish.acts)
                .write(transaction)?;
            Ok(Change { row: there(transaction, &id)?, changed })
        })
        .await
    }

    /// Deletes a pipeline, its revisions and its events. Records its journal and, if `files` is set, its files for
    /// removal: the caller stops the pipeline, removes them, and then calls [`Self::removed`].
    pub async fn delete_pipeline(
        &self,
        actor: &Actor,
        id: &PipelineId,
        files: bool,
    ) -> Result<PipelineRow, RegistryError> {
        let (id, actor) = (id.clone(), actor.clone());
        self.write(move |transaction| {
            let row = there(transaction, &id)?;
            transaction
                .execute("DELETE FROM pipeline WHERE tenant = ? AND stream = ?", params![id.tenant, id.stream])?;
            transaction.execute("DELETE FROM event WHERE tenant = ? AND stream = ?", params![id.tenant, id.stream])?;
            removals::add(transaction, &id.removal(files))?;
            NewAudit::new(&actor, Action::DeletePipeline, Some(&id.tenant), target(&id))
                .detail(json!({ "revision": row.revision, "files": files }))
                .write(transaction)?;
            Ok(row)
        })
        .await
    }

    /// Reads one pipeline; `None`: it does not exist.
    pub async fn pipeline(&self, id: &PipelineId) -> Result<Option<PipelineRow>, RegistryError> {
        let id = id.clone();
        self.read(move |connection| one(connection, &id)).await
    }

    /// Pipelines, keyed by tenant and stream; "newest first" means descending order.
    pub async fn pipelines(&self, scope: Scope, page: Page<PipelineId>) -> Result<Listed<PipelineRow>, RegistryError> {
        self.read(move |connection| {
            let ((of, tenant), (than, order)) = (scope.sql(), page.words());
            let mut statement = connection.prepare_cached(&format!(
                "{PIPELINE} WHERE {of} AND (tenant, stream) {than} (?2, ?3)
                 ORDER BY tenant {order}, stream {order} LIMIT ?4"
            ))?;
            let first = start(page.order);
            let after = page.after.as_ref().map_or((first, first), |id| (&id.tenant, &id.stream));
            let rows = statement.query_map(params![tenant, after.0, after.1, page.limit()], raw)?;
            Ok(page.cut(rows.map(|row| read(row?)).collect::<Result<_, RegistryError>>()?))
        })
        .await
    }
}

/// Whether settings are small enough to be kept.
pub(super) fn check(settings: &Hidden<Value>) -> Result<(), RegistryError> {
    let bytes = settings.get().to_string().len();
    if bytes <= SETTINGS_BYTES_MAX {
        return Ok(());
    }
    let message = format!("the settings are {bytes} bytes of JSON; the limit is {SETTINGS_BYTES_MAX}");
    Err(RegistryError::invalid("settings", message))
}

impl PipelineId {
    /// What must be removed when it is deleted.
    pub fn removal(&self, files: bool) -> Removal {
        Removal { tenant: self.tenant.clone(), stream: Some(self.stream.clone()), files }
    }
}

pub(super) fn target(id: &PipelineId) -> String {
    format!("pipeline {id}")
}

/// The pipeline, which has to exist.
pub(super) fn there(transaction: &Transaction<'_>, id: &PipelineId) -> Result<PipelineRow, RegistryError> {
    one(transaction, id)?.ok_or_else(|| RegistryError::NotFound(PipelineId::absent(&id.to_string()).to_string()))
}

fn one(connection: &Connection, id: &PipelineId) -> Result<Option<PipelineRow>, RegistryError> {
    let mut statement = connection.prepare_cached(&format!("{PIPELINE} WHERE tenant = ? AND stream = ?"))?;
    statement.query_row(params![id.tenant, id.stream], raw).optional()?.map(read).transpose()
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(PipelineRow, String)> {
    let pipeline = PipelineRow {
        id: PipelineId { tenant: row.get(0)?, stream: row.get(1)? },
        created_ms: row.get(2)?,
        created_by: row.get(3)?,
        origin: row.get(4)?,
        desired: row.get(5)?,
        desired_ms: row.get(6)?,
        desired_by: row.get(7)?,
        revision: row.get(8)?,
        settings: Hidden::default(),
    };
    Ok((pipeline, row.get(9)?))
}

fn read((mut row, settings): (PipelineRow, String)) -> Result<PipelineRow, RegistryError> {
    row.settings = Hidden::new(parsed("revision.settings", &settings)?);
    Ok(row)
}
