use super::*;
use crate::access::Action;
use crate::limits::{AUDIT_ROWS_KEPT, EVENTS_AT_ONCE_MAX, INCIDENTS_KEPT, KEPT_TEXT_CHARS_MAX};
use outboard_pipeline::cause::HealthCause;
use outboard_store::limits::HISTORY_EVENTS_DEFAULT;

#[tokio::test]
async fn events_are_found_by_whose_they_are_what_they_are_and_how_much_they_matter() {
    let (_dir, registry) = registry().await;
    for id in [id("acme", "a"), id("acme", "b"), id("other", "a")] {
        registry.create_pipeline(&admin(), pipeline(id)).await.unwrap();
    }
    let host = NewEvent { tenant: None, ..event("", None, EventKind::DiskLow, Severity::Error) };
    let events = vec![
        event("acme", Some("a"), EventKind::OnAir, Severity::Info),
        event("acme", Some("a"), EventKind::Fallback, Severity::Warning),
        event("other", Some("a"), EventKind::OffAir, Severity::Error),
        event("acme", Some("b"), EventKind::OffAir, Severity::Error),
        event("acme", None, EventKind::QuotaReached, Severity::Warning),
        host,
    ];
    let written = registry.add_events(events).await.unwrap();
    assert!(written.is_sorted_by_key(|row| row.id));
    let found = async |filter: EventFilter| {
        let rows = registry.events(filter, Page::oldest(99)).await.unwrap().rows;
        rows.iter().map(|row| written.iter().position(|one| one == row).unwrap()).collect::<Vec<_>>()
    };
    let acme = || EventFilter::all(whole("acme"));
    assert_eq!(found(acme()).await, [0, 1, 3, 4]);
    assert_eq!(found(EventFilter { stream: Some("a".into()), ..acme() }).await, [0, 1]);
    assert_eq!(found(EventFilter { at_least: Severity::Warning, ..acme() }).await, [1, 3, 4]);
    let kinds = vec!["off-air".to_owned(), "on-air".to_owned()];
    assert_eq!(found(EventFilter { kinds, ..acme() }).await, [0, 3]);
    assert_eq!(found(EventFilter::all(Scope::Host)).await, [5]);
    assert_eq!(found(EventFilter::all(Scope::All)).await, [0, 1, 2, 3, 4, 5]);
    assert_eq!(found(EventFilter::all(whole("nobody"))).await, [0_usize; 0]);
}

#[tokio::test]
async fn events_are_bounded_for_each_stream() {
    let (_dir, registry) = registry().await;
    for id in [id("acme", "noisy"), id("acme", "quiet")] {
        registry.create_pipeline(&admin(), pipeline(id)).await.unwrap();
    }
    let one = |stream| event("acme", Some(stream), EventKind::Failed, Severity::Error);
    let quiet = registry.add_events(vec![one("quiet")]).await.unwrap();
    let mut last = Vec::new();
    let of = |stream: &str| EventFilter { stream: Some(stream.into()), ..EventFilter::all(whole("acme")) };
    for _ in 0..5 {
        let many = vec![one("noisy"); EVENTS_AT_ONCE_MAX];
        last = registry.add_events(many).await.unwrap();
        let rows = all(async |page| registry.events(of("noisy"), page).await.unwrap()).await;
        assert!(rows.len() as u64 <= HISTORY_EVENTS_DEFAULT + PRUNE_EVERY, "{}", rows.len());
        assert_eq!(rows.first(), last.last(), "the newest stay");
    }
    assert_eq!(last.len(), EVENTS_AT_ONCE_MAX);
    let rows = all(async |page| registry.events(of("noisy"), page).await.unwrap()).await;
    assert!(rows.len() as u64 >= HISTORY_EVENTS_DEFAULT);
    assert_eq!(registry.events(of("quiet"), Page::newest(9)).await.unwrap().rows, quiet, "others lose nothing");
}

/// All rows of a list, newest first.
async fn all<T>(of: impl AsyncFn(Page) -> Listed<T>) -> Vec<T>
where
    T: serde::Serialize,
{
    let (mut rows, mut page) = (Vec::new(), Page::newest(500));
    loop {
        let part = of(page).await;
        rows.extend(part.rows);
        let Some(last) = rows.last().filter(|_| part.more) else { return rows };
        page = Page::newest(500).after(serde_json::to_value(last).unwrap()["id"].as_u64().unwrap());
    }
}

#[tokio::test]
async fn last_words_of_a_deleted_pipeline_are_its_tenants_and_those_of_a_deleted_tenant_are_dropped() {
    let (_dir, registry) = registry().await;
    let words = vec![
        event("acme", Some("gone"), EventKind::Deleted, Severity::Info),
        event("nobody", Some("tv"), EventKind::Stopped, Severity::Info),
    ];
    let written = registry.add_events(words).await.unwrap();
    assert_eq!(written.len(), 1);
    assert_eq!((&written[0].stream, &written[0].detail), (&None, &Some(json!({ "streamId": "gone" }))));
}

