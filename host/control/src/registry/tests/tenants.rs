use super::*;
use crate::access::Role;
use crate::limits::{REVOKED_TOKENS_KEPT, TOKENS_MAX};
use outboard_store::journal::Journal;

fn token(tenant: Option<&str>, name: &str, hash: u8) -> NewToken {
    let tenant = tenant.map(str::to_owned);
    NewToken { tenant, name: name.into(), role: Role::Operator, expires_ms: None, hash: [hash; 32] }
}

fn conflict<T: std::fmt::Debug>(result: Result<T, RegistryError>) -> String {
    match result {
        Err(RegistryError::Conflict(text)) => text,
        other => panic!("{other:?} is not a conflict"),
    }
}

fn absent<T: std::fmt::Debug>(result: Result<T, RegistryError>) -> String {
    match result {
        Err(RegistryError::NotFound(text)) => text,
        other => panic!("{other:?} was found"),
    }
}

#[tokio::test]
async fn the_default_tenant_is_there_and_stays() {
    let (_dir, registry) = registry().await;
    let row = registry.tenant("default").await.unwrap().unwrap();
    assert_eq!((row.quotas(), row.disabled), (crate::quota::Quotas::unset("default"), false));
    assert!(row.created_ms > 1_700_000_000_000);
    conflict(registry.delete_tenant(&admin(), "default").await);
    conflict(registry.set_disabled(&admin(), "default", true).await);
}

#[tokio::test]
async fn the_same_tenant_again_is_the_same_and_another_under_its_name_a_conflict() {
    let (_dir, registry) = registry().await;
    let quotas = QuotaPatch { pipelines: Some(9), ..QuotaPatch::default() };
    let new = NewTenant { quotas, ..tenant("new") };
    let first = registry.create_tenant(&admin(), new.clone()).await.unwrap();
    let again = registry.create_tenant(&admin(), new.clone()).await.unwrap();
    assert_eq!((first.changed, again.changed, &first.row), (true, false, &again.row));
    assert_eq!(first.row.quotas().pipelines, 9);
    let network = Some(json!({ "allow": ["10.0.0.0/8"] }));
    let text = conflict(registry.create_tenant(&admin(), NewTenant { network, ..tenant("new") }).await);
    assert!(text.contains("network") && text.contains("quotas.pipelines"), "{text}");
    assert!(conflict(registry.create_tenant(&admin(), tenant("NEW")).await).contains("differs from tenant new"));
    let outcomes: Vec<_> = audit(&registry, Scope::Host).await.into_iter().skip(2).map(|row| row.2).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Unchanged], "a conflict changes nothing");
}

#[tokio::test]
async fn names_that_cannot_be_folders_or_are_the_hosts_own_are_refused() {
    let (_dir, registry) = registry().await;
    for name in ["", "a b", "../x", ".x", "stages", "AOT", "outboard.db", "a:b", &"x".repeat(65)] {
        let refused = registry.create_tenant(&admin(), tenant(name)).await;
        let Err(RegistryError::Invalid(problems)) = refused else { panic!("{name:?} was taken: {refused:?}") };
        assert_eq!(problems[0].path, "name");
        assert!(problems[0].message.contains(&format!("{name:?}")), "{problems:?}");
    }
    let quotas = QuotaPatch { ffmpeg_processes: Some(0), ..QuotaPatch::default() };
    let refused = registry.create_tenant(&admin(), NewTenant { quotas, ..tenant("fine") }).await;
    assert!(refused.unwrap_err().to_string().contains("quotas.ffmpegProcesses"));
}

#[tokio::test]
async fn quotas_are_set_one_by_one_and_the_rest_stays() {
    let (_dir, registry) = registry().await;
    let pipelines = QuotaPatch { pipelines: Some(7), ..QuotaPatch::default() };
    let storage = QuotaPatch { storage_bytes: Some(1 << 33), ..QuotaPatch::default() };
    assert!(registry.set_quotas(&admin(), "acme", pipelines).await.unwrap().changed);
    assert!(registry.set_quotas(&admin(), "acme", storage).await.unwrap().changed);
    assert!(!registry.set_quotas(&admin(), "acme", storage).await.unwrap().changed);
    let quotas = registry.tenant("acme").await.unwrap().unwrap().quotas();
    assert_eq!((quotas.pipelines, quotas.storage_bytes, quotas.destinations_per_pipeline), (7, 1 << 33, 4));
    let wrong = QuotaPatch { storage_bytes: Some(1), ..QuotaPatch::default() };
    assert!(matches!(registry.set_quotas(&admin(), "acme", wrong).await, Err(RegistryError::Invalid(_))));
    assert_eq!(absent(registry.set_quotas(&admin(), "nobody", storage).await), "there is no tenant \"nobody\"");
    let network = Some(json!({ "deny": [] }));
    assert_eq!(registry.set_network(&admin(), "acme", network.clone()).await.unwrap().row.network, network);
    assert!(!registry.set_network(&admin(), "acme", network).await.unwrap().changed);
}

