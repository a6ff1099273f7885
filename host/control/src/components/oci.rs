//! A component from an OCI registry, in the layout that the CNCF has for Wasm: an image manifest with the configuration
//! `application/vnd.wasm.config.v0+json` and one layer `application/wasm`, which is the file.
//!
//! In: a [`Reference`] with a digest, the tenant's [`Guard`]. Out: the file's bytes, which hash to what the manifest says, which
//! hashes to what was asked for; a registry is trusted with nothing. The requests are the host's own, because every connection and
//! redirect has to pass the guard and every body has to be bounded: clients for registries bring their own connections. Their
//! vocabulary is the ecosystem's (`oci-spec`, `http-auth`), and the tests push with its client.
//!
//! Not done: tags without a digest, image indexes, pushing, credential helpers, identity tokens.

mod auth;
mod reference;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use oci_spec::image::{Descriptor, Digest, DigestAlgorithm, ImageManifest, MediaType};
use reqwest::header::ACCEPT;
use reqwest::{Method, Response, StatusCode};
use url::Url;

pub use self::auth::Credentials;
pub use self::reference::Reference;

use self::auth::Pass;
use crate::limits::{
    OCI_CONNECT_TIMEOUT, OCI_IDLE_TIMEOUT, OCI_MANIFEST_BYTES_MAX, OCI_PULL_TIMEOUT, OCI_REDIRECTS_MAX,
};
use outboard_net::http::{Client, denied, reason};
use outboard_net::{Denied, Guard};
use outboard_stage as stage;
use outboard_stage::limits::STAGE_COMPONENT_BYTES_MAX;

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
/// Of the layer or of the manifest: the file's detached signature in base64.
const SIGNATURE: &str = "outboard.stage.signature";

/// What to pull, and how.
#[derive(Debug, Clone)]
pub struct OciPull {
    /// Registry, repository and digest of the component.
    pub reference: Reference,
    /// Who we are, where the registry asks.
    pub credentials: Option<Credentials>,
    /// Uses http instead of https. A password is then sent to this machine only.
    pub insecure: bool,
}

/// A component from a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The component's file; its digest was verified.
    pub bytes: Bytes,
    /// The signature that was stored with it.
    pub signature: Option<String>,
}

/// How long it may take, and how much it may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Limit for opening a connection.
    pub connect: Duration,
    /// Limit for a pause without a byte.
    pub idle: Duration,
    /// Limit for the whole pull, with redirects and authentication.
    pub whole: Duration,
    /// Of the component's file.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connect: OCI_CONNECT_TIMEOUT,
            idle: OCI_IDLE_TIMEOUT,
            whole: OCI_PULL_TIMEOUT,
            bytes: STAGE_COMPONENT_BYTES_MAX,
        }
    }
}

/// Why there is no component. Names the registry and what was wrong; never credentials, and no URL of a redirect.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// No answer, or one that broke off.
    #[error("the registry {registry} cannot be reached: {reason}")]
    Down {
        /// The registry's host and port.
        registry: String,
        /// In the system's words.
        reason: String,
    },
    /// It takes too long.
    #[error("the registry {registry} did not send the component within {limit:?}")]
    Slow {
        /// The registry's host and port.
        registry: String,
        /// For all of it.
        limit: Duration,
    },
    /// An answer that is none.
    #[error("the registry {registry} answers {status} when asked for the {what}")]
    Status {
        /// The registry's host and port.
        registry: String,
        /// Manifest, component or token.
        what: &'static str,
        /// HTTP status of the response.
        status: StatusCode,
    },
    /// What it has is not what was asked for.
    #[error("the registry {registry} sent a {what} with the digest {found}; expected {wanted}")]
    Digest {
        /// The registry's host and port.
        registry: String,
        /// What was requested: manifest or component.
        what: &'static str,
        /// The expected digest, `sha256:` and 64 hexadecimal digits.
        wanted: String,
        /// The digest of the bytes that were received.
        found: String,
    },
    /// More than it may be, or than it said.
    #[error("the {what} is longer than the limit of {most} bytes")]
    Long {
        /// Manifest, component or token.
        what: &'static str,
        /// The limit in bytes.
        most: u64,
    },
    /// Not in the layout.
    #[error("{0}")]
    Layout(String),
    /// Who we are is not enough, or is not told over a connection that others may read.
    #[error("{0}")]
    Auth(String),
    /// The tenant's network policy.
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl OciError {
    /// The same may work later.
    pub fn passes(&self) -> bool {
        match self {
            Self::Down { .. } | Self::Slow { .. } => true,
            Self::Status { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            _ => false,
        }
    }
}

/// Downloads a component from its registry and verifies the digests of manifest and file.
///
/// # Errors
/// Any [`OciError`].
pub async fn pull(guard: &Guard, wanted: &OciPull, bounds: Bounds) -> Result<Pulled, OciError> {
    let registry = wanted.reference.registry().to_owned();
    let client = Client::new(guard, OCI_REDIRECTS_MAX, |builder| {
        // As it is stored: what was packed for the way has other bytes than its digest says.
        let builder = builder.no_gzip().https_only(!wanted.insecure).pool_max_idle_per_host(1);
        builder.connect_timeout(bounds.connect).read_timeout(bounds.idle)
    });
    let client = client.map_err(|error| OciError::Down { registry: registry.clone(), reason: reason(&error) })?;
    let mut session = Session { client, wanted, registry: registry.clone(), pass: None };
    let pulling = tokio::time::timeout(bounds.whole, session.pull(bounds.bytes));
    pulling.await.unwrap_or(Err(OciError::Slow { registry, limit: bounds.whole }))
}

/// Requests for one component.
struct Session<'a> {
    client: Client,
    wanted: &'a OciPull,
    registry: String,
    /// What the registry asked for, once it did.
    pass: Option<Pass>,
}