#[tokio::test]
async fn long_texts_are_cut() {
    let (_dir, registry) = registry().await;
    let mut long = event("acme", None, EventKind::Failed, Severity::Error);
    long.event.message = "ä".repeat(KEPT_TEXT_CHARS_MAX + 1);
    let row = registry.add_events(vec![long]).await.unwrap().remove(0);
    assert_eq!((row.message.chars().count(), row.detail), (KEPT_TEXT_CHARS_MAX, None));
}

#[tokio::test]
async fn one_tenants_noise_does_not_push_out_anothers_audit_log() {
    let (_dir, registry) = registry().await;
    let line = |tenant| NewAudit::new(&admin(), Action::RestartPipeline, Some(tenant), "pipeline x");
    registry.record(line("other").outcome(Outcome::Unchanged).detail(json!({ "why": 1 }))).await.unwrap();
    let many = AUDIT_ROWS_KEPT + 2 * PRUNE_EVERY;
    registry
        .write(move |transaction| {
            for _ in 0..many {
                line("acme").write(transaction)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let rows = all(async |page| registry.audit(whole("acme"), page).await.unwrap()).await;
    assert!((AUDIT_ROWS_KEPT..=AUDIT_ROWS_KEPT + PRUNE_EVERY).contains(&(rows.len() as u64)), "{}", rows.len());
    let kept = registry.audit(whole("other"), Page::newest(9)).await.unwrap().rows;
    assert_eq!((kept.len(), kept[0].outcome, &kept[0].actor), (1, Outcome::Unchanged, &"test".to_owned()));
    assert_eq!(kept[0].detail, Some(json!({ "why": 1 })));
}

fn incident(cause: HealthCause, opened_ms: u64) -> IncidentState {
    let message = format!("{cause} is away");
    let (severity, updated_ms) = (Severity::Warning, opened_ms);
    IncidentState { cause, severity, opened_ms, updated_ms, resolved_ms: None, count: 1, message }
}

fn told(state: &IncidentState, kind: EventKind) -> NewEvent {
    NewEvent { incident: Some(state.clone()), ..event("acme", Some("a"), kind, Severity::Warning) }
}

#[tokio::test]
async fn one_incident_of_a_cause_is_open_and_survives_the_process() {
    let (dir, registry) = registry().await;
    let a = id("acme", "a");
    registry.create_pipeline(&admin(), pipeline(a.clone())).await.unwrap();
    let opened = incident(HealthCause::Destination, 1000);
    let row = registry.add_events(vec![told(&opened, EventKind::IncidentOpened)]).await.unwrap().remove(0);
    let first = row.detail.unwrap()["incident"]["id"].as_u64().unwrap();
    // The process ended; the next one opens the database again.
    let registry = Registry::new(Database::open(&dir.path().join("outboard.db")).unwrap());
    assert_eq!(registry.open_incidents(&a).await.unwrap(), std::slice::from_ref(&opened));
    let worse = IncidentState { severity: Severity::Error, count: 40, updated_ms: 2000, ..opened.clone() };
    let row = registry.add_events(vec![told(&worse, EventKind::IncidentOpened)]).await.unwrap().remove(0);
    assert_eq!(row.detail.unwrap()["incident"]["id"], json!(first), "the same one");
    registry.add_events(vec![told(&incident(HealthCause::Source, 1), EventKind::IncidentOpened)]).await.unwrap();
    assert_eq!(registry.open_incidents(&a).await.unwrap().len(), 2, "one of each cause");
    let over = IncidentState { resolved_ms: Some(3000), ..worse.clone() };
    registry.add_events(vec![told(&over, EventKind::IncidentResolved)]).await.unwrap();
    // A late count does not open it again.
    registry.update_incidents(vec![(a.clone(), worse)]).await.unwrap();
    let rows = registry.incidents(&a, Some(false), Page::newest(9)).await.unwrap().rows;
    assert_eq!(rows.into_iter().map(|row| (row.id, row.state)).collect::<Vec<_>>(), [(first, over)]);
    assert_eq!(registry.incidents(&a, None, Page::newest(1)).await.unwrap().rows[0].state.cause, HealthCause::Source);
    registry.delete_pipeline(&admin(), &a, false).await.unwrap();
    assert_eq!(registry.incidents(&a, None, Page::newest(9)).await.unwrap().rows, []);
}

#[tokio::test]
async fn incidents_are_bounded_for_each_pipeline() {
    let (_dir, registry) = registry().await;
    let a = id("acme", "a");
    registry.create_pipeline(&admin(), pipeline(a.clone())).await.unwrap();
    for n in 0..INCIDENTS_KEPT + 9 {
        let over = IncidentState { resolved_ms: Some(n + 1), ..incident(HealthCause::Source, n) };
        let both = vec![
            told(&incident(HealthCause::Source, n), EventKind::IncidentOpened),
            told(&over, EventKind::IncidentResolved),
        ];
        registry.add_events(both).await.unwrap();
    }
    let rows = registry.incidents(&a, None, Page::newest(500)).await.unwrap().rows;
    assert_eq!((rows.len() as u64, rows[0].state.opened_ms), (INCIDENTS_KEPT, INCIDENTS_KEPT + 8));
}
