//! HTTP responses. Of files tower-http handles byte ranges, conditional requests and HEAD.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tower_http::services::ServeFile;

use outboard_control::preview::{self, Media, Preview};
use outboard_store::files::StreamFiles;

/// For requests with a token: only the requesting client may cache, and must revalidate.
const FOR_ONE: HeaderValue = HeaderValue::from_static("private, no-cache");
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");
const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");

pub(super) async fn playlist(shown: Preview, request: &Parts) -> Response {
    if ![Method::GET, Method::HEAD].contains(&request.method) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    match tokio::task::spawn_blocking(move || preview::playlist(&shown)).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, PLAYLIST), (header::CACHE_CONTROL, NOT_KEPT)], text).into_response(),
        Ok(Err(empty)) => {
            (StatusCode::NOT_FOUND, [(header::CACHE_CONTROL, NOT_KEPT)], empty.to_string()).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "preview");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) async fn media(files: StreamFiles, batch: u64, media: Media, request: &Parts) -> Response {
    if media == Media::Output {
        let found = tokio::task::spawn_blocking(move || preview::output(&files, batch)).await;
        return match found {
            Ok(Some((output, written))) => for_one(super::output::answer(output, written, request)),
            _ => StatusCode::NOT_FOUND.into_response(),
        };
    }
    let found = tokio::task::spawn_blocking(move || preview::find(&files, batch, media)).await;
    let Ok(Some((path, kind))) = found else { return StatusCode::NOT_FOUND.into_response() };
    let mut asked = Request::new(Body::empty());
    *asked.method_mut() = request.method.clone();
    *asked.headers_mut() = request.headers.clone();
    let answered = ServeFile::new(path).try_call(asked).await;
    let Ok(answer) = answered.inspect_err(|error| tracing::warn!(%error, batch, "preview")) else {
        // The file may just have been removed by retention.
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut answer = answer.map(Body::new);
    let headers = answer.headers_mut();
    if headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    for_one(answer)
}

/// Media of a tenant.
fn for_one(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, FOR_ONE);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
