//! Chooses which programme, video stream and audio stream of an input are taken.

use super::event::{Codec, Stream, Streams, TrackKind};
use super::numbering::Numbering;
use crate::language;

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
    /// ISO 639 code, such as `deu` or `de`; compared by [`language::is_same`].
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
        let usable = streams.iter().filter(|stream| is_usable(stream, kind));
        // The last of equal ones wins with max_by: from the back, so that the first does.
        usable.rev().max_by_key(|stream| (self.wish(kind).score(stream), now == Some(stream.number)))
    }

    /// Says why a stream is not taken; `None`: it is taken. `streams`: all of the input, with marks on the taken ones.
    pub fn why_not(&self, stream: &Stream, streams: &[Stream], numbering: Numbering) -> Option<String> {
        if stream.taken {
            return None;
        }
        let Some(kind) = stream.codec.kind() else { return Some("it has neither pictures nor sound".to_owned()) };
        if stream.encrypted {
            return Some("it is encrypted inside the segments, and only media in the clear or encrypted as a whole with AES-128 can be read".to_owned());
        }
        if rank(stream.codec) == 0 {
            return Some(format!("{} cannot be read here", stream.codec.name()));
        }
        let Some(taken) = streams.iter().find(|other| other.taken && other.codec.kind() == Some(kind)) else {
            return Some("it is not announced any more".to_owned());
        };
        let (name, taken) = (numbering.name(taken.number), (self.wish(kind).score(taken), taken.codec.name()));
        let ((number, language, codec, rank), than) = (taken.0, self.wish(kind).score(stream));
        Some(if number && !than.0 {
            format!("the settings choose {name}")
        } else if language && !than.1 {
            format!("the settings choose the language of {name}")
        } else if codec && !than.2 {
            format!("the settings choose the codec of {name}")
        } else if rank > than.3 {
            format!("{name} has {}, which goes on air without being encoded", taken.1)
        } else {
            format!("{name} is used, which comes first or was there before")
        })
    }

    /// Says that the input has no programme of the wished number, and what it has; `None`: it has, or none is wished, or the
    /// container has no programmes.
    pub fn unmet_program(&self, found: &Streams) -> Option<String> {
        let (wanted, taken) = (self.program?, found.program?);
        let all: Vec<String> = found.programs.iter().map(u16::to_string).collect();
        (wanted != taken).then(|| {
            format!("the source has no programme {wanted}; it has {}, of which {taken} is used", all.join(", "))
        })
    }

    /// Says which wishes for this kind of stream the input does not fulfil, what it has and what is taken; `None`: it fulfils
    /// all. A stream without a language may have the wished one, if there is no other of its kind.
    pub fn unmet(&self, kind: TrackKind, found: &Streams, numbering: Numbering) -> Option<String> {
        let wish = self.wish(kind);
        let of_kind = || found.streams.iter().filter(move |stream| stream.codec.kind() == Some(kind));
        let taken = of_kind().find(|stream| stream.taken)?;
        let (number, language, codec, _) = wish.score(taken);
        let only = taken.language.is_none() && of_kind().count() == 1;
        let wanted = [
            wish.number.filter(|_| !number).map(|number| match numbering {
                Numbering::None => Numbering::Pid.name(number),
                numbering => numbering.name(number),
            }),
            wish.language.as_ref().filter(|_| !language && !only).map(|language| format!("language {language}")),
            wish.codec.filter(|_| !codec).map(|codec| format!("codec {}", codec.name())),
        ];
        let wanted: Vec<String> = wanted.into_iter().flatten().collect();
        let all: Vec<String> = of_kind().map(|stream| numbering.stream(stream)).collect();
        (!wanted.is_empty()).then(|| {
            format!(
                "the source has no {kind} with {}; it has {}, of which {} is used",
                wanted.join(" and "),
                all.join(", "),
                numbering.name(taken.number)
            )
        })
    }
}

impl Wish {
    /// Which wishes a stream fulfils, and how well its codec goes on air.
    fn score(&self, stream: &Stream) -> (bool, bool, bool, u8) {
        let language = |wanted: &String| stream.language.as_ref().is_some_and(|found| language::is_same(wanted, found));
        (
            self.number == Some(stream.number),
            self.language.as_ref().is_some_and(language),
            self.codec == Some(stream.codec),
            rank(stream.codec),
        )
    }
}

