//! Tenants of this host. The tenant `default` always exists. Changes to a tenant are recorded in the host's audit log,
//! not in the tenant's.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Change, NewAudit, Registry, RegistryError, Removal, count, differences, parsed, removals};
use crate::access::{Action, Actor};
use crate::limits::TENANTS_MAX;
use crate::quota::{QuotaPatch, Quotas};
use outboard_base::Problem;
use outboard_base::unix_time::now_ms;
use outboard_pipeline::DEFAULT_TENANT;
use outboard_store::files::check_name;
use outboard_store::journal;
use outboard_store::page::{Listed, Order, Page};

/// A tenant to be created.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewTenant {
    /// The name, which is also its id.
    pub name: String,
    /// Quotas that differ from the defaults.
    pub quotas: QuotaPatch,
    /// Addresses that it may reach; `None`: the host's default policy.
    pub network: Option<Value>,
    /// Components that it may use; `None`: the host's default policy.
    pub stages: Option<Value>,
}

/// Changes to a tenant; `None` fields stay.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TenantPatch {
    /// Quotas that change; the others stay.
    pub quotas: Option<QuotaPatch>,
    /// The complete network policy; `Some(None)`: the host's default policy.
    pub network: Option<Option<Value>>,
    /// The complete stage policy; `Some(None)`: the host's default policy.
    pub stages: Option<Option<Value>>,
    /// Whether it is disabled.
    pub disabled: Option<bool>,
}

/// A tenant after a change, and what changed.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantChange {
    /// The tenant as it is stored after the change.
    pub row: TenantRow,
    /// Whether a quota changed.
    pub quotas: bool,
    /// Whether its network policy changed.
    pub network: bool,
    /// Whether it was disabled or enabled.
    pub disabled: bool,
}

/// A stored tenant, with quotas and policies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TenantRow {
    /// The name, which is also its id.
    pub name: String,
    /// When it was created, Unix time in milliseconds.
    pub created_ms: u64,
    /// Quotas that differ from the defaults.
    pub set: QuotaPatch,
    /// Addresses that it may reach; `None`: the host's default policy.
    pub network: Option<Value>,
    /// Components that it may use; `None`: the host's default policy.
    pub stages: Option<Value>,
    /// Whether it is disabled: its tokens are rejected, and nothing new is created for it.
    pub disabled: bool,
}

impl TenantRow {
    /// Returns the quotas that apply: those that are set, otherwise the defaults.
    pub fn quotas(&self) -> Quotas {
        Quotas::of(&self.name, &self.set)
    }

    /// What must be removed when it is deleted.
    pub fn removal(&self) -> Removal {
        Removal { tenant: self.name.clone(), stream: None, files: true }
    }
}

// === impl Registry ===

impl Registry {
    /// Creates a tenant. Idempotent: identical properties return the existing tenant.
    pub async fn create_tenant(&self, actor: &Actor, new: NewTenant) -> Result<Change<TenantRow>, RegistryError> {
        let problems = new.problems();
        if !problems.is_empty() {
            return Err(RegistryError::Invalid(problems));
        }
        let audit = NewAudit::new(actor, Action::CreateTenant, None, format!("tenant {}", new.name));
        self.write(move |transaction| {
            if let Some(there) = one(transaction, &new.name)? {
                let wanted = json!({ "quotas": new.quotas, "network": new.network, "stages": new.stages });
                let kept = json!({ "quotas": there.set, "network": there.network, "stages": there.stages });
                let found = differences(&kept, &wanted);
                if !found.is_empty() {
                    let found = found.join(", ");
                    return Err(RegistryError::Conflict(format!("tenant {} exists with different {found}", new.name)));
                }
                audit.changed(false).write(transaction)?;
                return Ok(Change::none(there));
            }
            let alike: Option<String> = transaction
                .query_row("SELECT name FROM tenant WHERE name = ? COLLATE NOCASE", [&new.name], |row| row.get(0))
                .optional()?;
            if let Some(alike) = alike {
                // Their folders would be the same on file systems that ignore case.
                return Err(RegistryError::Conflict(format!(
                    "tenant {} differs from tenant {alike} only in upper and lower case",
                    new.name
                )));
            }
            if count(transaction, "SELECT count(*) FROM tenant WHERE name != ?", "")? >= TENANTS_MAX {
                return Err(RegistryError::Limit(format!("this host has {TENANTS_MAX} tenants, which is the limit")));
            }
            transaction.execute(
                "INSERT INTO tenant (name, created_ms, quotas, network, stages) VALUES (?, ?, ?, ?, ?)",
                params![new.name, now_ms(), text(&new.quotas), kept(&new.network), kept(&new.stages)],
            )?;
            let detail = json!({ "quotas": new.quotas, "network": new.network, "stages": new.stages });
            audit.detail(detail).write(transaction)?;
            Ok(Change::new(there(transaction, &new.name)?))
        })
        .await
    }

