//! `outboard stage …`: creates a stage project, checks and inspects components, runs them on recorded calls, and adds
//! them to a store or a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Ending, complain, say};
use crate::config::{Layers, compiling};
use crate::stage::{Compiler, StageRuntime, StageRuntimeConfig, inspect};
use crate::store::files::{aot_dir, keep_component};

mod new;
mod play;
mod push;
mod template;

/// Subcommand and options of `outboard stage`.
#[derive(Debug, Args)]
pub struct StageArgs {
    #[command(subcommand)]
    command: StageCommand,
}

#[derive(Debug, Subcommand)]
enum StageCommand {
    /// Create a project with a working stage and its tests.
    New(new::NewArgs),
    /// Check whether this host can run a component. Exits with 1 and the reasons if it cannot.
    Check {
        /// The component file (.wasm).
        file: PathBuf,
    },
    /// Add a component to a storage directory and print the digest by which pipelines refer to it.
    Add {
        /// The component file (.wasm).
        file: PathBuf,
        /// Storage directory of the server.
        #[arg(long, value_name = "DIR", env = "OUTBOARD_STORAGE__DIR", default_value = "storage")]
        storage: PathBuf,
    },
    /// Allow a server to compile a component again after its compilation crashed or exceeded a limit.
    Release {
        /// Digest of the component (sha256:…).
        digest: String,
        /// Storage directory of the server.
        #[arg(long, value_name = "DIR", env = "OUTBOARD_STORAGE__DIR", default_value = "storage")]
        storage: PathBuf,
    },
    /// Upload a component to a server and add it for a tenant.
    Push(push::PushArgs),
    /// Have a server fetch a component from an OCI registry and add it for a tenant.
    Pull(push::PullArgs),
    /// Run a component on recorded calls and print its answers, durations and memory use.
    Test(play::TestArgs),
    /// Repeat the call in which a stage failed, from the evidence of a server.
    Replay(play::ReplayArgs),
    /// Print all information about a component as JSON.
    Inspect {
        /// The component file (.wasm).
        file: PathBuf,
    },
}

/// Prints the result; fails if the component cannot be used.
pub async fn run(args: &StageArgs, layers: Layers) -> anyhow::Result<Ending> {
    let compiler = match compiling(layers) {
        Ok(compiler) => Compiler::Child(compiler),
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    let config = StageRuntimeConfig { compiler, ..StageRuntimeConfig::default() };
    let (file, whole) = match &args.command {
        StageCommand::New(args) => return new::run(args),
        StageCommand::Check { file } => (file, false),
        StageCommand::Inspect { file } => (file, true),
        StageCommand::Add { file, .. } => (file, false),
        StageCommand::Release { digest, storage } => {
            let released = crate::stage::release(&aot_dir(storage), digest).await;
            complain(&match released {
                true => format!("{digest} will be compiled again when it is added or a pipeline needs it"),
                false => format!("{digest} is not marked as failed in {}", storage.display()),
            });
            return Ok(if released { Ending::Done } else { Ending::Failed });
        }
        StageCommand::Push(args) => return push::push(args).await,
        StageCommand::Pull(args) => return push::pull(args).await,
        StageCommand::Test(args) => return play::test(args, &config).await,
        StageCommand::Replay(args) => return play::replay(args, &config).await,
    };
    let runtime = StageRuntime::new(&config)?;
    let report = inspect::inspect(&runtime, file).await;
    if let (StageCommand::Add { file, storage }, true) = (&args.command, report.is_usable()) {
        say(&keep_component(storage, file).await?);
        return Ok(Ending::Done);
    }
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
