//! A hundred tenants whose stages spin do not delay one whose stage is quick.

use std::time::{Duration, Instant};

use outboard::stage::{Opening, RemuxStage, StageLabels};

use super::*;

/// Number of stages that spin.
pub(crate) const CROWD: usize = 100;
const ASKED: usize = 400;

async fn measure() -> (Duration, Duration) {
    let guest = load("faulty-remux").await;
    let spins = json!({ "fault": "spin", "call": "plan" });
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..CROWD {
        let labels = StageLabels::new(format!("tenant-{n}"), "tv");
        let opening = Opening { labels, ..orders(&spins) };
        let mut stage = RemuxStage::open(runtime(), guest.clone(), opening).await.unwrap();
        crowd.spawn(async move {
            loop {
                assert!(stage.plan(&facts(0)).await.is_default());
                tokio::task::yield_now().await;
            }
        });
    }
    let stages = Stages::bundled().await;
    let mut took = Vec::new();
    for batch in 0..ASKED {
        let began = Instant::now();
        let answer = stages.remux.lock().await.plan(&facts(batch as u64)).await;
        took.push(began.elapsed());
        assert!(answer.failure.is_none(), "{:?}", answer.failure);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    crowd.abort_all();
    took.sort();
    (took[ASKED / 2], took[ASKED * 99 / 100])
}

/// The median and the 99th percentile of the quick stage's calls.
pub(crate) fn measured() -> (Duration, Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure())
}
