//! Faults in audio: damaged bytes by hand, other lengths and containers with ffmpeg.

use bytes::Bytes;

use super::fault::{Fault, mixed};
use outboard_exchange::limits::EXCHANGE_ATTACHMENTS_MAX_BYTES;
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, FfmpegError};
use outboard_media::probe::{Container, probe};

/// Why audio could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The data is not audio.
    #[error("cannot change the audio: {0}")]
    Input(#[from] outboard_media::probe::ProbeError),
    /// The temporary file could not be written.
    #[error("cannot change the audio: {0}")]
    File(#[from] std::io::Error),
    /// ffmpeg did not start, failed or exceeded its time.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
}

/// Applies a fault to the audio. Faults that do not concern audio leave it unchanged.
pub async fn changed(data: Bytes, fault: Fault) -> Result<Bytes, ChangeError> {
    Ok(match fault {
        Fault::Corrupt => corrupt(&data),
        Fault::Garbage => (0..data.len() as u64).map(|at| mixed(at).to_le_bytes()[0]).collect(),
        Fault::Truncate => data.slice(..data.len() / 2),
        Fault::Empty => Bytes::new(),
        Fault::Length(percent) => {
            let filter = format!("atempo={:.6}", 100.0 / f64::from(percent));
            converted(&data, &["-af", &filter, "-c:a", "aac", "-f", "mp4", "-movflags", "empty_moov+frag_keyframe"])
                .await?
        }
        Fault::Wav => converted(&data, &["-c:a", "pcm_s16le", "-f", "wav"]).await?,
        Fault::Adts => converted(&data, &["-c:a", "copy", "-f", "adts"]).await?,
        Fault::Mp3 => converted(&data, &["-c:a", "libmp3lame", "-f", "mp3"]).await?,
        Fault::Drop
        | Fault::Silent
        | Fault::Fail { .. }
        | Fault::Late(_)
        | Fault::Duplicate
        | Fault::Reorder
        | Fault::Disconnect => data,
    })
}

/// Flips bits in the middle fifth.
fn corrupt(data: &Bytes) -> Bytes {
    let mut bytes = data.to_vec();
    let (from, to) = (bytes.len() * 2 / 5, bytes.len() * 3 / 5);
    for byte in bytes.iter_mut().take(to).skip(from) {
        *byte ^= 0xa5;
    }
    bytes.into()
}

async fn converted(data: &Bytes, output: &[&str]) -> Result<Bytes, ChangeError> {
    let format = match probe(data)?.container {
        Container::Fmp4 => "mov",
        Container::Adts => "aac",
        Container::Wav => "wav",
        Container::Mp3 => "mp3",
    };
    // A file rather than a pipe, because ffmpeg may have to seek in an MP4.
    let input = tempfile::NamedTempFile::new()?;
    tokio::fs::write(input.path(), data).await?;
    let mut command = ffmpeg::command("file,pipe");
    command.reads(input.path()).args(["-f", format, "-i"]).arg(input.path());
    command.args(["-map", "0:a:0"]).args(output).arg("pipe:1");
    Ok(ffmpeg::output("echo", command, EXCHANGE_ATTACHMENTS_MAX_BYTES, FFMPEG_TIMEOUT).await?.into())
}

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::*;

    async fn tone() -> Bytes {
        let output = Command::new("ffmpeg")
            .args("-v error -nostdin -f lavfi -i sine=1000:sample_rate=48000:duration=4 -ac 2 -c:a aac".split(' '))
            .args("-f mp4 -movflags empty_moov+frag_keyframe -frag_duration 500000 pipe:1".split(' '))
            .output()
            .await
            .unwrap();
        assert!(output.status.success());
        output.stdout.into()
    }

    #[tokio::test]
    async fn containers_and_lengths_are_changed_by_ffmpeg() {
        let tone = tone().await;
        let before = probe(&tone).unwrap();
        for (fault, container, codec) in [
            (Fault::Wav, Container::Wav, "pcm_s16le"),
            (Fault::Adts, Container::Adts, "aac"),
            (Fault::Mp3, Container::Mp3, "mp3"),
            (Fault::Length(90), Container::Fmp4, "aac"),
            (Fault::Length(110), Container::Fmp4, "aac"),
        ] {
            let after = probe(&changed(tone.clone(), fault).await.unwrap()).unwrap();
            assert_eq!((after.container, after.codec), (container, codec), "{fault}");
            let percent = if let Fault::Length(percent) = fault { u64::from(percent) } else { 100 };
            let wanted = before.duration_us * percent / 100;
            assert!(after.duration_us.abs_diff(wanted) < 80_000, "{fault}: {} of {wanted} us", after.duration_us);
            if fault == Fault::Adts {
                assert_eq!(after.packets, before.packets, "packets are copied");
            }
        }
    }

    #[tokio::test]
    async fn damage_is_damage_and_nothing_else_changes_audio() {
        let tone = tone().await;
        for fault in [Fault::Corrupt, Fault::Garbage, Fault::Truncate, Fault::Empty] {
            let after = changed(tone.clone(), fault).await.unwrap();
            assert!(probe(&after).is_err(), "{fault} leaves it usable");
        }
        assert_eq!(changed(tone.clone(), Fault::Corrupt).await.unwrap().len(), tone.len());
        assert_eq!(changed(tone.clone(), Fault::Duplicate).await.unwrap(), tone);
    }

    #[tokio::test]
    async fn what_is_no_audio_cannot_be_changed() {
        let error = changed(Bytes::from_static(b"hello"), Fault::Wav).await.unwrap_err().to_string();
        assert_eq!(error, "cannot change the audio: its 5 bytes are neither MP4, ADTS, WAV nor MP3");
        let wav = changed(tone().await, Fault::Wav).await.unwrap();
        assert!(matches!(changed(wav, Fault::Adts).await, Err(ChangeError::Ffmpeg(_))), "PCM does not fit ADTS");
    }
}
