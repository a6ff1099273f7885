//! Where the packets of a batch are that go on air: which file each track has, and where its packets are in it.
//!
//! In: what demuxing told of its files; where it did not, or where a processor's or encoded audio goes on air, the file
//! itself. Out: a file and the layout of its packets. No media is read: only boxes and headers, on a blocking thread. A file
//! whose container is not listed here is copied by ffmpeg first ([`super::by_ffmpeg`]).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Job, RemuxError, by_ffmpeg};
use crate::demux::DemuxError;
use crate::limits::REMUX_READ_BYTES;
use outboard_media::demux::TrackKind;
use outboard_media::demux::index::{IndexError, Indexed, index};
use outboard_media::layout::TrackLayout;
use outboard_store::files::names;

/// A track's packets in its file.
#[derive(Debug)]
pub(super) struct Located {
    /// The file with the packets.
    pub(super) path: PathBuf,
    pub(super) layout: TrackLayout,
}

/// The picture; `None`: the batch has none.
pub(super) async fn video(job: &Job<'_>) -> Result<Option<Located>, RemuxError> {
    if job.facts.video.is_none() {
        return Ok(None);
    }
    let known = job.layout.and_then(|layout| layout.video.as_ref());
    let source = Source { path: job.dir.join(names::VIDEO), kind: TrackKind::Video, format: "mp4", own: true };
    source.locate(job, known).await.map(Some)
}

/// The audio that goes on air; `None`: there is none.
pub(super) async fn audio(job: &Job<'_>) -> Result<Option<Located>, RemuxError> {
    if !job.has_audio() {
        return Ok(None);
    }
    let (kind, known) = (TrackKind::Audio, job.layout.and_then(|layout| layout.audio.as_ref()));
    match job.processed {
        Some(processed) => {
            let source = Source { path: processed.path.clone(), kind, format: processed.format, own: false };
            source.locate(job, None).await
        }
        None => {
            let source = Source { path: job.dir.join(names::AUDIO), kind, format: "mp4", own: true };
            source.locate(job, known).await
        }
    }
    .map(Some)
}

/// A file of which one track goes on air.
#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    kind: TrackKind,
    /// ffmpeg's name of its container.
    format: &'static str,
    /// Demuxing wrote it: what is left of it goes on air if it is torn. Of a torn reply nothing does.
    own: bool,
}

impl Source {
    async fn locate(self, job: &Job<'_>, known: Option<&TrackLayout>) -> Result<Located, RemuxError> {
        let batch = job.number;
        let (path, kind, known) = (self.path.clone(), self.kind, known.cloned());
        let listed = blocking(move || listed(&path, kind, known)).await?;
        let (path, Indexed { layout, torn }) = match listed {
            Ok(indexed) => (self.path.clone(), indexed),
            Err(IndexError::Io(source)) => return Err(DemuxError::File { path: self.path, source }.into()),
            Err(IndexError::Foreign(why)) => {
                tracing::debug!(batch, path = %self.path.display(), why, "ffmpeg copies the packets of a file");
                let copied = by_ffmpeg::copy(job, self.kind, &self.path, self.format).await?;
                let path = copied.clone();
                match blocking(move || self::listed(&path, kind, None)).await? {
                    Ok(indexed) => (copied, indexed),
                    Err(IndexError::Io(source)) => return Err(DemuxError::File { path: copied, source }.into()),
                    Err(IndexError::Foreign(why)) => return Err(RemuxError::Foreign { path: copied, why }),
                }
            }
        };
        if let Some(what) = torn {
            let error = RemuxError::Torn { path: self.path, what };
            if !self.own {
                return Err(error);
            }
            tracing::warn!(batch, %error, "what is left of the batch goes on air");
        }
        Ok(Located { path, layout })
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, RemuxError> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work));
    done.await.map_err(|error| RemuxError::Io(std::io::Error::other(error)))
}

/// The packets of a file: those that are known if the file has them all, else those that it lists.
fn listed(path: &Path, kind: TrackKind, known: Option<TrackLayout>) -> Result<Indexed, IndexError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let fits =
        |layout: &TrackLayout| layout.packets.last().is_some_and(|last| last.offset + u64::from(last.len) <= length);
    if let Some(layout) = known.filter(fits) {
        return Ok(Indexed { layout, torn: None });
    }
    let mut window = Window { file, length, at: 0, bytes: Vec::new() };
    index(kind, length, &mut |at, to| window.read(at, to))
}

/// Bytes of a file from the last place that was read on: many boxes and headers follow each other closely.
struct Window {
    file: File,
    length: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn read(&mut self, at: u64, to: &mut [u8]) -> std::io::Result<()> {
        if to.len() >= REMUX_READ_BYTES {
            return self.file.read_exact_at(to, at);
        }
        if self.inside(at, to.len()).is_none() {
            let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
            self.bytes.resize(REMUX_READ_BYTES.min(left).max(to.len()), 0);
            self.at = at;
            self.file.read_exact_at(&mut self.bytes, at)?;
        }
        to.copy_from_slice(self.inside(at, to.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn inside(&self, at: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(from..from.checked_add(len)?)
    }
}
