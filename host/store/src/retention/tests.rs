//! Tests which files are removed and which are kept.

use std::time::Duration;

use super::super::files::Storage;
use super::*;

fn held(count: usize, oldest: &[(u64, u64)]) -> Held {
    let candidate = |(n, (bytes, done_ms)): (usize, &(u64, u64))| Candidate {
        batch: n as u64,
        bytes: *bytes,
        done_ms: *done_ms,
        segments: (n as u64, n as u64),
    };
    let oldest: Vec<_> = oldest.iter().enumerate().map(candidate).collect();
    Held { count, bytes: 1000, oldest }
}

#[test]
fn whatever_is_beyond_any_bound_goes_oldest_first() {
    let batches = held(5, &[(100, 10_000), (100, 20_000), (100, 30_000), (100, 40_000), (100, 50_000)]);
    let surplus = |batches_kept, age: Option<u64>, max_bytes| {
        let keep = Keep { batches: batches_kept, max_age: age.map(Duration::from_secs), max_bytes };
        keep.surplus(&batches, 60_000)
    };
    assert_eq!(surplus(5, None, None), 0);
    assert_eq!(surplus(3, None, None), 2);
    assert_eq!(surplus(0, None, None), 5);
    assert_eq!(surplus(100, Some(30), None), 2, "exactly as old as allowed stays");
    assert_eq!(surplus(100, Some(1), None), 5);
    assert_eq!(surplus(100, None, Some(1000)), 0);
    assert_eq!(surplus(100, None, Some(999)), 1);
    assert_eq!(surplus(100, None, Some(750)), 3);
    assert_eq!(surplus(100, None, Some(0)), 5, "no more than what is finished");
    assert_eq!(surplus(4, Some(30), Some(750)), 3, "the strictest bound counts");
    // More batches exist than were listed: the rest is removed in a later round.
    assert_eq!(Keep::newest(1).surplus(&held(10, &[(1, 1), (1, 1)]), 0), 2);
}

struct Files {
    _dir: tempfile::TempDir,
    files: StreamFiles,
}

fn files() -> Files {
    let dir = tempfile::tempdir().unwrap();
    let files = Storage::open(dir.path()).unwrap().stream("default", "tv").unwrap();
    Files { _dir: dir, files }
}

fn touch(path: &Path) {
    std::fs::write(path, b"x").unwrap();
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = list(dir).map(|(name, _)| name).collect();
    names.sort();
    names
}

#[test]
fn a_batch_goes_with_its_segments_and_nothing_else() {
    let Files { _dir, files } = files();
    for number in 0..3 {
        touch(&files.make_batch(number).unwrap().join("output.fmp4"));
    }
    for name in
        ["segment-0.ts", "segment-1.m4s", "segment-1-audio-0.m4s", "segment-10.ts", "segment-2.ts", "init-1.mp4"]
    {
        touch(&files.segments.join(name));
    }
    let batch = FinishedBatch { number: 1, first: 0, last: 1, done_ms: 0 };
    assert_eq!(remove(&files, &[Candidate::new(batch, 0)]), [1]);
    assert_eq!(names(&files.batches), ["batch-0", "batch-2"]);
    assert_eq!(names(&files.segments), ["init-1.mp4", "segment-10.ts", "segment-2.ts"]);
    assert_eq!(remove(&files, &[Candidate::new(batch, 0)]), [1], "what is gone is gone");
}

#[test]
fn initialization_sections_stay_while_a_segment_needs_them_or_may() {
    let Files { _dir, files } = files();
    let init = |name: &str| files.segments.join(name);
    for name in ["init-needed.mp4", "init-old.mp4", "init-gone.mp4", "init-new.mp4", "segment-5.m4s", "segment-6.m4s"] {
        touch(&init(name));
    }
    let long_ago = SystemTime::now() - Duration::from_secs(7200);
    for name in ["init-needed.mp4", "init-old.mp4", "init-gone.mp4"] {
        std::fs::File::options().append(true).open(init(name)).unwrap().set_modified(long_ago).unwrap();
    }
    let since = SystemTime::now() - Duration::from_secs(3600);
    // Segment 4 is no longer on disk.
    let known = [(4, Some(init("init-gone.mp4"))), (5, Some(init("init-needed.mp4"))), (5, None)];
    remove_inits(&files, &known, since);
    assert_eq!(inits(&files).count(), 4, "segment 6 is not known: it may need any of them");
    remove_inits(&files, &[&known[..], &[(6, None)]].concat(), since);
    let mut left: Vec<_> = inits(&files).map(|(path, _)| path).collect();
    left.sort();
    assert_eq!(left, [init("init-needed.mp4"), init("init-new.mp4")]);
}

#[tokio::test]
async fn sweeps_temporary_files_only() {
    let Files { _dir, files } = files();
    let batch = files.make_batch(0).unwrap();
    for name in ["video.fmp4", "audio.fmp4.part"] {
        touch(&batch.join(name));
    }
    sweep(&files).await;
    assert_eq!(names(&batch), ["video.fmp4"]);
}