#[tokio::test]
async fn a_tenant_is_changed_as_a_whole_or_not_at_all() {
    let (_dir, registry) = registry().await;
    let quotas = |pipelines| Some(QuotaPatch { pipelines: Some(pipelines), ..QuotaPatch::default() });
    let all = |pipelines| TenantPatch {
        quotas: quotas(pipelines),
        network: Some(Some(json!({ "public": false }))),
        stages: Some(Some(json!({ "allow": [] }))),
        disabled: Some(true),
    };
    let new = registry.update_tenant(&admin(), "acme", all(7)).await.unwrap();
    assert_eq!((new.quotas, new.network, new.disabled), (true, true, true));
    assert_eq!((new.row.quotas().pipelines, new.row.disabled), (7, true));
    let kept = registry.tenant("acme").await.unwrap().unwrap();
    assert_eq!((kept.stages, kept.network), (Some(json!({ "allow": [] })), Some(json!({ "public": false }))));
    let again = registry.update_tenant(&admin(), "acme", all(8)).await.unwrap();
    assert_eq!((again.quotas, again.network, again.disabled), (true, false, false));
    let lines = audit(&registry, Scope::Host).await.split_off(2);
    let lines: Vec<_> = lines.iter().map(|line| (line.0.as_str(), line.2)).collect();
    let (done, so_already) = (Outcome::Done, Outcome::Unchanged);
    let told = |others| {
        let [network, stages, disabled] =
            ["tenant.set-network", "tenant.set-stages", "tenant.disable"].map(|word| (word, others));
        [("tenant.set-quotas", done), network, stages, disabled]
    };
    assert_eq!(lines, [told(done), told(so_already)].concat());

    // An invalid part leaves the other parts unchanged.
    let wrong = TenantPatch { disabled: Some(true), ..all(9) };
    conflict(registry.update_tenant(&admin(), "default", wrong).await);
    let row = registry.tenant("default").await.unwrap().unwrap();
    assert_eq!((row.set, row.network, row.stages), (QuotaPatch::default(), None, None));
}

#[tokio::test]
async fn whoever_gets_the_name_next_sees_nothing_of_who_had_it() {
    let (dir, registry) = registry().await;
    registry.create_pipeline(&admin(), pipeline(id("acme", "tv"))).await.unwrap();
    assert!(conflict(registry.delete_tenant(&admin(), "acme").await).contains("1 pipelines"));
    let hook = NewWebhook {
        tenant: "acme".into(),
        name: "ops".into(),
        url: "http://h.test/".to_owned().into(),
        secret: "s".to_owned().into(),
        secret_given: true,
        events: Vec::new(),
        enabled: true,
    };
    registry.create_webhook(&admin(), hook).await.unwrap();
    registry.create_token(&admin(), token(Some("acme"), "ci", 1)).await.unwrap();
    registry.create_token(&admin(), token(Some("other"), "ci", 2)).await.unwrap();
    registry.add_events(vec![event("acme", None, EventKind::QuotaReached, Severity::Warning)]).await.unwrap();
    let journal = Journal::new(registry.database.clone());
    journal.begin("acme", "foreground", "u").await.unwrap();
    registry.delete_pipeline(&admin(), &id("acme", "tv"), true).await.unwrap();
    let row = registry.delete_tenant(&admin(), "acme").await.unwrap();
    assert_eq!(registry.removals().await.unwrap(), [row.removal()], "the pipeline's goes with the tenant's");
    registry.removed(row.removal()).await.unwrap();
    assert_eq!(registry.removals().await.unwrap(), []);
    absent(registry.delete_tenant(&admin(), "acme").await);
    assert_eq!(registry.token_by_hash([1; 32]).await.unwrap(), None);
    assert!(registry.token_by_hash([2; 32]).await.unwrap().is_some());

    registry.create_tenant(&admin(), tenant("acme")).await.unwrap();
    let page = || Page::newest(100);
    assert!(audit(&registry, whole("acme")).await.is_empty());
    assert!(audit(&registry, Scope::Host).await.iter().any(|row| row.1 == "pipeline acme:tv"), "the host keeps it");
    assert!(registry.events(EventFilter::all(whole("acme")), page()).await.unwrap().rows.is_empty());
    assert!(registry.webhooks("acme", page()).await.unwrap().rows.is_empty());
    assert!(registry.tokens(whole("acme"), page()).await.unwrap().rows.is_empty());
    assert_eq!(journal.stream("acme", "foreground").await.unwrap(), None);
    drop(dir);
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_until_it_is_revoked() {
    let (_dir, registry) = registry().await;
    let row = registry.create_token(&admin(), token(Some("acme"), "ci", 1)).await.unwrap();
    assert_eq!(registry.token_by_hash([1; 32]).await.unwrap(), Some(row.clone()));
    assert_eq!(registry.token_by_hash([2; 32]).await.unwrap(), None);
    assert!(row.is_good(now()) && row.tenant.as_deref() == Some("acme") && row.role == Role::Operator);
    assert!(conflict(registry.create_token(&admin(), token(Some("acme"), "ci", 3)).await).contains("tenant acme"));
    registry.create_token(&admin(), token(Some("other"), "ci", 3)).await.unwrap();
    registry.create_token(&admin(), token(None, "ci", 4)).await.unwrap();

    let revoked = registry.revoke_token(&admin(), row.id).await.unwrap();
    assert!(!revoked.is_good(now()));
    assert_eq!(registry.revoke_token(&admin(), row.id).await.unwrap(), revoked, "revoked for good");
    assert!(!registry.token_by_hash([1; 32]).await.unwrap().unwrap().is_good(now()));
    assert!(registry.token_by_hash([3; 32]).await.unwrap().unwrap().is_good(now()));
    let next = registry.create_token(&admin(), token(Some("acme"), "ci", 5)).await.unwrap();
    assert!(next.id > row.id);
    absent(registry.revoke_token(&admin(), 99).await);
    let outcomes: Vec<_> = audit(&registry, whole("acme")).await.into_iter().map(|row| row.2).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done, Outcome::Unchanged, Outcome::Done]);
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_with_its_tenants_welcome() {
    let (_dir, registry) = registry().await;
    let new = NewToken { expires_ms: Some(now() + 1000), ..token(Some("acme"), "short", 1) };
    let row = registry.create_token(&admin(), new).await.unwrap();
    assert!(row.is_good(now()) && !row.is_good(now() + 2000));
    registry.set_disabled(&admin(), "acme", true).await.unwrap();
    assert!(!registry.token_by_hash([1; 32]).await.unwrap().unwrap().is_good(now()));
    assert!(conflict(registry.create_token(&admin(), token(Some("acme"), "b", 2)).await).contains("disabled"));
    registry.set_disabled(&admin(), "acme", false).await.unwrap();
    assert!(registry.token_by_hash([1; 32]).await.unwrap().unwrap().is_good(now()));
    assert_eq!(
        absent(registry.create_token(&admin(), token(Some("nobody"), "b", 2)).await),
        "there is no tenant \"nobody\""
    );
    let bad = registry.create_token(&admin(), token(None, "a b", 2)).await.unwrap_err().to_string();
    assert!(bad.contains("token name \"a b\""), "{bad}");
}

