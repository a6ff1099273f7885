//! The settings of `framing-sts`.

use stage_kit::settings::{self, Field, FieldKind, Problem};

/// All settings, for the schema and for reading.
pub const FIELDS: &[Field] = &[
    Field {
        key: "source_language",
        title: "Language of the source",
        description: "The processor's name of the language, such as `en` or `en-US`; empty: not sent.",
        kind: FieldKind::Text { max: 35, default: "" },
    },
    Field {
        key: "target_language",
        title: "Language wanted",
        description: "The processor's name of the language, such as `de`; empty: not sent.",
        kind: FieldKind::Text { max: 35, default: "" },
    },
    Field {
        key: "voice_profile",
        title: "Voice",
        description: "The processor's name of the voice; empty: not sent.",
        kind: FieldKind::Text { max: 100, default: "" },
    },
    Field {
        key: "audio_format",
        title: "Audio sent",
        description: "`m4a` sends the source's AAC unchanged; `pcm_s16le` sends samples.",
        kind: FieldKind::Choice { options: &["m4a", "pcm_s16le"] },
    },
    Field {
        key: "sample_rate_hz",
        title: "Sample rate",
        description: "Sent at the start of the session; samples are converted to it, AAC is not.",
        kind: FieldKind::Integer { min: 8_000, max: 96_000, default: 48_000 },
    },
    Field {
        key: "channels",
        title: "Channels",
        description: "Sent at the start of the session; samples are converted to it, AAC is not.",
        kind: FieldKind::Integer { min: 1, max: 8, default: 2 },
    },
    Field {
        key: "chunk_duration_ms",
        title: "Length of fragments",
        description: "Sent at the start of the session, in milliseconds; set it to the pipeline's batch length.",
        kind: FieldKind::Integer { min: 1_000, max: 120_000, default: 30_000 },
    },
    Field {
        key: "max_inflight",
        title: "Fragments in flight",
        description: "How many the processor is asked to take at once; it may answer with fewer.",
        kind: FieldKind::Integer { min: 1, max: 32, default: 3 },
    },
    Field {
        key: "timeout_ms",
        title: "Time for a fragment",
        description: "Sent at the start of the session, in milliseconds; a fragment without a reply for longer no longer counts as in flight.",
        kind: FieldKind::Integer { min: 1_000, max: 600_000, default: 8_000 },
    },
    Field {
        key: "slow_down_ms",
        title: "Wait when slowed down",
        description: "Wait before the next fragment if the processor asks to slow down without a number, in milliseconds.",
        kind: FieldKind::Integer { min: 100, max: 60_000, default: 1_000 },
    },
    Field {
        key: "worker_id",
        title: "Worker",
        description: "The sender's name that is sent to the processor.",
        kind: FieldKind::Text { max: 64, default: "outboard" },
    },
];

/// The format of the audio that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The source's AAC in MP4.
    M4a,
    /// Samples, signed 16 bit little endian.
    Pcm,
}

impl Format {
    /// The name of the format in the dialect.
    pub fn name(self) -> &'static str {
        match self {
            Self::M4a => "m4a",
            Self::Pcm => PCM,
        }
    }
}

/// The dialect's name for samples.
pub const PCM: &str = "pcm_s16le";

/// The settings after all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described in FIELDS under its key")]
pub struct Settings {
    pub source_language: String,
    pub target_language: String,
    pub voice_profile: String,
    pub format: Format,
    pub sample_rate_hz: u32,
    pub channels: u32,
    pub chunk_duration_ms: u64,
    pub max_inflight: u64,
    pub timeout_ms: u64,
    pub slow_down_ms: u64,
    pub worker_id: String,
}

impl Settings {
    /// Reads the settings from JSON text; empty: the defaults.
    ///
    /// # Errors
    /// All problems, each with its key.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let values = settings::read(FIELDS, text)?;
        // The table of fields limits the numbers.
        let number = |key: &str| u64::try_from(values.integer(key)).unwrap_or_default();
        let small = |key: &str| u32::try_from(values.integer(key)).unwrap_or_default();
        let text = |key: &str| values.text(key).to_owned();
        Ok(Self {
            source_language: text("source_language"),
            target_language: text("target_language"),
            voice_profile: text("voice_profile"),
            format: if values.choice("audio_format") == PCM { Format::Pcm } else { Format::M4a },
            sample_rate_hz: small("sample_rate_hz"),
            channels: small("channels"),
            chunk_duration_ms: number("chunk_duration_ms"),
            max_inflight: number("max_inflight"),
            timeout_ms: number("timeout_ms"),
            slow_down_ms: number("slow_down_ms"),
            worker_id: text("worker_id"),
        })
    }
}

/// The JSON Schema of the settings, as text.
pub fn schema() -> String {
    settings::schema("Dialect `sts`", FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_defaults_and_values() {
        let default = Settings::read("").unwrap();
        assert_eq!((default.format, default.max_inflight, default.timeout_ms), (Format::M4a, 3, 8_000));
        assert_eq!((default.sample_rate_hz, default.channels, default.worker_id.as_str()), (48_000, 2, "outboard"));
        let set = r#"{"audio_format":"pcm_s16le","sample_rate_hz":16000,"channels":1,"target_language":"de"}"#;
        let set = Settings::read(set).unwrap();
        assert_eq!((set.format, set.sample_rate_hz, set.channels), (Format::Pcm, 16_000, 1));
        assert_eq!(set.target_language, "de");
        assert!(schema().contains("voice_profile"));
    }

    #[test]
    fn every_problem_names_its_key() {
        let wrong = r#"{"audio_format":"mp3","channels":9,"max_inflight":0,"worker_id":7,"token":"x"}"#;
        let problems = Settings::read(wrong).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["audio_format", "channels", "max_inflight", "worker_id", "token"]);
    }
}
