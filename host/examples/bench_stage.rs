//! Measures the stage runtime: the time until a pipeline's three stages are ready from the cache of compiled code, the
//! time of a call, and the memory of a further pipeline. Prints one JSON line.
//!
//!     cargo run --release --example bench_stage [PIPELINES]
#![expect(clippy::print_stdout, reason = "it prints its result")]

use outboard::stage::batching::Segment;
use outboard::stage::framing::Fragment;
use outboard::stage::remux::{Absence, AudioTrack, Facts, Policy, Reply};
use outboard::stage::{BatchingStage, FramingStage, Opening, RemuxStage, StageKind, StageRuntime, StageRuntimeConfig};
use std::path::Path;
use std::time::{Duration, Instant};

const CALLS: u64 = 20_000;
const STARTS: usize = 50;
/// A 30 s batch at 128 kbit/s.
const AUDIO_BYTES: usize = 480 << 10;

type Anyhow<T> = anyhow::Result<T>;

struct Pipeline {
    batching: BatchingStage,
    framing: FramingStage,
    remux: RemuxStage,
}

#[tokio::main]
async fn main() -> Anyhow<()> {
    let pipelines: usize = std::env::args().nth(1).map_or(Ok(50), |count| count.parse())?;
    let dir = tempfile::tempdir()?;
    let config = StageRuntimeConfig { aot_dir: Some(dir.path().join("aot")), ..StageRuntimeConfig::default() };
    let compiling = Instant::now();
    pipeline(&StageRuntime::new(&config)?).await?;
    let compiled = compiling.elapsed();

    let mut ready = Vec::new();
    for _ in 0..STARTS {
        let runtime = StageRuntime::new(&config)?;
        let start = Instant::now();
        pipeline(&runtime).await?;
        ready.push(start.elapsed());
    }

    let runtime = StageRuntime::new(&config)?;
    let mut first = pipeline(&runtime).await?;
    let mut again = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        drop(pipeline(&runtime).await?);
        again.push(start.elapsed());
    }

    let (mut push, mut plan, mut encode) = (Vec::new(), Vec::new(), Vec::new());
    let audio = bytes::Bytes::from(vec![7; AUDIO_BYTES]);
    for index in 0..CALLS {
        let start = Instant::now();
        first.batching.push(segment(index)).await;
        push.push(start.elapsed());
        let facts = facts(index);
        let start = Instant::now();
        first.remux.plan(&facts).await;
        plan.push(start.elapsed());
        if index % 100 == 0 {
            let fragment = fragment(index);
            let start = Instant::now();
            first.framing.encode(&fragment, audio.clone()).await;
            encode.push(start.elapsed());
        }
    }
    anyhow::ensure!(first.batching.counters().read().failures() == 0, "a stage failed");

    let before = rss_kib()?;
    let mut more = Vec::new();
    for _ in 0..pipelines {
        let mut one = pipeline(&runtime).await?;
        for index in 0..10 {
            one.batching.push(segment(index)).await;
        }
        one.framing.encode(&fragment(0), audio.clone()).await;
        one.remux.plan(&facts(0)).await;
        more.push(one);
    }
    let each = rss_kib()?.saturating_sub(before) / pipelines.max(1) as u64;

    println!(
        "{}",
        serde_json::json!({
            "pooled": runtime.is_pooled(),
            "compile_ms": ms(compiled),
            "cache_kib": size_kib(&dir.path().join("aot"))?,
            "three_ready_from_cache_ms": percentiles(ready, ms),
            "three_ready_when_loaded_ms": percentiles(again, ms),
            "push_and_snapshot_us": percentiles(push, us),
            "plan_and_snapshot_us": percentiles(plan, us),
            "encode_480_kib_and_snapshot_us": percentiles(encode, us),
            "rss_first_kib": before,
            "rss_each_further_pipeline_kib": each,
        })
    );
    Ok(())
}

async fn pipeline(runtime: &StageRuntime) -> Anyhow<Pipeline> {
    let batching = runtime.bundled(StageKind::Batching).await?;
    let framing = runtime.bundled(StageKind::Framing).await?;
    let remux = runtime.bundled(StageKind::RemuxPlanning).await?;
    Ok(Pipeline {
        batching: BatchingStage::open(runtime, batching, Opening::default(), 30).await?,
        framing: FramingStage::open(runtime, framing, Opening::default()).await?,
        remux: RemuxStage::open(runtime, remux, Opening::default()).await?,
    })
}

fn percentiles(mut times: Vec<Duration>, unit: fn(Duration) -> f64) -> serde_json::Value {
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().map(unit);
    serde_json::json!({ "p50": at(0.5), "p99": at(0.99), "max": times.last().copied().map(unit) })
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn us(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e8).round() / 1e2
}

fn size_kib(dir: &Path) -> Anyhow<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes / 1024)
}

fn rss_kib() -> Anyhow<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn segment(index: u64) -> Segment {
    Segment {
        index,
        media_sequence: index,
        duration_us: 6_000_000,
        size_bytes: 3_750_000,
        discontinuity: false,
        program_date_time_us: None,
        cues: vec![],
    }
}

fn fragment(batch: u64) -> Fragment {
    Fragment {
        id: format!("cam-{batch}"),
        stream_id: "cam".to_owned(),
        batch,
        pts_us: 0,
        duration_us: 30_000_000,
        codec: "aac".to_owned(),
        sample_rate_hz: 48_000,
        channels: 2,
        content_type: "audio/mp4".to_owned(),
        file_name: "audio.fmp4".to_owned(),
        created_ms: 0,
        now_ms: 0,
        attempt: 0,
    }
}

fn facts(batch: u64) -> Facts {
    Facts {
        batch,
        video: None,
        audio: Some(AudioTrack {
            codec: "aac".to_owned(),
            first_pts_us: 0,
            duration_us: 30_000_000,
            packets: 1406,
            sample_rate_hz: 48_000,
            channels: 2,
            packet_us: 21_333,
        }),
        reply: Reply::Absent(Absence::Late),
        time_left_ms: 1000,
        policy: Policy { max_stretch_permille: 200, max_offset_us: 0, max_gain_centibel: 0 },
    }
}
