use super::*;
use crate::limits::{REVISIONS_KEPT, SETTINGS_BYTES_MAX};
use outboard_store::journal::Journal;

fn conflict<T: std::fmt::Debug>(result: Result<T, RegistryError>) -> String {
    match result {
        Err(RegistryError::Conflict(text)) => text,
        other => panic!("{other:?} is not a conflict"),
    }
}

#[tokio::test]
async fn the_same_pipeline_again_is_the_same_and_another_under_its_name_a_conflict() {
    let (_dir, registry) = registry().await;
    let new = || pipeline(id("acme", "tv"));
    let first = registry.create_pipeline(&admin(), new()).await.unwrap();
    let again = registry.create_pipeline(&admin(), new()).await.unwrap();
    assert_eq!((first.changed, again.changed, &first.row), (true, false, &again.row));
    assert_eq!((first.row.revision, first.row.desired, first.row.origin), (1, Desired::Stopped, Origin::Api));
    assert_eq!((first.row.created_by.as_str(), first.row.desired_by.as_str()), ("test", "test"));
    let other = NewPipeline { settings: settings("another-secret"), desired: Desired::Running, ..new() };
    let text = conflict(registry.create_pipeline(&admin(), other).await);
    assert_eq!(text, "pipeline acme:tv already exists and differs in: it is stopped, destinations[0].url");
    registry.create_pipeline(&admin(), pipeline(id("other", "tv"))).await.unwrap();
    let lines = audit(&registry, whole("acme")).await;
    let outcomes: Vec<_> = lines.iter().map(|row| (row.0.as_str(), row.2)).collect();
    assert_eq!(outcomes, [("pipeline.create", Outcome::Done), ("pipeline.create", Outcome::Unchanged)]);
}

/// Sets a pipeline to what it was at an earlier revision.
async fn roll_back(
    registry: &Registry,
    actor: &Actor,
    id: &PipelineId,
    to: u64,
    expected: Option<u64>,
) -> Result<Change<PipelineRow>, RegistryError> {
    let settings = registry.revision(id, to).await?.unwrap().settings;
    let change = SettingsChange { settings, expected, back_to: Some(to), ..SettingsChange::default() };
    Ok(registry.change_settings(actor, id, change).await?.0)
}

#[tokio::test]
async fn a_change_is_made_to_what_the_caller_saw_or_not_at_all() {
    let (_dir, registry) = registry().await;
    let (tv, actor) = (id("acme", "tv"), admin());
    registry.create_pipeline(&actor, pipeline(tv.clone())).await.unwrap();
    let note = || Some("new key".to_owned());
    let done = registry.update_pipeline(&actor, &tv, settings("two"), Some(1), note()).await.unwrap();
    assert_eq!((done.changed, done.row.revision), (true, 2));
    // The response was lost, and the caller retries.
    let again = registry.update_pipeline(&actor, &tv, settings("two"), Some(1), note()).await.unwrap();
    assert_eq!((again.changed, again.row.revision), (false, 2));
    let text = conflict(registry.update_pipeline(&actor, &tv, settings("three"), Some(1), None).await);
    assert_eq!(text, "pipeline acme:tv is at revision 2, not at 1: read it again");
    registry.update_pipeline(&actor, &tv, settings("three"), None, None).await.unwrap();

    assert!(conflict(roll_back(&registry, &actor, &tv, 1, Some(2)).await).contains("revision 3"));
    let back = roll_back(&registry, &actor, &tv, 1, Some(3)).await.unwrap();
    assert_eq!((back.row.revision, &back.row.settings), (4, &settings("key")));
    assert!(!roll_back(&registry, &actor, &tv, 1, Some(3)).await.unwrap().changed);
    assert_eq!(registry.revision(&tv, 9).await.unwrap(), None);
    let revisions = registry.revisions(&tv, Page::newest(10)).await.unwrap().rows;
    let told: Vec<_> = revisions.iter().map(|row| (row.number, row.note.as_deref())).collect();
    assert_eq!(told, [(4, Some("back to revision 1")), (3, None), (2, Some("new key")), (1, None)]);
    assert_eq!(registry.revision(&tv, 2).await.unwrap().unwrap().settings, settings("two"));
    assert_eq!(registry.revision(&id("other", "tv"), 2).await.unwrap(), None);
}

