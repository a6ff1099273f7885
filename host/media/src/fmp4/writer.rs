//! Writes one track as fragmented MP4 while its packets come. At most one fragment is in memory.
//!
//! In: configurations and packets of one track in decoding order, as a demuxer hands them out. Out: an initialization
//! section, then fragments: of pictures from key frame to key frame, of sound of [`FRAGMENT_AUDIO`] each, both earlier
//! where they are large. A new configuration in mid-track is a new `moov` before the first packet that needs it. Times
//! begin at 0 and rise; a step back of the source's time is left out, a gap is kept.

use std::io::{self, Write};
use std::sync::Arc;

use super::{AUDIO, Audio, Run, Sample, VIDEO, Video, fragment, ftyp, moov};
use crate::adts;
use crate::demux::{Config, Packet, TICKS_PER_SECOND, TrackKind};
use crate::layout::{Stored, TrackLayout};
use crate::limits::{FRAGMENT_AUDIO, FRAGMENT_BYTES_MAX, FRAGMENT_SAMPLES_MAX};

/// Ticks per second of pictures: those of a transport stream, and of [`Packet`].
const VIDEO_SCALE: u32 = TICKS_PER_SECOND as u32;
/// Duration of a picture of which no step is known, in ticks of 90 kHz: 25 frames per second.
const FRAME_TICKS: u32 = 3600;

/// Writes the packets of one track.
#[derive(Debug)]
pub struct Writer {
    config: Option<Config>,
    /// The configuration is not written yet.
    changed: bool,
    /// Ticks per second of the track.
    scale: u32,
    sequence: u32,
    samples: Vec<Sample>,
    data: Vec<u8>,
    /// Where the open fragment begins, and where its last sample ends, in ticks of the track.
    start: u64,
    end: u64,
    /// The last picture's decoding time, and the duration of the one before, in ticks of 90 kHz.
    last: Option<i64>,
    step: u32,
    /// A place in the file in ticks of the track, and its decoding time in ticks of 90 kHz.
    base: Option<(u64, i64)>,
    /// Bytes that were written.
    written: u64,
    layout: TrackLayout,
}

/// A place between two fragments, to which a [`Writer`] can go back.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The writer as it was there, without its layout and without an open fragment.
    state: Arc<Writer>,
    packets: usize,
    configs: usize,
}

impl Mark {
    /// Bytes that were written up to there.
    pub fn bytes(&self) -> u64 {
        self.state.written
    }

    /// Packets that were written up to there.
    pub fn packets(&self) -> usize {
        self.packets
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            config: None,
            changed: false,
            scale: VIDEO_SCALE,
            sequence: 0,
            samples: Vec::new(),
            data: Vec::new(),
            start: 0,
            end: 0,
            last: None,
            step: FRAME_TICKS,
            base: None,
            written: 0,
            layout: TrackLayout::default(),
        }
    }
}

impl Writer {
    /// Where the packets are that were written; those of an open fragment are not among them.
    pub fn layout(&self) -> &TrackLayout {
        &self.layout
    }

    /// Takes the layout out, at the end of the track.
    pub fn into_layout(self) -> TrackLayout {
        self.layout
    }

    /// Writes the next packet and what of the fragments it completes. `config`: the configuration that it needs.
    ///
    /// # Errors
    /// The error of `out`. Nothing may be written after it.
    pub fn packet(&mut self, config: &Config, packet: &Packet, out: &mut impl Write) -> io::Result<()> {
        // Before a change, for the duration of the picture before.
        let picture = (packet.kind == TrackKind::Video).then(|| self.picture(packet.dts));
        if self.config.as_ref() != Some(config) {
            self.flush(out)?;
            self.change(config.clone());
        }
        let place = picture.unwrap_or_else(|| self.sound(packet));
        if self.is_due(packet, place) {
            self.flush(out)?;
        }
        if std::mem::take(&mut self.changed) {
            self.describe(out)?;
        }
        if self.samples.is_empty() {
            self.start = place;
        }
        let duration = match packet.kind {
            TrackKind::Video => self.step,
            TrackKind::Audio => length(packet),
        };
        self.samples.push(Sample {
            size: u32::try_from(packet.data.len()).map_err(io::Error::other)?,
            duration,
            composition: i32::try_from(packet.pts.saturating_sub(packet.dts)).unwrap_or_default(),
            key: packet.key.is_key(),
        });
        self.data.extend_from_slice(&packet.data);
        self.end = place + u64::from(duration);
        Ok(())
    }

