//! What a run of ffmpeg says.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::limits::{CHILD_LAST_WORDS, FFMPEG_LOG_LINE_BYTES, FFMPEG_LOG_LINES, FFMPEG_STDERR_BYTES};
use outboard_base::Lines;

/// The last part of it, so that a flood of messages costs nothing. Its first lines are logged.
#[derive(Debug)]
pub(super) struct Said {
    kept: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
}

impl Said {
    /// Reads until the end, or until this is dropped.
    pub(super) fn by(what: &'static str, from: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let reading = tokio::spawn(read(what, from, kept.clone()).in_current_span());
        Self { kept, reading }
    }

    /// All that is kept, once the process has ended. Whoever holds its stderr open beyond that is waited for no longer
    /// than [`CHILD_LAST_WORDS`].
    pub(super) async fn all(&mut self) -> String {
        if tokio::time::timeout(CHILD_LAST_WORDS, &mut self.reading).await.is_err() {
            self.reading.abort();
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim().replace('\n', " | ")
    }
}

impl Drop for Said {
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
