//! Reads the input of REST calls: a JSON object or a query string, field by field, so that all problems are reported at once, under
//! the caller's names.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::answer::{self, Refusal};
use crate::limits::{REST_BODY_BYTES_MAX, REST_BODY_TIMEOUT, REST_NAMES_SHOWN};
use outboard_base::printable;
use outboard_config::{self as config, Problem};
use outboard_control::error::ControlError;

/// The JSON object in a body; an empty body is an empty object.
#[derive(Debug, Default)]
pub struct Body(Map<String, Value>);

/// The parameters of a query string.
#[derive(Debug, Default)]
pub struct Query(Map<String, Value>);

/// The fields that were not read yet, and the problems of those that were.
#[derive(Debug)]
pub struct Fields {
    left: Map<String, Value>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

// === impl Body ===

impl Body {
    /// The object's fields, to be read by type; problems are collected.
    pub fn fields(self) -> Fields {
        Fields { left: self.0, known: Vec::new(), problems: Vec::new() }
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let kind = request.headers().get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default().to_owned());
        let bytes = match timeout(REST_BODY_TIMEOUT, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => bytes,
            Err(_) => return Err(answer::too_late(REST_BODY_TIMEOUT)),
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(answer::too_large(REST_BODY_BYTES_MAX));
            }
            Ok(Err(_)) => return Err(invalid("body", "did not arrive whole")),
        };
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        // This also keeps forms of foreign pages out.
        if !kind.as_deref().is_some_and(is_json) {
            return Err(answer::wrong_type());
        }
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(invalid("body", "must be a JSON object")),
            // The parser's text names a position, never a value.
            Err(error) => {
                let place = format!("is not JSON: line {}, column {}", error.line(), error.column());
                Err(invalid("body", &place))
            }
        }
    }
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn invalid(path: &str, message: &str) -> Response {
    Refusal(ControlError::invalid(path, message)).into_response()
}

// === impl Query ===

impl Query {
    /// The parameters, to be read by type; problems are collected.
    pub fn fields(self) -> Fields {
        Fields { left: self.0, known: Vec::new(), problems: Vec::new() }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let mut fields = Map::new();
        for (name, value) in url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()) {
            if fields.insert(name.clone().into_owned(), Value::String(value.into_owned())).is_some() {
                return Err(invalid(&shown(&name), "is given more than once"));
            }
        }
        Ok(Self(fields))
    }
}

// === impl Fields ===

impl Fields {
    /// Reads a text; `None` if it is absent or `null`.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            other => self.wrong(name, "must be a text", &other),
        }
    }

    /// Reads a required text that must not be empty.
    pub fn needed_text(&mut self, name: &'static str) -> Option<String> {
        let problems = self.problems.len();
        let text = self.text(name).filter(|text| !text.trim().is_empty());
        if text.is_none() && self.problems.len() == problems {
            self.problem(name, "is missing".to_owned());
        }
        text
    }

    /// Reads a whole number, 0 or more, within the range of its type.
    pub fn whole<N: TryFrom<u64>>(&mut self, name: &'static str) -> Option<N> {
        let value = self.take(name)?;
        // Some languages write whole numbers as 30.0.
        let whole = value.as_u64().or_else(|| {
            let number = value.as_f64()?;
            (number >= 0.0 && number.fract() == 0.0 && number <= f64::from(u32::MAX)).then_some(number as u64)
        });
        match whole.and_then(|number| N::try_from(number).ok()) {
            Some(number) => Some(number),
            None => self.wrong(name, "must be a whole number that is not too large", &value),
        }
    }

    /// Reads `true` or `false`; anything else is a problem.
    pub fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            other => self.wrong(name, "must be true or false", &other),
        }
    }

    /// Adds a problem of a field.
    pub fn problem(&mut self, name: &str, message: String) {
        self.problems.push(Problem { path: name.to_owned(), message });
    }

    /// Ends the reading, after the last field.
    ///
    /// # Errors
    /// All problems, and every field that is not known.
    pub fn finish(mut self) -> Result<(), ControlError> {
        let known = match self.known.as_slice() {
            [] => "this call takes none".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        // Only some of the unknown fields are named; there may be thousands.
        for name in self.left.keys().take(REST_NAMES_SHOWN) {
            let nearest = config::nearest_of(&shown(name), self.known.iter().copied());
            let hint = nearest.map(|right| format!("did you mean {right}? ")).unwrap_or_default();
            let message = format!("is not a field of this call; {hint}{known}");
            self.problems.push(Problem { path: shown(name), message });
        }
        if self.problems.is_empty() { Ok(()) } else { Err(ControlError::InvalidInput(self.problems)) }
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.left.remove(name).filter(|value| !value.is_null())
    }

    fn wrong<T>(&mut self, name: &'static str, what: &str, value: &Value) -> Option<T> {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(number) => {
                self.problem(name, format!("{what}, not {number}"));
                return None;
            }
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.problem(name, format!("{what}, not {kind}"));
        None
    }
}

