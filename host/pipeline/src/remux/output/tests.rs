//! The output has what went on air: the same packets, at the same times, and batches follow on.

use std::process::Command;

use super::super::testing::{Line, Media, PICTURE, SOUND};
use super::series::Series;
use super::*;
use outboard_media::facts::BatchFacts;
use outboard_store::files::{Storage, names};

struct Case {
    _storage: tempfile::TempDir,
    line: Line,
}

fn case() -> Case {
    let storage = tempfile::tempdir().unwrap();
    let files = Storage::open(storage.path()).unwrap().stream("default", "tv").unwrap();
    Case { line: Line::new(files), _storage: storage }
}

impl Case {
    /// The output as a file.
    fn output(&self, number: u64) -> PathBuf {
        let dir = self.line.files.batch(number);
        kept::write(&dir).unwrap();
        dir.join(names::OUTPUT)
    }

    fn view(&self, number: u64) -> Output {
        Output::of(&AirIndex::read(&self.line.files.batch(number)).unwrap()).unwrap()
    }

    fn head(&self, number: u64) -> Head {
        self.view(number).head().clone()
    }

    /// The first batch's initialization section and all fragments of these batches, as a player joins them.
    fn joined(&self, numbers: std::ops::Range<u64>) -> Vec<u8> {
        let init = usize::try_from(self.head(numbers.start).init).unwrap();
        let mut bytes = std::fs::read(self.output(numbers.start)).unwrap()[..init].to_vec();
        for number in numbers {
            let first = usize::try_from(self.head(number).fragments[0].offset).unwrap();
            bytes.extend(&std::fs::read(self.output(number)).unwrap()[first..]);
        }
        bytes
    }
}

/// Decoding and presentation time of each packet, as an independent reader sees them.
fn times(file: &std::path::Path, stream: &str) -> Vec<(i64, i64)> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=dts,pts", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let number = |text: &str| text.trim().parse::<i64>().unwrap();
    let pair = |line: &str| line.split_once(',').map(|(pts, dts)| (number(dts.trim_end_matches(',')), number(pts)));
    text.lines().filter_map(pair).collect()
}

fn air_times(tags: &[Tag]) -> Vec<i64> {
    tags.iter().map(|tag| tag.dts_ms.cast_signed()).collect()
}

#[tokio::test]
async fn batches_follow_on_and_every_packet_keeps_its_time_on_air() {
    let media = Media::ts(&format!("{PICTURE}{SOUND}"));
    let mut case = case();
    let mut ready = Vec::new();
    for segment in &media.segments {
        ready.push(case.line.batch(std::slice::from_ref(segment), false).await);
    }
    let file = media.dir.path().join("joined.mp4");
    std::fs::write(&file, case.joined(0..3)).unwrap();
    for (stream, tags) in [("v", ready.iter().flat_map(|batch| &batch.video.tags).copied().collect::<Vec<_>>())]
        .into_iter()
        .chain([("a", ready.iter().flat_map(|batch| &batch.audio.tags).copied().collect())])
    {
        assert_eq!(media.hashes(&file, stream), media.source_hashes(stream), "{stream}");
        let found = times(&file, stream);
        assert_eq!(found.iter().map(|(dts, _)| *dts).collect::<Vec<_>>(), air_times(&tags), "{stream}");
        // Pictures are reordered, so some come later than they are decoded; sound never is.
        assert_eq!(found.iter().any(|(dts, pts)| pts > dts), stream == "v");
    }
    let heads: Vec<Head> = (0..3).map(|number| case.head(number)).collect();
    for pair in heads.windows(2) {
        assert_eq!(pair[1].place.sequence, pair[0].next_sequence());
        assert_eq!(pair[1].place.discontinuity, 0);
        assert_eq!(pair[1].place.start_ms, pair[0].end_ms(), "without a gap");
    }
    assert!(heads.iter().flat_map(|head| &head.fragments).all(|fragment| fragment.independent));
    assert_eq!(heads[0].fragments.len(), 2, "key frames come each second");
    let out =
        Command::new("ffmpeg").args(["-v", "warning", "-i"]).arg(&file).args(["-f", "null", "-"]).output().unwrap();
    assert_eq!((out.status.code(), String::from_utf8_lossy(&out.stderr).as_ref()), (Some(0), ""), "decodes cleanly");
}

