//! Who we are, told to a registry that asks: `Basic` to itself, or `Bearer` with a token from the gatekeeper that it names.

use http_auth::ChallengeRef;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use url::{Host, Url};

use super::{OciError, Session};
use crate::hidden::Hidden;
use crate::limits::OCI_TOKEN_BYTES_MAX;

/// A user of a registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// User name at the registry.
    pub username: String,
    /// Never shown, kept or logged.
    pub password: Hidden<String>,
}

/// What a request goes with.
#[derive(Debug)]
pub(super) enum Pass {
    Basic(Credentials),
    Bearer(Hidden<String>),
}

impl Pass {
    pub(super) fn put_on(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Basic(who) => request.basic_auth(&who.username, Some(who.password.get())),
            Self::Bearer(token) => request.bearer_auth(token.get()),
        }
    }
}

/// What a gatekeeper answers; one of both names is used.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

// === impl Session ===

impl Session<'_> {
    /// What the registry's challenge asks for.
    pub(super) async fn authenticate(&self, headers: &HeaderMap) -> Result<Pass, OciError> {
        let texts: Vec<&str> = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|text| text.to_str().ok()).collect();
        let challenges: Vec<ChallengeRef<'_>> =
            texts.iter().filter_map(|text| http_auth::parse_challenges(text).ok()).flatten().collect();
        let of = |scheme: &str| challenges.iter().find(|one| one.scheme.eq_ignore_ascii_case(scheme));
        if let Some(bearer) = of("Bearer") {
            return self.token(bearer).await;
        }
        match (of("Basic"), &self.wanted.credentials) {
            (Some(_), Some(who)) => {
                let url = Url::parse(&format!("http://{}", self.registry)).ok();
                self.may_send_password(!self.wanted.insecure, url.as_ref())?;
                Ok(Pass::Basic(who.clone()))
            }
            (Some(_), None) => {
                Err(OciError::Auth(format!("the registry {} requires a user name and a password", self.registry)))
            }
            (None, _) => Err(OciError::Auth(format!(
                "the registry {} requires an authentication scheme that is not supported; expected Basic or Bearer",
                self.registry
            ))),
        }
    }

    /// A token that lets pull this one name.
    async fn token(&self, challenge: &ChallengeRef<'_>) -> Result<Pass, OciError> {
        let parameter = |name: &str| {
            let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.to_unescaped())
        };
        let wrong = |what: &str| OciError::Auth(format!("the token service of the registry {} {what}", self.registry));
        let realm = parameter("realm").and_then(|realm| Url::parse(&realm).ok());
        let mut url = realm.filter(|url| url.has_host()).ok_or_else(|| wrong("has no valid address (realm)"))?;
        let secure = url.scheme() == "https";
        let asked = self.wanted.insecure && url.scheme() == "http";
        if !(secure || asked) {
            return Err(wrong("is not reached by https"));
        }
        let scope = format!("repository:{}:pull", self.wanted.reference.repository());
        url.query_pairs_mut().append_pair("scope", &parameter("scope").unwrap_or(scope));
        if let Some(service) = parameter("service") {
            url.query_pairs_mut().append_pair("service", &service);
        }
        let mut request = self.client.request(Method::GET, url.clone())?;
        if let Some(who) = &self.wanted.credentials {
            self.may_send_password(secure, Some(&url))?;
            request = request.basic_auth(&who.username, Some(who.password.get()));
        }
        let answer = request.send().await.map_err(|error| self.broken(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_server_error() => {
                return Err(OciError::Status { registry: self.registry.clone(), what: "token", status });
            }
            status => return Err(wrong(&format!("answers {status}"))),
        }
        let body = self.body("token", answer, OCI_TOKEN_BYTES_MAX).await?;
        let read: Option<Token> = serde_json::from_slice(&body).ok();
        let token = read.and_then(|read| read.token.or(read.access_token)).filter(|token| !token.is_empty());
        token.map(|token| Pass::Bearer(Hidden::new(token))).ok_or_else(|| wrong("answers without a token"))
    }

    /// A password goes over TLS or stays on this machine.
    fn may_send_password(&self, secure: bool, to: Option<&Url>) -> Result<(), OciError> {
        let here = match to.and_then(Url::host) {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if secure || here {
            return Ok(());
        }
        Err(OciError::Auth(format!(
            "the registry {} requires a password without TLS; \
             insecure is for registries on this machine and for registries without a login",
            self.registry
        )))
    }
}
