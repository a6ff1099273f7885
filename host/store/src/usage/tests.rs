//! Tests that counts follow all changes of the files.

use super::super::files::Storage;
use super::*;

struct Stream {
    dir: tempfile::TempDir,
    files: StreamFiles,
    ledger: Ledger,
}

fn stream() -> Stream {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(dir.path()).unwrap();
    let files = storage.stream("acme", "tv").unwrap();
    let ledger = Ledger::new(dir.path());
    Stream { dir, files, ledger }
}

fn write(path: &Path, bytes: usize) {
    std::fs::write(path, vec![0; bytes]).unwrap();
}

impl Stream {
    fn bytes(&self, kind: FileKind) -> (u64, u64) {
        let amount = self.ledger.stream("acme", "tv").of(kind);
        (amount.files, amount.bytes)
    }
}

#[test]
fn every_file_counts_once_under_its_kind() {
    let case = stream();
    let batch = case.files.make_batch(3).unwrap();
    for (name, bytes) in [
        ("video.fmp4", 1000),
        ("audio.fmp4", 200),
        ("processed_audio.fmp4", 30),
        ("reply.wav", 4),
        ("output.fmp4", 5000),
        ("air.index", 60_000),
        ("packets.txt", 700_000),
        ("output.fmp4.part", 8_000_000),
    ] {
        write(&batch.join(name), bytes);
    }
    write(&case.files.segments.join("segment-7.ts"), 11);
    write(&case.files.segments.join("segment-7-audio-0.aac"), 12);
    write(&case.files.segments.join("init-01234567.mp4"), 13);
    write(&case.files.logs.join("today.log"), 14);
    case.ledger.look_at_all();
    assert_eq!(case.bytes(FileKind::OriginalSegments), (2, 23));
    assert_eq!(case.bytes(FileKind::VideoFragments), (1, 1000));
    assert_eq!(case.bytes(FileKind::AudioFragments), (1, 200));
    assert_eq!(case.bytes(FileKind::ProcessedAudio), (2, 34));
    assert_eq!(case.bytes(FileKind::RemuxedOutput), (1, 5000));
    assert_eq!(case.bytes(FileKind::Other), (4, 8_760_013));
    assert_eq!(case.bytes(FileKind::Logs), (1, 14));
    assert_eq!(case.ledger.all().all(), Amount { files: 12, bytes: 8_766_284 });
    assert_eq!(case.ledger.tenant("acme"), case.ledger.all());
    assert_eq!(case.ledger.tenant("other"), Totals::default());
    let folder = 8_766_284 - 23 - 13 - 14;
    assert_eq!(case.ledger.batches("acme", "tv", &[(3, 7, 7), (3, 8, 9), (4, 7, 7)]), [folder + 23, folder, 23]);
}

#[test]
fn a_later_look_sees_what_came_and_what_went() {
    let case = stream();
    let (first, second) = (case.files.make_batch(0).unwrap(), case.files.make_batch(1).unwrap());
    write(&first.join("output.fmp4"), 100);
    write(&second.join("output.fmp4.part"), 10);
    case.ledger.look("acme", "tv");
    let changes = case.ledger.changes();
    assert_eq!((case.bytes(FileKind::RemuxedOutput), case.bytes(FileKind::Other)), ((1, 100), (1, 10)));
    // Writing in place does not change the folder's time.
    write(&second.join("output.fmp4.part"), 1000);
    case.ledger.look("acme", "tv");
    assert_eq!(case.bytes(FileKind::Other), (1, 1000));
    std::fs::rename(second.join("output.fmp4.part"), second.join("output.fmp4")).unwrap();
    std::fs::remove_dir_all(&first).unwrap();
    case.ledger.look("acme", "tv");
    assert_eq!((case.bytes(FileKind::RemuxedOutput), case.bytes(FileKind::Other)), ((1, 1000), (0, 0)));
    assert!(changes.has_changed().unwrap());
}

#[test]
fn a_settled_batch_is_not_counted_again_and_a_changed_one_is() {
    let case = stream();
    let batch = case.files.make_batch(0).unwrap();
    write(&batch.join("output.fmp4"), 100);
    let settle = |seconds_ago: u64| {
        let at = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds_ago);
        std::fs::File::open(&batch).unwrap().set_modified(at).unwrap();
    };
    settle(60);
    case.ledger.look("acme", "tv");
    // Outboard never writes into a file with its final name, so a change that the folder does not show is not detected.
    write(&batch.join("output.fmp4"), 500);
    case.ledger.look("acme", "tv");
    assert_eq!(case.bytes(FileKind::RemuxedOutput), (1, 100), "known, so not counted");
    settle(30);
    case.ledger.look("acme", "tv");
    assert_eq!(case.bytes(FileKind::RemuxedOutput), (1, 500), "the folder changed");
    write(&batch.join("output.fmp4"), 900);
    case.ledger.distrust("acme", "tv");
    assert_eq!(case.ledger.batches("acme", "tv", &[(0, 0, 0)]), [500], "until then it is what is known");
    case.ledger.look("acme", "tv");
    assert_eq!(case.bytes(FileKind::RemuxedOutput), (1, 900), "counted from scratch");
}

#[test]
fn a_stream_that_was_removed_counts_no_more() {
    let case = stream();
    write(&case.files.segments.join("segment-0.ts"), 10);
    case.ledger.look_at_all();
    assert_eq!(case.ledger.streams().len(), 1);
    std::fs::remove_dir_all(case.dir.path().join("acme")).unwrap();
    case.ledger.look_at_all();
    assert_eq!((case.ledger.streams().len(), case.ledger.all()), (0, Totals::default()));
}

#[test]
fn folders_that_are_no_tenants_are_left_out() {
    let case = stream();
    write(&case.files.segments.join("segment-0.ts"), 10);
    std::fs::create_dir_all(case.dir.path().join("aot/deep")).unwrap();
    write(&case.dir.path().join("aot/deep/x.aot"), 100);
    case.ledger.look_at_all();
    assert_eq!(case.ledger.all().all().bytes, 10);
}

#[test]
fn the_file_system_tells_its_room() {
    let case = stream();
    let space = case.ledger.space().unwrap();
    assert!(space.free > 0 && space.free <= space.total, "{space:?}");
}
