//! Serves the embedded web pages and documentation, which `scripts/web` built, with content type, ETag and cache time.
//!
//! In: a path and two headers. Out: the response. Nothing is read from disk, and the answer is the same for every caller: pages have
//! no data, they get it from the API. The names of files below `assets/` contain a hash of their content.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

static DIST: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../web/dist");

static FILES: LazyLock<HashMap<&'static str, File>> = LazyLock::new(|| {
    let mut files = HashMap::new();
    collect(&DIST, &mut files);
    files
});

/// First path segments of the page's screens; all of them are served `index.html`.
const SCREENS: [&str; 7] = ["pipelines", "new", "logs", "stages", "storage", "tenants", "sign-in"];

/// The content security policy: everything from this host, nothing inline. `blob:` is for the player's video and for downloads.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    font-src 'self'; connect-src 'self'; media-src 'self' blob:; worker-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";
/// The policy of GraphiQL, whose dialogs add a style element.
const POLICY_GRAPHIQL: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// The cache time of files whose name has a hash of the content.
const KEEP: &str = "public, max-age=31536000, immutable";
/// The cache time of all other files: revalidated by ETag each time.
const ASK: &str = "no-cache";

/// A file that was embedded when the host was built.
#[derive(Debug)]
struct File {
    kind: &'static str,
    keep: &'static str,
    policy: Option<&'static str>,
    plain: Form,
    packed: Option<Form>,
}

/// A file in the form that is sent, plain or gzip. The ETag is that of these bytes, as HTTP requires.
#[derive(Debug)]
struct Form {
    bytes: &'static [u8],
    tag: String,
}

/// Answers GET and HEAD for every page and its files. Used as the router's fallback.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, Body::empty());
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let mut answer = asset(uri.path(), text(header::ACCEPT_ENCODING), text(header::IF_NONE_MATCH));
    if method == Method::HEAD {
        *answer.body_mut() = Body::empty();
    }
    answer
}

/// The file at `path`: 200 with its bytes, 304 if the browser has them, 404 if there is none.
pub fn asset(path: &str, accept_encoding: Option<&str>, if_none_match: Option<&str>) -> Response {
    let Some(file) = FILES.get(&*file_name(path)) else {
        return response(StatusCode::NOT_FOUND, Body::from("There is nothing at this address.\n"));
    };
    let packed = file.packed.as_ref().filter(|_| takes_gzip(accept_encoding.unwrap_or_default()));
    let form = packed.unwrap_or(&file.plain);
    let known = if_none_match.is_some_and(|tags| lists_tag(tags, &form.tag));
    let mut answer = match known {
        true => response(StatusCode::NOT_MODIFIED, Body::empty()),
        false => response(StatusCode::OK, Body::from(form.bytes)),
    };
    let headers = answer.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(file.keep));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&form.tag) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(policy) = file.policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    }
    if !known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.kind));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(form.bytes.len()));
        if packed.is_some() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    answer
}

/// A response with the security headers of all pages: no content sniffing, no referrer to and no use by other origins.
fn response(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if status == StatusCode::NOT_MODIFIED {
        headers.remove(header::CONTENT_TYPE);
    }
    response
}

// === which file ===

fn file_name(path: &str) -> Cow<'_, str> {
    let name = path.trim_start_matches('/');
    match name.split('/').next() {
        Some("" | "index.html") => "index.html".into(),
        Some("graphiql") => "graphiql.html".into(),
        Some("docs") => match name.trim_end_matches('/') {
            "docs" => "docs/index.html".into(),
            page if page.contains('.') => page.into(),
            page => format!("{page}.html").into(),
        },
        Some(first) if SCREENS.contains(&first) => "index.html".into(),
        _ => name.into(),
    }
}

fn collect(dir: &'static Dir<'static>, files: &mut HashMap<&'static str, File>) {
    for file in dir.files() {
        let Some(name) = file.path().to_str().filter(|name| !name.ends_with(".gz")) else { continue };
        let packed = DIST.get_file(format!("{name}.gz")).map(|packed| form(packed.contents()));
        let keep = if name.starts_with("assets/") { KEEP } else { ASK };
        let policy = match name {
            "graphiql.html" => Some(POLICY_GRAPHIQL),
            _ => name.ends_with(".html").then_some(POLICY),
        };
        files.insert(name, File { kind: kind(name), keep, policy, plain: form(file.contents()), packed });
    }
    dir.dirs().for_each(|dir| collect(dir, files));
}

fn form(bytes: &'static [u8]) -> Form {
    let digest = Sha256::digest(bytes);
    let half: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Form { bytes, tag: format!("\"{half}\"") }
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

// === what the browser says ===

/// Parses `Accept-Encoding`, such as `gzip, br;q=0.5`: true if gzip, or `*`, has a weight above zero.
fn takes_gzip(accept: &str) -> bool {
    let weight = |wanted: &[&str]| {
        accept.split(',').find_map(|choice| {
            let (coding, parameter) = choice.split_once(';').unwrap_or((choice, ""));
            let named = wanted.iter().any(|name| coding.trim().eq_ignore_ascii_case(name));
            let weight = parameter.trim().trim_start_matches(['q', 'Q']).trim_start_matches('=');
            named.then(|| weight.parse::<f32>().unwrap_or(1.0))
        })
    };
    weight(&["gzip", "x-gzip"]).or_else(|| weight(&["*"])).is_some_and(|weight| weight > 0.0)
}

/// Parses `If-None-Match`, such as `"a", W/"b"` or `*`. Weak and strong tags are compared alike, as HTTP says for this header.
fn lists_tag(tags: &str, tag: &str) -> bool {
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests;
