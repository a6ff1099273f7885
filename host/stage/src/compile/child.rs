//! The process that compiles, as its parent sees it.
//!
//! The component goes to its standard input. From its standard output come, in this order: a line ([`Said`]), the compiled code,
//! another line. The code is here before the component runs for the first time, so what that does to the process changes
//! nothing in it. How the process ends says which limit it reached.

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
use outboard_process::{Child, Launch, Walls};

/// The command of `outboard` that does it.
const COMMAND: &str = "compile-component";
/// Bytes of what the process writes to standard error that are kept.
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// What the process says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    /// So many bytes of code follow, for this engine.
    Code { engine: String, bytes: u64 },
    /// The component described itself.
    Described,
    /// It cannot be used.
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
    /// Not for a reason in the component.
    Unable(String),
}

/// Why there is no code.
#[derive(Debug)]
pub(super) enum Ended {
    /// The component is refused.
    Refused(LoadError),
    /// The process ended, or was ended, because of the component.
    Broke(String),
    /// It could not be tried.
    Unable(String),
}

/// Compiles in a process of its own, which ends when this future is dropped. `engine`, `pooled`: what the code is for.
pub(super) async fn compile(
    compiler: &ChildCompiler,
    wasm: Bytes,
    (engine, pooled): (&str, bool),
) -> Result<Vec<u8>, Ended> {
    let mut child = start(compiler, pooled).await?;
    let wall_clock = compiler.wall_clock();
    // Dropping the child ends it.
    match tokio::time::timeout(wall_clock, talk(&mut child, wasm, engine, compiler)).await {
        Ok(ended) => ended,
        Err(_) => Err(Ended::Broke(format!("it took more than {} s from start to end", wall_clock.as_secs_f64()))),
    }
}

/// The process, with its pipes. It reaches no files and no network.
async fn start(compiler: &ChildCompiler, pooled: bool) -> Result<Child, Ended> {
    let walls = Walls {
        // What counts is what it writes to, and it bounds that itself. A component's memories are reserved at their full size.
        memory_bytes: compiler.memory_bytes.saturating_add(STAGE_COMPILE_RESERVED_BYTES),
        // Memories' first content lies in files in memory.
        file_bytes: Some(STAGE_COMPILED_BYTES_MAX),
        ..Walls::closed(0, Duration::from_secs(compiler.cpu_seconds()))
    };
    let mut args = vec![COMMAND.to_owned()];
    args.extend(["--cpu-seconds".to_owned(), compiler.cpu_seconds().to_string()]);
    args.extend(["--memory-bytes".to_owned(), compiler.memory_bytes.to_string()]);
    args.extend(pooled.then(|| "--pooled".to_owned()));
    let launch = Launch::new(&compiler.program, walls).args(args).dir(Some(Path::new("/")));
    let launch = launch.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    launch.launch().await.map_err(|error| Ended::Unable(error.to_string()))
}

async fn talk(child: &mut Child, wasm: Bytes, engine: &str, limits: &ChildCompiler) -> Result<Vec<u8>, Ended> {
    let (Some(mut input), Some(output), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Ended::Unable("the compiler has no pipes".to_owned()));
    };
    let feed = async {
        // One that ends early does not read on; its end says why.
        input.write_all(&wasm).await.ok();
        drop(input);
    };
    let ((), answer, complaint) = tokio::join!(feed, listen(BufReader::new(output), engine), complaint(errors));
    match answer {
        Ok(Some(code)) => Ok(code),
        Ok(None) => match child.wait().await {
            Ok(status) => Err(judge(status, &complaint, limits)),
            Err(error) => Err(Ended::Unable(format!("how the compiler ended is not known: {error}"))),
        },
        Err(Ended::Refused(LoadError::Compile(reason))) if is_out_of_memory(&reason) => {
            Err(Ended::Broke(too_much_memory(limits)))
        }
        Err(ended) => Err(ended),
    }
}

