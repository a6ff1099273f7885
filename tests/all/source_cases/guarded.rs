//! Addresses that a guard denies are not reached: not by the configured URL, not by redirects, not by anything in a
//! playlist. Each forbidden address counts connections.

use outboard::net::Denied;
use outboard::pipeline::source::probe;
use outboard_tests::door::{CountingListener, strict};
use outboard_tests::origin::aac;

use super::*;

fn guarded(url: Url) -> Run {
    Run::with(url, |config| config.guard = strict())
}

/// The same place, written in each possible way.
fn ways(four: &CountingListener, six: &CountingListener, path: &str) -> Vec<String> {
    let (port, six) = (four.port(), six.port());
    let hosts = ["127.0.0.2", "inner.test", "0x7f.2", "2130706434", "[::ffff:127.0.0.2]", "user:SECRET@127.0.0.2"];
    let mut ways: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{port}{path}?token=SECRET")).collect();
    ways.extend(["[::1]", "six.test"].map(|host| format!("http://{host}:{six}{path}?token=SECRET")));
    ways
}

async fn doors() -> (CountingListener, CountingListener) {
    (CountingListener::at("127.0.0.2").await, CountingListener::at("::1").await)
}

async fn nobody_came(four: &CountingListener, six: &CountingListener) {
    assert_eq!((four.came().await.0, six.came().await.0), (0, 0));
}

