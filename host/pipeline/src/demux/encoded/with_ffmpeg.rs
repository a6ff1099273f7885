//! One run of ffmpeg: frames of the source in a file of fragmented MP4, with their places as times; packets of AAC in ADTS.

use std::path::Path;

use super::run::Run;
use super::{BLOCK, DemuxError, levels, part};
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, FfmpegError, Slots, Turn};
use outboard_media::adts::Header;
use outboard_media::demux::{AudioConfig, Codec, Config, Key, Packet, TICKS_PER_SECOND, Timing, TrackKind};
use outboard_media::fmp4::writer::Writer;

/// What ffmpeg reads, and what it writes, beside the batch's files.
const SOURCE: &str = "source-audio.fmp4";
const ENCODED: &str = "source-audio.aac";
/// Bits per second of a channel.
const CHANNEL_BITRATE: u32 = 64_000;
/// Below this sample rate, in hertz, fewer.
const FULL_RATE: u32 = 32_000;
/// ffmpeg's encoder begins with a packet that is heard before the first sample.
const PRIMING: u64 = 1;

/// The bit rate of sound that is encoded, in bits per second.
pub(super) fn bitrate(config: &AudioConfig) -> u32 {
    let channels = channels(config);
    CHANNEL_BITRATE / FULL_RATE * config.sample_rate.clamp(8000, FULL_RATE) * channels
}

/// Channels of the AAC: those of the source, where AAC has a name for them.
fn channels(config: &AudioConfig) -> u32 {
    match config.channels {
        1 => 1,
        6 => 6,
        8 => 8,
        _ => 2,
    }
}

/// The packets of a run from the last one that was made to `end`, each with its configuration.
pub(super) async fn packets(
    run: &Run,
    end: u64,
    dir: &Path,
    slots: &Slots,
) -> Result<Vec<(AudioConfig, Vec<u8>)>, DemuxError> {
    let (source, encoded) = (part(dir, SOURCE), part(dir, ENCODED));
    let file = |path: &Path| {
        let path = path.to_owned();
        |source| DemuxError::File { path, source }
    };
    tokio::fs::write(&source, bytes(run).map_err(file(&source))?).await.map_err(file(&source))?;
    let begin = run.begin();
    let first = run.held.front().map_or(0, |first| first.start);
    let mut command = ffmpeg::command("file,pipe");
    command.writes(dir).args(["-f", "mp4", "-i"]).arg(&source);
    command.args(["-map", "0:a:0", "-af", &filter(&run.config, begin * BLOCK - first.min(begin * BLOCK))]);
    command.args(["-c:a", "aac", "-b:a", &bitrate(&run.config).to_string(), "-f", "adts"]).arg(&encoded);
    // Soon: the processor is to have its time.
    let done = Turn { slots, by: None }.output("encode", command, 0, FFMPEG_TIMEOUT).await;
    let adts = match done {
        Ok(_) => tokio::fs::read(&encoded).await.map_err(file(&encoded)),
        Err(error) => Err(error.into()),
    };
    for path in [&source, &encoded] {
        // What is left is removed with its batch.
        let _ = tokio::fs::remove_file(path).await;
    }
    let (skip, count) = (run.done - begin + PRIMING, usize::try_from(end - run.done).unwrap_or(usize::MAX));
    let packets = split(&adts?).skip(usize::try_from(skip).unwrap_or(usize::MAX)).take(count).collect::<Vec<_>>();
    match packets.len() == count {
        true => Ok(packets),
        false => Err(short(packets.len(), count)),
    }
}

fn short(found: usize, wanted: usize) -> DemuxError {
    let why = format!("{found} packets instead of {wanted}");
    DemuxError::Ffmpeg(FfmpegError::Output { what: "encode", source: std::io::Error::other(why) })
}

/// From decoded samples to those that are encoded, from this one on. Where frames are missing or cannot be decoded there is
/// silence, so that the rest keeps its place.
fn filter(config: &AudioConfig, start: u64) -> String {
    let (rate, to) = (config.sample_rate, channels(config));
    let mix = levels::mix(config.channels.into(), to);
    let layout = levels::layout(to);
    format!(
        "atrim=start_pts={start},aresample={rate}:async=1:min_hard_comp=0.005:first_pts={start}{mix},aformat=channel_layouts={layout}"
    )
}

/// The frames in hand as a file.
fn bytes(run: &Run) -> std::io::Result<Vec<u8>> {
    let config = Config::Audio(AudioConfig { record: record(&run.config), ..run.config.clone() });
    let (mut writer, mut out) = (Writer::default(), Vec::new());
    for frame in &run.held {
        let ticks = u128::from(frame.start) * TICKS_PER_SECOND as u128 / u128::from(run.config.sample_rate.max(1));
        let dts = i64::try_from(ticks).unwrap_or_default();
        let (kind, timing, key) = (TrackKind::Audio, Timing::Read, Key::Sync);
        let packet = Packet { kind, dts, pts: dts, timing, key, samples: frame.samples, data: frame.data.clone() };
        writer.packet(&config, &packet, &mut out)?;
    }
    writer.flush(&mut out)?;
    Ok(out)
}

/// What the decoder needs. Of Opus without its pre-skip: the places count from the first decoded sample.
fn record(config: &AudioConfig) -> Vec<u8> {
    if config.codec != Codec::Opus {
        return Vec::new();
    }
    // dOps: version, channels, pre-skip, sample rate, gain, channel mapping.
    let mut record = match config.record.len() {
        0..11 => [&[0, config.channels, 0, 0][..], &48_000_u32.to_be_bytes(), &[0, 0, 0]].concat(),
        _ => config.record.clone(),
    };
    record.iter_mut().skip(2).take(2).for_each(|byte| *byte = 0);
    record
}

/// The packets of an ADTS file that ffmpeg wrote, up to bytes that are none.
fn split(adts: &[u8]) -> impl Iterator<Item = (AudioConfig, Vec<u8>)> {
    let mut rest = adts;
    std::iter::from_fn(move || {
        let header = Header::parse(rest)?;
        let (frame, after) = rest.split_at_checked(header.length)?;
        rest = after;
        let (sample_rate, channels) = (header.rate, header.channel_count());
        let config =
            AudioConfig { codec: Codec::Aac, record: header.config().to_vec(), sample_rate, channels, layer: 0 };
        Some((config, frame.get(header.header..)?.to_vec()))
    })
}
