//! batch -> **demux** -> exchange: the [`Demuxer`] takes each segment as it comes, and each cut. The [`Splitter`] splits the
//! segments into picture and sound, and notes every packet's time. This file has what both check and the errors.
//!
//! In: the segments of the batch that is open, and its end. Out: `video.fmp4`, `audio.fmp4` and `packets.txt` in the batch's
//! folder. Nothing is cut at the borders of segments and batches: a unit that reaches over one is in the later batch.

use std::path::{Path, PathBuf};

use crate::limits::BATCH_PACKETS_MAX;
use outboard_base::room;
use outboard_ffmpeg::FfmpegError;
use outboard_hls::Started;
use outboard_media::demux::TrackKind;
use outboard_media::facts::{BatchFacts, FactsError};
use outboard_media::layout::TrackLayout;
use outboard_store::files::FilesError;

// the step
pub mod demuxer;
// one batch after the other, in the process or with ffmpeg
pub mod splitter;
// the segments of the open batch
mod waiting;
// in the process: the demuxers of a run, an input of them, the open batch, a track of it, what is counted
mod codecs;
mod counts;
mod feed;
mod open;
mod reader;
mod track;
// sound that is not AAC
mod encoded;
// with ffmpeg, and what it reads
mod inputs;
mod with_ffmpeg;
// what a source has, for a dry run
pub mod survey;
// a batch's sound on its way to the processor
pub(crate) mod outgoing;
// what the step tells
mod report;

pub use counts::Counts;
pub use demuxer::{DemuxStepError, Demuxed, Demuxer};
pub use encoded::Encoded;
use outboard_store::files::names;
pub use report::by_ffmpeg;
pub use splitter::{Split, Splitter};
pub use waiting::Waiting;

/// Where the packets of a batch are in its files. A track is `None` if it has no file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// Of `video.fmp4`.
    pub video: Option<TrackLayout>,
    /// Of `audio.fmp4`.
    pub audio: Option<TrackLayout>,
}

/// Why a batch could not be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum DemuxError {
    /// The stream has what RTMP cannot carry. Trying again does not help.
    #[error("{0}")]
    Unsupported(String),
    /// The master playlist promises sound, and the media has none. Trying again does not help.
    #[error(
        "the playlist declares audio ({promise}), but the segments have none; to send video without audio, set the source to the variant's media playlist"
    )]
    NoSound {
        /// The attribute of the master playlist that declares audio, such as `CODECS="mp4a.40.2"`.
        promise: String,
    },
    /// A batch has more packets than any stream needs.
    #[error("the batch has more than {BATCH_PACKETS_MAX} packets of {kind}")]
    TooManyPackets {
        /// The track that has them.
        kind: TrackKind,
    },
    /// An ffmpeg run failed or exceeded a limit.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// The batch's folder could not be made.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A list of packets makes no sense.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// A file of the batch could not be written or read.
    #[error("{path}: {source}")]
    File {
        /// The file that could not be read or written.
        path: PathBuf,
        /// The system's error for that file.
        source: std::io::Error,
    },
}

impl DemuxError {
    /// Another segment of the same stream may do: a run of ffmpeg was killed, or the disk was full.
    pub fn may_pass(&self) -> bool {
        self.is_disk_full() || matches!(self, Self::Ffmpeg(FfmpegError::Timeout { .. }))
    }

    /// The disk is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Ffmpeg(error) => error.is_disk_full(),
            Self::Files(error) => error.is_disk_full(),
            Self::File { source, .. } => room::is_full(source),
            Self::Unsupported(_) | Self::NoSound { .. } | Self::TooManyPackets { .. } | Self::Facts(_) => false,
        }
    }
}

/// The facts of a batch that was demuxed before a restart.
pub async fn reload(dir: &Path) -> Result<BatchFacts, DemuxError> {
    let path = dir.join(names::PACKETS);
    let text = tokio::fs::read_to_string(&path).await.map_err(|source| DemuxError::File { path, source })?;
    Ok(BatchFacts::parse(&text)?)
}

/// The temporary name of a file that is being written.
pub fn part(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.part"))
}

/// Renames, with the file in the error.
pub async fn rename(from: &Path, to: &Path) -> Result<(), DemuxError> {
    tokio::fs::rename(from, to).await.map_err(|source| DemuxError::File { path: from.to_owned(), source })
}

/// Holds the media against what the master playlist promises.
///
/// # Errors
/// [`DemuxError::NoSound`] if the playlist promises audio and the batch has none.
pub fn check_sound(started: Option<&Started>, facts: &BatchFacts) -> Result<(), DemuxError> {
    let promise = started.and_then(|started| started.promised_sound.clone());
    match promise.filter(|_| !has_sound(facts)) {
        Some(promise) => Err(DemuxError::NoSound { promise }),
        None => Ok(()),
    }
}

/// Whether there is a packet of sound: a track may be announced without any.
pub fn has_sound(facts: &BatchFacts) -> bool {
    facts.audio.as_ref().is_some_and(|track| !track.packets.is_empty())
}

/// Codecs that can go on air, in ffmpeg's names.
struct Carried {
    video: &'static [&'static str],
    audio: &'static [&'static str],
}

/// From our own demuxer: pictures go on air as they are, sound is AAC or is encoded to it.
const OURS: Carried =
    Carried { video: &["h264", "hevc", "av1"], audio: &["aac", "mp3", "mp2", "mp1", "ac3", "eac3", "opus"] };
/// Where ffmpeg demuxes.
const OF_FFMPEG: Carried = Carried { video: &["h264"], audio: &["aac"] };

/// How a track of this codec goes on air, in words. What cannot is refused by [`Splitter::next`].
pub fn on_air(codec: &str) -> &'static str {
    match codec {
        "hevc" | "av1" => "goes on air unchanged at destinations that take enhanced RTMP",
        _ => "goes on air unchanged",
    }
}

/// Whether a batch can go on air. What each destination takes is its own matter.
fn check_codecs(facts: &BatchFacts, carried: &Carried) -> Result<(), DemuxError> {
    // What our own demuxer takes is named, except where only ffmpeg's way stands between a codec and air.
    let unsupported = |what: &str, codec: &str, right: &[&str], ours: &[&str]| {
        let right = in_words(if ours.contains(&codec) { right } else { ours });
        Err(DemuxError::Unsupported(format!("the source's {what} codec is {codec}: only {right} can go on air")))
    };
    match (&facts.video, &facts.audio) {
        (Some(video), _) if !carried.video.contains(&video.codec.as_str()) => {
            unsupported("video", &video.codec, carried.video, OURS.video)
        }
        (_, Some(audio)) if !carried.audio.contains(&audio.codec.as_str()) => {
            unsupported("audio", &audio.codec, carried.audio, OURS.audio)
        }
        (None, None) => Err(DemuxError::Unsupported("the source has no supported video or audio".into())),
        _ => Ok(()),
    }
}

/// "a, b and c".
fn in_words(names: &[&str]) -> String {
    match names {
        [names @ .., last] if !names.is_empty() => format!("{} and {last}", names.join(", ")),
        names => names.concat(),
    }
}

#[cfg(test)]
mod tests;
