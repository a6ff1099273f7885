//! How large a component may be: the same for an upload as for a file on this machine.

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::limits::API_BODY_BYTES_MAX;
use crate::{Api, router};
use outboard_config::{self as config, Layers};
use outboard_control::Control;
use outboard_pipeline::Host;
use outboard_stage::limits::STAGE_COMPONENT_BYTES_MAX;

/// What the server says of a file of so many zero bytes.
async fn refused(router: axum::Router, bytes: usize) -> Value {
    let operations = json!({
        "query": "mutation($input: UploadStageInput!) { uploadStage(input: $input) { component { digest } } }",
        "variables": { "input": { "file": null } },
    });
    let part = |name: &str| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"");
    let mut body = format!(
        "{}\r\n\r\n{operations}\r\n{}\r\n\r\n{{\"0\":[\"variables.input.file\"]}}\r\n{}; filename=\"a.wasm\"\r\n\
         content-type: application/octet-stream\r\n\r\n",
        part("operations"),
        part("map"),
        part("0"),
    )
    .into_bytes();
    body.resize(body.len() + bytes, 0);
    body.extend_from_slice(b"\r\n--x--\r\n");
    let request = Request::post("/graphql")
        .header("host", "localhost")
        .header("content-type", "multipart/form-data; boundary=x")
        .header("graphql-require-preflight", "1");
    let response = router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let answer = to_bytes(response.into_body(), API_BODY_BYTES_MAX).await.unwrap();
    serde_json::from_slice(&answer).unwrap()
}

#[tokio::test]
async fn an_upload_may_be_as_large_as_a_file_on_this_machine() {
    let storage = tempfile::tempdir().unwrap();
    let control = Control::open(Host::open(storage.path()).await.unwrap()).await.unwrap();
    let config = config::check(Layers::new(), false).unwrap().0.server;
    let router = router(Api::new(control, &config, true, CancellationToken::new()));
    let most = usize::try_from(STAGE_COMPONENT_BYTES_MAX).unwrap();
    // Of the largest size, and refused for what it is.
    let largest = refused(router.clone(), most).await["errors"][0]["message"].to_string();
    assert!(largest.contains("this is not a WebAssembly component"), "{largest}");
    let larger = refused(router, most + 1).await["errors"][0]["message"].to_string();
    assert!(larger.contains(&format!("a component may have {most} bytes at most")), "{larger}");
}
