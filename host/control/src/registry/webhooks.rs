//! Webhooks: the receivers of a tenant's events.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Value, json};

use super::{Change, NewAudit, Registry, RegistryError, count, differences, enabled_tenant, kept, parsed};
use crate::access::{Action, Actor};
use crate::hidden::Hidden;
use crate::limits::WEBHOOKS_MAX;
use outboard_base::unix_time::now_ms;
use outboard_pipeline::event::EventKind;
use outboard_store::files::check_name;
use outboard_store::page::{Listed, Page};

/// A webhook to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewWebhook {
    /// Name of the tenant that owns the webhook.
    pub tenant: String,
    /// Name of the webhook, unique within its tenant.
    pub name: String,
    /// URL of the receiver; may contain credentials.
    pub url: Hidden<String>,
    /// The secret that signs requests.
    pub secret: Hidden<String>,
    /// Whether the caller chose the secret. If so, an existing webhook must have the same one; otherwise it keeps its
    /// own.
    pub secret_given: bool,
    /// Kinds of events; empty: all.
    pub events: Vec<String>,
    /// Whether requests are sent.
    pub enabled: bool,
}

/// Changes to a webhook; `None` fields stay.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WebhookPatch {
    /// New value of [`NewWebhook::url`]; `None` keeps the old one.
    pub url: Option<Hidden<String>>,
    /// New value of [`NewWebhook::secret`]; `None` keeps the old one.
    pub secret: Option<Hidden<String>>,
    /// New value of [`NewWebhook::events`]; `None` keeps the old one.
    pub events: Option<Vec<String>>,
    /// New value of [`NewWebhook::enabled`]; `None` keeps the old one.
    pub enabled: Option<bool>,
}

/// A webhook as it is stored in the database.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookRow {
    /// Number of the webhook.
    pub id: u64,
    /// Name of the tenant that owns the webhook.
    pub tenant: String,
    /// Name for people, unique within the tenant.
    pub name: String,
    /// URL of the receiver; may contain credentials.
    pub url: Hidden<String>,
    /// The secret that signs requests.
    pub secret: Hidden<String>,
    /// Kinds of events; empty: all.
    pub events: Vec<String>,
    /// Whether requests are sent.
    pub enabled: bool,
    /// When it was created, Unix time in milliseconds.
    pub created_ms: u64,
    /// Name of the caller who created it.
    pub created_by: String,
}

const WEBHOOK: &str = "SELECT id, tenant, name, url, secret, events, enabled, created_ms, created_by FROM webhook";

impl WebhookRow {
    /// Whether it receives events of this kind. A webhook without kinds receives incidents: each problem when it
    /// begins, when it becomes more severe, and when it ends.
    pub fn wants(&self, kind: &str) -> bool {
        let by_default = self.events.is_empty() && EventKind::INCIDENTS.iter().any(|one| one.name() == kind);
        self.enabled && (by_default || self.events.iter().any(|event| event == kind))
    }

    fn target(&self) -> String {
        format!("webhook {} ({})", self.id, self.name)
    }

    /// The properties that are compared and logged.
    fn plain(&self) -> Value {
        json!({ "url": self.url.get(), "events": self.events, "enabled": self.enabled })
    }
}

// === impl Registry ===

