//! Tests that the playlist lists the existing files, and that players can play it.

use std::path::Path;
use std::process::Command;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use tempfile::TempDir;

use super::*;
use outboard_control::preview::{Aired, Empty, Media, output, playlist};
use outboard_egress::spool::{ReadyBatch, SequenceHeader, Tag, Track};
use outboard_media::demux::Codec;
use outboard_media::fmp4::head::{Head, Place};
use outboard_pipeline::remux::index::{AirIndex, Form};
use outboard_pipeline::remux::output::kept;
use outboard_pipeline::remux::testing::{Line, Media as Source, PICTURE, SOUND};
use outboard_store::files::Storage;
use outboard_store::files::{StreamFiles, names};

struct Case {
    _dir: TempDir,
    files: StreamFiles,
}

fn case() -> Case {
    let dir = tempfile::tempdir().unwrap();
    let files = Storage::open(dir.path()).unwrap().stream("default", "tv").unwrap();
    Case { _dir: dir, files }
}

impl Case {
    /// Writes a batch of fragments of 2 s, each of a key frame of 100 bytes. `discontinuity` is also in its configuration.
    fn output(&self, number: u64, sequence: u64, discontinuity: u64, fragments: usize) {
        let dir = self.files.make_batch(number).unwrap();
        let start_ms = sequence * 2000;
        let tag = |n: u64| Tag { offset: n * 100, len: 100, dts_ms: start_ms + n * 2000, composition_ms: 0, key: true };
        let body = bytes::Bytes::from(vec![0x17, 0, 0, 0, 0, discontinuity as u8]);
        let video = Track {
            path: dir.join(names::VIDEO),
            headers: vec![SequenceHeader { first: 0, codec: Codec::H264, body }],
            tags: (0..fragments as u64).map(tag).collect(),
        };
        std::fs::write(&video.path, vec![0; 100 * fragments]).unwrap();
        let end_ms = start_ms + fragments as u64 * 2000;
        let audio = Track::default();
        let ready = ReadyBatch { number, metadata: None, video, audio, start_ms, end_ms };
        let place = Some(Place { sequence, discontinuity, start_ms });
        AirIndex { ready, form: Form::default(), place }.write(&dir).unwrap();
    }

    fn head(&self, number: u64) -> Head {
        output(&self.files, number).unwrap().0.head().clone()
    }

    fn preview(&self, numbers: impl IntoIterator<Item = u64>) -> Preview {
        let aired = |number| Aired { number, on_air_ms: Some(1_700_000_000_000 + number * 4000), done: true };
        Preview {
            files: self.files.clone(),
            batches: numbers.into_iter().map(aired).collect(),
            air_ms: None,
            ended: false,
        }
    }
}

/// The rest of each line that begins with `start`.
fn lines<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(start)).collect()
}

#[test]
fn paths_are_read_strictly() {
    let batch = |number, media| Some(PreviewRequest::Batch(number, media));
    for (path, wanted) in [
        ("index.m3u8", Some(PreviewRequest::Playlist)),
        ("batch/0/original", batch(0, Media::Original)),
        ("batch/12/processed", batch(12, Media::Processed)),
        ("batch/12/output.mp4", batch(12, Media::Output)),
        ("batch/7/video", batch(7, Media::Video)),
        ("batch/7/packets.txt", None),
        ("batch/../../outboard.db", None),
        ("batch/+7/output", None),
        ("batch//output", None),
        ("batch/7/output/x", None),
        ("batch/99999999999999999999/output", None),
        ("", None),
    ] {
        assert_eq!(PreviewRequest::parse(path), wanted, "{path}");
    }
}