/// The code; `None`: the process ended before it had said everything.
async fn listen(mut output: impl AsyncBufRead, engine: &str) -> Result<Option<Vec<u8>>, Ended> {
    let bytes = match line(&mut output).await? {
        None => return Ok(None),
        Some(Said::Code { engine: of, bytes }) if of == engine => bytes,
        Some(Said::Code { .. }) => {
            return Err(Ended::Unable("the compiler is another version's: restart the server".to_owned()));
        }
        Some(other) => return Err(refused(other)),
    };
    if bytes > STAGE_COMPILED_BYTES_MAX {
        let reason = format!("its compiled code has {bytes} bytes; {STAGE_COMPILED_BYTES_MAX} are possible");
        return Err(Ended::Refused(LoadError::Compile(reason)));
    }
    let mut code = Vec::new();
    let read = (&mut output).take(bytes).read_to_end(&mut code).await;
    if read.map_err(unread)? as u64 != bytes {
        return Ok(None);
    }
    match line(&mut output).await? {
        None => Ok(None),
        Some(Said::Described) => Ok(Some(code)),
        Some(other) => Err(refused(other)),
    }
}

/// A line; `None`: there is none.
async fn line(output: &mut impl AsyncBufRead) -> Result<Option<Said>, Ended> {
    let mut line = Vec::new();
    output.take(STAGE_COMPILER_WORDS_BYTES as u64).read_until(b'\n', &mut line).await.map_err(unread)?;
    if line.pop() != Some(b'\n') {
        return Ok(None);
    }
    let said = serde_json::from_slice(&line);
    said.map(Some).map_err(|error| Ended::Unable(format!("what the compiler said makes no sense: {error}")))
}

fn refused(said: Said) -> Ended {
    Ended::Refused(match said {
        Said::Refused(Refusal::ForbiddenImports(imports)) => LoadError::ForbiddenImports(imports),
        Said::Refused(Refusal::World(reason)) => LoadError::World(reason),
        Said::Refused(Refusal::Compile(reason)) => LoadError::Compile(reason),
        Said::Refused(Refusal::FirstCall(reason)) => LoadError::FirstCall(reason),
        Said::Refused(Refusal::Unable(reason)) => return Ended::Unable(reason),
        Said::Code { .. } | Said::Described => return Ended::Unable("the compiler spoke out of turn".to_owned()),
    })
}

fn unread(error: std::io::Error) -> Ended {
    Ended::Unable(format!("the compiler cannot be heard: {error}"))
}

/// The beginning of what the process complains of, read to its end.
async fn complaint(mut errors: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    (&mut errors).take(COMPLAINT_BYTES_MAX).read_to_end(&mut kept).await.ok();
    tokio::io::copy(&mut errors, &mut tokio::io::sink()).await.ok();
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// Why the process is gone though it did not say everything.
fn judge(status: ExitStatus, complaint: &str, limits: &ChildCompiler) -> Ended {
    let first = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing was said");
    let Some(signal) = status.signal() else {
        return match complaint.contains("panicked at") {
            true => Ended::Broke(format!("the compiler panicked: {first}")),
            false => Ended::Unable(format!("the compiler ended early ({status}): {first}")),
        };
    };
    match signal {
        libc::SIGXCPU => Ended::Broke(format!(
            "it took more than {} s of execution (limits.compile_seconds)",
            limits.cpu.as_secs_f64()
        )),
        libc::SIGABRT if is_out_of_memory(complaint) => Ended::Broke(too_much_memory(limits)),
        libc::SIGABRT if complaint.contains("overflowed its stack") => {
            Ended::Broke("it overflowed the compiler's call stack".to_owned())
        }
        libc::SIGABRT | libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGSYS | libc::SIGTRAP => {
            Ended::Broke(format!("the compiler crashed ({status}): {first}"))
        }
        // The kernel where memory runs out, or the limit of execution that cannot be raised.
        libc::SIGKILL => Ended::Broke(format!("the compiler was killed ({status})")),
        _ => Ended::Unable(format!("the compiler was ended from outside ({status})")),
    }
}

fn is_out_of_memory(text: &str) -> bool {
    let words = ["memory allocation of", "os error 12", "Cannot allocate memory", "out of memory"];
    words.iter().any(|word| text.contains(word))
}

fn too_much_memory(limits: &ChildCompiler) -> String {
    format!("it took more than {} MiB of memory (limits.compile_memory)", limits.memory_bytes >> 20)
}

/// What can be read line by line.
trait AsyncBufRead: tokio::io::AsyncBufRead + Unpin {}
impl<T: tokio::io::AsyncBufRead + Unpin> AsyncBufRead for T {}

#[cfg(test)]
mod tests;
