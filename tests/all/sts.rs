//! Dialect 3 (`framing-sts`) in whole pipelines, with a strict processor (tests/processors/node/sts.js): what it
//! returns goes on air packet by packet, and its requests are obeyed.
//!
//! The processor checks the rules of the dialect and reports each violation: a fragment outside a session, in a pause,
//! too early after `slow_down`, or with an id that is not a UUID.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::time::Duration;

use outboard_tests::guests::bundled;
use outboard_tests::host::{Ended, Host};
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::{assert_same_packets, hashes, monotonic, of_entries};
use outboard_tests::processor::Processor;
use outboard_tests::receiver::nginx::Nginx;
use serde_json::{Value, json};

/// Six batches of 4 s with a processor.
struct Run {
    host: Host,
    processor: Processor,
    origin: LiveOrigin,
    nginx: Nginx,
    _storage: tempfile::TempDir,
}

/// The result of a run, and the processor's reports.
struct Done {
    ended: Ended,
    told: Vec<Value>,
}

const BATCHES: u64 = 6;

fn clip() -> Clip {
    Clip::small(24)
}

impl Run {
    async fn start(mode: &str, keys: &[&str], settings: Value) -> Self {
        let origin = LiveOrigin::start(entries(&clip(), false)).await;
        let processor = Processor::sts(mode, keys).await;
        let (nginx, storage) = (Nginx::start(), tempfile::tempdir().unwrap());
        let stage = format!("framing={}", bundled("framing-sts").display());
        let (to, url) = (nginx.url("sts"), processor.url());
        let arguments = ["run", "--storage", storage.path().to_str().unwrap(), "--source", &origin.url, "--to", &to];
        let more = ["--processor", &url, "--batch-seconds", "4", "--batches", "100", "--hold", "12", "--stage", &stage];
        let variables = [
            ("OUTBOARD_STAGES__FRAMING_SETTINGS", &*settings.to_string()),
            // The processor requests a slower pace before it replies; with one fragment in flight, no other one is on
            // its way then.
            ("OUTBOARD_PROCESSOR__IN_FLIGHT", "1"),
            ("OUTBOARD_PROCESSOR__AUTH", r#"{"token":"right"}"#),
            ("OUTBOARD_PROCESSOR__HEADERS", "X-Stream-ID: one\nX-Worker-ID: two"),
        ];
        let host = Host::spawn_with(&[&arguments[..], &more[..]].concat(), &variables);
        Self { host, processor, origin, nginx, _storage: storage }
    }

    /// Waits for the end; in any case, the packets on air are the source's.
    async fn done(mut self, mut told: Vec<Value>) -> Done {
        let ended = self.host.ended(Duration::from_secs(90)).await;
        assert!(ended.status.success(), "{:#?}", ended.log);
        told.extend(self.processor.saw_until("disconnect").await);
        for stream in ["v", "a"] {
            let source: Vec<_> = of_entries(&entries(&clip(), false), stream).concat();
            let air = monotonic(&self.nginx.files(1, "sts")[0], stream);
            assert_same_packets(&hashes(&air), &hashes(&source), stream);
        }
        assert_eq!((ended.count("batches"), ended.count("packets_lost")), (BATCHES, 0), "{}", ended.report());
        drop(self.origin);
        let done = Done { ended, told };
        assert_eq!(done.all("broken"), [] as [&Value; 0], "{:#?}", done.told);
        assert_eq!(done.all("init").len(), 1, "one session");
        done
    }
}

impl Done {
    fn all(&self, event: &str) -> Vec<&Value> {
        self.told.iter().filter(|told| told["event"] == event).collect()
    }

    /// Number and attempt of each fragment that the processor received.
    fn sendings(&self) -> Vec<(u64, u64)> {
        let number = |told: &Value, key: &str| told[key].as_u64().unwrap();
        self.all("fragment").iter().map(|told| (number(told, "sequence_number"), number(told, "attempt"))).collect()
    }

