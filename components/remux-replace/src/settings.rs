//! The stage's settings.

use stage_kit::settings::{self, Field, Kind, Problem};

/// Every setting, for the schema and for reading.
pub const FIELDS: &[Field] = &[
    Field {
        key: "stretch_percent",
        title: "Stretch up to",
        description: "Processed audio whose length differs from the original's by at most so many per cent is stretched to fit.",
        kind: Kind::Integer { min: 0, max: 50, default: 10 },
    },
    Field {
        key: "stretch_marked_percent",
        title: "Stretch and mark up to",
        description: "Up to so many per cent it is stretched too, and the batch is marked for the operator. Above it the original goes on air, marked.",
        kind: Kind::Integer { min: 0, max: 50, default: 20 },
    },
    Field {
        key: "bitrate_kbps",
        title: "Bit rate",
        description: "Bit rate of audio that must be encoded, in kbit/s; 0 leaves it to the host.",
        kind: Kind::Integer { min: 0, max: 512, default: 0 },
    },
];

/// Lowest bit rate that AAC is of use at.
const BITRATE_KBPS_MIN: i64 = 16;

/// Checked settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Stretched without a word up to this difference, in per mille of the original's length.
    pub stretch_permille: u64,
    /// Stretched and marked up to this difference, in per mille of the original's length.
    pub stretch_marked_permille: u64,
    /// Bits per second where audio is encoded.
    pub bitrate: Option<u32>,
}

impl Settings {
    /// Reads the settings object's text.
    ///
    /// # Errors
    /// Every problem at once.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let values = settings::read(FIELDS, text)?;
        let (plain, marked) = (values.integer("stretch_percent"), values.integer("stretch_marked_percent"));
        let kbps = values.integer("bitrate_kbps");
        let mut problems = Vec::new();
        if marked < plain {
            problems.push(Problem {
                path: "stretch_marked_percent".to_owned(),
                message: format!("{marked} is below stretch_percent, which is {plain}"),
            });
        }
        if kbps != 0 && kbps < BITRATE_KBPS_MIN {
            problems.push(Problem {
                path: "bitrate_kbps".to_owned(),
                message: format!("{kbps} is neither 0 nor from {BITRATE_KBPS_MIN} to 512"),
            });
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let permille = |percent: i64| u64::try_from(percent).unwrap_or_default() * 10;
        Ok(Self {
            stretch_permille: permille(plain),
            stretch_marked_permille: permille(marked),
            bitrate: u32::try_from(kbps).ok().filter(|kbps| *kbps > 0).map(|kbps| kbps * 1000),
        })
    }
}

/// The JSON Schema of the settings.
pub fn schema() -> String {
    settings::schema("Processed audio in the original's place", FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_defaults_and_values() {
        let default = Settings { stretch_permille: 100, stretch_marked_permille: 200, bitrate: None };
        assert_eq!(Settings::read(""), Ok(default));
        let set = Settings::read(r#"{"stretch_percent":0,"stretch_marked_percent":5,"bitrate_kbps":128}"#);
        assert_eq!(set, Ok(Settings { stretch_permille: 0, stretch_marked_permille: 50, bitrate: Some(128_000) }));
        assert!(schema().contains("stretch_marked_percent"));
    }

    #[test]
    fn settings_that_contradict_each_other_are_told_together() {
        let problems =
            Settings::read(r#"{"stretch_percent":30,"stretch_marked_percent":20,"bitrate_kbps":5}"#).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["stretch_marked_percent", "bitrate_kbps"]);
        assert_eq!(Settings::read(r#"{"stretch_percent":-1,"x":0}"#).unwrap_err().len(), 2);
    }
}