    /// Reads one tenant; `None`: it does not exist.
    pub async fn tenant(&self, name: &str) -> Result<Option<TenantRow>, RegistryError> {
        let name = name.to_owned();
        self.read(move |connection| one(connection, &name)).await
    }

    /// All tenants, keyed by name; "newest first" means descending order.
    pub async fn tenants(&self, page: Page<String>) -> Result<Listed<TenantRow>, RegistryError> {
        self.read(move |connection| {
            let (than, order) = page.words();
            let mut statement = connection.prepare_cached(&format!(
                "{TENANT}
                 WHERE name {than} ?1 ORDER BY name {order} LIMIT ?2"
            ))?;
            let after = page.after.as_deref().unwrap_or(start(page.order));
            let rows = statement.query_map(params![after, page.limit()], raw)?;
            Ok(page.cut(rows.map(|row| read(row?)).collect::<Result<_, RegistryError>>()?))
        })
        .await
    }

    /// Changes a tenant, completely or not at all. The caller must apply the change to running pipelines.
    pub async fn update_tenant(
        &self,
        actor: &Actor,
        tenant: &str,
        patch: TenantPatch,
    ) -> Result<TenantChange, RegistryError> {
        let problems = Quotas::of(tenant, &patch.quotas.unwrap_or_default()).problems();
        if !problems.is_empty() {
            return Err(RegistryError::Invalid(problems));
        }
        if patch.disabled == Some(true) && tenant == DEFAULT_TENANT {
            return Err(RegistryError::Conflict("tenant default cannot be disabled: it is the host's own".into()));
        }
        let (tenant, actor) = (tenant.to_owned(), actor.clone());
        self.write(move |transaction| {
            let before = one(transaction, &tenant)?.ok_or_else(|| absent(&tenant))?;
            let mut row = before.clone();
            // An audit entry for each requested change.
            let line = |action, detail: Value, changed| {
                NewAudit::new(&actor, action, None, format!("tenant {tenant}")).detail(detail).changed(changed)
            };
            if let Some(quotas) = patch.quotas {
                row.set = row.set.and(quotas);
                line(Action::SetQuotas, json!(quotas), row.set != before.set).write(transaction)?;
            }
            if let Some(network) = patch.network {
                row.network.clone_from(&network);
                line(Action::SetNetwork, json!(network), row.network != before.network).write(transaction)?;
            }
            if let Some(stages) = patch.stages {
                row.stages.clone_from(&stages);
                line(Action::SetStagePolicy, json!(stages), row.stages != before.stages).write(transaction)?;
            }
            if let Some(disabled) = patch.disabled {
                row.disabled = disabled;
                let detail = json!({ "disabled": disabled });
                line(Action::DisableTenant, detail, row.disabled != before.disabled).write(transaction)?;
            }
            if row != before {
                transaction.execute(
                    "UPDATE tenant SET quotas = ?, network = ?, stages = ?, disabled = ? WHERE name = ?",
                    params![text(&row.set), kept(&row.network), kept(&row.stages), row.disabled, tenant],
                )?;
            }
            Ok(TenantChange {
                quotas: row.set != before.set,
                network: row.network != before.network,
                disabled: row.disabled != before.disabled,
                row,
            })
        })
        .await
    }

