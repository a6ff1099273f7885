//! Sources whose pictures are not H.264, and whose sound is not AAC.
//!
//! Can fail: a server that says that it takes HEVC gets other bytes than the source's; one that does not say it gets any; a
//! destination that refuses stops the others; sound that is encoded is missing, or not told.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use outboard::media::flv::TagKind;
use outboard_tests::host::Host;
use outboard_tests::media::{Entry, LiveOrigin, ffmpeg};
use outboard_tests::origin::Origin;
use outboard_tests::receiver::fake::{FakeServer, GOOD, Log, Script};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::receiver::packets::Extended;
use sha2::{Digest, Sha256};

/// Segments of 2 s, with these words for the coding.
fn made(dir: &Path, seconds: u32, coding: &str) -> Vec<Entry> {
    let inputs = format!(
        "-f lavfi -i testsrc2=s=320x180:r=30:d={seconds} -f lavfi -i anoisesrc=c=pink:seed=3:a=0.3:d={seconds}:r=48000"
    );
    let list = dir.join("list.m3u8").display().to_string();
    let segments = dir.join("segment-%d.ts").display().to_string();
    let mut words: Vec<String> = inputs.split_whitespace().chain(coding.split_whitespace()).map(Into::into).collect();
    words.extend("-f hls -hls_time 2 -hls_list_size 0 -hls_segment_filename".split_whitespace().map(Into::into));
    words.extend([segments, list]);
    ffmpeg(&words);
    let entry = |n| Entry { path: dir.join(format!("segment-{n}.ts")), discontinuity: false };
    (0..seconds / 2).map(entry).collect()
}

#[tokio::test]
async fn sound_that_is_not_aac_goes_on_air_as_aac() {
    let dir = tempfile::tempdir().unwrap();
    let video = "-c:v libx264 -preset ultrafast -g 60 -keyint_min 60 -sc_threshold 0";
    let programme = made(dir.path(), 16, &format!("{video} -c:a libmp3lame -ac 2 -b:a 128k"));
    let origin = LiveOrigin::start(programme).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("mp3");
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(180)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0, "{:#?}", ended.log);
    assert_eq!(ended.lines_with("sound mp3 is encoded to AAC 128 kb/s"), 1, "{:#?}", ended.log);
    let recording = nginx.recordings("mp3").remove(0);
    let times: Vec<u64> =
        recording.packets.iter().filter(|packet| packet.kind == TagKind::Audio).map(|packet| packet.dts_ms).collect();
    // 16 s of 1024 samples each, without a hole: a hole would be a step of 42 ms or more.
    assert!((748..=753).contains(&times.len()), "{} packets of sound", times.len());
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (20..=23).contains(step)), "{steps:?}");
    assert_eq!(ended.count("packets_in"), recording.packets.len() as u64);
}

/// A picture: its SHA-256, and its composition time in milliseconds.
type Picture = (String, f64);

/// The pictures of a file in MP4's form, by ffprobe.
fn pictures(file: &Path) -> Vec<Picture> {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,dts_time,data_hash"])
        .args(["-show_data_hash", "sha256", "-of", "compact=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let picture = |line: &str| {
        let field = |name: &str| line.split('|').find_map(|field| field.strip_prefix(name));
        let (pts, dts): (f64, f64) = (field("pts_time=")?.parse().ok()?, field("dts_time=")?.parse().ok()?);
        Some((field("data_hash=SHA256:")?.to_ascii_lowercase(), (pts - dts) * 1000.0))
    };
    // A packet with side data is split into two lines.
    text.replace("|\n|", "|").lines().filter_map(picture).collect()
}

/// Checks that a session got a sequence header of this codec first, then all these pictures, each once and in order.
fn assert_got(log: &Log, four_cc: &str, want: &[Picture]) {
    let bodies = &log.recording.extended;
    assert!(bodies.iter().all(|body| body.four_cc == four_cc));
    let (headers, media): (Vec<&Extended>, Vec<&Extended>) = bodies.iter().partition(|body| body.packet == 0);
    assert_eq!((headers.len(), bodies[0].packet), (1, 0), "one sequence header, at the start");
    assert!(headers[0].payload.len() > 3 && media[0].key);
    assert_eq!(media.len(), want.len());
    for (n, (got, (hash, composition_ms))) in media.iter().zip(want).enumerate() {
        let digest: String = Sha256::digest(&got.payload).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, *hash, "picture {n}");
        assert!((f64::from(got.composition_ms) - composition_ms).abs() <= 1.0, "picture {n}: {got:?}");
        // What is shown when it is decoded needs no time.
        assert_eq!(got.packet == 3, got.composition_ms == 0 && four_cc == "hvc1", "picture {n}");
    }
    let times: Vec<u64> = media.iter().map(|body| body.dts_ms).collect();
    assert!(times.windows(2).all(|pair| (32..=35).contains(&(pair[1] - pair[0]))), "{times:?}");
}

