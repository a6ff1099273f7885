//! The settings of `remux-duck`.

use stage_kit::remux::{self, Lengths};
use stage_kit::settings::{self, Field, FieldKind, Problem};

/// All settings, for the schema and for reading.
pub const FIELDS: &[Field] = &[
    Field {
        key: "original_gain_db",
        title: "Level of the original",
        description: "How far the original is turned down under the processed audio, in decibels.",
        kind: FieldKind::Integer { min: -60, max: 0, default: -15 },
    },
    Field {
        key: "processed_gain_db",
        title: "Level of the processed audio",
        description: "How far the processed audio is turned up or down, in decibels.",
        kind: FieldKind::Integer { min: -30, max: 20, default: 0 },
    },
    Field {
        key: "ramp_ms",
        title: "Ramp",
        description: "How long the levels take to change at both ends of a batch, in milliseconds.",
        kind: FieldKind::Integer { min: 0, max: 2_000, default: 40 },
    },
    remux::TOLERANCE,
    remux::STRETCH,
    remux::STRETCH_MARKED,
    remux::BITRATE,
];

/// The settings after all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Gain of the original in hundredths of a decibel.
    pub original_centibel: i32,
    /// Gain of the processed audio in hundredths of a decibel.
    pub processed_centibel: i32,
    /// Length of the gain ramp at each end of a batch, in milliseconds.
    pub ramp_ms: u32,
    /// How far the returned audio's length may differ.
    pub lengths: Lengths,
    /// Bit rate of encoded audio, in bits per second; `None`: the host's default.
    pub bitrate: Option<u32>,
}

impl Settings {
    /// Reads the settings from JSON text; empty: the defaults.
    ///
    /// # Errors
    /// All problems, each with its key.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let values = settings::read(FIELDS, text)?;
        let mut problems = Vec::new();
        let lengths = Lengths::read(&values, &mut problems);
        let bitrate = remux::bitrate(&values, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        // The table of fields limits the numbers.
        let centibel = |key: &str| i32::try_from(values.integer(key) * 100).unwrap_or_default();
        Ok(Self {
            original_centibel: centibel("original_gain_db"),
            processed_centibel: centibel("processed_gain_db"),
            ramp_ms: u32::try_from(values.integer("ramp_ms")).unwrap_or_default(),
            lengths,
            bitrate,
        })
    }
}

/// The JSON Schema of the settings, as text.
pub fn schema() -> String {
    settings::schema("The original under the processed audio", FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_defaults_and_values() {
        let default = Settings::read("").unwrap();
        assert_eq!((default.original_centibel, default.processed_centibel, default.ramp_ms), (-1500, 0, 40));
        assert_eq!((default.lengths.stretch_permille, default.bitrate), (100, None));
        let set = r#"{"original_gain_db":-20,"processed_gain_db":3,"ramp_ms":0,"stretch_percent":5}"#;
        let set = Settings::read(set).unwrap();
        assert_eq!((set.original_centibel, set.processed_centibel, set.ramp_ms), (-2000, 300, 0));
        assert_eq!(set.lengths.stretch_permille, 50);
        assert!(schema().contains("original_gain_db"));
    }

    #[test]
    fn every_problem_names_its_key() {
        let wrong = r#"{"original_gain_db":1,"processed_gain_db":-31,"ramp_ms":2001,"stretch_percent":51}"#;
        let problems = Settings::read(wrong).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["original_gain_db", "processed_gain_db", "ramp_ms", "stretch_percent"]);
        assert_eq!(Settings::read(r#"{"stretch_percent":30,"bitrate_kbps":5}"#).unwrap_err().len(), 2);
    }
}
