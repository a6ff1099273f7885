//! The form of REST answers. Errors are JSON with the code and the sentence of the [`ControlError`], under the matching HTTP status.

use std::time::Duration;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use outboard_base::Problem;
use outboard_base::redact::plain_lines;
use outboard_control::error::ControlError;

/// Most characters of a caller's text that an error repeats.
const PATH_CHARS_SHOWN: usize = 100;

/// A REST answer: `success` and `message`, and the fields of `answer` on the same level.
#[derive(Debug, Serialize)]
pub struct RestAnswer<T> {
    success: bool,
    /// One sentence for people.
    message: String,
    #[serde(flatten)]
    answer: T,
}

impl<T> RestAnswer<T> {
    /// An answer with `success: true`.
    pub fn new(message: impl Into<String>, answer: T) -> Self {
        Self { success: true, message: message.into(), answer }
    }

    /// An answer with this value of `success`.
    pub fn with(success: bool, message: impl Into<String>, answer: T) -> Self {
        Self { success, message: message.into(), answer }
    }
}

/// An error of the control plane, as a response.
#[derive(Debug)]
pub struct Refusal(pub ControlError);

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        Self(error)
    }
}

/// The HTTP status of an error.
pub fn status(error: &ControlError) -> StatusCode {
    match error {
        ControlError::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
        ControlError::Forbidden(_) => StatusCode::FORBIDDEN,
        ControlError::NotFound(_) => StatusCode::NOT_FOUND,
        ControlError::InvalidInput(_) => StatusCode::BAD_REQUEST,
        ControlError::Conflict(_) => StatusCode::CONFLICT,
        ControlError::LimitExceeded(_) => StatusCode::TOO_MANY_REQUESTS,
        ControlError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(error) = self;
        // The text may quote a caller or a server.
        let text = plain_lines(&error.to_string()).into_owned();
        let problem =
            |problem: &Problem| json!({ "path": plain_lines(&problem.path), "message": plain_lines(&problem.message) });
        let problems: Vec<_> = error.problems().iter().map(problem).collect();
        let body = json!({
            "success": false, "message": text, "error": text, "code": error.code(), "problems": problems,
        });
        let mut response = (status(&error), Json(body)).into_response();
        let headers = response.headers_mut();
        match error {
            ControlError::Unauthenticated(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"outboard\""));
            }
            ControlError::Unavailable(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// An error of the HTTP layer, in the same form.
fn refuse(status: StatusCode, code: &'static str, error: String) -> Response {
    let body = json!({ "success": false, "message": error, "error": error, "code": code, "problems": [] });
    (status, Json(body)).into_response()
}

/// 404: there is no such address.
pub fn absent(path: &str) -> Response {
    let short: String = path.chars().filter(|c| !c.is_control()).take(PATH_CHARS_SHOWN).collect();
    refuse(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is nothing at {short}"))
}

/// 405: the address does not support the method.
pub fn wrong_method(method: &Method) -> Response {
    let short: String = method.as_str().chars().take(PATH_CHARS_SHOWN).collect();
    refuse(StatusCode::METHOD_NOT_ALLOWED, "INVALID_INPUT", format!("this address does not answer to {short}"))
}

/// 413: the body is too large.
pub fn too_large(max: usize) -> Response {
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED", format!("the body is larger than {max} bytes"))
}

/// 408: the body did not arrive in time.
pub fn too_late(wait: Duration) -> Response {
    refuse(StatusCode::REQUEST_TIMEOUT, "LIMIT_EXCEEDED", format!("the body was not there within {wait:?}"))
}

/// 415: the body's content type is not supported.
pub fn wrong_type() -> Response {
    let error = "the body must be JSON, with \"Content-Type: application/json\"".to_owned();
    refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "INVALID_INPUT", error)
}

/// 503: the answer was not ready in time.
pub fn too_slow() -> Response {
    let error = ControlError::Unavailable("the request timed out; it may still have taken effect".to_owned());
    Refusal(error).into_response()
}

/// 500: an internal error.
pub fn broken() -> Response {
    let error = "the server made a mistake; the log has the details".to_owned();
    refuse(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", error)
}
