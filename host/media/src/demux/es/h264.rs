//! Reads NAL units of H.264 (ITU-T H.264) without decoding pictures: starts of access units, key frames, parameter
//! sets.

use std::collections::BTreeMap;

use super::super::event::{Codec, Key, VideoConfig};
use super::bits::{Bits, Rbsp};
use super::sps::Sps;
use crate::limits::{DEMUX_CONFIG_BYTES_MAX, DEMUX_PARAMETER_SET_BYTES_MAX, DEMUX_PARAMETER_SETS_MAX};

/// Values of nal_unit_type (ITU-T H.264 table 7-1); this one is a slice of an IDR picture.
const IDR: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

/// Facts about a picture, collected from all its NAL units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Picture {
    /// The picture has at least one slice.
    pub coded: bool,
    /// The picture is an IDR picture.
    pub idr: bool,
    /// recovery_frame_cnt of the picture's recovery point SEI message, if it has one.
    pub recovery: Option<u32>,
    /// At least one slice is of another type than I and SI.
    pub inter: bool,
    /// Place in output order since the last IDR picture (TopFieldOrderCnt, section 8.2.1.1); `None` if it is not known.
    pub order: Option<i64>,
}

impl Picture {
    /// Returns whether decoding can start at the picture. `None` if it has only intra slices, but is not marked as a
    /// key frame.
    pub fn key(&self) -> Option<Key> {
        match (self.idr, self.recovery) {
            (true, _) => Some(Key::Sync),
            (false, Some(frames)) => Some(Key::Recovery(frames)),
            (false, None) if self.inter => Some(Key::No),
            (false, None) => None,
        }
    }
}

/// Returns whether a NAL unit begins an access unit (section 7.4.1.2.3). `nal` holds at least its first two bytes, or
/// all if it is shorter; `coded` says whether the current access unit has slices.
pub fn begins_unit(nal: &[u8], coded: bool) -> bool {
    let first_slice = || nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
    match nal.first().map(|byte| byte & 0x1f) {
        Some(DELIMITER) => true,
        Some(SEI | SPS | PPS | 14..=18) => coded,
        // first_mb_in_slice is 0.
        Some(1 | 2 | IDR) => coded && first_slice(),
        _ => false,
    }
}

/// The parameter sets that are in effect, and the picture order of the last reference picture.
#[derive(Debug, Clone, Default)]
pub struct H264 {
    sps: BTreeMap<u32, (Vec<u8>, Option<Sps>)>,
    /// Picture parameter sets by id, each with the id of its SPS.
    pps: BTreeMap<u32, (u32, Vec<u8>)>,
    /// Parameter sets have changed since the last configuration.
    changed: bool,
    /// prevPicOrderCntMsb and prevPicOrderCntLsb: the order of the previous reference picture (section 8.2.1.1).
    order: (i64, i64),
}

impl H264 {
    /// Reads a whole NAL unit; updates the parameter sets and the facts about the picture.
    pub fn look(&mut self, nal: &[u8], picture: &mut Picture) {
        let Some((head, body)) = nal.split_first() else { return };
        match head & 0x1f {
            SPS => self.sps(nal, body),
            PPS => self.pps(nal, body),
            SEI => picture.recovery = picture.recovery.or_else(|| recovery_point(body)),
            kind @ (1 | 2 | IDR) => {
                let first = !picture.coded;
                picture.coded = true;
                picture.idr |= kind == IDR;
                // What cannot be read is not taken for a key frame.
                picture.inter |= self.slice(body, kind == IDR, head >> 5 != 0, first, picture).unwrap_or(true);
            }
            _ => {}
        }
    }

    /// Returns the configuration if it has changed since the last call.
    pub fn changed(&mut self) -> Option<VideoConfig> {
        if !self.changed {
            return None;
        }
        let config = self.config()?;
        self.changed = false;
        Some(config)
    }

    /// Returns the ticks of 90 kHz from one frame to the next, if the parameter sets contain a frame rate.
    pub fn frame_ticks(&self) -> Option<i64> {
        let (frames, seconds) = self.sps.values().find_map(|(_, sps)| sps.as_ref()?.frame_rate)?;
        Some(i64::from(seconds) * 90_000 / i64::from(frames.max(1))).filter(|ticks| *ticks > 0)
    }

