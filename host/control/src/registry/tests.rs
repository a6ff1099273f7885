//! Tests with real databases in temporary folders.

use serde_json::json;

use super::*;
use crate::access::Actor;
use crate::hidden::Hidden;
use crate::id::PipelineId;
use crate::quota::QuotaPatch;
use outboard_pipeline::event::{Event, EventKind, Severity};
use outboard_store::page::{Listed, Page};

mod bounds;
mod happenings;
mod lists;
mod pipelines;
mod swaps;
mod tenants;
mod webhooks;

/// A registry with the tenants `acme` and `other`; removed with the folder.
async fn registry() -> (tempfile::TempDir, Registry) {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::new(Database::open(&dir.path().join("outboard.db")).unwrap());
    for name in ["acme", "other"] {
        registry.create_tenant(&admin(), tenant(name)).await.unwrap();
    }
    (dir, registry)
}

/// Shorthands that change one property of a tenant.
impl Registry {
    async fn set_quotas(
        &self,
        actor: &Actor,
        tenant: &str,
        quotas: QuotaPatch,
    ) -> Result<Change<TenantRow>, RegistryError> {
        let patch = TenantPatch { quotas: Some(quotas), ..TenantPatch::default() };
        self.update_tenant(actor, tenant, patch).await.map(|new| Change { row: new.row, changed: new.quotas })
    }

    async fn set_network(
        &self,
        actor: &Actor,
        tenant: &str,
        network: Option<Value>,
    ) -> Result<Change<TenantRow>, RegistryError> {
        let patch = TenantPatch { network: Some(network), ..TenantPatch::default() };
        self.update_tenant(actor, tenant, patch).await.map(|new| Change { row: new.row, changed: new.network })
    }

    pub(crate) async fn set_disabled(
        &self,
        actor: &Actor,
        tenant: &str,
        disabled: bool,
    ) -> Result<Change<TenantRow>, RegistryError> {
        let patch = TenantPatch { disabled: Some(disabled), ..TenantPatch::default() };
        self.update_tenant(actor, tenant, patch).await.map(|new| Change { row: new.row, changed: new.disabled })
    }
}

fn admin() -> Actor {
    Actor::local("test")
}

fn tenant(name: &str) -> NewTenant {
    NewTenant { name: name.into(), ..NewTenant::default() }
}

fn id(tenant: &str, stream: &str) -> PipelineId {
    PipelineId::new(tenant, stream).unwrap()
}

fn settings(key: &str) -> Hidden<Value> {
    Hidden::new(
        json!({ "source": { "url": "http://o.test/" }, "destinations": [{ "url": format!("rtmp://h/a/{key}") }] }),
    )
}

fn pipeline(id: PipelineId) -> NewPipeline {
    NewPipeline { id, settings: settings("key"), desired: Desired::Stopped, origin: Origin::Api, note: None }
}

fn event(tenant: &str, stream: Option<&str>, kind: EventKind, severity: Severity) -> NewEvent {
    NewEvent {
        tenant: Some(tenant.into()),
        stream: stream.map(str::to_owned),
        event: Event::new(kind, severity, format!("{} of {stream:?}", kind.name())),
        incident: None,
    }
}

async fn audit(registry: &Registry, scope: Scope) -> Vec<(String, String, Outcome)> {
    let rows = registry.audit(scope, Page::oldest(500)).await.unwrap().rows;
    rows.into_iter().map(|row| (row.action, row.target, row.outcome)).collect()
}

fn whole(scope: &str) -> Scope {
    Scope::Tenant(scope.into())
}

#[test]
fn differences_are_named_by_path_and_never_by_value() {
    let one = json!({ "a": { "b": 1, "c": [1, { "d": "secret" }] }, "same": true });
    let other = json!({ "a": { "b": 2, "c": [1, { "d": "other" }, 3] }, "new": {}, "same": true });
    assert_eq!(differences(&one, &other), ["a.b", "a.c[1].d", "a.c[2]", "new"]);
    assert!(differences(&one, &one).is_empty());
    let many: Value = (0..100).map(|n| json!(n)).collect::<Vec<_>>().into();
    assert_eq!(differences(&many, &json!([])).len(), DIFFERENCES_MAX);
}

#[tokio::test]
async fn what_is_acknowledged_is_flushed_and_what_only_happened_is_not() {
    let (_dir, registry) = registry().await;
    let synchronous = |transaction: &Transaction<'_>| -> Result<u8, RegistryError> {
        Ok(transaction.pragma_query_value(None, "synchronous", |row| row.get(0))?)
    };
    assert_eq!(registry.write(synchronous).await.unwrap(), 2, "FULL");
    assert_eq!(registry.note(synchronous).await.unwrap(), 1, "NORMAL");
}

#[tokio::test]
async fn what_the_database_says_stays_on_the_server() {
    let error = RegistryError::from(rusqlite::Error::InvalidColumnName("/storage/outboard.db".into()));
    let told = ControlError::from(error);
    assert_eq!(told.code(), "UNAVAILABLE");
    assert!(!told.to_string().contains("storage"), "{told}");
    assert_eq!(ControlError::from(RegistryError::Limit("x".into())).code(), "LIMIT_EXCEEDED");
    assert_eq!(ControlError::from(RegistryError::invalid("name", "x")).problems().len(), 1);
}
