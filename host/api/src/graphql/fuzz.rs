//! Fuzz target `requests`: bytes as a request over each transport, up to where it would be run. Nothing panics, a form says the same in
//! whatever pieces it comes, and what is let through is within its bounds however it was written.

use axum::body::{Body, Bytes};
use futures_util::{FutureExt, stream};
use serde_json::Value;

use super::form::{Form, Part, Wrong};
use super::{admit, http, socket};
use crate::limits::{GRAPHQL_BODY_BYTES_MAX, GRAPHQL_VALUES_DEPTH_MAX, GRAPHQL_VALUES_MAX};

/// The first byte says in which pieces a form comes; the rest is what a client sent.
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

/// As far as a request comes before somebody has to run it.
fn admitted(text: &[u8]) {
    let Ok(mut request) = http::request(text) else { return };
    let name = request.operation_name.clone();
    if admit::text(&request.query).is_ok()
        && let Ok(document) = request.parsed_query()
    {
        let _ = admit::document(document, name.as_deref());
    }
}

/// What was counted too low is what the bound is there for.
fn values(text: &[u8]) {
    if admit::json(text).is_err() {
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

/// The parts of a form that comes in pieces of `size` bytes.
fn form(text: &[u8], size: usize) -> Result<Vec<(Part, Vec<u8>)>, Wrong> {
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
    // All of it is there, so nothing waits.
    reading.now_or_never().unwrap_or_else(|| Err(Wrong::Form("it waits for what is there".to_owned())))
}
