//! Converts the samples of one taken track to packets.

use super::super::choice::Choice;
use super::super::es::h264::{H264, Picture};
use super::super::es::headers::{self, Head};
use super::super::es::hevc::{self, Hevc};
use super::super::event::{Codec, Config, Key, Packet, Stream, Timing, TrackKind, VideoConfig};
use super::super::out::Out;
use super::super::witness::Reason;
use super::entry::Entry;
use super::fragment::Sample;
use super::init::{Track, ticks};
use crate::adts;
use crate::limits::DEMUX_KEY_WAIT_TICKS;

/// A track whose samples are handed out as packets.
#[derive(Debug, Clone)]
pub struct Taken {
    /// track_ID of the track in the current `moov`.
    pub id: u32,
    kind: TrackKind,
    /// Whether samples are handed out as they are stored, without a look at their NAL units.
    stored: bool,
    scale: u32,
    edit: (i64, i64),
    entries: Vec<Entry>,
    /// The sample entry of the last packet.
    entry: Option<Entry>,
    /// The configuration to hand out before the next packet, and the last one that was handed out.
    config: Option<Config>,
    told: Option<Config>,
    h264: H264,
    hevc: Hevc,
    /// Whether no picture was handed out since the start or the last restart, and the time of the first picture then.
    waiting: bool,
    waits_since: Option<i64>,
}

/// Lists the tracks as streams and marks the ones that are taken. `now`: ids of the tracks that are taken already.
pub fn streams(tracks: &[Track], choice: &Choice, now: [Option<u32>; 2]) -> Vec<Stream> {
    let stream = |track: &Track| {
        // A track may begin in the clear and be encrypted later, or the other way round.
        let usable = track.entries.iter().find(|entry| !entry.encrypted && entry.config.is_some());
        let entry = usable.or(track.entries.first());
        Stream {
            number: track.id,
            codec: entry.map_or(Codec::Other(0), |entry| entry.codec),
            language: track.language.clone(),
            encrypted: entry.is_some_and(|entry| entry.encrypted),
            taken: false,
        }
    };
    let mut streams: Vec<Stream> = tracks.iter().map(stream).collect();
    for (kind, now) in [TrackKind::Video, TrackKind::Audio].into_iter().zip(now) {
        let best = choice.best(kind, &streams, now).map(|best| best.number);
        streams.iter_mut().for_each(|stream| stream.taken |= best == Some(stream.number));
    }
    streams
}

impl Taken {
    /// Makes a taken track from its description in `moov`. `stored`: its samples are handed out as they are stored.
    pub fn new(kind: TrackKind, track: &Track, stored: bool) -> Self {
        let mut taken = Self {
            id: track.id,
            kind,
            stored,
            scale: 1,
            edit: (0, 0),
            entries: Vec::new(),
            entry: None,
            config: None,
            told: None,
            h264: H264::default(),
            hevc: Hevc::default(),
            waiting: kind == TrackKind::Video && !stored,
            waits_since: None,
        };
        taken.is_now(track);
        taken
    }

    /// Updates the track from its description in a new `moov`.
    pub fn is_now(&mut self, track: &Track) {
        (self.id, self.scale, self.edit) = (track.id, track.scale, track.edit);
        if self.entries != track.entries {
            self.entries.clone_from(&track.entries);
            self.entry = None;
        }
    }

    /// Waits for a key frame before pictures are handed out again.
    pub fn restart(&mut self) {
        (self.waiting, self.waits_since) = (self.kind == TrackKind::Video && !self.stored, None);
    }

    /// Hands out a complete sample as a packet, or counts why it cannot be used.
    pub fn sample(&mut self, sample: &Sample, mut data: Vec<u8>, out: &mut Out) {
        let mut media = data.len();
        let Some((codec, length_bytes)) = self.enter(sample.entry) else {
            let reason = if self.is_encrypted(sample.entry) { Reason::Scrambled } else { Reason::Corrupt };
            return out.drop(self.kind, reason, 1, media);
        };
        let bare = self.entry.as_ref().is_some_and(|entry| entry.bare);
        if bare && let Head::Frame(frame) = headers::head(Codec::Aac, &data) {
            if frame.length != media || frame.samples != adts::SAMPLES {
                return out.drop(self.kind, Reason::Corrupt, 1, media);
            }
            data.drain(..frame.strip);
            media -= frame.strip;
            out.track(self.kind).framing += frame.strip as u64;
            self.config = Some(Config::Audio(frame.config));
        }
        // Only the frames tell the layer of MPEG audio, and the channels of AC-3: entries often have wrong ones.
        if matches!(codec, Codec::MpegAudio | Codec::Ac3 | Codec::Eac3)
            && let Head::Frame(frame) = headers::head(codec, &data)
            && frame.config.codec == codec
        {
            self.config = Some(Config::Audio(frame.config));
        }
        let mut picture = Picture::default();
        if matches!(codec, Codec::H264 | Codec::Hevc) {
            if length_bytes != 4 {
                data = widen(&data, length_bytes);
            }
            if !self.stored {
                if !self.look(codec, &data, &mut picture) {
                    return out.drop(self.kind, Reason::Corrupt, 1, media);
                }
                let changed = if codec == Codec::H264 { self.h264.changed() } else { self.hevc.changed() };
                self.config = changed.map(Config::Video).or(self.config.take());
            }
        }
        let (from, empty) = self.edit;
        let time = |time: i64| ticks(time.saturating_sub(from), self.scale).saturating_add(empty);
        let (dts, pts) = (time(sample.dts), time(sample.dts.saturating_add(sample.composition.into())));
        let key = self.key(codec, &picture, sample.sync, dts);
        if self.waiting && !key.is_key() {
            return out.drop(self.kind, Reason::BeforeKey, 1, media);
        }
        self.waiting = false;
        if let Some(config) = self.config.take().filter(|config| self.told.as_ref() != Some(config)) {
            self.told = Some(config.clone());
            out.config(config);
        }
        let samples = self.samples(sample);
        out.packet(Packet { kind: self.kind, dts, pts, timing: Timing::Read, key, samples, data }, media);
    }

