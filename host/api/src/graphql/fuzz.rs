//! Fuzz target `requests`: bytes as a request over each transport, up to its execution. Nothing panics, a form is parsed alike in
//! whatever pieces it arrives, and every accepted request is within the limits.

use axum::body::{Body, Bytes};
use futures_util::{FutureExt, stream};
use serde_json::Value;

use super::multipart::{Form, FormError, Part};
use super::{request, request_limits, socket};
use crate::limits::{GRAPHQL_BODY_BYTES_MAX, GRAPHQL_VALUES_DEPTH_MAX, GRAPHQL_VALUES_MAX};

/// The first byte is the size of the pieces of a form; the rest is the client's data.
pub fn requests(data: &[u8]) {
    let Some((size, text)) = data.split_first() else { return };
    values(text);
    admitted(text);
    socket::is_message(text);
    let (pieces, whole) = (form(text, usize::from(*size) + 1), form(text, text.len().max(1)));
    assert_eq!(pieces, whole, "the same form in pieces");
    for (part, bytes) in whole.into_iter().flatten() {
        if part.name == "operations" {
            admitted(&bytes);
        }
    }
}

/// Handles a request up to its execution.
fn admitted(text: &[u8]) {
    let Ok(mut request) = request::request(text) else { return };
    let name = request.operation_name.clone();
    if request_limits::check_text(&request.query).is_ok()
        && let Ok(document) = request.parsed_query()
    {
        let _ = request_limits::check_document(document, name.as_deref());
    }
}

/// Checks that JSON which passed the limits has no more values and no greater depth than they allow.
fn values(text: &[u8]) {
    if request_limits::check_json(text).is_err() {
        return;
    }
    if let Ok(value) = serde_json::from_slice::<Value>(text) {
        let (values, depth) = measured(&value);
        assert!(depth <= GRAPHQL_VALUES_DEPTH_MAX, "{depth} deep");
        assert!(values <= GRAPHQL_VALUES_MAX + 1, "{values} values");
    }
}

fn measured(value: &Value) -> (usize, usize) {
    let below: Vec<(usize, usize)> = match value {
        Value::Array(all) => all.iter().map(measured).collect(),
        Value::Object(all) => all.values().map(measured).collect(),
        _ => return (1, 0),
    };
    (1 + below.iter().map(|(values, _)| values).sum::<usize>(), 1 + below.iter().map(|(_, d)| *d).max().unwrap_or(0))
}

/// Parses a form that arrives in pieces of `size` bytes.
fn form(text: &[u8], size: usize) -> Result<Vec<(Part, Vec<u8>)>, FormError> {
    let pieces: Vec<_> =
        text.chunks(size).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    let reading = async {
        let mut form = Form::new("multipart/form-data; boundary=x", Body::from_stream(stream::iter(pieces)))?;
        let mut parts = Vec::new();
        while let Some(part) = form.part().await? {
            let bytes = form.whole(GRAPHQL_BODY_BYTES_MAX).await?;
            parts.push((part, bytes));
        }
        Ok(parts)
    };
    // All pieces are available, so nothing waits.
    reading.now_or_never().unwrap_or_else(|| Err(FormError::Form("it waits for what is there".to_owned())))
}
