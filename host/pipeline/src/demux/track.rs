//! One track of a batch on its way to its file.
//!
//! In: packets in decoding order, each with the configuration that it needs. Out: `video.fmp4.part` or
//! `audio.fmp4.part`, written as the packets come, and the track's facts.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::DemuxError;
use super::encoded::is_encoded;
use crate::limits::BATCH_PACKETS_MAX;
use outboard_media::demux::{Codec, Config, Key, Packet, TICKS_PER_SECOND, Timing, TrackKind};
use outboard_media::facts::{self, TrackFacts};
use outboard_media::fmp4::writer::{self, Writer};
use outboard_media::layout::TrackLayout;
use outboard_media::limits::TIMESTAMP_JUMP;

/// After so many ticks of 90 kHz the times of a transport stream and of packed audio begin anew.
pub(super) const TURN: i64 = 1 << 33;

/// The track, from its first packet in the batch on.
#[derive(Debug)]
pub(super) struct Track {
    path: PathBuf,
    file: Option<File>,
    writer: Writer,
    /// The configurations, each with the number of packets before it. The facts tell the first one.
    configs: Vec<(usize, Config)>,
    packets: Vec<Times>,
    /// Packets from before a jump of the source's time at the start of the batch, until the first one after it comes.
    held: Vec<(Config, Packet)>,
}

/// A packet without its data.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// In ticks of 90 kHz, like `pts`.
    dts: i64,
    pts: i64,
    /// Audio samples of one channel.
    samples: u32,
    size: u32,
}

/// A place in a track, between two segments.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    packets: usize,
    configs: usize,
    held: Vec<(Config, Packet)>,
    /// The file there; `None`: there was none.
    written: Option<writer::Mark>,
}

