//! Real media and batches of it for tests: of this crate, and of others with the feature `testing`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use outboard_egress::spool::ReadyBatch;
use outboard_ffmpeg::{Queue, Slots};
use outboard_media::segment::{Container, Identity, Part, Segment};
use outboard_media::timeline::Timeline;
use outboard_store::files::StreamFiles;

use super::output::series::Series;
use super::{Job, Turn, remux};
use crate::demux::Splitter;

pub struct Media {
    pub dir: tempfile::TempDir,
    pub segments: Vec<Segment>,
}

/// Runs ffmpeg in `dir` with words separated by blanks.
pub fn ffmpeg_in(dir: &Path, words: &str) {
    let status = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y"])
        .args(words.split_whitespace())
        .current_dir(dir)
        .status()
        .unwrap();
    assert!(status.success(), "ffmpeg {words}");
}

pub const PICTURE: &str = "-f lavfi -i testsrc2=s=320x180:r=30:d=6 ";
pub const SOUND: &str = "-f lavfi -i sine=f=440:r=44100:d=6 ";
const CODED: &str = "-c:v libx264 -preset ultrafast -bf 2 -g 30 -sc_threshold 0 -c:a aac ";

impl Media {
    /// Segments of 2 s as HLS makes them: three of [`PICTURE`] and [`SOUND`].
    pub fn new(inputs: &str, hls: &str, container: Container) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let end = if container == Container::MpegTs { "ts" } else { "m4s" };
        let args = format!(
            "{inputs}{CODED}-f hls -hls_time 2 -hls_list_size 0 {hls} -hls_segment_filename segment-%d.{end} live.m3u8"
        );
        ffmpeg_in(dir.path(), &args);
        let init = (container == Container::Fmp4).then(|| dir.path().join("init.mp4"));
        let segments = (0..)
            .take_while(|index| dir.path().join(format!("segment-{index}.{end}")).is_file())
            .map(|index| {
                let path = dir.path().join(format!("segment-{index}.{end}"));
                Segment {
                    index,
                    media_sequence: index,
                    duration: Duration::from_secs(2),
                    discontinuity: false,
                    live: true,
                    identity: Identity { uri: path.display().to_string(), range: None, program_date_time_us: None },
                    cues: Vec::new(),
                    main: Part { bytes: path.metadata().unwrap().len(), path, container, init: init.clone() },
                    audio: Vec::new(),
                }
            })
            .collect();
        Self { dir, segments }
    }

    pub fn ts(inputs: &str) -> Self {
        Self::new(inputs, "", Container::MpegTs)
    }

    pub fn batch(&self) -> PathBuf {
        let dir = self.dir.path().join("batch-0");
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// MD5 of each packet, as an independent reader sees them.
    pub fn hashes(&self, file: &Path, stream: &str) -> Vec<String> {
        let out = Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=data_hash"])
            .args(["-show_data_hash", "md5", "-of", "csv=p=0"])
            .arg(file)
            .output()
            .unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        text.lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
    }

    /// The source's packets in the form that MP4 and FLV hold them.
    pub fn source_hashes(&self, stream: &str) -> Vec<String> {
        let list = self.segments.iter().map(|segment| segment.main.path.file_name().unwrap().to_str().unwrap());
        let list = self.segments[0].main.init.iter().map(|_| "init.mp4").chain(list).collect::<Vec<_>>().join("|");
        let name = format!("all-{}.mp4", stream.replace(':', ""));
        ffmpeg_in(
            self.dir.path(),
            &format!(
                "-i concat:{list} -map 0:{stream} -c copy -bsf:a aac_adtstoasc -movflags empty_moov -f mp4 {name}"
            ),
        );
        self.hashes(&self.dir.path().join(name), stream)
    }
}

pub fn slots() -> Slots {
    Queue::new(2).tenant("test", 2)
}

pub fn splitter() -> Splitter {
    Splitter::new(slots())
}

/// Puts batches on the one timeline, as a pipeline does: each is a list of segments.
pub struct Line {
    pub files: StreamFiles,
    pub timeline: Timeline,
    pub series: Series,
    next: u64,
}

impl Line {
    pub fn new(files: StreamFiles) -> Self {
        Self { files, timeline: Timeline::default(), series: Series::default(), next: 0 }
    }

    /// Answers what is ready for air.
    pub async fn batch(&mut self, segments: &[Segment], discontinuity: bool) -> ReadyBatch {
        let (number, slots) = (self.next, slots());
        self.next += 1;
        let dir = self.files.make_batch(number).unwrap();
        let facts = splitter().split(segments, &dir).await.unwrap();
        let layout = None;
        let placed = self.timeline.place(&facts, discontinuity);
        let turn = Turn { slots: &slots, by: None };
        let (dir, facts, placed) = (&dir, &facts, &placed);
        let job = Job { number, dir, facts, layout, placed, with_audio: true, processed: None, turn };
        let remuxed = remux(job).await.unwrap();
        self.series.write(dir, &remuxed.ready, facts).unwrap();
        remuxed.ready
    }
}
