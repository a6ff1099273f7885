//! Deliveries of events to webhooks, and their results. A durable queue: the sender claims due deliveries for a limited
//! time and records the result; a claimed delivery without a result becomes due again.
//!
//! `next_ms` is set as long as another attempt is planned. Limited per webhook: a receiver that is unavailable for long
//! loses the oldest deliveries.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::Serialize;
use serde_json::{Value, json};

use super::event_row::EventRow;
use super::webhooks::{there_is, wanting};
use super::{NewAudit, Registry, RegistryError, kept, next_seq, prune};
use crate::access::{Action, Actor};
use crate::hidden::Hidden;
use crate::limits::DELIVERIES_KEPT;
use crate::words::words;
use outboard_base::unix_time::now_ms;
use outboard_store::page::{Listed, Page};

words! {
    /// The progress of a delivery.
    pub enum DeliveryState {
        /// Waits for its first attempt.
        Pending = "pending",
        /// The receiver accepted it.
        Delivered = "delivered",
        /// The last attempt failed; another one is planned.
        Failed = "failed",
        /// No further attempt follows: all attempts failed, or the tenant was deleted.
        GaveUp = "gave-up",
    }
}

/// An event or a test for one webhook, with its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRow {
    /// Rises with time; lets the receiver detect repeats.
    pub id: u64,
    /// Number of the webhook.
    pub webhook: u64,
    /// The event, if it is about one.
    pub event: Option<u64>,
    /// Kind of the event, or `test`.
    pub kind: String,
    /// The JSON body, the same in each attempt.
    pub payload: String,
    /// The progress of the delivery.
    pub state: DeliveryState,
    /// Number of attempts made so far.
    pub attempts: u32,
    /// When it was created, Unix time in milliseconds.
    pub created_ms: u64,
    /// When the next attempt is due, Unix time in milliseconds.
    pub next_ms: Option<u64>,
    /// When the last attempt was made, Unix time in milliseconds.
    pub last_ms: Option<u64>,
    /// The HTTP status of the last response.
    pub status: Option<u16>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A claimed delivery, with everything needed to send it.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The delivery; `attempts` already includes this one.
    pub delivery: DeliveryRow,
    /// Name of the webhook's tenant.
    pub tenant: String,
    /// URL of the webhook when the delivery was claimed.
    pub url: Hidden<String>,
    /// Secret that signs the request.
    pub secret: Hidden<String>,
}

/// Webhooks and tenants that a claim leaves out, because they have requests in progress.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Busy {
    /// These webhooks: each is sent one delivery at a time.
    pub webhooks: Vec<u64>,
    /// All webhooks of these tenants.
    pub tenants: Vec<String>,
}

/// Deliveries that are due at a time (?1), except those of busy webhooks (?2) and tenants (?3).
const DUE: &str =
    "delivery INDEXED BY delivery_due JOIN webhook ON webhook.id = delivery.webhook AND webhook.enabled = 1
         JOIN tenant ON tenant.name = webhook.tenant AND tenant.disabled = 0
     WHERE next_ms <= ?1 AND webhook NOT IN (SELECT value FROM json_each(?2))
         AND tenant NOT IN (SELECT value FROM json_each(?3))";
const COLUMNS: &str =
    "delivery.id, webhook, event, kind, payload, state, attempts, delivery.created_ms, next_ms, last_ms,
    status, error";

// === impl Registry ===

