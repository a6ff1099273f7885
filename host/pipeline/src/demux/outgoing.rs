//! A batch's sound on its way to the processor, in the form that the processor wants.
//!
//! In: a batch that was split. Out: the wait for its reply.

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

/// Makes fragments of batches and hands them to the exchange.
pub struct FragmentSender {
    /// Sends the fragments to the processor and receives its replies.
    pub exchange: Arc<Exchange>,
    /// Stream id, the first part of each fragment's id.
    pub stream_id: String,
    /// Where conversions wait for their turn.
    pub slots: Slots,
}

impl FragmentSender {
    /// Hands the sound of a batch to the exchange, once it has the form that the processor wants. `dir`: the batch's folder.
    /// `None`: it has no sound.
    ///
    /// # Errors
    /// [`FfmpegError`]: the sound could not be brought into that form.
    pub(super) async fn send(
        &self,
        batch: &Batch,
        dir: &Path,
        facts: &BatchFacts,
    ) -> Result<Option<Pending>, FfmpegError> {
        let Some(audio) = facts.audio.as_ref() else { return Ok(None) };
        let format = self.exchange.audio_format();
        let file = outgoing(dir, format, audio, Turn { slots: &self.slots, by: None }).await?;
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
        Ok(Some(self.exchange.submit(Outgoing { fragment, audio: Audio::File(file.path), format })))
    }
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
async fn outgoing(dir: &Path, format: AudioFormat, audio: &TrackFacts, turn: Turn<'_>) -> Result<File, FfmpegError> {
    let (rate, channels) = (audio.sample_rate, audio.channels);
    let as_it_is = |name: &str, codec, content_type| File {
        path: dir.join(name),
        codec,
        content_type,
        sample_rate: rate,
        channels,
    };
    let (file, arguments): (File, Vec<String>) = match format {
        AudioFormat::Fmp4 => return Ok(as_it_is(names::AUDIO, "aac", "audio/mp4")),
        AudioFormat::Adts => {
            (as_it_is("outgoing.aac", "aac", "audio/aac"), ["-c", "copy", "-f", "adts"].map(Into::into).into())
        }
        AudioFormat::Wav(pcm) => pcm_file(as_it_is("outgoing.wav", "pcm_s16le", "audio/wav"), pcm, "wav"),
        AudioFormat::Pcm(pcm) => pcm_file(as_it_is("outgoing.pcm", "pcm_s16le", "audio/L16"), pcm, "s16le"),
    };
    let mut command = ffmpeg::command("file,pipe");
    command.writes(dir).args(["-f", "mp4", "-i"]).arg(dir.join(names::AUDIO)).args(arguments).arg(&file.path);
    turn.output("convert", command, 0, FFMPEG_TIMEOUT).await?;
    Ok(file)
}

fn pcm_file(mut file: File, pcm: Pcm, format: &str) -> (File, Vec<String>) {
    let original = file.channels;
    file.sample_rate = pcm.sample_rate_hz.unwrap_or(file.sample_rate);
    file.channels = pcm.channels.unwrap_or(file.channels);
    let (rate, channels) = (file.sample_rate.to_string(), file.channels.to_string());
    let filter = format!("aresample={rate}{}", levels::mix(original, file.channels));
    (file, ["-af", &filter, "-c:a", "pcm_s16le", "-ar", &rate, "-ac", &channels, "-f", format].map(Into::into).into())
}
