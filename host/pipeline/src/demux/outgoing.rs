//! A batch's sound on its way to the processor, in the form that the processor wants.
//!
//! In: a batch that was split. Out: the wait for its reply, and what was put in front of the batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::batch::Batch;
use crate::levels;
use outboard_exchange::message_framer::{AudioFormat, Fragment, Pcm};
use outboard_exchange::{Audio, Exchange, Outgoing, Pending};
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, FfmpegError, Slots, Turn};
use outboard_media::facts::{BatchFacts, TrackFacts};
use outboard_store::files::names;

// the end of the batch before
pub mod before;
use before::{Following, Joined};

/// Makes fragments of batches and hands them to the exchange.
pub struct FragmentSender {
    /// Sends the fragments to the processor and receives its replies.
    pub exchange: Arc<Exchange>,
    /// Stream id, the first part of each fragment's id.
    pub stream_id: String,
    /// Where conversions wait for their turn.
    pub slots: Slots,
    /// fMP4 gets the packet before its first one as pre-roll.
    pub pre_roll: bool,
}

/// A fragment that was handed to the exchange.
#[derive(Debug)]
pub struct Submitted {
    /// The wait for its reply.
    pub pending: Pending,
    /// The packet of AAC that was put in front of the batch's, hidden by an edit list.
    pub pre_roll: Option<Vec<u8>>,
}

impl FragmentSender {
    /// Hands the sound of a batch to the exchange, once it has the form that the processor wants. `dir`: the batch's folder;
    /// `before`: that of the batch that it goes on after, if there is one. `None`: it has no sound.
    ///
    /// # Errors
    /// [`FfmpegError`]: the sound could not be brought into that form.
    pub(super) async fn send(
        &self,
        batch: &Batch,
        dir: &Path,
        before: Option<&Path>,
        facts: &BatchFacts,
    ) -> Result<Option<Submitted>, FfmpegError> {
        let Some(audio) = facts.audio.as_ref() else { return Ok(None) };
        let format = self.exchange.audio_format();
        let turn = Turn { slots: &self.slots, by: None };
        let mut file = outgoing(dir, before, format, audio, turn).await?;
        let mut pre_roll = None;
        if let (AudioFormat::Fmp4, true, Some(before)) = (format, self.pre_roll, before)
            && let Some((path, packet)) = with_pre_roll(before, dir, audio).await
        {
            (file.path, pre_roll) = (path, Some(packet));
        }
        let fragment = Fragment {
            id: format!("{}-{}", self.stream_id, batch.number),
            stream_id: self.stream_id.clone(),
            batch: batch.number,
            pts_us: audio.first_pts_us(),
            duration_us: audio.duration_us(),
            codec: file.codec.to_owned(),
            sample_rate_hz: file.sample_rate,
            channels: file.channels,
            content_type: file.content_type.to_owned(),
            file_name: file.path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
            created_ms: batch.complete_ms,
            now_ms: 0,
            attempt: 0,
        };
        let pending = self.exchange.submit(Outgoing { fragment, audio: Audio::File(file.path), format });
        Ok(Some(Submitted { pending, pre_roll }))
    }
}

/// The batch's packets with pre-roll, beside the batch's other files.
const WITH_PRE_ROLL: &str = "outgoing.fmp4";

/// Writes the batch's packets behind the last one of the batch `before`, if the batch follows on and has no gaps. Answers the
/// file and that packet; where it cannot be done, the batch is sent without.
pub(crate) async fn with_pre_roll(before: &Path, dir: &Path, audio: &TrackFacts) -> Option<(PathBuf, Vec<u8>)> {
    if !has_no_gap(audio) {
        return None;
    }
    let (packet, bytes) = Following::read(before, dir, audio).await?.with_pre_roll()?;
    let path = dir.join(WITH_PRE_ROLL);
    if let Err(error) = tokio::fs::write(&path, bytes).await {
        tracing::debug!(%error, "the fragment goes out without pre-roll");
        return None;
    }
    Some((path, packet))
}

