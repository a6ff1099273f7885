//! Identifies the caller of an HTTP request: by a bearer token, by the UI's cookie, or as local, without a token, on loopback.
//!
//! A browser sends cookies, and reaches loopback, on behalf of any page that is open in it. So a request without a bearer token must
//! come from this server's pages (`Origin`). A request without any token must also name this server as a loopback host (`Host`);
//! otherwise a foreign page could call it by a name that resolves to 127.0.0.1.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, COOKIE, FORWARDED, HOST, ORIGIN, VIA};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Uri};

use super::Api;
use super::answer::Refusal;
use outboard_config::ServerConfig;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// The name of the UI's cookie; its value is the token.
pub const COOKIE_NAME: &str = "outboard_token";

/// Headers that proxies set: the caller is then not local, even if the connection is. A proxy that sets none of them cannot be told
/// from a local caller; behind such a proxy, `server.auth` must be `token`.
const PROXIED: [HeaderName; 7] = [
    FORWARDED,
    VIA,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-real-ip"),
];

/// Decides which requests need a token, and from which pages they may come.
#[derive(Debug, Clone)]
pub struct CallerPolicy {
    /// True: local callers need no token.
    open: bool,
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// The credential of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A token from the `Authorization` header, which a page of another origin cannot send.
    Bearer(String),
    /// A token from the UI's cookie, sent by a page of this server.
    Cookie(String),
    /// No token; none is needed.
    Local,
}

// === impl CallerPolicy ===

impl CallerPolicy {
    /// The policy by the server's configuration. `loopback`: the server listens on loopback only.
    pub fn new(config: &ServerConfig, loopback: bool) -> Self {
        Self {
            open: loopback && !config.needs_token,
            hosts: config.hosts.clone(),
            origins: config.cors_origins.clone(),
        }
    }

    /// The credential of a request, after the checks of `Origin` and `Host`.
    ///
    /// # Errors
    /// [`ControlError::Unauthenticated`] without a token that is needed; [`ControlError::Forbidden`] for a foreign page or host name.
    pub fn credential(&self, headers: &HeaderMap, uri: &Uri) -> Result<Credential, ControlError> {
        if let Some(value) = headers.get(AUTHORIZATION) {
            let text = value.to_str().unwrap_or_default();
            return match text.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Ok(Credential::Bearer(token.trim().to_owned()))
                }
                _ => {
                    Err(ControlError::Unauthenticated("the Authorization header must be \"Bearer <token>\"".to_owned()))
                }
            };
        }
        self.check_origin(headers, uri)?;
        if let Some(token) = cookie(headers) {
            return Ok(Credential::Cookie(token));
        }
        if !self.open || PROXIED.iter().any(|name| headers.contains_key(name)) {
            return Err(ControlError::Unauthenticated(
                "a token is needed: \"Authorization: Bearer <token>\"; make one with `outboard token create`"
                    .to_owned(),
            ));
        }
        self.check_host(headers, uri)?;
        Ok(Credential::Local)
    }

    /// Checks that the calling page, if any, is of this server or of an origin in `server.cors_origins`.
    ///
    /// # Errors
    /// [`ControlError::Forbidden`] for any other page.
    pub fn check_origin(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), ControlError> {
        let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        let own = host(headers, uri);
        let same =
            origin.split_once("://").is_some_and(|(_, from)| own.is_some_and(|own| own.eq_ignore_ascii_case(from)));
        if same || self.origins.iter().any(|known| known == origin) {
            return Ok(());
        }
        let shown: String = origin.chars().filter(|c| !c.is_control()).take(100).collect();
        Err(ControlError::Forbidden(format!(
            "pages of {shown} may not call this server; to allow them, add the origin to server.cors_origins"
        )))
    }

    fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), ControlError> {
        let named = host(headers, uri).unwrap_or_default();
        let name = without_port(named);
        let loopback = name.eq_ignore_ascii_case("localhost")
            || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if loopback || self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
        Err(ControlError::Forbidden(format!(
            "without a token this server answers to localhost only, not to {shown:?}; add the name to server.hosts"
        )))
    }
}

