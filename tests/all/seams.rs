//! Sound that is encoded has no seams: what is on air, decoded by one decoder over all batches, against the source's sound.
//!
//! The processor decodes and encodes each batch by itself, as a real one does. The source is noise over tones, so that each sample
//! shows where it belongs. Air starts when all replies are in hand, so the machine's speed does not matter.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use outboard_tests::guests::bundled;
use outboard_tests::host::Host;
use outboard_tests::media::{Entry, LiveOrigin, ffmpeg, packets};
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::sound::{Likeness, likeness, samples};
use serde_json::json;
use tokio::sync::Mutex;

/// What a processor gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// Fragmented MP4, by the dialect `fragment`.
    Fmp4,
    /// Samples, by the dialect `sts`.
    Pcm,
}

/// A stream and a processor.
#[derive(Debug, Clone, Copy)]
struct Case {
    sent: Sent,
    /// What it replies with: an entry of ENCODERS in tests/processors/python/server.py, and other settings of its.
    reply: &'static str,
    more: &'static [&'static str],
    rate: u32,
    channels: u32,
    batch_seconds: u32,
    seconds: u32,
}

/// 48 kHz, stereo, 12 s in batches of 2 s.
const PLAIN: Case =
    Case { sent: Sent::Pcm, reply: "wav", more: &[], rate: 48_000, channels: 2, batch_seconds: 2, seconds: 12 };
/// Each second batch goes on air with its original.
const IN_TURNS: &[&str] = &["every_other=1"];
/// The processor does not look at edit lists and the like.
const IGNORANT: &[&str] = &["all_samples=1"];
/// Seconds from the first batch to air: all replies are in hand by then.
const HOLD: &str = "40";
/// Longest wait until they are.
const PATIENCE: Duration = Duration::from_secs(180);
/// One case at a time does what needs the processor's and the host's cores; what is left is waiting.
static AT_WORK: Mutex<()> = Mutex::const_new(());
/// Seconds of the programme per second.
const SPEED: &str = "8";
/// The most that encoding twice may differ from the source, in decibels: it is -17.
const NOISE_DB: f64 = -14.0;
/// A millisecond, in samples.
const MS: i64 = 48;

/// The segments of a case's stream.
fn segments(case: &Case, dir: &Path) -> Vec<PathBuf> {
    let Case { rate, channels, seconds, .. } = case;
    let picture = format!("testsrc2=s=160x90:r=25:d={seconds}");
    let noise = format!("anoisesrc=r={rate}:d={seconds}:c=pink:seed=11:a=0.4");
    let tones = format!("aevalsrc=0.1*sin(2*PI*440*t)+0.05*sin(2*PI*1870*t):s={rate}:d={seconds}");
    let layout = if *channels == 1 { "mono|c0=c0" } else { "stereo|c0=c0|c1=c0" };
    let mix = format!("[1:a][2:a]amix=inputs=2:normalize=0,aformat=channel_layouts=mono,pan={layout}[a]");
    let mut words = Vec::new();
    for input in [&picture, &noise, &tones] {
        words.extend(["-f", "lavfi", "-i", input]);
    }
    words.extend(["-filter_complex", &mix, "-map", "0:v", "-map", "[a]"]);
    let coding = "-c:v libx264 -preset ultrafast -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac -b:a 192k -aac_pns 0 \
                  -f hls -hls_time 2 -hls_list_size 0 -hls_segment_filename";
    words.extend(coding.split_whitespace());
    let (name, list) = (dir.join("segment-%d.ts"), dir.join("list.m3u8"));
    words.extend([name.to_str().unwrap(), list.to_str().unwrap()]);
    ffmpeg(&words);
    (0..seconds / 2).map(|n| dir.join(format!("segment-{n}.ts"))).collect()
}

