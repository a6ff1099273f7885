//! Requests with a file, by the GraphQL multipart request specification: `operations`, `map` and one file, in this order.
//!
//! A form of a foreign page can send such a request by a browser that has the UI's cookie, but cannot add a header. So the header
//! [`PREFLIGHT`] is required, as other servers do. The body is read only for callers who may add components. `operations` has the
//! limits of any request. The file is written to an unnamed file in the storage while it arrives, and is removed with its request.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use async_graphql::{Request, UploadValue};
use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use tokio::io::AsyncWriteExt;

use super::endpoint::Endpoint;

use super::slots::Slot;

use super::multipart::Form;
use super::multipart::FormError;
use super::multipart::Part;
use super::request;
use super::request_limits;
use super::slots::SlotKind;
use crate::limits::{
    GRAPHQL_BODY_BYTES_MAX, GRAPHQL_FILE_NAME_CHARS_MAX, GRAPHQL_MAP_BYTES_MAX, GRAPHQL_UPLOAD_TIMEOUT,
};
use outboard_control::access::Action;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

use outboard_stage::limits::STAGE_COMPONENT_BYTES_MAX;

/// The header that uploads must have, with any value.
const PREFLIGHT: &str = "graphql-require-preflight";

/// Most bytes of a form in addition to the content of its three parts.
const FORM_BYTES: u64 = 16 << 10;

type Failed = (StatusCode, ControlError);

/// The file of a request; its resolver gets it from the request's data.
#[derive(Debug)]
pub struct Uploaded {
    file: std::fs::File,
    size: u64,
    /// The slot of this upload.
    _slot: Slot,
}

impl Uploaded {
    /// Reads the whole file into memory.
    ///
    /// # Errors
    /// The system's error if the file cannot be read.
    pub async fn read(self: Arc<Self>) -> std::io::Result<Bytes> {
        let reading = move || {
            let mut bytes = vec![0; usize::try_from(self.size).map_err(std::io::Error::other)?];
            self.file.read_exact_at(&mut bytes, 0)?;
            Ok(bytes.into())
        };
        tokio::task::spawn_blocking(reading).await.map_err(std::io::Error::other)?
    }
}

/// Reads a request with one file.
pub async fn read(
    endpoint: &Endpoint,
    actor: &Actor,
    headers: &HeaderMap,
    kind: &str,
    body: Body,
) -> Result<Request, Failed> {
    if !headers.contains_key(PREFLIGHT) {
        let error =
            ControlError::invalid("GraphQL-Require-Preflight", "must be there with an upload: any value will do");
        return Err((StatusCode::BAD_REQUEST, error));
    }
    let may = actor.check(Action::AddStage, actor.tenant.as_deref());
    may.map_err(|denied| (StatusCode::FORBIDDEN, ControlError::Forbidden(denied.to_string())))?;
    let told = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > STAGE_COMPONENT_BYTES_MAX + GRAPHQL_BODY_BYTES_MAX as u64 + FORM_BYTES) {
        return Err(too_large());
    }
    let slot = endpoint.slots().take(SlotKind::Upload, actor);
    let slot = slot.map_err(|error| (StatusCode::TOO_MANY_REQUESTS, error))?;
    let root = endpoint.control().host().storage().root().to_owned();
    match tokio::time::timeout(GRAPHQL_UPLOAD_TIMEOUT, form(&root, kind, body, slot)).await {
        Ok(read) => read,
        Err(_) => {
            let text = format!("the upload was not there within {GRAPHQL_UPLOAD_TIMEOUT:?}");
            Err((StatusCode::REQUEST_TIMEOUT, ControlError::LimitExceeded(text)))
        }
    }
}

