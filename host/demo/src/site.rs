//! The demo's web server: the files of the source and of the receiver, and a page that plays the received stream.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const PAGE: &str = include_str!("watch.html");

/// Serves `dir/source` and `dir/received`.
pub fn serve(listener: TcpListener, dir: &Path) -> JoinHandle<()> {
    let dir: Arc<Path> = dir.into();
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/{folder}/{name}", get(move |path| file(dir.clone(), path)));
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, app).await {
            tracing::warn!(%error, "the demo's web server ended");
        }
    })
}

async fn file(dir: Arc<Path>, extract::Path((folder, name)): extract::Path<(String, String)>) -> Response {
    let Some(path) = locate(&dir, &folder, &name) else { return StatusCode::NOT_FOUND.into_response() };
    let kind = match path.extension().and_then(|end| end.to_str()) {
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        Some("m4s" | "mp4") => "video/mp4",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match tokio::fs::read(&path).await {
        Ok(bytes) => ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], bytes).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The path of a requested file; accepts only plain names in the two folders.
fn locate(dir: &Path, folder: &str, name: &str) -> Option<PathBuf> {
    let plain =
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) && !name.starts_with('.');
    (plain && ["source", "received"].contains(&folder)).then(|| dir.join(folder).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serves_nothing_outside_its_folders() {
        let dir = Path::new("/demo");
        assert_eq!(locate(dir, "received", "live.m3u8"), Some(PathBuf::from("/demo/received/live.m3u8")));
        for (folder, name) in [("storage", "outboard.db"), ("source", "../x"), ("source", ".."), ("..", "live.m3u8")] {
            assert_eq!(locate(dir, folder, name), None, "{folder}/{name}");
        }
    }
}