#[test]
fn every_fragment_is_a_segment_by_its_byte_range() {
    let case = case();
    case.output(4, 10, 1, 2);
    case.output(5, 12, 1, 1);
    let text = playlist(&case.preview([4, 5])).unwrap();
    let (first, last) = (case.head(4), case.head(5));
    assert_eq!(lines(&text, "#EXT-X-MEDIA-SEQUENCE:"), ["10"]);
    assert_eq!(lines(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:"), ["1"]);
    assert_eq!(lines(&text, "#EXT-X-TARGETDURATION:"), ["2"]);
    assert_eq!(lines(&text, "#EXTINF:"), ["2.000,"; 3]);
    let fragments = first.fragments.iter().chain(&last.fragments);
    let ranges: Vec<_> = fragments.map(|fragment| format!("{}@{}", fragment.bytes, fragment.offset)).collect();
    assert_eq!((lines(&text, "#EXT-X-BYTERANGE:"), ranges.len()), (ranges.iter().map(String::as_str).collect(), 3));
    assert!(first.fragments.iter().all(|fragment| fragment.bytes > 100), "a header and its data");
    let map = |number| format!("URI=\"batch/{number}/output.mp4\",BYTERANGE=\"{}@0\"", first.init);
    assert_eq!(lines(&text, "#EXT-X-MAP:"), [map(4)]);
    case.output(5, 12, 2, 1);
    assert_eq!(lines(&playlist(&case.preview([4, 5])).unwrap(), "#EXT-X-MAP:"), [map(4), map(5)]);
    let dates = ["2023-11-14T22:13:36Z", "2023-11-14T22:13:40Z"];
    assert_eq!(lines(&text, "#EXT-X-PROGRAM-DATE-TIME:"), dates);
    assert!(!text.contains("#EXT-X-DISCONTINUITY\n") && !text.contains("ENDLIST"));
    assert_eq!(lines(&text, "batch/"), ["4/output.mp4", "4/output.mp4", "5/output.mp4"]);
}

#[test]
fn numbers_stay_while_old_batches_leave_and_breaks_are_told() {
    let case = case();
    for number in 0..60 {
        case.output(number, number * 2, number / 20, 2);
    }
    let mut seen = std::collections::BTreeMap::new();
    for newest in 45..60 {
        let text = playlist(&case.preview(0..=newest)).unwrap();
        let mut sequence: u64 = lines(&text, "#EXT-X-MEDIA-SEQUENCE:")[0].parse().unwrap();
        let mut discontinuity: u64 = lines(&text, "#EXT-X-DISCONTINUITY-SEQUENCE:")[0].parse().unwrap();
        let mut range = "";
        for line in text.lines() {
            match line {
                "#EXT-X-DISCONTINUITY" => discontinuity += 1,
                line if line.starts_with("#EXT-X-BYTERANGE:") => range = line,
                line if line.starts_with("batch/") => {
                    let segment = (line.to_owned(), range.to_owned(), discontinuity);
                    assert_eq!(seen.entry(sequence).or_insert_with(|| segment.clone()), &segment);
                    sequence += 1;
                }
                _ => {}
            }
        }
        assert_eq!(sequence, (newest + 1) * 2);
        assert_eq!(lines(&text, "#EXTINF:").len(), 90, "three minutes");
    }
}

#[test]
fn what_is_not_on_air_yet_is_not_shown() {
    let case = case();
    case.output(0, 0, 0, 3);
    case.output(1, 3, 0, 3);
    let mut preview = case.preview([0, 1]);
    preview.batches[1].done = false;
    let shown = |air_ms| {
        let text = playlist(&Preview { air_ms: Some(air_ms), ..preview.clone() }).unwrap();
        lines(&text, "#EXTINF:").len()
    };
    assert_eq!((shown(6000), shown(7999), shown(8000), shown(60_000)), (3, 3, 4, 6));
    let text = playlist(&Preview { ended: true, air_ms: Some(0), ..preview }).unwrap();
    assert!(text.ends_with("#EXT-X-ENDLIST\n") && lines(&text, "#EXTINF:").len() == 6);
}

#[test]
fn only_files_that_are_there_are_named() {
    let case = case();
    assert_eq!(playlist(&case.preview([])), Err(Empty));
    assert_eq!(playlist(&case.preview([0, 1])), Err(Empty));
    for number in 0..4 {
        case.output(number, number * 2, 0, 2);
    }
    // A batch that could not be written used no numbers; one that was removed did.
    case.output(5, 8, 0, 2);
    let text = playlist(&case.preview(0..=5)).unwrap();
    assert_eq!((lines(&text, "#EXTINF:").len(), lines(&text, "#EXT-X-MEDIA-SEQUENCE:")), (10, vec!["0"]));
    std::fs::remove_file(case.files.batch(2).join(names::AIR_INDEX)).unwrap();
    let text = playlist(&case.preview(0..=5)).unwrap();
    assert_eq!(lines(&text, "#EXT-X-MEDIA-SEQUENCE:"), ["6"], "what lies before a hole is not shown");
    std::fs::write(case.files.batch(5).join(names::VIDEO), [0; 199]).unwrap();
    assert_eq!(lines(&playlist(&case.preview(0..=5)).unwrap(), "batch/"), ["3/output.mp4"; 2]);
}

/// Serves a preview as the API does.
async fn serve_on_loopback(preview: Preview) -> String {
    let handler = move |request: Request| {
        let preview = preview.clone();
        async move {
            let (parts, _) = request.into_parts();
            match PreviewRequest::parse(parts.uri.path().trim_start_matches("/preview/tv/")) {
                Some(wanted) => serve(preview, wanted, &parts).await,
                None => axum::response::IntoResponse::into_response(StatusCode::NOT_FOUND),
            }
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, Router::new().fallback(handler)).into_future());
    format!("http://{address}/preview/tv")
}

async fn get(url: &str, headers: &[(header::HeaderName, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    outboard_net::tls::install();
    let mut request = reqwest::Client::new().get(url);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test]
async fn kept_media_is_served_with_its_type_and_in_ranges() {
    let case = case();
    let dir = case.files.make_batch(3).unwrap();
    std::fs::write(dir.join(names::AUDIO), b"0123456789").unwrap();
    std::fs::write(dir.join("reply.wav"), b"RIFF").unwrap();
    std::fs::write(dir.join("packets.txt"), b"x").unwrap();
    let url = serve_on_loopback(case.preview([3])).await;
    let original = format!("{url}/batch/3/original");
    let (status, headers, body) = get(&original, &[]).await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, &b"0123456789"[..]));
    assert_eq!(headers[header::CONTENT_TYPE], "audio/mp4");
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    for (range, status, body) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=7-", 206, "789"),
        ("bytes=-2", 206, "89"),
        ("bytes=0-0", 206, "0"),
        ("bytes=5-100", 206, "56789"),
        ("bytes=10-", 416, ""),
        ("bytes=4-2", 416, ""),
    ] {
        let (found, headers, bytes) = get(&original, &[(header::RANGE, range)]).await;
        assert_eq!(found.as_u16(), status, "{range}");
        if status == 206 {
            assert_eq!(String::from_utf8(bytes).unwrap(), body, "{range}");
            assert!(headers[header::CONTENT_RANGE].to_str().unwrap().ends_with("/10"), "{range}");
        }
    }
    let since = headers[header::LAST_MODIFIED].to_str().unwrap();
    assert_eq!(get(&original, &[(header::IF_MODIFIED_SINCE, since)]).await.0, StatusCode::NOT_MODIFIED);
    let (_, headers, body) = get(&format!("{url}/batch/3/processed"), &[]).await;
    assert_eq!(
        (&headers[header::CONTENT_TYPE], body.as_slice()),
        (&header::HeaderValue::from_static("audio/wav"), &b"RIFF"[..])
    );
    for missing in ["batch/3/output", "batch/4/original", "batch/3/packets.txt", "index.m3u8", "batch/3/..%2fx"] {
        assert_eq!(get(&format!("{url}/{missing}"), &[]).await.0, StatusCode::NOT_FOUND, "{missing}");
    }
}

/// The output is no file: its bytes are those that the file would have, in any range.
#[tokio::test(flavor = "multi_thread")]
async fn an_output_is_served_in_ranges_without_its_file() {
    let media = Source::ts(&format!("{PICTURE}{SOUND}"));
    let case = case();
    let mut line = Line::new(case.files.clone());
    line.batch(&media.segments, false).await;
    let dir = case.files.batch(0);
    assert!(!dir.join(names::OUTPUT).exists());
    let url = format!("{}/batch/0/output.mp4", serve_on_loopback(case.preview([0])).await);
    let (status, headers, whole) = get(&url, &[]).await;
    assert_eq!((status, headers[header::CONTENT_TYPE].to_str().unwrap()), (StatusCode::OK, "video/mp4"));
    assert_eq!(headers[header::CONTENT_LENGTH].to_str().unwrap(), whole.len().to_string());
    assert_eq!(headers[header::ACCEPT_RANGES], "bytes");
    assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    kept::write(&dir).unwrap();
    assert!(whole == std::fs::read(dir.join(names::OUTPUT)).unwrap(), "byte for byte");
    let end = whole.len();
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=100-300000".to_owned(), 100, 300_001.min(end)),
        (format!("bytes={}-", end - 5), end - 5, end),
        ("bytes=-1000".to_owned(), end - 1000, end),
        (format!("bytes=7-{}", end * 2), 7, end),
    ] {
        let (status, headers, body) = get(&url, &[(header::RANGE, &range)]).await;
        assert_eq!(status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert!(body == whole[from..to], "{range}");
        let told = format!("bytes {from}-{}/{end}", to - 1);
        assert_eq!(headers[header::CONTENT_RANGE].to_str().unwrap(), told);
    }
    for range in [format!("bytes={end}-"), "bytes=4-2".to_owned(), "bytes=0-1,5-9".to_owned(), "x".to_owned()] {
        let (status, headers, body) = get(&url, &[(header::RANGE, &range)]).await;
        assert_eq!((status, body.len()), (StatusCode::RANGE_NOT_SATISFIABLE, 0), "{range}");
        assert_eq!(headers[header::CONTENT_RANGE].to_str().unwrap(), format!("bytes */{end}"));
    }
    let written = headers[header::LAST_MODIFIED].to_str().unwrap();
    let (old, part) = ("Sun, 06 Nov 1994 08:49:37 GMT", || (header::RANGE, "bytes=0-9"));
    assert_eq!(get(&url, &[(header::IF_MODIFIED_SINCE, written)]).await.0, StatusCode::NOT_MODIFIED);
    assert_eq!(get(&url, &[(header::IF_MODIFIED_SINCE, old)]).await.0, StatusCode::OK);
    assert_eq!(get(&url, &[(header::IF_UNMODIFIED_SINCE, old)]).await.0, StatusCode::PRECONDITION_FAILED);
    assert_eq!(get(&url, &[part(), (header::IF_RANGE, written)]).await.0, StatusCode::PARTIAL_CONTENT);
    assert_eq!(get(&url, &[part(), (header::IF_RANGE, old)]).await.0, StatusCode::OK, "it begins anew");
    assert_eq!(get(&url, &[part(), (header::IF_RANGE, "\"tag\"")]).await.0, StatusCode::OK);
    let head = reqwest::Client::new().head(&url).send().await.unwrap();
    assert_eq!(
        (head.status(), head.headers()[header::CONTENT_LENGTH].to_str().unwrap()),
        (StatusCode::OK, &*end.to_string())
    );
    // Files that were removed are no answer.
    std::fs::remove_file(dir.join(names::VIDEO)).unwrap();
    assert_eq!(get(&url, &[]).await.0, StatusCode::NOT_FOUND);
}

fn player(arguments: &[&str], url: &str) -> String {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "warning", "-stats_period", "3600"]).args(["-i", url]).args(arguments);
    let out = command.output().unwrap();
    let words = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success(), "{words}");
    words
}

fn packets(file: &Path, stream: &str) -> usize {
    let arguments =
        ["-v", "error", "-select_streams", stream, "-count_packets", "-show_entries", "stream=nb_read_packets"];
    let out = Command::new("ffprobe").args(arguments).args(["-of", "csv=p=0"]).arg(file).output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().trim_end_matches(',').parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_plays_all_batches_without_an_error() {
    let media = Source::ts(&format!("{PICTURE}{SOUND}"));
    let case = case();
    let mut line = Line::new(case.files.clone());
    for segment in &media.segments {
        line.batch(std::slice::from_ref(segment), false).await;
    }
    let url = serve_on_loopback(Preview { ended: true, ..case.preview(0..3) }).await;
    let file = media.dir.path().join("played.mp4");
    let words = tokio::task::spawn_blocking({
        let (url, file) = (format!("{url}/index.m3u8"), file.clone());
        move || {
            let decoded = player(&["-f", "null", "-"], &url);
            decoded + &player(&["-c", "copy", file.to_str().unwrap()], &url)
        }
    });
    assert_eq!(words.await.unwrap(), "");
    for stream in ["v", "a"] {
        assert_eq!(packets(&file, stream), media.source_hashes(stream).len(), "{stream}");
    }
}