    /// Returns whether there is at least one SPS and one PPS.
    pub fn is_ready(&self) -> bool {
        !self.sps.is_empty() && !self.pps.is_empty()
    }

    fn sps(&mut self, nal: &[u8], body: &[u8]) {
        let parsed = Sps::parse(body);
        let id = parsed.as_ref().map_or(0, |sps| sps.id);
        let same = self.sps.get(&id).is_some_and(|(known, _)| known == nal);
        if same || nal.len() < 4 || nal.len() > DEMUX_PARAMETER_SET_BYTES_MAX {
            return;
        }
        let known = self.sps.get(&id).map(|(known, _)| known.len());
        if self.sps.len() >= DEMUX_PARAMETER_SETS_MAX && known.is_none() || !self.fits(nal, known) {
            return;
        }
        // Its picture parameter sets were made for the one before; the sender repeats them.
        if self.sps.insert(id, (nal.to_vec(), parsed)).is_some() {
            self.pps.retain(|_, (of, _)| *of != id);
        }
        self.changed = true;
    }

    fn pps(&mut self, nal: &[u8], body: &[u8]) {
        let mut bits = Bits::new(body);
        let Some((id, sps)) = bits.ue().zip(bits.ue()) else { return };
        let known = self.pps.get(&id);
        let room = known.is_some() || self.pps.len() < DEMUX_PARAMETER_SETS_MAX;
        let room = room && self.fits(nal, known.map(|(_, known)| known.len()));
        if nal.len() > DEMUX_PARAMETER_SET_BYTES_MAX || !room || known.is_some_and(|(_, known)| known == nal) {
            return;
        }
        self.pps.insert(id, (sps, nal.to_vec()));
        self.changed = true;
    }

    /// Returns whether all parameter sets are small enough with this one, which replaces one of `known` bytes.
    fn fits(&self, nal: &[u8], known: Option<usize>) -> bool {
        let sps = self.sps.values().map(|(set, _)| set.len());
        let all: usize = sps.chain(self.pps.values().map(|(_, set)| set.len())).sum();
        all - known.unwrap_or(0) + nal.len() <= DEMUX_CONFIG_BYTES_MAX
    }

    /// Reads the start of a slice header (section 7.3.3). Returns whether the slice is of another type than I and SI.
    fn slice(&mut self, body: &[u8], idr: bool, reference: bool, first: bool, picture: &mut Picture) -> Option<bool> {
        let mut bits = Bits::new(body);
        bits.ue()?;
        let inter = !matches!(bits.ue()? % 5, 2 | 4);
        let pps = bits.ue()?;
        if first {
            let sps = self.pps.get(&pps).and_then(|(sps, _)| self.sps.get(sps)).and_then(|(_, sps)| sps.as_ref());
            let lsb = sps.and_then(|sps| Some((sps.order_lsb(&mut bits, idr)?, sps.order_bits?)));
            picture.order = lsb.map(|(lsb, bits)| self.order_of(i64::from(lsb), 1 << bits, idr, reference));
        }
        Some(inter)
    }

    /// Computes the picture order count of type 0 (section 8.2.1.1), without fields and memory management operations.
    fn order_of(&mut self, lsb: i64, max: i64, idr: bool, reference: bool) -> i64 {
        let (before_msb, before_lsb) = if idr { (0, 0) } else { self.order };
        let msb = match lsb - before_lsb {
            step if step < 0 && -step >= max / 2 => before_msb + max,
            step if step > max / 2 => before_msb - max,
            _ => before_msb,
        };
        if reference {
            self.order = (msb, lsb);
        }
        msb + lsb
    }

