//! A swap's row and the settings in the order in which they are stored, and what the next process makes of each state in between.

use super::*;
use outboard_base::unix_time::now_ms;
use outboard_stage::StageKind;

const NEW: &str = "sha256:1";

fn swap(next_start: Option<NextStart>) -> SwapRecord {
    let label = |digest: &str| json!({ "digest": digest, "name": "x", "version": "1" });
    let record = json!({
        "kind": "batching", "from": label("sha256:0"), "to": label(NEW), "settingsChanged": false, "fresh": false,
        "requestedBy": "test", "rollOut": null, "state": "checking", "reason": null, "startedMs": 1, "endedMs": null,
        "steps": [], "rehearsal": null, "probationDone": 0, "probationWanted": 3, "different": 0, "evidence": null,
    });
    SwapRecord { next_start, ..serde_json::from_value(record).unwrap() }
}

fn next_start() -> Option<NextStart> {
    Some(NextStart { component: Some(NEW.to_owned()), settings: Some(json!({ "length": 4 })) })
}

/// Settings as they are once the version is cut over.
fn with_new() -> Hidden<Value> {
    let mut settings = settings("key").take();
    settings["stage"] = json!(NEW);
    settings.into()
}

/// What [`Registry::interrupt_swaps`] is given: the version, put where these tests look for it.
fn settle(stored: &Value, kind: StageKind, to: NextStart) -> Option<Value> {
    assert_eq!(kind, StageKind::Batching);
    let mut settings = stored.clone();
    settings["stage"] = json!(to.component);
    Some(settings)
}

fn cut_over(row: &SwapRow) -> SwapRow {
    let mut row = row.clone();
    row.swap.state = SwapState::Probation;
    row.swap.next_start = None;
    row.swap.steps.push(SwapStepTaken { step: SwapStep::CutOver, at_ms: now_ms(), took_us: 1, detail: None });
    row
}

struct Killed {
    dir: tempfile::TempDir,
    registry: Registry,
    tv: PipelineId,
}

impl Killed {
    async fn with_a_pipeline() -> Self {
        let (dir, registry) = registry().await;
        let tv = id("acme", "tv");
        registry.create_pipeline(&admin(), pipeline(tv.clone())).await.unwrap();
        Self { dir, registry, tv }
    }

    /// The process ends here; the next one finds these swaps in the middle.
    async fn and_started_again(&mut self) -> Vec<SwapRow> {
        self.registry = Registry::new(Database::open(&self.dir.path().join("outboard.db")).unwrap());
        let interrupted = self.registry.interrupt_swaps(settle).await.unwrap();
        assert_eq!(self.registry.interrupt_swaps(settle).await.unwrap(), [], "each is ended once");
        interrupted
    }

    async fn now(&self) -> (u64, Hidden<Value>) {
        let row = self.registry.pipeline(&self.tv).await.unwrap().unwrap();
        (row.revision, row.settings)
    }
}

fn assert_interrupted(rows: &[SwapRow], reason: &str) {
    let [row] = rows else { panic!("one swap was under way: {rows:?}") };
    assert_eq!(row.swap.state, SwapState::Interrupted);
    assert!(row.swap.reason.as_deref().is_some_and(|told| told.ends_with(reason)), "{row:?}");
    assert_eq!(row.swap.next_start, None, "nothing is left to be done");
}

#[tokio::test]
async fn a_swap_that_ends_with_the_process_before_the_cut_over_changes_nothing() {
    let mut killed = Killed::with_a_pipeline().await;
    killed.registry.create_swap(&admin(), &killed.tv, swap(None)).await.unwrap();
    assert_interrupted(&killed.and_started_again().await, "nothing changed");
    assert_eq!(killed.now().await, (1, settings("key")));
}

