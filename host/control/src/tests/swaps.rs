//! Stages of a pipeline that runs are changed: what its settings say while a swap is under way, once it was cut over, and after.

use futures_util::{Stream, StreamExt};

use super::*;
use crate::registry::{SwapRow, SwapState};
use outboard_stage::StageKind;

const KIND: StageKind = StageKind::Batching;

/// A pipeline that runs for as long as the test, without ever having a batch: a probation does not end by itself.
async fn runs(place: &Place) -> (Arc<PipelineHandle>, std::net::TcpListener) {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/live.m3u8", silent.local_addr().unwrap());
    let mut made = new("default", "tv", true);
    made.patch.source = patch(json!({ "source": { "url": url } })).source;
    let handle = place.control.pipelines().create(&local(), made).await.unwrap();
    let mut runs = handle.runs();
    let running = runs.wait_for(|run| run.swaps.is_some());
    tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    (handle, silent)
}

fn length(seconds: u32) -> Change {
    let settings = json!({ "batch_seconds": seconds });
    Change { patch: patch(json!({ "stages": { "batching": { "settings": settings } } })), ..Change::default() }
}

fn set_to(handle: &PipelineHandle) -> Option<Value> {
    handle.settings().stages.of(KIND).settings.clone()
}

/// The first change of a swap that is as wanted.
async fn until(changes: impl Stream<Item = Watched<Arc<SwapRow>>>, wanted: impl Fn(&SwapRow) -> bool) -> Arc<SwapRow> {
    let found = changes.filter_map(|change| {
        std::future::ready(match change {
            Watched::Item(row) => Some(row).filter(|row| wanted(row)),
            Watched::Lost(_) => None,
        })
    });
    let mut found = std::pin::pin!(found);
    tokio::time::timeout(SOON, found.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_settings_of_a_stage_follow_its_cut_over_and_its_way_back() {
    let place = Place::new().await;
    let (handle, _silent) = runs(&place).await;
    let update = async |change: Change| place.control.pipelines().update(&local(), "tv", change).await;
    // Beside the stage, something that is taken on air at once.
    let mut change = length(4);
    change.patch.cushion_seconds = patch(json!({ "cushionSeconds": 3 })).cushion_seconds;
    change.note = Some("shorter".to_owned());
    let changes = place.control.swaps().watch(&local(), Some("tv")).unwrap();
    update(change).await.unwrap();
    assert_eq!(handle.settings().cushion_seconds, Some(3.0));
    let swap = until(changes, |row| row.swap.was_cut_over()).await;
    assert_eq!((swap.swap.state, &swap.swap.next_start), (SwapState::Probation, &None));
    assert_eq!((handle.revision(), set_to(&handle)), (3, Some(json!({ "batch_seconds": 4 }))));
    assert_eq!(handle.settings().stages.of(KIND).previous, Some(outboard_pipeline::settings::PreviousStage::default()));
    let revisions = place.control.history().revisions(&local(), "tv", Page::newest(9)).await.unwrap().rows;
    let notes: Vec<_> = revisions.iter().map(|row| row.note.as_deref()).collect();
    assert_eq!(notes, [Some("shorter"), Some("shorter"), None]);

    // The answer was lost on its way, and the caller asks again; another wish has to wait.
    update(length(4)).await.unwrap();
    assert!(matches!(update(length(5)).await, Err(ControlError::Conflict(_))));
    let back = place.control.swaps().roll_back_stage(&local(), "tv", KIND).await.unwrap();
    assert_eq!((back.id, back.swap.state), (swap.id, SwapState::RolledBack));
    assert_eq!((handle.revision(), set_to(&handle)), (4, None));
    let stored = place.registry().pipeline(handle.id()).await.unwrap().unwrap();
    assert_eq!(stored.settings.get()["stages"]["batching"]["settings"], Value::Null);
}

#[tokio::test]
async fn a_server_that_ends_in_a_swap_starts_with_what_the_settings_were_changed_to() {
    let place = Place::new().await;
    let handle = place.pipeline("default", "tv", false).await;
    // As the process that died had stored it: the wish, and no cut-over.
    let (wish, settings) = (swap_row(&handle), crate::settings_rules::kept(&handle.settings()).unwrap());
    let change = registry::SettingsChange { settings, swaps: vec![wish], ..registry::SettingsChange::default() };
    let (changed, _) = place.registry().change_settings(&local(), handle.id(), change).await.unwrap();
    assert!(!changed.changed, "the stage was all of it");
    let next = Control::open(place.host.clone()).await.unwrap();
    let handle = next.pipelines().get(&local(), "tv").unwrap();
    assert_eq!((handle.revision(), set_to(&handle)), (2, Some(json!({ "batch_seconds": 4 }))));
    assert_eq!(handle.settings().stages.of(KIND).previous, Some(outboard_pipeline::settings::PreviousStage::default()));
    let swap = next.swaps().list(&local(), "tv", Page::newest(1)).await.unwrap().rows.remove(0).swap;
    assert_eq!(swap.state, SwapState::Interrupted);
    assert!(swap.reason.unwrap().ends_with("the pipeline starts with the new version"));
}

fn swap_row(handle: &PipelineHandle) -> registry::SwapRecord {
    let label = json!({ "digest": "sha256:0", "name": "x", "version": "1" });
    let record = json!({
        "kind": "batching", "from": label, "to": label, "settingsChanged": true, "fresh": false,
        "requestedBy": handle.id().tenant, "rollOut": null, "state": "rehearsing", "reason": null, "startedMs": 1,
        "endedMs": null, "steps": [], "rehearsal": null, "probationDone": 0, "probationWanted": 3, "different": 0,
        "evidence": null, "nextStart": { "component": null, "settings": { "batch_seconds": 4 } },
    });
    serde_json::from_value(record).unwrap()
}

#[tokio::test]
async fn what_cannot_be_swapped_in_is_refused_before_anything_is_stored() {
    let place = Place::new().await;
    let (handle, _silent) = runs(&place).await;
    // A component of another kind.
    let all = place.control.components().list(&local(), None).await.unwrap();
    let framing = all.iter().find(|one| one.component.kind == StageKind::Framing).unwrap();
    let digest = framing.component.label().digest;
    let settings = json!({ "cushionSeconds": 3, "stages": { "batching": { "component": digest } } });
    let change = Change { patch: patch(settings), ..Change::default() };
    let refused = place.control.pipelines().update(&local(), "tv", change).await.unwrap_err();
    assert_eq!(refused.problems()[0].path, "stages.batching.component", "{refused}");
    let stored = place.registry().pipeline(handle.id()).await.unwrap().unwrap();
    assert_eq!(
        (stored.revision, handle.settings().cushion_seconds),
        (1, None),
        "of one that was refused nothing is left"
    );
    assert!(place.control.swaps().list(&local(), "tv", Page::newest(9)).await.unwrap().rows.is_empty());
}