    /// Builds the AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1) from the parameter sets.
    fn config(&self) -> Option<VideoConfig> {
        let (first, sps) = self.sps.values().next()?;
        let [_, profile, constraints, level, ..] = first[..] else { return None };
        let mut record = vec![1, profile, constraints, level, 0xff];
        // The record counts 31 sequence and 255 picture parameter sets at most, and lengths have 16 bits.
        let mut sets = |mark: u8, most: usize, sets: Vec<&Vec<u8>>| {
            let count = sets.len().min(most);
            record.push(mark | count as u8);
            for set in sets.into_iter().take(most) {
                record.extend(u16::try_from(set.len()).unwrap_or_default().to_be_bytes());
                record.extend(set);
            }
        };
        sets(0xe0, 31, self.sps.values().map(|(set, _)| set).collect());
        sets(0, 255, self.pps.values().map(|(_, set)| set).collect());
        if self.pps.is_empty() {
            return None;
        }
        let sps = sps.as_ref();
        if !matches!(profile, 66 | 77 | 88) {
            let (chroma, luma_bits, chroma_bits) = sps.map_or((1, 0, 0), |sps| sps.chroma);
            record.extend([0xfc | chroma, 0xf8 | luma_bits, 0xf8 | chroma_bits, 0]);
        }
        let (width, height) = sps.map_or((0, 0), |sps| (sps.width, sps.height));
        let frame_rate = sps.and_then(|sps| sps.frame_rate);
        Some(VideoConfig { codec: Codec::H264, record, width, height, frame_rate })
    }
}

/// Reads recovery_frame_cnt from the recovery point message of a SEI NAL unit, if it has one (sections 7.3.2.3 and
/// D.1.8).
fn recovery_point(body: &[u8]) -> Option<u32> {
    let mut bytes = Rbsp::new(body);
    loop {
        let mut number = || {
            let mut sum = 0_usize;
            loop {
                let byte = bytes.next()?;
                sum += usize::from(byte);
                if byte != 0xff {
                    return Some(sum);
                }
            }
        };
        let (kind, size) = (number()?, number()?);
        if kind == 6 {
            let message: Vec<u8> = bytes.take(size.min(8)).collect();
            return Bits::new(&message).ue();
        }
        if size > 0 {
            bytes.nth(size - 1)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS_360P: &[u8] = &[
        0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00,
        0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
    ];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

    #[test]
    fn parameter_sets_become_a_record_that_changes_when_they_do() {
        let (mut state, mut picture) = (H264::default(), Picture::default());
        state.look(SPS_360P, &mut picture);
        assert_eq!(state.changed(), None, "no PPS yet");
        state.look(PPS, &mut picture);
        let config = state.changed().unwrap();
        assert_eq!((config.width, config.height, config.frame_rate), (320, 180, Some((50, 2))));
        assert_eq!(config.record[..8], [1, 0x64, 0, 0x0d, 0xff, 0xe1, 0, 26]);
        assert!(config.record.ends_with(&[0xfd, 0xf8, 0xf8, 0]));
        state.look(SPS_360P, &mut picture);
        state.look(PPS, &mut picture);
        assert_eq!(state.changed(), None, "the same ones again");
        let mut other = SPS_360P.to_vec();
        other[3] = 0x0c;
        state.look(&other, &mut picture);
        assert_eq!(state.changed(), None, "its PPS is still to come");
        state.look(PPS, &mut picture);
        assert_eq!(state.changed().unwrap().record[3], 0x0c);
        assert_eq!(picture, Picture::default());
    }

    #[test]
    fn recovery_points_are_found_behind_other_messages() {
        // 300 bytes of user data (type 4) before it.
        let user: Vec<u8> = [&[4, 255, 45][..], &[0xb5; 300], &[6, 1, 0b0001_0110, 0x80]].concat();
        assert_eq!(recovery_point(&user), Some(10));
        assert_eq!(recovery_point(&[4, 1, 9, 6, 1, 0b1100_0100, 0x80]), Some(0));
        assert_eq!(recovery_point(&[6, 1, 0b0110_0100, 0x80]), Some(2));
        assert_eq!(recovery_point(&[4, 255, 255]), None);
    }

    #[test]
    fn units_begin_at_delimiters_parameters_and_first_slices() {
        assert!(begins_unit(&[9, 0xf0], false));
        assert!(!begins_unit(&[0x67, 1], false) && begins_unit(&[0x67, 1], true));
        assert!(begins_unit(&[0x41, 0x9a], true) && !begins_unit(&[0x41, 0x1a], true), "first_mb_in_slice");
        assert!(!begins_unit(&[0x41, 0x9a], false) && !begins_unit(&[12, 0xff], true) && !begins_unit(&[], true));
    }
}
