//! HTTP responses of the preview: the playlist of what went on air, and the media of its batches with byte ranges.
//!
//! In: a [`Preview`], and a GET or HEAD request whose caller was authenticated. Out: a response; what does not exist is a plain 404.

use axum::http::request::Parts;
use axum::response::Response;
use outboard_control::preview::{Preview, PreviewRequest};

mod answer;
mod output;
#[cfg(test)]
mod tests;

/// Answers a GET or HEAD request. Anything that does not exist is a plain 404, whatever the reason.
pub async fn serve(preview: Preview, wanted: PreviewRequest, request: &Parts) -> Response {
    match wanted {
        PreviewRequest::Playlist => answer::playlist(preview, request).await,
        PreviewRequest::Batch(number, media) => answer::media(preview.files, number, media, request).await,
    }
}