    fn is_encrypted(&self, number: u32) -> bool {
        let at = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
        self.entries.get(at).is_some_and(|entry| entry.encrypted)
    }

    /// Changes to the sample entry with this number, from 1. Returns its codec and the number of bytes of a NAL unit
    /// length; `None` if the entry cannot be used.
    fn enter(&mut self, number: u32) -> Option<(Codec, usize)> {
        let entry = self.entries.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        let facts = (entry.codec, entry.length_bytes);
        if self.entry.as_ref() == Some(entry) {
            return Some(facts);
        }
        // Streams in one playlist go on from one way of coding to another.
        let known = entry.config.clone().filter(|_| entry.codec.kind() == Some(self.kind))?;
        if let Config::Video(video) = &known {
            (self.h264, self.hevc) = (H264::default(), Hevc::default());
            let mut picture = Picture::default();
            sets(entry.codec, &video.record, |nal| match entry.codec {
                Codec::H264 => self.h264.look(nal, &mut picture),
                _ => self.hevc.look(nal, &mut picture),
            });
            // They are in the record already.
            let built = if entry.codec == Codec::H264 { self.h264.changed() } else { self.hevc.changed() };
            let frame_rate = built.and_then(|built| built.frame_rate);
            self.config = Some(Config::Video(VideoConfig { frame_rate, ..video.clone() }));
        } else {
            self.config = Some(known);
        }
        self.entry = Some(entry.clone());
        Some(facts)
    }

    /// Reads all NAL units of a sample; returns false if their lengths are invalid.
    fn look(&mut self, codec: Codec, data: &[u8], picture: &mut Picture) -> bool {
        let mut rest = data;
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let Some((nal, after)) = after.split_at_checked(length) else { return false };
            match codec {
                Codec::H264 => self.h264.look(nal, picture),
                _ => self.hevc.look(nal, picture),
            }
            rest = after;
        }
        rest.is_empty()
    }

    fn key(&mut self, codec: Codec, picture: &Picture, sync: bool, dts: i64) -> Key {
        let seen = match codec {
            Codec::H264 if !self.stored => picture.key(),
            Codec::Hevc if !self.stored => Some(hevc::key(picture)),
            _ => return if sync { Key::Sync } else { Key::No },
        };
        match seen {
            Some(Key::No) | None if sync => Key::Sync,
            Some(key) => key,
            None => {
                let since = *self.waits_since.get_or_insert(dts);
                if self.waiting && dts - since > DEMUX_KEY_WAIT_TICKS { Key::Recovery(0) } else { Key::No }
            }
        }
    }

    /// Returns the number of audio samples of one channel; 0 for pictures.
    fn samples(&self, sample: &Sample) -> u32 {
        let Some(Config::Audio(config)) = self.entry.as_ref().and_then(|entry| entry.config.as_ref()) else { return 0 };
        let bare = self.entry.as_ref().is_some_and(|entry| entry.bare);
        if config.codec == Codec::Aac && (sample.duration == 0 || bare) {
            // Some muxers do not know how long the last sample of a fragment is, or at which rate the samples are.
            return adts::SAMPLES;
        }
        let (rate, scale) = (u64::from(config.sample_rate), u64::from(self.scale.max(1)));
        u32::try_from((u64::from(sample.duration) * rate + scale / 2) / scale).unwrap_or_default()
    }
}

/// Calls `each` with every parameter set of a decoder configuration record.
fn sets(codec: Codec, record: &[u8], mut each: impl FnMut(&[u8])) {
    let list = |mut rest: &[u8], count: usize, each: &mut dyn FnMut(&[u8])| -> Option<usize> {
        let whole = rest.len();
        for _ in 0..count {
            let (length, after) = rest.split_first_chunk::<2>()?;
            let (nal, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
            each(nal);
            rest = after;
        }
        Some(whole - rest.len())
    };
    let mut read = || {
        if codec == Codec::H264 {
            let sps = record.get(6..)?;
            let at = 6 + list(sps, usize::from(record.get(5)? & 0x1f), &mut each)?;
            return list(record.get(at + 1..)?, usize::from(*record.get(at)?), &mut each);
        }
        let mut at = 23;
        for _ in 0..*record.get(22)? {
            let count = u16::from_be_bytes(*record.get(at + 1..)?.first_chunk()?);
            at += 3 + list(record.get(at + 3..)?, count.into(), &mut each)?;
        }
        Some(at)
    };
    read();
}

/// Widens NAL unit lengths of `bytes` bytes to four bytes. From the first invalid length on, bytes are copied
/// unchanged, so that the later check finds them.
fn widen(data: &[u8], bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + data.len() / 64 + 16);
    let mut rest = data;
    while let Some((length, after)) = rest.split_at_checked(bytes).filter(|(length, _)| !length.is_empty()) {
        let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let Some((nal, after)) = after.split_at_checked(length) else { break };
        out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(nal);
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}
