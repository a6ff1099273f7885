//! The command line of an ffmpeg run, and the confinement of its process.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ffmpeg_sidecar::command::FfmpegCommand;
use outboard_process::{Child, Confinement, Launch, Network};

use super::FfmpegError;
use crate::limits::{FFMPEG_CPU, FFMPEG_FILE_BYTES, FFMPEG_MEMORY_BYTES, FFMPEG_OPEN_FILES};

/// A command line with its confinement. By default it may use no file and no network.
#[derive(Debug)]
pub struct Command {
    inner: FfmpegCommand,
    pub(super) confinement: Confinement,
}

/// A command with the options of every run: no stdin, no banner, errors only, the named protocols only.
///
/// `protocols` is ffmpeg's whitelist, such as `file,pipe`.
pub fn command(protocols: &str) -> Command {
    let mut command = Command::bare();
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", protocols]);
    command
}

/// The default confinement of ffmpeg: its limits ([`crate::limits`]), no file and no network. For runs that are not started by
/// [`command`].
pub fn confinement() -> Confinement {
    Confinement {
        file_bytes: Some(FFMPEG_FILE_BYTES),
        open_files: FFMPEG_OPEN_FILES,
        ..Confinement::closed(FFMPEG_MEMORY_BYTES, FFMPEG_CPU)
    }
}

impl Command {
    /// ffmpeg without any arguments.
    pub(super) fn bare() -> Self {
        Self { inner: FfmpegCommand::new(), confinement: confinement() }
    }

    /// Another program with ffmpeg's confinement. For tests of how output is handled.
    pub fn of(program: impl AsRef<std::ffi::OsStr>) -> Self {
        Self { inner: FfmpegCommand::new_with_path(program), confinement: confinement() }
    }

    /// Allows to read a file, or the content of a folder.
    pub fn reads(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.confinement.read.push(path.as_ref().to_owned());
        self
    }

    /// Allows to write a file, or files in a folder.
    pub fn writes(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.confinement.write.push(path.as_ref().to_owned());
        self
    }

    /// Sets the limit of processor time, in place of that of a pipeline's run.
    pub fn takes(&mut self, cpu: Duration) -> &mut Self {
        self.confinement.cpu = Some(cpu);
        self
    }

    /// Allows to listen on a TCP port.
    pub fn listens(&mut self, port: u16) -> &mut Self {
        self.confinement.network = Network::Listen { port };
        self
    }

    pub(super) async fn launch(mut self, stdout: Stdio, stderr: Stdio) -> Result<Child, FfmpegError> {
        let inner = self.inner.as_inner_mut();
        let program = PathBuf::from(inner.get_program());
        let launch = Launch::new(program, self.confinement).args(inner.get_args()).dir(inner.get_current_dir());
        Ok(launch.stdout(stdout).stderr(stderr).launch().await?)
    }
}

impl Deref for Command {
    type Target = FfmpegCommand;

    fn deref(&self) -> &FfmpegCommand {
        &self.inner
    }
}

impl DerefMut for Command {
    fn deref_mut(&mut self) -> &mut FfmpegCommand {
        &mut self.inner
    }
}
