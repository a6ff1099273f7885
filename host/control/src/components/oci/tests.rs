use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

use super::*;
use crate::hidden::Hidden;
use outboard_net::{Policy, Resolver};

/// A registry that answers whatever a test wants.
struct Fake {
    address: SocketAddr,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Fake {
    /// The answer to a path (without `/v2/cuts/`) and headers.
    async fn start(answer: impl Fn(&str, &HeaderMap) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        let router = Router::new().fallback(move |request: Request| {
            let path = request.uri().path_and_query().map_or("", |path| path.as_str());
            let answered = answer(path.strip_prefix("/v2/cuts/").unwrap_or(path), request.headers());
            async move { answered }
        });
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, serving }
    }

    /// One that has a component with this manifest.
    async fn having(manifest: Value, file: &'static [u8]) -> (Self, String) {
        let manifest = manifest.to_string();
        let digest = sha256(manifest.as_bytes());
        let fake = Self::start(move |path, _| match path.split_once('/') {
            Some(("manifests", _)) => manifest.clone().into_response(),
            _ => file.into_response(),
        });
        (fake.await, digest)
    }

    fn wanted(&self, digest: &str) -> OciPull {
        wanted(&self.address.to_string(), digest)
    }

    async fn pull(&self, digest: &str) -> Result<Pulled, OciError> {
        pull(&Guard::open(), &self.wanted(digest), quick()).await
    }
}

const FILE: &[u8] = b"\0asm not really";

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", stage::Digest::of(bytes))
}

fn wanted(registry: &str, digest: &str) -> OciPull {
    let reference = Reference::parse(&format!("oci://{registry}/cuts@{digest}")).unwrap();
    OciPull { reference, credentials: None, insecure: true }
}

fn me(mut wanted: OciPull) -> OciPull {
    wanted.credentials = Some(Credentials { username: "me".into(), password: Hidden::new("hunter2".into()) });
    wanted
}

/// Nothing here is far away.
fn quick() -> Bounds {
    let idle = Duration::from_secs(2);
    Bounds { connect: Duration::from_secs(30), idle, whole: Duration::from_secs(60), bytes: 1000 }
}

fn manifest() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": CONFIG, "digest": sha256(b"{}"), "size": 2 },
        "layers": [{
            "mediaType": LAYER, "digest": sha256(FILE), "size": FILE.len(), "annotations": { SIGNATURE: "c2lnbmVk" },
        }],
    })
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut manifest = manifest();
    *manifest.pointer_mut(pointer).unwrap() = value;
    manifest
}

#[tokio::test]
async fn a_component_is_what_its_digest_says() {
    let (fake, digest) = Fake::having(manifest(), FILE).await;
    let pulled = fake.pull(&digest).await.unwrap();
    assert_eq!(pulled, Pulled { bytes: Bytes::from_static(FILE), signature: Some("c2lnbmVk".to_owned()) });
}

#[tokio::test]
async fn a_registry_that_lies_is_refused() {
    let (fake, _) = Fake::having(manifest(), FILE).await;
    let error = fake.pull(&sha256(b"another")).await.unwrap_err();
    assert!(matches!(error, OciError::Digest { what: "manifest", .. }), "{error}");
    assert!(error.to_string().contains(&sha256(b"another")), "{error}");
    for file in [&b"\0asm not it at."[..], b"\0asm"] {
        let (fake, digest) = Fake::having(manifest(), file).await;
        let error = fake.pull(&digest).await.unwrap_err();
        assert!(matches!(error, OciError::Digest { what: "component", .. }) && !error.passes(), "{error}");
    }
    // More than it said.
    let (fake, digest) = Fake::having(manifest(), b"\0asm not really, and more").await;
    let error = fake.pull(&digest).await.unwrap_err();
    assert!(matches!(error, OciError::Long { most: 15, .. }), "{error}");
}

