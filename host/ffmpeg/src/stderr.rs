//! Reads the stderr of an ffmpeg run: logs its first lines and keeps its last part for errors.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::limits::{CHILD_LAST_WORDS, FFMPEG_LOG_LINE_BYTES, FFMPEG_LOG_LINES, FFMPEG_STDERR_BYTES};
use outboard_base::Lines;

/// The stderr of a run: at most [`FFMPEG_STDERR_BYTES`] are kept, and [`FFMPEG_LOG_LINES`] are logged.
#[derive(Debug)]
pub(super) struct Stderr {
    kept: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
}

impl Stderr {
    /// Starts a task that reads until the end, or until this is dropped.
    pub(super) fn by(what: &'static str, from: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let reading = tokio::spawn(read(what, from, kept.clone()).in_current_span());
        Self { kept, reading }
    }

    /// The kept part, on one line, once the process has ended. If another process keeps stderr open, waits for at most
    /// [`CHILD_LAST_WORDS`].
    pub(super) async fn all(&mut self) -> String {
        if tokio::time::timeout(CHILD_LAST_WORDS, &mut self.reading).await.is_err() {
            self.reading.abort();
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim().replace('\n', " | ")
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read(what: &'static str, mut from: impl AsyncRead + Unpin, kept: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 4096];
    let (mut lines, mut said) = (Lines::new(FFMPEG_LOG_LINE_BYTES), 0);
    let mut say = |line: &str| {
        said += 1;
        if said <= FFMPEG_LOG_LINES {
            tracing::info!(target: "ffmpeg", run = what, "{line}");
        }
    };
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        lines.feed(chunk.get(..n).unwrap_or_default(), &mut say);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(chunk.get(..n).unwrap_or_default());
        let over = kept.len().saturating_sub(FFMPEG_STDERR_BYTES);
        kept.drain(..over);
    }
    lines.end(&mut say);
    if said > FFMPEG_LOG_LINES {
        tracing::info!(target: "ffmpeg", run = what, left_out = said - FFMPEG_LOG_LINES, "ffmpeg wrote more");
    }
}
