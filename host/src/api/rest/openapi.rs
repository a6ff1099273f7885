//! The description of REST for programs: one file, checked in, served as it is.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

/// OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../../../openapi.json");

/// `GET /api/openapi.json`
pub async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}
