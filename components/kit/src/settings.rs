//! Settings: one table of fields defines both the JSON Schema, which the host shows as a form, and how values are read.
//!
//! In: the JSON text passed to `open`. Out: typed values, or every problem at once.

use serde_json::{Map, Value, json};

/// One key of a stage's settings.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key in the settings object.
    pub key: &'static str,
    /// The label of the field in a form.
    pub title: &'static str,
    /// What the setting does, with its unit.
    pub description: &'static str,
    /// The values that it accepts.
    pub kind: FieldKind,
}

/// The values that a field accepts.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    /// A whole number from `min` to `max`.
    Integer {
        /// The smallest value that is accepted.
        min: i64,
        /// The largest value that is accepted.
        max: i64,
        /// The value if the key is absent.
        default: i64,
    },
    /// A JSON boolean, `true` or `false`.
    Boolean {
        /// The value if the key is absent.
        default: bool,
    },
    /// One of some words.
    Choice {
        /// The words; the first is the default.
        options: &'static [&'static str],
    },
    /// One line of text.
    Text {
        /// The most characters that are accepted.
        max: usize,
        /// The value if the key is absent.
        default: &'static str,
    },
    /// A JSON object that the stage passes on unchanged; empty if the key is absent.
    Object,
}

/// One problem with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key with the problem; empty: the settings as a whole.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Checked values of all fields; absent keys have their defaults.
#[derive(Debug, Clone, Default)]
pub struct Values(Map<String, Value>);

impl Values {
    /// The value of an `Integer` field; 0 for an unknown key.
    pub fn integer(&self, key: &str) -> i64 {
        self.0.get(key).and_then(Value::as_i64).unwrap_or_default()
    }

