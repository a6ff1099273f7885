//! The stage's settings: reads them, and describes them by a JSON Schema, which the host shows as a form.

use crate::contract::outboard::stage::types::Problem;
use serde::Deserialize;

const BATCH_SECONDS_MIN: u64 = 2;
const BATCH_SECONDS_MAX: u64 = 120;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Length of a batch, in seconds of media.
    pub batch_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { batch_seconds: 30 }
    }
}

impl Settings {
    /// Reads a JSON object; empty text means the defaults.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let settings: Self = serde_json::from_str(text).map_err(|error| vec![problem("", error.to_string())])?;
        if !(BATCH_SECONDS_MIN..=BATCH_SECONDS_MAX).contains(&settings.batch_seconds) {
            let wrong = settings.batch_seconds;
            let message = format!("{wrong} is not from {BATCH_SECONDS_MIN} to {BATCH_SECONDS_MAX}");
            return Err(vec![problem("batch_seconds", message)]);
        }
        Ok(settings)
    }
}

fn problem(path: &str, message: String) -> Problem {
    Problem { path: path.to_owned(), message }
}

pub fn schema() -> String {
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "{{name}}",
        "type": "object",
        "properties": {
            "batch_seconds": {
                "type": "integer",
                "title": "Batch length",
                "description": "A batch ends with the segment that makes it this long, in seconds of media.",
                "minimum": BATCH_SECONDS_MIN,
                "maximum": BATCH_SECONDS_MAX,
                "default": Settings::default().batch_seconds,
            },
        },
        "additionalProperties": false,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_values_and_problems() {
        assert_eq!(Settings::read("").unwrap().batch_seconds, 30);
        assert_eq!(Settings::read(r#"{"batch_seconds":6}"#).unwrap().batch_seconds, 6);
        assert_eq!(Settings::read(r#"{"batch_seconds":1}"#).unwrap_err()[0].path, "batch_seconds");
        assert!(Settings::read(r#"{"batch_second":6}"#).unwrap_err()[0].message.contains("batch_second"));
    }
}
