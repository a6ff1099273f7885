//! A stream's folders, made again where somebody removes them while it runs.
//!
//! Those who write into them find a folder missing at any moment, try again, and count what is lost; here it is seen to that
//! there is a folder to try, and told once.

use crate::limits::FOLDERS_LOOK_EVERY;
use std::sync::Arc;

use super::event::{Event, EventKind, Severity};
use super::status::Status;

use outboard_store::files::{STREAM_FOLDERS, StreamFiles};

/// Looks after the folders for as long as anybody polls it.
pub(super) async fn keep(files: StreamFiles, status: Arc<Status>) {
    let mut beat = tokio::time::interval(FOLDERS_LOOK_EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut refused = false;
    loop {
        beat.tick().await;
        let folders = files.clone();
        let Ok(made) = tokio::task::spawn_blocking(move || make_missing(&folders)).await else { return };
        match made {
            Ok(made) if made.is_empty() => refused = false,
            Ok(made) => {
                refused = false;
                let what = format!(
                    "storage: folders of the stream were removed while it runs ({}); they are recreated, and media that was \
                     in them is skipped",
                    made.join(", ")
                );
                status.tell(Event::new(EventKind::FilesLost, Severity::Error, what));
            }
            Err((folder, error)) if !std::mem::replace(&mut refused, true) => {
                let what = format!("storage: {folder} of the stream was removed and cannot be recreated: {error}");
                status.tell(Event::new(EventKind::FilesLost, Severity::Error, what));
            }
            Err(_) => {}
        }
    }
}

/// Makes what is missing; answers which that was.
fn make_missing(files: &StreamFiles) -> Result<Vec<&'static str>, (&'static str, std::io::Error)> {
    let mut made = Vec::new();
    for (name, dir) in STREAM_FOLDERS.into_iter().zip([&files.segments, &files.batches, &files.logs]) {
        if !dir.is_dir() {
            std::fs::create_dir_all(dir).map_err(|error| (name, error))?;
            made.push(name);
        }
    }
    Ok(made)
}
