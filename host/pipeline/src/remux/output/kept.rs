//! `output.fmp4` as a file, where `keep.output` asks for it: written after a batch is in the spool, one batch at a time, so
//! that it delays nothing on air. Where it cannot be written, the stream goes on without it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::{Output, Reader};
use crate::demux::part;
use crate::limits::{OUTPUT_PIECE_BYTES, OUTPUTS_WAITING};
use crate::remux::index::AirIndex;
use outboard_base::room::Room;
use outboard_store::files::names;

/// Whether outputs are wanted as files; changes on air. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// From the next batch on.
    pub fn set(&self, wanted: bool) {
        self.0.store(wanted, Ordering::Relaxed);
    }
}

/// Writes the outputs of a stream.
#[derive(Debug)]
pub struct Keeper {
    wanted: Wanted,
    room: Room,
    waiting: Arc<Semaphore>,
    /// The newest batch's file, which is written after those before it.
    last: Option<JoinHandle<()>>,
}

impl Keeper {
    /// `room`: told where the disk is full.
    pub fn new(wanted: Wanted, room: Room) -> Self {
        Self { wanted, room, waiting: Arc::new(Semaphore::new(OUTPUTS_WAITING)), last: None }
    }

    /// Writes the output of the batch in this folder when those before it are written.
    pub fn write(&mut self, batch: u64, dir: PathBuf) {
        if !self.wanted.0.load(Ordering::Relaxed) {
            return;
        }
        let Ok(permit) = self.waiting.clone().try_acquire_owned() else {
            tracing::warn!(
                batch,
                "on air, but not kept: the disk is slower than the stream, {OUTPUTS_WAITING} batches wait"
            );
            return;
        };
        let (before, room) = (self.last.take(), self.room.clone());
        let write = async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            let written = tokio::task::spawn_blocking(move || write(&dir)).await.map_err(io::Error::other);
            if let Err(error) = written.and_then(|written| written) {
                room.nudge();
                tracing::warn!(batch, %error, "on air, but not kept: output.fmp4 cannot be written");
            }
            drop(permit);
        };
        self.last = Some(tokio::spawn(write.in_current_span()));
    }

    /// Waits until all are written.
    pub async fn finish(self) {
        if let Some(last) = self.last {
            let _ = last.await;
        }
    }
}

/// Writes the output of the batch in this folder; blocks.
///
/// # Errors
/// The batch has no index or nothing on air, or the system's error.
pub fn write(dir: &Path) -> io::Result<()> {
    let index = AirIndex::read(dir).map_err(io::Error::other)?;
    let output = Output::of(&index).ok_or_else(|| io::Error::other("nothing of it went on air"))?;
    let temporary = part(dir, names::OUTPUT);
    let written = copy(&output, &temporary).and_then(|()| std::fs::rename(&temporary, dir.join(names::OUTPUT)));
    if written.is_err() {
        // What is left is swept at the next start.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

fn copy(output: &Output, path: &Path) -> io::Result<()> {
    let (mut file, mut reader) = (File::create(path)?, Reader::default());
    let (mut at, mut piece) = (0, vec![0; OUTPUT_PIECE_BYTES]);
    loop {
        let filled = reader.read(output, at, &mut piece)?;
        if filled == 0 {
            return Ok(());
        }
        file.write_all(piece.get(..filled).unwrap_or_default())?;
        at += filled as u64;
    }
}
