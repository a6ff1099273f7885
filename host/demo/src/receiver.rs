//! The demo's RTMP receiver: ffmpeg listens and writes HLS that a browser can play.

use std::path::Path;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use outboard_ffmpeg as ffmpeg;

/// Delay before a receiver that ended is restarted.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The running receiver: a task that restarts ffmpeg until [`Receiver::stop`].
#[derive(Debug)]
pub struct Receiver {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Listens on `port` and writes `dir/live.m3u8`. ffmpeg accepts one publisher and exits with it, so it is
    /// restarted.
    pub async fn start(dir: &Path, port: u16) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let (dir, stop) = (dir.to_owned(), CancellationToken::new());
        let token = stop.clone();
        let task = tokio::spawn(async move {
            while !token.is_cancelled() {
                let Ok(mut child) = ffmpeg::background(command(&dir, port)).await else { return };
                tokio::select! {
                    _ = child.wait() => {}
                    () = token.cancelled() => {
                        child.end().await;
                    }
                }
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        });
        Ok(Self { stop, task })
    }

    /// Ends ffmpeg and waits for the task that restarts it.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.ok();
    }
}

fn command(dir: &Path, port: u16) -> ffmpeg::Command {
    let mut command = ffmpeg::command("file,pipe,rtmp,tcp");
    command.args(["-listen", "1", "-f", "flv", "-i"]).arg(format!("rtmp://127.0.0.1:{port}/live/demo"));
    command.args(["-c", "copy", "-f", "hls", "-hls_time", "2", "-hls_list_size", "10"]);
    command.args(["-hls_segment_type", "fmp4", "-hls_flags", "delete_segments", "-hls_fmp4_init_filename", "init.mp4"]);
    command
        .listens(port)
        .writes(dir)
        .arg("-hls_segment_filename")
        .arg(dir.join("part-%d.m4s"))
        .arg(dir.join("live.m3u8"));
    command
}