    /// Deletes a tenant without pipelines, with its tokens, webhooks, events and journal. Its audit log is moved to the
    /// host, so that a new tenant of the same name cannot see it. Its files are recorded for removal: the caller
    /// removes them and then calls [`Self::removed`].
    pub async fn delete_tenant(&self, actor: &Actor, tenant: &str) -> Result<TenantRow, RegistryError> {
        let (tenant, actor) = (tenant.to_owned(), actor.clone());
        if tenant == DEFAULT_TENANT {
            return Err(RegistryError::Conflict("tenant default cannot be deleted: it is the host's own".into()));
        }
        self.write(move |transaction| {
            let row = one(transaction, &tenant)?.ok_or_else(|| absent(&tenant))?;
            let pipelines = count(transaction, "SELECT count(*) FROM pipeline WHERE tenant = ?", &tenant)?;
            if pipelines > 0 {
                let text = format!("tenant {tenant} has {pipelines} pipelines: delete them first");
                return Err(RegistryError::Conflict(text));
            }
            forget(transaction, &tenant)?;
            removals::add(transaction, &row.removal())?;
            NewAudit::new(&actor, Action::DeleteTenant, None, format!("tenant {tenant}")).write(transaction)?;
            Ok(row)
        })
        .await
    }
}

/// Deletes a tenant and everything stored under its name.
fn forget(transaction: &Transaction<'_>, tenant: &str) -> Result<(), RegistryError> {
    for table in ["token", "webhook", "event"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE tenant = ?"), [tenant])?;
    }
    let mut statement = transaction.prepare("SELECT name FROM stream WHERE tenant = ?")?;
    let streams: Vec<String> = statement.query_map([tenant], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for stream in streams {
        journal::remove(transaction, tenant, &stream)?;
    }
    transaction.execute("UPDATE audit SET tenant = NULL WHERE tenant = ?", [tenant])?;
    transaction.execute("DELETE FROM tenant WHERE name = ?", [tenant])?;
    Ok(())
}

impl NewTenant {
    /// All problems of its name and its quotas.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Quotas::of(&self.name, &self.quotas).problems();
        let wrong = match check_name("tenant", &self.name) {
            Err(error) => Some(error.to_string()),
            Ok(()) if is_reserved(&self.name) => {
                Some(format!("{:?} is the name of a storage folder of the host; choose another name", self.name))
            }
            Ok(()) => None,
        };
        problems.splice(0..0, wrong.map(|message| Problem { path: "name".into(), message }));
        problems
    }
}

/// Names of other folders beside those of tenants.
fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["stages", "aot"].contains(&name.as_str()) || name.starts_with("outboard.")
}

/// The error for a tenant that does not exist.
pub(super) fn absent(tenant: &str) -> RegistryError {
    let short: String = tenant.chars().filter(|c| !c.is_control()).take(70).collect();
    RegistryError::NotFound(format!("there is no tenant {short:?}"))
}

/// The key before the first name, in the list's direction. Names are ASCII without control characters.
pub(super) fn start(order: Order) -> &'static str {
    match order {
        Order::NewestFirst => "\u{7f}",
        Order::OldestFirst => "",
    }
}

pub(super) fn one(connection: &Connection, name: &str) -> Result<Option<TenantRow>, RegistryError> {
    let mut statement = connection.prepare_cached(&format!("{TENANT} WHERE name = ?"))?;
    statement.query_row([name], raw).optional()?.map(read).transpose()
}

fn there(connection: &Connection, name: &str) -> Result<TenantRow, RegistryError> {
    one(connection, name)?.ok_or_else(|| absent(name))
}

const TENANT: &str = "SELECT name, created_ms, quotas, network, disabled, stages FROM tenant";

type Raw = (TenantRow, String, Option<String>, Option<String>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let tenant = TenantRow {
        name: row.get(0)?,
        created_ms: row.get(1)?,
        set: QuotaPatch::default(),
        network: None,
        stages: None,
        disabled: row.get(4)?,
    };
    Ok((tenant, row.get(2)?, row.get(3)?, row.get(5)?))
}

fn read((mut tenant, quotas, network, stages): Raw) -> Result<TenantRow, RegistryError> {
    tenant.set = parsed("tenant.quotas", &quotas)?;
    tenant.network = network.map(|text| parsed("tenant.network", &text)).transpose()?;
    tenant.stages = stages.map(|text| parsed("tenant.stages", &text)).transpose()?;
    Ok(tenant)
}

fn text(quotas: &QuotaPatch) -> String {
    json!(quotas).to_string()
}

fn kept(policy: &Option<Value>) -> Option<String> {
    policy.as_ref().map(Value::to_string)
}
