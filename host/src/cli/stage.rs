//! `outboard stage check|inspect`: what a component is, and whether this host can run it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Ending, complain, say};
use crate::stage::{StageRuntime, StageRuntimeConfig, inspect};

/// Options of `stage`.
#[derive(Debug, Args)]
pub struct StageArgs {
    #[command(subcommand)]
    command: StageCommand,
}

#[derive(Debug, Subcommand)]
enum StageCommand {
    /// Say whether this host can run the component; exit with 1 and the reasons if not.
    Check {
        /// The component, a .wasm file.
        file: PathBuf,
    },
    /// Tell everything that is known of the component, as JSON.
    Inspect {
        /// The component, a .wasm file.
        file: PathBuf,
    },
}

/// Prints what was found; a component that cannot be used is a failure.
pub async fn run(args: &StageArgs) -> anyhow::Result<Ending> {
    let runtime = StageRuntime::new(&StageRuntimeConfig::default())?;
    let (file, whole) = match &args.command {
        StageCommand::Check { file } => (file, false),
        StageCommand::Inspect { file } => (file, true),
    };
    let report = inspect::inspect(&runtime, file).await;
    match (&report.stage, whole) {
        (_, true) => say(&serde_json::to_string_pretty(&report)?),
        (Some(stage), false) => say(&format!(
            "{}: ok, a {} stage: {} {} ({})",
            file.display(),
            stage.kind,
            stage.name,
            stage.version,
            stage.digest
        )),
        (None, false) => complain(&report.to_string()),
    }
    Ok(if report.is_usable() { Ending::Done } else { Ending::Failed })
}
