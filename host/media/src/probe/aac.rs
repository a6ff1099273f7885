//! Checks that packets which claim to be AAC are: the first syntactic element of each (ISO/IEC 14496-3, table 4.85). Of
//! AAC-LC in one or two channels, one packet in eight is also decoded, which detects damage without decoding the whole
//! file.

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};

/// One packet of this many is decoded.
const DECODE_EVERY: u64 = 8;

/// Checks the packets of one track, in order.
pub struct Inspector {
    channels: u32,
    decoder: Option<Box<dyn AudioDecoder>>,
    packets: u64,
}

impl Inspector {
    /// An inspector of a track with these parameters. Without a decoder for them, only first elements are checked.
    pub fn new(parameters: &AudioCodecParameters, channels: u32) -> Self {
        let options = AudioDecoderOptions::default();
        let decoder = symphonia::default::get_codecs().make_audio_decoder(parameters, &options).ok();
        Self { channels, decoder, packets: 0 }
    }

    /// True if this packet is not AAC with the track's number of channels.
    pub fn is_absurd(&mut self, packet: &[u8]) -> bool {
        let decoded = self.packets.is_multiple_of(DECODE_EVERY);
        self.packets += 1;
        if is_absurd(packet, self.channels) {
            return true;
        }
        let Some(decoder) = self.decoder.as_mut().filter(|_| decoded) else { return false };
        let packet = PacketRef::new(0, Timestamp::new(0), Duration::ZERO, packet);
        // What the decoder does not support may be sound all the same.
        matches!(decoder.decode_ref(&packet), Err(Error::DecodeError(_) | Error::IoError(_)))
    }
}

/// True if a raw data block with this start cannot have this number of channels (table 1.19: one channel starts with a
/// single channel element, two with a channel pair element; data, fill and configuration elements may come before).
fn is_absurd(packet: &[u8], channels: u32) -> bool {
    const SINGLE: u8 = 0;
    const PAIR: u8 = 1;
    const DATA: u8 = 4;
    const CONFIGURATION: u8 = 5;
    const FILL: u8 = 6;
    const END: u8 = 7;
    let Some(element) = packet.first().map(|byte| byte >> 5) else { return true };
    match channels {
        1 => !matches!(element, SINGLE | DATA | CONFIGURATION | FILL),
        2 => !matches!(element, PAIR | DATA | CONFIGURATION | FILL),
        _ => element == END,
    }
}

#[cfg(test)]
mod tests {
    use super::is_absurd;

    #[test]
    fn a_packet_starts_as_its_channels_ask() {
        assert!(!is_absurd(&[0b0000_0000], 1) && is_absurd(&[0b0000_0000], 2));
        assert!(!is_absurd(&[0b0010_0000], 2) && is_absurd(&[0b0010_0000], 1));
        assert!([1, 2, 6].iter().all(|&channels| !is_absurd(&[0b1101_1111], channels)), "fill");
        assert!([1, 2, 6].iter().all(|&channels| is_absurd(&[0xff], channels)), "end");
        assert!(is_absurd(&[], 2));
    }
}
