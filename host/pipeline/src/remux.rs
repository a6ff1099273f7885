//! exchange -> **remux** -> air: puts the chosen audio under the untouched picture. The [`Remuxer`] is the step: it takes each
//! batch in order, in time. This file puts one batch together.
//!
//! In: a batch's files, its place on the timeline, and the plan. Out: `air.flv` in the batch's folder, and the index that the
//! air step sends from; then `output.fmp4` of the same packets, to be kept. Packets are copied in the process
//! (`copying.rs`); ffmpeg encodes where a plan asks for it, and copies from containers that are not read here.

use std::path::{Path, PathBuf};

use crate::demux::{DemuxError, part, rename};
use outboard_base::room;
use outboard_egress::spool::ReadyBatch;
use outboard_ffmpeg::{FfmpegError, Turn};
use outboard_media::facts::BatchFacts;
use outboard_media::flv::{FlvError, body::BodyError};
use outboard_media::timeline::Placed;
use outboard_store::files::names;

// the step
pub mod remuxer;
// what came of the exchange
mod reply;
// the stage's plan
mod facts;
mod planner;
// one batch, from its plan to its files
pub mod assembler;
// what the step tells
mod report;
// what is to be done
pub mod plan;
// audio that cannot be copied
pub mod encode;
// packets that are copied
mod by_ffmpeg;
mod copying;
mod spooling;
mod times;
// what comes out
mod air;
pub mod output;

pub use air::reload;
use copying::CopyError;
pub use plan::{Plan, Processed};
pub use planner::Planner;
pub use remuxer::Remuxer;

/// Why a batch could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum RemuxError {
    /// The ffmpeg run failed or exceeded a limit.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// What ffmpeg wrote is not FLV, or a packet is too long for it.
    #[error("remux output: {0}")]
    Flv(#[from] FlvError),
    /// A tag is not what RTMP carries.
    #[error("remux output: {0}")]
    Body(#[from] BodyError),
    /// A file could not be written or read.
    #[error("remux output: {0}")]
    Io(#[from] std::io::Error),
    /// A file could not be named.
    #[error(transparent)]
    File(#[from] DemuxError),
    /// A file of the batch ends too early.
    #[error("{path} is cut off: {what}")]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is missing, in words.
        what: String,
    },
    /// The plan asks for audio that is not there.
    #[error("the plan asks for {0}, which this batch does not have")]
    Missing(&'static str),
}

impl RemuxError {
    /// The disk is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Ffmpeg(error) => error.is_disk_full(),
            Self::File(error) => error.is_disk_full(),
            Self::Io(error) => room::is_full(error),
            Self::Flv(_) | Self::Body(_) | Self::Torn { .. } | Self::Missing(_) => false,
        }
    }

    /// The file of the error is that of the chosen audio.
    fn is_of(&self, processed: Option<&Processed>) -> bool {
        matches!((self, processed), (Self::Torn { path, .. }, Some(processed)) if *path == processed.path)
    }
}

/// All that the remux step needs of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// Number of the batch, from 0.
    pub number: u64,
    /// Folder of the batch's files.
    pub dir: &'a Path,
    /// Packets and codecs of the batch, as demuxing found them.
    pub facts: &'a BatchFacts,
    /// Its place on the timeline.
    pub placed: &'a Placed,
    /// False: the picture alone goes on air.
    pub with_audio: bool,
    /// Audio to put in the original's place; `None` leaves the original.
    pub processed: Option<&'a Processed>,
    /// When ffmpeg is to do it, where it has to.
    pub turn: Turn<'a>,
}

impl Job<'_> {
    fn has_audio(&self) -> bool {
        self.with_audio && self.facts.audio.is_some()
    }
}

/// A batch that is ready for air.
#[derive(Debug, Clone)]
pub struct Remuxed {
    /// The batch as the spool takes it.
    pub ready: ReadyBatch,
    /// Packets that were demuxed and did not come out again.
    pub lost: u64,
    /// Packets of processed audio beyond the batch's length, left out as planned.
    pub trimmed: u64,
}

/// Puts one batch together: copies it in the process; where a file has what is not read there, with ffmpeg.
pub async fn remux(job: Job<'_>) -> Result<Remuxed, RemuxError> {
    let batch = job.number;
    let remuxed = match copying::run(&job).await {
        Ok(remuxed) => {
            tracing::debug!(batch, "the host copied the batch's packets");
            remuxed
        }
        Err(CopyError::Foreign { path, why }) => {
            tracing::debug!(batch, path = %path.display(), why, "ffmpeg copies the batch's packets");
            by_ffmpeg::run(&job).await?
        }
        // Where a reply is torn, the original audio is better. Of the source's own packets ffmpeg saves what is there.
        Err(CopyError::Failed(error @ RemuxError::Torn { .. })) if !error.is_of(job.processed) => {
            tracing::warn!(batch, %error, "ffmpeg copies what is left of the batch");
            by_ffmpeg::run(&job).await?
        }
        Err(CopyError::Failed(error)) => return Err(error),
    };
    rename(&part(job.dir, names::AIR), &job.dir.join(names::AIR)).await?;
    Ok(remuxed)
}

/// How much of ffmpeg's output is taken at once, what a pipe holds, and how much is written to a file at once; bytes.
const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
