//! The stage's settings: reads them, and describes them by a JSON Schema, which the host shows as a form.

use crate::contract::outboard::stage::types::Problem;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Added to every fragment's metadata.
    pub metadata: Map<String, Value>,
}

impl Settings {
    /// Reads a JSON object; empty text means the defaults.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        serde_json::from_str(text).map_err(|error| vec![Problem { path: String::new(), message: error.to_string() }])
    }
}

pub fn schema() -> String {
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "{{name}}",
        "type": "object",
        "properties": {
            "metadata": {
                "type": "object",
                "title": "Extra metadata",
                "description": "Keys that are added to every fragment's metadata, such as languages or a voice.",
                "default": {},
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
        assert!(Settings::read("").unwrap().metadata.is_empty());
        assert_eq!(Settings::read(r#"{"metadata":{"to":"de"}}"#).unwrap().metadata["to"], "de");
        assert!(Settings::read(r#"{"metdata":{}}"#).unwrap_err()[0].message.contains("metdata"));
    }
}
