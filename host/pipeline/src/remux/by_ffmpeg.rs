//! A file with a container whose packets cannot be listed: one ffmpeg run copies them into fragmented MP4. Only the order of
//! its packets counts: the times on air are ours.

use std::path::{Path, PathBuf};

use super::Job;
use crate::demux::{DemuxError, part, rename};
use outboard_ffmpeg as ffmpeg;
use outboard_ffmpeg::limits::FFMPEG_TIMEOUT;
use outboard_media::demux::TrackKind;
use outboard_store::files::names;

/// Copies the track of this kind from a file of the batch, whose container has this name, into another file of the batch.
pub(super) async fn copy(job: &Job<'_>, kind: TrackKind, from: &Path, format: &str) -> Result<PathBuf, DemuxError> {
    let (name, map) = match kind {
        TrackKind::Video => (names::COPIED_VIDEO, "0:v:0"),
        TrackKind::Audio => (names::COPIED_AUDIO, "0:a:0"),
    };
    let temporary = part(job.dir, name);
    let mut command = ffmpeg::command("file,pipe");
    command.reads(from).args(["-f", format, "-i"]).arg(from).args(["-map", map, "-c", "copy", "-copyinkf"]);
    match kind {
        TrackKind::Video => command.args(["-movflags", "frag_keyframe+empty_moov+default_base_moof"]),
        // The moov waits for the first packet, which tells how AAC is set up.
        TrackKind::Audio => command.args([
            "-bsf:a",
            "aac_adtstoasc",
            "-frag_duration",
            "5000000",
            "-movflags",
            "delay_moov+default_base_moof",
        ]),
    };
    command.writes(job.dir).args(["-f", "mp4"]).arg(&temporary);
    job.turn.output("remux", command, 0, FFMPEG_TIMEOUT).await?;
    let path = job.dir.join(name);
    rename(&temporary, &path).await?;
    Ok(path)
}
