//! exchange -> **remux** -> air: puts the chosen audio under the untouched picture. The [`Remuxer`] is the step: it takes each
//! batch in order, in time. This file puts one batch together.
//!
//! In: a batch's files, its place on the timeline, and the plan. Out: `air.flv` in the batch's folder from one ffmpeg run,
//! and the index that the air step sends from; then `output.fmp4` of the same packets, to be kept. ffmpeg joins containers;
//! the times on air are ours.

use std::path::Path;

use tokio::io::AsyncReadExt;

use crate::demux::{DemuxError, part, rename};
use outboard_base::room;
use outboard_egress::spool::ReadyBatch;
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_ffmpeg::{self as ffmpeg, FfmpegError, Turn};
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
// what comes out
pub mod output;
mod spooling;
mod times;

pub use plan::{Plan, Processed};
pub use planner::Planner;
pub use remuxer::Remuxer;
pub use spooling::reload;

/// Why a batch could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum RemuxError {
    /// The ffmpeg run failed or exceeded a limit.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// What ffmpeg wrote is not FLV.
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
            Self::Flv(_) | Self::Body(_) | Self::Missing(_) => false,
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
    /// Its place on the timeline.
    pub placed: &'a Placed,
    /// False: the picture alone goes on air.
    pub with_audio: bool,
    /// Audio to put in the original's place; `None` leaves the original.
    pub processed: Option<&'a Processed>,
    /// When it is to be done.
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

/// Puts one batch together.
pub async fn remux(job: Job<'_>) -> Result<Remuxed, RemuxError> {
    let command = command(&job);
    let times = times::audio(&job);
    let mut spooler = spooling::Spooler::create(&job, times)?;
    let (running, mut stdout) = job.turn.spawn("remux", command).await?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let read = async {
        loop {
            let n = stdout.read(&mut chunk).await?;
            if n == 0 {
                return Ok::<_, RemuxError>(());
            }
            spooler.feed(chunk.get(..n).unwrap_or_default())?;
        }
    };
    match tokio::time::timeout(FFMPEG_TIMEOUT, read).await {
        Ok(done) => {
            // With nobody reading, ffmpeg ends. Its own words tell more than the broken stream it left.
            drop(stdout);
            let finished = running.finish(FFMPEG_TIMEOUT).await;
            if !matches!(done, Err(RemuxError::Io(_))) {
                finished?;
            }
            done?;
        }
        Err(_) => return Err(running.overdue(FFMPEG_TIMEOUT).await.into()),
    }
    let remuxed = spooler.finish()?;
    rename(&part(job.dir, names::AIR), &job.dir.join(names::AIR)).await?;
    Ok(remuxed)
}

/// The command that writes FLV tags to stdout, all copied.
fn command(job: &Job<'_>) -> ffmpeg::Command {
    let mut command = ffmpeg::command("file,pipe");
    command.reads(job.dir);
    let mut maps: Vec<&str> = Vec::new();
    if job.facts.video.is_some() {
        command.args(["-f", "mp4", "-i"]).arg(job.dir.join(names::VIDEO));
        maps.extend(["-map", "0:v:0"]);
    }
    if job.has_audio() {
        maps.extend(["-map", if maps.is_empty() { "0:a:0" } else { "1:a:0" }]);
        match job.processed {
            Some(processed) => command.reads(&processed.path).args(["-f", processed.format, "-i"]).arg(&processed.path),
            None => command.args(["-f", "mp4", "-i"]).arg(job.dir.join(names::AUDIO)),
        };
        maps.extend(["-bsf:a", "aac_adtstoasc"]);
    }
    maps.extend(["-c", "copy", "-copyinkf"]);
    command.args(&maps).args(["-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1"]);
    command
}

/// How much of ffmpeg's output is taken at once: what a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
