//! Signing in from a page: exchanges a token for a cookie that scripts cannot read, and returns the caller's identity.
//!
//! Wrong tokens use up a budget that all callers share; when it is empty, a wrong token is answered with a request to wait. Valid
//! tokens do not need it, so nobody can lock others out.

use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;

use super::Api;
use super::answer::Refusal;
use super::auth::{COOKIE_NAME, Caller};
use super::rest::body::Body;
use crate::limits::{SIGN_IN_AGAIN, SIGN_IN_FAILURES};
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Sets the cookies of pages, and limits wrong tokens.
#[derive(Debug)]
pub struct Sessions {
    /// True: cookies are always marked `Secure`, even if the request came by http.
    secure: bool,
    failures: Mutex<Budget>,
}

/// Wrong tokens at once; afterwards one per [`SIGN_IN_AGAIN`].
#[derive(Debug)]
struct Budget {
    left: u32,
    since: Instant,
}

/// The identity of the caller, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// The caller's tenant; `null`: host-wide, for all tenants.
    tenant: Option<String>,
    role: String,
    name: String,
    /// True: a local caller without a token, who may do anything.
    local: bool,
}

// === impl Sessions ===

impl Sessions {
    /// `secure`: the setting `server.secure_cookies`.
    pub fn new(secure: bool) -> Self {
        Self { secure, failures: Mutex::new(Budget { left: SIGN_IN_FAILURES, since: Instant::now() }) }
    }

    /// Takes one failed attempt from the budget. False: the budget is empty.
    fn may_fail(&self) -> bool {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now())
    }

    /// The cookie that makes the browser keep the token, or delete it (`None`).
    fn cookie(&self, headers: &HeaderMap, token: Option<&str>) -> Option<HeaderValue> {
        let https = headers.get(FORWARDED_PROTO).is_some_and(|by| by.as_bytes().eq_ignore_ascii_case(b"https"));
        let secure = if self.secure || https { "; Secure" } else { "" };
        let age = if token.is_some() { "" } else { "; Max-Age=0" };
        let token = token.unwrap_or_default();
        let text = format!("{COOKIE_NAME}={token}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
        HeaderValue::from_str(&text).ok()
    }
}

impl Budget {
    fn take(&mut self, now: Instant) -> bool {
        let more = now.saturating_duration_since(self.since).as_millis() / SIGN_IN_AGAIN.as_millis();
        if more > 0 {
            self.left = SIGN_IN_FAILURES.min(self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)));
            self.since = now;
        }
        let fits = self.left > 0;
        self.left = self.left.saturating_sub(1);
        fits
    }
}

impl From<&Actor> for Who {
    fn from(actor: &Actor) -> Self {
        Self {
            tenant: actor.tenant.clone(),
            role: actor.role.to_string(),
            name: actor.name.clone(),
            local: actor.token.is_none(),
        }
    }
}

/// `GET /api/session`: the identity of the caller.
pub async fn show(Caller(actor): Caller) -> Json<Who> {
    Json(Who::from(&*actor))
}

/// `POST /api/session`: checks a token and sets it as a cookie.
pub async fn open(State(api): State<Api>, headers: HeaderMap, uri: Uri, body: Body) -> Result<Response, Refusal> {
    api.caller_policy.check_origin(&headers, &uri)?;
    let mut fields = body.fields();
    let token = fields.needed_text("token");
    fields.finish()?;
    let token = token.unwrap_or_default();
    let actor = match api.control.tenancy().authenticate(&token).await {
        Ok(actor) => actor,
        Err(ControlError::Unauthenticated(why)) if api.sessions.may_fail() => {
            tracing::warn!("sign-in with an invalid token was rejected");
            return Err(Refusal(ControlError::Unauthenticated(why)));
        }
        Err(ControlError::Unauthenticated(_)) => return Ok(wait()),
        Err(error) => return Err(Refusal(error)),
    };
    let mut response = Json(Who::from(&actor)).into_response();
    // A valid token has only characters that a header may have.
    if let Some(cookie) = api.sessions.cookie(&headers, Some(&token)) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// `DELETE /api/session`: deletes the cookie. The token itself stays valid.
pub async fn close(State(api): State<Api>, headers: HeaderMap, uri: Uri) -> Result<Response, Refusal> {
    api.caller_policy.check_origin(&headers, &uri)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(cookie) = api.sessions.cookie(&headers, None) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn wait() -> Response {
    let error = ControlError::LimitExceeded("too many failed sign-ins; wait some seconds and try again".to_owned());
    let mut response = Refusal(error).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(SIGN_IN_AGAIN.as_secs()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_have_a_budget_that_comes_back() {
        let start = Instant::now();
        let mut budget = Budget { left: SIGN_IN_FAILURES, since: start };
        let mut taken = |at: Instant| (0..100).filter(|_| budget.take(at)).count();
        assert_eq!(taken(start), SIGN_IN_FAILURES as usize);
        assert_eq!(taken(start + SIGN_IN_AGAIN / 2), 0);
        assert_eq!(taken(start + SIGN_IN_AGAIN * 2), 2);
        assert_eq!(taken(start + SIGN_IN_AGAIN * 1000), SIGN_IN_FAILURES as usize);
    }

    #[test]
    fn cookies_are_for_https_where_that_is_spoken() {
        let cookie = |secure: bool, proto: Option<&'static str>, token| {
            let mut headers = HeaderMap::new();
            headers.extend(proto.map(|proto| (FORWARDED_PROTO, HeaderValue::from_static(proto))));
            Sessions::new(secure).cookie(&headers, token).unwrap().to_str().unwrap().to_owned()
        };
        let plain = "outboard_token=obt_1; Path=/; HttpOnly; SameSite=Strict";
        assert_eq!(cookie(false, None, Some("obt_1")), plain);
        assert_eq!(cookie(false, Some("http"), Some("obt_1")), plain);
        assert_eq!(cookie(true, None, Some("obt_1")), format!("{plain}; Secure"));
        assert_eq!(cookie(false, Some("https"), Some("obt_1")), format!("{plain}; Secure"));
        assert_eq!(cookie(false, None, None), "outboard_token=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    }
}
