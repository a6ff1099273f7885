//! The settings of `batching-duration`.

use stage_kit::settings::{self, Field, FieldKind, Problem};

/// All settings, for the schema and for reading.
pub const FIELDS: &[Field] = &[
    Field {
        key: "batch_seconds",
        title: "Batch length",
        description: "A batch ends with the segment that makes it this long, in seconds of media.",
        kind: FieldKind::Integer { min: 2, max: 120, default: 30 },
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
    /// Length of a batch, in microseconds of media.
    pub batch_us: u64,
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
        let seconds = u64::try_from(values.integer("batch_seconds")).unwrap_or_default();
        Ok(Self { batch_us: seconds * 1_000_000, cut_at_cues: values.boolean("cut_at_cues") })
    }
}

/// The JSON Schema of the settings, as text.
pub fn schema() -> String {
    settings::schema("Batches by length", FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_defaults_bounds_and_values() {
        assert_eq!(Settings::read("{}"), Ok(Settings { batch_us: 30_000_000, cut_at_cues: false }));
        let set = Settings::read(r#"{"batch_seconds":2,"cut_at_cues":true}"#);
        assert_eq!(set, Ok(Settings { batch_us: 2_000_000, cut_at_cues: true }));
        assert_eq!(Settings::read(r#"{"batch_seconds":1,"cut":true}"#).unwrap_err().len(), 2);
        assert!(schema().contains("\"maximum\":120"));
    }
}
