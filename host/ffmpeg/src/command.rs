//! What ffmpeg is to do, and what it may touch while it does it.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ffmpeg_sidecar::command::FfmpegCommand;
use outboard_process::{Child, Launch, Network, Walls};

use super::FfmpegError;
use crate::limits::{FFMPEG_CPU, FFMPEG_FILE_BYTES, FFMPEG_MEMORY_BYTES, FFMPEG_OPEN_FILES};

/// A command line with its walls. Without more it can read and write no file and reach nothing.
#[derive(Debug)]
pub struct Command {
    inner: FfmpegCommand,
    pub(super) walls: Walls,
}

/// A command with what every run of ours has: no stdin, no banner, errors only, the named protocols only.
///
/// `protocols` is ffmpeg's whitelist, such as `file,pipe`.
pub fn command(protocols: &str) -> Command {
    let mut command = Command::bare();
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", protocols]);
    command
}

/// The walls of every ffmpeg: its limits ([`crate::limits`]), no file and no network. For a run that is not started through
/// [`command`].
pub fn walls() -> Walls {
    Walls {
        file_bytes: Some(FFMPEG_FILE_BYTES),
        open_files: FFMPEG_OPEN_FILES,
        ..Walls::closed(FFMPEG_MEMORY_BYTES, FFMPEG_CPU)
    }
}

impl Command {
    /// ffmpeg without a word.
    pub(super) fn bare() -> Self {
        Self { inner: FfmpegCommand::new(), walls: walls() }
    }

    /// Another program in ffmpeg's place, between the same walls: for tests of what becomes of its output.
    pub fn of(program: impl AsRef<std::ffi::OsStr>) -> Self {
        Self { inner: FfmpegCommand::new_with_path(program), walls: walls() }
    }

    /// It may read a file, or what is in a folder.
    pub fn reads(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.walls.read.push(path.as_ref().to_owned());
        self
    }

    /// It may change a file, or what is in a folder.
    pub fn writes(&mut self, path: impl AsRef<Path>) -> &mut Self {
        self.walls.write.push(path.as_ref().to_owned());
        self
    }

    /// It may take more processor time than a pipeline's run.
    pub fn takes(&mut self, cpu: Duration) -> &mut Self {
        self.walls.cpu = Some(cpu);
        self
    }

    /// It may listen on a TCP port.
    pub fn listens(&mut self, port: u16) -> &mut Self {
        self.walls.network = Network::Listen { port };
        self
    }

    pub(super) async fn launch(mut self, stdout: Stdio, stderr: Stdio) -> Result<Child, FfmpegError> {
        let inner = self.inner.as_inner_mut();
        let program = PathBuf::from(inner.get_program());
        let launch = Launch::new(program, self.walls).args(inner.get_args()).dir(inner.get_current_dir());
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
