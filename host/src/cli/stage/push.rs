//! `outboard stage push` uploads a component to a server. `outboard stage pull` makes a server fetch one from a
//! registry.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use reqwest::RequestBuilder;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::cli::{Ending, complain, say};
use crate::control::components::signature::Signature;
use crate::limits::STAGE_COMPONENT_BYTES_MAX;
use crate::stage::LoadError;

/// The server, and the tenant that will own the component.
#[derive(Debug, Args)]
struct ToArgs {
    /// URL of the server.
    #[arg(long, value_name = "URL", env = "OUTBOARD_URL", default_value = "http://127.0.0.1:3000")]
    server: String,
    /// Token of the server, if it requires one.
    #[arg(long, value_name = "TOKEN", env = "OUTBOARD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Tenant that will own the component. Default: the tenant of the token.
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Make the component available to every tenant.
    #[arg(long, conflicts_with = "tenant")]
    shared: bool,
    /// File with the component's detached signature from cosign sign-blob, if the tenant has a public key.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

/// Options of `stage push`.
#[derive(Debug, Args)]
pub struct PushArgs {
    /// The component file (.wasm).
    file: PathBuf,
    #[command(flatten)]
    to: ToArgs,
}

/// Options of `stage pull`.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// Reference of the component: `oci://host[:port]/name[:tag]@sha256:…`
    reference: String,
    #[command(flatten)]
    to: ToArgs,
    /// User name for the registry, if it requires one. The password is read from OUTBOARD_REGISTRY_PASSWORD.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Use HTTP without TLS for the registry.
    #[arg(long)]
    insecure: bool,
}

const UPLOAD: &str =
    "mutation($input: UploadStageInput!) { uploadStage(input: $input) { component { digest kind name version } } }";
const PULL: &str =
    "mutation($input: PullStageInput!) { pullStage(input: $input) { component { digest kind name version } } }";

/// Uploads and prints the digest; fails if the server refuses the component.
pub async fn push(args: &PushArgs) -> anyhow::Result<Ending> {
    crate::tls::install();
    let PushArgs { file, to } = args;
    let bytes = read_component(file).await.with_context(|| file.display().to_string())?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let input = json!({
        "file": null, "tenant": to.tenant, "shared": to.shared, "signature": to.signature().await?,
    });
    let operations = json!({ "query": UPLOAD, "variables": { "input": input } }).to_string();
    // Fields as in the GraphQL multipart request specification: operations, map, files.
    let form = Form::new()
        .text("operations", operations)
        .text("map", json!({ "0": ["variables.input.file"] }).to_string())
        .part("0", Part::bytes(bytes).file_name(name));
    let request = to.request().header("graphql-require-preflight", "1").multipart(form);
    to.send(request, "uploadStage", &file.display().to_string()).await
}

/// Prints the digest of the component's file, which identifies it from then on.
pub async fn pull(args: &PullArgs) -> anyhow::Result<Ending> {
    crate::tls::install();
    let PullArgs { reference, to, username, insecure } = args;
    let auth = match username {
        // Not a command-line option, because those are visible in the list of processes.
        Some(username) => {
            let password = std::env::var("OUTBOARD_REGISTRY_PASSWORD");
            let password = password.context("the password of --username is read from OUTBOARD_REGISTRY_PASSWORD")?;
            Some(json!({ "username": username, "password": password }))
        }
        None => None,
    };
    let input = json!({
        "reference": reference, "tenant": to.tenant, "shared": to.shared, "signature": to.signature().await?,
        "auth": auth, "insecure": insecure,
    });
    let request = to.request().json(&json!({ "query": PULL, "variables": { "input": input } }));
    to.send(request, "pullStage", reference).await
}

// === impl ToArgs ===

impl ToArgs {
    fn url(&self) -> String {
        format!("{}/graphql", self.server.trim_end_matches('/'))
    }

    fn request(&self) -> RequestBuilder {
        let request = reqwest::Client::new().post(self.url());
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The signature file as base64.
    async fn signature(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.signature else { return Ok(None) };
        Ok(Some(read_signature(path).await.with_context(|| path.display().to_string())?.text()))
    }

    async fn send(&self, request: RequestBuilder, field: &str, what: &str) -> anyhow::Result<Ending> {
        let url = self.url();
        let response = request.send().await.with_context(|| format!("no response from {url}"))?;
        let status = response.status();
        let text = response.text().await?;
        let answer: Value = serde_json::from_str(&text)
            .with_context(|| format!("{url} answered with status {status}; it is not an outboard server"))?;
        if let Some(errors) = answer["errors"].as_array() {
            for error in errors {
                complain(&format!("{what}: {}", error["message"].as_str().unwrap_or("refused")));
            }
            return Ok(Ending::Failed);
        }
        let component = &answer["data"][field]["component"];
        let told = |name: &str| component[name].as_str().unwrap_or_default().to_owned();
        // Scripts expect only the digest on standard output.
        complain(&format!("{} {}, a {} stage", told("name"), told("version"), told("kind").to_lowercase()));
        say(&told("digest"));
        Ok(Ending::Done)
    }
}

/// Reads the file and refuses, before uploading, what the server would refuse.
async fn read_component(file: &Path) -> anyhow::Result<Vec<u8>> {
    let (size, limit) = (tokio::fs::metadata(file).await?.len(), STAGE_COMPONENT_BYTES_MAX);
    if size > limit {
        return Err(LoadError::TooLarge { size, limit }.into());
    }
    Ok(tokio::fs::read(file).await?)
}

async fn read_signature(path: &Path) -> anyhow::Result<Signature> {
    Signature::read(&tokio::fs::read(path).await?).map_err(anyhow::Error::msg)
}
