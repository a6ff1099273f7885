//! exchange -> **remux** -> air: puts the chosen audio under the untouched picture. The [`Remuxer`] is the step: it takes each
//! batch in order, in time. This file puts one batch together.
//!
//! In: a batch's files, its place on the timeline, and the plan. Out: the index that the air step sends from, in memory and as
//! `air.index` in the batch's folder. Media is not copied: the index refers to the batch's files. ffmpeg encodes where a plan
//! asks for it, and copies from containers whose packets are not listed here.

use std::path::{Path, PathBuf};

use crate::demux::{DemuxError, Layout};
use outboard_base::room;
use outboard_egress::spool::ReadyBatch;
use outboard_ffmpeg::{FfmpegError, Turn};
use outboard_media::facts::BatchFacts;
use outboard_media::flv::FlvError;
use outboard_media::timeline::Placed;

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
// where packets are, and when they go on air
mod by_ffmpeg;
mod locating;
mod spooling;
mod times;
// what comes out
pub mod index;
pub mod output;

pub use plan::{Plan, Processed};
pub use planner::Planner;
pub use remuxer::Remuxer;

/// Why a batch could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum RemuxError {
    /// The ffmpeg run failed or exceeded a limit.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// A packet is too long for FLV and RTMP.
    #[error("remux output: {0}")]
    Flv(#[from] FlvError),
    /// The codec of a file is none that goes on air.
    #[error("{path} has {codec}, which has no form on air: H.264 and AAC have")]
    Unsendable {
        /// The file.
        path: PathBuf,
        /// Name of the codec.
        codec: &'static str,
    },
    /// The packets of a file that ffmpeg copied cannot be listed.
    #[error("{path}: {why}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it has.
        why: String,
    },
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
            Self::Flv(_) | Self::Unsendable { .. } | Self::Foreign { .. } => false,
            Self::Torn { .. } | Self::Missing(_) => false,
        }
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
    /// Where the packets are in the files of demuxing; `None`: the files are looked at.
    pub layout: Option<&'a Layout>,
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

/// Puts one batch together: finds its packets in the batch's files and gives each its time.
pub async fn remux(job: Job<'_>) -> Result<Remuxed, RemuxError> {
    if job.facts.video.is_none() && !job.has_audio() {
        return Err(RemuxError::Missing("a track"));
    }
    let (video, audio) = tokio::try_join!(locating::video(&job), locating::audio(&job))?;
    spooling::ready(&job, video, audio)
}

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
