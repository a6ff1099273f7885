use std::time::Duration;

use super::*;
use crate::limits::{DELIVERIES_KEPT, WEBHOOKS_MAX};
use outboard_base::unix_time::now_ms;

const LEASE_MS: u64 = 30_000;

pub(super) fn hook(tenant: &str, name: &str) -> NewWebhook {
    NewWebhook {
        tenant: tenant.into(),
        name: name.into(),
        url: format!("https://user:hunter2@{name}.test/").into(),
        secret: "hunter2".to_owned().into(),
        secret_given: false,
        events: vec!["off-air".into()],
        enabled: true,
    }
}

async fn made(registry: &Registry, new: NewWebhook) -> u64 {
    registry.create_webhook(&admin(), new).await.unwrap().row.id
}

fn off_air(tenant: &str) -> NewEvent {
    event(tenant, None, EventKind::OffAir, Severity::Error)
}

async fn claim(registry: &Registry, now: u64) -> Vec<Due> {
    registry.claim_due(now, Duration::from_millis(LEASE_MS), Busy::default(), 100).await.unwrap()
}

async fn next_due(registry: &Registry) -> Option<u64> {
    registry.next_due(Busy::default()).await.unwrap()
}

#[tokio::test]
async fn an_event_is_told_to_the_webhooks_of_its_tenant_that_want_it() {
    let (_dir, registry) = registry().await;
    let every = made(&registry, hook("acme", "all")).await;
    made(&registry, NewWebhook { events: vec!["on-air".into()], ..hook("acme", "on-air") }).await;
    let some = made(&registry, NewWebhook { events: vec!["off-air".into()], ..hook("acme", "off-air") }).await;
    made(&registry, NewWebhook { enabled: false, ..hook("acme", "disabled") }).await;
    made(&registry, hook("other", "foreign")).await;
    let row = registry.add_events(vec![off_air("acme")]).await.unwrap().remove(0);
    let due = [claim(&registry, now_ms()).await, claim(&registry, now_ms()).await].concat();
    assert_eq!(due.iter().map(|due| due.delivery.webhook).collect::<Vec<_>>(), [every, some]);
    let first = &due[0];
    assert_eq!((first.tenant.as_str(), first.secret.get().as_str()), ("acme", "hunter2"));
    assert_eq!(
        (first.delivery.event, first.delivery.attempts, first.delivery.kind.as_str()),
        (Some(row.id), 1, "off-air")
    );
    let payload: Value = serde_json::from_str(&first.delivery.payload).unwrap();
    assert_eq!(
        (&payload["kind"], &payload["severity"], &payload["tenant"]),
        (&json!("off-air"), &json!("error"), &json!("acme"))
    );
    assert_eq!((&payload["id"], &payload["pipeline"]), (&json!(row.id), &Value::Null));
    assert!(!format!("{due:?}").contains("hunter2"), "{due:?}");
}

#[tokio::test]
async fn a_webhook_that_names_no_kinds_is_told_of_incidents_only() {
    let (_dir, registry) = registry().await;
    made(&registry, NewWebhook { events: Vec::new(), ..hook("acme", "default") }).await;
    let all = EventKind::ALL.iter().map(|kind| event("acme", None, *kind, Severity::Error));
    registry.add_events(all.collect()).await.unwrap();
    let row = registry.webhooks("acme", Page::newest(1)).await.unwrap().rows.remove(0);
    let told = registry.deliveries("acme", row.id, Page::oldest(99)).await.unwrap().rows;
    let kinds: Vec<_> = told.iter().map(|delivery| delivery.kind.as_str()).collect();
    assert_eq!(kinds, ["incident-opened", "incident-escalated", "incident-resolved"]);
}