impl Registry {
    /// Claims due deliveries for `lease`: for each tenant the one that waits longest, so that no tenant delays another.
    /// A delivery that has no result after `lease` is due again.
    pub async fn claim_due(
        &self,
        now_ms: u64,
        lease: Duration,
        busy: Busy,
        limit: usize,
    ) -> Result<Vec<Due>, RegistryError> {
        let until = now_ms.saturating_add(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX));
        self.note(move |transaction| {
            let mut statement = transaction.prepare_cached(&format!(
                "SELECT id, tenant, url, secret FROM (
                     SELECT delivery.id, next_ms, tenant, url, secret,
                         row_number() OVER (PARTITION BY tenant ORDER BY next_ms, delivery.id) AS place
                     FROM {DUE}
                 ) WHERE place = 1 ORDER BY next_ms, id LIMIT ?4"
            ))?;
            let (webhooks, tenants) = (json!(busy.webhooks).to_string(), json!(busy.tenants).to_string());
            let due = statement.query_map(params![now_ms, webhooks, tenants, limit], |row| {
                Ok((row.get::<_, u64>(0)?, row.get(1)?, Hidden::new(row.get(2)?), Hidden::new(row.get(3)?)))
            })?;
            let due: Vec<_> = due.collect::<Result<_, _>>()?;
            let mut claim = transaction.prepare_cached(&format!(
                "UPDATE delivery SET attempts = attempts + 1, last_ms = ?2, next_ms = ?3 WHERE id = ?1
                 RETURNING {}",
                COLUMNS.replace("delivery.", "")
            ))?;
            let claimed = due.into_iter().map(|(id, tenant, url, secret)| {
                let delivery = claim.query_row(params![id, now_ms, until], read)?;
                Ok(Due { delivery, tenant, url, secret })
            });
            claimed.collect()
        })
        .await
    }

    /// When the next delivery is due, Unix time in milliseconds; `None`: none is waiting.
    pub async fn next_due(&self, busy: Busy) -> Result<Option<u64>, RegistryError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached(&format!("SELECT next_ms FROM {DUE} ORDER BY next_ms LIMIT 1"))?;
            let (webhooks, tenants) = (json!(busy.webhooks).to_string(), json!(busy.tenants).to_string());
            Ok(statement.query_row(params![i64::MAX, webhooks, tenants], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Number of deliveries that wait for an attempt, including those in progress.
    pub async fn deliveries_waiting(&self) -> Result<u64, RegistryError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT count(*) FROM delivery WHERE next_ms IS NOT NULL")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
        .await
    }

    /// Records that the receiver accepted it.
    pub async fn delivered(&self, id: u64, status: u16) -> Result<(), RegistryError> {
        self.mark(id, DeliveryState::Delivered, Some(status), None, None).await
    }

    /// Records a failed attempt; the next one is due at `next_ms`.
    pub async fn delivery_failed(
        &self,
        id: u64,
        status: Option<u16>,
        error: &str,
        next_ms: u64,
    ) -> Result<(), RegistryError> {
        self.mark(id, DeliveryState::Failed, status, Some(kept(error)), Some(next_ms)).await
    }

    /// Records that the last attempt failed.
    pub async fn give_up_delivery(&self, id: u64, status: Option<u16>, error: &str) -> Result<(), RegistryError> {
        self.mark(id, DeliveryState::GaveUp, status, Some(kept(error)), None).await
    }

    /// Does nothing for a delivery that was removed with its webhook or as one of too many.
    async fn mark(
        &self,
        id: u64,
        state: DeliveryState,
        status: Option<u16>,
        error: Option<String>,
        next_ms: Option<u64>,
    ) -> Result<(), RegistryError> {
        self.note(move |transaction| {
            transaction
                .prepare_cached("UPDATE delivery SET state = ?, status = ?, error = ?, next_ms = ? WHERE id = ?")?
                .execute(params![state, status, error, next_ms, id])?;
            Ok(())
        })
        .await
    }

    /// Queues a test delivery without an event.
    pub async fn try_webhook(
        &self,
        actor: &Actor,
        tenant: &str,
        webhook: u64,
        payload: Value,
    ) -> Result<DeliveryRow, RegistryError> {
        let (tenant, actor) = (tenant.to_owned(), actor.clone());
        self.write(move |transaction| {
            let hook = there_is(transaction, &tenant, webhook)?;
            let id = add(transaction, webhook, None, "test", &payload.to_string())?;
            NewAudit::new(&actor, Action::DeliverWebhook, Some(&tenant), format!("webhook {webhook} ({})", hook.name))
                .write(transaction)?;
            one(transaction, &tenant, id)
        })
        .await
    }

    /// Queues a delivery again, with its count of attempts reset.
    pub async fn deliver_again(&self, actor: &Actor, tenant: &str, id: u64) -> Result<DeliveryRow, RegistryError> {
        let (tenant, actor) = (tenant.to_owned(), actor.clone());
        self.write(move |transaction| {
            one(transaction, &tenant, id)?;
            transaction.execute(
                "UPDATE delivery SET state = ?, attempts = 0, next_ms = ? WHERE id = ?",
                params![DeliveryState::Pending, now_ms(), id],
            )?;
            NewAudit::new(&actor, Action::DeliverWebhook, Some(&tenant), format!("delivery {id}"))
                .detail(json!({ "again": true }))
                .write(transaction)?;
            one(transaction, &tenant, id)
        })
        .await
    }

    /// The deliveries of a tenant's webhook, keyed by id.
    pub async fn deliveries(
        &self,
        tenant: &str,
        webhook: u64,
        page: Page,
    ) -> Result<Listed<DeliveryRow>, RegistryError> {
        let tenant = tenant.to_owned();
        self.read(move |connection| {
            there_is(connection, &tenant, webhook)?;
            let (than, order) = page.words();
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM delivery WHERE webhook = ? AND id {than} ? ORDER BY id {order} LIMIT ?"
            ))?;
            let rows = statement.query_map(params![webhook, page.key(), page.limit()], read)?;
            Ok(page.cut(rows.collect::<Result<_, _>>()?))
        })
        .await
    }
}

