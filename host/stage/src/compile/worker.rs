//! `outboard compile-component`: the process that compiles a stranger's component, from inside.
//!
//! It takes its limits before it reads a byte, then the component from standard input; answers on standard output as
//! [`child`](super::child) tells. It needs no environment and no files, and does one component, then it ends.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::child::{Refusal, Said};
use crate::error::LoadError;
use crate::limits::{STAGE_COMPILE_STACK_BYTES, STAGE_COMPILED_BYTES_MAX, STAGE_COMPONENT_BYTES_MAX};
use crate::runtime::{StageRuntime, lower_priority};
use outboard_base::Digest;

/// Options of `compile-component`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// For an engine with a pool of instances.
    #[arg(long)]
    pooled: bool,
    /// Time of execution, seconds.
    #[arg(long)]
    cpu_seconds: u64,
    /// Memory that may be written to, bytes.
    #[arg(long)]
    memory_bytes: u64,
}

/// Compiles the component on standard input.
pub fn run(args: &WorkerArgs) -> ExitCode {
    if take_limits(args).is_err() {
        return ExitCode::FAILURE;
    }
    let pooled = args.pooled;
    let work = std::thread::Builder::new().stack_size(STAGE_COMPILE_STACK_BYTES).spawn(move || work(pooled));
    match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        // What a panic said stands on standard error; to nobody who listens nothing can be said.
        _ => ExitCode::FAILURE,
    }
}

fn take_limits(args: &WorkerArgs) -> rustix::io::Result<()> {
    lower_priority();
    // One that is lower already stays.
    let below = |resource, limit: u64, last: u64| {
        let maximum = last.min(rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX));
        setrlimit(resource, Rlimit { current: Some(limit.min(maximum)), maximum: Some(maximum) })
    };
    // First a signal that says so, a second later the end.
    below(Resource::Cpu, args.cpu_seconds, args.cpu_seconds.saturating_add(1))?;
    // Memory that is only reserved does not count, as an instance reserves more than it can ever use.
    below(Resource::Data, args.memory_bytes, args.memory_bytes)?;
    below(Resource::Core, 0, 0)?;
    // Memory's first content lies in a file in memory.
    below(Resource::Fsize, STAGE_COMPILED_BYTES_MAX, STAGE_COMPILED_BYTES_MAX)
}

fn work(pooled: bool) -> io::Result<()> {
    let mut wasm = Vec::new();
    io::stdin().take(STAGE_COMPONENT_BYTES_MAX).read_to_end(&mut wasm)?;
    let mut output = io::stdout().lock();
    let runtime = match StageRuntime::in_worker(pooled) {
        Ok(runtime) => runtime,
        Err(error) => return say(&mut output, &Said::Refused(Refusal::Unable(error.to_string()))),
    };
    let (code, linked) = match runtime.compile_here(&wasm) {
        Ok(made) => made,
        Err(error) => return say(&mut output, &Said::Refused(refusal(error))),
    };
    say(&mut output, &Said::Code { engine: runtime.engine_name().to_owned(), bytes: code.len() as u64 })?;
    output.write_all(&code)?;
    output.flush()?;
    drop(code);
    let tasks = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let said = match tasks.block_on(runtime.describe(Digest::of(&wasm), &linked)) {
        Ok(_) => Said::Described,
        Err(error) => Said::Refused(refusal(error)),
    };
    say(&mut output, &said)
}

fn say(output: &mut impl io::Write, said: &Said) -> io::Result<()> {
    output.write_all(&serde_json::to_vec(said)?)?;
    output.write_all(b"\n")?;
    output.flush()
}

fn refusal(error: LoadError) -> Refusal {
    match error {
        LoadError::ForbiddenImports(imports) => Refusal::ForbiddenImports(imports),
        LoadError::World(reason) => Refusal::World(reason),
        LoadError::Compile(reason) => Refusal::Compile(reason),
        other => Refusal::FirstCall(other.to_string()),
    }
}