/// Whether the packets last as long as their times say: a file with pre-roll has no gaps.
fn has_no_gap(audio: &TrackFacts) -> bool {
    let samples = audio.packets.len() as u64 * u64::from(outboard_media::aac::SAMPLES);
    let us = samples * 1_000_000 / u64::from(audio.sample_rate.max(1));
    us.abs_diff(audio.duration_us()) <= before::FOLLOWS_US
}

/// A file in the form that the processor wants.
struct File {
    path: PathBuf,
    codec: &'static str,
    content_type: &'static str,
    sample_rate: u32,
    channels: u32,
}

/// The batch's audio as the processor wants it: as demuxed, or converted with one more ffmpeg run.
async fn outgoing(
    dir: &Path,
    before: Option<&Path>,
    format: AudioFormat,
    audio: &TrackFacts,
    turn: Turn<'_>,
) -> Result<File, FfmpegError> {
    let (rate, channels) = (audio.sample_rate, audio.channels);
    let as_it_is = |name: &str, codec, content_type| File {
        path: dir.join(name),
        codec,
        content_type,
        sample_rate: rate,
        channels,
    };
    let (file, pcm) = match format {
        AudioFormat::Fmp4 => return Ok(as_it_is(names::AUDIO, "aac", "audio/mp4")),
        AudioFormat::Adts => (as_it_is("outgoing.aac", "aac", "audio/aac"), None),
        AudioFormat::Wav(pcm) => (as_it_is("outgoing.wav", "pcm_s16le", "audio/wav"), Some((pcm, "wav"))),
        AudioFormat::Pcm(pcm) => (as_it_is("outgoing.pcm", "pcm_s16le", "audio/L16"), Some((pcm, "s16le"))),
    };
    match pcm {
        None => {
            let mut command = ffmpeg::command("file,pipe");
            command.writes(dir).args(["-f", "mp4", "-i"]).arg(dir.join(names::AUDIO));
            command.args(["-c", "copy", "-f", "adts"]).arg(&file.path);
            turn.output("convert", command, 0, FFMPEG_TIMEOUT).await?;
            Ok(file)
        }
        Some((pcm, format)) => {
            let joined = match before {
                Some(before) => Joined::of(before, dir, audio).await,
                None => None,
            };
            let file = pcm_file(file, pcm);
            let command = pcm_command(dir, &file, format, joined.as_ref(), (rate, channels));
            let converted = turn.output("convert", command, 0, FFMPEG_TIMEOUT).await;
            if let Some(joined) = joined {
                // What is left is removed with its batch.
                let _ = tokio::fs::remove_file(&joined.path).await;
            }
            converted.map(|_| file)
        }
    }
}

fn pcm_file(mut file: File, pcm: Pcm) -> File {
    file.sample_rate = pcm.sample_rate_hz.unwrap_or(file.sample_rate);
    file.channels = pcm.channels.unwrap_or(file.channels);
    file
}

/// Writes `file` in ffmpeg's `format`, of an original with this rate and number of channels.
fn pcm_command(
    dir: &Path,
    file: &File,
    format: &str,
    joined: Option<&Joined>,
    (from_rate, from_channels): (u32, u32),
) -> ffmpeg::Command {
    let mut command = ffmpeg::command("file,pipe");
    command.writes(dir);
    let mix = levels::mix(from_channels, file.channels);
    let filter = match joined {
        Some(joined) => {
            command.args(["-f", "aac", "-i"]).arg(&joined.path);
            joined.filter(from_rate, file.sample_rate, &mix)
        }
        None => {
            command.args(["-f", "mp4", "-i"]).arg(dir.join(names::AUDIO));
            format!("aresample={}{mix}", file.sample_rate)
        }
    };
    let (rate, channels) = (file.sample_rate.to_string(), file.channels.to_string());
    command.args(["-af", &filter, "-c:a", "pcm_s16le", "-ar", &rate, "-ac", &channels, "-f", format]).arg(&file.path);
    command
}

#[cfg(test)]
mod tests;
