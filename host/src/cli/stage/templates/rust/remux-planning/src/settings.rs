//! The stage's settings: reads them, and describes them by a JSON Schema, which the host shows as a form.

use crate::contract::outboard::stage::types::Problem;
use serde::Deserialize;

const MARK_AFTER_MIN: u64 = 1;
const MARK_AFTER_MAX: u64 = 100;

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Number of consecutive batches without processed audio after which they are marked for the operator.
    pub mark_after: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mark_after: 1 }
    }
}

impl Settings {
    /// Reads a JSON object; empty text means the defaults.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let settings: Self = serde_json::from_str(text).map_err(|error| vec![problem("", error.to_string())])?;
        if !(MARK_AFTER_MIN..=MARK_AFTER_MAX).contains(&settings.mark_after) {
            let message = format!("{} is not from {MARK_AFTER_MIN} to {MARK_AFTER_MAX}", settings.mark_after);
            return Err(vec![problem("mark_after", message)]);
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
            "mark_after": {
                "type": "integer",
                "title": "Mark after",
                "description": "Number of consecutive batches without processed audio after which they are marked for the operator.",
                "minimum": MARK_AFTER_MIN,
                "maximum": MARK_AFTER_MAX,
                "default": Settings::default().mark_after,
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
        assert_eq!(Settings::read("").unwrap().mark_after, 1);
        assert_eq!(Settings::read(r#"{"mark_after":3}"#).unwrap().mark_after, 3);
        assert_eq!(Settings::read(r#"{"mark_after":0}"#).unwrap_err()[0].path, "mark_after");
        assert!(Settings::read(r#"{"markafter":3}"#).unwrap_err()[0].message.contains("markafter"));
    }
}
