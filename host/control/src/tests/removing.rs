use tracing_subscriber::layer::SubscriberExt;

use super::*;
use crate::id::PipelineId;
use outboard_logs::{Filter, Take};

#[tokio::test]
async fn whoever_gets_a_tenants_name_next_finds_nothing_of_who_had_it() {
    let place = Place::new().await;
    let hub = place.control.history().logs().clone();
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(hub.layer()));
    let lines = |filter: Filter| hub.query(&filter, Take::Last(100), None, None).records;
    let of_tenant = || place.control.history().log_filter(&local(), Some("passing"), None).unwrap();
    place.tenant("passing").await;
    place.pipeline("passing", "tv", false).await;
    let folder = place.fill("passing", "tv");
    tracing::info!(tenant = "passing", stream = "tv", "of the first");
    assert!(lines(of_tenant()).iter().any(|line| &*line.message == "of the first"));
    // Kept on purpose, for whoever has the tenant.
    assert!(place.control.pipelines().delete(&local(), "passing:tv", true).await.unwrap());
    assert!(folder.exists());
    assert!(place.control.tenancy().delete_tenant(&local(), "passing").await.unwrap());
    assert!(!place.dir.path().join("passing").exists(), "the folder stays");

    place.tenant("passing").await;
    place.pipeline("passing", "tv", false).await;
    let of_pipeline = place.control.history().log_filter(&local(), None, Some("passing:tv")).unwrap();
    for filter in [of_tenant(), of_pipeline] {
        assert!(!lines(filter).iter().any(|line| &*line.message == "of the first"), "the next tenant reads it");
    }
    let stored = place.control.storage().view(&local(), Some("passing"), None).unwrap();
    assert_eq!((stored.totals.all().files, stored.pipelines), (0, vec![]));
}

#[tokio::test]
async fn files_that_were_kept_count_until_they_are_cleaned() {
    let place = Place::new().await;
    for stream in ["kept", "other"] {
        place.pipeline("default", stream, false).await;
        place.fill("default", stream);
    }
    let clean = async |id: &str, keep, dry_run| place.control.storage().clean(&local(), id, keep, dry_run).await;
    assert!(place.control.pipelines().delete(&local(), "kept", true).await.unwrap());
    let refused = clean("kept", 5, false).await.unwrap_err();
    assert_eq!(refused.problems()[0].path, "keepBatches", "{refused}");
    let viewer = Actor { role: Role::Viewer, ..local() };
    let denied = place.control.storage().clean(&viewer, "kept", 0, false).await.unwrap_err();
    assert!(matches!(denied, ControlError::Forbidden(_)), "{denied}");
    let stranger = Actor { tenant: Some("nobody".into()), ..local() };
    let denied = place.control.storage().clean(&stranger, "default:kept", 0, false).await.unwrap_err();
    assert_eq!(denied, clean("nothing", 0, false).await.map(drop).unwrap_err().renamed("nothing", "default:kept"));

    // One that is not held, because its settings cannot be read, has not been deleted.
    let unread = registry::NewPipeline {
        id: PipelineId::new("default", "unread").unwrap(),
        settings: json!(null).into(),
        desired: registry::Desired::Stopped,
        origin: registry::Origin::Api,
        note: None,
    };
    place.registry().create_pipeline(&local(), unread).await.unwrap();
    let unread = place.fill("default", "unread");
    assert!(matches!(clean("unread", 0, false).await, Err(ControlError::NotFound(_))));
    assert!(unread.exists());

    let planned = clean("kept", 0, true).await.unwrap();
    assert_eq!((planned.cleaned.batches, planned.cleaned.bytes), (1, 3000));
    place.break_audit(true).await;
    assert!(clean("kept", 0, false).await.is_err());
    place.break_audit(false).await;
    assert_eq!(clean("kept", 0, true).await.unwrap(), planned, "something went without a line in the audit log");
    assert_eq!(clean("kept", 0, false).await.unwrap(), planned);
    let stored = place.control.storage().view(&local(), Some("default"), None).unwrap();
    let left: Vec<_> = stored.pipelines.iter().map(|(id, _)| id.stream.as_str()).collect();
    assert!(left.contains(&"other") && !left.contains(&"kept"), "{left:?}");
    assert!(matches!(clean("kept", 0, false).await, Err(ControlError::NotFound(_))), "there is nothing any more");
    let line = place.audit().await.pop().unwrap();
    assert_eq!((line.action.as_str(), line.target.as_str()), ("storage.clean", "pipeline default:kept"));
    assert_eq!(line.detail, Some(json!({ "keep": 0, "batches": 1, "bytes": 3000 })));
}