async fn form(root: &Path, kind: &str, body: Body, slot: Slot) -> Result<Request, Failed> {
    let mut form = Form::new(kind, body).map_err(wrong)?;
    let operations = named(&mut form, "operations", GRAPHQL_BODY_BYTES_MAX).await?;
    let mut request = request::request(&operations)?;
    // Checked before the file is read; running the request parses it again.
    request_limits::check_text(&request.query).map_err(|error| (StatusCode::BAD_REQUEST, error))?;
    let map = named(&mut form, "map", GRAPHQL_MAP_BYTES_MAX).await?;
    let (field, path) = place(&map)?;
    let part = form.part().await.map_err(wrong)?;
    let Some(Part { file: Some(name), .. }) = part.filter(|part| part.name == field) else {
        let text = format!("must have one file after `map`, as the field {field:?} with a filename");
        return Err(invalid(&text));
    };
    let (file, size) = keep(root, &mut form).await?;
    if form.part().await.map_err(wrong)?.is_some() {
        return Err(invalid("must have nothing after its file: one at a time"));
    }
    let filename = name.chars().filter(|c| !c.is_control()).take(GRAPHQL_FILE_NAME_CHARS_MAX).collect();
    // The scalar in the schema gets an empty file; the bytes are on disk.
    request.set_upload(&path, UploadValue { filename, content_type: None, content: Bytes::new() });
    Ok(request.data(Arc::new(Uploaded { file, size, _slot: slot })))
}

async fn named(form: &mut Form, name: &str, most: usize) -> Result<Vec<u8>, Failed> {
    if form.part().await.map_err(wrong)?.is_none_or(|part| part.name != name) {
        return Err(invalid(&format!(
            "must have the fields `operations`, `map` and a file, in this order; no `{name}`"
        )));
    }
    form.whole(most).await.map_err(|error| match error {
        FormError::TooLong(most) => {
            let text = format!("`{name}` is longer than {most} bytes");
            (StatusCode::PAYLOAD_TOO_LARGE, ControlError::LimitExceeded(text))
        }
        other => wrong(other),
    })
}

/// The form field of the file, and the variable that it is the value of.
fn place(map: &[u8]) -> Result<(String, String), Failed> {
    let map: BTreeMap<String, Vec<String>> = serde_json::from_slice(map).unwrap_or_default();
    let mut places = map.into_iter().map(|(field, paths)| (field, paths.into_iter().collect::<Vec<_>>()));
    match (places.next(), places.next()) {
        (Some((field, paths)), None) => match <[String; 1]>::try_from(paths) {
            Ok([path]) => Ok((field, path)),
            Err(_) => Err(invalid("must have one variable for its file in `map`")),
        },
        _ => Err(invalid("must have a `map` of one file, such as {\"0\": [\"variables.input.file\"]}")),
    }
}

/// Writes the part to an unnamed file; returns it and its length in bytes.
async fn keep(root: &Path, form: &mut Form) -> Result<(std::fs::File, u64), Failed> {
    let lost = |error: std::io::Error| {
        tracing::error!(%error, "failed to store an upload");
        let text = "failed to store the upload: the server cannot write to its storage".to_owned();
        (StatusCode::SERVICE_UNAVAILABLE, ControlError::Unavailable(text))
    };
    let root = root.to_owned();
    let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(root)).await;
    let file = made.map_err(std::io::Error::other).and_then(|made| made).map_err(lost)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut size = 0u64;
    while let Some(piece) = form.piece().await.map_err(wrong)? {
        size += piece.len() as u64;
        if size > STAGE_COMPONENT_BYTES_MAX {
            return Err(too_large());
        }
        file.write_all(&piece).await.map_err(lost)?;
    }
    file.flush().await.map_err(lost)?;
    Ok((file.into_std().await, size))
}

fn too_large() -> Failed {
    let text = format!("a component may have {STAGE_COMPONENT_BYTES_MAX} bytes at most");
    (StatusCode::PAYLOAD_TOO_LARGE, ControlError::LimitExceeded(text))
}

fn wrong(wrong: FormError) -> Failed {
    match wrong {
        FormError::Form(what) => invalid(&format!("is not a form with `operations`, `map` and a file: {what}")),
        FormError::TooLong(_) => too_large(),
    }
}

fn invalid(message: &str) -> Failed {
    (StatusCode::BAD_REQUEST, ControlError::invalid("body", message))
}
