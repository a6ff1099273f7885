//! Starts child processes. Every program that the host runs is started here, between the same walls.
//!
//! A child gets an environment of its own (`PATH` and the language `C`, nothing of ours), no file descriptors but its
//! three streams, a process group of its own, resource limits, no way to gain rights, the files that are named and the
//! programs and libraries of the system to read, and the network only where it is given. [`Walls`] says what one child may
//! use, [`standing()`] which walls this machine has. A wall that the kernel does not have is left out and told once; one that
//! it has and that cannot be put up is an error: the child does not run.
//!
//! The walls are put up between fork and exec, so children are forked; everything is prepared before the fork, and only
//! system calls are made after it. Children are forked by threads of their own (`launcher`) and end with this process.
//!
//! In: a program, its arguments and its [`Walls`]. Out: a [`Child`], or why it did not start. Limits: [`limits`]. It uses no other crate
//! of ours, and never knows what a child is for.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

mod child;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod launcher;
pub mod limits;
#[cfg(target_os = "linux")]
mod linux;
mod standing;

pub use child::{Child, Ended};
pub use launcher::begin;
pub use standing::Standing;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use linux as system;

use crate::limits::CHILD_OPEN_FILES;

/// Which walls this machine has. Looks once, and says once at WARN what is missing.
pub fn standing() -> Standing {
    static STANDING: OnceLock<Standing> = OnceLock::new();
    *STANDING.get_or_init(|| {
        let standing = system::probe();
        for missing in standing.missing() {
            tracing::warn!("children run with fewer walls: {missing}");
        }
        standing
    })
}

/// What a child may use.
#[derive(Debug, Clone)]
pub struct Walls {
    /// Address space, bytes.
    pub memory_bytes: u64,
    /// Processor time of all its threads, whole seconds; `None`: without end. It is killed one second later.
    pub cpu: Option<Duration>,
    /// Bytes of each file that it writes; `None`: as much as there is room. Pipes do not count.
    pub file_bytes: Option<u64>,
    /// Stack of its main thread, bytes; `None`: what the host has.
    pub stack_bytes: Option<u64>,
    /// Descriptors open at once.
    pub open_files: u64,
    /// Files, and folders with all that is in them, that it may read. One that does not exist is passed over.
    pub read: Vec<PathBuf>,
    /// Files that it may change, and folders in which it may make, change and remove files. It may read them too.
    pub write: Vec<PathBuf>,
    /// What it may reach.
    pub network: Network,
}

impl Walls {
    /// No files, no network, no files written, `memory_bytes` of memory and `cpu` of processor time.
    pub fn closed(memory_bytes: u64, cpu: Duration) -> Self {
        Self {
            memory_bytes,
            cpu: Some(cpu),
            file_bytes: Some(0),
            stack_bytes: None,
            open_files: CHILD_OPEN_FILES,
            read: Vec::new(),
            write: Vec::new(),
            network: Network::None,
        }
    }
}

/// What a child may reach. Unix sockets are never among it.
///
/// The kernel tells addresses apart by port only: whoever starts the child gives it the address and no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// No socket can be made.
    None,
    /// UDP.
    Udp {
        /// The only port to send to, on any address, where the kernel can tell (Landlock ABI 10). `None`: all ports, also
        /// to listen on.
        port: Option<u16>,
    },
    /// TCP: listening on this port.
    Listen {
        /// The port.
        port: u16,
    },
}

/// Why a child did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The walls could not be put together.
    #[error("the walls for {program} cannot be made: {reason}")]
    Walls {
        /// What was to be run.
        program: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The system did not start it.
    #[error("cannot start {program}: {source}")]
    Start {
        /// What was to be run.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A child that is to be started.
#[derive(Debug)]
pub struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    dir: Option<PathBuf>,
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    pass: Vec<OwnedFd>,
    finishes: bool,
    walls: Walls,
}

impl Launch {
    /// `program` is a path, or a name that is looked up in `PATH`. Its three streams are connected to nothing.
    pub fn new(program: impl AsRef<OsStr>, walls: Walls) -> Self {
        Self {
            program: find(Path::new(program.as_ref())),
            args: Vec::new(),
            dir: None,
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
            pass: Vec::new(),
            finishes: false,
            walls,
        }
    }

    /// Adds arguments. Everybody on the machine can read them: no secrets.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The folder that it runs in, unless ours.
    pub fn dir(mut self, dir: Option<&Path>) -> Self {
        self.dir = dir.map(Path::to_owned);
        self
    }

    /// Where its input comes from.
    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.stdin = stdin;
        self
    }

    /// Where its output goes.
    pub fn stdout(mut self, stdout: Stdio) -> Self {
        self.stdout = stdout;
        self
    }

    /// Where its messages go.
    pub fn stderr(mut self, stderr: Stdio) -> Self {
        self.stderr = stderr;
        self
    }

    /// Gives it a descriptor under the number that it has here.
    pub fn pass(mut self, fd: OwnedFd) -> Self {
        self.pass.push(fd);
        self
    }

    /// When this process ends without a word (`kill -9`), it is not killed: it does what is left of its input, which ends
    /// then, and ends with it.
    pub fn finishes_its_input(mut self) -> Self {
        self.finishes = true;
        self
    }

    /// Starts it. Dropping the child ends its whole process group; when this process ends, the child is killed. Within
    /// [`CHILD_LAUNCH_TIME`](crate::limits::CHILD_LAUNCH_TIME). Cancel-safe: a child that nobody waits for is killed.
    ///
    /// # Errors
    /// [`LaunchError`].
    pub async fn launch(self) -> Result<Child, LaunchError> {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(&self.args).stdin(self.stdin).stdout(self.stdout).stderr(self.stderr);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.env_clear().envs(environment());
        // Ctrl-C at the terminal is for us alone: what is under way is still to be finished.
        command.process_group(0).kill_on_drop(true);
        let program = self.program;
        system::surround(&mut command, &program, &self.walls, self.pass, self.finishes)
            .map_err(|reason| LaunchError::Walls { program: program.clone(), reason })?;
        launcher::start(command).await.map_err(|source| LaunchError::Start { program, source })
    }
}

/// All of a child's environment: where programs are, and messages in the language that we look for words in.
fn environment() -> impl Iterator<Item = (&'static str, OsString)> {
    std::env::var_os("PATH").map(|path| ("PATH", path)).into_iter().chain([("LC_ALL", OsString::from("C"))])
}

/// The file behind a name, as the shell finds it; the name itself where there is none.
fn find(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| is_program(file));
    found.unwrap_or_else(|| program.to_owned())
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests;
