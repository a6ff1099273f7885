//! HLS cases of the source, with a scripted origin: what is delivered, in which order, and what is reported about the
//! rest.
//!
//! Media is synthetic and contains its name, so that every file on disk is checked byte by byte; `real_media` uses
//! ffmpeg's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the helpers of tests stop them too")]

mod addresses;
mod encrypted;
mod ended;
mod faults;
mod fixtures;
mod guarded;
mod live;
mod real_media;
mod renditions;
mod start;
mod vod;

use std::path::PathBuf;
use std::time::Duration;

use outboard::media::segment::{Part, Segment};
use outboard::pipeline::source::{
    Gap, GapReason, HeaderHost, Resume, SourceConfig, SourceError, SourceEvent, Track, run,
};
use outboard_tests::origin::{Origin, Reply, name_of, ts};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running source and the folder it writes to.
struct Run {
    events: mpsc::Receiver<SourceEvent>,
    task: JoinHandle<Result<(), SourceError>>,
    cancel: CancellationToken,
    dir: PathBuf,
    last: Option<Segment>,
    _temp: Option<TempDir>,
}

/// A configuration with short delays and a separate folder.
fn config(url: Url) -> (SourceConfig, TempDir) {
    let temp = tempfile::tempdir().unwrap();
    let mut config = SourceConfig::new(url, temp.path().join("stream"));
    config.bounds.reload_min = Duration::from_millis(10);
    config.bounds.retry_step = Duration::from_millis(4);
    (config, temp)
}

impl Run {
    fn start(url: Url) -> Self {
        Self::with(url, |_| {})
    }

    fn with(url: Url, change: impl FnOnce(&mut SourceConfig)) -> Self {
        let (mut config, temp) = config(url);
        change(&mut config);
        let mut run = Self::go(config, None, 16);
        run._temp = Some(temp);
        run
    }

    fn go(config: SourceConfig, resume: Option<Resume>, capacity: usize) -> Self {
        let (sender, events) = mpsc::channel(capacity);
        let cancel = CancellationToken::new();
        let dir = config.dir.clone();
        let task = tokio::spawn(run(config, resume, sender, cancel.clone()));
        Self { events, task, cancel, dir, last: None, _temp: None }
    }

    /// The next event; `None` when the source has dropped the channel.
    async fn event(&mut self) -> Option<SourceEvent> {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("an event in time");
        if let Some(SourceEvent::Segment(segment)) = &event {
            self.last = Some((**segment).clone());
        }
        event
    }

    /// The next event in words.
    async fn told(&mut self) -> String {
        self.event().await.map_or_else(|| "closed".to_owned(), |event| in_words(&event))
    }

    /// The next events in words.
    async fn take(&mut self, count: usize) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..count {
            told.push(self.told().await);
        }
        told
    }

    /// All events after the first up to the end, in words.
    async fn all(mut self) -> Vec<String> {
        let started = self.told().await;
        if !started.starts_with("started") {
            panic!("{started}: {:?}", self.task.await);
        }
        self.all_after_start().await
    }

    /// The remaining events up to the end, in words.
    async fn all_after_start(mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(event) = self.event().await {
            told.push(in_words(&event));
        }
        if let Err(error) = self.task.await.unwrap() {
            panic!("the source failed: {error}");
        }
        assert_eq!(left_over(&self.dir), Vec::<String>::new());
        told
    }

    /// The error with which it ended.
    async fn error(mut self) -> SourceError {
        assert_eq!(self.event().await, None);
        self.task.await.unwrap().expect_err("a source that cannot start")
    }

    async fn stop(self) {
        self.cancel.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("a prompt end").unwrap();
        assert!(ended.is_ok());
        assert_eq!(left_over(&self.dir), Vec::<String>::new());
    }
}

/// Files that are neither segments nor initialization sections.
fn left_over(dir: &PathBuf) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with("segment-") && !name.starts_with("init-")).collect()
}

/// An event in words; a segment as `<index> <name of its media>`, checked byte by byte.
fn in_words(event: &SourceEvent) -> String {
    let track = |track: &Track| if *track == Track::Main { "main" } else { "audio" };
    match event {
        SourceEvent::Started(started) => format!("started {}", if started.live { "live" } else { "vod" }),
        SourceEvent::Segment(segment) => segment_in_words(segment),
        SourceEvent::Gap(Gap { track: of, segments, reason, .. }) => match reason {
            GapReason::GivenUp(_) | GapReason::Unusable(_) => format!("gap {} {segments} given up", track(of)),
            reason => format!("gap {} {segments} {reason:?}", track(of)).to_lowercase(),
        },
        SourceEvent::NewEpoch { track: of, epoch, reason } => {
            format!("epoch {} {epoch} {reason:?}", track(of)).to_lowercase()
        }
        SourceEvent::Stale { track: of, .. } => format!("stale {}", track(of)),
        SourceEvent::Fresh { track: of, .. } => format!("fresh {}", track(of)),
        SourceEvent::Failover { to, .. } => format!("failover {}", to.rsplit('/').next().unwrap_or_default()),
        SourceEvent::Warning(text) => format!("warning {text}"),
        SourceEvent::Ended => "ended".to_owned(),
        other => format!("{other:?}"),
    }
}

fn segment_in_words(segment: &Segment) -> String {
    let mut words = vec![segment.index.to_string(), part_in_words(&segment.main)];
    let name = segment.main.path.file_stem().unwrap().to_str().unwrap();
    assert_eq!(name, format!("segment-{}", segment.index));
    for (number, part) in segment.audio.iter().enumerate() {
        assert_eq!(part.path.file_stem().unwrap().to_str().unwrap(), format!("{name}-audio-{number}"));
        words.push(format!("+{}", part_in_words(part)));
    }
    words.extend(segment.discontinuity.then(|| "disc".to_owned()));
    words.join(" ")
}

fn part_in_words(part: &Part) -> String {
    let media = std::fs::read(&part.path).unwrap();
    assert_eq!(media.len() as u64, part.bytes);
    let name = name_of(&media).unwrap_or_else(|| format!("garbled {} bytes", media.len()));
    match &part.init {
        Some(init) => format!("{name}<{}", name_of(&std::fs::read(init).unwrap()).unwrap_or_default()),
        None => name,
    }
}

/// A live playlist of 0.2 s segments `<name>.ts`; words with `#` are tags.
fn live(sequence: u64, words: &str) -> String {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:0.2\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n");
    for word in words.split_whitespace() {
        text += &if word.starts_with('#') { format!("{word}\n") } else { format!("#EXTINF:0.2,\n{word}.ts\n") };
    }
    text
}

/// The same playlist with ENDLIST.
fn ended(sequence: u64, words: &str) -> String {
    live(sequence, words) + "#EXT-X-ENDLIST\n"
}

/// An origin that serves `/<name>.ts` for each name.
async fn origin_with(names: &str) -> Origin {
    let origin = Origin::start().await;
    for name in names.split_whitespace() {
        origin.put(&format!("/{name}.ts"), Reply::ok(ts(name)));
    }
    origin
}