#[tokio::test]
async fn tokens_are_bounded_for_each_tenant() {
    let (_dir, registry) = registry().await;
    let hash = |n: u64| {
        let mut hash = [7; 32];
        hash[..8].copy_from_slice(&n.to_le_bytes());
        hash
    };
    let numbered = |n: u64| NewToken { hash: hash(n), ..token(Some("acme"), &format!("t{n}"), 0) };
    let mut ids = Vec::new();
    for n in 0..TOKENS_MAX {
        ids.push(registry.create_token(&admin(), numbered(n)).await.unwrap().id);
    }
    let full = registry.create_token(&admin(), numbered(TOKENS_MAX)).await.unwrap_err();
    assert_eq!(full.to_string(), "tenant acme may have 256 tokens and has 256");
    registry.create_token(&admin(), token(Some("other"), "x", 1)).await.unwrap();
    for id in &ids[..REVOKED_TOKENS_KEPT as usize + 5] {
        registry.revoke_token(&admin(), *id).await.unwrap();
    }
    let rows = registry.tokens(whole("acme"), Page::oldest(500)).await.unwrap().rows;
    let revoked: Vec<u64> = rows.iter().filter(|row| row.revoked_ms.is_some()).map(|row| row.id).collect();
    assert_eq!(revoked, ids[5..REVOKED_TOKENS_KEPT as usize + 5]);
    assert_eq!(rows.len() as u64, TOKENS_MAX - 5);
    assert_eq!(registry.token_by_hash(hash(0)).await.unwrap(), None);
}

#[tokio::test]
async fn only_a_good_host_wide_admin_token_opens_the_host() {
    let (_dir, registry) = registry().await;
    let has = || registry.has_host_admin(now());
    registry.create_token(&admin(), NewToken { role: Role::Admin, ..token(Some("acme"), "a", 1) }).await.unwrap();
    registry.create_token(&admin(), token(None, "operator", 2)).await.unwrap();
    let short = NewToken { role: Role::Admin, expires_ms: Some(now() - 1), ..token(None, "short", 3) };
    registry.create_token(&admin(), short).await.unwrap();
    assert!(!has().await.unwrap());
    let row = registry.create_token(&admin(), NewToken { role: Role::Admin, ..token(None, "b", 4) }).await.unwrap();
    assert!(has().await.unwrap());
    registry.revoke_token(&admin(), row.id).await.unwrap();
    assert!(!has().await.unwrap());
}

fn now() -> u64 {
    outboard_base::unix_time::now_ms()
}
