//! The settings of `remux-replace`.

use stage_kit::remux::{self, Lengths};
use stage_kit::settings::{self, Field, Problem};

/// All settings, for the schema and for reading.
pub const FIELDS: &[Field] = &[remux::TOLERANCE, remux::STRETCH, remux::STRETCH_MARKED, remux::BITRATE];

/// The settings after all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
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
        if problems.is_empty() { Ok(Self { lengths, bitrate }) } else { Err(problems) }
    }
}

/// The JSON Schema of the settings, as text.
pub fn schema() -> String {
    settings::schema("Processed audio in the original's place", FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_defaults_and_values() {
        let lengths = Lengths { tolerance_frames: 1, stretch_permille: 100, stretch_marked_permille: 200 };
        assert_eq!(Settings::read(""), Ok(Settings { lengths, bitrate: None }));
        let set = r#"{"tolerance_frames":2,"stretch_percent":0,"stretch_marked_percent":5,"bitrate_kbps":128}"#;
        let lengths = Lengths { tolerance_frames: 2, stretch_permille: 0, stretch_marked_permille: 50 };
        assert_eq!(Settings::read(set), Ok(Settings { lengths, bitrate: Some(128_000) }));
        assert!(schema().contains("stretch_marked_percent"));
    }

    #[test]
    fn problems_are_told_together() {
        assert_eq!(Settings::read(r#"{"stretch_percent":-1,"tolerance_frames":0,"x":0}"#).unwrap_err().len(), 3);
        assert_eq!(Settings::read(r#"{"stretch_percent":30,"bitrate_kbps":5}"#).unwrap_err().len(), 2);
    }
}