#[tokio::test]
async fn what_is_no_component_is_told_by_what_is_wrong() {
    let layer = manifest()["layers"][0].clone();
    for (manifest, says) in [
        (json!({ "schemaVersion": 2, "manifests": [] }), "is an index of several images"),
        (json!([]), "is not an OCI image manifest"),
        (changed("/config/mediaType", json!("application/vnd.oci.image.config.v1+json")), CONFIG),
        (changed("/layers/0/mediaType", json!("application/vnd.oci.image.layer.v1.tar+gzip")), LAYER),
        (changed("/layers", json!([])), "has 0 layers"),
        (changed("/layers", json!([layer, layer])), "has 2 layers"),
        (changed("/layers/0/digest", json!(format!("sha512:{}", "0".repeat(128)))), "expected sha256"),
        (changed("/layers/0/digest", json!("nonsense")), "is not an OCI image manifest"),
        (changed("/layers/0/size", json!(1001)), "the limit is 1000"),
    ] {
        let (fake, digest) = Fake::having(manifest, FILE).await;
        let error = fake.pull(&digest).await.unwrap_err();
        assert!(matches!(error, OciError::Layout(_)) && error.to_string().contains(says), "{says}: {error}");
    }
}

#[tokio::test]
async fn a_registry_that_is_broken_is_told_from_one_that_has_nothing() {
    let any = sha256(b"any");
    for (status, passes) in [(500, true), (503, true), (429, true), (404, false), (418, false), (204, false)] {
        let fake = Fake::start(move |_, _| StatusCode::from_u16(status).unwrap().into_response()).await;
        let error = fake.pull(&any).await.unwrap_err();
        assert!(matches!(error, OciError::Status { .. }) && error.passes() == passes, "{error}");
        assert!(error.to_string().contains(&format!("answers {status}")), "{error}");
    }
    // Bound, so that nobody else gets the port, and not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let gone = nobody.local_addr().unwrap().to_string();
    let error = pull(&Guard::open(), &wanted(&gone, &any), quick()).await.unwrap_err();
    assert!(error.passes() && error.to_string().contains(&format!("{gone} cannot be reached")), "{error}");
    // TLS is asked for unless told otherwise.
    let (fake, digest) = Fake::having(manifest(), FILE).await;
    let secure = OciPull { insecure: false, ..fake.wanted(&digest) };
    let error = pull(&Guard::open(), &secure, quick()).await.unwrap_err();
    assert!(matches!(error, OciError::Down { .. }), "{error}");
}

#[tokio::test]
async fn nobody_waits_for_a_registry_for_ever() {
    let any = sha256(b"any");
    let drip = || {
        let drips = futures_util::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, std::io::Error>("{"), ()))
        });
        Body::from_stream(drips).into_response()
    };
    // A connection is taken, and then nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let began = Instant::now();
    let at = silent.local_addr().unwrap().to_string();
    let error = pull(&Guard::open(), &wanted(&at, &any), quick()).await.unwrap_err();
    assert!(error.passes() && began.elapsed() < quick().whole, "{error}");
    // Always a little more.
    let fake = Fake::start(move |_, _| drip()).await;
    let bounds = Bounds { whole: Duration::from_millis(700), ..quick() };
    let error = pull(&Guard::open(), &fake.wanted(&any), bounds).await.unwrap_err();
    assert!(matches!(error, OciError::Slow { .. }) && error.passes(), "{error}");
    // Without an end, and fast.
    let endless =
        || Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>([b' '; 8192].to_vec())));
    let fake = Fake::start(move |_, _| endless().into_response()).await;
    let error = fake.pull(&any).await.unwrap_err();
    assert!(matches!(error, OciError::Long { most: OCI_MANIFEST_BYTES_MAX, .. }), "{error}");
}

/// A registry that asks for `me` and `hunter2`; `challenge` in place of its own, where it has its token from.
async fn guarded(challenge: Option<String>) -> (Fake, String) {
    let manifest = manifest().to_string();
    let digest = sha256(manifest.as_bytes());
    let fake = Fake::start(move |path, headers| {
        let basic = format!("Basic {}", STANDARD.encode("me:hunter2"));
        let told = |value: &str| headers.get("authorization").is_some_and(|header| header == value);
        if path.starts_with("/token") {
            assert_eq!(path, "/token?scope=repository%3Acuts%3Apull&service=cuts.test");
            return match told(&basic) {
                true => json!({ "token": "let-me-in" }).to_string().into_response(),
                false => StatusCode::UNAUTHORIZED.into_response(),
            };
        }
        let let_in = if challenge.is_some() { told("Bearer let-me-in") } else { told(&basic) };
        let challenge = challenge.clone().unwrap_or_else(|| "Basic realm=\"cuts\"".to_owned());
        match (let_in, path.split_once('/')) {
            (false, _) => (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]).into_response(),
            (true, Some(("manifests", _))) => manifest.clone().into_response(),
            (true, _) => FILE.into_response(),
        }
    });
    (fake.await, digest)
}