/// Creates a delivery for each webhook of the event's tenant that selects the event.
pub(super) fn fan_out(transaction: &Transaction<'_>, event: &EventRow, payload: &Value) -> Result<(), RegistryError> {
    let Some(tenant) = &event.tenant else { return Ok(()) };
    let webhooks = wanting(transaction, tenant, &event.kind)?;
    if webhooks.is_empty() {
        return Ok(());
    }
    let payload = payload.to_string();
    for webhook in webhooks {
        add(transaction, webhook.id, Some(event.id), &event.kind, &payload)?;
    }
    Ok(())
}

fn add(
    transaction: &Transaction<'_>,
    webhook: u64,
    event: Option<u64>,
    kind: &str,
    payload: &str,
) -> Result<u64, RegistryError> {
    let newest = transaction
        .prepare_cached("SELECT seq FROM delivery WHERE webhook = ? ORDER BY id DESC LIMIT 1")?
        .query_row([webhook], |row| row.get(0))
        .optional()?;
    let (seq, is_time) = next_seq(newest);
    transaction
        .prepare_cached(
            "INSERT INTO delivery (webhook, seq, event, kind, payload, state, created_ms, next_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        )?
        .execute(params![webhook, seq, event, kind, payload, DeliveryState::Pending, now_ms()])?;
    let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
    if is_time {
        let gone = prune(transaction, ("delivery", "webhook = ?1"), &[&webhook], DELIVERIES_KEPT)?;
        if gone > 0 {
            tracing::debug!(webhook, gone, "the oldest deliveries were removed");
        }
    }
    Ok(id)
}

fn one(transaction: &Transaction<'_>, tenant: &str, id: u64) -> Result<DeliveryRow, RegistryError> {
    let found = transaction
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM delivery JOIN webhook ON webhook.id = delivery.webhook
             WHERE webhook.tenant = ? AND delivery.id = ?"
        ))?
        .query_row(params![tenant, id], read)
        .optional()?;
    found.ok_or_else(|| RegistryError::NotFound(format!("there is no delivery {id}")))
}

fn read(row: &Row<'_>) -> rusqlite::Result<DeliveryRow> {
    Ok(DeliveryRow {
        id: row.get(0)?,
        webhook: row.get(1)?,
        event: row.get(2)?,
        kind: row.get(3)?,
        payload: row.get(4)?,
        state: row.get(5)?,
        attempts: row.get(6)?,
        created_ms: row.get(7)?,
        next_ms: row.get(8)?,
        last_ms: row.get(9)?,
        status: row.get(10)?,
        error: row.get(11)?,
    })
}