fn names(four_ccs: &'static [&'static str]) -> impl Fn(usize) -> Script + Send + 'static {
    move |_| Script { four_ccs, ..GOOD }
}

#[tokio::test]
async fn hevc_goes_to_servers_that_take_it_and_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let video =
        "-c:v libx265 -preset ultrafast -x265-params log-level=none:keyint=60:min-keyint=60:bframes=2:scenecut=0";
    let programme = made(dir.path(), 16, &format!("{video} -c:a aac -ac 2"));
    let joined: Vec<u8> = programme.iter().flat_map(|entry| std::fs::read(&entry.path).unwrap()).collect();
    std::fs::write(dir.path().join("joined.ts"), joined).unwrap();
    let [from, to] = ["joined.ts", "joined.mp4"].map(|name| dir.path().join(name).display().to_string());
    ffmpeg(&["-i", &from, "-map", "0:v", "-c", "copy", "-tag:v", "hev1", &to]);
    let want = pictures(Path::new(&to));
    assert_eq!(want.len(), 480);
    let origin = LiveOrigin::start(programme).await;
    let (takes, silent, nginx) =
        (FakeServer::start(names(&["hvc1"])).await, FakeServer::start(|_| GOOD).await, Nginx::start());
    let storage = tempfile::tempdir().unwrap();
    let (first, second, third) = (takes.url("a"), silent.url("b"), nginx.url("hevc"));
    let options = ["--source", &origin.url, "--to", &first, "--to", &second, "--to", &third];
    let more = ["--batch-seconds", "4", "--batches", "100"];
    let ended = Host::run(storage.path(), &[&options[..], &more[..]].concat()).ended(Duration::from_secs(240)).await;
    let logs = takes.logs();
    assert_eq!(logs.len(), 1, "one session: {:#?}", ended.log);
    assert!(logs[0].properties.contains(&"fourCcList".to_owned()), "{:?}", logs[0].properties);
    assert_got(&logs[0], "hvc1", &want);
    assert!(logs[0].recording.packets.len() > 700, "sound goes on beside it");
    let on_air = (logs[0].recording.packets.len() + want.len()) as u64;
    assert_eq!(
        (ended.count("packets_in"), ended.count("packets_on_air"), ended.count("packets_lost")),
        (on_air, on_air, 0)
    );
    // The others were told nothing of the stream, and say why.
    assert!(silent.logs().iter().all(|log| !log.commands.contains(&"publish".to_owned())));
    assert!(nginx.files(1, "hevc").is_empty());
    let why = "the source's picture is HEVC, and the server does not say that it takes hvc1 by enhanced RTMP";
    assert!(ended.lines_with(why) >= 2, "{:#?}", ended.log);
}

#[tokio::test]
async fn av1_in_fragmented_mp4_goes_to_servers_that_take_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let inputs = "-f lavfi -i testsrc2=s=160x90:r=30:d=8 -f lavfi -i sine=f=440:r=48000:d=8";
    let video = "-c:v libaom-av1 -cpu-used 8 -usage realtime -g 60 -keyint_min 60 -b:v 200k";
    let hls = "-c:a aac -f hls -hls_time 2 -hls_list_size 0 -hls_segment_type fmp4 -hls_segment_filename";
    let mut words: Vec<String> = format!("{inputs} {video} {hls}").split_whitespace().map(Into::into).collect();
    words.extend([path("segment-%d.m4s"), path("list.m3u8")]);
    ffmpeg(&words);
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let origin = Origin::start().await;
    let mut joined = read("init.mp4");
    origin.put("/list.m3u8", String::from_utf8(read("list.m3u8")).unwrap()).put("/init.mp4", joined.clone());
    for n in 0..4 {
        let name = format!("segment-{n}.m4s");
        joined.extend(read(&name));
        origin.put(&format!("/{name}"), read(&name));
    }
    std::fs::write(path("joined.mp4"), joined).unwrap();
    let want = pictures(&dir.path().join("joined.mp4"));
    assert_eq!(want.len(), 240);
    let takes = FakeServer::start(names(&["av01"])).await;
    let storage = tempfile::tempdir().unwrap();
    let (source, to) = (origin.url("/list.m3u8").to_string(), takes.url("a"));
    let options = ["--source", &source, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(180)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0);
    assert_got(&takes.logs()[0], "av01", &want);
}
