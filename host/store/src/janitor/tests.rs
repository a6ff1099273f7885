//! Proves that limits hold, that the oldest batches are removed first, and that unfinished batches are always kept.

use std::path::PathBuf;
use std::time::Duration;

use super::rounds::Look;
use super::*;
use crate::files::Storage;
use crate::journal::{CutRecord, Step};

type Events = Arc<Mutex<Vec<(String, StorageEvent)>>>;

struct Case {
    _dir: tempfile::TempDir,
    storage: Storage,
    journal: Journal,
    janitor: Janitor,
    events: Events,
}

struct Recorder(Events);

impl StorageEvents for Recorder {
    fn storage_event(&self, scope: Scope<'_>, event: StorageEvent) {
        let of = match scope {
            Scope::Host => "host".to_owned(),
            Scope::Tenant(tenant) => tenant.to_owned(),
            Scope::Stream(tenant, stream) => format!("{tenant}:{stream}"),
        };
        self.0.lock().unwrap().push((of, event));
    }
}

/// Bytes of each batch: its output and its segment.
const OUTPUT: usize = 90_000;
const SEGMENT: usize = 10_000;
const BATCH: u64 = (OUTPUT + SEGMENT) as u64;

impl Case {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(dir.path()).unwrap();
        let journal = Journal::open(&storage.journal()).unwrap();
        let janitor = Janitor::start(storage.root(), journal.clone(), Some(0));
        let events = Events::default();
        janitor.listen(Arc::new(Recorder(events.clone())));
        Self { _dir: dir, storage, journal, janitor, events }
    }

    /// Creates a stream with one batch of one segment at each step.
    async fn stream(&self, tenant: &str, name: &str, steps: &[Step]) -> StreamJournal {
        let files = self.storage.stream(tenant, name).unwrap();
        let (journal, _) = self.journal.begin(tenant, name, "u").await.unwrap();
        for (number, step) in (0..).zip(steps) {
            std::fs::write(files.make_batch(number).unwrap().join("output.fmp4"), vec![0; OUTPUT]).unwrap();
            std::fs::write(files.segments.join(format!("segment-{number}.ts")), vec![0; SEGMENT]).unwrap();
            let reason = "length".to_owned();
            let cut = CutRecord { number, first: number, last: number, reason, discontinuity: false, complete_ms: 0 };
            journal.segment(None, vec![cut], None).await.unwrap();
            journal.step(number, *step).await.unwrap();
        }
        journal
    }

    async fn run(&self, tenant: &str, name: &str, keep: Keep) -> (Keeper, Arc<Mutex<Vec<StorageEvent>>>) {
        let journal = self.journal.find(tenant, name).await.unwrap().unwrap();
        let told: Arc<Mutex<Vec<StorageEvent>>> = Arc::default();
        let tell = told.clone();
        let tell: Tell = Arc::new(move |event| tell.lock().unwrap().push(event));
        (self.janitor.register((tenant.to_owned(), name.to_owned()), journal, keep, tell), told)
    }

    async fn round(&self) {
        self.janitor.round(Look::All).await;
    }

    /// Numbers of the batches on disk, each with its segment.
    fn on_disk(&self, tenant: &str, name: &str) -> Vec<u64> {
        let files = self.storage.stream(tenant, name).unwrap();
        let segment = |number: &u64| files.segments.join(format!("segment-{number}.ts")).exists();
        (0..100).filter(|number| files.batch(*number).exists()).inspect(|number| assert!(segment(number))).collect()
    }

    fn events(&self) -> Vec<(String, StorageEvent)> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

const KEEP_ALL: Keep = Keep { batches: usize::MAX, max_age: None, max_bytes: None };
const STEPS: [Step; 7] = [Step::Cut, Step::Demuxed, Step::Sent, Step::Decided, Step::Remuxed, Step::OnAir, Step::Done];

#[tokio::test]
async fn a_batch_that_is_not_done_is_never_removed_whatever_is_asked() {
    for round in 0..12 {
        let case = Case::new();
        let mut wanted = Vec::new();
        let mut keepers = Vec::new();
        for (tenant, name) in [("a", "one"), ("a", "two"), ("b", "one")] {
            let steps: Vec<Step> = (0..8).map(|_| STEPS[rand::random_range(0..STEPS.len())]).collect();
            case.stream(tenant, name, &steps).await;
            wanted.push((tenant, name, (0..8).filter(|n| steps[*n as usize] != Step::Done).collect::<Vec<u64>>()));
            if rand::random_bool(0.7) {
                keepers.push(case.run(tenant, name, Keep { batches: 0, ..KEEP_ALL }).await);
            }
        }
        // All reasons at once: no quota, no free byte, no retention, and a manual clean.
        case.janitor.set_quota("a", Some(0));
        case.janitor.set_min_free(Some(u64::MAX / 2));
        case.round().await;
        case.janitor.make_room().await;
        for (tenant, name, _) in &wanted {
            case.janitor.clean(tenant, name, Keep::newest(0)).await.unwrap();
        }
        case.round().await;
        for (tenant, name, kept) in &wanted {
            assert_eq!(&case.on_disk(tenant, name), kept, "{tenant}:{name}, round {round}");
        }
    }
}

