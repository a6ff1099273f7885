//! `outboard stage …`: a project to start from; what a component is, whether this host can run it, what it does with recorded
//! calls; and into a store or a server.

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

/// Options of `stage`.
#[derive(Debug, Args)]
pub struct StageArgs {
    #[command(subcommand)]
    command: StageCommand,
}

#[derive(Debug, Subcommand)]
enum StageCommand {
    /// Write a project to start from: a stage that works, with its tests.
    New(new::NewArgs),
    /// Say whether this host can run the component; exit with 1 and the reasons if not.
    Check {
        /// The component, a .wasm file.
        file: PathBuf,
    },
    /// Put the component into a storage's store, so that pipelines of its server can name it by the digest printed.
    Add {
        /// The component, a .wasm file.
        file: PathBuf,
        /// The server's storage folder.
        #[arg(long, value_name = "DIR", env = "OUTBOARD_STORAGE__DIR", default_value = "storage")]
        storage: PathBuf,
    },
    /// Let a server try a component again that ended its compiler, or the limits of its compilation.
    Release {
        /// sha256:… of the component.
        digest: String,
        /// The server's storage folder.
        #[arg(long, value_name = "DIR", env = "OUTBOARD_STORAGE__DIR", default_value = "storage")]
        storage: PathBuf,
    },
    /// Send the component to a server, which lists it for its tenant.
    Push(push::PushArgs),
    /// Have a server fetch the component from an OCI registry and list it for its tenant.
    Pull(push::PullArgs),
    /// Run the component on recorded calls; print what it answered, how long it took and how much memory it has.
    Test(play::TestArgs),
    /// Make the call again in which a stage failed, from a server's evidence.
    Replay(play::ReplayArgs),
    /// Tell everything that is known of the component, as JSON.
    Inspect {
        /// The component, a .wasm file.
        file: PathBuf,
    },
}

/// Prints what was found; a component that cannot be used is a failure.
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
                true => format!("{digest} is tried again when it is added, or a pipeline needs it"),
                false => format!("{digest} is not held back in {}", storage.display()),
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