/// A caller's name of a field, cut and without control characters.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !printable::is_refused(*c)).take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        let Value::Object(fields) = value else { unreachable!() };
        Body(fields).fields()
    }

    fn told(fields: Fields) -> Vec<(String, String)> {
        match fields.finish() {
            Err(ControlError::InvalidInput(problems)) => problems.into_iter().map(|p| (p.path, p.message)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let mut given = fields(json!({"a": 1, "b": -3, "c": "yes", "e": " ", "z": {}, "y": null}));
        assert_eq!(given.needed_text("a"), None);
        assert_eq!(given.whole::<u32>("b"), None);
        assert_eq!(given.flag("c"), None);
        assert_eq!(given.needed_text("d"), None);
        assert_eq!(given.needed_text("e"), None);
        let told = told(given);
        let paths: Vec<&str> = told.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a", "b", "c", "d", "e", "y", "z"]);
        assert_eq!(told[0].1, "must be a text, not 1");
        assert_eq!(told[3].1, "is missing");
        assert!(told[6].1.ends_with("known are a, b, c, d, e"), "{told:?}");
    }

    #[test]
    fn an_unknown_field_is_told_with_the_nearest_known_one() {
        let mut given = fields(json!({"sourceURL": "x", "qqq": 1, "b\u{2028}c": 1}));
        assert_eq!((given.text("sourceUrl"), given.text("streamId")), (None, None));
        let told = told(given);
        let of = |path: &str| told.iter().find(|(one, _)| one == path).map(|(_, message)| message.as_str()).unwrap();
        assert_eq!(
            of("sourceURL"),
            "is not a field of this call; did you mean sourceUrl? known are sourceUrl, streamId"
        );
        assert_eq!(of("qqq"), "is not a field of this call; known are sourceUrl, streamId");
        assert_eq!(of("bc"), "is not a field of this call; known are sourceUrl, streamId");
    }

    #[test]
    fn numbers_are_whole_and_fit() {
        let mut given = fields(json!({"a": 30, "b": 30.0, "c": 30.5, "d": 5_000_000_000_u64, "e": 1e300, "f": null}));
        assert_eq!((given.whole::<u32>("a"), given.whole::<u32>("b")), (Some(30), Some(30)));
        for wrong in ["c", "d", "e"] {
            assert_eq!(given.whole::<u32>(wrong), None, "{wrong}");
        }
        assert_eq!(given.whole::<u32>("f"), None, "null is none");
        assert_eq!(told(given).len(), 3);
    }

    #[test]
    fn a_name_is_not_shown_longer_than_it_helps() {
        let told = told(fields(json!({ "x".repeat(5000): 1, "a\u{1b}[31mb": 2 })));
        assert!(told.iter().all(|(path, _)| path.len() <= 64 && !path.contains('\u{1b}')), "{told:?}");
    }
}