#[tokio::test]
async fn of_many_who_change_the_same_revision_one_wins() {
    let (_dir, registry) = registry().await;
    let tv = id("acme", "tv");
    registry.create_pipeline(&admin(), pipeline(tv.clone())).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20 {
        let (registry, tv) = (registry.clone(), tv.clone());
        tasks.spawn(async move {
            registry.update_pipeline(&admin(), &tv, settings(&n.to_string()), Some(1), None).await.is_ok()
        });
    }
    let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!((won, registry.pipeline(&tv).await.unwrap().unwrap().revision), (1, 2));
}

#[tokio::test]
async fn a_quota_holds_also_when_many_come_at_once() {
    let (_dir, registry) = registry().await;
    let quotas = QuotaPatch { pipelines: Some(3), ..QuotaPatch::default() };
    registry.set_quotas(&admin(), "acme", quotas).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..12 {
        let (registry, id) = (registry.clone(), id("acme", &format!("tv{n}")));
        tasks.spawn(async move { registry.create_pipeline(&admin(), pipeline(id)).await.map(|_| ()) });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 3);
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!(error.to_string(), "tenant acme may have 3 pipelines and has 3");
    }
    assert_eq!(registry.pipelines(whole("acme"), Page::oldest(9)).await.unwrap().rows.len(), 3);
    registry.create_pipeline(&admin(), pipeline(id("other", "tv"))).await.unwrap();
    registry.set_disabled(&admin(), "other", true).await.unwrap();
    assert!(conflict(registry.create_pipeline(&admin(), pipeline(id("other", "b"))).await).contains("disabled"));
    for wish in [Wish::start(), Wish::restart()] {
        assert!(conflict(registry.set_desired(&admin(), &id("other", "tv"), wish).await).contains("disabled"));
    }
    assert!(registry.create_pipeline(&admin(), pipeline(id("nobody", "b"))).await.is_err());
}

#[tokio::test]
async fn what_is_wanted_is_kept_with_who_wants_it() {
    let (dir, registry) = registry().await;
    let tv = id("acme", "tv");
    registry.create_pipeline(&admin(), pipeline(tv.clone())).await.unwrap();
    let other = Actor::local("somebody");
    let started = registry.set_desired(&other, &tv, Wish::start()).await.unwrap();
    assert!(started.changed && started.row.desired_by == "somebody");
    assert!(!registry.set_desired(&admin(), &tv, Wish::start()).await.unwrap().changed);
    registry.set_desired(&admin(), &tv, Wish::restart()).await.unwrap();
    registry.set_desired(&admin(), &tv, Wish::stop()).await.unwrap();
    registry.set_desired(&admin(), &tv, Wish { acts: true, ..Wish::stop() }).await.unwrap();
    registry.set_desired(&other, &tv, Wish::start()).await.unwrap();
    // As another process would find it.
    let again = Registry::new(Database::open(&dir.path().join("outboard.db")).unwrap());
    let row = again.pipeline(&tv).await.unwrap().unwrap();
    assert_eq!((row.desired, row.desired_by.as_str()), (Desired::Running, "somebody"));
    let lines = audit(&again, whole("acme")).await;
    let actions: Vec<_> = lines.iter().skip(1).map(|row| (row.0.as_str(), row.2)).collect();
    let told = [
        ("pipeline.start", Outcome::Done),
        ("pipeline.start", Outcome::Unchanged),
        ("pipeline.restart", Outcome::Done),
        ("pipeline.stop", Outcome::Done),
        ("pipeline.stop", Outcome::Done),
        ("pipeline.start", Outcome::Done),
    ];
    assert_eq!(actions, told);
}

