use super::*;
use crate::quota::QuotaPatch;

fn disabled(disabled: bool) -> TenantPatch {
    TenantPatch { disabled: Some(disabled), ..TenantPatch::default() }
}

#[tokio::test]
async fn nothing_of_a_tenant_that_is_shut_out_starts() {
    let place = Place::new().await;
    place.tenant("acme").await;
    let running = place.pipeline("acme", "runs", true).await;
    let stopped = place.pipeline("acme", "stopped", false).await;
    place.control.tenancy().update_tenant(&local(), "acme", disabled(true)).await.unwrap();
    for id in ["acme:runs", "acme:stopped"] {
        for started in [
            place.control.pipelines().start(&local(), id).await,
            place.control.pipelines().restart(&local(), id, StopMode::Drain, None).await,
        ] {
            assert!(matches!(started, Err(ControlError::Conflict(_))), "{id}: {started:?}");
        }
    }
    assert!(!running.desired_running() && !stopped.desired_running());
    place.control.tenancy().update_tenant(&local(), "acme", disabled(false)).await.unwrap();
    assert!(running.desired_running() && !stopped.desired_running(), "as it was wanted before");
    place.control.pipelines().start(&local(), "acme:stopped").await.unwrap();
}

#[tokio::test]
async fn a_tenant_is_changed_as_a_whole_or_not_at_all() {
    let place = Place::new().await;
    place.tenant("acme").await;
    let patch = TenantPatch {
        quotas: Some(QuotaPatch { pipelines: Some(7), ffmpeg_processes: Some(0), ..QuotaPatch::default() }),
        network: Some(Some(json!({ "denyHosts": ["not a host"] }))),
        stages: Some(Some(json!({ "allow": ["sha256:0"] }))),
        disabled: Some(true),
    };
    let refused = place.control.tenancy().update_tenant(&local(), "acme", patch.clone()).await.unwrap_err();
    let paths: Vec<_> = refused.problems().iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["quotas.ffmpegProcesses", "networkPolicy.denyHosts[0]", "stagePolicy.allow[0]"]);
    let row = place.control.tenancy().tenant(&local(), Some("acme")).unwrap();
    assert_eq!((row.set, &row.stages, row.disabled), (QuotaPatch::default(), &None, false));
    let new = NewTenant {
        name: "a b".to_owned(),
        quotas: patch.quotas.unwrap(),
        network: patch.network.unwrap(),
        stages: Some(json!({ "allowed": [] })),
    };
    let refused = place.control.tenancy().create_tenant(&local(), new).await;
    let paths: Vec<_> = refused.unwrap_err().problems().iter().map(|problem| problem.path.clone()).collect();
    assert_eq!(paths, ["name", "quotas.ffmpegProcesses", "networkPolicy.denyHosts[0]", "stagePolicy"]);
    let operator = Actor { role: Role::Operator, ..local() };
    let denied = place.control.tenancy().update_tenant(&operator, "acme", disabled(true)).await;
    assert!(matches!(denied, Err(ControlError::Forbidden(_))));
    // One that asks for nothing is looked at like every other.
    for (of, code) in [("acme", "FORBIDDEN"), ("other", "NOT_FOUND")] {
        let actor = Actor { tenant: Some(of.into()), ..local() };
        let denied = place.control.tenancy().update_tenant(&actor, "acme", TenantPatch::default()).await;
        assert_eq!(denied.unwrap_err().code(), code, "an admin of {of}");
    }
}

#[tokio::test]
async fn a_webhooks_secret_is_shown_to_who_made_it_and_to_nobody_else() {
    let place = Place::new().await;
    let hook = |secret: Option<&str>| NewWebhook {
        tenant: None,
        name: "ops".into(),
        url: "https://h.test/".into(),
        secret: secret.map(str::to_owned),
        events: Vec::new(),
        enabled: true,
    };
    let create = async |secret| place.control.webhooks().create(&local(), hook(secret)).await;
    let made = create(None).await.unwrap();
    assert!(made.secret.clone().unwrap().get().starts_with("whsec_"));
    let again = create(None).await.unwrap();
    assert_eq!((again.row.id, again.secret), (made.row.id, None), "another admin's secret");
    let given = made.row.secret.get().clone();
    assert_eq!(create(Some(&given)).await.unwrap().secret, None, "who gave it has it");
    let other = create(Some("another-secret-of-mine")).await;
    assert!(matches!(other, Err(ControlError::Conflict(_))), "{other:?}");
    let update = registry::WebhookPatch { secret: Some("a".to_owned().into()), ..Default::default() };
    let refused = place.control.webhooks().update(&local(), None, made.row.id, update).await.unwrap_err();
    assert_eq!(refused.problems()[0].path, "secret");
}

#[tokio::test]
async fn a_token_that_was_never_good_is_not_made() {
    let place = Place::new().await;
    let create = async |expires_ms| {
        let new = NewToken { tenant: None, name: "ci".into(), role: Role::Viewer, expires_ms: Some(expires_ms) };
        place.control.tenancy().create_token(&local(), new).await
    };
    let now = outboard_base::unix_time::now_ms();
    for past in [0, now - 1, now] {
        assert_eq!(create(past).await.unwrap_err().problems()[0].path, "expiresAt");
    }
    create(now + 60_000).await.unwrap();
}
