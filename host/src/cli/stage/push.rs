//! `outboard stage push`: sends a component to a server.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::cli::{Ending, complain, say};

/// Options of `stage push`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The component, a .wasm file.
    file: PathBuf,
    /// The server.
    #[arg(long, value_name = "URL", env = "OUTBOARD_URL", default_value = "http://127.0.0.1:3000")]
    server: String,
    /// A token of the server, where it asks for one.
    #[arg(long, value_name = "TOKEN", env = "OUTBOARD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The tenant that it is for; the token's own unless given.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// For every tenant.
    #[arg(long, conflicts_with = "tenant")]
    shared: bool,
}

const UPLOAD: &str =
    "mutation($input: UploadStageInput!) { uploadStage(input: $input) { component { digest kind name version } } }";

/// Prints the digest; what the server refuses is a failure.
pub async fn push(args: &PushArgs) -> anyhow::Result<Ending> {
    crate::tls::install();
    let bytes = tokio::fs::read(&args.file).await.with_context(|| args.file.display().to_string())?;
    let name = args.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let input = json!({ "file": null, "tenant": args.tenant, "shared": args.shared });
    let operations = json!({ "query": UPLOAD, "variables": { "input": input } }).to_string();
    // As the GraphQL multipart request specification has it: what to do, where the files belong, the files.
    let form = Form::new()
        .text("operations", operations)
        .text("map", json!({ "0": ["variables.input.file"] }).to_string())
        .part("0", Part::bytes(bytes).file_name(name));
    let url = format!("{}/graphql", args.server.trim_end_matches('/'));
    let mut request = reqwest::Client::new().post(&url).header("graphql-require-preflight", "1").multipart(form);
    if let Some(token) = &args.token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.with_context(|| format!("no answer from {url}"))?;
    let status = response.status();
    let text = response.text().await?;
    let answer: Value = serde_json::from_str(&text)
        .with_context(|| format!("{url} answers {status}, and not as an outboard server"))?;
    if let Some(errors) = answer["errors"].as_array() {
        for error in errors {
            complain(&format!("{}: {}", args.file.display(), error["message"].as_str().unwrap_or("refused")));
        }
        return Ok(Ending::Failed);
    }
    let component = &answer["data"]["uploadStage"]["component"];
    let told = |name: &str| component[name].as_str().unwrap_or_default().to_owned();
    // Scripts want the digest and nothing else.
    complain(&format!("{} {}, a {} stage", told("name"), told("version"), told("kind").to_lowercase()));
    say(&told("digest"));
    Ok(Ending::Done)
}