impl Track {
    /// `path`: the file, which is made for the first packet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, writer: Writer::default(), configs: Vec::new(), packets: Vec::new(), held: Vec::new() }
    }

    /// Takes a packet that was open when the batch before was cut, and after which the source's time jumps. It goes right
    /// before the next packet, so that the jump is at the border of the batches.
    pub(super) fn left_over(&mut self, config: &Config, packet: &Packet) {
        self.held.push((config.clone(), packet.clone()));
    }

    /// Takes the next packet.
    pub(super) fn packet(&mut self, config: &Config, packet: &Packet) -> Result<(), DemuxError> {
        // A batch goes on air with one configuration at its start: one of another stream would be undecodable.
        if self.held.last().is_some_and(|(before, _)| before == config) {
            let mut next = packet.dts;
            let mut held = std::mem::take(&mut self.held);
            for (_, packet) in held.iter_mut().rev() {
                next -= nominal(config, packet);
                (packet.pts, packet.dts) = (packet.pts - packet.dts + next, next);
            }
            held.iter().try_for_each(|(config, packet)| self.write(config, packet))?;
        }
        self.write(config, packet)
    }

    fn write(&mut self, config: &Config, packet: &Packet) -> Result<(), DemuxError> {
        if self.packets.len() >= BATCH_PACKETS_MAX {
            return Err(DemuxError::TooManyPackets { kind: packet.kind });
        }
        if self.configs.last().is_none_or(|(_, last)| last != config) {
            self.configs.push((self.packets.len(), config.clone()));
        }
        self.packets.push(Times {
            dts: packet.dts,
            pts: packet.pts,
            samples: packet.samples,
            size: u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
        });
        // Of another codec only the facts are wanted: they tell why it cannot go on air.
        if !is_written(config) {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => Ok(file),
            none => create(&self.path).map(|file| none.insert(file)),
        };
        let written = file.and_then(|file| self.writer.packet(config, packet, file));
        written.map_err(|source| failed(&self.path, source))
    }

    /// Writes what is open, and answers the place behind it.
    pub(super) fn mark(&mut self) -> Result<Mark, DemuxError> {
        let written = match &mut self.file {
            Some(file) => Some(self.writer.mark(file).map_err(|source| failed(&self.path, source))?),
            None => None,
        };
        Ok(Mark { packets: self.packets.len(), configs: self.configs.len(), held: self.held.clone(), written })
    }

    /// Removes what came behind a place.
    pub(super) fn back_to(&mut self, mark: &Mark) -> Result<(), DemuxError> {
        self.packets.truncate(mark.packets);
        self.configs.truncate(mark.configs);
        self.held.clone_from(&mark.held);
        match (&mark.written, &mut self.file) {
            (Some(written), Some(file)) => {
                self.writer.back_to(written);
                let cut = file.set_len(written.bytes()).and_then(|()| file.seek(SeekFrom::Start(written.bytes())));
                cut.map_err(|source| failed(&self.path, source))?;
            }
            // It is made anew for its first packet.
            _ => (self.file, self.writer) = (None, Writer::default()),
        }
        Ok(())
    }

    /// Ends the track at a place. What was held there is in another track by now.
    pub(super) fn end_at(&mut self, mark: &Mark) -> Result<(), DemuxError> {
        self.back_to(mark)?;
        self.held.clear();
        Ok(())
    }

    /// Holds what another track still holds.
    pub(super) fn hold_as(&mut self, other: &Self) {
        self.held.clone_from(&other.held);
    }

    /// Copies the packets between two places, or from a place to the end, to the end of another track.
    pub(super) fn copy(&self, from: &Mark, to: Option<&Mark>, into: &mut Self) -> Result<(), DemuxError> {
        let stored = &self.writer.layout().packets;
        let mut stored = stored.iter().skip(from.written.as_ref().map_or(0, writer::Mark::packets));
        let mut config = self.configs.partition_point(|(first, _)| *first <= from.packets).saturating_sub(1);
        let until = to.map_or(self.packets.len(), |to| to.packets);
        for (n, times) in self.packets.iter().enumerate().take(until).skip(from.packets) {
            config += usize::from(self.configs.get(config + 1).is_some_and(|(first, _)| *first <= n));
            let Some((_, config)) = self.configs.get(config) else { continue };
            let (data, key) = match &self.file {
                Some(file) if is_written(config) => {
                    let lost =
                        || failed(&self.path, io::Error::other(format!("packet {n} is not where it was written")));
                    let stored = stored.next().ok_or_else(lost)?;
                    let mut data = vec![0; stored.len as usize];
                    file.read_exact_at(&mut data, stored.offset).map_err(|source| failed(&self.path, source))?;
                    (data, stored.key)
                }
                // It was not written either.
                _ => (vec![0; times.size as usize], false),
            };
            let kind = match config {
                Config::Video(_) => TrackKind::Video,
                Config::Audio(_) => TrackKind::Audio,
            };
            let Times { dts, pts, samples, .. } = *times;
            let key = if key { Key::Sync } else { Key::No };
            into.write(config, &Packet { kind, dts, pts, timing: Timing::Read, key, samples, data })?;
        }
        Ok(())
    }

    /// Writes what is open. Answers how many packets from before a jump found no place.
    pub(super) fn close(&mut self) -> Result<u64, DemuxError> {
        self.mark()?;
        Ok(self.held.len() as u64)
    }

    /// Where the packets are in the file, once it is closed; `None`: there is no file.
    pub(super) fn layout(&self) -> Option<TrackLayout> {
        self.file.as_ref().map(|_| self.writer.layout().clone())
    }

    /// Decoding time of the first packet, in ticks of 90 kHz.
    pub(super) fn first(&self) -> Option<i64> {
        self.packets.first().map(|packet| packet.dts)
    }

    /// The facts, `shift` ticks of 90 kHz later than the packets were; `None` without packets.
    pub(super) fn facts(&self, shift: i64) -> Option<TrackFacts> {
        let mut facts = match &self.configs.first()?.1 {
            Config::Video(video) => TrackFacts {
                codec: video.codec.name().to_owned(),
                dimensions: (video.width, video.height),
                ..TrackFacts::default()
            },
            Config::Audio(audio) => TrackFacts {
                codec: audio_name(audio.codec, audio.layer).to_owned(),
                sample_rate: audio.sample_rate,
                channels: audio.channels.into(),
                ..TrackFacts::default()
            },
        };
        let rate = i64::from(facts.sample_rate);
        let usual = self.usual_step();
        let nexts = self.packets.iter().skip(1).map(|next| Some(next.dts)).chain([None]);
        let packet = |(packet, next): (&Times, Option<i64>)| facts::Packet {
            dts_us: us(packet.dts.saturating_add(shift), TICKS_PER_SECOND),
            pts_us: us(packet.pts.saturating_add(shift), TICKS_PER_SECOND),
            duration_us: u32::try_from(match packet.samples {
                0 => us(step(packet.dts, next, usual), TICKS_PER_SECOND),
                samples => us(samples.into(), rate),
            })
            .unwrap_or_default(),
            size: packet.size,
        };
        facts.packets = self.packets.iter().zip(nexts).map(packet).collect();
        Some(facts)
    }

    /// The median step from a packet to the next, in ticks of 90 kHz; 0 if no time rises.
    fn usual_step(&self) -> i64 {
        let steps = self.packets.windows(2).map(|pair| pair[1].dts.saturating_sub(pair[0].dts));
        let mut steps: Vec<i64> = steps.filter(|step| *step > 0).collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).copied().unwrap_or_default()
    }
}

