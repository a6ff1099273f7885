//! `outboard stage test` and `outboard stage replay`: run a component on recorded calls, or on the call in which it
//! failed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use serde::de::DeserializeOwned;

use crate::cli::{Ending, complain, say};
use crate::limits::STAGE_FILE_BYTES_MAX;
use crate::stage::evidence::Evidence;
use crate::stage::recording::Recording;
use crate::stage::replay::{self, ReplayStart, ReplayedCall};
use crate::stage::{StageComponent, StageRuntime, StageRuntimeConfig};

/// Characters of an answer that are printed.
const ANSWER_CHARS: usize = 160;

/// Options of `stage test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The component file (.wasm).
    file: PathBuf,
    /// The recording, from `/recordings/<pipeline>/<kind>.json` of a server.
    #[arg(long, value_name = "FILE")]
    recording: PathBuf,
    /// Settings as a JSON object. Default: the settings of the recording.
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
}

/// Options of `stage replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The evidence, from `/evidence/<pipeline>/<id>.json` of a server.
    bundle: PathBuf,
    /// The component that failed, or another version of it.
    #[arg(long, value_name = "FILE")]
    component: PathBuf,
}

/// Repeats the recorded calls; fails if any call fails.
pub async fn test(args: &TestArgs, config: &StageRuntimeConfig) -> anyhow::Result<Ending> {
    let runtime = &StageRuntime::new(config)?;
    let recording: Recording = read(&args.recording, "a recording")?;
    let component = load(runtime, &args.file).await?;
    let settings = args.settings.clone().unwrap_or_else(|| recording.settings.clone());
    let replayed =
        replay::recording(runtime, component, ReplayStart { settings, ..ReplayStart::default() }, &recording).await?;
    show(&replayed);
    let (all, made) = (recording.calls.len(), replayed.len());
    let failed = replayed.last().is_some_and(|last| last.result.is_err());
    let slowest = replayed.iter().map(|one| one.took).max().unwrap_or_default();
    let memory = replayed.last().map_or(0, |last| last.memory_bytes);
    say(&format!("{made} of {all} calls, the slowest {slowest:.1?}, {} KiB of memory", memory / 1024));
    Ok(if failed { Ending::Failed } else { Ending::Done })
}

/// Repeats the call that failed; fails if the component fails again.
pub async fn replay(args: &ReplayArgs, config: &StageRuntimeConfig) -> anyhow::Result<Ending> {
    let runtime = &StageRuntime::new(config)?;
    let evidence: Evidence = read(&args.bundle, "evidence")?;
    let component = load(runtime, &args.component).await?;
    let label = component.label();
    if label.digest != evidence.component.digest {
        say(&format!(
            "note: the component that failed was another version, {} {}",
            evidence.component.name, evidence.component.version
        ));
    }
    say(&format!("then: {}", evidence.error));
    let (replayed, again) = replay::evidence(runtime, component, &evidence).await?;
    show(&replayed);
    say(if again {
        "the component fails again"
    } else {
        "the component does not fail: the recorded calls do not reproduce the failure"
    });
    Ok(if again { Ending::Failed } else { Ending::Done })
}

fn show(replayed: &[ReplayedCall]) {
    for (n, ReplayedCall { call, result, took, memory_bytes }) in replayed.iter().enumerate() {
        let memory = memory_bytes / 1024;
        match result {
            Ok(answer) => {
                let shown: String = answer.chars().take(ANSWER_CHARS).collect();
                let more = if shown.len() < answer.len() { "…" } else { "" };
                say(&format!("{n:>4} {call:<14} {took:>9.1?} {memory:>7} KiB  {shown}{more}"));
            }
            Err(error) => complain(&format!("{n:>4} {call:<14} {took:>9.1?} {memory:>7} KiB  {error}")),
        }
    }
}

async fn load(runtime: &StageRuntime, file: &Path) -> anyhow::Result<std::sync::Arc<StageComponent>> {
    runtime.load_file(file).await.with_context(|| file.display().to_string())
}

fn read<T: DeserializeOwned>(file: &Path, what: &str) -> anyhow::Result<T> {
    let size = std::fs::metadata(file).with_context(|| file.display().to_string())?.len();
    anyhow::ensure!(
        size <= STAGE_FILE_BYTES_MAX,
        "{}: {size} bytes; the limit for {what} is {STAGE_FILE_BYTES_MAX}",
        file.display()
    );
    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not {what} of a server", file.display()))
}
