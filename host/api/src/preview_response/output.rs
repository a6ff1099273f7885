//! The output of a batch over HTTP: put together from the batch's files as it is sent, in pieces. Ranges and conditions are
//! those of RFC 9110 for one range.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;

use outboard_control::preview::{Output, Reader};
use outboard_pipeline::limits::OUTPUT_PIECE_BYTES;

const KIND: HeaderValue = HeaderValue::from_static("video/mp4");
const BYTES: HeaderValue = HeaderValue::from_static("bytes");

/// Answers a GET or HEAD request for an output whose index was written at `written`.
pub(super) fn answer(output: Output, written: SystemTime, request: &Parts) -> Response {
    if ![Method::GET, Method::HEAD].contains(&request.method) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let length = output.length();
    let (written, asked) = (seconds(written), &request.headers);
    if time(asked, header::IF_UNMODIFIED_SINCE).is_some_and(|since| written > since) {
        return StatusCode::PRECONDITION_FAILED.into_response();
    }
    if time(asked, header::IF_MODIFIED_SINCE).is_some_and(|since| written <= since) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    // What began with other bytes begins anew.
    let same = !asked.contains_key(header::IF_RANGE) || time(asked, header::IF_RANGE) == Some(written);
    let wanted = asked.get(header::RANGE).filter(|_| same).map(|range| one_range(range, length));
    let (status, from, to) = match wanted {
        None => (StatusCode::OK, 0, length),
        Some(Some((from, to))) => (StatusCode::PARTIAL_CONTENT, from, to),
        Some(None) => {
            let whole = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            return (StatusCode::RANGE_NOT_SATISFIABLE, whole).into_response();
        }
    };
    let body = match request.method == Method::HEAD {
        true => Body::empty(),
        false => body(output, from, to),
    };
    let mut answer = (status, body).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, KIND);
    headers.insert(header::ACCEPT_RANGES, BYTES);
    headers.insert(header::CONTENT_LENGTH, (to - from).into());
    let mut text = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    };
    text(header::LAST_MODIFIED, httpdate::fmt_http_date(written));
    if status == StatusCode::PARTIAL_CONTENT {
        text(header::CONTENT_RANGE, format!("bytes {from}-{}/{length}", to.saturating_sub(1)));
    }
    answer
}

/// The range as its first byte and the one behind its last; `None`: it is none, or several.
fn one_range(text: &HeaderValue, length: u64) -> Option<(u64, u64)> {
    let ranges = http_range_header::parse_range_header(text.to_str().ok()?).ok()?.validate(length).ok()?;
    match &ranges[..] {
        [one] => Some((*one.start(), *one.end() + 1)),
        _ => None,
    }
}

/// The instant of a header in whole seconds; `None` if there is none, or no time.
fn time(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// Without the parts of a second, which HTTP does not have.
fn seconds(at: SystemTime) -> SystemTime {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs())
}

/// The bytes of a range, in pieces of [`OUTPUT_PIECE_BYTES`] that are read when the one before was taken. A file that was
/// removed since ends it with an error, which breaks the connection.
fn body(output: Output, from: u64, to: u64) -> Body {
    let output = Arc::new(output);
    Body::from_stream(stream::try_unfold(
        (output, Reader::default(), from),
        move |(output, mut reader, at)| async move {
            let left = to.saturating_sub(at);
            if left == 0 {
                return Ok(None);
            }
            let length = usize::try_from(left).unwrap_or(usize::MAX).min(OUTPUT_PIECE_BYTES);
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; length];
                let filled = reader.read(&output, at, &mut piece)?;
                piece.truncate(filled);
                if filled == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok((piece, output, reader)) }
            });
            let (piece, output, reader) = read.await.map_err(io::Error::other).and_then(|read: io::Result<_>| read)?;
            let at = at + piece.len() as u64;
            Ok::<_, io::Error>(Some((Bytes::from(piece), (output, reader, at))))
        },
    ))
}
