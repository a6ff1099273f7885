//! Dry runs: what they report about real parts, that they change nothing, and that nothing makes them hang.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use std::time::{Duration, Instant};

use outboard::control::dry_run::{Check, DryRuns, Validation, dry_run};
use outboard::net::{Guard, Policy};
use outboard::pipeline::load::destination_name;
use outboard::pipeline::{Host as Process, Owner};
use outboard::settings::PipelineConfig;
use outboard::settings::{Destination, Header, Processor, Settings};
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::{assert_same_packets, hashes, monotonic, of_entries};
use outboard_tests::origin::Origin;
use outboard_tests::processor::{Processor as RealProcessor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use serde_json::json;
use tokio::net::TcpListener;

struct Scene {
    process: Process,
    storage: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let storage = tempfile::tempdir().unwrap();
        Self { process: Process::open(storage.path()).await.unwrap(), storage }
    }

    fn config(&self, settings: &Settings) -> PipelineConfig {
        settings.check("dry", self.process.storage()).unwrap()
    }

    async fn run(&self, settings: &Settings) -> Validation {
        self.run_as(&Owner::default(), settings).await
    }

    async fn run_as(&self, owner: &Owner, settings: &Settings) -> Validation {
        let validation = dry_run(&self.process, owner, &self.config(settings), &[]).await;
        let text = serde_json::to_string(&validation).unwrap();
        assert!(!text.contains("SECRET"), "{text}");
        let left = std::fs::read_dir(self.storage.path()).unwrap().flatten();
        let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| *name != "outboard.db").collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".scratch")), "{left:?}");
        assert!(!self.storage.path().join("default").exists(), "nothing of the stream is made");
        validation
    }
}

fn settings(source: &str, processor: Option<&str>, to: &[&str]) -> Settings {
    let mut settings = Settings::default();
    settings.source.url = source.to_owned();
    settings.processor = processor.map(|url| Processor { url: url.to_owned(), ..Processor::default() });
    settings.destinations =
        to.iter().map(|url| Destination { url: (*url).to_owned(), ..Destination::default() }).collect();
    settings.batch_seconds = Some(4);
    settings
}

fn check<'a>(validation: &'a Validation, path: &str) -> &'a Check {
    let found = validation.checks.iter().find(|check| check.path == path);
    found.unwrap_or_else(|| panic!("no {path} in {validation:#?}"))
}

