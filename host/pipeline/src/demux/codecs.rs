//! Codecs of sound: what they are called, and which of them are encoded.

use outboard_media::demux::Codec;

/// Whether sound in this codec is decoded and encoded to AAC.
pub(super) fn is_encoded(codec: Codec) -> bool {
    matches!(codec, Codec::MpegAudio | Codec::Ac3 | Codec::Eac3 | Codec::Opus)
}

/// ffmpeg's name of the codec.
pub(super) fn audio_name(codec: Codec, layer: u8) -> &'static str {
    match (codec, layer) {
        (Codec::MpegAudio, 1) => "mp1",
        (Codec::MpegAudio, 2) => "mp2",
        _ => codec.name(),
    }
}
