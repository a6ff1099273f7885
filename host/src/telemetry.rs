//! Logs: text for people or JSON for machines, on standard error; progress lines stay below them.

use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Libraries whose remarks are not for operators, unless `level` names them.
const QUIET: &str = "symphonia_core=error,symphonia_format_isomp4=error,symphonia_format_riff=error,\
                     symphonia_bundle_mp3=error,symphonia_metadata=error";

/// Starts logging for the process. Only the first call counts. `progress`: bars that log lines must not tear.
pub fn start(level: &str, json: bool, progress: Option<MultiProgress>) {
    // What a demuxer thinks of a stranger's file is told by the probe, in our words.
    let quiet = |level: &str| EnvFilter::try_new(format!("{QUIET},{level}"));
    let filter = quiet(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Above(progress));
    let ansi = io::IsTerminal::is_terminal(&io::stderr());
    let started = if json { builder.json().try_init() } else { builder.with_target(false).with_ansi(ansi).try_init() };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}

/// Writes above the progress bars, where there are any.
struct Above(Option<MultiProgress>);

struct Line {
    bytes: Vec<u8>,
    progress: Option<MultiProgress>,
}

impl<'a> MakeWriter<'a> for Above {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bytes: Vec::new(), progress: self.0.clone() }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.bytes);
        let write = || io::stderr().lock().write_all(&bytes);
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // A closed standard error must not end a stream that is on air.
        let _ = self.flush();
    }
}