#[tokio::test]
async fn what_is_claimed_is_left_alone_until_its_lease_ends() {
    let (dir, registry) = registry().await;
    let hook = made(&registry, hook("acme", "all")).await;
    assert_eq!(next_due(&registry).await, None);
    registry.add_events(vec![off_air("acme")]).await.unwrap();
    let now = now_ms();
    assert!(next_due(&registry).await.unwrap() <= now);
    let id = claim(&registry, now).await[0].delivery.id;
    assert_eq!(next_due(&registry).await, Some(now + LEASE_MS));
    assert!(claim(&registry, now + LEASE_MS - 1).await.is_empty());
    // The process that claimed it died; another one continues.
    let again = Registry::new(Database::open(&dir.path().join("outboard.db")).unwrap());
    let due = claim(&again, now + LEASE_MS).await;
    assert_eq!((due[0].delivery.id, due[0].delivery.attempts), (id, 2));
    again.delivery_failed(id, Some(503), "busy", now + 60_000).await.unwrap();
    assert!(claim(&again, now + 59_999).await.is_empty());
    let row = again.deliveries("acme", hook, Page::newest(9)).await.unwrap().rows.remove(0);
    assert_eq!((row.state, row.status, row.error.as_deref()), (DeliveryState::Failed, Some(503), Some("busy")));
    assert_eq!(claim(&again, now + 60_000).await[0].delivery.attempts, 3);
    again.delivered(id, 204).await.unwrap();
    assert_eq!(next_due(&again).await, None);
    let row = again.deliveries("acme", hook, Page::newest(9)).await.unwrap().rows.remove(0);
    assert_eq!((row.state, row.status, row.error, row.next_ms), (DeliveryState::Delivered, Some(204), None, None));
}

#[tokio::test]
async fn what_was_given_up_can_be_sent_again_by_its_tenant_only() {
    let (_dir, registry) = registry().await;
    let hook = made(&registry, hook("acme", "all")).await;
    let id = registry.try_webhook(&admin(), "acme", hook, json!({ "kind": "test" })).await.unwrap().id;
    claim(&registry, now_ms()).await;
    registry.give_up_delivery(id, None, "no such host").await.unwrap();
    assert!(claim(&registry, now_ms() + 10 * LEASE_MS).await.is_empty());
    for foreign in [
        registry.deliver_again(&admin(), "other", id).await.map(drop),
        registry.try_webhook(&admin(), "other", hook, json!({})).await.map(drop),
        registry.deliveries("other", hook, Page::newest(9)).await.map(drop),
        registry.update_webhook(&admin(), "other", hook, WebhookPatch::default()).await.map(drop),
        registry.delete_webhook(&admin(), "other", hook).await.map(drop),
    ] {
        assert!(matches!(foreign, Err(RegistryError::NotFound(_))), "{foreign:?}");
    }
    assert_eq!(registry.webhook("other", hook).await.unwrap(), None);
    let row = registry.deliver_again(&admin(), "acme", id).await.unwrap();
    assert_eq!((row.state, row.attempts, row.event), (DeliveryState::Pending, 0, None));
    assert_eq!(claim(&registry, now_ms()).await.len(), 1);
}

#[tokio::test]
async fn one_tenant_does_not_hold_up_another_and_one_webhook_gets_its_events_in_order() {
    let (_dir, registry) = registry().await;
    let (noisy, calm) = (made(&registry, hook("acme", "noisy")).await, made(&registry, hook("acme", "calm")).await);
    let foreign = made(&registry, hook("other", "quiet")).await;
    registry.add_events(vec![off_air("acme"); 200]).await.unwrap();
    registry.add_events(vec![off_air("other")]).await.unwrap();
    let now = now_ms();
    let claim = async |busy: Busy| {
        let due = registry.claim_due(now, Duration::from_millis(LEASE_MS), busy, 10).await.unwrap();
        due.into_iter().map(|due| (due.delivery.webhook, due.delivery.id)).collect::<Vec<_>>()
    };
    let first = claim(Busy::default()).await;
    assert_eq!(first.iter().map(|(webhook, _)| *webhook).collect::<Vec<_>>(), [noisy, foreign]);
    let busy = |webhooks: &[u64], tenants: &[&str]| Busy {
        webhooks: webhooks.to_vec(),
        tenants: tenants.iter().map(|&tenant| tenant.to_owned()).collect(),
    };
    let second = claim(busy(&[noisy, foreign], &[])).await;
    assert_eq!(second.iter().map(|(webhook, _)| *webhook).collect::<Vec<_>>(), [calm]);
    assert_eq!(claim(busy(&[], &["acme", "other"])).await, []);
    assert_eq!(registry.next_due(busy(&[noisy, calm], &["other"])).await.unwrap(), None);
    let third = claim(busy(&[calm], &[])).await;
    assert!(third[0].0 == noisy && third[0].1 > first[0].1, "the next one: {first:?} {third:?}");
}

