//! Which of a source's sounds is taken: settings and check.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checks::Checks;
use crate::limits::{AUDIO_NAME_MAX_CHARS, AUDIO_PID};
use outboard_media::demux::Codec;
use outboard_media::language;

/// Selects the audio of a source that has several. A rendition of a master playlist is selected by language and name; an audio
/// stream inside the segments by PID, then language, then codec. If nothing matches, the best there is is used, and a warning lists
/// what the source has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SourceAudio {
    /// PID in a transport stream, or track_ID in MP4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Language as an ISO 639 code, such as `de`, `deu` or `en-GB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Codec by ffmpeg's name: one of those of [`Codec::SOUNDS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// NAME of the audio rendition in the master playlist, compared exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl SourceAudio {
    /// Nothing is selected.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks all fields; one with a problem is left out.
    pub(super) fn resolve(&self, checks: &mut Checks) -> Self {
        let Self { pid, language, codec, name } = self;
        let path = checks.name("source.audio.pid", "source.audio_pid");
        let pid = checks.whole(path, pid.map(u64::from), &AUDIO_PID).and_then(|pid| u32::try_from(pid).ok());
        let path = checks.name("source.audio.language", "source.audio_language");
        let language = language.as_deref().map(|text| checks.text(path, text)).filter(|code| {
            let is_code = language::is_code(code);
            if !is_code {
                checks.wrong(path, format!("{code:?} is not a language code (ISO 639), such as de, deu or en-GB"));
            }
            is_code
        });
        let path = checks.name("source.audio.codec", "source.audio_codec");
        let codec = codec.as_deref().map(|text| checks.text(path, text)).filter(|name| {
            let names = Codec::SOUNDS.map(Codec::name);
            let is_known = names.contains(&name.as_str());
            if !is_known {
                checks.wrong(path, format!("{name:?} is not one of {}", names.join(", ")));
            }
            is_known
        });
        let path = checks.name("source.audio.name", "source.audio_name");
        let name = name.as_deref().map(|text| checks.text(path, text)).filter(|name| {
            let fits = (1..=AUDIO_NAME_MAX_CHARS).contains(&name.chars().count());
            if !fits {
                checks.wrong(path, format!("must have 1 to {AUDIO_NAME_MAX_CHARS} characters"));
            }
            fits
        });
        Self { pid, language, codec, name }
    }

    /// As it is shown; `null` if nothing is selected.
    pub(super) fn shown(&self) -> Value {
        let Self { pid, language, codec, name } = self;
        match self.is_default() {
            true => Value::Null,
            false => json!({ "pid": pid, "language": language, "codec": codec, "name": name }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::Caller;
    use super::*;

    #[test]
    fn each_wrong_field_is_named_with_what_would_be_right() {
        let text = |text: &str| Some(text.to_owned());
        let good = SourceAudio { pid: Some(257), language: text("en-GB"), codec: text("ac3"), name: text("English") };
        let mut checks = Checks::new(Caller::Api);
        assert_eq!(good.resolve(&mut checks), good);
        checks.finish(Some(())).unwrap();
        let bad = SourceAudio { pid: Some(0), language: text("german"), codec: text("flac"), name: text("") };
        for (caller, paths) in [
            (Caller::Api, ["source.audio.pid", "source.audio.language", "source.audio.codec", "source.audio.name"]),
            (
                Caller::Configuration,
                ["source.audio_pid", "source.audio_language", "source.audio_codec", "source.audio_name"],
            ),
        ] {
            let mut checks = Checks::new(caller);
            assert!(bad.resolve(&mut checks).is_default());
            let problems = checks.finish(Some(())).unwrap_err().0;
            assert_eq!(problems.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(), paths);
            assert_eq!(problems[1].message, "\"german\" is not a language code (ISO 639), such as de, deu or en-GB");
            assert_eq!(problems[2].message, "\"flac\" is not one of aac, mp3, ac3, eac3, opus");
        }
    }
}
