//! What went on air, to be looked at: an HLS playlist of the kept batches, and their media for comparison.
//!
//! In: a stream's folders and what the journal says of its batches. Out: answers to HTTP requests below
//! `/preview/<pipeline>/`: `index.m3u8`, and `batch/<n>/{original,processed,output,video}`, with byte ranges. No routes and no
//! sign-in here: whoever calls has checked whose stream it is. Nothing is made for it: every answer is a file that is kept
//! anyway, and each time in the playlist is read from those files.

use std::path::PathBuf;

use axum::http::request::Parts;
use axum::response::Response;

use crate::limits::PREVIEW_BATCHES_MAX;
use crate::pipeline::demux::names;
use crate::store::files::StreamFiles;
use crate::store::journal::{BatchRecord, Journal, JournalError, Step};
use crate::store::page::Page;

mod answer;
mod playlist;

pub use playlist::{Empty, playlist};

/// A batch that is on air or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aired {
    /// Its number.
    pub number: u64,
    /// Unix time in milliseconds when its first packet left.
    pub on_air_ms: Option<u64>,
    /// Its last packet left too.
    pub done: bool,
}

/// What a preview is made of.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The stream's folders.
    pub files: StreamFiles,
    /// Batches that went on air and have files, oldest first.
    pub batches: Vec<Aired>,
    /// Media time on air now, in milliseconds, while the pipeline runs: what is later is not shown yet.
    pub air_ms: Option<u64>,
    /// No batch will follow.
    pub ended: bool,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewRequest {
    /// `index.m3u8`
    Playlist,
    /// `batch/<n>/<media>`
    Batch(u64, Media),
}

/// A batch's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// The sound as it came.
    Original,
    /// The sound that the processor returned; where it was encoded again, as it was heard.
    Processed,
    /// Picture and sound as they went on air.
    Output,
    /// The picture as it came.
    Video,
}

impl PreviewRequest {
    /// Reads a path below `/preview/<pipeline>/`. An extension after the media's name is for players that want one.
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
    /// `None`: nothing of it left, or its files are gone.
    pub fn of(record: &BatchRecord) -> Option<Self> {
        let on_air_ms = record.times.get(Step::OnAir.name()).copied();
        let shown = record.step >= Step::OnAir && !record.cleaned && !record.is_given_up();
        shown.then_some(Self { number: record.number, on_air_ms, done: record.step == Step::Done })
    }

    /// The newest batches of a stream that are to be shown, oldest first.
    pub async fn newest(journal: &Journal, tenant: &str, stream: &str) -> Result<Vec<Self>, JournalError> {
        let listed = journal.batches(tenant, stream, Page::newest(PREVIEW_BATCHES_MAX)).await?;
        let mut aired: Vec<Self> = listed.rows.iter().filter_map(Self::of).collect();
        aired.reverse();
        Ok(aired)
    }
}

/// The file of a batch's media and its type; `None` where it is not kept, or there never was one.
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
        Media::Output => &[(names::OUTPUT, "video/mp4")],
        Media::Video => &[(names::VIDEO, "video/mp4")],
    };
    let dir = files.batch(batch);
    wanted.iter().map(|(name, kind)| (dir.join(name), *kind)).find(|(path, _)| path.is_file())
}

/// Answers a GET or HEAD. What is not there is a plain 404, whatever the reason.
pub async fn serve(preview: Preview, wanted: PreviewRequest, request: &Parts) -> Response {
    match wanted {
        PreviewRequest::Playlist => answer::playlist(preview, request).await,
        PreviewRequest::Batch(number, media) => answer::media(preview.files, number, media, request).await,
    }
}

#[cfg(test)]
mod tests;
