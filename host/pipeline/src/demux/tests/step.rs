//! The step as a whole: what comes out of it, whatever happens to the files while segments come.

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::{Demuxed, Demuxer, Splitter, Waiting, reload};
use super::cuts::{clip, cut, made};
use super::stream::Stream;
use crate::batch::{Batch, Decided};
use crate::remux::testing::{SOUND, slots};
use crate::report::tests::Case;
use outboard_base::room::Room;
use outboard_media::demux::repack::{Pack, Random, units};
use outboard_media::segment::{Container, Segment};
use outboard_media::timeline::Timeline;
use outboard_store::files::{Storage, StreamFiles, names};

/// A step that takes what a batcher decides, one by one.
struct Step {
    storage: tempfile::TempDir,
    files: StreamFiles,
    case: Case,
    decided: mpsc::Sender<Decided>,
    demuxed: mpsc::Receiver<Demuxed>,
}

impl Step {
    async fn new() -> Self {
        let storage = tempfile::tempdir().unwrap();
        let files = Storage::open(storage.path()).unwrap().stream("default", "tv").unwrap();
        let case = Case::new().await;
        let demuxer = Demuxer {
            splitter: Splitter::new(slots()),
            waiting: Waiting::default(),
            before: Vec::new(),
            timeline: Timeline::default(),
            files: files.clone(),
            reporter: case.reporter.clone(),
            sender: None,
            room: Room::default(),
            silent: false,
        };
        // Each is taken only once the one before it is done.
        let (decided, decided_in) = mpsc::channel(1);
        let (demuxed_out, demuxed) = mpsc::channel(8);
        tokio::spawn(async move { demuxer.run(Vec::new(), decided_in, demuxed_out).await.unwrap() });
        Self { storage, files, case, decided, demuxed }
    }

    /// Gives it a segment; when this returns, the one before it is done.
    async fn segment(&self, batch: u64, segment: &Segment) {
        let segment = Box::new(segment.clone());
        self.decided.send(Decided::Segment { batch, segment }).await.unwrap();
    }

    /// When this returns, all that was given to it is done.
    async fn settled(&self) {
        // The newest is taken out of the channel when the one before is done.
        let _all = self.decided.reserve().await.unwrap();
    }

    async fn cut(&mut self, number: u64, segments: &[Segment], last: bool) -> Demuxed {
        let batch = Batch {
            number,
            segments: segments.to_vec(),
            discontinuity: false,
            last,
            complete: Instant::now(),
            complete_ms: 0,
            open: std::time::Duration::ZERO,
        };
        self.decided.send(Decided::Cut(batch)).await.unwrap();
        self.demuxed.recv().await.unwrap()
    }
}

fn packets(of: &[&Demuxed]) -> u64 {
    of.iter().map(|demuxed| demuxed.facts.packets()).sum()
}

#[tokio::test]
async fn segments_are_in_the_files_of_the_open_batch_before_it_is_cut() {
    let stream = Stream::ts(&cut(&clip(), 6, &mut Random(11)));
    let whole = stream.whole().await;
    let mut step = Step::new().await;
    let all = &stream.segments;
    for segment in &all[..4] {
        step.segment(0, segment).await;
    }
    // The fifth is taken once the fourth is done.
    step.segment(0, &all[4]).await;
    step.settled().await;
    let part = step.files.batch(0).join(format!("{}.part", names::VIDEO));
    let read: u64 = all[..3].iter().map(|segment| segment.main.bytes).sum();
    let written = std::fs::metadata(&part).unwrap().len();
    assert!(written > read / 2, "{written} bytes are written of {read} that were read");
    let first = step.cut(0, &all[..2], false).await;
    let second = step.cut(1, &all[2..], true).await;
    assert_eq!(packets(&[&first, &second]), whole.facts.packets());
    assert_eq!(reload(&step.files.batch(1)).await.unwrap(), second.facts);
    let stats = step.case.reporter.status.get();
    assert_eq!(stats.packets_in, whole.facts.packets());
    let timings = step.case.reporter.status.timings().read();
    assert_eq!(timings.step(crate::timings::Step::Demux).count(), 2, "one for each batch");
}

#[tokio::test]
async fn a_segment_that_was_removed_before_its_turn_is_left_out_and_told() {
    let segments = Pack::default().segments(&units(&clip()));
    let stream = Stream::ts(&segments);
    let whole = stream.whole().await;
    let mut step = Step::new().await;
    std::fs::remove_file(&stream.segments[1].main.path).unwrap();
    for segment in &stream.segments[..4] {
        step.segment(0, segment).await;
    }
    let batch = step.cut(0, &stream.segments, true).await;
    let missing = whole.facts.packets() - batch.facts.packets();
    assert!((60..=80).contains(&missing), "{missing} packets of the second segment are missing");
    let event = step.case.events.try_recv().unwrap();
    assert_eq!(event.message, "batch 0: 1 of its segments were removed from the disk; it goes on without");
    assert_eq!(step.case.reporter.status.get().gaps["removed"], 1);
}

#[tokio::test]
async fn a_batch_whose_folder_was_removed_is_made_again_of_its_segments() {
    let stream = Stream::ts(&cut(&clip(), 6, &mut Random(12)));
    let whole = stream.whole().await;
    let mut step = Step::new().await;
    for segment in &stream.segments[..5] {
        step.segment(0, segment).await;
    }
    step.settled().await;
    std::fs::remove_dir_all(step.storage.path().join("default/processed_fragments")).unwrap();
    let batch = step.cut(0, &stream.segments, true).await;
    assert_eq!(packets(&[&batch]), whole.facts.packets());
    assert!(step.files.batch(0).join(names::VIDEO).is_file());
}

/// Where ffmpeg splits the batches, nothing of them is on disk before they are cut, not even their folders.
#[tokio::test]
async fn batches_that_ffmpeg_splits_have_folders_of_their_own() {
    let segments: Vec<_> = (0..4).map(|_| made(SOUND, "-ar 48000 -t 1", "a.aac")).collect();
    let stream = Stream::new(Container::PackedAac, None, &segments);
    let mut step = Step::new().await;
    for (number, segment) in stream.segments.iter().enumerate() {
        let number = number as u64;
        step.segment(number, segment).await;
        let batch = step.cut(number, std::slice::from_ref(segment), number == 3).await;
        assert!(packets(&[&batch]) > 40, "batch {number}: {:?}", batch.facts);
        assert!(step.files.batch(number).join(names::AUDIO).is_file());
    }
    assert_eq!(step.case.reporter.status.get().failed.len(), 0);
}

#[tokio::test]
async fn a_batch_without_any_segment_left_is_lost_and_the_next_one_goes_on() {
    let segments = Pack::default().segments(&units(&clip()));
    let stream = Stream::ts(&segments);
    let mut step = Step::new().await;
    let first = step.cut(0, &stream.segments[..2], false).await;
    stream.segments[2..4].iter().for_each(|segment| std::fs::remove_file(&segment.main.path).unwrap());
    step.segment(1, &stream.segments[2]).await;
    let lost = step.cut(1, &stream.segments[2..4], false).await;
    assert_eq!(lost.facts.packets(), 0);
    let third = step.cut(2, &stream.segments[4..], true).await;
    assert!(first.facts.packets() > 0 && third.facts.packets() > 0);
    let event = step.case.events.try_recv().unwrap();
    assert!(event.message.starts_with("batch 1 is lost: "), "{}", event.message);
    assert_eq!(step.case.reporter.status.get().gaps["removed"], 2);
}