    /// Writes the open fragment, if there is one.
    ///
    /// # Errors
    /// The error of `out`.
    pub fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.samples.is_empty() {
            return Ok(());
        }
        self.sequence += 1;
        let samples = std::mem::take(&mut self.samples);
        let track = if matches!(self.config, Some(Config::Video(_))) { VIDEO } else { AUDIO };
        let run = [Run { track, start: self.start, samples }];
        let head = fragment(self.sequence, &run).ok_or_else(|| io::Error::other("a fragment over 4 GB"))?;
        out.write_all(&head)?;
        out.write_all(&self.data)?;
        let [Run { mut samples, .. }] = run;
        self.written += head.len() as u64;
        for sample in samples.drain(..) {
            self.layout.packets.push(Stored { offset: self.written, len: sample.size, key: sample.key });
            self.written += u64::from(sample.size);
        }
        self.samples = samples;
        self.data.clear();
        Ok(())
    }

    /// Writes the open fragment, gives its memory back, and marks the place behind it.
    ///
    /// # Errors
    /// The error of `out`.
    pub fn mark(&mut self, out: &mut impl Write) -> io::Result<Mark> {
        self.flush(out)?;
        (self.samples, self.data) = (Vec::new(), Vec::new());
        let (packets, configs) = (self.layout.packets.len(), self.layout.configs.len());
        let state = Self {
            config: self.config.clone(),
            samples: Vec::new(),
            data: Vec::new(),
            layout: TrackLayout::default(),
            ..*self
        };
        Ok(Mark { state: Arc::new(state), packets, configs })
    }

    /// Goes on behind `mark`, which this writer made: nothing was written after it. The file is the caller's to cut at
    /// [`Mark::bytes`].
    pub fn back_to(&mut self, mark: &Mark) {
        let mut layout = std::mem::take(&mut self.layout);
        layout.packets.truncate(mark.packets);
        layout.configs.truncate(mark.configs);
        let Mark { state, .. } = mark;
        *self = Self { config: state.config.clone(), samples: Vec::new(), data: Vec::new(), layout, ..**state };
    }

    fn change(&mut self, config: Config) {
        let before = u64::from(self.scale);
        self.scale = match &config {
            Config::Video(_) => VIDEO_SCALE,
            Config::Audio(audio) if audio.sample_rate > 0 => audio.sample_rate,
            Config::Audio(_) => VIDEO_SCALE,
        };
        self.end =
            u64::try_from(u128::from(self.end) * u128::from(self.scale) / u128::from(before)).unwrap_or(self.end);
        (self.config, self.changed, self.base) = (Some(config), true, None);
    }

    /// Writes what a decoder needs for the packets that follow.
    fn describe(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut head = if self.sequence == 0 { ftyp() } else { Vec::new() };
        let (video, audio) = match &self.config {
            Some(Config::Video(video)) => {
                let (width, height) = (video.width, video.height);
                (Some((Video { codec: video.codec, config: &video.record, width, height }, self.scale)), None)
            }
            Some(Config::Audio(audio)) => {
                let (sample_rate, channels) = (audio.sample_rate, audio.channels.into());
                (None, Some((Audio { codec: audio.codec, config: &audio.record, sample_rate, channels }, self.scale)))
            }
            None => (None, None),
        };
        head.extend(moov(video, audio));
        self.written += head.len() as u64;
        let config = self.config.clone();
        self.layout.configs.extend(config.map(|config| (self.layout.packets.len(), config)));
        out.write_all(&head)
    }

    /// The place of a picture: as far behind the one before as in the source, if its time rises.
    fn picture(&mut self, dts: i64) -> u64 {
        let step = self.last.replace(dts).and_then(|last| dts.checked_sub(last));
        if let Some(step) = step.and_then(|step| u32::try_from(step).ok()).filter(|step| *step > 0) {
            if let Some(last) = self.samples.last_mut() {
                last.duration = step;
            }
            self.end = self.end - u64::from(self.step) + u64::from(step);
            self.step = step;
        }
        self.end
    }

    /// The place of a frame of sound: where the one before ends, so that rounding of the source's times does not show,
    /// unless it is half a frame or more behind that.
    fn sound(&mut self, packet: &Packet) -> u64 {
        let (place, dts) = *self.base.get_or_insert((self.end, packet.dts));
        let since = i128::from(packet.dts) - i128::from(dts);
        let ticks = (since * i128::from(self.scale)).div_euclid(i128::from(TICKS_PER_SECOND));
        let ahead = i128::from(place) + ticks - i128::from(self.end);
        let half = i128::from(length(packet) / 2);
        if ahead < -half {
            self.base = Some((self.end, packet.dts));
        } else if ahead > half {
            let gap = u32::try_from(ahead).unwrap_or(u32::MAX);
            if let Some(last) = self.samples.last_mut() {
                last.duration = last.duration.saturating_add(gap);
            }
            self.end += u64::from(gap);
        }
        self.end
    }

    /// Whether the open fragment ends before this packet.
    fn is_due(&self, packet: &Packet, place: u64) -> bool {
        let large = self.data.len() >= FRAGMENT_BYTES_MAX || self.samples.len() >= FRAGMENT_SAMPLES_MAX;
        large
            || match packet.kind {
                TrackKind::Video => packet.key.is_key(),
                TrackKind::Audio => place - self.start >= FRAGMENT_AUDIO.as_secs() * u64::from(self.scale),
            }
    }
}

/// Length of a frame of sound in samples.
fn length(packet: &Packet) -> u32 {
    if packet.samples > 0 { packet.samples } else { adts::SAMPLES }
}

#[cfg(test)]
#[path = "writer_test.rs"]
mod tests;
