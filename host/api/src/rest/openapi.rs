//! Serves the OpenAPI description of the REST API, a file in the repository.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// The description of the REST API, OpenAPI 3.1, as it is checked in.
pub const OPENAPI: &str = include_str!("../../openapi.json");

/// `GET /api/openapi.json`: the description of the REST API.
pub async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}
