//! Webhooks as callers manage them: made, changed, deleted, tried. What is due is sent by the task in [`sender`].
//!
//! Called by the API only. Owns the sender; webhooks and deliveries themselves are in the registry. Depends on the registry and on
//! the tenants; pipelines are not known here: what happens in them reaches a webhook through [`super::recorder`].

pub mod sender;
mod sign;

use std::sync::Arc;
use std::time::Duration;

use super::access::{Action, Actor};
use super::error::ControlError;
use super::hidden::Hidden;
use super::registry::{self, DeliveryRow, Registry, WebhookPatch, WebhookRow};
use super::tenant_directory::TenantDirectory;
use crate::limits::WEBHOOK_URL_BYTES_MAX;
use outboard_base::Problem;
use outboard_base::printable;
use outboard_store::page::{Listed, Page};
use sender::Sender;

pub use sender::SenderStats;
pub use sign::{check_secret, make_secret, signature};

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// Whose; `None`: the caller's own.
    pub tenant: Option<String>,
    /// Name, unique within its tenant.
    pub name: String,
    /// Receiver of the deliveries, `http://` or `https://`.
    pub url: String,
    /// Signs what is sent; `None`: one is made.
    pub secret: Option<String>,
    /// Kinds of events; empty: all.
    pub events: Vec<String>,
    /// Whether events are sent to it.
    pub enabled: bool,
}

/// A webhook, and its secret where that was made just now.
#[derive(Debug, Clone)]
pub struct MadeWebhook {
    /// The webhook as it is stored.
    pub row: WebhookRow,
    /// Made for this call, and never shown again; `None`: it was given, or the webhook was there before.
    pub secret: Option<Hidden<String>>,
}

/// The webhooks of all tenants. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks {
    registry: Registry,
    tenants: Arc<TenantDirectory>,
    sender: Arc<Sender>,
}

// === impl Webhooks ===

impl Webhooks {
    pub(super) fn new(registry: Registry, tenants: Arc<TenantDirectory>, sender: Arc<Sender>) -> Self {
        Self { registry, tenants, sender }
    }

    /// A tenant's webhooks, keyed by id.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn list(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        page: Page,
    ) -> Result<Listed<WebhookRow>, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::ViewWebhooks, tenant)?;
        Ok(self.registry.webhooks(&tenant.name, page).await?)
    }

    /// Makes a webhook. The same again is the same webhook.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where one of that name differs.
    pub async fn create(&self, actor: &Actor, new: NewWebhook) -> Result<MadeWebhook, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::CreateWebhook, new.tenant.as_deref())?;
        let secret = new.secret.map(Hidden::new);
        check(Some(new.url.as_str()), secret.as_ref().map(Hidden::get))?;
        let secret_given = secret.is_some();
        let new = registry::NewWebhook {
            tenant: tenant.name.clone(),
            name: new.name,
            url: Hidden::new(new.url),
            secret: secret.unwrap_or_else(make_secret),
            secret_given,
            events: new.events,
            enabled: new.enabled,
        };
        let made = self.registry.create_webhook(actor, new).await?;
        let secret = (made.changed && !secret_given).then(|| made.row.secret.clone());
        Ok(MadeWebhook { row: made.row, secret })
    }

    /// Changes the fields that `patch` sets, and returns the webhook as it is then.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn update(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        id: u64,
        patch: WebhookPatch,
    ) -> Result<WebhookRow, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::UpdateWebhook, tenant)?;
        check(patch.url.as_ref().map(|url| url.get().as_str()), patch.secret.as_ref().map(Hidden::get))?;
        Ok(self.registry.update_webhook(actor, &tenant.name, id, patch).await?.row)
    }

    /// Deletes a webhook and what waits for it. False: there was none.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn delete(&self, actor: &Actor, tenant: Option<&str>, id: u64) -> Result<bool, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::DeleteWebhook, tenant)?;
        match self.registry.delete_webhook(actor, &tenant.name, id).await.map_err(ControlError::from) {
            Ok(_) => Ok(true),
            Err(ControlError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sends a webhook something to try it.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn test(&self, actor: &Actor, tenant: Option<&str>, id: u64) -> Result<DeliveryRow, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::DeliverWebhook, tenant)?;
        let payload = serde_json::json!({
            "kind": "test", "tenant": tenant.name, "atMs": outboard_base::unix_time::now_ms(),
            "severity": "info", "message": format!("a test by {}", actor.name),
        });
        let row = self.registry.try_webhook(actor, &tenant.name, id, payload).await?;
        self.sender.wake();
        Ok(row)
    }

    /// Sends a delivery once more.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn deliver_again(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        delivery: u64,
    ) -> Result<DeliveryRow, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::DeliverWebhook, tenant)?;
        let row = self.registry.deliver_again(actor, &tenant.name, delivery).await?;
        self.sender.wake();
        Ok(row)
    }

    /// What a webhook was sent, keyed by id.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn deliveries(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        webhook: u64,
        page: Page,
    ) -> Result<Listed<DeliveryRow>, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::ViewWebhooks, tenant)?;
        Ok(self.registry.deliveries(&tenant.name, webhook, page).await?)
    }

    /// Counters of all webhooks since the start of the server.
    pub(super) fn stats(&self) -> SenderStats {
        self.sender.stats()
    }

    /// Sends nothing new, and waits at most `limit` for the requests under way.
    pub(super) async fn shutdown(&self, limit: Duration) {
        self.sender.shutdown(limit).await;
    }
}

