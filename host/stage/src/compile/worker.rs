//! `outboard compile-component`: the code inside the process that compiles an untrusted component.
//!
//! It sets its limits first, then reads the component from standard input and answers on standard output, in the form that
//! [`child`](super::child) describes. It needs no environment and no files, compiles one component, and ends.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use rustix::process::{Resource, Rlimit, setrlimit};

use super::child::{Refusal, WorkerMessage};
use crate::error::LoadError;
use crate::limits::{STAGE_COMPILE_STACK_BYTES, STAGE_COMPILED_BYTES_MAX, STAGE_COMPONENT_BYTES_MAX};
use crate::runtime::{StageRuntime, lower_priority};
use outboard_base::Digest;

/// Command-line options of `compile-component`.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// Compile for an engine with a pool of instances.
    #[arg(long)]
    pooled: bool,
    /// Limit of processor time, seconds.
    #[arg(long)]
    cpu_seconds: u64,
    /// Limit of memory that is written to, bytes.
    #[arg(long)]
    memory_bytes: u64,
}

/// Compiles the component on standard input; returns the exit code of the process.
pub fn run(args: &WorkerArgs) -> ExitCode {
    if take_limits(args).is_err() {
        return ExitCode::FAILURE;
    }
    let pooled = args.pooled;
    let work = std::thread::Builder::new().stack_size(STAGE_COMPILE_STACK_BYTES).spawn(move || work(pooled));
    match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        // A panic's text is on standard error. After a failed write nobody reads the output any more.
        _ => ExitCode::FAILURE,
    }
}

fn take_limits(args: &WorkerArgs) -> rustix::io::Result<()> {
    lower_priority();
    // A limit that is lower already stays.
    let below = |resource, limit: u64, last: u64| {
        let maximum = last.min(rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX));
        setrlimit(resource, Rlimit { current: Some(limit.min(maximum)), maximum: Some(maximum) })
    };
    // First a signal that the parent recognises; one second later the process is killed.
    below(Resource::Cpu, args.cpu_seconds, args.cpu_seconds.saturating_add(1))?;
    // Reserved memory does not count: an instance reserves more than it can use.
    below(Resource::Data, args.memory_bytes, args.memory_bytes)?;
    below(Resource::Core, 0, 0)?;
    // The initial content of memories is in a file in memory.
    below(Resource::Fsize, STAGE_COMPILED_BYTES_MAX, STAGE_COMPILED_BYTES_MAX)
}

fn work(pooled: bool) -> io::Result<()> {
    let mut wasm = Vec::new();
    io::stdin().take(STAGE_COMPONENT_BYTES_MAX).read_to_end(&mut wasm)?;
    let mut output = io::stdout().lock();
    let runtime = match StageRuntime::in_worker(pooled) {
        Ok(runtime) => runtime,
        Err(error) => return send(&mut output, &WorkerMessage::Refused(Refusal::Unable(error.to_string()))),
    };
    let (code, linked) = match runtime.compile_here(&wasm) {
        Ok(made) => made,
        Err(error) => return send(&mut output, &WorkerMessage::Refused(refusal(error))),
    };
    send(&mut output, &WorkerMessage::Code { engine: runtime.engine_name().to_owned(), bytes: code.len() as u64 })?;
    output.write_all(&code)?;
    output.flush()?;
    drop(code);
    let tasks = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let message = match tasks.block_on(runtime.describe(Digest::of(&wasm), &linked)) {
        Ok(_) => WorkerMessage::Described,
        Err(error) => WorkerMessage::Refused(refusal(error)),
    };
    send(&mut output, &message)
}

fn send(output: &mut impl io::Write, message: &WorkerMessage) -> io::Result<()> {
    output.write_all(&serde_json::to_vec(message)?)?;
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
