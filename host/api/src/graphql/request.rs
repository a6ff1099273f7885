//! Parses GraphQL requests from JSON and checks their limits.

use async_graphql::Request;
use axum::http::StatusCode;
use outboard_control::error::ControlError;

use super::request_limits;

/// Parses a request from its JSON.
pub fn request(bytes: &[u8]) -> Result<Request, (StatusCode, ControlError)> {
    request_limits::check_json(bytes).map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err((
            StatusCode::BAD_REQUEST,
            ControlError::invalid("body", "must be a single request: batched requests are not supported"),
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("is not a request such as {{\"query\": \"…\", \"variables\": {{…}}}}: {error}");
        (StatusCode::BAD_REQUEST, ControlError::invalid("body", message))
    })
}
