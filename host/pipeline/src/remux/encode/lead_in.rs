//! The packet between encoded sound and copied sound.
//!
//! A batch that was encoded leaves its last packet to the next one ([`super::before`]). Where that is copied, this packet
//! alone is encoded, from the end of the one and the start of the other, and put in front of the copied packets.

use std::path::{Path, PathBuf};

use super::aired::{Aired, fits};
use super::before::add_pcm;
use super::{AAC_SAMPLES, form};
use crate::limits::LEAD_IN_BYTES;
use crate::remux::RemuxError;
use crate::remux::plan::{Processed, Tail};
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, Turn};
use outboard_media::aac::Packets;
use outboard_media::facts::TrackFacts;

/// The start of the copied sound, to be decoded.
const START: &str = "start.aac";
/// The packet and the copied ones.
const LED_IN: &str = "led-in.aac";
/// Bit rate of the packet: high, as there is one only, and what is on both sides may be.
const BITRATE: u32 = 256_000;
/// Packets of the copied sound that are decoded: the packet needs one, and the encoder looks ahead.
const PACKETS_BEHIND: usize = 3;

/// Copied sound.
#[derive(Debug, Clone)]
pub(in crate::remux) struct Copied {
    pub(in crate::remux) path: PathBuf,
    /// ffmpeg's name of its container: `mp4` or `aac`.
    pub(in crate::remux) format: &'static str,
    /// Packets at its start that do not go on air.
    pub(in crate::remux) priming: u64,
    /// It is the original's.
    pub(in crate::remux) own: bool,
}

/// Writes a file with the packet in front of the copied ones into `dir`.
pub(in crate::remux) async fn lead_in(
    dir: &Path,
    audio: &TrackFacts,
    copied: Copied,
    aired: &Aired,
    turn: Turn<'_>,
) -> Result<Processed, RemuxError> {
    let tail = aired.open().ok_or(RemuxError::Missing("a packet between encoded and copied audio"))?;
    let (packets, last) = {
        let (path, format, original) = (copied.path.clone(), copied.format, aired.original());
        let read = move || (read(&path, format), read(&original, "mp4"));
        tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)?
    };
    let unusual = || RemuxError::Missing("AAC-LC that the packet between encoded and copied audio goes with");
    let mut packets = packets.filter(|packets| fits(&packets.header, audio)).ok_or_else(unusual)?;
    let priming = usize::try_from(copied.priming).unwrap_or(usize::MAX).min(packets.packets.len());
    packets.packets.drain(..priming);
    // Without the packet before it the first one cannot be decoded whole.
    let last = last.filter(|last| last.header == packets.header);
    let last = last.and_then(|last| last.to_adts(last.packets.len().checked_sub(1)?..last.packets.len()));
    let skip = if last.is_some() { AAC_SAMPLES } else { 0 };
    let behind = packets.to_adts(0..PACKETS_BEHIND).ok_or_else(unusual)?;
    let start = dir.join(START);
    tokio::fs::write(&start, [last.unwrap_or_default(), behind].concat()).await?;
    let adts = turn.output("encode", command(audio, tail, &start, skip), LEAD_IN_BYTES, FFMPEG_TIMEOUT).await;
    let _ = tokio::fs::remove_file(&start).await;
    let encoded = Packets::of_adts(&adts?).filter(|encoded| encoded.header.config() == packets.header.config());
    let at = usize::try_from(tail.packets).unwrap_or(usize::MAX);
    let first = encoded.and_then(|mut encoded| (at < encoded.packets.len()).then(|| encoded.packets.swap_remove(at)));
    let count = packets.packets.len();
    let all = Packets { header: packets.header, packets: first.into_iter().chain(packets.packets).collect() };
    let path = dir.join(LED_IN);
    tokio::fs::write(&path, all.to_adts(0..count + 1).ok_or_else(unusual)?).await?;
    Ok(Processed {
        path,
        format: "aac",
        packets: count as u64 + 1,
        priming: 0,
        packet_ns: AAC_SAMPLES * 1_000_000_000 / u64::from(audio.sample_rate.max(1)),
        leads: true,
        own: copied.own,
        tail: None,
    })
}

fn read(path: &Path, format: &str) -> Option<Packets> {
    let data = std::fs::read(path).ok()?;
    if format == "mp4" { Packets::of_mp4(&data) } else { Packets::of_adts(&data) }
}

fn command(audio: &TrackFacts, tail: &Tail, start: &Path, skip: u64) -> ffmpeg::Command {
    let mut command = ffmpeg::command("file,pipe");
    add_pcm(&mut command, tail, audio);
    command.reads(start).args(["-f", "aac", "-i"]).arg(start);
    let (form, bitrate) = (form(audio, audio.channels), BITRATE.to_string());
    let graph = format!(
        "[0:a:0]{form}[a];[1:a:0]atrim=start_sample={skip},asetpts=PTS-STARTPTS,{form}[b];\
         [a][b]concat=n=2:v=0:a=1,asetpts=N/SR/TB[out]"
    );
    command.args(["-filter_complex", &graph, "-map", "[out]", "-c:a", "aac", "-b:a", &bitrate]);
    command.args(["-f", "adts", "pipe:1"]);
    command
}
