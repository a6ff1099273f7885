//! Batches whose packets are copied as they are: the host reads them from the batch's files and writes them to `air.flv`
//! itself, without a process.
//!
//! In: `video.fmp4`, and `audio.fmp4` or the audio that a plan chose (fragmented MP4 or ADTS). Out: the same file, index and
//! counts as [`super::by_ffmpeg`] makes, in the order in which egress sends. It runs on a blocking thread and holds a piece
//! and a packet of each file in memory.

use std::path::PathBuf;

use super::spooling::{Layout, Spooler};
use super::{Job, RemuxError, Remuxed};
use outboard_media::demux::TrackKind;
use outboard_media::facts::TrackFacts;
use outboard_media::flv::body::{CODEC_AVC, FORMAT_AAC};
use outboard_media::flv::{TagKind, metadata};
use outboard_store::files::names;

mod reading;

use reading::Reader;

/// Why a batch was not put together here.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// A file has what is not read here. ffmpeg may read it.
    #[error("{path}: {why}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it has, and what is read here.
        why: String,
    },
    /// A file is torn, or could not be read or written.
    #[error(transparent)]
    Failed(#[from] RemuxError),
}

/// Writes the batch's `air.flv` under its temporary name.
pub(super) async fn run(job: &Job<'_>) -> Result<Remuxed, CopyError> {
    let work = Work::of(job);
    let span = tracing::Span::current();
    let copied = tokio::task::spawn_blocking(move || span.in_scope(|| work.run()));
    copied.await.map_err(|error| RemuxError::Io(std::io::Error::other(error)))?
}

/// A job as far as the copying needs it, with nothing borrowed.
#[derive(Debug)]
struct Work {
    layout: Layout,
    video: Option<(PathBuf, metadata::Video)>,
    audio: Option<(PathBuf, metadata::Audio)>,
}

impl Work {
    fn of(job: &Job<'_>) -> Self {
        let video = job.facts.video.as_ref().map(|track| {
            let (width, height) = track.dimensions;
            let told = metadata::Video { width, height, frame_rate: frame_rate(track) };
            (job.dir.join(names::VIDEO), told)
        });
        let audio = job.facts.audio.as_ref().filter(|_| job.has_audio()).map(|track| {
            let path = job.processed.map_or_else(|| job.dir.join(names::AUDIO), |processed| processed.path.clone());
            // What is copied has the original's rate and channels; what is encoded gets them.
            (path, metadata::Audio { sample_rate: track.sample_rate, channels: track.channels })
        });
        Self { layout: Layout::of(job), video, audio }
    }

    fn run(self) -> Result<Remuxed, CopyError> {
        let Self { layout, video, audio } = self;
        if video.is_none() && audio.is_none() {
            return Err(RemuxError::Missing("a track").into());
        }
        let told = metadata::body(video.as_ref().map(|(_, told)| *told), audio.as_ref().map(|(_, told)| *told));
        // Both are opened before a byte is written: what is not read here is mostly known then.
        let mut video = video.map(|(path, _)| Reader::open(path, TrackKind::Video)).transpose()?;
        let mut audio = audio.map(|(path, _)| Reader::open(path, TrackKind::Audio)).transpose()?;
        let mut spooler = Spooler::create(layout)?;
        spooler.metadata(&told)?;
        if let Some(reader) = &video {
            spooler.header(TagKind::Video, &[&[KEY, 0, 0, 0, 0][..], reader.config()].concat())?;
        }
        if let Some(reader) = &audio {
            spooler.header(TagKind::Audio, &[&[AAC, 0][..], reader.config()].concat())?;
        }
        loop {
            let pictures = video.as_mut().filter(|reader| reader.has_packet());
            let sounds = audio.as_mut().filter(|reader| reader.has_packet());
            match (pictures, sounds) {
                (Some(pictures), sounds) if sounds.is_none() || spooler.picture_first() => {
                    let Some(packet) = pictures.take()? else { continue };
                    spooler.picture(if packet.key.is_key() { KEY } else { INTER }, &packet.data)?;
                }
                (_, Some(sounds)) => {
                    let Some(packet) = sounds.take()? else { continue };
                    spooler.sound(&[&[AAC, 1], &packet.data])?;
                }
                (_, None) => break,
            }
        }
        Ok(spooler.finish()?)
    }
}

/// The first byte of the body of a key frame and of another picture: frame type and codec.
const KEY: u8 = 1 << 4 | CODEC_AVC;
const INTER: u8 = 2 << 4 | CODEC_AVC;
/// The first byte of the body of sound: the format, and what FLV prescribes for AAC (44 kHz, 16 bits, stereo) whatever its
/// configuration says.
const AAC: u8 = FORMAT_AAC << 4 | 0xf;

/// Frames per second in hundredths, so that all batches of a steady stream tell the same; 0 if it is not known.
fn frame_rate(track: &TrackFacts) -> f64 {
    match track.packet_us() {
        0 => 0.0,
        us => (1e8 / us as f64).round() / 100.0,
    }
}
