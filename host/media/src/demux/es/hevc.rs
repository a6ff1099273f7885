//! Reads NAL units of H.265 (ITU-T H.265) without decoding pictures: starts of access units, key frames, parameter
//! sets.

use std::collections::BTreeMap;

use super::super::event::{Codec, Key, VideoConfig};
use super::bits::{Bits, Rbsp};
use super::h264::Picture;
use crate::limits::{DEMUX_CONFIG_BYTES_MAX, DEMUX_PARAMETER_SET_BYTES_MAX, DEMUX_PARAMETER_SETS_MAX};

/// Values of nal_unit_type (ITU-T H.265 table 7-1); this one is a video parameter set.
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const DELIMITER: u8 = 35;

fn kind(nal: &[u8]) -> Option<u8> {
    nal.first().map(|byte| byte >> 1 & 0x3f)
}

/// Returns whether a NAL unit begins an access unit (section 7.4.2.4.4). `nal` holds at least its first three bytes, or
/// all if it is shorter; `coded` says whether the current access unit has slices.
pub fn begins_unit(nal: &[u8], coded: bool) -> bool {
    // first_slice_segment_in_pic_flag follows the NAL unit's two bytes.
    let first_slice = || nal.get(2).is_some_and(|byte| byte & 0x80 != 0);
    match kind(nal) {
        Some(DELIMITER) => true,
        Some(VPS | SPS | PPS | 39 | 41..=44 | 48..=55) => coded,
        Some(0..=31) => coded && first_slice(),
        _ => false,
    }
}

/// The parameter sets that are in effect.
#[derive(Debug, Clone, Default)]
pub struct Hevc {
    /// Parameter sets by nal_unit_type and id.
    sets: BTreeMap<(u8, u32), Vec<u8>>,
    changed: bool,
}

impl Hevc {
    /// Reads a whole NAL unit; updates the parameter sets and the facts about the picture.
    pub fn look(&mut self, nal: &[u8], picture: &mut Picture) {
        let Some(kind) = kind(nal) else { return };
        let body = nal.get(2..).unwrap_or_default();
        match kind {
            VPS | SPS | PPS => self.set(kind, nal, body),
            // IRAP pictures: IDR begins anew, CRA and BLA may have pictures before them in output order.
            19 | 20 => (picture.coded, picture.idr) = (true, true),
            16..=23 => (picture.coded, picture.recovery) = (true, picture.recovery.or(Some(0))),
            0..=31 => (picture.coded, picture.inter) = (true, true),
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

    /// Returns whether there is at least one VPS, one SPS and one PPS.
    pub fn is_ready(&self) -> bool {
        [VPS, SPS, PPS].iter().all(|kind| self.sets.keys().any(|(known, _)| known == kind))
    }

    fn set(&mut self, kind: u8, nal: &[u8], body: &[u8]) {
        let mut bits = Bits::new(body);
        let id = match kind {
            VPS => bits.bits(4),
            SPS => Layers::parse(body).map(|sps| sps.id),
            _ => bits.ue(),
        };
        let key = (kind, id.unwrap_or_default());
        let known = self.sets.get(&key);
        let all: usize = self.sets.values().map(Vec::len).sum();
        let fits = all - known.map_or(0, Vec::len) + nal.len() <= DEMUX_CONFIG_BYTES_MAX;
        let room = fits && (known.is_some() || self.sets.len() < DEMUX_PARAMETER_SETS_MAX);
        if nal.len() > DEMUX_PARAMETER_SET_BYTES_MAX || !room || known.is_some_and(|known| known == nal) {
            return;
        }
        self.sets.insert(key, nal.to_vec());
        self.changed = true;
    }

    /// Builds the HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1) from the parameter sets.
    fn config(&self) -> Option<VideoConfig> {
        if !self.is_ready() {
            return None;
        }
        let sps = self.sets.iter().find(|((kind, _), _)| *kind == SPS)?.1;
        let sps = Layers::parse(sps.get(2..)?)?;
        let mut record = vec![1];
        record.extend(sps.profile);
        // No minimum of segmentation, no word on parallel decoding; the frame rate is not told.
        record.extend([0xf0, 0, 0xfc, 0xfc | sps.chroma.0, 0xf8 | sps.chroma.1, 0xf8 | sps.chroma.2, 0, 0]);
        record.push((sps.layers & 7) << 3 | u8::from(sps.nested) << 2 | 3);
        record.push(3);
        for kind in [VPS, SPS, PPS] {
            let sets: Vec<_> = self.sets.iter().filter(|((known, _), _)| *known == kind).map(|(_, set)| set).collect();
            // Others may stand in the stream, too.
            record.push(kind);
            record.extend(u16::try_from(sets.len()).unwrap_or_default().to_be_bytes());
            for set in sets {
                record.extend(u16::try_from(set.len()).unwrap_or_default().to_be_bytes());
                record.extend(set);
            }
        }
        Some(VideoConfig { codec: Codec::Hevc, record, width: sps.width, height: sps.height, frame_rate: None })
    }
}

/// The start of an SPS (section 7.3.2.2.1).
struct Layers {
    id: u32,
    layers: u8,
    nested: bool,
    /// Profile, tier and level, with the bytes of the decoder configuration record.
    profile: [u8; 12],
    width: u32,
    height: u32,
    /// chroma_format_idc, bit_depth_luma_minus8 and bit_depth_chroma_minus8, in this order.
    chroma: (u8, u8, u8),
}

impl Layers {
    fn parse(body: &[u8]) -> Option<Self> {
        let mut plain = Rbsp::new(body);
        let first = plain.next()?;
        let sub_layers = first >> 1 & 7;
        let mut profile = [0; 12];
        for byte in &mut profile {
            *byte = plain.next()?;
        }
        let mut bits = Bits::new(body);
        bits.skip(8 + 96)?;
        // sub_layer_profile_present_flag, sub_layer_level_present_flag (section 7.3.3).
        let mut present = Vec::new();
        for _ in 0..sub_layers {
            present.push((bits.flag()?, bits.flag()?));
        }
        if sub_layers > 0 {
            bits.skip(2 * (8 - u32::from(sub_layers)))?;
        }
        for (profile, level) in present {
            bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
        }
        let id = bits.ue().filter(|id| *id < 16)?;
        let format = bits.ue().filter(|format| *format <= 3)?;
        if format == 3 {
            bits.skip(1)?;
        }
        let (width, height) = (bits.ue()?, bits.ue()?);
        let mut crop = [0; 4];
        if bits.flag()? {
            for edge in &mut crop {
                *edge = bits.ue()?;
            }
        }
        let (x, y) = match format {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let [left, right, top, bottom] = crop;
        let mut depth = || bits.ue().filter(|depth| *depth <= 8);
        Some(Self {
            id,
            layers: sub_layers + 1,
            nested: first & 1 == 1,
            profile,
            width: width.checked_sub(left.checked_add(right)?.checked_mul(x)?)?,
            height: height.checked_sub(top.checked_add(bottom)?.checked_mul(y)?)?,
            chroma: (format as u8, depth()? as u8, depth()? as u8),
        })
    }
}

/// Returns whether decoding can start at the picture.
pub fn key(picture: &Picture) -> Key {
    picture.key().unwrap_or(Key::No)
}