#[tokio::test]
async fn a_change_of_settings_whose_swap_ends_with_the_process_counts_with_the_next_start() {
    let mut killed = Killed::with_a_pipeline().await;
    let change =
        SettingsChange { settings: settings("two"), swaps: vec![swap(next_start())], ..SettingsChange::default() };
    let (changed, swaps) = killed.registry.change_settings(&admin(), &killed.tv, change).await.unwrap();
    assert_eq!((changed.changed, changed.row.revision, swaps.len()), (true, 2, 1));
    assert_eq!(killed.now().await, (2, settings("two")), "the stage is not what it is changed to yet");
    assert_interrupted(&killed.and_started_again().await, "the pipeline starts with the new version");
    let (revision, now) = killed.now().await;
    assert_eq!((revision, &now.get()["stage"]), (3, &json!(NEW)));
    assert_eq!(now.get()["destinations"], settings("two").get()["destinations"], "the rest stays");
    let newest = killed.registry.revisions(&killed.tv, Page::newest(1)).await.unwrap().rows.remove(0);
    assert!(newest.note.unwrap().starts_with(&format!("swap {}", swaps[0].id)));
}

#[tokio::test]
async fn a_swap_that_ends_with_the_process_after_the_cut_over_keeps_the_new_version() {
    for next_start in [None, next_start()] {
        let mut killed = Killed::with_a_pipeline().await;
        let row = killed.registry.create_swap(&admin(), &killed.tv, swap(next_start)).await.unwrap();
        killed.registry.settle_swap(&admin(), &cut_over(&row), with_new(), "swap".into()).await.unwrap();
        assert_interrupted(&killed.and_started_again().await, "the new version stays");
        assert_eq!(killed.now().await, (2, with_new()));
    }
}

#[tokio::test]
async fn a_version_that_was_taken_back_is_in_no_settings_and_its_swap_is_over() {
    let mut killed = Killed::with_a_pipeline().await;
    let row = killed.registry.create_swap(&admin(), &killed.tv, swap(None)).await.unwrap();
    let mut row = cut_over(&row);
    killed.registry.settle_swap(&admin(), &row, with_new(), "swap".into()).await.unwrap();
    row.swap.state = SwapState::RolledBack;
    killed.registry.settle_swap(&admin(), &row, settings("key"), "rolled back".into()).await.unwrap();
    assert_eq!(killed.and_started_again().await, []);
    assert_eq!(killed.now().await, (3, settings("key")));
}

#[tokio::test]
async fn a_swap_and_its_settings_are_stored_together_or_not_at_all() {
    let killed = Killed::with_a_pipeline().await;
    let row = killed.registry.create_swap(&admin(), &killed.tv, swap(None)).await.unwrap();
    // What is written last fails.
    let rename = "ALTER TABLE audit RENAME TO away";
    killed.registry.write(move |transaction| Ok(transaction.execute_batch(rename)?)).await.unwrap();
    killed.registry.settle_swap(&admin(), &cut_over(&row), with_new(), "swap".into()).await.unwrap_err();
    let change =
        SettingsChange { settings: settings("two"), swaps: vec![swap(next_start())], ..SettingsChange::default() };
    killed.registry.change_settings(&admin(), &killed.tv, change).await.unwrap_err();
    assert_eq!(killed.registry.swap(row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(killed.now().await, (1, settings("key")));
    let rename = "ALTER TABLE away RENAME TO audit";
    killed.registry.write(move |transaction| Ok(transaction.execute_batch(rename)?)).await.unwrap();

    // So is a change of what the caller did not see.
    let swaps = vec![swap(next_start())];
    let change = SettingsChange { settings: settings("key"), expected: Some(9), swaps, ..SettingsChange::default() };
    let refused = killed.registry.change_settings(&admin(), &killed.tv, change).await;
    assert!(matches!(refused, Err(RegistryError::Conflict(_))), "{refused:?}");
    let swaps = killed.registry.swaps(&killed.tv, Page::newest(9)).await.unwrap().rows;
    assert_eq!(swaps, [row]);
}
