//! Checks that the JSON Schema of a stage's settings can be shown as a form.
//!
//! In: the schema from `describe`. Out: the first error, with its path in the schema. Only the keywords that forms use are checked.

use serde_json::{Map, Value};

/// The names of JSON Schema's types.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];
/// Keywords whose value is a number.
const NUMBERS: [&str; 5] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
/// Keywords whose value is a whole number, 0 or more.
const COUNTS: [&str; 6] = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"];
/// Keywords whose value is a text.
const TEXTS: [&str; 4] = ["title", "description", "pattern", "format"];
/// Most schemas nested in each other.
const DEPTH_MAX: usize = 16;

/// Checks the schema of a stage's settings.
///
/// # Errors
/// A sentence with the path, the wrong value, and what would be right.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    let Value::Object(fields) = schema else { return Err("it is not a JSON object".to_owned()) };
    // Settings are always an object.
    if let Some(kind) = fields.get("type").filter(|kind| *kind != "object") {
        return Err(format!("type is {kind}; settings are an \"object\""));
    }
    check_object(fields, "", 0)
}

fn check_schema(schema: &Value, place: &str, depth: usize) -> Result<(), String> {
    match schema {
        Value::Object(fields) => check_object(fields, place, depth),
        // `true` allows anything, `false` nothing.
        Value::Bool(_) => Ok(()),
        other => Err(format!("{place} is {other}; a schema is an object")),
    }
}

fn check_object(fields: &Map<String, Value>, place: &str, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("{place} lies more than {DEPTH_MAX} schemas deep"));
    }
    let at = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}.{key}") };
    let types = types(fields.get("type"), &at("type"))?;
    let held = |keys: &[&str], fits: fn(&Value) -> bool, what: &str| {
        let wrong =
            keys.iter().find_map(|key| fields.get(*key).filter(|value| !fits(value)).map(|value| (*key, value)));
        wrong.map_or(Ok(()), |(key, value)| Err(format!("{} is {value}; it must be {what}", at(key))))
    };
    held(&NUMBERS, Value::is_number, "a number")?;
    held(&COUNTS, Value::is_u64, "a whole number from 0 on")?;
    held(&TEXTS, Value::is_string, "a text")?;
    held(&["enum"], |value| value.as_array().is_some_and(|list| !list.is_empty()), "a list of values")?;
    let names = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    held(&["required"], names, "a list of names")?;
    if let Some(default) = fields.get("default").filter(|default| !types.is_empty() && !is_one_of(default, &types)) {
        return Err(format!("{} is {default}; its type is {}", at("default"), types.join(" or ")));
    }
    match fields.get("properties") {
        None => {}
        Some(Value::Object(properties)) => {
            for (name, property) in properties {
                check_schema(property, &at(&format!("properties.{name}")), depth + 1)?;
            }
        }
        Some(other) => return Err(format!("{} is {other}; it must be an object of schemas", at("properties"))),
    }
    for key in ["items", "additionalProperties"] {
        if let Some(schema) = fields.get(key) {
            check_schema(schema, &at(key), depth + 1)?;
        }
    }
    Ok(())
}

/// The types that a schema allows; empty: any.
fn types<'a>(kind: Option<&'a Value>, place: &str) -> Result<Vec<&'a str>, String> {
    let list = match kind {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
        Some(one) => vec![one],
    };
    let known = |value: &&'a Value| value.as_str().filter(|name| TYPES.contains(name));
    match list.iter().find(|value| known(value).is_none()) {
        Some(wrong) => Err(format!("{place} is {wrong}; it must be one of {}", TYPES.join(", "))),
        None => Ok(list.iter().filter_map(known).collect()),
    }
}

fn is_one_of(value: &Value, types: &[&str]) -> bool {
    types.iter().any(|kind| match *kind {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        _ => value.is_string(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_that_make_a_form_are_taken() {
        for good in [
            json!({}),
            json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "T", "type": "object" }),
            json!({ "type": "object", "additionalProperties": false, "required": ["a"], "properties": {
                "a": { "type": "integer", "minimum": 2, "maximum": 120, "default": 30.0 },
                "b": { "type": ["string", "null"], "default": null, "maxLength": 8, "writeOnly": true },
                "c": { "enum": ["x", 1], "default": "x" },
                "d": { "type": "array", "items": { "type": "object", "properties": { "e": true } } },
            } }),
        ] {
            assert_eq!(check(&good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let property = |value: Value| json!({ "type": "object", "properties": { "a": value } });
        let mut deep = json!({ "type": "text" });
        for _ in 0..=DEPTH_MAX {
            deep = json!({ "type": "array", "items": deep });
        }
        for (schema, told) in [
            (json!([]), "it is not a JSON object"),
            (json!({ "type": "string" }), "type is \"string\"; settings are an \"object\""),
            (json!({ "properties": [] }), "properties is []; it must be an object of schemas"),
            (property(json!({ "type": "int" })), "properties.a.type is \"int\"; it must be one of array, boolean, "),
            (property(json!({ "type": 7 })), "properties.a.type is 7; it must be one of "),
            (property(json!({ "type": [] })), "properties.a.type is []; it must be one of "),
            (property(json!({ "type": ["string", "nil"] })), "properties.a.type is \"nil\"; it must be one of "),
            (property(json!("string")), "properties.a is \"string\"; a schema is an object"),
            (
                property(json!({ "type": "integer", "default": "30" })),
                "properties.a.default is \"30\"; its type is integer",
            ),
            (
                property(json!({ "type": "integer", "default": 1.5 })),
                "properties.a.default is 1.5; its type is integer",
            ),
            (property(json!({ "minimum": "2" })), "properties.a.minimum is \"2\"; it must be a number"),
            (property(json!({ "maxLength": -1 })), "properties.a.maxLength is -1; it must be a whole number from 0 on"),
            (property(json!({ "title": 1 })), "properties.a.title is 1; it must be a text"),
            (property(json!({ "enum": [] })), "properties.a.enum is []; it must be a list of values"),
            (property(json!({ "items": { "type": "x" } })), "properties.a.items.type is \"x\"; it must be one of "),
            (json!({ "required": "a" }), "required is \"a\"; it must be a list of names"),
            (property(deep), "properties.a.items."),
        ] {
            let wrong = check(&schema).unwrap_err();
            assert!(wrong.starts_with(told), "{schema}: {wrong}");
        }
    }
}
