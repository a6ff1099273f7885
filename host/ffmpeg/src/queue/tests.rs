//! Whose turn it is, and that no turn is lost.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use tokio::task::JoinSet;

use super::*;

const LIMIT: Duration = Duration::from_secs(120);

/// Takes every slot, with tenants of their own.
async fn fill(queue: &Queue) -> Vec<Permit> {
    let mut permits = Vec::new();
    for n in 0..queue.counts().slots {
        permits.push(queue.tenant(&format!("filler-{n}"), 1).acquire(None).await.unwrap());
    }
    permits
}

/// Starts to wait; the place is taken when this returns.
async fn wait(slots: &Slots, by: Option<Instant>, name: &'static str, order: &RunOrder) -> tokio::task::JoinHandle<()> {
    let before = slots.counts().waiting;
    let (slots_of_task, order) = (slots.clone(), order.clone());
    let task = tokio::spawn(async move {
        let permit = slots_of_task.acquire(by).await.unwrap();
        order.0.lock().unwrap().push(name);
        drop(permit);
    });
    while slots.counts().waiting == before {
        tokio::task::yield_now().await;
    }
    task
}

#[derive(Clone, Default)]
struct RunOrder(Arc<Mutex<Vec<&'static str>>>);

impl RunOrder {
    fn get(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_burst_of_one_tenant_does_not_delay_anothers_single_run() {
    let queue = Queue::new(4);
    let (noisy, quiet) = (queue.tenant("noisy", 100), queue.tenant("quiet", 100));
    let mut running = Vec::new();
    let mut burst: Vec<_> = (0..100).map(|_| Box::pin(noisy.acquire(Some(Instant::now())))).collect();
    for wait in &mut burst {
        running.extend(wait.now_or_never());
    }
    assert_eq!((running.len(), noisy.counts().waiting), (3, 97), "the last slot is kept while another runs nothing");
    let single = quiet.acquire(None).now_or_never();
    assert!(single.unwrap().is_ok(), "there at once, though it is due last");
}

#[tokio::test]
async fn the_next_free_slot_is_the_tenants_that_runs_the_fewest() {
    let queue = Queue::new(2);
    let mut held = fill(&queue).await;
    let order = RunOrder::default();
    let (a, b) = (queue.tenant("a", 10), queue.tenant("b", 10));
    let mut tasks = Vec::new();
    for _ in 0..100 {
        tasks.push(wait(&a, Some(Instant::now()), "a", &order).await);
    }
    tasks.push(wait(&b, None, "b", &order).await);
    drop(held.pop());
    for task in tasks {
        tokio::time::timeout(LIMIT, task).await.unwrap().unwrap();
    }
    let at = order.get().iter().position(|name| *name == "b").unwrap();
    assert!(at <= 1, "b came {at} runs after a's burst");
}

#[tokio::test]
async fn inside_a_tenant_the_run_that_is_due_first_comes_first() {
    let queue = Queue::new(2);
    let mut held = fill(&queue).await;
    let order = RunOrder::default();
    let slots = queue.tenant("a", 1);
    let now = Instant::now();
    let mut tasks = vec![wait(&slots, Some(now + Duration::from_secs(9)), "late", &order).await];
    tasks.push(wait(&slots, None, "any time", &order).await);
    tasks.push(wait(&slots, Some(now + Duration::from_secs(1)), "soon", &order).await);
    tasks.push(wait(&slots, Some(now + Duration::from_secs(1)), "soon too", &order).await);
    drop(held.pop());
    for task in tasks {
        tokio::time::timeout(LIMIT, task).await.unwrap().unwrap();
    }
    assert_eq!(order.get(), ["soon", "soon too", "any time", "late"]);
}

#[tokio::test]
async fn a_tenant_stays_below_its_own_maximum_and_its_maximum_can_rise() {
    let queue = Queue::new(8);
    let slots = queue.tenant("a", 2);
    let held = [slots.acquire(None).await.unwrap(), slots.acquire(None).await.unwrap()];
    let mut third = Box::pin(slots.acquire(None));
    assert!(third.as_mut().now_or_never().is_none());
    assert_eq!((slots.counts().slots, slots.counts().running, slots.counts().waiting), (2, 2, 1));
    let _more = queue.tenant("a", 3);
    assert!(third.as_mut().now_or_never().is_some(), "the new maximum counts at once");
    drop(held);
}

#[tokio::test]
async fn one_that_gives_up_frees_its_place_and_its_turn() {
    let queue = Queue::new(2);
    let mut held = fill(&queue).await;
    let slots = queue.tenant("a", 1);
    let mut gone = Box::pin(slots.acquire(None));
    assert!(gone.as_mut().now_or_never().is_none());
    drop(gone);
    assert_eq!((queue.counts().waiting, queue.counts().running), (0, 2));
    // Its turn comes, but it goes without having looked.
    let mut gone = Box::pin(slots.acquire(None));
    assert!(gone.as_mut().now_or_never().is_none());
    let mut next = Box::pin(slots.acquire(Some(Instant::now() + LIMIT)));
    assert!(next.as_mut().now_or_never().is_none());
    drop(held.pop());
    assert_eq!((queue.counts().waiting, queue.counts().running), (1, 2));
    drop(gone);
    assert!(next.now_or_never().is_some(), "the turn goes to the next one");
}

#[tokio::test]
async fn waiting_runs_are_bounded_and_counted() {
    let queue = Queue::new(2);
    let _held = fill(&queue).await;
    let slots = queue.tenant("a", 1);
    let mut waits: Vec<_> = (0..FFMPEG_WAITING_MAX).map(|_| Box::pin(slots.acquire(None))).collect();
    assert!(waits.iter_mut().all(|wait| wait.as_mut().now_or_never().is_none()));
    let error = slots.acquire(None).await.unwrap_err().to_string();
    assert!(error.contains(&FFMPEG_WAITING_MAX.to_string()), "{error}");
    assert_eq!(queue.counts().waiting, FFMPEG_WAITING_MAX);
    drop(waits);
    drop(slots);
    assert_eq!(queue.counts().waiting, 0);
    assert!(!queue.lock().tenants.contains_key("a"), "a tenant that left is forgotten");
}

/// Many tenants come, wait, run and give up at random, on several threads: all end, and the bounds hold throughout.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_turn_is_lost_and_no_bound_broken_whatever_comes() {
    const TENANTS: usize = 6;
    let queue = Queue::new(5);
    let all = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for n in 0..TENANTS {
        let most = 1 + n % 3;
        let slots = queue.tenant(&format!("tenant-{n}"), most);
        let own = Arc::new(AtomicUsize::new(0));
        for _ in 0..30 {
            let (slots, own, all) = (slots.clone(), own.clone(), all.clone());
            tasks.spawn(async move {
                for _ in 0..40 {
                    let by = rand::random_bool(0.5).then(Instant::now);
                    let patience = if rand::random_bool(0.3) { rand::random_range(0..200) } else { 60_000_000 };
                    let patience = Duration::from_micros(patience);
                    let Ok(permit) = tokio::time::timeout(patience, slots.acquire(by)).await else { continue };
                    assert!(own.fetch_add(1, Ordering::SeqCst) < most);
                    assert!(all.fetch_add(1, Ordering::SeqCst) < 5);
                    for _ in 0..rand::random_range(0..4) {
                        tokio::task::yield_now().await;
                    }
                    own.fetch_sub(1, Ordering::SeqCst);
                    all.fetch_sub(1, Ordering::SeqCst);
                    drop(permit);
                }
            });
        }
    }
    let ended = async {
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
    };
    let counts = || queue.counts();
    assert!(tokio::time::timeout(LIMIT, ended).await.is_ok(), "a turn was lost: {:?}", counts());
    assert_eq!((counts().running, counts().waiting), (0, 0));
    assert!(counts().granted > 1000);
}
