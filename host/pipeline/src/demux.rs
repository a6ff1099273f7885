//! batch -> **demux** -> exchange: the [`Demuxer`] takes each batch in order. This file splits one batch into picture and sound,
//! and notes every packet's time.
//!
//! In: the segments of one batch. Out: `video.fmp4`, `audio.fmp4` and `packets.txt` in the batch's folder, from one
//! ffmpeg run that copies every packet. Nothing is cut at the borders: a track may reach over them.

use std::path::{Path, PathBuf};

use crate::limits::PACKET_FACTS_BYTES;
use outboard_base::room;
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, FfmpegError, Slots, Turn};
use outboard_hls::Started;
use outboard_media::facts::{BatchFacts, FactsError, OFFSET};
use outboard_media::segment::Segment;
use outboard_store::files::FilesError;

// the step
pub mod demuxer;
// what ffmpeg reads
mod inputs;
// a batch's sound on its way to the processor
mod outgoing;
// what the step tells
mod report;

pub use demuxer::{DemuxStepError, Demuxed, Demuxer};
use inputs::Inputs;
use outboard_store::files::names;

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
    /// The ffmpeg run failed or exceeded a limit.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// The batch's folder could not be made.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// ffmpeg's list of packets makes no sense.
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
            Self::Unsupported(_) | Self::NoSound { .. } | Self::Facts(_) => false,
        }
    }
}

/// Which tracks a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracks {
    /// The batch has video packets.
    pub video: bool,
    /// The batch has audio packets.
    pub audio: bool,
}

impl Tracks {
    const BOTH: Self = Self { video: true, audio: true };

    fn of(facts: &BatchFacts) -> Self {
        Self { video: facts.video.is_some(), audio: facts.audio.is_some() }
    }
}

/// Splits batches; remembers which tracks the stream has, so that a batch is one ffmpeg run.
#[derive(Debug)]
pub struct Splitter {
    tracks: Tracks,
    slots: Slots,
}

impl Splitter {
    /// For a new stream.
    pub fn new(slots: Slots) -> Self {
        Self { tracks: Tracks::BOTH, slots }
    }

    /// Splits `segments` into files in `dir`, which exists. Files appear whole under their names or not at all.
    pub async fn split(&mut self, segments: &[Segment], dir: &Path) -> Result<BatchFacts, DemuxError> {
        let inputs = Inputs::of(segments)?;
        let mut facts = match self.run(&inputs, dir).await {
            Ok(facts) => facts,
            // Mostly a track that is not there, or a codec that the muxer refuses: look closer. A run that was killed
            // is tried once more.
            Err(DemuxError::Ffmpeg(error @ (FfmpegError::Failed { .. } | FfmpegError::Timeout { .. }))) => {
                if matches!(error, FfmpegError::Timeout { .. }) {
                    tracing::warn!(%error, "demuxing the batch again");
                }
                let found = self.probe(&inputs).await?;
                check_codecs(&found)?;
                self.tracks = Tracks::of(&found);
                self.run(&inputs, dir).await?
            }
            Err(error) => return Err(error),
        };
        check_codecs(&facts)?;
        // A track that came back: the list names what is there, also what was not written.
        if Tracks::of(&facts) != self.tracks {
            self.tracks = Tracks::of(&facts);
            facts = self.run(&inputs, dir).await?;
        }
        for (track, name) in [(&facts.video, names::VIDEO), (&facts.audio, names::AUDIO)] {
            if track.is_some() {
                rename(&part(dir, name), &dir.join(name)).await?;
            }
        }
        rename(&part(dir, names::PACKETS), &dir.join(names::PACKETS)).await?;
        Ok(facts)
    }