#[tokio::test]
async fn a_break_of_tracks_or_time_is_counted_and_a_restart_goes_on() {
    let media = Media::ts(&format!("{PICTURE}{SOUND}"));
    let silent = Media::ts(PICTURE);
    let mut case = case();
    case.line.batch(&media.segments[..1], false).await;
    case.line.batch(&silent.segments[..1], true).await;
    case.line.batch(&media.segments[1..2], true).await;
    let places: Vec<Place> = (0..3).map(|number| case.head(number).place).collect();
    assert_eq!(places.iter().map(|place| place.discontinuity).collect::<Vec<_>>(), [0, 1, 2]);
    // A restart that had begun with batch 3 and does it again.
    case.line.batch(&media.segments[2..], false).await;
    let again = case.head(3);
    case.line.series = Series::resume(&case.line.files, 3);
    assert_eq!(case.line.series.0.as_ref().unwrap().next_sequence, again.place.sequence);
    // Batches that were lost on the way leave a hole in the time.
    case.line.series.0.as_mut().unwrap().end_ms -= 4000;
    case.line.batch(&media.segments[2..], true).await;
    let late = case.head(4).place;
    assert_eq!((late.sequence, late.discontinuity), (again.place.sequence, 3));
    assert!(Series::resume(&case.line.files, 0).0.is_none());
}

/// Every range of the view is that of the file, wherever it begins and ends.
#[tokio::test]
async fn a_range_of_the_view_is_that_of_the_file() {
    let media = Media::ts(&format!("{PICTURE}{SOUND}"));
    let mut case = case();
    case.line.batch(&media.segments[..2], false).await;
    let (file, view) = (std::fs::read(case.output(0)).unwrap(), case.view(0));
    assert_eq!(view.length(), file.len() as u64);
    assert_eq!(view.length(), view.head().end());
    let mut reader = Reader::default();
    let mut read = |at: usize, length: usize| {
        let mut bytes = vec![0; length];
        let filled = reader.read(&view, at as u64, &mut bytes).unwrap();
        bytes.truncate(filled);
        bytes
    };
    let edges: Vec<usize> = view.chunks.iter().map(|chunk| chunk.at as usize).collect();
    assert!(edges.len() > 10, "{edges:?}");
    for (from, edge) in edges.iter().flat_map(|edge| edge.saturating_sub(1)..edge + 2).zip(edges.iter().cycle().skip(3))
    {
        for length in [0, 1, 7, 5000, edge.saturating_sub(from)] {
            let want = &file[from..file.len().min(from + length)];
            assert!(read(from, length) == want, "{length} bytes at {from}");
        }
    }
    assert!(read(0, file.len() + 9) == file);
    assert!(read(file.len(), 9).is_empty() && read(file.len() + 1, 9).is_empty());
    // A file that lost its end since is an error, and no other bytes.
    let path = case.line.files.batch(0).join(names::VIDEO);
    std::fs::File::options().write(true).open(path).unwrap().set_len(1000).unwrap();
    let error = Reader::default().read(&view, 0, &mut vec![0; file.len()]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn sound_alone_has_an_output_too() {
    let media = Media::ts(SOUND);
    let mut case = case();
    let ready = case.line.batch(&media.segments, false).await;
    let file = case.output(0);
    assert_eq!(media.hashes(&file, "a"), media.source_hashes("a"));
    assert_eq!(times(&file, "a").iter().map(|(dts, _)| *dts).collect::<Vec<_>>(), air_times(&ready.audio.tags));
    let head = case.head(0);
    assert!(head.fragments.len() >= 5 && head.fragments.iter().all(|fragment| fragment.independent));
}

#[tokio::test]
async fn an_index_that_cannot_be_written_changes_nothing() {
    let media = Media::ts(PICTURE);
    let mut case = case();
    let ready = case.line.batch(&media.segments[..1], false).await;
    let before = format!("{:?}", case.line.series);
    let facts = BatchFacts::default();
    let elsewhere = case.line.files.make_batch(9).unwrap();
    let error = case.line.series.write(&elsewhere, &ready, &facts).unwrap_err();
    assert!(error.to_string().ends_with("video.fmp4 is not in the batch's folder"), "{error}");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "nothing half-written is left");
    let dir = case.line.files.batch(0);
    std::fs::remove_dir_all(&dir).unwrap();
    let error = case.line.series.write(&dir, &ready, &facts).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(format!("{:?}", case.line.series), before);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_leaves_nothing() {
    let media = Media::ts(PICTURE);
    let mut case = case();
    case.line.batch(&media.segments[..1], false).await;
    let dir = case.line.files.batch(0);
    std::fs::File::options().write(true).open(dir.join(names::VIDEO)).unwrap().set_len(1000).unwrap();
    assert!(kept::write(&dir).is_err());
    let left = |name: &str| dir.join(name).exists();
    assert!(!left(names::OUTPUT) && !left("output.fmp4.part") && left(names::AIR_INDEX));
}
