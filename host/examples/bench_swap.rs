//! Measures swaps of stages: the time without calls at a cut-over, the duration of a rehearsal, and the time from a
//! component's bytes to a running instance without the cache. Prints one JSON line.
//!
//!     cargo run --release --example bench_swap [COMPONENT.wasm]
#![expect(clippy::print_stdout, reason = "it prints its result")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use outboard::stage::batching::Segment;
use outboard::stage::swap::{NewVersion, StageSlots};
use outboard::stage::{BatchingStage, FramingStage, Opening, RemuxStage, StageKind, StageRuntime, StageRuntimeConfig};
use tokio::sync::Mutex;

const SWAPS: u64 = 1_000;
/// Number of calls in a rehearsal.
const TAPED: u64 = 64;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runtime = StageRuntime::new(&StageRuntimeConfig::default())?;
    let open = async |kind| runtime.bundled(kind).await;
    let batching = BatchingStage::open(&runtime, open(StageKind::Batching).await?, Opening::default(), 30).await?;
    let framing = FramingStage::open(&runtime, open(StageKind::Framing).await?, Opening::default()).await?;
    let remux = RemuxStage::open(&runtime, open(StageKind::RemuxPlanning).await?, Opening::default()).await?;
    let batching = Arc::new(Mutex::new(batching));
    let swaps = StageSlots::new(batching.clone(), Arc::new(Mutex::new(framing)), Arc::new(Mutex::new(remux)), || {});
    for index in 0..TAPED {
        batching.lock().await.push(segment(index)).await;
    }
    let (mut cuts, mut rehearsals) = (Vec::new(), Vec::new());
    for n in 0..SWAPS {
        for kind in StageKind::ALL {
            let component = open(kind).await?;
            let wanted = NewVersion { component, settings: String::new(), fresh: false, probation: 1 };
            if n % 100 == 0 && kind == StageKind::Batching {
                let began = Instant::now();
                swaps.rehearse(kind, &wanted).await.map_err(|unfit| unfit.error)?;
                rehearsals.push(began.elapsed());
            }
            cuts.push(swaps.cut_over(kind, &wanted).await?.took);
            // Ends the probation, so that the next swap may begin.
            swaps.roll_back(kind, "measured".to_owned()).await;
        }
    }
    let compiled = match std::env::args().nth(1) {
        Some(file) => {
            let bytes = std::fs::read(&file)?;
            let (size, began) = (bytes.len(), Instant::now());
            runtime.load(bytes).await?;
            serde_json::json!({ "bytes": size, "ms": ms(began.elapsed()) })
        }
        None => serde_json::Value::Null,
    };
    println!(
        "{}",
        serde_json::json!({
            "cut_overs": cuts.len(),
            "cut_over_ms": percentiles(cuts),
            "rehearsal_of_64_calls_ms": percentiles(rehearsals),
            "checked_and_compiled": compiled,
        })
    );
    Ok(())
}

fn percentiles(mut times: Vec<Duration>) -> serde_json::Value {
    times.sort();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().map(ms);
    serde_json::json!({ "p50": at(0.5), "p99": at(0.99), "max": times.last().copied().map(ms) })
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
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
