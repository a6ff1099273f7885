//! `/preview/<pipeline>/…`: the media that went on air, and the original and processed audio, for callers who may see the pipeline.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::Api;
use super::answer::{self, Refusal};
use super::auth::Caller;
use crate::preview_response::serve;
use outboard_control::preview::PreviewRequest;

/// `GET /preview/{pipeline}/index.m3u8`: the HLS playlist of the media that went on air.
pub async fn playlist(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path(pipeline): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let preview = api.control.pipelines().preview(&actor, &pipeline, PreviewRequest::Playlist).await?;
    Ok(serve(preview, PreviewRequest::Playlist, &request.into_parts().0).await)
}

/// `GET /preview/{pipeline}/batch/{number}/{media}`: a file of one batch, with byte ranges.
pub async fn media(
    State(api): State<Api>,
    Caller(actor): Caller,
    Path((pipeline, number, media)): Path<(String, String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let Some(wanted) = PreviewRequest::parse(&format!("batch/{number}/{media}")) else {
        return Ok(answer::absent(request.uri().path()));
    };
    let preview = api.control.pipelines().preview(&actor, &pipeline, wanted).await?;
    let (parts, _) = request.into_parts();
    let response = serve(preview, wanted, &parts).await;
    Ok(if response.status() == StatusCode::NOT_FOUND { answer::absent(parts.uri.path()) } else { response })
}
