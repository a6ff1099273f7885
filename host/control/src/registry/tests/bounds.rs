//! The size of the database stays within its limits, however long it is used.

use std::collections::BTreeMap;

use super::*;
use crate::access::Action;
use crate::limits::{
    AUDIT_ROWS_KEPT, DELIVERIES_KEPT, EVENTS_AT_ONCE_MAX, INCIDENTS_KEPT, REVISIONS_KEPT, ROLL_OUTS_KEPT, SWAPS_KEPT,
};
use outboard_pipeline::cause::HealthCause;
use outboard_store::database::History;

/// Every table, and what limits its rows. A new table must be added here and in docs/architecture.md.
const BOUNDS: &[(&str, &str)] = &[
    ("air", "one for each destination of a stream"),
    ("audit", "AUDIT_ROWS_KEPT for each tenant and for the host"),
    ("batch", "storage.history_batches for each stream, and those that have files"),
    ("component", "the tenant's quota of storage"),
    ("delivery", "DELIVERIES_KEPT for each webhook"),
    ("event", "storage.history_events for each stream, tenant and for the host"),
    ("incident", "INCIDENTS_KEPT for each pipeline"),
    ("pipeline", "the tenant's quota of pipelines"),
    ("removal", "one for what was deleted, until its files are gone"),
    ("revision", "REVISIONS_KEPT for each pipeline"),
    ("roll_out", "ROLL_OUTS_KEPT for each tenant"),
    ("segment", "KNOWN_SEGMENTS for each stream, and those of batches that have files"),
    ("sqlite_sequence", "one for each table with AUTOINCREMENT"),
    ("stage", "one for each kind of stage of a stream"),
    ("stream", "one for each pipeline that ran, until it is deleted"),
    ("swap", "SWAPS_KEPT for each pipeline"),
    ("tenant", "TENANTS_MAX"),
    ("token", "TOKENS_MAX and REVOKED_TOKENS_KEPT for each tenant and for the host"),
    ("webhook", "WEBHOOKS_MAX for each tenant"),
];

/// Rows of each table, and pages of the file.
async fn size(registry: &Registry) -> (BTreeMap<String, u64>, u64) {
    let work = |connection: &Connection| -> Result<_, RegistryError> {
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        let mut rows = BTreeMap::new();
        for name in names {
            let count = connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0))?;
            rows.insert(name, count);
        }
        Ok((rows, connection.pragma_query_value(None, "page_count", |row| row.get(0))?))
    };
    registry.read(work).await.unwrap()
}

#[tokio::test]
async fn every_table_has_a_bound() {
    let (_dir, registry) = registry().await;
    let (rows, _) = size(&registry).await;
    let bounded: Vec<_> = BOUNDS.iter().map(|(table, _)| *table).collect();
    assert_eq!(rows.keys().map(String::as_str).collect::<Vec<_>>(), bounded, "say what bounds a new table");
}

fn swap() -> SwapRecord {
    let component = json!({ "digest": "sha256:0", "name": "x", "version": "1" });
    let record = json!({
        "kind": "batching", "from": component, "to": component, "settingsChanged": false, "fresh": false,
        "requestedBy": "test", "rollOut": null, "state": "done", "reason": "r".repeat(500), "startedMs": 1,
        "endedMs": 2, "steps": [], "rehearsal": null, "probationDone": 0, "probationWanted": 0, "different": 0,
        "evidence": null,
    });
    serde_json::from_value(record).unwrap()
}

fn roll_out() -> RollOutRecord {
    let record = json!({
        "kind": "batching", "to": { "digest": "sha256:0", "name": "x", "version": "1" }, "requestedBy": "test",
        "state": "done", "reason": null, "swaps": (0..50).collect::<Vec<_>>(), "waiting": [], "startedMs": 1,
        "endedMs": 2,
    });
    serde_json::from_value(record).unwrap()
}

/// Fills every limited list of events, and a little more.
async fn fill(registry: &Registry, tv: &PipelineId) {
    registry
        .write(|transaction| {
            for _ in 0..AUDIT_ROWS_KEPT + PRUNE_EVERY {
                NewAudit::new(&admin(), Action::RestartPipeline, Some("acme"), "pipeline acme:tv")
                    .write(transaction)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    for _ in 0..=DELIVERIES_KEPT as usize / EVENTS_AT_ONCE_MAX + 1 {
        let off_air = event("acme", Some("tv"), EventKind::OffAir, Severity::Error);
        registry.add_events(vec![off_air; EVENTS_AT_ONCE_MAX]).await.unwrap();
    }
    for n in 0..INCIDENTS_KEPT + 1 {
        let open = IncidentState {
            cause: HealthCause::Source,
            severity: Severity::Warning,
            opened_ms: n,
            updated_ms: n,
            resolved_ms: None,
            count: 1,
            message: "away ".repeat(40),
        };
        let over = IncidentState { resolved_ms: Some(n), ..open.clone() };
        let told = [(open, EventKind::IncidentOpened), (over, EventKind::IncidentResolved)].map(|(state, kind)| {
            NewEvent { incident: Some(state), ..event("acme", Some("tv"), kind, Severity::Warning) }
        });
        registry.add_events(told.into()).await.unwrap();
    }
    for _ in 0..SWAPS_KEPT + PRUNE_EVERY {
        registry.create_swap(&admin(), tv, swap()).await.unwrap();
    }
    for n in 0..=ROLL_OUTS_KEPT.max(REVISIONS_KEPT) {
        registry.create_roll_out(&admin(), "acme", roll_out()).await.unwrap();
        let (tv, settings) = (tv.clone(), settings(&n.to_string()));
        registry
            .write(move |transaction| {
                let new = revisions::NewRevision { settings: &settings, by: "test", note: Some("n".into()) };
                revisions::add(transaction, &tv, &new)
            })
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn what_happens_takes_no_more_room_than_its_bounds() {
    let (dir, registry) = registry().await;
    drop(registry);
    let history = History { batches: 100, events: 100 };
    let database = Database::open(&dir.path().join("outboard.db")).unwrap().keeping(history);
    let registry = Registry::new(database);
    let tv = id("acme", "tv");
    registry.create_pipeline(&admin(), pipeline(tv.clone())).await.unwrap();
    registry.create_webhook(&admin(), webhooks::hook("acme", "all")).await.unwrap();
    fill(&registry, &tv).await;
    let (rows, pages) = size(&registry).await;
    let kept = [
        ("audit", AUDIT_ROWS_KEPT),
        ("delivery", DELIVERIES_KEPT),
        ("event", history.events),
        ("incident", INCIDENTS_KEPT),
        ("revision", REVISIONS_KEPT),
        ("roll_out", ROLL_OUTS_KEPT),
        ("swap", SWAPS_KEPT),
    ];
    for (table, kept) in kept {
        // Rows of the host and of the tenants themselves, in addition to those of the one pipeline.
        let most = kept + 2 * PRUNE_EVERY;
        assert!((kept..=most).contains(&rows[table]), "{table}: {} rows of {kept}..={most}", rows[table]);
    }
    for _ in 0..2 {
        fill(&registry, &tv).await;
    }
    let (rows_later, pages_later) = size(&registry).await;
    for (table, before) in rows {
        assert!(rows_later[&table] <= before + 2 * PRUNE_EVERY, "{table}: {before} rows, then {}", rows_later[&table]);
    }
    assert!(pages_later <= pages + pages / 10, "{pages} pages, then {pages_later}");
}