fn is_usable(stream: &Stream, kind: TrackKind) -> bool {
    stream.codec.kind() == Some(kind) && !stream.encrypted && rank(stream.codec) > 0
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

    /// Marks what is taken, and tells why the others are not.
    fn passed_over(choice: &Choice, mut streams: Vec<Stream>) -> Vec<String> {
        for kind in [TrackKind::Video, TrackKind::Audio] {
            let best = choice.best(kind, &streams, None).map(|best| best.number);
            streams.iter_mut().for_each(|stream| stream.taken |= best == Some(stream.number));
        }
        streams.iter().filter_map(|stream| choice.why_not(stream, &streams, Numbering::Pid)).collect()
    }

    #[test]
    fn why_a_stream_is_passed_over_is_told() {
        let two = || vec![stream(2, Codec::Ac3, "eng"), stream(3, Codec::Aac, "deu")];
        let audio = |wish| Choice { audio: wish, ..Choice::default() };
        let none = Wish::default;
        let why = |wish| passed_over(&audio(wish), two()).concat();
        assert_eq!(why(none()), "PID 3 has aac, which goes on air without being encoded");
        assert_eq!(why(Wish { number: Some(2), ..none() }), "the settings choose PID 2");
        assert_eq!(
            why(Wish { language: Some("en".to_owned()), ..none() }),
            "the settings choose the language of PID 2"
        );
        assert_eq!(why(Wish { codec: Some(Codec::Ac3), ..none() }), "the settings choose the codec of PID 2");
        let same = vec![stream(2, Codec::Aac, "eng"), stream(3, Codec::Aac, "deu")];
        assert_eq!(passed_over(&audio(none()), same).concat(), "PID 2 is used, which comes first or was there before");
        let locked = Stream { encrypted: true, ..stream(4, Codec::Aac, "deu") };
        assert!(passed_over(&audio(none()), vec![locked]).concat().contains("encrypted inside the segments"));
        assert_eq!(
            passed_over(&audio(none()), vec![stream(4, Codec::AacLatm, "deu")]).concat(),
            "aac_latm cannot be read here"
        );
    }

    #[test]
    fn wishes_that_the_input_does_not_fulfil_are_told_with_what_it_has() {
        let found = |taken: u32| {
            let mut streams = vec![stream(2, Codec::Ac3, "eng"), stream(3, Codec::Aac, "deu")];
            streams.iter_mut().for_each(|stream| stream.taken = stream.number == taken);
            Streams { program: Some(1), programs: vec![1, 7], streams }
        };
        let unmet = |audio: Wish, found: &Streams| {
            Choice { audio, ..Choice::default() }.unmet(TrackKind::Audio, found, Numbering::Pid).unwrap_or_default()
        };
        let language = |code: &str| Wish { language: Some(code.to_owned()), ..Wish::default() };
        assert_eq!(unmet(Wish::default(), &found(3)), "");
        assert_eq!(unmet(language("ger"), &found(3)), "");
        assert_eq!(
            unmet(Wish { number: Some(9), ..language("fr") }, &found(3)),
            "the source has no audio with PID 9 and language fr; it has PID 2: ac3 (eng), PID 3: aac (deu), of which PID 3 is used"
        );
        assert_eq!(
            unmet(Wish { codec: Some(Codec::Opus), ..Wish::default() }, &found(2)),
            "the source has no audio with codec opus; it has PID 2: ac3 (eng), PID 3: aac (deu), of which PID 2 is used"
        );
        let unnamed = Stream { language: None, taken: true, ..stream(1, Codec::Aac, "") };
        let mut one = Streams { streams: vec![unnamed], ..Streams::default() };
        assert_eq!(unmet(language("fr"), &one), "", "it may be");
        one.streams.push(stream(2, Codec::Aac, "eng"));
        assert!(unmet(language("fr"), &one).contains("no audio with language fr"));
        let program = |program| Choice { program, ..Choice::default() };
        assert_eq!(program(Some(1)).unmet_program(&found(3)), None);
        assert_eq!(
            program(Some(2)).unmet_program(&found(3)).as_deref(),
            Some("the source has no programme 2; it has 1, 7, of which 1 is used")
        );
        assert_eq!(program(Some(2)).unmet_program(&one), None, "MP4 has no programmes");
    }

    #[test]
    fn what_is_encrypted_is_not_taken() {
        let streams = [Stream { encrypted: true, ..stream(1, Codec::Aac, "deu") }, stream(2, Codec::Ac3, "deu")];
        assert_eq!(Choice::default().best(TrackKind::Audio, &streams, None).unwrap().number, 2);
    }
}
