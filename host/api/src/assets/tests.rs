use std::io::Read;

use axum::body::to_bytes;
use flate2::read::GzDecoder;

use super::*;

fn header(response: &Response, name: HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn body(response: Response) -> Vec<u8> {
    to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}

fn named(end: &str) -> &'static str {
    FILES.keys().find(|name| name.starts_with("assets/") && name.ends_with(end)).unwrap()
}

#[tokio::test]
async fn every_file_is_served_plain_and_packed_with_the_same_content() {
    assert!(FILES.len() > 5, "{:?}", FILES.keys());
    let mut packed = 0;
    for name in FILES.keys() {
        let plain = asset(&format!("/{name}"), None, None);
        assert_eq!(plain.status(), StatusCode::OK, "{name}");
        assert_ne!(header(&plain, header::CONTENT_TYPE), "application/octet-stream", "{name} has no type");
        assert_eq!(header(&plain, header::CONTENT_ENCODING), "");
        assert_eq!(header(&plain, header::VARY), "accept-encoding");
        let answer = asset(&format!("/{name}"), Some("gzip, deflate, br"), None);
        let (tag, packed_tag) = (header(&plain, header::ETAG).to_owned(), header(&answer, header::ETAG).to_owned());
        let plain = body(plain).await;
        assert!(!plain.is_empty(), "{name}");
        if header(&answer, header::CONTENT_ENCODING) == "gzip" {
            packed += 1;
            assert_ne!(tag, packed_tag, "two sequences of bytes need two tags: {name}");
            let length = header(&answer, header::CONTENT_LENGTH).to_owned();
            let bytes = body(answer).await;
            assert_eq!(length, bytes.len().to_string());
            let mut unpacked = Vec::new();
            GzDecoder::new(&*bytes).read_to_end(&mut unpacked).unwrap();
            assert_eq!(unpacked, plain, "{name}");
        }
    }
    assert!(packed > 0, "nothing is compressed");
}

#[test]
fn what_is_kept_for_ever_has_a_hash_in_its_name() {
    for (name, file) in FILES.iter() {
        let Some(asset) = name.strip_prefix("assets/") else {
            assert_eq!(file.keep, "no-cache", "{name}");
            continue;
        };
        assert_eq!(file.keep, "public, max-age=31536000, immutable", "{name}");
        let stem = asset.rsplit_once('.').unwrap().0;
        let hash = stem.get(stem.len().saturating_sub(8)..).unwrap();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        assert!(stem.len() > 9 && stem.as_bytes()[stem.len() - 9] == b'-' && hash.bytes().all(plain), "{name}");
    }
}

#[tokio::test]
async fn pages_answer_at_their_addresses_and_at_those_of_the_screens() {
    let page = body(asset("/", None, None)).await;
    assert!(page.starts_with(b"<!doctype html>"));
    for path in ["/index.html", "/pipelines", "/pipelines/default:show", "/sign-in", "/logs/", "//"] {
        assert_eq!(body(asset(path, None, None)).await, page, "{path}");
    }
    let graphiql = body(asset("/graphiql", None, None)).await;
    assert_ne!(graphiql, page);
    assert_eq!(body(asset("/graphiql/", None, None)).await, graphiql);
    for path in
        ["/assets", "/assets/", "/assets/../index.html", "/nothing", "/index.html.gz", "/assets/x.js", "/pipeline"]
    {
        let answer = asset(path, None, None);
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(header(&answer, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header(&answer, header::CACHE_CONTROL), "", "{path} may exist after an upgrade");
    }
}

#[test]
fn pages_forbid_what_is_not_from_here() {
    for path in ["/", "/graphiql", "/storage"] {
        let answer = asset(path, Some("gzip"), None);
        let policy = header(&answer, header::CONTENT_SECURITY_POLICY);
        for rule in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(rule), "{path}: {rule} is not in {policy}");
        }
        assert!(!policy.contains("http"), "{path}: {policy}");
        assert_eq!(policy.contains("unsafe"), path == "/graphiql", "{path}: {policy}");
        assert_eq!(header(&answer, header::REFERRER_POLICY), "same-origin");
        assert_eq!(header(&answer, header::CONTENT_TYPE), "text/html; charset=utf-8");
    }
    assert_eq!(
        header(&asset(&format!("/{}", named(".js")), None, None), header::CONTENT_TYPE),
        "text/javascript; charset=utf-8"
    );
}

/// What the policy forbids must not be in the pages, or they would come up without style or life.
#[tokio::test]
async fn pages_have_nothing_inline_and_nothing_from_elsewhere() {
    for path in ["/", "/graphiql"] {
        let page = String::from_utf8(body(asset(path, None, None)).await).unwrap();
        assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="), "{page}");
        assert!(!page.contains("://"), "{page}");
        for script in page.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains("src=\"/assets/"), "{script}");
        }
    }
}

#[test]
fn a_known_tag_is_answered_without_the_content() {
    // Large enough to be packed, and asked about each time.
    let path = "/licences.txt";
    let first = asset(path, Some("gzip"), None);
    assert_eq!(header(&first, header::CONTENT_ENCODING), "gzip");
    let tag = header(&first, header::ETAG).to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let again = asset(path, Some("gzip"), Some(&known));
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(header(&again, header::ETAG), tag);
        assert_eq!(header(&again, header::CACHE_CONTROL), "no-cache");
        assert_eq!(header(&again, header::CONTENT_TYPE), "");
    }
    assert_eq!(asset(path, Some("gzip"), Some("\"other\"")).status(), StatusCode::OK);
    assert_eq!(asset(path, None, Some(&tag)).status(), StatusCode::OK, "the plain bytes have another tag");
}

#[test]
fn gzip_is_sent_to_those_who_take_it() {
    for accept in ["gzip", "deflate, gzip;q=0.5", "GZIP", "*", "br, *;q=0.1", "gzip ; q=1.0", "x-gzip"] {
        assert!(takes_gzip(accept), "{accept}");
    }
    for accept in ["", "identity", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "notgzip"] {
        assert!(!takes_gzip(accept), "{accept}");
    }
}

#[tokio::test]
async fn head_has_the_headers_and_no_body_and_other_methods_are_refused() {
    let ask = |method: Method| serve(method, Uri::from_static("/graphiql?query=x"), HeaderMap::new());
    let (get, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
    assert_eq!(get.status(), StatusCode::OK);
    assert_eq!(head.headers(), get.headers());
    assert_eq!(header(&head, header::CONTENT_LENGTH), body(get).await.len().to_string());
    assert!(body(head).await.is_empty());
    let post = ask(Method::POST).await;
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(&post, header::ALLOW), "GET, HEAD");
}

#[tokio::test]
async fn the_documentation_is_served_with_the_pages() {
    for (path, words) in [("/docs", "Documentation"), ("/docs/", "Documentation"), ("/docs/api", "GraphQL")] {
        let page = asset(path, None, None);
        assert_eq!((page.status(), header(&page, header::CONTENT_TYPE)), (StatusCode::OK, "text/html; charset=utf-8"));
        assert!(header(&page, header::CONTENT_SECURITY_POLICY).contains("script-src 'self'"), "{path}");
        assert!(String::from_utf8(body(page).await).unwrap().contains(words), "{path}");
    }
    assert_eq!(header(&asset("/docs/ui.png", None, None), header::CONTENT_TYPE), "image/png");
    assert_eq!(asset("/docs/nothing", None, None).status(), StatusCode::NOT_FOUND);
}
