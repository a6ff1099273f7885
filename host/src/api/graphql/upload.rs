//! Requests with a file, as the GraphQL multipart request specification has them.
//!
//! A form of another page can send one through a browser that knows the UI's cookie; it cannot add a header. So one is asked for
//! ([`PREFLIGHT`]), as other servers do.

use async_graphql::Request;
use async_graphql::http::{MultipartOptions, receive_body};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use futures_util::TryStreamExt;

use crate::control::error::ControlError;
use crate::limits::{GRAPHQL_BODY_BYTES_MAX, GRAPHQL_UPLOAD_TIMEOUT, STAGE_COMPONENT_BYTES_MAX};

/// Any value will do.
const PREFLIGHT: &str = "graphql-require-preflight";

/// Reads one request with at most one file. The file waits on disk.
pub async fn read(headers: &HeaderMap, kind: &str, body: Body) -> Result<Request, (StatusCode, ControlError)> {
    if !headers.contains_key(PREFLIGHT) {
        let error =
            ControlError::invalid("GraphQL-Require-Preflight", "must be there with an upload: any value will do");
        return Err((StatusCode::BAD_REQUEST, error));
    }
    // The reader counts the whole body: a component of the largest size, and beside it what any request may have.
    let most = usize::try_from(STAGE_COMPONENT_BYTES_MAX).unwrap_or(usize::MAX).saturating_add(GRAPHQL_BODY_BYTES_MAX);
    let options = MultipartOptions::default().max_file_size(most).max_num_files(1);
    let chunks = body.into_data_stream().map_err(std::io::Error::other);
    let reading = receive_body(Some(kind), chunks.into_async_read(), options);
    match tokio::time::timeout(GRAPHQL_UPLOAD_TIMEOUT, reading).await {
        Ok(Ok(request)) => Ok(request),
        Ok(Err(async_graphql::ParseRequestError::PayloadTooLarge)) => {
            let text = format!("a component may have {STAGE_COMPONENT_BYTES_MAX} bytes at most");
            Err((StatusCode::PAYLOAD_TOO_LARGE, ControlError::LimitExceeded(text)))
        }
        Ok(Err(error)) => {
            let message = format!("is not a multipart request with `operations`, `map` and a file: {error}");
            Err((StatusCode::BAD_REQUEST, ControlError::invalid("body", message)))
        }
        Err(_) => {
            let text = format!("the upload was not there within {GRAPHQL_UPLOAD_TIMEOUT:?}");
            Err((StatusCode::REQUEST_TIMEOUT, ControlError::LimitExceeded(text)))
        }
    }
}