fn is_denial(error: &SourceError) {
    let cause: &SourceError = if let SourceError::Rendition { cause, .. } = error { cause } else { error };
    assert!(matches!(cause, SourceError::Denied { cause: Denied::Private { .. }, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("a loopback address") && !text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn the_configured_url() {
    let (four, six) = doors().await;
    for way in ways(&four, &six, "/x.m3u8") {
        is_denial(&guarded(way.parse().unwrap()).error().await);
        let (mut config, _temp) = config(way.parse().unwrap());
        config.guard = strict();
        is_denial(&probe(&config).await.unwrap_err());
    }
    nobody_came(&four, &six).await;
    // The address works: a source with permission reaches it.
    let error = Run::start(format!("http://127.0.0.2:{}/x.m3u8", four.port()).parse().unwrap()).error().await;
    assert!(matches!(error, SourceError::Playlist { .. }), "{error:?}");
    assert!(four.came().await.0 > 0);
}

#[tokio::test]
async fn what_is_allowed_is_played_by_name_and_by_address() {
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", ended(0, "a"));
    let mut url = origin.url("/x.m3u8");
    assert_eq!(guarded(url.clone()).all().await, ["0 a", "ended"]);
    url.set_host(Some("programme.test")).unwrap();
    assert_eq!(guarded(url).all().await, ["0 a", "ended"]);
    assert!(origin.asked("/a.ts")[1].header("host").starts_with("programme.test:"));
}

#[tokio::test]
async fn redirects() {
    let (four, six) = doors().await;
    let origin = Origin::start().await;
    for way in ways(&four, &six, "/x.m3u8") {
        origin.put("/far.m3u8", Reply::redirect(&way)).put("/x.m3u8", Reply::redirect("/far.m3u8"));
        is_denial(&guarded(origin.url("/x.m3u8")).error().await);
    }
    origin.put("/x.m3u8", Reply::redirect("file:///etc/passwd"));
    let error = guarded(origin.url("/x.m3u8")).error().await;
    assert!(!error.to_string().contains("root"), "{error}");
    nobody_came(&four, &six).await;
}

#[tokio::test]
async fn variants_and_renditions() {
    let (four, six) = doors().await;
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", ended(0, "a"));
    for way in ways(&four, &six, "/v.m3u8") {
        origin.put("/m.m3u8", format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{way}\n"));
        is_denial(&guarded(origin.url("/m.m3u8")).error().await);
        let media = format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",DEFAULT=YES,URI=\"{way}\"");
        let master = format!("#EXTM3U\n{media}\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nx.m3u8\n");
        origin.put("/m.m3u8", master);
        is_denial(&guarded(origin.url("/m.m3u8")).error().await);
    }
    nobody_came(&four, &six).await;
}

#[tokio::test]
async fn segments_keys_and_sections() {
    let (four, six) = doors().await;
    let origin = origin_with("a b").await;
    for way in ways(&four, &six, "/s") {
        let line = |tag: &str| format!("#EXTM3U\n#EXTINF:1,\na.ts\n{tag}\n#EXT-X-ENDLIST\n");
        for playlist in [
            line(&format!("#EXTINF:1,\n{way}")),
            line(&format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{way}\"\n#EXTINF:1,\nb.ts")),
            line(&format!("#EXT-X-MAP:URI=\"{way}\"\n#EXTINF:1,\nb.ts")),
        ] {
            origin.put("/x.m3u8", playlist.clone());
            let told = guarded(origin.url("/x.m3u8")).all().await;
            assert_eq!(told, ["0 a", "gap main 1 given up", "ended"], "{playlist}");
        }
        // The redirect of a segment, too.
        origin.put("/moved.ts", Reply::redirect(&way)).put("/x.m3u8", ended(0, "a moved"));
        assert_eq!(guarded(origin.url("/x.m3u8")).all().await, ["0 a", "gap main 1 given up", "ended"], "{way}");
    }
    nobody_came(&four, &six).await;
    assert_eq!(origin.asked("/moved.ts").len(), ways(&four, &six, "/").len(), "one try each");
}

#[tokio::test]
async fn sound_of_its_own() {
    let (four, six) = doors().await;
    let origin = origin_with("a b").await;
    let master = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",DEFAULT=YES,URI=\"s.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nx.m3u8\n";
    origin.put("/m.m3u8", master).put("/x.m3u8", ended(0, "a b")).put("/s.aac", Reply::ok(aac("s")));
    let way = format!("http://inner.test:{}/s.aac", four.port());
    origin.put("/s.m3u8", format!("#EXTM3U\n#EXTINF:0.2,\ns.aac\n#EXTINF:0.2,\n{way}\n#EXT-X-ENDLIST\n"));
    let told = guarded(origin.url("/m.m3u8")).all().await;
    assert!(told.contains(&"gap audio 1 given up".to_owned()), "{told:?}");
    nobody_came(&four, &six).await;
}

#[tokio::test]
async fn files_in_playlists() {
    let origin = origin_with("a").await;
    for body in [
        "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n".to_owned(),
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile:///etc/passwd\n".to_owned(),
        ended(0, "#EXT-X-KEY:METHOD=AES-128,URI=\"file:///etc/passwd\" a"),
        ended(0, "#EXT-X-MAP:URI=\"file:///etc/passwd\" a"),
    ] {
        origin.put("/x.m3u8", body.clone());
        let error = guarded(origin.url("/x.m3u8")).error().await;
        assert!(matches!(error, SourceError::Playlist { .. }), "{body}: {error:?}");
    }
}

#[tokio::test]
async fn the_backup() {
    let (four, six) = doors().await;
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", ended(0, "a"));
    let inner: Url = format!("http://inner.test:{}/x.m3u8", four.port()).parse().unwrap();
    // A forbidden backup does not help, and the error is that of the first URL.
    let run = Run::with(origin.url("/gone.m3u8"), |config| {
        (config.guard, config.backup_url) = (strict(), Some(inner.clone()));
    });
    assert!(matches!(run.error().await, SourceError::Unreachable { .. }));
    // An allowed backup replaces a forbidden first URL.
    let run = Run::with(inner, |config| (config.guard, config.backup_url) = (strict(), Some(origin.url("/x.m3u8"))));
    assert_eq!(run.all().await, ["failover x.m3u8", "0 a", "ended"]);
    nobody_came(&four, &six).await;
}

#[tokio::test]
async fn a_name_that_moves_to_a_forbidden_address() {
    let (four, six) = doors().await;
    let origin = origin_with("a").await;
    // The response closes its connection, so that the segment needs another lookup.
    origin.put("/x.m3u8", Reply::from(ended(0, "a")).header("connection", "close"));
    let mut url = origin.url("/x.m3u8");
    url.set_host(Some("rebind.test")).unwrap();
    assert_eq!(guarded(url).all().await, ["gap main 1 given up", "ended"]);
    assert!(origin.asked("/a.ts").is_empty());
    nobody_came(&four, &six).await;
}
