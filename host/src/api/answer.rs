//! Answers that say no: JSON with the core's code and sentence, under the HTTP status that fits.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::control::error::ControlError;

/// A refusal of the core, as a response.
#[derive(Debug)]
pub struct Refusal(pub ControlError);

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        Self(error)
    }
}

/// The HTTP status of a refusal.
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
        let body = json!({ "error": error.to_string(), "code": error.code(), "problems": error.problems() });
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
