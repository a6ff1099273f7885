//! Chooses which programme, video stream and audio stream of an input are taken.

use super::event::{Codec, Stream, TrackKind};

/// The wishes for an input. A wish that the input cannot fulfil is ignored, and the best existing stream is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// program_number of the programme. `None`: the first programme with video, else the first with audio.
    pub program: Option<u16>,
    /// Selects the video stream; the default has no preference.
    pub video: Wish,
    /// Selects the audio stream; the default has no preference.
    pub audio: Wish,
}

/// The wishes for one kind of stream. A number has priority over a language, and a language over a codec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// PID in a transport stream, or track_ID in MP4.
    pub number: Option<u32>,
    /// ISO 639-2 code, such as `deu`.
    pub language: Option<String>,
    /// The codec of the stream.
    pub codec: Option<Codec>,
}

impl Choice {
    /// Returns the wishes for this kind of stream.
    pub fn wish(&self, kind: TrackKind) -> &Wish {
        match kind {
            TrackKind::Video => &self.video,
            TrackKind::Audio => &self.audio,
        }
    }

    /// Returns the best stream of this kind: first by the wishes, then codecs that go on air unchanged, then the stream
    /// that is taken already (`now`), then the first one. `None` if no stream can be taken.
    pub fn best<'a>(&self, kind: TrackKind, streams: &'a [Stream], now: Option<u32>) -> Option<&'a Stream> {
        let wish = self.wish(kind);
        let score = |stream: &Stream| {
            (
                wish.number == Some(stream.number),
                wish.language.is_some() && wish.language == stream.language,
                wish.codec == Some(stream.codec),
                rank(stream.codec),
                now == Some(stream.number),
            )
        };
        let usable = streams
            .iter()
            .filter(|stream| stream.codec.kind() == Some(kind) && !stream.encrypted && rank(stream.codec) > 0);
        // The last of equal ones wins with max_by: from the back, so that the first does.
        usable.rev().max_by_key(|stream| score(stream))
    }
}

/// Ranks a codec. 2: it goes on air unchanged; 1: it is carried, or decoded and encoded again; 0: it cannot be demuxed
/// here.
fn rank(codec: Codec) -> u8 {
    match codec {
        Codec::H264 | Codec::Aac => 2,
        Codec::Hevc | Codec::Av1 | Codec::MpegAudio | Codec::Ac3 | Codec::Eac3 | Codec::Opus => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(number: u32, codec: Codec, language: &str) -> Stream {
        Stream { number, codec, language: Some(language.to_owned()), encrypted: false, taken: false }
    }

    #[test]
    fn wishes_come_before_codecs_and_codecs_before_order() {
        let streams = [
            stream(1, Codec::H264, "und"),
            stream(2, Codec::Ac3, "eng"),
            stream(3, Codec::Aac, "deu"),
            stream(4, Codec::Aac, "eng"),
            stream(5, Codec::AacLatm, "fra"),
        ];
        let best = |wish: Wish, now| {
            Choice { audio: wish, ..Choice::default() }.best(TrackKind::Audio, &streams, now).map(|found| found.number)
        };
        let none = Wish::default;
        let language = |code: &str| Wish { language: Some(code.to_owned()), ..none() };
        assert_eq!(best(none(), None), Some(3));
        assert_eq!(best(none(), Some(4)), Some(4), "what is taken stays");
        assert_eq!(best(none(), Some(2)), Some(3));
        assert_eq!(best(language("eng"), None), Some(4));
        assert_eq!(best(language("fra"), None), Some(3), "LATM is not taken apart");
        assert_eq!(best(Wish { codec: Some(Codec::Ac3), ..none() }, None), Some(2));
        assert_eq!(best(Wish { number: Some(2), ..language("deu") }, Some(4)), Some(2));
        assert_eq!(Choice::default().best(TrackKind::Video, &streams[1..], None), None);
    }

    #[test]
    fn what_is_encrypted_is_not_taken() {
        let streams = [Stream { encrypted: true, ..stream(1, Codec::Aac, "deu") }, stream(2, Codec::Ac3, "deu")];
        assert_eq!(Choice::default().best(TrackKind::Audio, &streams, None).unwrap().number, 2);
    }
}
