//! The types of webhooks and their deliveries.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use super::event::{self, EventKind};
use crate::graphql::scalars::DateTime;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;
use outboard_control::registry::{self, DeliveryRow, WebhookRow};

/// A URL that receives events. Each request is signed in the form of Standard Webhooks: `webhook-signature` is
/// `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`.
#[derive(Debug, Clone, SimpleObject)]
pub struct Webhook {
    /// ID of the webhook.
    pub id: ID,
    /// The tenant that owns the webhook.
    pub tenant: ID,
    /// Name of the webhook.
    pub name: String,
    /// Scheme, host and port of the URL that receives the events. Path and query are not returned, because they may
    /// grant access.
    pub url: String,
    /// Kinds of events that are delivered. Empty: incident events only, which report each problem once.
    pub kinds: Vec<EventKind>,
    /// True if events are delivered.
    pub enabled: bool,
    /// Time at which the webhook was created.
    pub created_at: DateTime,
}

/// The state of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::DeliveryState")]
pub enum DeliveryState {
    /// The delivery waits for its first attempt.
    Pending,
    /// The receiver accepted the delivery.
    Delivered,
    /// The last attempt failed. A retry follows.
    Failed,
    /// The delivery failed and is not retried any more.
    GaveUp,
}

/// The delivery of one event to one webhook.
#[derive(Debug, Clone, SimpleObject)]
pub struct Delivery {
    /// ID of the delivery.
    pub id: ID,
    /// ID of the webhook.
    pub webhook_id: ID,
    /// ID of the event. Null for a test delivery.
    pub event_id: Option<ID>,
    /// Kind of the event as written in the request, or `test`.
    pub kind: String,
    /// State of the delivery.
    pub state: DeliveryState,
    /// Number of attempts to deliver the event.
    pub attempts: u32,
    /// Time at which the delivery was created.
    pub created_at: DateTime,
    /// Time of the last attempt. Null before the first.
    pub last_attempt_at: Option<DateTime>,
    /// Time of the next attempt. Null if none follows.
    pub next_attempt_at: Option<DateTime>,
    /// HTTP status of the last response. Null if there was none.
    pub status: Option<u32>,
    /// Reason why the last attempt failed. Null if it succeeded.
    pub error: Option<String>,
}

/// A webhook to create.
#[derive(Debug, Clone, InputObject)]
pub struct CreateWebhookInput {
    /// The tenant that will own the webhook. Default: the caller's tenant; `default` for host-wide callers.
    pub tenant: Option<ID>,
    /// Name of the webhook, unique within its tenant.
    pub name: String,
    /// URL that receives the events, `http://` or `https://`. Only its scheme, host and port are returned later.
    pub url: String,
    /// Kinds of events to deliver. Default: incident events only, which report each problem once.
    pub kinds: Option<Vec<EventKind>>,
    /// What requests are signed with: `whsec_` and base64 of 24 to 64 bytes, or any other 16 to 256 bytes of text. Left out:
    /// one is made and shown once.
    pub secret: Option<String>,
    /// True: events are delivered.
    #[graphql(default = true)]
    pub enabled: bool,
}

/// Changes to a webhook. Fields that are not set stay unchanged.
#[derive(Debug, Clone, InputObject)]
pub struct UpdateWebhookInput {
    /// URL that receives the events, `http://` or `https://`.
    pub url: Option<String>,
    /// Kinds of events to deliver. Empty: incident events only, which report each problem once.
    pub kinds: Option<Vec<EventKind>>,
    /// What requests are signed with from now on: `whsec_` and base64 of 24 to 64 bytes, or any other 16 to 256 bytes of text.
    pub secret: Option<String>,
    /// True: events are delivered.
    pub enabled: Option<bool>,
}

/// The result of `createWebhook`.
#[derive(Debug, Clone, SimpleObject)]
pub struct CreateWebhookPayload {
    /// The webhook that was created, or the existing one.
    pub webhook: Webhook,
    /// What requests are signed with, where it was made with this call: shown this once and never again.
    pub secret: Option<String>,
}

/// The result of `deleteWebhook`.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeleteWebhookPayload {
    /// ID of the webhook.
    pub id: ID,
    /// True if this call deleted the webhook. False if there was no such webhook.
    pub deleted: bool,
}

/// Names a webhook or a delivery: its tenant's name, a colon, its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookId {
    /// Name of the tenant in the id, `<tenant>:<number>`.
    pub tenant: String,
    /// Number of the row in the id, `<tenant>:<number>`.
    pub number: u64,
}

// === to and from the core ===

impl WebhookId {
    /// From text; without a tenant it is one of the caller's own.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if the text cannot be an id.
    pub fn parse(text: &str, actor: &Actor) -> Result<Self, ControlError> {
        let (tenant, number) = text.rsplit_once(':').unwrap_or((actor.home(), text));
        let shown: String = text.chars().filter(|c| !c.is_control()).take(140).collect();
        let absent = |_| ControlError::NotFound(format!("there is no webhook or delivery {shown:?}"));
        Ok(Self { tenant: tenant.to_owned(), number: number.parse().map_err(absent)? })
    }

    fn text(tenant: &str, number: u64) -> ID {
        ID(format!("{tenant}:{number}"))
    }
}

/// The URL without its path, which many services use as a secret.
fn shown(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return "…".to_owned() };
    let rest = if url.path() == "/" && url.query().is_none() { "/" } else { "/…" };
    format!("{}{rest}", url.origin().ascii_serialization())
}

impl From<WebhookRow> for Webhook {
    fn from(row: WebhookRow) -> Self {
        Self {
            id: WebhookId::text(&row.tenant, row.id),
            tenant: ID(row.tenant),
            name: row.name,
            url: shown(row.url.get()),
            kinds: event::kinds(&row.events),
            enabled: row.enabled,
            created_at: DateTime(row.created_ms),
        }
    }
}

impl Delivery {
    /// Of a tenant's webhook.
    pub fn new(tenant: &str, row: DeliveryRow) -> Self {
        Self {
            id: WebhookId::text(tenant, row.id),
            webhook_id: WebhookId::text(tenant, row.webhook),
            event_id: row.event.map(ID::from),
            kind: row.kind,
            state: row.state.into(),
            attempts: row.attempts,
            created_at: DateTime(row.created_ms),
            last_attempt_at: row.last_ms.map(DateTime),
            next_attempt_at: row.next_ms.map(DateTime),
            status: row.status.map(u32::from),
            error: row.error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_only_the_place_is_shown() {
        for (url, place) in [
            ("https://hooks.slack.com/services/T0/B0/SECRET", "https://hooks.slack.com/…"),
            ("https://u:SECRET@h.test:8443/x?k=SECRET#SECRET", "https://h.test:8443/…"),
            ("http://h.test/?SECRET", "http://h.test/…"),
            ("http://h.test:80", "http://h.test/"),
            ("http://[::1]:9/SECRET", "http://[::1]:9/…"),
            ("SECRET", "…"),
        ] {
            assert_eq!(shown(url), place);
        }
    }
}