    fn outcomes(&self) -> (u64, u64) {
        (self.ended.count("processed"), self.ended.count("original"))
    }
}

fn once_each() -> Vec<(u64, u64)> {
    (0..BATCHES).map(|batch| (batch, 0)).collect()
}

#[tokio::test]
async fn an_echo_in_base64_is_the_source_packet_for_packet() {
    let settings = json!({ "source_language": "en", "target_language": "de", "chunk_duration_ms": 4000 });
    let run = Run::start("echo", &["token=right"], settings).await;
    let done = run.done(Vec::new()).await;
    assert_eq!((done.outcomes(), done.sendings()), ((BATCHES, 0), once_each()));
    let connection = done.all("connection")[0];
    assert_eq!((&connection["streamId"], &connection["workerId"]), (&json!("one"), &json!("two")));
    let init = done.all("init")[0];
    let wanted = json!({
        "source_language": "en", "target_language": "de", "chunk_duration_ms": 4000,
        "sample_rate_hz": 48_000, "channels": 2, "format": "m4a",
    });
    assert_eq!((&init["config"], &init["max_inflight"], &init["timeout_ms"]), (&wanted, &json!(3), &json!(8000)));
    for fragment in done.all("fragment") {
        assert_eq!((&fragment["format"], &fragment["channels"]), (&json!("m4a"), &json!(2)), "{fragment}");
    }
    let acked = json!({ "event": "acked", "uuid": true, "status": "received", "timestamp": true });
    assert_eq!(done.all("acked"), vec![&acked; BATCHES as usize]);
}

#[tokio::test]
async fn in_a_pause_nothing_is_sent_and_after_it_everything() {
    let mut run = Run::start("pause", &[], json!({})).await;
    let mut told = run.processor.saw_until("paused").await;
    // Another batch is complete, and one waits for the processor.
    run.host.until("batch is complete batch=3", Duration::from_secs(90)).await;
    run.processor.order("resume").await;
    told.extend(run.processor.saw_until("resumed").await);
    let done = run.done(told).await;
    assert_eq!((done.outcomes(), done.sendings()), ((BATCHES, 0), once_each()));
    let at = |event: &str| done.told.iter().position(|told| told["event"] == event).unwrap();
    let fragments_in_it = done.told[at("paused")..at("resumed")].iter().filter(|told| told["event"] == "fragment");
    assert_eq!(fragments_in_it.count(), 0);
}

#[tokio::test]
async fn whoever_is_asked_to_slow_down_leaves_that_much_time() {
    // A batch is complete each 4 s: without the delay, the processor would receive each fragment too early.
    let run = Run::start("slow", &["slow=5000"], json!({})).await;
    let done = run.done(Vec::new()).await;
    assert_eq!((done.outcomes(), done.sendings()), ((BATCHES, 0), once_each()));
}

#[tokio::test]
async fn what_may_help_is_tried_once_more_and_then_the_original_goes_on_air() {
    let run = Run::start("errors", &["fail=1:MODEL_ERROR:1,2:INVALID_SEQUENCE:9,3:TIMEOUT:9"], json!({})).await;
    let done = run.done(Vec::new()).await;
    assert_eq!(done.outcomes(), (BATCHES - 2, 2), "{}", done.ended.report());
    assert_eq!(done.sendings(), [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0), (3, 1), (4, 0), (5, 0)]);
    let original = |batch: u64, why: &str| {
        let line = format!("batch {batch}: original audio, failed: ");
        assert!(
            done.ended.log.iter().any(|found| found.contains(&line) && found.contains(why)),
            "{:#?}",
            done.ended.log
        );
    };
    original(2, "INVALID_SEQUENCE: in tts: as the test wants it");
    original(3, "TIMEOUT: in tts: as the test wants it");
}

#[tokio::test]
async fn samples_go_there_and_come_back_as_samples() {
    let origin = LiveOrigin::start(entries(&Clip::small(8), false)).await;
    let mut processor = Processor::sts("echo", &[]).await;
    let (nginx, storage) = (Nginx::start(), tempfile::tempdir().unwrap());
    let stage = format!("framing={}", bundled("framing-sts").display());
    let (to, url) = (nginx.url("sts"), processor.url());
    let arguments = ["run", "--storage", storage.path().to_str().unwrap(), "--source", &origin.url, "--to", &to];
    let more = ["--processor", &url, "--batch-seconds", "4", "--batches", "100", "--hold", "12", "--stage", &stage];
    let settings = json!({ "audio_format": "pcm_s16le", "sample_rate_hz": 16_000, "channels": 1 }).to_string();
    let variables = [("OUTBOARD_STAGES__FRAMING_SETTINGS", settings.as_str())];
    let host = Host::spawn_with(&[&arguments[..], &more[..]].concat(), &variables);
    let ended = host.ended(Duration::from_secs(60)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!((ended.count("processed"), ended.count("original")), (2, 0), "{:#?}", ended.log);
    let told = processor.saw_until("disconnect").await;
    let fragments: Vec<_> = told.iter().filter(|told| told["event"] == "fragment").collect();
    for fragment in &fragments {
        assert_eq!((&fragment["format"], &fragment["sample_rate_hz"]), (&json!("pcm_s16le"), &json!(16_000)));
        let seconds = fragment["bytes"].as_f64().unwrap() / 32_000.0;
        assert!((3.9..4.2).contains(&seconds), "{seconds} s in {fragment}");
    }
    assert_eq!(fragments.len(), 2);
}
