//! Ten thousand swaps leak nothing.

use std::fs;
use std::time::Duration;

use super::*;

const SWAPS: u32 = 10_000;
/// Number of swaps before the measurement, for one-time allocations.
const WARM: u32 = 500;
/// Accepted growth of the process over the rest, in KiB.
const RSS_MORE_KIB: u64 = 16 << 10;

fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn handles() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// In a separate process, because other tests allocate too.
#[test]
fn memory_handles_and_threads_stay_flat_over_ten_thousand_swaps() {
    const CHILD: &str = "OUTBOARD_TEST_FLAT_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "swaps::flat::memory_handles_and_threads_stay_flat_over_ten_thousand_swaps"])
            .arg("--nocapture")
            .env(CHILD, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}{output:?}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let stages = Stages::bundled().await;
        let guest = faulty("faulty-remux", &json!({})).await;
        let bundled =
            new_version(outboard_tests::guests::runtime().bundled(StageKind::RemuxPlanning).await.unwrap(), "");
        let mut longest = Duration::ZERO;
        let mut before = None;
        for n in 0..WARM + SWAPS {
            if n == WARM {
                before = Some((status("VmRSS"), handles(), status("Threads")));
            }
            let next = NewVersion { probation: 1, fresh: true, ..if n % 2 == 0 { &guest } else { &bundled }.clone() };
            let cut = stages.slots.cut_over(StageKind::RemuxPlanning, &next).await.unwrap();
            longest = longest.max(cut.took);
            let answer = stages.remux.lock().await.plan(&facts(n.into())).await;
            assert!(answer.failure.is_none(), "{n}: {:?}", answer.failure);
            assert!(cut.probation.borrow().end.is_some(), "{n}");
        }
        let (rss, fds, threads) = before.unwrap();
        let after = (status("VmRSS"), handles(), status("Threads"));
        eprintln!(
            "{SWAPS} swaps: RSS {rss} -> {} KiB, handles {fds} -> {}, threads {threads} -> {}, longest {longest:?}",
            after.0, after.1, after.2
        );
        assert!(after.0 <= rss + RSS_MORE_KIB, "RSS from {rss} to {} KiB", after.0);
        assert!(after.1 <= fds && after.2 <= threads, "handles {fds} -> {}, threads {threads} -> {}", after.1, after.2);
    });
}