// === impl Session ===

impl Session<'_> {
    async fn pull(&mut self, most: u64) -> Result<Pulled, OciError> {
        let digest = self.wanted.reference.digest().to_owned();
        let answer = self.get("manifest", &format!("manifests/{digest}"), MediaType::ImageManifest.as_ref()).await?;
        let manifest = self.body("manifest", answer, OCI_MANIFEST_BYTES_MAX).await?;
        self.check("manifest", &digest, &manifest)?;
        let (layer, signature) = layer(&manifest, most)?;
        let digest = layer.digest().to_string();
        let answer = self.get("component", &format!("blobs/{digest}"), "*/*").await?;
        let bytes = self.body("component", answer, layer.size()).await?;
        self.check("component", &digest, &bytes)?;
        Ok(Pulled { bytes, signature })
    }

    /// Asks once more where the registry wants to know who we are.
    async fn get(&mut self, what: &'static str, path: &str, accept: &str) -> Result<Response, OciError> {
        let mut answer = self.ask(path, accept).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.pass.is_none() {
            self.pass = Some(self.authenticate(answer.headers()).await?);
            answer = self.ask(path, accept).await?;
        }
        match answer.status() {
            StatusCode::OK => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(OciError::Auth(format!(
                "the registry {} denies {} the {what}",
                self.registry,
                if self.wanted.credentials.is_some() {
                    "this user"
                } else {
                    "access without a user name and password to"
                }
            ))),
            status => Err(OciError::Status { registry: self.registry.clone(), what, status }),
        }
    }

    async fn ask(&self, path: &str, accept: &str) -> Result<Response, OciError> {
        let scheme = if self.wanted.insecure { "http" } else { "https" };
        let name = self.wanted.reference.repository();
        let url = format!("{scheme}://{}/v2/{name}/{path}", self.registry);
        let url = Url::parse(&url).map_err(|error| OciError::Layout(format!("{} {error}", self.registry)))?;
        let request = self.client.request(Method::GET, url)?.header(ACCEPT, accept);
        let request = match &self.pass {
            Some(pass) => pass.put_on(request),
            None => request,
        };
        request.send().await.map_err(|error| self.broken(&error))
    }

    /// All of a body, as long as it is not too long.
    async fn body(&self, what: &'static str, mut answer: Response, most: u64) -> Result<Bytes, OciError> {
        let long = || OciError::Long { what, most };
        if answer.content_length().is_some_and(|length| length > most) {
            return Err(long());
        }
        let mut body = BytesMut::new();
        while let Some(more) = answer.chunk().await.map_err(|error| self.broken(&error))? {
            if (body.len() + more.len()) as u64 > most {
                return Err(long());
            }
            body.extend_from_slice(&more);
        }
        Ok(body.freeze())
    }

    fn check(&self, what: &'static str, wanted: &str, bytes: &[u8]) -> Result<(), OciError> {
        let found = format!("sha256:{}", stage::Digest::of(bytes));
        if found == wanted {
            return Ok(());
        }
        Err(OciError::Digest { registry: self.registry.clone(), what, wanted: wanted.to_owned(), found })
    }

    fn broken(&self, error: &reqwest::Error) -> OciError {
        match denied(error) {
            Some(denied) => OciError::Denied(denied.clone()),
            None => OciError::Down { registry: self.registry.clone(), reason: reason(error) },
        }
    }
}

/// The one layer of a manifest that hashes to what was asked for, and the signature in its annotations.
fn layer(manifest: &[u8], most: u64) -> Result<(Descriptor, Option<String>), OciError> {
    let wrong = |what: String| OciError::Layout(format!("the manifest {what}"));
    let read: serde_json::Value =
        serde_json::from_slice(manifest).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    if read.get("manifests").is_some() {
        return Err(wrong("is an index of several images; use the digest of the component's own manifest".to_owned()));
    }
    let read: ImageManifest =
        serde_json::from_value(read).map_err(|error| wrong(format!("is not an OCI image manifest: {error}")))?;
    let config = read.config().media_type();
    if config.as_ref() != CONFIG {
        return Err(wrong(format!("has a configuration of type {config}; expected {CONFIG}")));
    }
    let [layer] = read.layers().as_slice() else {
        return Err(wrong(format!("has {} layers; expected 1", read.layers().len())));
    };
    if layer.media_type().as_ref() != LAYER {
        return Err(wrong(format!("has a layer of type {}; expected {LAYER}", layer.media_type())));
    }
    is_sha256(layer.digest()).map_err(|what| wrong(format!("has a layer with the digest {what}")))?;
    if layer.size() > most {
        return Err(wrong(format!("has a layer of {} bytes; the limit is {most}", layer.size())));
    }
    let signature = [layer.annotations().as_ref(), read.annotations().as_ref()]
        .into_iter()
        .flatten()
        .find_map(|notes| notes.get(SIGNATURE).cloned());
    Ok((layer.clone(), signature))
}

/// What is wrong with a digest.
fn is_sha256(digest: &Digest) -> Result<(), String> {
    match digest.algorithm() {
        DigestAlgorithm::Sha256 => Ok(()),
        other => Err(format!("{digest}: {other} is not supported; expected sha256")),
    }
}

#[cfg(test)]
mod tests;
