//! Writes a guest's stdout and stderr to the pipeline's log, by lines.
//!
//! Limits: the length of a line, and the lines per minute; the number of omitted lines is logged with the next line. The first and
//! the last lines of each call are kept for the message of a trap, as a panic or an exception is among them.

use super::labels::StageLabels;
use crate::limits::{STAGE_LOG_LINE_BYTES, STAGE_LOG_LINES_PER_MINUTE};
use outboard_base::{LineBudget, plain};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncWrite;
use tokio::time::Instant;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// First lines of a call that are kept for a trap's message. JavaScript and Rust write their error there.
const HEAD_LINES: usize = 4;
/// Last lines of a call that are kept for a trap's message. Python writes its error there.
const TAIL_LINES: usize = 8;
/// Bytes that a guest may write before it must ask for permission again.
const WRITE_BYTES: usize = 64 << 10;

#[derive(Debug)]
struct Lines {
    labels: StageLabels,
    stage: String,
    partial: Vec<u8>,
    head: Vec<String>,
    tail: VecDeque<String>,
    /// Number of the call's lines that are in neither.
    left_out: u64,
    budget: LineBudget,
}

/// The output of an instance. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct GuestLog(Arc<Mutex<Lines>>);

impl GuestLog {
    pub(super) fn new(labels: StageLabels, stage: String) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            labels,
            stage,
            partial: Vec::new(),
            head: Vec::new(),
            tail: VecDeque::new(),
            left_out: 0,
            budget: LineBudget::new(STAGE_LOG_LINES_PER_MINUTE),
        })))
    }

    /// Begins a call: drops the lines that earlier calls wrote.
    pub(super) fn begin_call(&self) {
        let mut lines = self.lock();
        lines.end_line();
        lines.head.clear();
        lines.tail.clear();
        lines.left_out = 0;
    }

    /// The lines that the call wrote, oldest first: the first and the last ones, and how many were omitted between them. Ends an
    /// unfinished line.
    pub(super) fn written(&self) -> Vec<String> {
        let mut lines = self.lock();
        lines.end_line();
        let between = (lines.left_out > 0).then(|| format!("({} more lines)", lines.left_out));
        lines.head.iter().cloned().chain(between).chain(lines.tail.iter().cloned()).collect()
    }

    fn write(&self, bytes: &[u8]) {
        let mut lines = self.lock();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = STAGE_LOG_LINE_BYTES.saturating_sub(lines.partial.len());
            lines.partial.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                lines.end_line();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn end_line(&mut self) {
        if self.partial.is_empty() {
            return;
        }
        let line = String::from_utf8_lossy(&self.partial).trim_end().to_owned();
        self.partial.clear();
        if let Some(left_out) = self.budget.take(Instant::now()) {
            let StageLabels { tenant, pipeline } = &self.labels;
            let left_out = (left_out > 0).then_some(left_out);
            let line = plain(&line);
            tracing::info!(target: "stage", %tenant, stream = %pipeline, stage = %self.stage, left_out, "{line}");
        }
        if self.head.len() < HEAD_LINES {
            self.head.push(line);
            return;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
            self.left_out += 1;
        }
        self.tail.push_back(line);
    }
}

impl IsTerminal for GuestLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only WASI 0.3 would ask for it, and that is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for GuestLog {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestLog {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        GuestLog::write(self, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tracing::field::{Field, Visit};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    fn log() -> GuestLog {
        GuestLog::new(StageLabels::new("t", "p"), "s".into())
    }

    #[test]
    fn lines_are_put_together_and_cut_to_length() {
        let log = log();
        log.write(b"one\ntw");
        log.write(b"o\n\n");
        log.write(&vec![b'x'; STAGE_LOG_LINE_BYTES * 2]);
        log.write(b"y\nrest");
        assert_eq!(log.written(), ["one", "two", &"x".repeat(STAGE_LOG_LINE_BYTES), "rest"]);
    }

    #[test]
    fn the_first_and_the_last_lines_of_a_call_are_kept() {
        let log = log();
        log.write(b"of the call before\n");
        log.begin_call();
        (1..=20).for_each(|n| log.write(format!("line {n}\n").as_bytes()));
        let written = log.written();
        assert_eq!((written.len(), written[0].as_str(), written[12].as_str()), (13, "line 1", "line 20"));
        assert_eq!(written[3..6], ["line 4", "(8 more lines)", "line 13"]);
    }

    /// An event's target, and its fields with the message.
    type LoggedEvent = (String, BTreeMap<&'static str, String>);

    /// Keeps the events that are logged.
    #[derive(Default, Clone)]
    struct Logged(Arc<Mutex<Vec<LoggedEvent>>>);

    impl<S: tracing::Subscriber> Layer<S> for Logged {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.0.lock().unwrap().push((event.metadata().target().to_owned(), fields.0));
        }
    }

    #[derive(Default)]
    struct Fields(BTreeMap<&'static str, String>);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.insert(field.name(), format!("{value:?}"));
        }
    }

    #[test]
    fn lines_are_the_pipelines_and_bounded() {
        let (logged, most) = (Logged::default(), STAGE_LOG_LINES_PER_MINUTE as usize);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(logged.clone()), || {
            let log = log();
            log.write(b"hello \x1b[2J\n");
            for _ in 0..most * 2 {
                log.write(b"again\n");
            }
        });
        let lines = logged.0.lock().unwrap();
        assert_eq!(lines.len(), most);
        let (target, fields) = &lines[0];
        assert_eq!(target, "stage");
        let expected = [("message", "hello \u{fffd}[2J"), ("stage", "s"), ("stream", "p"), ("tenant", "t")];
        assert_eq!(*fields, expected.map(|(name, value)| (name, value.to_owned())).into());
    }
}
