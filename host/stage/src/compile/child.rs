//! Runs the compiling process, from its parent's side.
//!
//! The component is written to its standard input. Its standard output has, in this order: a line ([`WorkerMessage`]), the compiled
//! code, another line. The parent has read the code before the component runs for the first time, so the component cannot change
//! it. The exit status of the process tells which limit it reached.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::ChildCompiler;
use crate::error::LoadError;
use crate::limits::{STAGE_COMPILE_RESERVED_BYTES, STAGE_COMPILED_BYTES_MAX, STAGE_COMPILER_WORDS_BYTES};
use outboard_process::{Child, Confinement, Launch};

/// The command of `outboard` that compiles.
const COMMAND: &str = "compile-component";
/// Most bytes of the process's standard error that are kept.
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// A line that the process writes to its standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WorkerMessage {
    /// This many bytes of code follow, for this engine.
    Code { engine: String, bytes: u64 },
    /// The component described itself.
    Described,
    /// The component cannot be used.
    Refused(Refusal),
}

/// Why a component cannot be used; see [`LoadError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refusal {
    ForbiddenImports(Vec<String>),
    World(String),
    Compile(String),
    FirstCall(String),
    /// The compiler failed for a reason outside of the component.
    Unable(String),
}

/// Why there is no compiled code.
#[derive(Debug)]
pub(super) enum CompileFailure {
    /// The component is refused.
    Refused(LoadError),
    /// The component made the process end early or reach a limit.
    Broke(String),
    /// The compiler could not be run; the component is not the reason.
    Unable(String),
}

/// Compiles in a new process, which is killed when this future is dropped. `engine` and `pooled`: the engine that the code is for.
///
/// # Errors
/// [`CompileFailure`]; at the latest after [`ChildCompiler::wall_clock`].
pub(super) async fn compile(
    compiler: &ChildCompiler,
    wasm: Bytes,
    (engine, pooled): (&str, bool),
) -> Result<Vec<u8>, CompileFailure> {
    let mut child = start(compiler, pooled).await?;
    let wall_clock = compiler.wall_clock();
    // Dropping the child kills it.
    match tokio::time::timeout(wall_clock, exchange(&mut child, wasm, engine, compiler)).await {
        Ok(ended) => ended,
        Err(_) => {
            Err(CompileFailure::Broke(format!("it took more than {} s from start to end", wall_clock.as_secs_f64())))
        }
    }
}

/// Starts the process with pipes to it. It cannot use files or the network.
async fn start(compiler: &ChildCompiler, pooled: bool) -> Result<Child, CompileFailure> {
    let confinement = Confinement {
        // The process itself limits the memory that it writes to. This is address space: a component's memories reserve their full size.
        memory_bytes: compiler.memory_bytes.saturating_add(STAGE_COMPILE_RESERVED_BYTES),
        // The initial content of memories is in files in memory.
        file_bytes: Some(STAGE_COMPILED_BYTES_MAX),
        ..Confinement::closed(0, Duration::from_secs(compiler.cpu_seconds()))
    };
    let mut args = vec![COMMAND.to_owned()];
    args.extend(["--cpu-seconds".to_owned(), compiler.cpu_seconds().to_string()]);
    args.extend(["--memory-bytes".to_owned(), compiler.memory_bytes.to_string()]);
    args.extend(pooled.then(|| "--pooled".to_owned()));
    let launch = Launch::new(&compiler.program, confinement).args(args).dir(Some(Path::new("/")));
    let launch = launch.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    launch.launch().await.map_err(|error| CompileFailure::Unable(error.to_string()))
}

