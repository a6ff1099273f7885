//! The preview of a stream: an HLS playlist of the batches that went on air and are still stored, and their media for
//! comparison.
//!
//! In: a stream's folders and the journal's records of its batches. Out: responses to HTTP requests below
//! `/preview/<pipeline>/`: `index.m3u8`, and `batch/<n>/{original,processed,output,video}`, with byte ranges. Routes
//! and authentication are the caller's. Nothing is produced for the preview: every response is an existing file, or bytes of
//! such files as the batch's index puts them together ([`output`]), and the times in the playlist are read from the indexes.

use std::path::PathBuf;

use crate::limits::PREVIEW_BATCHES_MAX;
use outboard_pipeline::remux::index::AirIndex;
pub use outboard_pipeline::remux::output::{Output, Reader};
use outboard_store::files::StreamFiles;
use outboard_store::files::names;
use outboard_store::journal::{BatchRecord, Journal, JournalError, Step};
use outboard_store::page::Page;

mod playlist;

pub use playlist::{Empty, playlist};

/// A batch that is or was on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aired {
    /// Number of the batch.
    pub number: u64,
    /// When its first packet was sent, Unix time in milliseconds.
    pub on_air_ms: Option<u64>,
    /// Whether its last packet was sent.
    pub done: bool,
}

/// The input of a preview.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The folders that hold the media files of the stream.
    pub files: StreamFiles,
    /// Batches that went on air and have files, oldest first.
    pub batches: Vec<Aired>,
    /// Media time on air in milliseconds while the pipeline runs; later media is not listed yet.
    pub air_ms: Option<u64>,
    /// Whether no batch will follow.
    pub ended: bool,
}

/// The resource that a client requests of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewRequest {
    /// The media playlist, `index.m3u8`.
    Playlist,
    /// One medium of the batch with this number, `batch/<n>/<media>`.
    Batch(u64, Media),
}

/// A medium of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// The audio from the source.
    Original,
    /// The processor's audio; if it was encoded again, as it went on air.
    Processed,
    /// Video and audio as they went on air.
    Output,
    /// The video from the source.
    Video,
}

impl PreviewRequest {
    /// Parses a path below `/preview/<pipeline>/`. The name of the medium may have an extension, which some players
    /// need.
    pub fn parse(path: &str) -> Option<Self> {
        if path == "index.m3u8" {
            return Some(Self::Playlist);
        }
        let (number, name) = path.strip_prefix("batch/")?.split_once('/')?;
        let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
        let media = match name.split_once('.').map_or(name, |(name, _)| name) {
            "original" => Media::Original,
            "processed" => Media::Processed,
            "output" => Media::Output,
            "video" => Media::Video,
            _ => return None,
        };
        Some(Self::Batch(number, media))
    }
}

impl Aired {
    /// `None` if no packet of it was sent or its files are gone.
    pub fn of(record: &BatchRecord) -> Option<Self> {
        let on_air_ms = record.times.get(Step::OnAir.name()).copied();
        let shown = record.step >= Step::OnAir && !record.cleaned && !record.is_given_up();
        shown.then_some(Self { number: record.number, on_air_ms, done: record.step == Step::Done })
    }

    /// The newest batches of a stream that can be listed, oldest first.
    pub async fn newest(journal: &Journal, tenant: &str, stream: &str) -> Result<Vec<Self>, JournalError> {
        let listed = journal.batches(tenant, stream, Page::newest(PREVIEW_BATCHES_MAX)).await?;
        let mut aired: Vec<Self> = listed.rows.iter().filter_map(Self::of).collect();
        aired.reverse();
        Ok(aired)
    }
}

/// The output of a batch, and when its index was written. `None` if the batch is gone or has no index. Reads the index: blocks.
pub fn output(files: &StreamFiles, batch: u64) -> Option<(Output, std::time::SystemTime)> {
    let dir = files.batch(batch);
    let written = dir.join(names::AIR_INDEX).metadata().and_then(|facts| facts.modified()).ok()?;
    let index = AirIndex::read(&dir).inspect_err(|error| tracing::debug!(batch, %error, "preview")).ok()?;
    Some((Output::of(&index)?, written))
}

/// The file of a batch's medium and its content type; `None` if it does not exist, or is not one file ([`output`]).
pub fn find(files: &StreamFiles, batch: u64, media: Media) -> Option<(PathBuf, &'static str)> {
    let wanted: &[(&str, &str)] = match media {
        Media::Original => &[(names::AUDIO, "audio/mp4")],
        Media::Processed => &[
            (names::PROCESSED_AUDIO, "audio/mp4"),
            ("reply.fmp4", "audio/mp4"),
            ("reply.aac", "audio/aac"),
            ("reply.wav", "audio/wav"),
            ("reply.mp3", "audio/mpeg"),
        ],
        Media::Output => &[],
        Media::Video => &[(names::VIDEO, "video/mp4")],
    };
    let dir = files.batch(batch);
    wanted.iter().map(|(name, kind)| (dir.join(name), *kind)).find(|(path, _)| path.is_file())
}