#[tokio::test]
async fn what_would_go_on_air_is_told_and_what_is_on_air_is_left_alone() {
    let scene = Scene::new().await;
    let programme = entries(&Clip::small(16), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let processor = RealProcessor::start(ServerKind::Node, "echo", &[]).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("SECRET-KEY");
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let host = Host::run(storage.path(), &options);
    host.until("on air batch=0", Duration::from_secs(60)).await;

    let file = format!("file://{}", storage.path().join("air.ts").display());
    let set = settings(&origin.url, Some(&processor.url()), &[&to, &file, "udp://127.0.0.1:5004"]);
    let validation = scene.run(&set).await;
    assert!(validation.ok, "{validation:#?}");
    assert!(validation.problems.is_empty() && validation.checks.iter().all(|check| check.warnings.is_empty()));
    let paths: Vec<_> = validation.checks.iter().map(|check| check.path.as_str()).collect();
    let want = [
        "source.url",
        "source",
        "stages.batching",
        "stages.framing",
        "stages.remuxPlanning",
        "processor.url",
        "destinations[0].url",
        "destinations[1].url",
        "destinations[2].url",
        "keep",
    ];
    assert_eq!(paths, want);
    let source = &check(&validation, "source.url").detail;
    assert_eq!((&source["live"], &source["targetDurationSeconds"]), (&json!(true), &json!(2.0)));
    let media = &check(&validation, "source").detail;
    assert_eq!(media["video"]["codec"], "h264");
    assert_eq!((&media["video"]["width"], &media["video"]["height"]), (&json!(320), &json!(180)));
    assert_eq!(
        media["audio"],
        json!({"codec": "aac", "sampleRateHz": 48000, "channels": 2, 
        "bitsPerSecond": media["audio"]["bitsPerSecond"]})
    );
    let rate = media["audio"]["bitsPerSecond"].as_u64().unwrap();
    assert!((60_000..200_000).contains(&rate), "the sound is coded with at most 128 kb/s: {rate}");
    let processor = &check(&validation, "processor.url").detail;
    assert!(processor["ready"] == json!(true) && processor["maxPayloadBytes"].is_u64(), "{processor:?}");
    let summary = validation.summary.join("\n");
    for words in ["live stream", "sent to the processor", "On air 6.5 s to 8 s", "3 destinations would", "5 batches"] {
        assert!(summary.contains(words), "{words:?} in {summary}");
    }

    // The stream under the same key continued without interruption.
    let ended = host.ended(Duration::from_secs(60)).await;
    assert!(ended.status.success() && ended.count("packets_lost") == 0, "{:#?}", ended.log);
    assert_eq!(nginx.files(1, "SECRET-KEY").len(), 1, "one session, never published to by another");
    let source: Vec<_> = of_entries(&programme, "v").concat();
    let air = monotonic(&nginx.files(1, "SECRET-KEY")[0], "v");
    assert_same_packets(&hashes(&air), &hashes(&source), "v");
    assert!(!storage.path().join("air.ts").exists(), "no file is left at a destination");
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once_and_in_time() {
    let scene = Scene::new().await;
    // A server that accepts connections and never sends anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("127.0.0.1:{}", silent.local_addr().unwrap().port());
    let origin = Origin::start().await;
    origin.put("/gone.m3u8", outboard_tests::origin::Reply::status(404));
    let nowhere = "file:///nowhere/at/all/air.ts";
    let (to, other) = (format!("rtmp://{silent}/live/SECRET"), "rtmp://127.0.0.1:9/live/SECRET");
    let processor = format!("http://user:SECRET@{silent}/?key=SECRET");
    let url = format!("{}?token=SECRET", origin.url("/gone.m3u8"));
    let mut set = settings(&url, Some(&processor), &[&to, other, nowhere]);
    set.source.headers = vec![Header { name: "X-Key".into(), value: "SECRET".into() }];
    set.stages.batching.settings = Some(json!({"batch_seconds": "four"}));
    let began = Instant::now();
    let validation = scene.run(&set).await;
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    assert!(!validation.ok);
    for (path, words) in [
        ("source.url", "HTTP status 404"),
        ("stages.batching", "batch_seconds"),
        ("processor.url", "did not answer"),
        ("destinations[0].url", "handshake"),
        ("destinations[1].url", "no connection to 127.0.0.1:9"),
        ("destinations[2].url", "/nowhere/at/all"),
    ] {
        let found = check(&validation, path);
        assert!(!found.ok && found.message.contains(words), "{words:?} in {found:?}");
    }
    assert!(check(&validation, "stages.framing").ok && check(&validation, "stages.remuxPlanning").ok);
    assert!(validation.checks.iter().all(|check| check.path != "source"), "no media without a playlist");
    let problems: Vec<_> = validation.problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(problems, ["stages.batching.settings.batch_seconds"]);
    let summary = validation.summary.join("\n");
    for words in ["would not start", "original audio would go on air", "0 of 3 destinations"] {
        assert!(summary.contains(words), "{words:?} in {summary}");
    }
}

#[tokio::test]
async fn a_dry_run_is_light_to_carry_about() {
    let scene = Scene::new().await;
    let config = scene.config(&settings("http://o.test/live.m3u8", Some("http://p.test"), &["rtmp://h.test/a/k"]));
    let (runs, owner) = (DryRuns::default(), Owner::default());
    // Each layer of the API holds the future by value, so a large one would overflow the stack.
    let bytes = std::mem::size_of_val(&runs.run(&scene.process, &owner, &config, &[]));
    assert!(bytes <= 2048, "{bytes} bytes");
}

#[tokio::test]
async fn nothing_is_reached_that_the_tenant_may_not_reach() {
    let scene = Scene::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let to = [format!("rtmp://{here}/live/key"), format!("srt://{here}"), "file:/tmp/air.ts".to_owned()];
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let mut set = settings(&format!("http://{here}/live.m3u8"), Some(&format!("http://{here}")), &to);
    set.source.backup_url = Some(format!("http://[::ffff:127.0.0.1]:{}/live.m3u8", here.port()));
    let owner = Owner { guard: Guard::new(Policy::strict()).unwrap(), ..Owner::default() };
    let validation = scene.run_as(&owner, &set).await;
    let reaching: Vec<_> = validation.checks.iter().filter(|check| check.path.ends_with("rl")).collect();
    let paths: Vec<_> = reaching.iter().map(|check| check.path.as_str()).collect();
    assert_eq!(paths.len(), 6, "{paths:?}");
    for check in reaching {
        let address = if check.path == "destinations[2].url" { "files is off" } else { "127.0.0.1" };
        let told = check.message.contains("the network policy") && check.message.contains(address);
        assert!(!check.ok && !check.temporary && told, "{check:?}");
        assert!(!check.message.contains("not finished within"), "{check:?}");
    }
    let knocked = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(knocked.is_err(), "not one connection was made");
}

#[tokio::test]
async fn segments_on_a_host_that_the_tenant_may_not_reach_are_told_of_with_policy_and_address() {
    let scene = Scene::new().await;
    let elsewhere = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let media = elsewhere.local_addr().unwrap();
    let origin = Origin::start().await;
    let list = |end: &str| {
        let segments: String = (0..6).map(|n| format!("#EXTINF:2,\nhttp://{media}/{n}.ts\n")).collect();
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{segments}{end}")
    };
    origin.put("/live.m3u8", list("")).put("/vod.m3u8", list("#EXT-X-ENDLIST\n"));
    let policy = Policy { allow_ranges: vec!["127.0.0.1".to_owned()], ..Policy::strict() };
    let owner = Owner { guard: Guard::new(policy).unwrap(), ..Owner::default() };
    for name in ["/live.m3u8", "/vod.m3u8"] {
        let set = settings(origin.url(name).as_str(), None, &["rtmp://127.0.0.1:9/live/key"]);
        let validation = scene.run_as(&owner, &set).await;
        assert!(check(&validation, "source.url").ok, "{validation:#?}");
        let source = check(&validation, "source");
        assert!(!source.ok && !source.temporary, "{source:?}");
        for words in ["the network policy does not allow", "127.0.0.2"] {
            assert!(source.message.contains(words), "{words:?} in {source:?}");
        }
    }
    let knocked = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
    assert!(knocked.is_err(), "not one connection was made");
}

#[tokio::test]
async fn media_that_cannot_go_on_air_is_known_before_it_should() {
    let scene = Scene::new().await;
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, coding: &str| {
        let file = dir.path().join(name).display().to_string();
        let input = "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=r=48000:d=2";
        let words: Vec<&str> = input.split(' ').chain(coding.split(' ')).chain(["-f", "mpegts", &file]).collect();
        outboard_tests::media::ffmpeg(&words);
        std::fs::read(file).unwrap()
    };
    let origin = Origin::start().await;
    let put = |name: &str, media: Vec<u8>| {
        let list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{name}.ts\n#EXT-X-ENDLIST\n");
        origin.put(&format!("/{name}.m3u8"), list.as_str()).put(&format!("/{name}.ts"), media);
        origin.url(&format!("/{name}.m3u8")).to_string()
    };
    let mpeg2 = put("mpeg2", make("mpeg2", "-c:v mpeg2video -c:a aac"));
    let mute = put("mute", make("mute", "-c:v libx264 -preset ultrafast -an"));
    let to = format!("file://{}", dir.path().join("air.ts").display());
    let processor = RealProcessor::start(ServerKind::Node, "echo", &[]).await;

    let refused = scene.run(&settings(&mpeg2, None, &[&to])).await;
    let media = check(&refused, "source");
    assert!(!media.ok && media.message.contains("mpeg2video: only h264"), "{media:?}");
    assert!(refused.summary[0].contains("Nothing would go on air"), "{:?}", refused.summary);
    assert!(check(&refused, "source.url").ok);

    // Video without the audio that the master playlist promises: a failure, as in a run.
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.42c00a,mp4a.40.2\"\nmute.m3u8\n";
    origin.put("/promise.m3u8", master);
    let silent = scene.run(&settings(origin.url("/promise.m3u8").as_str(), None, &[&to])).await;
    let media = check(&silent, "source");
    assert!(!media.ok && media.message.contains("declares audio (CODECS="), "{media:?}");

    // A backup is checked too, and used if the first URL is unavailable.
    let mut set = settings("http://127.0.0.1:9/off.m3u8", Some(&processor.url()), &[&to]);
    set.source.backup_url = Some(mute);
    let validation = scene.run(&set).await;
    assert!(!check(&validation, "source.url").ok && check(&validation, "source.backupUrl").ok, "{validation:#?}");
    let media = check(&validation, "source");
    assert!(media.ok && media.detail.get("audio").is_none(), "{media:?}");
    assert!(media.warnings.iter().any(|warning| warning.contains("no audio")), "{media:?}");
    assert!(validation.summary[0].contains("recording") && validation.summary[0].contains("backup"));
}

#[tokio::test]
async fn a_fragment_that_is_too_large_for_the_processor_is_warned_of() {
    let scene = Scene::new().await;
    let origin = LiveOrigin::vod(entries(&Clip::small(12), false)).await;
    let small = ["--listen", "127.0.0.1:0", "--max-payload", "20000"];
    let echo = Host::spawn(&[&["echo"], &small[..]].concat());
    echo.until("echo processor on ", Duration::from_secs(90)).await;
    let line = echo.log().into_iter().find(|line| line.contains("echo processor on ")).unwrap();
    let url = line.split("echo processor on ").nth(1).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let to = format!("file://{}", dir.path().join("air.ts").display());
    let validation = scene.run(&settings(&origin.url, Some(url), &[&to])).await;
    let processor = check(&validation, "processor.url");
    assert!(processor.ok && processor.warnings.len() == 1, "{processor:?}");
    assert!(processor.warnings[0].contains("accepts 20000 in one message"), "{processor:?}");
}

#[tokio::test]
async fn a_destination_that_the_pipeline_is_on_air_at_is_left_alone() {
    let scene = Scene::new().await;
    let origin = LiveOrigin::vod(entries(&Clip::small(12), false)).await;
    // Nothing listens there, so a connection would be refused.
    let (there, other) = ("rtmp://127.0.0.1:9/live/a", "rtmp://127.0.0.1:9/live/b");
    let config = scene.config(&settings(&origin.url, None, &[there, other]));
    let on_air = [destination_name(&config.destinations[0].text)];
    let validation = dry_run(&scene.process, &Owner::default(), &config, &on_air).await;
    let (first, second) = (check(&validation, "destinations[0].url"), check(&validation, "destinations[1].url"));
    assert!(first.ok && first.message.contains("is on air there now"), "{first:?}");
    assert!(!second.ok && second.message.contains("refused"), "{second:?}");
}