/// Puts a case on air. Answers what it is like there.
async fn air(case: Case) -> Likeness {
    let Case { sent, reply, more, rate, channels, batch_seconds, seconds } = case;
    let dir = tempfile::tempdir().unwrap();
    let at_work = AT_WORK.lock().await;
    let segments = segments(&case, dir.path());
    let entries = segments.iter().map(|path| Entry { path: path.clone(), discontinuity: false });
    let origin = LiveOrigin::vod(entries.collect()).await;
    let reply = format!("reply={reply}");
    let settings = [&[&*reply], more].concat();
    let processor = Processor::start(ServerKind::Python, "encode", &settings).await;
    let on_air = dir.path().join("air.flv");
    let (to, url) = (format!("file://{}", on_air.display()), processor.url());
    let (length, storage) = (batch_seconds.to_string(), dir.path().join("storage"));
    let mut options = vec!["--source", &origin.url, "--processor", &url, "--to", &to, "--batch-seconds", &length];
    options.extend(["--batches", "1000", "--hold", HOLD, "--speed", SPEED]);
    let (stage, form) = (
        format!("framing={}", bundled("framing-sts").display()),
        json!({ "audio_format": "pcm_s16le", "sample_rate_hz": rate, "channels": channels }),
    );
    let form = format!("framing={form}");
    if sent == Sent::Pcm {
        options.extend(["--stage", &stage, "--stage-settings", &form]);
    }
    let host = Host::run(&storage, &options);
    let batches = u64::from(seconds.div_ceil(batch_seconds));
    host.until(&format!("ready for air batch={} ", batches - 1), PATIENCE).await;
    drop(at_work);
    let ended = host.ended(PATIENCE).await;
    let _at_work = AT_WORK.lock().await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    let processed = if more.contains(&"every_other=1") { batches.div_ceil(2) } else { batches };
    assert_eq!((ended.count("batches"), ended.count("processed")), (batches, processed), "{case:?}: {:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0, "{case:?}: {:#?}", ended.log);

    assert_no_gap(&on_air, rate, &case);
    let joined: Vec<u8> = segments.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    let source = dir.path().join("source.ts");
    std::fs::write(&source, joined).unwrap();
    let counts: Vec<usize> = segments.iter().map(|path| packets(path, "a").len() * 1024).collect();
    let mut borders: Vec<usize> = counts
        .chunks((batch_seconds / 2) as usize)
        .scan(0, |at, batch| {
            *at += batch.iter().sum::<usize>();
            Some(*at)
        })
        .collect();
    borders.pop();
    let channels = channels as usize;
    likeness(&samples(&source, channels), &samples(&on_air, channels), &borders)
}

/// Packets follow on without a gap.
fn assert_no_gap(on_air: &Path, rate: u32, case: &Case) {
    let times: Vec<f64> = packets(on_air, "a").iter().map(|packet| packet.dts * 1000.0).collect();
    assert!(times.len() > 100, "{case:?}: {} packets", times.len());
    for (n, time) in times.iter().enumerate() {
        let even = times[0] + n as f64 * 1_024_000.0 / f64::from(rate);
        assert!((time - even).abs() < 3.0, "{case:?}: packet {n} of {} at {time} ms, not {even:.1}", times.len());
    }
}

/// Puts cases on air at the same time, and holds each against how many samples it may be late.
async fn check(cases: &[(Case, i64)]) {
    let running: Vec<_> = cases.iter().map(|(case, _)| tokio::spawn(air(*case))).collect();
    let mut wrong = Vec::new();
    for (running, (case, most)) in running.into_iter().zip(cases) {
        let found = running.await.unwrap();
        let late = found.late.iter().any(|late| late.abs() > *most);
        // What is nowhere near its place is like noise all over.
        if late || found.level_db > 0.1 || found.seams_db > 1.0 || found.noise_db > NOISE_DB {
            wrong.push((case, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_go_out_as_samples_have_no_seams() {
    check(&[
        (PLAIN, 1),
        (Case { reply: "adts", ..PLAIN }, MS),
        (Case { reply: "mp3", rate: 44_100, ..PLAIN }, MS),
        (Case { more: IN_TURNS, rate: 44_100, channels: 1, ..PLAIN }, 1),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_go_out_as_fmp4_have_no_seams() {
    const FMP4: Case = Case { sent: Sent::Fmp4, ..PLAIN };
    check(&[
        (Case { reply: "wav", rate: 44_100, channels: 1, ..FMP4 }, 1),
        (Case { reply: "wav", more: IGNORANT, batch_seconds: 6, seconds: 18, ..FMP4 }, 1),
        (Case { reply: "edit-list", batch_seconds: 6, seconds: 18, ..FMP4 }, MS),
        (Case { reply: "fragments", more: IN_TURNS, batch_seconds: 30, seconds: 64, ..FMP4 }, MS),
        (Case { reply: "untold-mp3", more: IN_TURNS, channels: 1, ..FMP4 }, MS),
    ])
    .await;
}
