//! Logs: text for people or JSON for machines, on standard error; progress lines stay below them. The same lines go
//! into the [`LogHub`], for files and the API.

use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use indicatif::MultiProgress;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use crate::LogHub;
use crate::limits::LOG_FLUSH_TIMEOUT;
use outboard_base::redact::{redact, steers};

/// Levels of libraries whose messages are not for operators, unless `level` names them.
const QUIET: &str = "symphonia_core=error,symphonia_format_isomp4=error,symphonia_format_riff=error,\
                     symphonia_bundle_mp3=error,symphonia_metadata=error";

/// The log of this process: tracing has one subscriber, so there is one hub.
static HUB: OnceLock<LogHub> = OnceLock::new();

/// Starts logging for the process and returns its log hub. Only the first call has an effect. `level` applies to the
/// console, to files and to feeds. Log lines are written above the bars of `progress`.
pub fn start(level: &str, json: bool, progress: Option<MultiProgress>) -> LogHub {
    let hub = hub();
    // The probe reports problems of received files in its own messages.
    let quiet = |level: &str| EnvFilter::try_new(format!("{QUIET},{level}"));
    let filter = quiet(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let ansi = io::IsTerminal::is_terminal(&io::stderr());
    let lines = fmt::layer().with_writer(Above { progress, ansi: ansi && !json });
    let all = registry().with(filter).with(hub.layer());
    let started = match json {
        true => all.with(lines.json()).try_init(),
        false => all.with(lines.with_target(false).with_ansi(ansi)).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
    hub
}

/// The log hub of this process.
pub fn hub() -> LogHub {
    HUB.get_or_init(LogHub::new).clone()
}

/// Starts writing the lines of streams to files below `storage`.
pub fn write_below(storage: &Path) {
    if let Some(hub) = HUB.get() {
        hub.open(storage);
    }
}

/// Waits briefly until logged lines are in their files. Called at the end of the process.
pub fn finish() {
    if let Some(hub) = HUB.get() {
        hub.flush(LOG_FLUSH_TIMEOUT);
    }
}

/// Writes above the progress bars, if any.
struct Above {
    progress: Option<MultiProgress>,
    /// Whether lines are coloured.
    ansi: bool,
}

struct Line {
    bytes: Vec<u8>,
    progress: Option<MultiProgress>,
    ansi: bool,
}

impl<'a> MakeWriter<'a> for Above {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bytes: Vec::new(), progress: self.progress.clone(), ansi: self.ansi }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let line = shown(&std::mem::take(&mut self.bytes), self.ansi);
        let write = || io::stderr().lock().write_all(line.as_bytes());
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }
}

/// Prepares a formatted line for the terminal: without secrets, as one line, and without control characters except
/// colours where the line is coloured.
fn shown(bytes: &[u8], ansi: bool) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = redact(&text);
    let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
    if !line.contains(steers) {
        return text.into_owned();
    }
    let mut shown = String::with_capacity(line.len() + 16);
    let mut rest = line;
    while let Some(letter) = rest.chars().next() {
        let (taken, put) = match (letter, colour(rest).filter(|_| ansi)) {
            (_, Some(code)) => (code.len(), code),
            ('\n', None) => (1, " | "),
            (letter, None) if steers(letter) => (letter.len_utf8(), "\u{fffd}"),
            (letter, None) => (letter.len_utf8(), rest.get(..letter.len_utf8()).unwrap_or_default()),
        };
        shown.push_str(put);
        rest = rest.get(taken..).unwrap_or_default();
    }
    shown + end
}

/// The colour code at the start of a text, if any.
fn colour(text: &str) -> Option<&str> {
    let body = text.strip_prefix("\u{1b}[")?;
    let length = body.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    let end = body.get(length..)?.starts_with('m').then_some(length + 3)?;
    text.get(..end)
}

impl Drop for Line {
    fn drop(&mut self) {
        // A closed standard error must not end a stream that is on air.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::Layer;

    use super::*;

    /// Collects what a layer writes, as the console would show it.
    #[derive(Clone, Default)]
    struct Console(Arc<Mutex<String>>, bool);

    impl Write for Console {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push_str(&shown(bytes, self.1));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn secrets_are_not_shown_however_lines_are_formatted() {
        for (json, ansi) in [(true, false), (false, false), (false, true)] {
            let seen = Console(Arc::default(), ansi);
            let writer = seen.clone();
            let layer = fmt::layer().with_writer(move || writer.clone()).with_ansi(ansi);
            let layer = if json { layer.json().boxed() } else { layer.boxed() };
            let url = "rtmp://user:SECRET@h:1935/live/SECRET?token=SECRET";
            tracing::subscriber::with_default(registry().with(layer), || {
                tracing::info_span!("air", url).in_scope(|| {
                    tracing::info!(to = %url, debugged = ?Some(url), "cannot publish to {url}");
                    tracing::info!("GET https://h/x?token=SECRET with Bearer SECRET");
                });
            });
            let text = seen.0.lock().unwrap().clone();
            assert!(!text.contains("SECRET"), "{text}");
            assert!(text.matches("rtmp://h:1935/live/…").count() >= 4 && text.contains("token=***"), "{text}");
        }
    }

    #[test]
    fn a_line_is_one_line_whatever_is_logged() {
        for (json, ansi) in [(true, false), (false, false), (false, true)] {
            let seen = Console(Arc::default(), ansi);
            let writer = seen.clone();
            let layer = fmt::layer().with_writer(move || writer.clone()).with_ansi(ansi);
            let layer = if json { layer.json().boxed() } else { layer.boxed() };
            let said = "a\rb\n2030-01-01T00:00:00Z ERROR forged\u{1b}[2J\u{9b}2J\u{202e}\u{7}";
            tracing::subscriber::with_default(registry().with(layer), || {
                tracing::info!(field = said, shown = %said, debugged = ?said, "{said}");
            });
            let text = seen.0.lock().unwrap().clone();
            let line = text.strip_suffix('\n').unwrap();
            let rest = if ansi { strip_colours(line) } else { line.to_owned() };
            assert!(!rest.contains(steers), "json {json}, ansi {ansi}: {rest:?}");
            assert!(text.contains("forged"), "{text}");
        }
    }

    fn strip_colours(line: &str) -> String {
        let mut parts = line.split("\u{1b}[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap_or_default().1)
    }
}
