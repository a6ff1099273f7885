//! The demo's live source: a clip that is encoded once and then looped into a live HLS playlist.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use outboard_ffmpeg as ffmpeg;
use outboard_process::Child;

/// Length of the clip in seconds.
const CLIP_SECONDS: u32 = 30;
/// Time limit for encoding the clip, which uses at most four processors.
const CLIP_ENCODED: Duration = Duration::from_secs(300);

/// Time limit for the first segment.
const FIRST_SEGMENT: Duration = Duration::from_secs(20);

/// The running source: the ffmpeg process that writes the live playlist.
#[derive(Debug)]
pub struct Source {
    child: Child,
}

impl Source {
    /// Encodes the clip if it does not exist yet, and writes a live playlist in `dir`.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        // Left by an earlier demo in the same folder.
        std::fs::remove_file(dir.join("live.m3u8")).ok();
        let clip = dir.join("clip.ts");
        if !clip.exists() {
            encode(&clip).await?;
        }
        let mut command = ffmpeg::command("file,pipe");
        command.args(["-re", "-stream_loop", "-1", "-f", "mpegts", "-i"]).arg(&clip);
        command.args(["-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "8"]);
        command.args(["-hls_flags", "delete_segments+program_date_time", "-hls_segment_filename"]);
        command.writes(dir).arg(dir.join("segment-%d.ts")).arg(dir.join("live.m3u8"));
        let child = ffmpeg::background(command).await?;
        let playlist = dir.join("live.m3u8");
        let listed = async {
            while !playlist.exists() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(FIRST_SEGMENT, listed)
            .await
            .context("the demo's live source produced no segment in time")?;
        Ok(Self { child })
    }

    /// Ends the ffmpeg process and waits for it.
    pub async fn stop(mut self) {
        self.child.end().await;
    }
}

async fn encode(clip: &Path) -> anyhow::Result<()> {
    let temporary = clip.with_extension("part");
    let mut command = ffmpeg::command("file,pipe");
    // The test picture contains a running clock; the tone beeps at each full second.
    let picture = format!("testsrc2=s=1280x720:r=30:d={CLIP_SECONDS}");
    let sound = format!("sine=f=220:beep_factor=4:r=48000:d={CLIP_SECONDS}");
    command.args(["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound]);
    command.args(["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-pix_fmt", "yuv420p"]);
    command.args(["-b:v", "2500k", "-bf", "2", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0"]);
    command.args(["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-f", "mpegts"]).arg(&temporary);
    command.writes(clip.parent().unwrap_or(clip)).takes(4 * CLIP_ENCODED);
    ffmpeg::output("demo clip", command, 0, CLIP_ENCODED).await.context("encoding the demo clip")?;
    std::fs::rename(&temporary, clip)?;
    Ok(())
}
