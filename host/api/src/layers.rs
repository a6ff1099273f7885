//! The layers around every request: a log line, security headers, a timeout, and panics turned into errors.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower_http::cors::CorsLayer;

use super::{answer, assets};
use crate::limits::{API_ANSWER_MAX, API_BODY_BYTES_MAX, API_PREFLIGHT_KEPT};

/// Headers of every response that does not set them itself: no content sniffing, no caching, no use by pages of other origins.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Puts everything around a server's routes. `origins`: see [`outboard_config::ServerConfig::cors_origins`].
pub fn around_all<S: Clone + Send + Sync + 'static>(routes: Router<S>, origins: &[String]) -> Router<S> {
    bounded(routes, origins, API_ANSWER_MAX)
}

fn bounded<S: Clone + Send + Sync + 'static>(routes: Router<S>, origins: &[String], wait: Duration) -> Router<S> {
    let routes = routes
        .fallback(absent)
        .method_not_allowed_fallback(other_method)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX));
    // Without origins the layer would still answer every OPTIONS request itself.
    let routes = if origins.is_empty() { routes } else { routes.layer(cors(origins)) };
    routes.layer(from_fn_with_state(wait, around))
}

/// The content security policy of responses that are no pages.
const NO_PAGE: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Allows pages of these origins to call, also with the UI's cookie; never pages of any origin.
fn cors(origins: &[String]) -> CorsLayer {
    let known: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(known)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([RETRY_AFTER])
        .max_age(API_PREFLIGHT_KEPT)
}

/// Logs a request, limits its time, and sets headers. The log line has no query string, which may contain secrets.
async fn around(State(wait): State<Duration>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = Instant::now();
    // The timeout is for the beginning of the response; streams may last longer.
    let answered = AssertUnwindSafe(tokio::time::timeout(wait, next.run(request))).catch_unwind().await;
    let mut response = match answered {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => answer::too_slow(),
        Err(_) => {
            tracing::error!(%method, path, "a request's handler panicked");
            answer::broken()
        }
    };
    for (name, value) in &HEADERS {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    // A policy on a script would apply to workers made from it.
    let data = |kind: &HeaderValue| kind.as_bytes().starts_with(b"application/") || kind.as_bytes() == b"text/plain";
    if response.headers().get(CONTENT_TYPE).is_some_and(data) {
        response.headers_mut().entry(CONTENT_SECURITY_POLICY).or_insert(NO_PAGE);
    }
    let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
    tracing::debug!(%method, path, status, ms, "request");
    response
}

/// The answer to a known address with an unsupported method; axum adds `Allow`.
async fn other_method(method: Method) -> Response {
    if method == Method::OPTIONS { StatusCode::NO_CONTENT.into_response() } else { answer::wrong_method(&method) }
}

/// Path prefixes of the API; all other addresses are pages.
const OURS: [&str; 6] = ["/api", "/evidence", "/graphql", "/metrics", "/preview", "/recordings"];

async fn absent(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let below = |of: &str| uri.path().strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    match method == Method::GET || method == Method::HEAD {
        true if !OURS.iter().any(|of| below(of)) => assets::serve(method, uri, headers).await,
        _ => answer::absent(uri.path()),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::{get, post};
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    fn server(origins: &[&str]) -> Router {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let routes = Router::new()
            .route("/fine", get(async || "fine"))
            .route("/panics", get(async || -> &'static str { panic!("secret-in-a-panic") }))
            .route("/sleeps", get(async || std::future::pending::<&'static str>().await))
            .route("/takes", post(async |body: String| body));
        bounded(routes, &origins, Duration::from_millis(300))
    }

    async fn asked(router: Router, method: &str, path: &str, headers: &[(&str, &str)]) -> (Response<()>, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        (Response::from_parts(parts, ()), serde_json::from_slice(&bytes).unwrap_or_default())
    }

    type Response<T> = axum::http::Response<T>;

    #[tokio::test]
    async fn what_goes_wrong_is_told_in_one_form() {
        for (method, path, status, code) in [
            ("GET", "/api/nothing", 404, "NOT_FOUND"),
            ("POST", "/nothing", 404, "NOT_FOUND"),
            ("PUT", "/fine", 405, "INVALID_INPUT"),
            ("GET", "/panics", 500, "INTERNAL"),
            ("GET", "/sleeps", 503, "UNAVAILABLE"),
        ] {
            let (response, body) = asked(server(&[]), method, path, &[]).await;
            assert_eq!((response.status().as_u16(), body["code"].as_str()), (status, Some(code)), "{path}: {body}");
            assert!(body["error"].is_string() && body["problems"].is_array(), "{body}");
            assert!(!body.to_string().contains("secret-in-a-panic"), "{body}");
        }
    }

    #[tokio::test]
    async fn methods_are_told_with_what_is_allowed() {
        let (options, _) = asked(server(&[]), "OPTIONS", "/fine", &[]).await;
        let (other, _) = asked(server(&[]), "DELETE", "/takes", &[]).await;
        let (head, _) = asked(server(&[]), "HEAD", "/fine", &[]).await;
        assert_eq!((options.status().as_u16(), &options.headers()["allow"]), (204, &"GET,HEAD".parse().unwrap()));
        assert_eq!((other.status().as_u16(), &other.headers()["allow"]), (405, &"POST".parse().unwrap()));
        assert_eq!(head.status(), 200);
    }

    #[tokio::test]
    async fn every_response_tells_browsers_to_be_careful() {
        for path in ["/fine", "/api", "/nothing", "/panics", "/"] {
            let (response, _) = asked(server(&[]), "GET", path, &[]).await;
            for (name, value) in &HEADERS {
                let page = path == "/" && name == CACHE_CONTROL;
                assert_eq!(response.headers().get(name) == Some(value), !page, "{path}: {name}");
            }
            assert!(path == "/fine" || path == "/nothing" || response.headers().contains_key(CONTENT_SECURITY_POLICY));
        }
    }

    #[tokio::test]
    async fn only_pages_of_known_origins_may_read() {
        let from = |origin| [("origin", origin), ("access-control-request-method", "POST")];
        let allowed = "access-control-allow-origin";
        for (known, origin, may) in [
            (&[][..], "https://ui.example", false),
            (&["https://ui.example"][..], "https://ui.example", true),
            (&["https://ui.example"][..], "https://ui.example.evil", false),
            (&["https://ui.example"][..], "null", false),
        ] {
            for method in ["GET", "OPTIONS"] {
                let (response, _) = asked(server(known), method, "/fine", &from(origin)).await;
                let told = response.headers().get(allowed).and_then(|value| value.to_str().ok());
                assert_eq!(told, may.then_some(origin), "{method} from {origin} with {known:?}");
            }
        }
    }
}