#[tokio::test]
async fn a_pipeline_keeps_what_it_is_set_to() {
    let case = Case::new();
    let stream = case.stream("a", "one", &[Step::Done; 6]).await;
    stream.step(6, Step::OnAir).await.unwrap();
    let (keeper, told) = case.run("a", "one", Keep::newest(4)).await;
    case.round().await;
    assert_eq!(case.on_disk("a", "one"), [2, 3, 4, 5]);
    assert_eq!(stream.finished(100).await.unwrap().count, 4, "the journal forgets what is gone");
    drop(keeper);
    let (keeper, _) = case.run("a", "one", Keep { max_bytes: Some(3 * BATCH), ..KEEP_ALL }).await;
    keeper.settle().await;
    assert_eq!(case.on_disk("a", "one"), [3, 4, 5]);
    case.journal.set_done("one", 3, 1000).await;
    drop(keeper);
    let (_keeper, _) = case.run("a", "one", Keep { max_age: Some(Duration::from_secs(3600)), ..KEEP_ALL }).await;
    case.round().await;
    assert_eq!(case.on_disk("a", "one"), [4, 5]);
    assert!(told.lock().unwrap().is_empty() && case.events().is_empty(), "what goes by its settings is no event");
}

#[tokio::test]
async fn over_its_quota_a_tenants_oldest_go_from_all_its_streams_and_nobody_elses() {
    let case = Case::new();
    for (tenant, name) in [("a", "one"), ("a", "two"), ("b", "three")] {
        case.stream(tenant, name, &[Step::Done; 4]).await;
    }
    // No pipeline runs `two`, but its files count.
    let (_keeper, told) = case.run("a", "one", KEEP_ALL).await;
    for number in 0..4 {
        case.journal.set_done("one", number, 1000 + 10 * number).await;
        case.journal.set_done("two", number, 1005 + 10 * number).await;
    }
    case.janitor.set_quota("a", Some(5 * BATCH));
    case.round().await;
    assert_eq!((case.on_disk("a", "one"), case.on_disk("a", "two")), (vec![2, 3], vec![1, 2, 3]));
    assert_eq!(case.on_disk("b", "three").len(), 4);
    let reached = StorageEvent::QuotaReached { used: 8 * BATCH, quota: 5 * BATCH, full: false };
    let cleaned = StorageEvent::Cleaned { batches: 1, bytes: BATCH };
    let of = |scope: &str, event| (scope.to_owned(), event);
    assert_eq!(case.events(), [of("a", reached), of("a:two", cleaned)], "of streams only those that nobody runs");
    assert_eq!(*told.lock().unwrap(), [reached, cleaned, cleaned], "a pipeline is told of its tenant and itself");
    case.round().await;
    assert!(case.events().is_empty(), "told once");
    assert_eq!(case.janitor.refusal("a"), None, "cleaning was enough");
}

#[tokio::test]
async fn where_nothing_is_left_to_remove_the_room_closes_and_opens_again_by_itself() {
    let case = Case::new();
    let stream = case.stream("a", "one", &[Step::OnAir, Step::Remuxed, Step::Cut]).await;
    case.stream("b", "two", &[Step::Cut]).await;
    let (keeper, told) = case.run("a", "one", KEEP_ALL).await;
    let (other, _) = case.run("b", "two", KEEP_ALL).await;
    case.janitor.set_quota("a", Some(2 * BATCH));
    case.round().await;
    let full = NoRoom::Quota { used: 3 * BATCH, quota: 2 * BATCH };
    assert_eq!((keeper.room().refusal(), other.room().refusal()), (Some(full), None));
    let reached = |full| StorageEvent::QuotaReached { used: 3 * BATCH, quota: 2 * BATCH, full };
    assert_eq!(*told.lock().unwrap(), [reached(false), reached(true)]);
    assert_eq!(case.on_disk("a", "one"), [0, 1, 2]);
    let waiting = tokio::spawn({
        let room = keeper.room();
        async move { room.wait(None).await }
    });
    // Removing the first batch does not free enough for another segment.
    stream.step(0, Step::Done).await.unwrap();
    case.round().await;
    assert!(keeper.room().refusal().is_some() && !waiting.is_finished());
    stream.step(1, Step::Done).await.unwrap();
    case.janitor.clean("a", "one", Keep::newest(0)).await.unwrap();
    case.round().await;
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(case.on_disk("a", "one"), [2]);
    assert!(told.lock().unwrap().contains(&StorageEvent::Recovered));
}