impl ControlError {
    /// As it would be said of another name.
    fn renamed(self, from: &str, to: &str) -> Self {
        match self {
            Self::NotFound(text) => Self::NotFound(text.replace(from, to)),
            other => other,
        }
    }
}

#[tokio::test]
async fn what_a_killed_process_was_about_to_remove_is_removed_by_the_next_and_nothing_else() {
    let place = Place::new().await;
    let registry = place.registry();
    let mut folders = Vec::new();
    for (stream, files) in [("doomed", Some(true)), ("kept", Some(false)), ("there", None)] {
        let entry = place.pipeline("default", stream, false).await;
        folders.push(place.fill("default", stream));
        place.host.journal().begin("default", stream, "u").await.unwrap();
        if let Some(files) = files {
            // Killed right behind the commit.
            registry.delete_pipeline(&local(), entry.id(), files).await.unwrap();
        }
    }
    // As `outboard run` leaves it.
    folders.push(place.fill("default", "foreground"));
    place.tenant("gone").await;
    folders.push(place.fill("gone", "tv"));
    registry.delete_tenant(&local(), "gone").await.unwrap();

    let _next = Control::open(place.host.clone()).await.unwrap();
    let left: Vec<bool> = folders.iter().map(|folder| folder.exists()).collect();
    assert_eq!(left, [false, true, true, true, false]);
    assert!(!place.dir.path().join("gone").exists());
    assert_eq!(place.registry().removals().await.unwrap(), []);
    let mut journalled = Vec::new();
    for stream in ["doomed", "kept", "there"] {
        journalled.push(place.host.journal().stream("default", stream).await.unwrap().is_some());
    }
    assert_eq!(journalled, [false, false, true]);
}

#[tokio::test]
async fn a_deletion_that_fails_leaves_the_pipeline_running() {
    let place = Place::new().await;
    let entry = place.pipeline("default", "tv", true).await;
    let folder = place.fill("default", "tv");
    place.break_audit(true).await;
    assert!(place.control.pipelines().delete(&local(), "tv", false).await.is_err());
    place.break_audit(false).await;
    let there = place.control.pipelines().get(&local(), "tv").unwrap();
    assert!(Arc::ptr_eq(&there, &entry) && there.desired_running() && !there.gone().is_cancelled());
    let mut shown = there.snapshots();
    let runs = shown.wait_for(|snapshot| snapshot.run.started_ms.is_some());
    tokio::time::timeout(SOON, runs).await.unwrap().unwrap();
    assert!(folder.exists());
    assert!(place.control.pipelines().delete(&local(), "tv", false).await.unwrap());
    assert!(!folder.exists() && there.gone().is_cancelled());
}

#[tokio::test]
async fn a_slow_deletion_holds_up_only_who_makes_something_new_of_the_same_tenants() {
    let place = Place::new().await;
    for tenant in ["slow", "swift"] {
        place.tenant(tenant).await;
        place.pipeline(tenant, "tv", false).await;
    }
    // As if the files of another pipeline of theirs took long to go.
    let slow = place.control.pipelines().removing().begin("slow").await;
    let control = place.control.clone();
    let making = tokio::spawn(async move { control.pipelines().create(&local(), new("slow", "radio", false)).await });
    place.pipeline("swift", "radio", false).await;
    assert!(place.control.pipelines().delete(&local(), "swift:radio", false).await.unwrap());
    let change = Change { patch: patch(json!({ "batchSeconds": 9 })), ..Change::default() };
    place.control.pipelines().update(&local(), "slow:tv", change).await.unwrap();
    assert!(!making.is_finished());
    drop(slow);
    tokio::time::timeout(SOON, making).await.unwrap().unwrap().unwrap();
}