async fn exchange(
    child: &mut Child,
    wasm: Bytes,
    engine: &str,
    limits: &ChildCompiler,
) -> Result<Vec<u8>, CompileFailure> {
    let (Some(mut input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(CompileFailure::Unable("the compiler has no pipes".to_owned()));
    };
    let feed = async {
        // A process that ended early stops reading; its exit status says why.
        input.write_all(&wasm).await.ok();
        drop(input);
    };
    let ((), answer, complaint) = tokio::join!(feed, read_answer(BufReader::new(output), engine), complaint(errors));
    match answer {
        Ok(Some(code)) => Ok(code),
        Ok(None) => match child.wait().await {
            Ok(status) => Err(failure_of(status, &complaint, limits)),
            Err(error) => Err(CompileFailure::Unable(format!("how the compiler ended is not known: {error}"))),
        },
        Err(CompileFailure::Refused(LoadError::Compile(reason))) if is_out_of_memory(&reason) => {
            Err(CompileFailure::Broke(too_much_memory(limits)))
        }
        Err(ended) => Err(ended),
    }
}

/// Reads the code; `None` if the process ended before its last line.
async fn read_answer(mut output: impl AsyncBufRead, engine: &str) -> Result<Option<Vec<u8>>, CompileFailure> {
    let bytes = match line(&mut output).await? {
        None => return Ok(None),
        Some(WorkerMessage::Code { engine: of, bytes }) if of == engine => bytes,
        Some(WorkerMessage::Code { .. }) => {
            return Err(CompileFailure::Unable("the compiler is another version's: restart the server".to_owned()));
        }
        Some(other) => return Err(refused(other)),
    };
    if bytes > STAGE_COMPILED_BYTES_MAX {
        let reason = format!("its compiled code has {bytes} bytes; {STAGE_COMPILED_BYTES_MAX} are possible");
        return Err(CompileFailure::Refused(LoadError::Compile(reason)));
    }
    let mut code = Vec::new();
    let read = (&mut output).take(bytes).read_to_end(&mut code).await;
    if read.map_err(unread)? as u64 != bytes {
        return Ok(None);
    }
    match line(&mut output).await? {
        None => Ok(None),
        Some(WorkerMessage::Described) => Ok(Some(code)),
        Some(other) => Err(refused(other)),
    }
}

/// Reads a line; `None` at the end of the output.
async fn line(output: &mut impl AsyncBufRead) -> Result<Option<WorkerMessage>, CompileFailure> {
    let mut line = Vec::new();
    output.take(STAGE_COMPILER_WORDS_BYTES as u64).read_until(b'\n', &mut line).await.map_err(unread)?;
    if line.pop() != Some(b'\n') {
        return Ok(None);
    }
    let message = serde_json::from_slice(&line);
    message
        .map(Some)
        .map_err(|error| CompileFailure::Unable(format!("what the compiler wrote makes no sense: {error}")))
}

fn refused(message: WorkerMessage) -> CompileFailure {
    CompileFailure::Refused(match message {
        WorkerMessage::Refused(Refusal::ForbiddenImports(imports)) => LoadError::ForbiddenImports(imports),
        WorkerMessage::Refused(Refusal::World(reason)) => LoadError::World(reason),
        WorkerMessage::Refused(Refusal::Compile(reason)) => LoadError::Compile(reason),
        WorkerMessage::Refused(Refusal::FirstCall(reason)) => LoadError::FirstCall(reason),
        WorkerMessage::Refused(Refusal::Unable(reason)) => return CompileFailure::Unable(reason),
        WorkerMessage::Code { .. } | WorkerMessage::Described => {
            return CompileFailure::Unable("the compiler sent a message that was not expected".to_owned());
        }
    })
}

fn unread(error: std::io::Error) -> CompileFailure {
    CompileFailure::Unable(format!("the compiler's output cannot be read: {error}"))
}

/// Reads standard error to its end; returns the first [`COMPLAINT_BYTES_MAX`] bytes.
async fn complaint(mut errors: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    (&mut errors).take(COMPLAINT_BYTES_MAX).read_to_end(&mut kept).await.ok();
    tokio::io::copy(&mut errors, &mut tokio::io::sink()).await.ok();
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// Why the process ended before its last line.
fn failure_of(status: ExitStatus, complaint: &str, limits: &ChildCompiler) -> CompileFailure {
    let first = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or("it wrote no error");
    let Some(signal) = status.signal() else {
        return match complaint.contains("panicked at") {
            true => CompileFailure::Broke(format!("the compiler panicked: {first}")),
            false => CompileFailure::Unable(format!("the compiler ended early ({status}): {first}")),
        };
    };
    match signal {
        libc::SIGXCPU => CompileFailure::Broke(format!(
            "it took more than {} s of execution (limits.compile_seconds)",
            limits.cpu.as_secs_f64()
        )),
        libc::SIGABRT if is_out_of_memory(complaint) => CompileFailure::Broke(too_much_memory(limits)),
        libc::SIGABRT if complaint.contains("overflowed its stack") => {
            CompileFailure::Broke("it overflowed the compiler's call stack".to_owned())
        }
        libc::SIGABRT | libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGSYS | libc::SIGTRAP => {
            CompileFailure::Broke(format!("the compiler crashed ({status}): {first}"))
        }
        // Sent by the kernel: the machine is out of memory, or the hard limit of processor time was reached.
        libc::SIGKILL => CompileFailure::Broke(format!("the compiler was killed ({status})")),
        _ => CompileFailure::Unable(format!("the compiler was ended from outside ({status})")),
    }
}

fn is_out_of_memory(text: &str) -> bool {
    let words = ["memory allocation of", "os error 12", "Cannot allocate memory", "out of memory"];
    words.iter().any(|word| text.contains(word))
}

fn too_much_memory(limits: &ChildCompiler) -> String {
    format!("it took more than {} MiB of memory (limits.compile_memory)", limits.memory_bytes >> 20)
}

/// A source that can be read by lines.
trait AsyncBufRead: tokio::io::AsyncBufRead + Unpin {}
impl<T: tokio::io::AsyncBufRead + Unpin> AsyncBufRead for T {}

#[cfg(test)]
mod tests;
