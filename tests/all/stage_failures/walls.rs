//! What a guest can access and consume: nothing outside its instance, and only its share.

use super::*;

#[tokio::test]
async fn a_guest_sees_nothing_of_the_world() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let failure = remux(&json!({"fault": "look", "call": "plan"})).await.plan(&facts()).await.failure;
        seen.push(failure.unwrap().to_string());
    }
    // Five milliseconds of sleep: one clock stands still, the other counts readings.
    assert!(seen[0].contains("unix=1577836800 elapsed=1 "), "no clock tells the time: {}", seen[0]);
    assert!(seen[0].contains("env=0 args=0 root=false write=false"), "nothing is there: {}", seen[0]);
    assert_eq!(seen[0], seen[1], "and no two guests can tell each other apart");
}

#[tokio::test]
async fn a_guest_that_hoards_timers_is_stopped() {
    let component = load("hoard-timers").await;
    let mut stage = BatchingStage::open(runtime(), component, orders(&json!({})), 10).await.unwrap();
    let failure = stage.push(segment(0)).await.failure;
    assert!(matches!(failure, Some(StageError::Trap { .. })), "before its time is up: {failure:?}");
}

#[tokio::test]
async fn a_guest_that_talks_without_end_is_heard_in_part() {
    let mut stage = remux(&json!({"fault": "chatter", "call": "plan", "ms": 500})).await;
    assert!(!stage.plan(&facts()).await.is_default());
}

/// On one thread, a neighbour that spins delays only for a tick at a time.
#[tokio::test(flavor = "current_thread")]
async fn a_stage_that_spins_does_not_hold_up_another_pipelines() {
    const CALLS: u64 = 10;
    let mut spinner = remux(&json!({"fault": "spin", "call": "plan"})).await;
    let mut neighbour = remux(&json!({})).await;
    let facts = facts();
    let counters = neighbour.counters().clone();
    let spins = async {
        let failure = spinner.plan(&facts).await.failure;
        // If the spinner had kept the thread, the neighbour would not have been called yet.
        (failure, counters.read().calls)
    };
    let works = async {
        for _ in 0..CALLS {
            assert!(!neighbour.plan(&facts).await.is_default());
            tokio::task::yield_now().await;
        }
    };
    let ((failure, meanwhile), ()) = tokio::join!(spins, works);
    assert!(matches!(failure, Some(StageError::Limit { limit: Limit::Cpu(_), .. })), "{failure:?}");
    assert_eq!(meanwhile, CALLS, "the neighbour was done before the spinner was stopped");
}

#[tokio::test]
async fn instances_are_counted_and_given_back() {
    let config = StageRuntimeConfig { instances: 2, ..StageRuntimeConfig::default() };
    let small = StageRuntime::new(&config).unwrap();
    let component = small.load_file(&path("faulty-remux")).await.unwrap();
    let open = || RemuxStage::open(&small, component.clone(), Opening::default());
    let first = open().await.unwrap();
    let second = open().await.unwrap();
    let third = open().await.err().unwrap();
    assert!(matches!(third, StageError::Limit { limit: Limit::Instances(2), .. }), "{third}");
    drop((first, second));
    assert_eq!(small.instances_free(), 2);
    assert!(open().await.is_ok());
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused_at_the_start_too() {
    let limits = StageLimits { memory_bytes: 64 << 10, ..StageLimits::default() };
    let opening = Opening { limits, ..Opening::default() };
    let error = RemuxStage::open(runtime(), load("faulty-remux").await, opening).await.err().unwrap();
    assert!(matches!(error, StageError::Limit { limit: Limit::Memory(65_536), .. }), "{error}");
}
