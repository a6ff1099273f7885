//! The settings of `framing-fragment`.

use serde_json::{Map, Value};
use stage_kit::settings::{self, Field, FieldKind, Problem};

/// All settings, for the schema and for reading.
pub const FIELDS: &[Field] = &[
    Field {
        key: "duration_unit",
        title: "Unit of durations",
        description: "The unit of a fragment's `duration`: milliseconds, or seconds for services that expect them.",
        kind: FieldKind::Choice { options: &["ms", "s"] },
    },
    Field {
        key: "metadata",
        title: "Extra metadata",
        description: "Keys that are added to every fragment's `metadata`, such as languages or a voice.",
        kind: FieldKind::Object,
    },
];

/// Largest extra metadata, in bytes of JSON text; it is sent with every fragment.
const METADATA_BYTES_MAX: usize = 16 * 1024;

/// The unit of a fragment's `duration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds, as whole numbers.
    Milliseconds,
    /// Seconds, with a fraction.
    Seconds,
}

/// The settings after all checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The unit of `duration`.
    pub unit: Unit,
    /// Added to every fragment's metadata; the stage's own keys have priority.
    pub metadata: Map<String, Value>,
}

impl Settings {
    /// Reads the settings from JSON text; empty: the defaults.
    ///
    /// # Errors
    /// All problems, each with its key.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let values = settings::read(FIELDS, text)?;
        let unit = if values.choice("duration_unit") == "s" { Unit::Seconds } else { Unit::Milliseconds };
        let metadata = values.object("metadata");
        let size = Value::Object(metadata.clone()).to_string().len();
        if size > METADATA_BYTES_MAX {
            let message = format!("{size} bytes as JSON; at most {METADATA_BYTES_MAX} go with every fragment");
            return Err(vec![Problem { path: "metadata".to_owned(), message }]);
        }
        Ok(Self { unit, metadata })
    }
}

/// The JSON Schema of the settings, as text.
pub fn schema() -> String {
    settings::schema("Dialect `fragment`", FIELDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_defaults_values_and_problems() {
        assert_eq!(Settings::read(""), Ok(Settings { unit: Unit::Milliseconds, metadata: Map::new() }));
        let set = Settings::read(r#"{"duration_unit":"s","metadata":{"voice":"x"}}"#).unwrap();
        assert_eq!((set.unit, set.metadata["voice"].as_str()), (Unit::Seconds, Some("x")));
        assert_eq!(Settings::read(r#"{"duration_unit":"min","metadata":1,"z":1}"#).unwrap_err().len(), 3);
        assert!(schema().contains("duration_unit"));
    }

    #[test]
    fn extra_metadata_is_bounded() {
        let text = format!(r#"{{"metadata":{{"k":"{}"}}}}"#, "x".repeat(METADATA_BYTES_MAX));
        assert_eq!(Settings::read(&text).unwrap_err()[0].path, "metadata");
    }
}