/// Whether requests can be sent there, and be signed with that. What the tenant may reach is judged when they are sent.
fn check(url: Option<&str>, secret: Option<&String>) -> Result<(), ControlError> {
    let mut problems = Vec::new();
    let mut problem = |path: &str, message: String| problems.push(Problem { path: path.to_owned(), message });
    if let Some(url) = url {
        if url.len() > WEBHOOK_URL_BYTES_MAX {
            problem("url", format!("has {} bytes; the limit is {WEBHOOK_URL_BYTES_MAX}", url.len()));
        } else if let Err(message) = printable::check_hidden(url) {
            problem("url", message);
        } else if !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            problem("url", "must be an http:// or https:// URL".to_owned());
        }
    }
    if let Some(Err(message)) = secret.map(|secret| check_secret(secret)) {
        problem("secret", message);
    }
    if problems.is_empty() { Ok(()) } else { Err(ControlError::InvalidInput(problems)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_sent_to_and_signed_with_is_taken() {
        let paths = |url: &str, secret: &str| match check(Some(url), Some(&secret.to_owned())) {
            Ok(()) => Vec::new(),
            Err(error) => error.problems().iter().map(|problem| problem.path.clone()).collect::<Vec<_>>(),
        };
        let secret = "sixteen bytes...";
        for url in ["http://h.test", "https://user:key@h.test:8443/x?y=z", "http://[::1]:9/"] {
            assert!(paths(url, secret).is_empty(), "{url}");
        }
        let long = format!("https://h.test/{}", "x".repeat(WEBHOOK_URL_BYTES_MAX));
        for url in [
            "",
            "not a url",
            "h.test/x",
            "file:///etc/passwd",
            "ftp://h.test/",
            "http://",
            "data:,x",
            "http://h.test/a\r\nb",
            &long,
        ] {
            assert_eq!(paths(url, secret), ["url"], "{url}");
        }
        for secret in ["", "a", "fifteen bytes..", "whsec_sixteen bytes..."] {
            assert_eq!(paths("https://h.test/", secret), ["secret"], "{secret}");
        }
        assert_eq!(paths("x", "x"), ["url", "secret"], "all that is wrong at once");
        let told = check(Some("ftp://u:hunter2@h/"), Some(&"hunter2".to_owned())).unwrap_err().to_string();
        assert!(!told.contains("hunter2"), "{told}");
    }
}
