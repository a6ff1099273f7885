//! Reads the frame headers of ADTS (ISO/IEC 13818-7, section 6.2). Frames must fill the file without gaps; a reader
//! that searches for the next sync word would skip missing data.

use symphonia::core::audio::layouts::{CHANNEL_LAYOUT_MONO, CHANNEL_LAYOUT_STEREO};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;

use super::{Container, Probe, ProbeError, aac};
use crate::adts::{HEADER, Header, PROFILE_LC, SAMPLES};
use crate::limits::PROBE_PACKETS_MAX;

/// What must be the same in all frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    profile: u8,
    rate: u32,
    channels: u8,
}

impl Format {
    /// The inspector of such frames; with a decoder if the profile and the channels can be decoded.
    fn inspector(self) -> aac::Inspector {
        let mut parameters = AudioCodecParameters::new();
        let layout = match self.channels {
            1 => Some(CHANNEL_LAYOUT_MONO),
            2 => Some(CHANNEL_LAYOUT_STEREO),
            _ => None,
        };
        if let Some(layout) = layout.filter(|_| self.profile == PROFILE_LC) {
            parameters.for_codec(CODEC_ID_AAC).with_sample_rate(self.rate).with_channels(layout);
        }
        aac::Inspector::new(&parameters, self.channels.into())
    }
}

/// Walks a file that starts with a frame. A tag may follow the last one.
pub fn probe(data: &[u8]) -> Result<Probe, ProbeError> {
    let damaged = |what: String| ProbeError::Damaged { container: Container::Adts, what };
    let (mut at, mut frames, mut blocks) = (0, 0_u64, 0_u64);
    let mut format = None;
    let mut inspector = None;
    while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty() && !rest.starts_with(b"TAG")) {
        let truncated = |what: String| ProbeError::Truncated { container: Container::Adts, what };
        if rest.len() < HEADER {
            return Err(truncated(format!("{} bytes are left for frame {frames}", rest.len())));
        }
        let frame =
            Header::parse(rest).ok_or_else(|| damaged(format!("no frame at byte {at}, after frame {frames}")))?;
        let found = Format { profile: frame.profile, rate: frame.rate, channels: frame.channels };
        let Some(payload) = rest.get(frame.header..frame.length) else {
            return Err(truncated(format!("frame {frames} has {} of {} bytes", rest.len(), frame.length)));
        };
        if *format.get_or_insert(found) != found {
            return Err(damaged(format!("the format changes at frame {frames}")));
        }
        let inspector = inspector.get_or_insert_with(|| found.inspector());
        if inspector.is_absurd(payload) {
            return Err(damaged(format!("frame {frames} holds no AAC of {} channels", found.channels)));
        }
        (at, frames, blocks) = (at + frame.length, frames + 1, blocks + u64::from(frame.blocks));
        if frames > PROBE_PACKETS_MAX {
            return Err(ProbeError::TooManyPackets(Container::Adts));
        }
    }
    let format = format.ok_or(ProbeError::NoAudio(Container::Adts))?;
    if format.channels == 0 {
        return Err(damaged("its channels are told by no header".to_owned()));
    }
    Ok(Probe {
        container: Container::Adts,
        codec: "aac",
        sample_rate_hz: format.rate,
        // Configuration 7 is 7.1.
        channels: if format.channels == 7 { 8 } else { format.channels.into() },
        duration_us: blocks * u64::from(SAMPLES) * 1_000_000 / u64::from(format.rate),
        packets: frames,
        samples: blocks * u64::from(SAMPLES),
        delay_samples: None,
        padding_samples: None,
        copyable: format.profile == PROFILE_LC,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame of this many bytes, 13 or more: AAC-LC, 48 kHz, stereo, silence.
    fn frame(length: usize) -> Vec<u8> {
        let low = |shift: usize| u8::try_from(length >> shift & 0xff).unwrap();
        let mut frame = vec![
            0xff,
            0xf1,
            0x4c,
            0x80 | low(11),
            low(3),
            low(0) << 5 | 0x1f,
            0xfc,
            0x21,
            0x10,
            0x04,
            0x60,
            0x8c,
            0x1c,
        ];
        frame.resize(length, 0);
        frame
    }

    #[test]
    fn frames_are_counted_to_the_last_byte() {
        let data = [frame(100), frame(3000), frame(13)].concat();
        let probe = probe(&data).unwrap();
        assert_eq!((probe.packets, probe.duration_us, probe.sample_rate_hz, probe.channels), (3, 64_000, 48_000, 2));
        assert!(probe.copyable);
        assert_eq!(super::probe(&[&data[..], b"TAG and more"].concat()).unwrap().packets, 3);
    }

    #[test]
    fn what_is_cut_or_foreign_is_told() {
        let data = [frame(100), frame(200)].concat();
        let wrong = |data: &[u8]| probe(data).unwrap_err().to_string();
        assert_eq!(wrong(&data[..250]), "the adts file is cut off: frame 1 has 150 of 200 bytes");
        assert_eq!(wrong(&data[..103]), "the adts file is cut off: 3 bytes are left for frame 1");
        let mut other = data.clone();
        other[100] = 0;
        assert_eq!(wrong(&other), "the adts file is damaged: no frame at byte 100, after frame 1");
        let mut mono = data.clone();
        mono[103] = 0x40;
        assert_eq!(wrong(&mono), "the adts file is damaged: the format changes at frame 1");
        let mut noise = data.clone();
        noise[107] = 0xff;
        assert_eq!(wrong(&noise), "the adts file is damaged: frame 1 holds no AAC of 2 channels");
        let mut rate = data;
        rate[2] = 0x7c;
        assert!(wrong(&rate).contains("no frame at byte 0"));
        assert_eq!(wrong(&[]), "the adts file holds no audio");
    }

    #[test]
    fn other_profiles_are_not_copied_and_channels_must_be_told() {
        let mut main = frame(50);
        main[2] = 0x0c;
        assert!(!probe(&main).unwrap().copyable);
        let mut surround = frame(50);
        (surround[2], surround[3]) = (0x4d, 0xc0);
        assert_eq!(probe(&surround).unwrap().channels, 8);
        let mut untold = frame(50);
        untold[3] = 0;
        assert!(probe(&untold).unwrap_err().to_string().contains("told by no header"));
    }

    #[test]
    fn frames_are_bounded() {
        let data = frame(13).repeat(usize::try_from(PROBE_PACKETS_MAX).unwrap() + 1);
        assert_eq!(probe(&data), Err(ProbeError::TooManyPackets(Container::Adts)));
    }
}