impl Registry {
    /// Creates a webhook. Idempotent: identical properties return the existing webhook; another URL, secret or event
    /// list is a conflict.
    pub async fn create_webhook(&self, actor: &Actor, new: NewWebhook) -> Result<Change<WebhookRow>, RegistryError> {
        check_name("webhook name", &new.name).map_err(|error| RegistryError::invalid("name", error.to_string()))?;
        let actor = actor.clone();
        self.write(move |transaction| {
            let by_name = format!("{WEBHOOK} WHERE tenant = ? AND name = ?");
            let there = transaction.query_row(&by_name, params![new.tenant, new.name], raw).optional()?;
            if let Some(there) = there.map(read).transpose()? {
                let wanted = json!({ "url": new.url.get(), "events": new.events, "enabled": new.enabled });
                let mut found = differences(&there.plain(), &wanted);
                found.extend((new.secret_given && new.secret != there.secret).then(|| "secret".to_owned()));
                if !found.is_empty() {
                    let (name, found) = (&new.name, found.join(", "));
                    return Err(RegistryError::Conflict(format!("webhook {name} exists with different {found}")));
                }
                NewAudit::new(&actor, Action::CreateWebhook, Some(&new.tenant), there.target())
                    .changed(false)
                    .write(transaction)?;
                return Ok(Change::none(there));
            }
            enabled_tenant(transaction, &new.tenant)?;
            let have = count(transaction, "SELECT count(*) FROM webhook WHERE tenant = ?", &new.tenant)?;
            if have >= WEBHOOKS_MAX {
                let text = format!("tenant {} may have {WEBHOOKS_MAX} webhooks and has {have}", new.tenant);
                return Err(RegistryError::Limit(text));
            }
            transaction.execute(
                "INSERT INTO webhook (tenant, name, url, secret, events, enabled, created_ms, created_by)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    new.tenant,
                    new.name,
                    new.url.get(),
                    new.secret.get(),
                    json!(new.events).to_string(),
                    new.enabled,
                    now_ms(),
                    kept(&actor.name)
                ],
            )?;
            let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
            let row = there_is(transaction, &new.tenant, id)?;
            NewAudit::new(&actor, Action::CreateWebhook, Some(&new.tenant), row.target())
                .detail(json!({ "events": row.events, "enabled": row.enabled }))
                .write(transaction)?;
            Ok(Change::new(row))
        })
        .await
    }

    /// Changes the given fields of a webhook, and writes the audit entry in the same transaction.
    pub async fn update_webhook(
        &self,
        actor: &Actor,
        tenant: &str,
        id: u64,
        patch: WebhookPatch,
    ) -> Result<Change<WebhookRow>, RegistryError> {
        let (tenant, actor) = (tenant.to_owned(), actor.clone());
        self.write(move |transaction| {
            let before = there_is(transaction, &tenant, id)?;
            let row = WebhookRow {
                url: patch.url.unwrap_or_else(|| before.url.clone()),
                secret: patch.secret.unwrap_or_else(|| before.secret.clone()),
                events: patch.events.unwrap_or_else(|| before.events.clone()),
                enabled: patch.enabled.unwrap_or(before.enabled),
                ..before.clone()
            };
            let changed = row != before;
            let mut what = differences(&before.plain(), &row.plain());
            what.extend((row.secret != before.secret).then(|| "secret".to_owned()));
            transaction.execute(
                "UPDATE webhook SET url = ?, secret = ?, events = ?, enabled = ? WHERE id = ?",
                params![row.url.get(), row.secret.get(), json!(row.events).to_string(), row.enabled, id],
            )?;
            NewAudit::new(&actor, Action::UpdateWebhook, Some(&tenant), row.target())
                .changed(changed)
                .detail(json!({ "changed": what }))
                .write(transaction)?;
            Ok(Change { row, changed })
        })
        .await
    }

    /// Deletes a webhook and its deliveries.
    pub async fn delete_webhook(&self, actor: &Actor, tenant: &str, id: u64) -> Result<WebhookRow, RegistryError> {
        let (tenant, actor) = (tenant.to_owned(), actor.clone());
        self.write(move |transaction| {
            let row = there_is(transaction, &tenant, id)?;
            transaction.execute("DELETE FROM webhook WHERE id = ?", [id])?;
            NewAudit::new(&actor, Action::DeleteWebhook, Some(&tenant), row.target()).write(transaction)?;
            Ok(row)
        })
        .await
    }

    /// One webhook of a tenant.
    pub async fn webhook(&self, tenant: &str, id: u64) -> Result<Option<WebhookRow>, RegistryError> {
        let tenant = tenant.to_owned();
        self.read(move |connection| one(connection, &tenant, id)).await
    }

    /// A tenant's webhooks, keyed by id.
    pub async fn webhooks(&self, tenant: &str, page: Page) -> Result<Listed<WebhookRow>, RegistryError> {
        let tenant = tenant.to_owned();
        self.read(move |connection| {
            let (than, order) = page.words();
            let mut statement = connection
                .prepare_cached(&format!("{WEBHOOK} WHERE tenant = ? AND id {than} ? ORDER BY id {order} LIMIT ?"))?;
            let rows = statement.query_map(params![tenant, page.key(), page.limit()], raw)?;
            Ok(page.cut(rows.map(|row| read(row?)).collect::<Result<_, RegistryError>>()?))
        })
        .await
    }
}

/// The webhooks of a tenant that receive events of this kind.
pub(super) fn wanting(
    transaction: &Transaction<'_>,
    tenant: &str,
    kind: &str,
) -> Result<Vec<WebhookRow>, RegistryError> {
    let mut statement =
        transaction.prepare_cached(&format!("{WEBHOOK} WHERE tenant = ? AND enabled = 1 ORDER BY id"))?;
    let rows = statement.query_map([tenant], raw)?.map(|row| read(row?));
    let rows: Vec<WebhookRow> = rows.collect::<Result<_, RegistryError>>()?;
    Ok(rows.into_iter().filter(|row| row.wants(kind)).collect())
}

pub(super) fn there_is(connection: &Connection, tenant: &str, id: u64) -> Result<WebhookRow, RegistryError> {
    one(connection, tenant, id)?.ok_or_else(|| RegistryError::NotFound(format!("there is no webhook {id}")))
}

fn one(connection: &Connection, tenant: &str, id: u64) -> Result<Option<WebhookRow>, RegistryError> {
    let mut statement = connection.prepare_cached(&format!("{WEBHOOK} WHERE tenant = ? AND id = ?"))?;
    statement.query_row(params![tenant, id], raw).optional()?.map(read).transpose()
}

fn raw(row: &Row<'_>) -> rusqlite::Result<(WebhookRow, String)> {
    let webhook = WebhookRow {
        id: row.get(0)?,
        tenant: row.get(1)?,
        name: row.get(2)?,
        url: Hidden::new(row.get(3)?),
        secret: Hidden::new(row.get(4)?),
        events: Vec::new(),
        enabled: row.get(6)?,
        created_ms: row.get(7)?,
        created_by: row.get(8)?,
    };
    Ok((webhook, row.get(5)?))
}

fn read((mut row, events): (WebhookRow, String)) -> Result<WebhookRow, RegistryError> {
    row.events = parsed("webhook.events", &events)?;
    Ok(row)
}
