//! Sources that cannot start report why; the results of dry runs.

use outboard::pipeline::source::{FetchError, PlaylistError, probe};

use super::*;

#[tokio::test]
async fn a_playlist_that_is_not_there() {
    let origin = Origin::start().await;
    let error = Run::start(origin.url("/none.m3u8?token=secret")).error().await;
    assert!(matches!(error, SourceError::Unreachable { tries: 3, cause: FetchError::Status(404), .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("/none.m3u8?token=***") && text.contains("404") && !text.contains("secret"), "{text}");
    assert_eq!(origin.asked("/none.m3u8").len(), 3);
}

#[tokio::test]
async fn faults_before_the_start_use_four_tries() {
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", Reply::status(503));
    let error = Run::start(origin.url("/x.m3u8")).error().await;
    assert!(matches!(error, SourceError::Unreachable { tries: 4, cause: FetchError::Status(503), .. }), "{error:?}");
    let faults = [Reply::status(503), "<html>".into(), Reply::from(ended(0, "a")).cut_to(9), ended(0, "a").into()];
    origin.script("/x.m3u8", faults);
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a", "ended"]);
}

#[tokio::test]
async fn nobody_listens() {
    // Bound, so that no other process gets the port, but not listening.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/x.m3u8", nobody.local_addr().unwrap()).parse().unwrap();
    let error = Run::start(url).error().await;
    assert!(matches!(error, SourceError::Unreachable { cause: FetchError::Transport(_), .. }), "{error:?}");
    assert!(error.to_string().contains("cannot connect"), "{error}");
}

#[tokio::test]
async fn what_is_no_playlist_is_named() {
    let origin = Origin::start().await;
    for (body, words) in [
        ("<html>Sign in</html>", "a web page (HTML)"),
        ("{}", "JSON"),
        ("#EXTM3U\n#EXT-X-I-FRAMES-ONLY\n#EXTINF:1,\na.ts\n", "I-frame playlist"),
        ("#EXTM3U\n#EXTINF:1,\nftp://host/a.ts\n", "'ftp:' is not an http(s) address"),
        ("#EXTM3U\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\"\n", "without a usable variant"),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n", "another master playlist"),
    ] {
        origin.put("/x.m3u8", body);
        let error = Run::start(origin.url("/x.m3u8")).error().await;
        assert!(matches!(error, SourceError::Playlist { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn too_large_a_playlist() {
    let origin = Origin::start().await;
    let text = format!("#EXTM3U\n{}", "#".repeat(4 * 1024 * 1024));
    for reply in [Reply::from(text.clone()), Reply::from(text.clone()).chunked(), Reply::from(text).gzip()] {
        origin.put("/x.m3u8", reply);
        let error = Run::start(origin.url("/x.m3u8")).error().await;
        assert!(
            matches!(error, SourceError::Unreachable { cause: FetchError::TooLarge { .. }, tries: 1, .. }),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_hanging_server() {
    let origin = Origin::start().await;
    let never = outboard_tests::origin::Gate::closed();
    origin.put("/x.m3u8", Reply::from(ended(0, "a")).behind(&never));
    let run = Run::with(origin.url("/x.m3u8"), |config| {
        config.bounds.playlist.first_byte = Duration::from_millis(50);
        config.bounds.playlist.tries = 2;
    });
    let error = run.error().await;
    assert!(matches!(error, SourceError::Unreachable { cause: FetchError::FirstByte(_), tries: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn configurations_that_cannot_work() {
    let scheme = Run::start("file:///etc/passwd".parse().unwrap()).error().await;
    assert!(matches!(&scheme, SourceError::Scheme { scheme, .. } if scheme == "file"), "{scheme:?}");
    let origin = Origin::start().await;
    let header = Run::with(origin.url("/x.m3u8"), |config| config.headers = vec![("a b".into(), "secret".into())]);
    let header = header.error().await;
    assert!(matches!(&header, SourceError::Header { name } if name == "a b") && !header.to_string().contains("secret"));
    let place = Run::with(origin.url("/x.m3u8"), |config| config.dir = "/proc/none/here".into()).error().await;
    assert!(matches!(&place, SourceError::Directory { .. }), "{place:?}");
    assert!(origin.log().is_empty(), "nothing was asked for");
}

#[tokio::test]
async fn no_variant_fits() {
    let origin = Origin::start().await;
    origin.put("/m.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=5000,RESOLUTION=1920x1080\nx.m3u8\n");
    let run = Run::with(origin.url("/m.m3u8"), |config| config.variant.resolution = Some((640, 360)));
    let error = run.error().await;
    assert!(matches!(error, SourceError::NoVariant { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("resolution 640x360") && text.contains("1920x1080 5000 b/s"), "{text}");
}

#[tokio::test]
async fn the_backup_starts_where_the_first_url_cannot() {
    let origin = origin_with("a").await;
    origin.put("/backup.m3u8", ended(0, "a"));
    let backup = |path: &str| Some(origin.url(path));
    let run = Run::with(origin.url("/gone.m3u8"), |config| config.backup_url = backup("/backup.m3u8"));
    assert_eq!(run.all().await, ["failover backup.m3u8", "0 a", "ended"]);
    let run = Run::with(origin.url("/gone.m3u8"), |config| config.backup_url = backup("/gone-too.m3u8"));
    assert!(run.error().await.to_string().contains("/gone.m3u8"), "the first URL is the one to mend");
}

#[tokio::test]
async fn odd_playlists_start_with_a_warning() {
    let origin = origin_with("a").await;
    origin.put("/x.m3u8", ended(0, "#EXT-X-PROGRAM-DATE-TIME:yesterday a"));
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    assert_eq!(told, ["warning line 4: programme date-time 'yesterday' cannot be read", "0 a", "ended"]);
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_done() {
    let origin = Origin::start().await;
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=3000,RESOLUTION=1280x720\nx.m3u8\n";
    origin.put("/m.m3u8", master).put("/x.m3u8", live(0, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\" a b"));
    let (config, _temp) = config(origin.url("/m.m3u8"));
    let report = probe(&config).await.unwrap();
    assert_eq!(report.chosen.as_deref(), Some("1280x720 3000 b/s"));
    assert_eq!(report.variants, ["800 b/s", "1280x720 3000 b/s"]);
    assert!(report.encrypted && !report.mapped && report.started.live);
    assert_eq!((report.segments, report.listed), (2, Duration::from_millis(400)));
    assert!(!config.dir.exists() && origin.log().len() == 2, "no media, no file");
    origin.put("/x.m3u8", live(0, "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\" a"));
    assert!(matches!(probe(&config).await, Err(SourceError::Encrypted { .. })));
    origin.put("/m.m3u8", "#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:7\na.ts\n");
    let error = probe(&config).await.unwrap_err();
    assert!(
        matches!(error, SourceError::Playlist { cause: PlaylistError::ByteRange { line: 3, .. }, .. }),
        "{error:?}"
    );
}