/// A new file, of which packets can be read again.
fn create(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(true).open(path)
}

fn failed(path: &Path, source: io::Error) -> DemuxError {
    DemuxError::File { path: path.to_owned(), source }
}

/// How long a packet should last, in ticks of 90 kHz.
fn nominal(config: &Config, packet: &Packet) -> i64 {
    /// 25 frames per second.
    const FRAME: i64 = 3600;
    match config {
        Config::Audio(audio) if audio.sample_rate > 0 => {
            i64::from(packet.samples) * TICKS_PER_SECOND / i64::from(audio.sample_rate)
        }
        Config::Video(video) => {
            let ticks =
                |(frames, seconds): (u32, u32)| (TICKS_PER_SECOND * i64::from(seconds)).checked_div(i64::from(frames));
            video.frame_rate.and_then(ticks).filter(|ticks| (1..=TICKS_PER_SECOND).contains(ticks)).unwrap_or(FRAME)
        }
        Config::Audio(_) => 0,
    }
}

/// How long a packet lasts, in ticks of 90 kHz: until the next one, but for a jump of the source's time, which the
/// timeline is to see.
fn step(dts: i64, next: Option<i64>, usual: i64) -> i64 {
    const JUMP: i64 = TIMESTAMP_JUMP.as_secs() as i64 * TICKS_PER_SECOND;
    let step = next.map(|next| next.saturating_sub(dts));
    step.filter(|step| (1..=usual.saturating_add(JUMP)).contains(step)).unwrap_or(usual)
}

/// Microseconds, rounded to the nearest.
pub(super) fn us(ticks: i64, rate: i64) -> i64 {
    let rate = i128::from(rate.max(1));
    let us = (i128::from(ticks) * 1_000_000 + rate / 2).div_euclid(rate);
    i64::try_from(us).unwrap_or_default()
}

/// It goes on air, or is encoded for that.
fn is_written(config: &Config) -> bool {
    match config {
        Config::Video(video) => matches!(video.codec, Codec::H264 | Codec::Hevc | Codec::Av1),
        Config::Audio(audio) => audio.codec == Codec::Aac || is_encoded(audio.codec),
    }
}

/// ffmpeg's name of the codec.
pub(super) fn audio_name(codec: Codec, layer: u8) -> &'static str {
    match (codec, layer) {
        (Codec::MpegAudio, 1) => "mp1",
        (Codec::MpegAudio, 2) => "mp2",
        _ => codec.name(),
    }
}

