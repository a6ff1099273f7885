//! A dry run and a run of the same settings agree: if a check fails, the run does not go on air; if all are `ok`, it
//! does. A problem reported as temporary is one that may end on its own.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use outboard::control::dry_run::{Check, dry_run};
use outboard::limits::PLAYLIST_BYTES_MAX;
use outboard::net::{Guard, Policy};
use outboard::pipeline::{Host, Owner, Pipeline, Stop};
use outboard::settings::{Destination, Settings};
use outboard_tests::media::ffmpeg;
use outboard_tests::origin::{Origin, Reply};
use tokio::time::timeout;

/// Longer than any of these runs takes.
const SOON: Duration = Duration::from_secs(60);
const KEY: [u8; 16] = *b"the key of these";

/// A source, and the expected result.
struct Case {
    name: &'static str,
    path: &'static str,
    guard: Guard,
    /// `None`: it goes on air. Otherwise the check that fails, whether the problem is temporary, and words of its
    /// message.
    fails: Option<(&'static str, bool, &'static str)>,
}

fn case(name: &'static str, path: &'static str, fails: Option<(&'static str, bool, &'static str)>) -> Case {
    Case { name, path, guard: Guard::default(), fails }
}

/// Two seconds of media with this encoding.
fn make(dir: &Path, name: &str, coding: &str) -> Vec<u8> {
    let file = dir.join(name).display().to_string();
    let input = "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=r=48000:d=2";
    let words: Vec<&str> = input.split(' ').chain(coding.split(' ')).chain(["-f", "mpegts", &file]).collect();
    ffmpeg(&words);
    std::fs::read(file).unwrap()
}

fn list(words: &str) -> String {
    format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{words}\n#EXT-X-ENDLIST\n")
}

async fn origin(dir: &Path) -> Origin {
    let origin = Origin::start().await;
    let h264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    let good = make(dir, "good", &format!("{h264} -c:a aac"));
    let sealed = cbc::Encryptor::<Aes128>::new(&KEY.into(), &0_u128.to_be_bytes().into());
    let sealed = sealed.encrypt_padded_vec::<Pkcs7>(&good);
    for (name, media) in [
        ("good", good),
        ("mute", make(dir, "mute", &format!("{h264} -an"))),
        ("sound", make(dir, "sound", "-vn -c:a aac")),
        ("ac3", make(dir, "ac3", &format!("{h264} -c:a ac3"))),
        ("mpeg2", make(dir, "mpeg2", "-c:v mpeg2video -c:a aac")),
        ("sealed", sealed),
    ] {
        origin
            .put(&format!("/{name}.ts"), media)
            .put(&format!("/{name}.m3u8"), list(&format!("#EXTINF:2,\n{name}.ts")));
    }
    let master =
        |list: &str| format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS=\"avc1.42c00d,mp4a.40.2\"\n{list}\n");
    let key = |method: &str| list(&format!("#EXT-X-KEY:METHOD={method},URI=\"key\",IV=0x0\n#EXTINF:2,\nsealed.ts"));
    origin
        .put("/promise.m3u8", master("mute.m3u8"))
        .put("/kept.m3u8", master("good.m3u8"))
        .put("/key", KEY.to_vec())
        .put("/aes.m3u8", key("AES-128"))
        .put("/drm.m3u8", key("SAMPLE-AES"))
        .put("/wrong-key", vec![7; 16])
        .put("/wrong.m3u8", key("AES-128").replace("\"key\"", "\"wrong-key\""))
        .put("/absent.m3u8", Reply::status(404))
        .put("/forbidden.m3u8", Reply::status(403))
        .put("/page.m3u8", Reply::ok("<!DOCTYPE html><title>Sign in</title>"))
        .put("/empty.m3u8", list(""))
        .put("/far.m3u8", Reply::redirect("/good.m3u8"))
        .put("/gone.m3u8", list("#EXTINF:2,\nnowhere.ts"))
        .put("/text.ts", Reply::ok("<html>".repeat(300)))
        .put("/text.m3u8", list("#EXTINF:2,\ntext.ts"))
        .put("/huge.m3u8", Reply::ok("#EXTM3U\n").announce(PLAYLIST_BYTES_MAX as usize + 1));
    origin
}

#[tokio::test]
async fn the_run_does_what_the_dry_run_says() {
    let dir = tempfile::tempdir().unwrap();
    let origin = origin(dir.path()).await;
    let host = Host::open(dir.path().join("storage").as_path()).await.unwrap();
    let mut cases = vec![
        case("good", "/good.m3u8", None),
        case("kept", "/kept.m3u8", None),
        case("mute", "/mute.m3u8", None),
        case("sound", "/sound.m3u8", None),
        case("ac3", "/ac3.m3u8", None),
        case("aes", "/aes.m3u8", None),
        case("far", "/far.m3u8", None),
        case("absent", "/absent.m3u8", Some(("source.url", true, "HTTP status 404"))),
        case("forbidden", "/forbidden.m3u8", Some(("source.url", false, "HTTP status 403"))),
        case("page", "/page.m3u8", Some(("source.url", false, "a web page (HTML)"))),
        case("huge", "/huge.m3u8", Some(("source.url", false, "larger than"))),
        case("drm", "/drm.m3u8", Some(("source.url", false, "SAMPLE-AES"))),
        case("empty", "/empty.m3u8", Some(("source", true, "lists no segment"))),
        case("gone", "/gone.m3u8", Some(("source", true, "HTTP status 404"))),
        case("text", "/text.m3u8", Some(("source", false, "a web page (HTML)"))),
        case("wrong", "/wrong.m3u8", Some(("source", false, "given up"))),
        case("mpeg2", "/mpeg2.m3u8", Some(("source", false, "mpeg2video"))),
        case("promise", "/promise.m3u8", Some(("source", false, "declares audio"))),
    ];
    let denied = Some(("source.url", false, "the network policy"));
    cases.push(Case { guard: Guard::new(Policy::strict()).unwrap(), ..case("policy", "/good.m3u8", denied) });
    for Case { name, path, guard, fails } in cases {
        let air = dir.path().join(format!("{name}.flv"));
        let mut settings = Settings::default();
        settings.source.url = origin.url(path).to_string();
        settings.destinations =
            vec![Destination { url: format!("file://{}", air.display()), ..Destination::default() }];
        settings.batch_seconds = Some(2);
        let mut config = settings.check(name, host.storage()).unwrap();
        (config.speed, config.cushion) = (8.0, Some(Duration::ZERO));
        let owner = Owner { guard, ..Owner::default() };
        let found = dry_run(&host, &owner, &config, &[]).await;
        let source: Vec<&Check> = found.checks.iter().filter(|check| check.path.starts_with("source")).collect();
        match fails {
            None => assert!(found.ok && !found.temporary, "{name}: {found:#?}"),
            Some((path, temporary, words)) => {
                let failed: Vec<_> = source.iter().filter(|check| !check.ok).collect();
                assert!(failed.len() == 1 && failed[0].path == path, "{name}: {failed:#?}");
                assert!(failed[0].message.contains(words), "{name}: {failed:#?}");
                assert_eq!(failed[0].temporary, temporary, "{name}: {failed:#?}");
            }
        }
        let pipeline = Pipeline::load(&host, owner, config, None).await.unwrap();
        let ran = timeout(SOON, pipeline.run(Stop::default())).await.unwrap();
        let aired = std::fs::metadata(&air).is_ok_and(|file| file.len() > 0);
        assert_eq!(aired, fails.is_none(), "{name}: {ran:?}");
    }
}