    async fn run(&self, inputs: &Inputs, dir: &Path) -> Result<BatchFacts, DemuxError> {
        let mut command = ffmpeg::command("file,pipe,concat");
        inputs.add_to(&mut command);
        command.writes(dir);
        let video_map = "0:v:0";
        let audio_map = format!("{}:a:0", inputs.audio_index());
        // -copyinkf: pictures before the first key frame are packets like any other.
        let copy = ["-c", "copy", "-copyinkf"];
        if self.tracks.video {
            command.args(["-map", video_map]).args(copy);
            command.args(["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof"]);
            command.arg(part(dir, names::VIDEO));
        }
        if self.tracks.audio {
            // ADTS headers do not fit into MP4, and the moov waits for the first packet, which tells how AAC is set up.
            // make_zero: a processor must see a file that starts at 0, not hours of empty edit. 5 s a fragment: one a
            // packet would double the size.
            command.args(["-map", &audio_map]).args(copy).args([
                "-bsf:a",
                "aac_adtstoasc",
                "-frag_duration",
                "5000000",
            ]);
            command.args(["-avoid_negative_ts", "make_zero", "-f", "mp4", "-movflags", "delay_moov+default_base_moof"]);
            command.arg(part(dir, names::AUDIO));
        }
        command.args(["-map", &format!("{video_map}?"), "-map", &format!("{audio_map}?")]);
        command.args(copy).args(["-f", "framecrc", "pipe:1"]);
        let text = self.turn().output("demux", command, PACKET_FACTS_BYTES, FFMPEG_TIMEOUT).await?;
        let mut text = String::from_utf8_lossy(&text).into_owned();
        let mut facts = BatchFacts::parse(&text)?;
        if let Some(offset_us) = inputs.audio.as_ref().unwrap_or(&inputs.main).offset_us {
            text.insert_str(0, &format!("#{OFFSET} {}: {offset_us}\n", u8::from(facts.video.is_some())));
            facts = BatchFacts::parse(&text)?;
        }
        let path = part(dir, names::PACKETS);
        tokio::fs::write(&path, &text).await.map_err(|source| DemuxError::File { path, source })?;
        Ok(facts)
    }

    /// Which tracks there are and how they are coded, without writing them.
    async fn probe(&self, inputs: &Inputs) -> Result<BatchFacts, DemuxError> {
        let mut command = ffmpeg::command("file,pipe,concat");
        inputs.add_to(&mut command);
        let audio_map = format!("{}:a:0?", inputs.audio_index());
        command.args(["-map", "0:v:0?", "-map", &audio_map, "-c", "copy", "-copyinkf", "-f", "framecrc", "pipe:1"]);
        let text = self.turn().output("probe", command, PACKET_FACTS_BYTES, FFMPEG_TIMEOUT).await?;
        Ok(BatchFacts::parse(&String::from_utf8_lossy(&text))?)
    }

    /// Soon: the processor is to have its time.
    fn turn(&self) -> Turn<'_> {
        Turn { slots: &self.slots, by: None }
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

/// What goes on air is FLV with H.264 and AAC, for every kind of destination: SRS and nginx take nothing else.
fn check_codecs(facts: &BatchFacts) -> Result<(), DemuxError> {
    let unsupported = |what: &str, codec: &str, right: &str| {
        Err(DemuxError::Unsupported(format!("the source's {what} codec is {codec}: only {right} can go on air")))
    };
    match (&facts.video, &facts.audio) {
        (Some(video), _) if video.codec != "h264" => unsupported("video", &video.codec, "h264"),
        (_, Some(audio)) if audio.codec != "aac" => unsupported("audio", &audio.codec, "aac"),
        (None, None) => Err(DemuxError::Unsupported("the source has no supported video or audio".into())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_media::facts::{Packet, TrackFacts};

    #[test]
    fn promised_sound_must_be_there() {
        let packet = Packet { dts_us: 0, pts_us: 0, duration_us: 0, size: 1 };
        let track = |packets| Some(TrackFacts { packets, ..TrackFacts::default() });
        let facts = |audio| BatchFacts { video: track(vec![packet]), audio };
        let promise = Started { promised_sound: Some("AUDIO=\"a\"".into()), ..Started::default() };
        for silent in [facts(None), facts(track(Vec::new()))] {
            let why = check_sound(Some(&promise), &silent).unwrap_err().to_string();
            assert!(why.contains("declares audio (AUDIO=\"a\")"), "{why}");
            check_sound(Some(&Started::default()), &silent).unwrap();
            check_sound(None, &silent).unwrap();
        }
        check_sound(Some(&promise), &facts(track(vec![packet]))).unwrap();
    }
}
