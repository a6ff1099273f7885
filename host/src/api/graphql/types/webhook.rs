//! Webhooks: events that are sent out, and what became of each.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use super::event::{self, EventKind};
use crate::api::graphql::scalars::DateTime;
use crate::control::access::Actor;
use crate::control::error::ControlError;
use crate::control::registry::{self, DeliveryRow, WebhookRow};

/// A URL that is told of events. Each request is signed in the form of Standard Webhooks: `webhook-signature` is
/// `v1,` and the base64 of HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body>`.
#[derive(Debug, Clone, SimpleObject)]
pub struct Webhook {
    /// Its id.
    pub id: ID,
    /// Whose it is.
    pub tenant: ID,
    /// Its name.
    pub name: String,
    /// Where events are sent: scheme, host and port. What follows may give access, and is not shown.
    pub url: String,
    /// Of which kinds; empty: of incidents, which tell each problem once.
    pub kinds: Vec<EventKind>,
    /// It is told of events.
    pub enabled: bool,
    /// When it was made.
    pub created_at: DateTime,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "registry::DeliveryState")]
pub enum DeliveryState {
    /// It waits for its turn.
    Pending,
    /// The receiver took it.
    Delivered,
    /// It was not taken, and is tried again.
    Failed,
    /// It was not taken, and is not tried any more.
    GaveUp,
}

/// One event for one webhook.
#[derive(Debug, Clone, SimpleObject)]
pub struct Delivery {
    /// Its id.
    pub id: ID,
    /// The webhook.
    pub webhook_id: ID,
    /// The event; null: it only tries the webhook.
    pub event_id: Option<ID>,
    /// What happened, as the request says it: the word of an event's kind, or `test`.
    pub kind: String,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made.
    pub created_at: DateTime,
    /// When it was last tried.
    pub last_attempt_at: Option<DateTime>,
    /// When it is tried next.
    pub next_attempt_at: Option<DateTime>,
    /// HTTP status of the last answer.
    pub status: Option<u32>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// A webhook to make.
#[derive(Debug, Clone, InputObject)]
pub struct CreateWebhookInput {
    /// Whose it is to be. Left out: the caller's own tenant; `default` for callers of the whole host.
    pub tenant: Option<ID>,
    /// Its name, once for its tenant.
    pub name: String,
    /// Where events are sent, `http://` or `https://`; only its scheme, host and port are shown again.
    pub url: String,
    /// Of which kinds; left out: of incidents, which tell each problem once.
    pub kinds: Option<Vec<EventKind>>,
    /// What requests are signed with: `whsec_` and base64 of 24 to 64 bytes, or any other 16 to 256 bytes of text. Left out:
    /// one is made and shown once.
    pub secret: Option<String>,
    /// It is told of events.
    #[graphql(default = true)]
    pub enabled: bool,
}

/// What to change of a webhook. What is left out stays as it is.
#[derive(Debug, Clone, InputObject)]
pub struct UpdateWebhookInput {
    /// Where events are sent, `http://` or `https://`.
    pub url: Option<String>,
    /// Of which kinds; empty: of incidents, which tell each problem once.
    pub kinds: Option<Vec<EventKind>>,
    /// What requests are signed with from now on: `whsec_` and base64 of 24 to 64 bytes, or any other 16 to 256 bytes of text.
    pub secret: Option<String>,
    /// It is told of events.
    pub enabled: Option<bool>,
}

/// A webhook that was made.
#[derive(Debug, Clone, SimpleObject)]
pub struct CreateWebhookPayload {
    /// The webhook.
    pub webhook: Webhook,
    /// What requests are signed with, where it was made with this call: shown this once and never again.
    pub secret: Option<String>,
}

/// A webhook that was deleted.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeleteWebhookPayload {
    /// Its id.
    pub id: ID,
    /// It was there; false: it had been deleted before, or there never was one.
    pub deleted: bool,
}

/// Names a webhook or a delivery: its tenant's name, a colon, its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookId {
    /// Whose it is.
    pub tenant: String,
    /// Its number.
    pub number: u64,
}

// === to and from the core ===

impl WebhookId {
    /// From text; without a tenant it is one of the caller's own.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]: what cannot be an id names nothing.
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

/// Many services know their callers by a path that nobody else is told.
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