/// By how much the times of both tracks are moved, in ticks of 90 kHz, so that times of 33 bits are below [`TURN`] at
/// the start of a batch, as the source wrote them, and both tracks are in the same turn. `wraps`: whether the times of
/// pictures and of sound have 33 bits.
pub(super) fn shifts(video: Option<i64>, audio: Option<i64>, wraps: [bool; 2]) -> [i64; 2] {
    let whole = |time: i64| -time.div_euclid(TURN) * TURN;
    match (video.filter(|_| wraps[0]), audio.filter(|_| wraps[1])) {
        (Some(video), Some(audio)) => {
            // Two inputs may have begun on both sides of a turn.
            let nearer = (video - audio + TURN / 2).div_euclid(TURN) * TURN;
            let shift = whole(video.min(audio + nearer));
            [shift, shift + nearer]
        }
        (Some(video), None) => [whole(video), 0],
        (None, Some(audio)) => [0, whole(audio)],
        (None, None) => [0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_media::demux::{AudioConfig, Key, Timing, TrackKind, VideoConfig};

    fn video() -> Config {
        Config::Video(VideoConfig { codec: Codec::Mpeg2Video, record: vec![], width: 4, height: 2, frame_rate: None })
    }

    fn packet(kind: TrackKind, dts: i64, samples: u32) -> Packet {
        Packet { kind, dts, pts: dts, timing: Timing::Read, key: Key::Sync, samples, data: vec![0; 3] }
    }

    fn durations(times: &[i64]) -> Vec<u32> {
        let mut track = Track::new("/nowhere/video".into());
        times.iter().for_each(|dts| track.packet(&video(), &packet(TrackKind::Video, *dts, 0)).unwrap());
        let facts = track.facts(0).unwrap();
        assert_eq!((facts.codec.as_str(), facts.dimensions), ("mpeg2video", (4, 2)));
        facts.packets.iter().map(|packet| packet.duration_us).collect()
    }

    #[test]
    fn a_picture_lasts_until_the_next_one_but_for_jumps() {
        let even: Vec<i64> = (0..9).map(|n| n * 3003).collect();
        assert_eq!(durations(&even), [33_367; 9]);
        let mut jumping = even.clone();
        jumping[4..].iter_mut().for_each(|dts| *dts += 500_000);
        assert_eq!(durations(&jumping), [33_367; 9], "forward");
        jumping[4..].iter_mut().for_each(|dts| *dts -= 800_000);
        assert_eq!(durations(&jumping), [33_367; 9], "back");
        let mut slow = even;
        slow[4..].iter_mut().for_each(|dts| *dts += 45_000);
        assert_eq!(durations(&slow)[3], 533_367, "a gap that stays");
        assert_eq!(durations(&[0, 135_000, 270_000, 315_000]), [1_500_000, 1_500_000, 500_000, 1_500_000]);
        assert_eq!(durations(&[7]), [0]);
    }

    #[test]
    fn sound_lasts_as_long_as_its_samples() {
        let config =
            AudioConfig { codec: Codec::MpegAudio, record: vec![], sample_rate: 44_100, channels: 2, layer: 2 };
        let dir = tempfile::tempdir().unwrap();
        let mut track = Track::new(dir.path().join("audio"));
        let config = Config::Audio(config);
        for n in 0..3 {
            track.packet(&config, &packet(TrackKind::Audio, n * 2000, 1152)).unwrap();
        }
        let facts = track.facts(TURN).unwrap();
        assert_eq!((facts.codec.as_str(), facts.sample_rate, facts.channels), ("mp2", 44_100, 2));
        assert_eq!(facts.packets[1].duration_us, 26_122);
        assert_eq!(facts.packets[1].dts_us, us(TURN + 2000, 90_000));
        assert_eq!(Track::new("/nowhere/audio".into()).facts(0), None);
    }

    #[test]
    fn times_of_33_bits_begin_below_the_turn_and_together() {
        assert_eq!(shifts(Some(5), Some(9), [true; 2]), [0, 0]);
        assert_eq!(shifts(Some(TURN + 5), Some(TURN - 9), [true; 2]), [0, 0], "the later one runs over it");
        assert_eq!(shifts(Some(3 * TURN + 5), Some(3 * TURN + 1), [true; 2]), [-3 * TURN; 2]);
        assert_eq!(shifts(Some(TURN + 5), Some(1), [true; 2]), [-TURN, 0], "two inputs");
        assert_eq!(shifts(Some(TURN - 5), Some(1), [true; 2]), [0, TURN]);
        assert_eq!(shifts(Some(1), Some(TURN - 5), [true; 2]), [TURN, 0], "{TURN}");
        assert_eq!(shifts(None, Some(-5), [true; 2]), [0, TURN]);
        assert_eq!(shifts(Some(7 * TURN), Some(TURN), [false; 2]), [0, 0], "MP4 has 64 bits");
    }
}
