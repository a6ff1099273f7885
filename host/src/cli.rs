//! The command line: its commands, and the exit codes that scripts rely on.
//!
//! 0 done; 1 failed; 2 usage or configuration error (every problem is listed with its key); 3 the process hung and the
//! watchdog ended it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::address_space;
use crate::config::{Layers, Problems};
use crate::echo::{Echo, EchoArgs};
use crate::limits::ADDRESS_SPACE_MIN;
use crate::pipeline::status::Report;
use crate::room::shown;
use crate::stage::WorkerArgs;

mod database;
mod demo;
mod doctor;
mod progress;
mod run;
mod serve;
mod stage;
mod storage;
mod token;
#[cfg(test)]
mod unknown_test;

pub use progress::Progress;

/// Receive a live HLS stream, have its audio processed and send the result to RTMP destinations.
#[derive(Debug, Parser)]
#[command(name = "outboard", version, max_term_width = 110)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Args)]
struct LogArgs {
    /// Log filter: error, warn, info, debug, trace, or tracing directives.
    #[arg(long, global = true, value_name = "FILTER")]
    log_level: Option<String>,
    /// Log format: text or json.
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// The commands of the program, each with its options.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run one pipeline in the foreground, without a server.
    Run(Box<run::RunArgs>),
    /// Run a self-contained demo: a live source, a processor, a receiver and a pipeline that connects them.
    Demo(demo::DemoArgs),
    /// Run the test processor, which echoes audio fragments and can simulate faults.
    Echo(EchoArgs),
    /// Create, check, test and publish stage components.
    Stage(stage::StageArgs),
    /// Create, list and revoke tokens of a server. The server may be running.
    Token(token::TokenArgs),
    /// Back up, restore or initialize the database of a storage directory.
    Database(database::DatabaseArgs),
    /// Remove finished batches from a storage directory while no server runs on it.
    Storage(storage::StorageArgs),
    /// Check that this machine meets the requirements.
    Doctor(doctor::DoctorArgs),
    /// Compile one component, for another process of this program.
    #[command(hide = true)]
    CompileComponent(WorkerArgs),
    /// Run the server: API, web UI and the pipelines of all tenants.
    Serve(serve::ServeArgs),
}

/// The result of a command.
#[derive(Debug)]
pub enum Ending {
    /// The command succeeded and has nothing to report.
    Done,
    /// Success, with a line for scripts.
    Reported(Report),
    /// The configuration is invalid.
    Refused(Problems),
    /// Failure; the error is already printed.
    Failed,
}

/// Runs a command to its end and prints its result on standard output.
pub async fn main(cli: Cli) -> ExitCode {
    let layers = |file: Option<&PathBuf>| {
        let base = file.map_or_else(Layers::new, |path| Layers::new().file(path));
        base.environment(std::env::vars())
            .set("log.level", cli.log.log_level.clone())
            .set("log.format", cli.log.log_format.clone())
    };
    let ended = match &cli.command {
        Command::Run(args) => run::run(args, layers(args.config.as_ref())).await,
        Command::Demo(args) => demo::run(args, layers(None)).await,
        Command::Echo(args) => echo(args, layers(None)).await,
        Command::Stage(args) => stage::run(args, layers(None)).await,
        Command::Token(args) => token::run(args, layers(args.config.as_ref())).await,
        Command::Database(args) => database::run(args, layers(args.config.as_ref())).await,
        Command::Storage(args) => storage::run(args, layers(args.config.as_ref())).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::Serve(args) => serve::run(args, layers(args.config.as_ref())).await,
        // It needs no runtime: `main` runs it directly.
        Command::CompileComponent(_) => return ExitCode::FAILURE,
    };
    crate::telemetry::finish();
    match ended {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Reported(report)) => {
            say(&serde_json::to_string(&report).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Ok(Ending::Refused(problems)) => {
            complain(&format!("The configuration has {} problem(s):\n{problems}", problems.0.len()));
            ExitCode::from(2)
        }
        Ok(Ending::Failed) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("outboard: {}", whole(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Refuses to start live work if the process's address space is limited too much; `None`: it may start.
pub fn too_small(cli: &Cli) -> Option<ExitCode> {
    if !matches!(cli.command, Command::Serve(_) | Command::Run(_) | Command::Demo(_)) {
        return None;
    }
    let allowed = address_space::allowed()?;
    if allowed >= ADDRESS_SPACE_MIN {
        return None;
    }
    complain(&format!(
        "outboard: the address space of this process is limited to {} (ulimit -v), but at least {} is needed: raise the limit, or limit \
         memory with a cgroup (MemoryMax= in a systemd unit) instead",
        shown(allowed),
        shown(ADDRESS_SPACE_MIN)
    ));
    Some(ExitCode::FAILURE)
}

/// Reports that the operating system refused threads or a poller.
pub fn cannot_begin(error: &std::io::Error) -> ExitCode {
    complain(&format!(
        "outboard: cannot start its threads: {error}. Raise the limits of memory and processes (ulimit -v, -u)"
    ));
    ExitCode::FAILURE
}

/// An error with its causes, each printed once: our errors already contain the text of their cause.
fn whole(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

async fn echo(args: &EchoArgs, layers: Layers) -> anyhow::Result<Ending> {
    let (host, _) = match crate::config::check(layers, false) {
        Ok(checked) => checked,
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    crate::telemetry::start(&host.log_level, host.log_json, None);
    let echo = Echo::start(args.clone().into()).await?;
    complain(&format!("echo processor on {}", echo.url()));
    run::stop_signal().cancelled().await;
    say(&serde_json::to_string(&echo.stats())?);
    echo.shutdown().await;
    Ok(Ending::Done)
}

/// Prints a line for scripts on standard output.
#[expect(clippy::print_stdout, reason = "the command line's answer")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a line for people on standard error.
#[expect(clippy::print_stderr, reason = "the command line's answer")]
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}