/// The host name in the request.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| uri.authority().map(|authority| authority.as_str()))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value.to_owned())
}

/// The authenticated caller, as a handler's argument.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Actor>);

impl FromRequestParts<Api> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        // The caller of a request is authenticated once.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let credential = api.caller_policy.credential(&parts.headers, &parts.uri)?;
        let actor = match &credential {
            Credential::Local => api.control.local_actor(),
            Credential::Bearer(secret) | Credential::Cookie(secret) => {
                api.control.tenancy().authenticate(secret).await?
            }
        };
        let actor = Arc::new(actor);
        parts.extensions.insert(Self(actor.clone()));
        Ok(Self(actor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(open: bool) -> CallerPolicy {
        CallerPolicy { open, hosts: vec!["box.lan".into()], origins: vec!["https://ui.example".into()] }
    }

    fn asked(policy: &CallerPolicy, headers: &[(&str, &str)]) -> Result<Credential, ControlError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        policy.credential(&map, &Uri::from_static("/graphql"))
    }

    #[test]
    fn loopback_needs_no_token_and_nothing_else_goes_without() {
        assert_eq!(asked(&policy(true), &[("host", "127.0.0.1:3000")]), Ok(Credential::Local));
        assert_eq!(asked(&policy(true), &[("host", "[::1]:3000")]), Ok(Credential::Local));
        assert_eq!(asked(&policy(true), &[("host", "box.lan")]), Ok(Credential::Local));
        assert!(matches!(asked(&policy(false), &[("host", "localhost")]), Err(ControlError::Unauthenticated(_))));
        for sign in [
            ("forwarded", "for=203.0.113.9"),
            ("via", "1.1 proxy"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-host", "localhost"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-server", "proxy"),
            ("x-real-ip", "203.0.113.9"),
        ] {
            let proxied = asked(&policy(true), &[("host", "localhost"), sign]);
            assert!(matches!(proxied, Err(ControlError::Unauthenticated(_))), "{sign:?}");
        }
    }

    #[test]
    fn a_name_that_points_here_is_not_us() {
        for named in ["evil.example", "evil.example:3000", "", "127.0.0.1.evil.example"] {
            assert!(matches!(asked(&policy(true), &[("host", named)]), Err(ControlError::Forbidden(_))), "{named}");
        }
    }

    #[test]
    fn other_pages_may_not_use_a_cookie_or_loopback() {
        let evil = ("origin", "https://evil.example");
        let cookie = ("cookie", "a=b; outboard_token=obt_1");
        assert!(matches!(asked(&policy(true), &[("host", "localhost"), evil]), Err(ControlError::Forbidden(_))));
        assert!(matches!(asked(&policy(false), &[("host", "x"), evil, cookie]), Err(ControlError::Forbidden(_))));
        assert!(matches!(
            asked(&policy(false), &[("host", "x"), ("origin", "null"), cookie]),
            Err(ControlError::Forbidden(_))
        ));
        let own = [("host", "x:3000"), ("origin", "http://x:3000"), cookie];
        assert_eq!(asked(&policy(false), &own), Ok(Credential::Cookie("obt_1".into())));
        let set = [("host", "x"), ("origin", "https://ui.example"), cookie];
        assert_eq!(asked(&policy(false), &set), Ok(Credential::Cookie("obt_1".into())));
    }

    #[test]
    fn a_bearer_token_comes_from_anywhere() {
        let headers = [("host", "x"), ("origin", "https://evil.example"), ("authorization", "bearer  obt_1 ")];
        assert_eq!(asked(&policy(false), &headers), Ok(Credential::Bearer("obt_1".into())));
        let basic = [("authorization", "Basic eDp5")];
        assert!(matches!(asked(&policy(true), &basic), Err(ControlError::Unauthenticated(_))));
    }
}