fn bearer(realm: &str) -> Option<String> {
    Some(format!("Bearer realm=\"{realm}\",service=\"cuts.test\",scope=\"repository:cuts:pull\""))
}

#[tokio::test]
async fn a_password_opens_the_registry_and_is_never_shown() {
    let (basic, digest) = guarded(None).await;
    let (gatekeeper, _) = guarded(None).await;
    let (token, _) = guarded(bearer(&format!("http://{}/token", gatekeeper.address))).await;
    for fake in [&basic, &token] {
        let wanted = me(fake.wanted(&digest));
        assert!(!format!("{wanted:?}").contains("hunter2"));
        assert_eq!(pull(&Guard::open(), &wanted, quick()).await.unwrap().bytes, FILE);
        let error = fake.pull(&digest).await.unwrap_err();
        assert!(matches!(error, OciError::Auth(_)), "{error}");
        let mut other = wanted.clone();
        other.credentials.as_mut().unwrap().password = Hidden::new("hunter3".to_owned());
        let error = pull(&Guard::open(), &other, quick()).await.unwrap_err();
        assert!(matches!(error, OciError::Auth(_)) && !error.to_string().contains("hunter3"), "{error}");
    }
}

#[tokio::test]
async fn a_password_goes_where_nobody_reads_along() {
    let named = Guard::open().with_resolver(Arc::new(Everywhere));
    let (fake, digest) = guarded(None).await;
    let by_name = me(wanted(&format!("cuts.test:{}", fake.address.port()), &digest));
    let error = pull(&named, &by_name, quick()).await.unwrap_err();
    assert!(error.to_string().contains("without TLS"), "{error}");
    let (fake, digest) = guarded(bearer("http://tokens.test/token")).await;
    let error = pull(&named, &me(fake.wanted(&digest)), quick()).await.unwrap_err();
    assert!(error.to_string().contains("without TLS"), "{error}");
    for (challenge, says) in [
        (Some("Bearer service=\"x\"".to_owned()), "has no valid address"),
        (bearer("file:///etc/passwd"), "has no valid address"),
        (bearer("ftp://a.test/"), "not reached by https"),
        (Some("Negotiate".to_owned()), "expected Basic or Bearer"),
    ] {
        let (fake, digest) = guarded(challenge).await;
        let error = fake.pull(&digest).await.unwrap_err();
        assert!(matches!(error, OciError::Auth(_)) && error.to_string().contains(says), "{says}: {error}");
    }
}

/// Every name is this machine.
#[derive(Debug)]
struct Everywhere;

impl Resolver for Everywhere {
    fn lookup(&self, _host: &str, port: u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) }.boxed()
    }
}

#[tokio::test]
async fn what_may_not_be_reached_is_not_reached_by_way_of_a_registry() {
    let denied = |result: Result<Pulled, OciError>, rule: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, OciError::Denied(_)) && error.to_string().contains(rule), "{rule}: {error}");
    };
    let (fake, digest) = Fake::having(manifest(), FILE).await;
    let strict = Guard::new(Policy::strict()).unwrap();
    denied(pull(&strict, &fake.wanted(&digest), quick()).await, "127.0.0.1");
    // A name that leads there.
    let named = strict.with_resolver(Arc::new(Everywhere));
    denied(pull(&named, &wanted("cuts.test:5000", &digest), quick()).await, "cuts.test");
    // A redirect and a gatekeeper that lead elsewhere than the registry itself.
    let policy = Policy { deny_ranges: vec!["127.0.0.2".to_owned()], ..Policy::open() };
    let guard = Guard::new(policy).unwrap();
    let elsewhere =
        Fake::start(|_, _| (StatusCode::TEMPORARY_REDIRECT, [("location", "http://127.0.0.2:1/blob")]).into_response());
    denied(pull(&guard, &elsewhere.await.wanted(&digest), quick()).await, "127.0.0.2");
    let (fake, digest) = guarded(bearer("http://127.0.0.2:1/token")).await;
    denied(pull(&guard, &fake.wanted(&digest), quick()).await, "127.0.0.2");
}
