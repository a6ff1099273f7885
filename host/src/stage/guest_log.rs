//! A guest's stdout and stderr: lines in the pipeline's log.
//!
//! Limits: the length of a line and the lines in a minute; what is over is counted and told once. The last lines are
//! kept, because a panic's message is there and belongs to the trap.

use super::seat::StageLabels;
use crate::limits::{STAGE_LOG_LINE_BYTES, STAGE_LOG_LINES_PER_MINUTE};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Lines that are kept for a trap's message.
const TAIL_LINES: usize = 4;
/// What a guest may write at once before it must ask again.
const WRITE_BYTES: usize = 64 << 10;

#[derive(Debug)]
struct Lines {
    labels: StageLabels,
    stage: String,
    partial: Vec<u8>,
    tail: VecDeque<String>,
    minute: Instant,
    in_minute: u32,
    dropped: u64,
}

/// Where an instance's output goes; clones share it.
#[derive(Debug, Clone)]
pub(super) struct GuestLog(Arc<Mutex<Lines>>);

impl GuestLog {
    pub(super) fn new(labels: StageLabels, stage: String) -> Self {
        Self(Arc::new(Mutex::new(Lines {
            labels,
            stage,
            partial: Vec::new(),
            tail: VecDeque::new(),
            minute: Instant::now(),
            in_minute: 0,
            dropped: 0,
        })))
    }

    /// The last lines, the newest last; an unfinished one counts.
    pub(super) fn tail(&self) -> Vec<String> {
        let mut lines = self.lock();
        lines.end_line();
        lines.tail.iter().cloned().collect()
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
        if self.minute.elapsed() > Duration::from_secs(60) {
            (self.minute, self.in_minute) = (Instant::now(), 0);
        }
        self.in_minute += 1;
        let StageLabels { tenant, pipeline } = &self.labels;
        let stage = &self.stage;
        if self.in_minute <= STAGE_LOG_LINES_PER_MINUTE {
            if self.dropped > 0 {
                let dropped = std::mem::take(&mut self.dropped);
                tracing::info!(%tenant, stream = %pipeline, %stage, dropped, "the stage wrote more lines than are kept");
            }
            tracing::info!(%tenant, stream = %pipeline, %stage, %line, "the stage wrote");
        } else {
            self.dropped += 1;
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
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
        Box::new(self.clone())
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

impl AsyncWrite for GuestLog {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        GuestLog::write(&self, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(log.tail(), ["one", "two", &"x".repeat(STAGE_LOG_LINE_BYTES), "rest"]);
    }

    #[test]
    fn a_flood_is_counted_not_logged() {
        let log = log();
        for n in 0..STAGE_LOG_LINES_PER_MINUTE + 25 {
            log.write(format!("{n}\n").as_bytes());
        }
        let lines = log.lock();
        assert_eq!((lines.dropped, lines.tail.len()), (25, TAIL_LINES));
    }
}
