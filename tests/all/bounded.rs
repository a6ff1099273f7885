//! Law 8: memory stays flat and waiting media is on disk, over 200 short batches.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard_tests::host::Host;
use outboard_tests::media::{Clip, Entry, LiveOrigin, entries};
use outboard_tests::over_borders::over_borders;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::server::resident_kb;

/// Largest accepted growth of the process between batch 50 and batch 200.
const GROWTH_KB: u64 = 6 * 1024;
/// Largest accepted storage with 3 kept batches, those in progress and the source's look-ahead.
const STORAGE_BYTES: u64 = 160 * 1024 * 1024;

fn open_files(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn size(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(facts) if facts.is_dir() => size(&entry.path()),
        Ok(facts) => facts.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

#[tokio::test]
async fn two_hundred_short_batches_leave_memory_and_disk_as_they_were() {
    let clip = Clip::small(60);
    // Frames of sound reach over the border of each batch.
    let packed = tempfile::tempdir().unwrap();
    let over = over_borders(&entries(&clip, false), packed.path());
    let again = |round| {
        over.iter().enumerate().map(move |(n, entry)| Entry { discontinuity: n == 0 && round > 0, ..entry.clone() })
    };
    let programme: Vec<_> = (0..7).flat_map(again).collect();
    let origin = LiveOrigin::vod(programme).await;
    let processor = Processor::start(ServerKind::Node, "echo", &[]).await;
    let storage = tempfile::tempdir().unwrap();
    let to = format!("file://{}", storage.path().join("air.flv").display());
    let options = ["--source", &origin.url, "--processor", &processor.url(), "--to", &to, "--batch-seconds", "2"];
    let more = ["--batches", "205", "--keep-batches", "3", "--speed", "6", "--cushion-seconds", "4"];
    let host = Host::run(&storage.path().join("storage"), &[&options[..], &more[..]].concat());
    let mut samples = Vec::new();
    for batch in [50, 100, 150, 200] {
        host.until(&format!("on air batch={batch} "), Duration::from_secs(120)).await;
        samples.push((resident_kb(host.pid()), open_files(host.pid()), size(&storage.path().join("storage"))));
    }
    let ended = host.ended(Duration::from_secs(60)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!((ended.count("batches"), ended.count("packets_lost")), (205, 0));
    let (early, late) = (samples[0], samples[3]);
    assert!(late.0 <= early.0 + GROWTH_KB, "resident memory in kB, open files, bytes on disk: {samples:?}");
    assert!(late.1 <= early.1 + 5, "open files: {samples:?}");
    assert!(samples.iter().all(|sample| sample.2 <= STORAGE_BYTES), "bytes on disk: {samples:?}");
}
