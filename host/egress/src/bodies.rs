//! Samples from the batches' files, read ahead in large pieces.
//!
//! In: a packet's position in the file of its track. Out: its bytes. One piece per track is held, because each track has a
//! file of its own. This uses at most two pieces of
//! [`AIR_READ_AHEAD`] bytes, or one packet if it is longer. Reading happens on the blocking pool, about twice per
//! second and destination.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::cursor::Packet;
use super::spool::ReadyBatch;
use crate::limits::AIR_READ_AHEAD;
use outboard_media::flv::TagKind;

/// Why a packet could not be read.
#[derive(Debug, Error)]
pub enum BodyReadError {
    /// The file could not be opened or is too short.
    #[error("batch {batch}: {len} bytes at {offset} of {path}: {error}")]
    Io {
        /// Number of the batch, from 0.
        batch: u64,
        /// The file with the track's samples.
        path: PathBuf,
        /// Offset of the bytes in the file.
        offset: u64,
        /// Number of bytes to read.
        len: u64,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// The runtime is shutting down.
    #[error("reading was cancelled: the program is shutting down")]
    Ended,
}

/// The pieces in memory: of the video file, and of the audio file.
#[derive(Debug, Default)]
pub struct Bodies {
    pieces: [Piece; 2],
}

#[derive(Debug, Default)]
struct Piece {
    batch: Option<u64>,
    file: Option<Arc<File>>,
    start: u64,
    bytes: Vec<u8>,
}

impl Piece {
    fn body(&self, packet: &Packet) -> Option<&[u8]> {
        if self.batch != Some(packet.at.batch) {
            return None;
        }
        let from = usize::try_from(packet.tag.offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..)?.get(..packet.tag.len as usize)
    }
}

impl Bodies {
    /// Loads the packet for [`Self::get`]; reads only if it is not in memory.
    ///
    /// # Errors
    /// [`BodyReadError`] if the batch's file cannot be read, or the runtime shuts down.
    pub async fn load(&mut self, packet: &Packet, batch: &Arc<ReadyBatch>) -> Result<(), BodyReadError> {
        if self.get(packet).is_some() {
            return Ok(());
        }
        let piece = self.piece_mut(packet.kind);
        let file = piece.file.clone().filter(|_| piece.batch == Some(batch.number));
        let (track, offset) = (batch.track(packet.kind), packet.tag.offset);
        // Reads at most up to the last packet of the track, so that a complete piece always exists.
        let end = track.tags.last().map_or(offset, |tag| tag.offset + u64::from(tag.len));
        let len = end.saturating_sub(offset).min(AIR_READ_AHEAD).max(u64::from(packet.tag.len));
        let mut bytes = std::mem::take(&mut piece.bytes);
        piece.batch = None;
        bytes.clear();
        // The buffer of a long packet is not kept for short ones.
        bytes.shrink_to(AIR_READ_AHEAD as usize);
        let path = track.path.clone();
        let wanted = packet.tag.len as usize;
        let span = tracing::Span::current();
        let task = tokio::task::spawn_blocking(move || {
            let _span = span.enter();
            let read = || {
                let file = file.map_or_else(|| File::open(&path).map(Arc::new), Ok)?;
                bytes.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
                let read = read_at(&file, &mut bytes, offset)?;
                bytes.truncate(read);
                // A file that ends early still returns the packets that it contains.
                if read < wanted { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok((file, bytes)) }
            };
            read().map_err(|error| (path, error))
        });
        match task.await {
            Ok(Ok((file, bytes))) => {
                *piece = Piece { batch: Some(batch.number), file: Some(file), start: offset, bytes };
                Ok(())
            }
            Ok(Err((path, error))) => Err(BodyReadError::Io { batch: batch.number, path, offset, len, error }),
            Err(_) => Err(BodyReadError::Ended),
        }
    }

    /// The packet's bytes, if they are in memory.
    pub fn get(&self, packet: &Packet) -> Option<&[u8]> {
        let [video, audio] = &self.pieces;
        let piece = if packet.kind == TagKind::Audio { audio } else { video };
        piece.body(packet)
    }

    fn piece_mut(&mut self, kind: TagKind) -> &mut Piece {
        let [video, audio] = &mut self.pieces;
        if kind == TagKind::Audio { audio } else { video }
    }
}

/// Fills the buffer up to the end of the file.
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::TrackPosition;
    use crate::spool::{Tag, Track};

    fn packet(kind: TagKind, tag: Tag) -> Packet {
        Packet { kind, at: TrackPosition { batch: 7, tag: 0 }, tag, index: 0, end_ms: 0, entry: false }
    }

    #[tokio::test]
    async fn reads_ahead_and_names_what_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["video", "audio"].map(|name| dir.path().join(name));
        let content = |first: u32| -> Vec<u8> { (0..700_000u32).map(|n| ((n + first) % 251) as u8).collect() };
        let contents = [content(0), content(100)];
        paths.iter().zip(&contents).for_each(|(path, content)| std::fs::write(path, content).unwrap());
        let tag = |offset, len| Tag { offset, len, dts_ms: 0, composition_ms: 0, key: false };
        let video = [tag(0, 1000), tag(1100, 2000), tag(5000, 400_000), tag(699_000, 1000)];
        let audio = [tag(1000, 100), tag(500_000, 100)];
        let track =
            |path: usize, tags: &[Tag]| Track { path: paths[path].clone(), tags: tags.to_vec(), ..Track::default() };
        let mut batch = ReadyBatch {
            number: 7,
            metadata: None,
            video: track(0, &video),
            audio: track(1, &audio),
            start_ms: 0,
            end_ms: 1,
        };
        let mut bodies = Bodies::default();
        let shared = Arc::new(batch.clone());
        let of = |kind: TagKind, tags: &[Tag]| tags.iter().map(|tag| packet(kind, *tag)).collect::<Vec<_>>();
        for packet in of(TagKind::Video, &video).into_iter().chain(of(TagKind::Audio, &audio)) {
            bodies.load(&packet, &shared).await.unwrap();
            let (from, content) = (packet.tag.offset as usize, &contents[usize::from(packet.kind == TagKind::Audio)]);
            assert_eq!(bodies.get(&packet).unwrap(), &content[from..from + packet.tag.len as usize]);
        }
        // An open file can be read after its name is removed, and bytes in memory need no file.
        let mut bodies = Bodies::default();
        bodies.load(&packet(TagKind::Audio, audio[0]), &shared).await.unwrap();
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
        bodies.load(&packet(TagKind::Audio, audio[0]), &shared).await.unwrap();
        bodies.load(&packet(TagKind::Audio, audio[1]), &shared).await.unwrap();
        batch.number = 8;
        let mut gone = packet(TagKind::Video, video[0]);
        gone.at.batch = 8;
        let error = bodies.load(&gone, &Arc::new(batch)).await.unwrap_err();
        let named = format!("batch 8: 262144 bytes at 0 of {}", paths[0].display());
        assert!(error.to_string().starts_with(&named), "{error}");
        assert!(bodies.get(&gone).is_none());
    }
}