    /// The value of a `Boolean` field; false for an unknown key.
    pub fn boolean(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    /// The value of a `Text` field; empty for an unknown key.
    pub fn text(&self, key: &str) -> &str {
        self.choice(key)
    }

    /// The value of a `Choice` field; empty for an unknown key.
    pub fn choice(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// A copy of an `Object` field's value; empty for an unknown key.
    pub fn object(&self, key: &str) -> Map<String, Value> {
        self.0.get(key).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}

/// The JSON Schema (2020-12) of a table of fields.
pub fn schema(title: &str, fields: &[Field]) -> String {
    let mut properties = Map::new();
    for field in fields {
        let mut property = match field.kind {
            FieldKind::Integer { min, max, default } => {
                json!({ "type": "integer", "minimum": min, "maximum": max, "default": default })
            }
            FieldKind::Boolean { default } => json!({ "type": "boolean", "default": default }),
            FieldKind::Choice { options } => {
                json!({ "type": "string", "enum": options, "default": options.first() })
            }
            FieldKind::Text { max, default } => json!({ "type": "string", "maxLength": max, "default": default }),
            FieldKind::Object => json!({ "type": "object", "default": {} }),
        };
        property["title"] = field.title.into();
        property["description"] = field.description.into();
        properties.insert(field.key.to_owned(), property);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
    .to_string()
}

/// Reads `settings` (JSON text; empty: `{}`) by the table of fields.
///
/// # Errors
/// Every problem at once: text that is not a JSON object, unknown keys, wrong types, values out of bounds.
pub fn read(fields: &[Field], settings: &str) -> Result<Values, Vec<Problem>> {
    let mut given = parse(settings).map_err(|message| vec![Problem { path: String::new(), message }])?;
    let mut problems = Vec::new();
    let mut values = Map::new();
    for field in fields {
        let value = match given.remove(field.key) {
            None => field.kind.default_value(),
            Some(value) => match field.kind.fault(&value) {
                None => value,
                Some(message) => {
                    problems.push(Problem { path: field.key.to_owned(), message });
                    continue;
                }
            },
        };
        values.insert(field.key.to_owned(), value);
    }
    let known = fields.iter().map(|field| field.key).collect::<Vec<_>>().join(", ");
    problems.extend(given.keys().map(|key| Problem {
        path: key.clone(),
        message: format!("there is no such setting; the settings are: {known}"),
    }));
    if problems.is_empty() { Ok(Values(values)) } else { Err(problems) }
}

fn parse(settings: &str) -> Result<Map<String, Value>, String> {
    if settings.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(settings) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(format!("the settings are {}, not a JSON object", type_name(&other))),
        Err(error) => Err(format!("the settings are not JSON: {error}")),
    }
}

impl FieldKind {
    fn default_value(self) -> Value {
        match self {
            FieldKind::Integer { default, .. } => default.into(),
            FieldKind::Boolean { default } => default.into(),
            FieldKind::Choice { options } => options.first().copied().unwrap_or_default().into(),
            FieldKind::Text { default, .. } => default.into(),
            FieldKind::Object => Value::Object(Map::new()),
        }
    }

    /// Why a value is not accepted; `None` if it is.
    fn fault(self, value: &Value) -> Option<String> {
        let wanted = match self {
            FieldKind::Integer { min, max, .. } => {
                if value.as_i64().is_some_and(|n| (min..=max).contains(&n)) {
                    return None;
                }
                format!("a whole number from {min} to {max}")
            }
            FieldKind::Boolean { .. } => {
                if value.is_boolean() {
                    return None;
                }
                "true or false".to_owned()
            }
            FieldKind::Choice { options } => {
                if value.as_str().is_some_and(|word| options.contains(&word)) {
                    return None;
                }
                format!("one of: {}", options.join(", "))
            }
            FieldKind::Text { max, .. } => {
                let fits = |text: &str| text.chars().count() <= max && !text.chars().any(char::is_control);
                if value.as_str().is_some_and(fits) {
                    return None;
                }
                format!("one line of at most {max} characters")
            }
            FieldKind::Object => {
                if value.is_object() {
                    return None;
                }
                "a JSON object".to_owned()
            }
        };
        Some(format!("{} is not {wanted}", shown(value)))
    }
}

/// A value as errors show it: at most 60 characters.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => type_name(value).to_owned(),
        _ => value.to_string().chars().take(60).collect(),
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field {
            key: "n",
            title: "N",
            description: "A number.",
            kind: FieldKind::Integer { min: 2, max: 120, default: 30 },
        },
        Field { key: "b", title: "B", description: "A switch.", kind: FieldKind::Boolean { default: true } },
        Field { key: "c", title: "C", description: "A word.", kind: FieldKind::Choice { options: &["ms", "s"] } },
        Field { key: "t", title: "T", description: "A line.", kind: FieldKind::Text { max: 3, default: "def" } },
        Field { key: "o", title: "O", description: "An object.", kind: FieldKind::Object },
    ];

    #[test]
    fn absent_keys_and_empty_text_give_defaults() {
        for text in ["", "  ", "{}"] {
            let values = read(FIELDS, text).unwrap();
            assert_eq!((values.integer("n"), values.boolean("b"), values.choice("c")), (30, true, "ms"));
            assert_eq!((values.text("t"), values.object("o").len()), ("def", 0));
        }
    }

    #[test]
    fn given_values_are_taken() {
        let values = read(FIELDS, r#"{"n":2,"b":false,"c":"s","t":"äöü","o":{"k":[1]}}"#).unwrap();
        assert_eq!(values.text("t"), "äöü");
        assert_eq!((values.integer("n"), values.boolean("b"), values.choice("c")), (2, false, "s"));
        assert_eq!(values.object("o")["k"], json!([1]));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let problems = read(FIELDS, r#"{"n":121,"b":"yes","c":"min","t":"long","o":[],"x":1,"y":2}"#).unwrap_err();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["n", "b", "c", "t", "o", "x", "y"]);
        assert_eq!(problems[0].message, "121 is not a whole number from 2 to 120");
        assert_eq!(problems[2].message, "\"min\" is not one of: ms, s");
        assert_eq!(problems[3].message, "\"long\" is not one line of at most 3 characters");
        assert_eq!(problems[4].message, "an array is not a JSON object");
        assert!(problems[5].message.ends_with("n, b, c, t, o"));
        assert_eq!(read(FIELDS, r#"{"t":"a\n"}"#).unwrap_err().len(), 1);
    }

    #[test]
    fn whole_numbers_only() {
        for text in [r#"{"n":2.5}"#, r#"{"n":1}"#, r#"{"n":"30"}"#, r#"{"n":null}"#, r#"{"n":1e30}"#] {
            assert_eq!(read(FIELDS, text).unwrap_err().len(), 1, "{text}");
        }
    }

    #[test]
    fn text_that_is_no_object_is_one_problem_of_the_whole() {
        for (text, says) in
            [("[1]", "an array"), ("3", "a number"), ("true", "a boolean"), ("null", "null"), ("\"x\"", "a string")]
        {
            let problems = read(FIELDS, text).unwrap_err();
            assert_eq!(problems[0].message, format!("the settings are {says}, not a JSON object"));
            assert_eq!(problems[0].path, "");
        }
        assert!(read(FIELDS, "{").unwrap_err()[0].message.starts_with("the settings are not JSON"));
    }

    #[test]
    fn the_schema_has_titles_defaults_and_bounds() {
        let schema: Value = serde_json::from_str(&schema("T", FIELDS)).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(
            schema["properties"]["n"],
            json!({"type":"integer","title":"N","description":"A number.","minimum":2,"maximum":120,"default":30})
        );
        assert_eq!(schema["properties"]["c"]["enum"], json!(["ms", "s"]));
        assert_eq!(
            (&schema["properties"]["t"]["maxLength"], &schema["properties"]["t"]["default"]),
            (&json!(3), &json!("def"))
        );
        assert_eq!(schema["properties"]["o"]["default"], json!({}));
    }
}
