//! The end of the batch before, which is decoded in front of a batch and left out: a packet of AAC is heard whole only together
//! with the one before it.
//!
//! In: the original sound of two batches. Out: one file that both are decoded from, by one decoder, so that each fragment starts
//! at the sample where the one before it ended.

use std::path::{Path, PathBuf};

use crate::demux::reload;
use outboard_media::aac::{Packets, SAMPLES};
use outboard_media::facts::TrackFacts;
use outboard_media::fmp4::pre_roll;
use outboard_store::files::names;

/// Packets that are decoded in front: the decoder needs one, a change of the sample rate some milliseconds more.
const PACKETS: usize = 4;
/// The sound follows on if its times differ by less than this, in microseconds: times are rounded. A missing packet is far
/// more.
pub(super) const FOLLOWS_US: u64 = 5_000;
/// The file, beside the batch's others.
const JOINED: &str = "outgoing-source.aac";

/// A batch's sound behind the end of the one before.
#[derive(Debug)]
pub struct Joined {
    /// An ADTS file.
    pub path: PathBuf,
    /// Samples in front of the batch.
    pub before: u64,
    /// Samples of the batch.
    pub samples: u64,
}

/// A batch's sound and that of the one before, which it follows on.
pub(crate) struct Following {
    last: Packets,
    now: Packets,
}

impl Following {
    /// Reads the sound of the batch in `dir` and of that in `before`. `None`: it does not follow on, or is not AAC-LC.
    pub(super) async fn read(before: &Path, dir: &Path, audio: &TrackFacts) -> Option<Self> {
        let end_us = reload(before).await.ok()?.audio?.end_us();
        if end_us.abs_diff(audio.first_dts_us()) > FOLLOWS_US {
            return None;
        }
        let (before, dir) = (before.join(names::AUDIO), dir.join(names::AUDIO));
        let (form, count) = ((audio.sample_rate, audio.channels), audio.packets.len());
        let read = move || {
            let read = |path: &Path| Packets::of_mp4(&std::fs::read(path).ok()?);
            let (last, now) = (read(&before)?, read(&dir)?);
            let found = (now.header.rate, u32::from(now.header.channel_count()));
            let alike = last.header == now.header && found == form && now.packets.len() == count;
            (alike && count > 0 && !last.packets.is_empty()).then_some(Self { last, now })
        };
        tokio::task::spawn_blocking(read).await.ok()?
    }

    /// The batch's packets behind the last one of the batch before: that one, and a fragmented MP4 file of all.
    pub(super) fn with_pre_roll(self) -> Option<(Vec<u8>, Vec<u8>)> {
        let Self { mut last, now } = self;
        let first = last.packets.pop()?;
        let packets = std::iter::once(first.clone()).chain(now.packets).collect();
        Some((first, pre_roll::file(&Packets { header: now.header, packets }, 1)?))
    }
}

impl Joined {
    /// Joins the sound of the batch in `dir` to the end of that in `before`. `None`: it does not follow on, or is not AAC-LC; it
    /// is decoded by itself then.
    pub(crate) async fn of(before: &Path, dir: &Path, audio: &TrackFacts) -> Option<Self> {
        let Following { last, now } = Following::read(before, dir, audio).await?;
        let (path, count) = (dir.join(JOINED), now.packets.len());
        let packets = last.packets.len().min(PACKETS);
        let adts = [last.to_adts(last.packets.len() - packets..last.packets.len())?, now.to_adts(0..count)?].concat();
        tokio::fs::write(&path, adts).await.ok()?;
        let samples = |packets: usize| packets as u64 * u64::from(SAMPLES);
        Some(Self { path, before: samples(packets), samples: samples(count) })
    }

    /// The filters from its decoded samples to those of the batch at another rate; `mix` follows them, with a comma in front.
    pub(super) fn filter(&self, from: u32, to: u32, mix: &str) -> String {
        let (from, to) = (u64::from(from.max(1)), u64::from(to.max(1)));
        // What is resampled starts so that a sample falls on the batch's first one.
        let step = from / gcd(from, to);
        let warm = if from == to { 0 } else { self.before / 2 / step * step };
        let (cut, start) = (self.before - warm, warm * to / from);
        let end = start + (self.samples * to + from / 2) / from;
        format!(
            "atrim=start_sample={cut},asetpts=PTS-STARTPTS,aresample={to},atrim=start_sample={start}:end_sample={end}{mix}"
        )
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_any_rate_falls_on_the_first_one_of_the_batch() {
        let joined = Joined { path: "x".into(), before: 4096, samples: 96 * 1024 };
        assert_eq!(
            joined.filter(48_000, 48_000, ",x"),
            "atrim=start_sample=4096,asetpts=PTS-STARTPTS,aresample=48000,atrim=start_sample=0:end_sample=98304,x"
        );
        // 2046 samples of the one are 682 of the other.
        assert_eq!(
            joined.filter(48_000, 16_000, ""),
            "atrim=start_sample=2050,asetpts=PTS-STARTPTS,aresample=16000,atrim=start_sample=682:end_sample=33450"
        );
        let unlike = joined.filter(48_000, 47_999, "");
        assert!(unlike.contains("atrim=start_sample=4096") && unlike.contains("start_sample=0:"), "{unlike}");
    }
}