#[tokio::test]
async fn a_receiver_that_is_away_for_long_loses_the_oldest() {
    let (_dir, registry) = registry().await;
    let away = made(&registry, hook("acme", "away")).await;
    for _ in 0..3 {
        registry.add_events(vec![off_air("acme"); 500]).await.unwrap();
    }
    let newest = registry.deliveries("acme", away, Page::newest(1)).await.unwrap().rows[0].id;
    let oldest = registry.deliveries("acme", away, Page::oldest(1)).await.unwrap().rows[0].id;
    assert!((DELIVERIES_KEPT..=DELIVERIES_KEPT + PRUNE_EVERY).contains(&(newest - oldest + 1)), "{oldest} {newest}");
}

#[tokio::test]
async fn nothing_is_sent_while_a_webhook_is_disabled_or_after_it_is_deleted() {
    let (_dir, registry) = registry().await;
    let hook = made(&registry, hook("acme", "all")).await;
    registry.add_events(vec![off_air("acme")]).await.unwrap();
    let enabled = |enabled| WebhookPatch { enabled: Some(enabled), ..WebhookPatch::default() };
    registry.update_webhook(&admin(), "acme", hook, enabled(false)).await.unwrap();
    assert_eq!((claim(&registry, now_ms()).await.len(), next_due(&registry).await), (0, None));
    assert!(!registry.update_webhook(&admin(), "acme", hook, enabled(false)).await.unwrap().changed);
    registry.update_webhook(&admin(), "acme", hook, enabled(true)).await.unwrap();
    let id = claim(&registry, now_ms()).await[0].delivery.id;
    registry.delete_webhook(&admin(), "acme", hook).await.unwrap();
    registry.delivery_failed(id, None, "late", 1).await.unwrap();
    assert!(claim(&registry, now_ms() + 10 * LEASE_MS).await.is_empty());
}

#[tokio::test]
async fn the_same_webhook_again_is_the_same_and_changes_are_told_without_secrets() {
    let (_dir, registry) = registry().await;
    let first = registry.create_webhook(&admin(), hook("acme", "all")).await.unwrap();
    let other_secret = NewWebhook { secret: "new".to_owned().into(), ..hook("acme", "all") };
    let again = registry.create_webhook(&admin(), other_secret).await.unwrap();
    assert_eq!((again.changed, &again.row), (false, &first.row), "the secret that it has");
    let given =
        |secret: &str| NewWebhook { secret: secret.to_owned().into(), secret_given: true, ..hook("acme", "all") };
    assert!(!registry.create_webhook(&admin(), given("hunter2")).await.unwrap().changed);
    let conflict = registry.create_webhook(&admin(), given("hunter4")).await.unwrap_err();
    assert_eq!(conflict.to_string(), "webhook all exists with different secret");
    let differs = NewWebhook { events: vec!["on-air".into()], ..hook("acme", "all") };
    let conflict = registry.create_webhook(&admin(), differs).await.unwrap_err();
    assert_eq!(conflict.to_string(), "webhook all exists with different events[0]");
    let secret = WebhookPatch { secret: Some("hunter3".to_owned().into()), ..WebhookPatch::default() };
    let changed = registry.update_webhook(&admin(), "acme", first.row.id, secret).await.unwrap();
    assert_eq!((changed.changed, changed.row.secret.get().as_str()), (true, "hunter3"));
    for n in 1..WEBHOOKS_MAX {
        made(&registry, hook("acme", &format!("h{n}"))).await;
    }
    let full = registry.create_webhook(&admin(), hook("acme", "one-more")).await.unwrap_err();
    assert_eq!(full.to_string(), "tenant acme may have 16 webhooks and has 16");
    let lines = registry.audit(whole("acme"), Page::newest(99)).await.unwrap();
    assert!(!format!("{lines:?} {first:?}").contains("hunter"), "{lines:?}");
    let updated = lines.rows.iter().find(|line| line.action == "webhook.update").unwrap();
    assert_eq!(updated.detail, Some(json!({ "changed": ["secret"] })));
}