#[tokio::test]
async fn revisions_are_bounded_and_the_newest_stays() {
    let (_dir, registry) = registry().await;
    let tv = id("acme", "tv");
    registry.create_pipeline(&admin(), pipeline(tv.clone())).await.unwrap();
    for n in 0..REVISIONS_KEPT + 20 {
        registry.update_pipeline(&admin(), &tv, settings(&n.to_string()), None, None).await.unwrap();
    }
    let kept = registry.revisions(&tv, Page::oldest(500)).await.unwrap().rows;
    let numbers: Vec<u64> = kept.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (22..=REVISIONS_KEPT + 21).collect::<Vec<_>>());
    assert_eq!(registry.pipeline(&tv).await.unwrap().unwrap().settings, kept.last().unwrap().settings);
    let big = Hidden::new(json!({ "x": "x".repeat(SETTINGS_BYTES_MAX) }));
    let refused = registry.update_pipeline(&admin(), &tv, big, None, None).await;
    assert!(matches!(refused, Err(RegistryError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn a_deleted_pipeline_is_gone_with_all_that_was_its_own() {
    let (_dir, registry) = registry().await;
    let (tv, journal) = (id("acme", "tv"), Journal::new(registry.database.clone()));
    for id in [&tv, &id("acme", "tv2"), &id("other", "tv")] {
        registry.create_pipeline(&admin(), pipeline(id.clone())).await.unwrap();
        journal.begin(&id.tenant, &id.stream, "u").await.unwrap();
        let started = event(&id.tenant, Some(&id.stream), EventKind::Started, Severity::Info);
        registry.add_events(vec![started]).await.unwrap();
    }
    registry.delete_pipeline(&admin(), &tv, true).await.unwrap();
    let again = registry.delete_pipeline(&admin(), &tv, true).await.unwrap_err();
    assert_eq!(again.to_string(), "there is no pipeline \"acme:tv\"");
    assert_eq!(registry.pipeline(&tv).await.unwrap(), None);
    assert!(registry.revisions(&tv, Page::newest(9)).await.unwrap().rows.is_empty());
    // A running pipeline may still write: the journal is removed after it has ended.
    assert!(journal.stream("acme", "tv").await.unwrap().is_some());
    assert_eq!(registry.removals().await.unwrap(), [tv.removal(true)]);
    registry.removed(tv.removal(true)).await.unwrap();
    assert_eq!((journal.stream("acme", "tv").await.unwrap(), registry.removals().await.unwrap()), (None, vec![]));
    for left in ["acme", "other"] {
        let rows = registry.events(EventFilter::all(whole(left)), Page::newest(9)).await.unwrap().rows;
        assert_eq!(rows.len(), 1, "{rows:?}");
    }
    assert!(journal.stream("acme", "tv2").await.unwrap().is_some());
    assert!(journal.stream("other", "tv").await.unwrap().is_some());
    assert_eq!(registry.create_pipeline(&admin(), pipeline(tv)).await.unwrap().row.revision, 1);
}

#[tokio::test]
async fn secrets_are_in_no_audit_line_and_in_no_debug_print() {
    let (_dir, registry) = registry().await;
    let tv = id("acme", "tv");
    let new = NewPipeline { settings: settings("hunter2"), ..pipeline(tv.clone()) };
    let row = registry.create_pipeline(&admin(), new.clone()).await.unwrap().row;
    let changed = registry.update_pipeline(&admin(), &tv, settings("hunter2-b"), None, None).await.unwrap();
    roll_back(&registry, &admin(), &tv, 1, None).await.unwrap();
    let revisions = registry.revisions(&tv, Page::newest(9)).await.unwrap();
    let lines = registry.audit(Scope::All, Page::newest(99)).await.unwrap();
    let printed = format!("{new:?} {row:?} {changed:?} {revisions:?} {lines:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    let updated = lines.rows.iter().find(|line| line.action == "pipeline.update").unwrap();
    assert_eq!(updated.detail, Some(json!({ "revision": 2, "changed": ["destinations[0].url"] })));
    assert!(row.settings.get().to_string().contains("hunter2"));
}
