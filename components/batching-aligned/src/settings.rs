//! The settings of `batching-aligned`.

use stage_kit::settings::{self, Field, FieldKind, Problem};

/// All settings, for the schema and for reading.
pub const FIELDS: &[Field] = &[
    Field {
        key: "every_seconds",
        title: "Border every",
        description: "There is a border of wall-clock time at each multiple of this many seconds since the Unix epoch. If the source has no date-time, batches are this long.",
        kind: FieldKind::Integer { min: 2, max: 120, default: 30 },
    },
    Field {
        key: "offset_ms",
        title: "Offset",
        description: "Shifts all borders by this many milliseconds; positive is later.",
        kind: FieldKind::Integer { min: -120_000, max: 120_000, default: 0 },
    },
    Field {
        key: "max_seconds",
        title: "Longest batch",
        description: "A batch ends before the segment that would make it longer than this, in seconds of media.",
        kind: FieldKind::Integer { min: 2, max: 120, default: 120 },
    },
    Field {
        key: "cut_at_cues",
        title: "Cut at cues",
        description: "A segment that carries a cue (EXT-X-CUE-OUT/IN, EXT-X-DATERANGE; not EXT-X-CUE-OUT-CONT) starts a new batch.",
        kind: FieldKind::Boolean { default: false },
    },
];

/// The settings after all checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Time between two borders, in microseconds.
    pub every_us: u64,
    /// Offset of the borders from the multiples of `every_us`, in microseconds.
    pub offset_us: i64,
    /// Longest batch, in microseconds of media; a single segment may be longer.
    pub max_us: u64,
    /// True: a segment with a cue starts a new batch.
    pub cut_at_cues: bool,
}

impl Settings {
    /// Reads the settings from JSON text; empty: the defaults.
    ///
    /// # Errors
    /// All problems, each with its key.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let values = settings::read(FIELDS, text)?;
        let (every, max) = (values.integer("every_seconds"), values.integer("max_seconds"));
        if max < every {
            let message = format!("{max} is below every_seconds, which is {every}: no batch could reach a border");
            return Err(vec![Problem { path: "max_seconds".to_owned(), message }]);
        }
        let us = |seconds: i64| u64::try_from(seconds).unwrap_or_default() * 1_000_000;
        Ok(Self {
            every_us: us(every),
            offset_us: values.integer("offset_ms") * 1000,
            max_us: us(max),
            cut_at_cues: values.boolean("cut_at_cues"),
        })
    }
}

/// The JSON Schema of the settings, as text.
pub fn schema() -> String {
    settings::schema("Batches by wall-clock time", FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_defaults_bounds_and_values() {
        let default = Settings { every_us: 30_000_000, offset_us: 0, max_us: 120_000_000, cut_at_cues: false };
        assert_eq!(Settings::read("{}"), Ok(default));
        let set = Settings::read(r#"{"every_seconds":10,"offset_ms":-2500,"max_seconds":10,"cut_at_cues":true}"#);
        let wanted = Settings { every_us: 10_000_000, offset_us: -2_500_000, max_us: 10_000_000, cut_at_cues: true };
        assert_eq!(set, Ok(wanted));
        assert_eq!(Settings::read(r#"{"every_seconds":1,"offset_ms":120001,"max":1}"#).unwrap_err().len(), 3);
        assert!(schema().contains("every_seconds"));
    }

    #[test]
    fn a_longest_batch_that_reaches_no_border_is_refused() {
        let problems = Settings::read(r#"{"every_seconds":60,"max_seconds":59}"#).unwrap_err();
        assert_eq!(problems[0].path, "max_seconds");
        assert!(problems[0].message.contains("below every_seconds, which is 60"), "{}", problems[0].message);
    }
}