#[tokio::test]
async fn on_a_full_disk_the_tenant_that_uses_most_gives_first_and_every_room_closes() {
    let case = Case::new();
    case.stream("small", "one", &[Step::Done, Step::Cut]).await;
    case.stream("large", "two", &[Step::Done, Step::Done, Step::Done, Step::Cut]).await;
    let (keeper, told) = case.run("small", "one", KEEP_ALL).await;
    case.round().await;
    assert!(case.janitor.make_room().await);
    assert_eq!((case.on_disk("large", "two").len(), case.on_disk("small", "one").len()), (3, 2), "one is enough");
    case.events();
    case.janitor.set_min_free(Some(u64::MAX / 2));
    case.round().await;
    assert_eq!((case.on_disk("large", "two"), case.on_disk("small", "one")), (vec![3], vec![1]));
    assert_eq!(keeper.room().refusal(), Some(NoRoom::Disk));
    let host: Vec<_> = case.events().into_iter().filter(|(scope, _)| scope == "host").map(|(_, event)| event).collect();
    assert_eq!(host, [StorageEvent::DiskLow { full: false }, StorageEvent::DiskLow { full: true }]);
    case.janitor.set_min_free(Some(0));
    case.round().await;
    assert_eq!(keeper.room().refusal(), None);
    assert_eq!(told.lock().unwrap().last(), Some(&StorageEvent::Recovered));
}

#[tokio::test]
async fn a_preview_tells_what_cleaning_removes_and_removes_nothing() {
    let case = Case::new();
    let mut steps = [Step::Done; 5];
    steps[1] = Step::OnAir;
    case.stream("a", "one", &steps).await;
    let plan = case.janitor.plan_clean("a", "one", Keep::newest(2)).await.unwrap();
    assert_eq!(plan.iter().map(|batch| (batch.batch, batch.bytes)).collect::<Vec<_>>(), [(0, BATCH), (2, BATCH)]);
    assert_eq!(case.on_disk("a", "one").len(), 5);
    assert_eq!(
        case.janitor.clean("a", "one", Keep::newest(2)).await.unwrap(),
        Cleaned { batches: 2, bytes: 2 * BATCH }
    );
    assert_eq!(case.on_disk("a", "one"), [1, 3, 4]);
    assert_eq!(case.janitor.clean("a", "one", Keep::newest(2)).await.unwrap(), Cleaned::default());
    assert_eq!(case.janitor.plan_clean("a", "nobody", Keep::newest(0)).await.unwrap(), []);
}

#[tokio::test]
async fn a_removed_stream_leaves_nothing_behind() {
    let case = Case::new();
    case.stream("a", "one", &[Step::Done, Step::Cut]).await;
    case.stream("a", "two", &[Step::Cut]).await;
    case.round().await;
    case.janitor.remove_stream("a", "one").await;
    let root: PathBuf = case.storage.root().join("a");
    assert!(!root.join("original_stream/one").exists() && !root.join("processed_fragments/one").exists());
    assert_eq!(case.janitor.usage().tenant("a").all().bytes, BATCH);
    assert_eq!(case.janitor.usage().streams().len(), 1);
}

#[tokio::test]
async fn the_task_works_by_itself_and_ends_with_the_last_handle() {
    let case = Case::new();
    case.stream("a", "one", &[Step::Done; 3]).await;
    let (keeper, _) = case.run("a", "one", Keep::newest(1)).await;
    keeper.released();
    // Removes the files of a batch one by one.
    let files = case.storage.stream("a", "one").unwrap();
    let is_there =
        |number: u64| files.batch(number).exists() || files.segments.join(format!("segment-{number}.ts")).exists();
    let cleaned = async {
        while is_there(0) || is_there(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), cleaned).await.unwrap();
    assert_eq!(case.on_disk("a", "one"), [2]);
    let task = locked(&case.janitor.0.task).clone().unwrap();
    drop((keeper, case.janitor));
    let ended = async {
        while !task.is_finished() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), ended).await.unwrap();
}

#[tokio::test]
async fn what_stays_free_depends_on_the_disk_unless_it_is_set() {
    let case = Case::new();
    case.janitor.set_min_free(None);
    let of = |total| case.janitor.min_free(Space { free: 0, total });
    assert_eq!((of(1 << 40), of(100 << 20)), (STORAGE_MIN_FREE_BYTES, 5 << 20));
    case.janitor.set_min_free(Some(7));
    assert_eq!(of(1 << 40), 7);
}
