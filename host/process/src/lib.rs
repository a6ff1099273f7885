//! Starts child processes. Every program that the host runs is started here, with the same confinement.
//!
//! A child gets its own environment (only `PATH` and the language `C`), no file descriptors but its three streams, its
//! own process group, resource limits, no way to gain privileges, read access to the named files and to the programs
//! and libraries of the system, and network access only if it is granted. [`Walls`] defines what one child may use;
//! [`standing()`] reports which restrictions this machine supports. A restriction that the kernel does not support is
//! left out and reported once. If a supported one cannot be applied, this is an error and the child does not run.
//!
//! The restrictions are applied between fork and exec: everything is prepared before the fork, and only system calls
//! are made after it. Children are forked by separate threads (`launcher`) and end with this process.
//!
//! In: a program, its arguments and its [`Walls`]. Out: a [`Child`], or why it did not start. Limits: [`limits`]. Uses
//! no other crate of ours, and does not depend on what a child is for.

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

/// The restrictions that this machine supports. Checks once, and logs a warning once if some are missing.
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
    /// Address space in bytes.
    pub memory_bytes: u64,
    /// Processor time of all its threads, in whole seconds; `None`: unlimited. It is killed one second later.
    pub cpu: Option<Duration>,
    /// Maximum size of each file that it writes, in bytes; `None`: unlimited. Pipes do not count.
    pub file_bytes: Option<u64>,
    /// Stack of its main thread in bytes; `None`: as for the host.
    pub stack_bytes: Option<u64>,
    /// Maximum number of open descriptors.
    pub open_files: u64,
    /// Files, and folders with their content, that it may read. Missing ones are ignored.
    pub read: Vec<PathBuf>,
    /// Files that it may change, and folders in which it may create, change and remove files. It may also read them.
    pub write: Vec<PathBuf>,
    /// The network that it may use.
    pub network: Network,
}

impl Walls {
    /// No files, no network, no written files, `memory_bytes` of memory and `cpu` of processor time.
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

/// The network that a child may use. Never includes Unix sockets.
///
/// The kernel restricts addresses by port only, so the caller passes an address and not a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// It cannot create sockets.
    None,
    /// It may use UDP.
    Udp {
        /// The only port to send to, on any address, if the kernel supports this (Landlock ABI 10). `None`: all ports,
        /// also to listen on.
        port: Option<u16>,
    },
    /// It may listen on this TCP port.
    Listen {
        /// The TCP port.
        port: u16,
    },
}

/// Why a child did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The restrictions could not be prepared.
    #[error("the walls for {program} cannot be made: {reason}")]
    Walls {
        /// The program to start.
        program: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The operating system did not start it.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program to start.
        program: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

/// A child to start.
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
    /// `program` is a path, or a name that is looked up in `PATH`. Its three streams are not connected.
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

    /// Adds arguments. All users of the machine can read them: no secrets.
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets its working folder; the default is the host's.
    pub fn dir(mut self, dir: Option<&Path>) -> Self {
        self.dir = dir.map(Path::to_owned);
        self
    }

    /// Connects its standard input.
    pub fn stdin(mut self, stdin: Stdio) -> Self {
        self.stdin = stdin;
        self
    }

    /// Connects its standard output.
    pub fn stdout(mut self, stdout: Stdio) -> Self {
        self.stdout = stdout;
        self
    }

    /// Connects its standard error.
    pub fn stderr(mut self, stderr: Stdio) -> Self {
        self.stderr = stderr;
        self
    }

    /// Passes a descriptor under the number that it has here.
    pub fn pass(mut self, fd: OwnedFd) -> Self {
        self.pass.push(fd);
        self
    }

    /// When this process is killed (`kill -9`), the child is not killed: it processes the rest of its input, which ends
    /// then, and exits.
    pub fn finishes_its_input(mut self) -> Self {
        self.finishes = true;
        self
    }

    /// Starts it. Dropping the child kills its whole process group; when this process ends, the child is killed. Within
    /// [`CHILD_LAUNCH_TIME`](crate::limits::CHILD_LAUNCH_TIME). Cancel safe: a child without a receiver is killed.
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
        // Ctrl-C at the terminal must only reach the host, which finishes its work first.
        command.process_group(0).kill_on_drop(true);
        let program = self.program;
        system::surround(&mut command, &program, &self.walls, self.pass, self.finishes)
            .map_err(|reason| LaunchError::Walls { program: program.clone(), reason })?;
        launcher::start(command).await.map_err(|source| LaunchError::Start { program, source })
    }
}

/// The complete environment of a child: where programs are, and the language in which we parse messages.
fn environment() -> impl Iterator<Item = (&'static str, OsString)> {
    std::env::var_os("PATH").map(|path| ("PATH", path)).into_iter().chain([("LC_ALL", OsString::from("C"))])
}

/// The file of a program name, as the shell finds it; the name itself if there is none.
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
