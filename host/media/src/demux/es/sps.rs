//! Reads the fields of H.264 sequence parameter sets that the demuxer needs (ITU-T H.264 sections 7.3.2.1.1 and E.1.1).

use super::bits::Bits;

/// The fields of an SPS that the demuxer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sps {
    /// seq_parameter_set_id, 0 to 31: picture parameter sets refer to it.
    pub id: u32,
    /// Width in pixels, after cropping.
    pub width: u32,
    /// Height in pixels, after cropping.
    pub height: u32,
    /// chroma_format_idc, bit_depth_luma_minus8 and bit_depth_chroma_minus8, in this order.
    pub chroma: (u8, u8, u8),
    /// Frames per second as a fraction: time_scale over twice num_units_in_tick.
    pub frame_rate: Option<(u32, u32)>,
    /// Number of bits of pic_order_cnt_lsb; `None` if pic_order_cnt_type is not 0.
    pub order_bits: Option<u32>,
    /// Number of bits of frame_num in slice headers, 4 to 16.
    frame_bits: u32,
    /// separate_colour_plane_flag: slice headers contain a colour_plane_id of two bits.
    planes: bool,
    /// frame_mbs_only_flag: all pictures are frames, so slice headers contain no field_pic_flag.
    frames_only: bool,
}

/// Values of profile_idc whose SPS contains chroma format, bit depths and scaling matrices.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

impl Sps {
    /// Reads an SPS from the bytes after the NAL unit's first byte.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(body);
        let profile = bits.bits(8)?;
        bits.skip(16)?;
        let id = bits.ue().filter(|id| *id < 32)?;
        let (mut chroma, mut planes) = ((1, 0, 0), false);
        if HIGH.contains(&profile) {
            let format = bits.ue().filter(|format| *format <= 3)?;
            planes = format == 3 && bits.flag()?;
            let mut depth = || bits.ue().filter(|depth| *depth <= 6);
            chroma = (format as u8, depth()? as u8, depth()? as u8);
            bits.skip(1)?;
            if bits.flag()? {
                for list in 0..if format == 3 { 12 } else { 8 } {
                    if bits.flag()? {
                        scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        let frame_bits = bits.ue().filter(|bits| *bits <= 12)? + 4;
        let order_bits = order(&mut bits)?;
        // max_num_ref_frames, gaps_in_frame_num_value_allowed_flag.
        bits.ue()?;
        bits.skip(1)?;
        let (across, down) = (bits.ue()?.checked_add(1)?, bits.ue()?.checked_add(1)?);
        let frames_only = bits.flag()?;
        bits.skip(if frames_only { 1 } else { 2 })?;
        let mut crop = [0; 4];
        if bits.flag()? {
            for edge in &mut crop {
                *edge = bits.ue()?;
            }
        }
        // Table 6-1: units of chroma samples, of two lines where fields may be coded.
        let (x, y) = match chroma.0 {
            1 => (2, 2),
            2 => (2, 1),
            _ => (1, 1),
        };
        let fields = if frames_only { 1 } else { 2 };
        let size = |units: u32, unit: u32, first: u32, second: u32, step: u32| {
            units.checked_mul(unit)?.checked_sub(first.checked_add(second)?.checked_mul(step)?)
        };
        let [left, right, top, bottom] = crop;
        Some(Self {
            id,
            width: size(across, 16, left, right, x)?,
            height: size(down, 16 * fields, top, bottom, y * fields)?,
            chroma,
            frame_rate: bits.flag().filter(|vui| *vui).and_then(|_| timing(&mut bits)),
            order_bits,
            frame_bits,
            planes,
            frames_only,
        })
    }

    /// Reads pic_order_cnt_lsb from a slice header that was read up to and including pic_parameter_set_id.
    pub fn order_lsb(&self, bits: &mut Bits<'_>, idr: bool) -> Option<u32> {
        let order = self.order_bits?;
        bits.skip(if self.planes { 2 } else { 0 } + self.frame_bits)?;
        if !self.frames_only && bits.flag()? {
            bits.skip(1)?;
        }
        if idr {
            bits.ue()?;
        }
        bits.bits(order)
    }
}

/// Reads pic_order_cnt_type and its fields. Returns the number of bits of pic_order_cnt_lsb for type 0.
fn order(bits: &mut Bits<'_>) -> Option<Option<u32>> {
    match bits.ue()? {
        0 => Some(Some(bits.ue().filter(|bits| *bits <= 12)? + 4)),
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue().filter(|count| *count <= 255)? {
                bits.se()?;
            }
            Some(None)
        }
        2 => Some(None),
        _ => None,
    }
}

fn scaling_list(bits: &mut Bits<'_>, size: usize) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.se().filter(|step| (-128..=127).contains(step))? + 256) % 256;
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// Reads the frame rate from the VUI; the fields after it are not read.
fn timing(bits: &mut Bits<'_>) -> Option<(u32, u32)> {
    const EXTENDED_SAR: u32 = 255;
    if bits.flag()? && bits.bits(8)? == EXTENDED_SAR {
        bits.skip(32)?;
    }
    // overscan_info, video_signal_type with its colour description, chroma_loc_info.
    if bits.flag()? {
        bits.skip(1)?;
    }
    if bits.flag()? {
        bits.skip(4)?;
        if bits.flag()? {
            bits.skip(24)?;
        }
    }
    if bits.flag()? {
        bits.ue()?;
        bits.ue()?;
    }
    if !bits.flag()? {
        return None;
    }
    let (tick, scale) = (bits.bits(32)?, bits.bits(32)?);
    Some((scale, tick.checked_mul(2)?)).filter(|(scale, ticks)| *scale > 0 && *ticks > 0)
}
