//! `outboard doctor`: checks whether this machine meets the requirements, and says how to fix what is missing.

use std::path::PathBuf;

use clap::Args;

use super::{Ending, say};
use crate::ffmpeg;
use crate::stage::{StageKind, StageRuntime, StageRuntimeConfig};
use crate::store::files::Storage;

/// Command-line options of `outboard doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Storage directory to check.
    #[arg(long, value_name = "DIR", default_value = "storage")]
    storage: PathBuf,
}

/// The oldest major version of ffmpeg that Outboard is tested with.
const FFMPEG_MAJOR: u32 = 5;
/// Free disk space in bytes below which a warning is printed.
const FREE_DISK_BYTES: u64 = 2_000_000_000;

/// Runs all checks; fails if any of them fails.
pub async fn run(args: &DoctorArgs) -> anyhow::Result<Ending> {
    let checks = [
        ("ffmpeg", ffmpeg().await),
        ("encoders", encoders().await),
        ("confinement", Ok(crate::process::support().to_string())),
        ("storage", storage(args)),
        ("disk", disk(args)),
        ("stages", stages().await),
    ];
    for (name, result) in &checks {
        match result {
            Ok(text) => say(&format!("ok    {name:<11} {text}")),
            Err(text) => say(&format!("FAIL  {name:<11} {text}")),
        }
    }
    let failed = checks.iter().any(|(_, result)| result.is_err());
    Ok(if failed { Ending::Failed } else { Ending::Done })
}

async fn ffmpeg() -> Result<String, String> {
    let version = ffmpeg::version().await.map_err(|error| error.to_string())?;
    let number = version.split_whitespace().nth(2).unwrap_or_default();
    let major: Option<u32> = number.trim_start_matches('n').split('.').next().and_then(|text| text.parse().ok());
    match major {
        Some(old) if old < FFMPEG_MAJOR => Err(format!("{version}: {FFMPEG_MAJOR}.1 or newer is needed")),
        // Builds from git have a date or a hash instead of a version number.
        _ => Ok(version),
    }
}

async fn encoders() -> Result<String, String> {
    let mut command = ffmpeg::command("file,pipe");
    command.args(["-f", "lavfi", "-i", "sine=d=0.1", "-c:a", "aac", "-f", "adts", "pipe:1"]);
    let made = ffmpeg::output("encoder check", command, 1 << 20, crate::limits::FFMPEG_TIMEOUT).await;
    made.map(|bytes| format!("aac works ({} bytes)", bytes.len())).map_err(|error| error.to_string())
}

fn storage(args: &DoctorArgs) -> Result<String, String> {
    match Storage::open(&args.storage) {
        Ok(_) => Ok(format!("{} is writable", args.storage.display())),
        Err(error) => Err(error.to_string()),
    }
}

fn disk(args: &DoctorArgs) -> Result<String, String> {
    let stat = rustix::fs::statvfs(&args.storage).map_err(|error| format!("{}: {error}", args.storage.display()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let gb = free as f64 / 1e9;
    if free < FREE_DISK_BYTES {
        return Err(format!("{gb:.1} GB free: at least 2 GB are recommended (a 5 Mb/s stream writes about 3 MB/s)"));
    }
    Ok(format!("{gb:.1} GB free"))
}

async fn stages() -> Result<String, String> {
    let runtime = StageRuntime::new(&StageRuntimeConfig::default()).map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    for kind in StageKind::ALL {
        let component = runtime.bundled(kind).await.map_err(|error| format!("{kind}: {error}"))?;
        names.push(component.description().name.clone());
    }
    let pool = if runtime.is_pooled() {
        ""
    } else {
        " (not enough address space for an instance pool: stages start more slowly)"
    };
    Ok(format!("{} run here{pool}", names.join(", ")))
}
