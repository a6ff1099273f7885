//! Starts confined child processes. Every program that the host runs is started here.
//!
//! A child gets a minimal environment (`PATH` and the language `C`), no file descriptors except its three streams, its own process
//! group, resource limits, and no way to gain rights. It may read the named files and the system's programs and libraries, and use the
//! network only as far as it is allowed. [`Confinement`] says what a child may use, [`support()`] which restrictions the kernel
//! supports. An unsupported restriction is omitted and logged once. If a supported one cannot be applied, the child does not run.
//!
//! Restrictions are applied between fork and exec. Everything is prepared before the fork, and only system calls are made after it.
//! Separate threads (`launcher`) fork the children, which end with this process.
//!
//! In: a program, its arguments and its [`Confinement`]. Out: a [`Child`], or why it did not start. Limits: [`limits`]. It uses no other
//! crate of the host, and never depends on what a child is for.

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
mod support;

pub use child::{Child, Ended};
pub use launcher::begin;
pub use support::ConfinementSupport;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use linux as system;

use crate::limits::CHILD_OPEN_FILES;

/// Which restrictions this machine supports. Checked once; what is missing is logged once, at WARN.
pub fn support() -> ConfinementSupport {
    static SUPPORT: OnceLock<ConfinementSupport> = OnceLock::new();
    *SUPPORT.get_or_init(|| {
        let support = system::probe();
        for missing in support.missing() {
            tracing::warn!("children run with less confinement: {missing}");
        }
        support
    })
}

/// What a child may use: memory, time, files, network.
#[derive(Debug, Clone)]
pub struct Confinement {
    /// Largest address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time of all its threads, in whole seconds; `None`: no limit. It gets a signal then, and is killed a second later.
    pub cpu: Option<Duration>,
    /// Largest file that it may write, in bytes; `None`: no limit. Pipes do not count.
    pub file_bytes: Option<u64>,
    /// Stack of its main thread, in bytes; `None`: as the host.
    pub stack_bytes: Option<u64>,
    /// Most file descriptors open at once.
    pub open_files: u64,
    /// Files and folders, with their content, that it may read. Paths that do not exist are ignored.
    pub read: Vec<PathBuf>,
    /// Files that it may change, and folders in which it may create, change and remove files. It may also read them.
    pub write: Vec<PathBuf>,
    /// What it may use of the network.
    pub network: Network,
}

impl Confinement {
    /// No files and no network, with `memory_bytes` of memory and `cpu` of processor time.
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

/// What a child may use of the network. Unix sockets are never allowed.
///
/// The kernel can restrict ports, not addresses; therefore the child is given addresses, never names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// The child can create no socket.
    None,
    /// The child may use UDP.
    Udp {
        /// The only port it may send to, on any address, if the kernel supports this (Landlock ABI 10). `None`: all ports, also for
        /// listening.
        port: Option<u16>,
    },
    /// The child may listen on one TCP port.
    Listen {
        /// The port that it may listen on.
        port: u16,
    },
}

/// Why a child did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The restrictions could not be prepared.
    #[error("cannot prepare the confinement of {program}: {reason}")]
    Confinement {
        /// The program that was to be run.
        program: PathBuf,
        /// Why they could not be prepared.
        reason: String,
    },
    /// The system failed to start the program.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program that was to be run.
        program: PathBuf,
        /// The error that the system returned.
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
    confinement: Confinement,
}

impl Launch {
    /// `program` is a path, or a name that is looked up in `PATH`. Its three streams are connected to nothing.
    pub fn new(program: impl AsRef<OsStr>, confinement: Confinement) -> Self {
        Self {
            program: find(Path::new(program.as_ref())),
            args: Vec::new(),
            dir: None,
            stdin: Stdio::null(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
            pass: Vec::new(),
            finishes: false,
            confinement,
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
        system::surround(&mut command, &program, &self.confinement, self.pass, self.finishes)
            .map_err(|reason| LaunchError::Confinement { program: program.clone(), reason })?;
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
