//! The batches that are ready for air: bytes on disk, an index of them in memory.
//!
//! The remux step appends; each destination reads with its own cursor, so that one never holds up another. A track may
//! reach over the border of its batch, so a reader keeps a position per track and takes whichever packet is due first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

/// One media packet of a batch: the body of an FLV tag, which is the payload of an RTMP message as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Where the body starts in the batch's file.
    pub offset: u64,
    /// Length of the body in bytes.
    pub len: u32,
    /// Decoding time on the air timeline in milliseconds: continuous over batches, rising within a track.
    pub dts_ms: u64,
    /// A picture that decoding can start at.
    pub key: bool,
}

/// The packets of one track of a batch in decoding order, and what a decoder needs first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// Body of the sequence header tag (AVCDecoderConfigurationRecord, AudioSpecificConfig); `None`: no such track.
    pub header: Option<Bytes>,
    /// Media packets, without the sequence header.
    pub tags: Vec<Tag>,
}

/// A batch whose bytes are on disk, ready to be sent.
#[derive(Debug, Clone)]
pub struct ReadyBatch {
    /// Batch number.
    pub number: u64,
    /// An FLV file; tags point into it.
    pub path: PathBuf,
    /// Body of the `onMetaData` script tag (AMF0: string, then object), to be sent after publish.
    pub metadata: Option<Bytes>,
    /// Pictures; empty for audio-only streams.
    pub video: Track,
    /// Sound; empty where the stream has none.
    pub audio: Track,
    /// Air time of the first packet in milliseconds.
    pub start_ms: u64,
    /// Air time at which the next batch starts.
    pub end_ms: u64,
}

impl ReadyBatch {
    /// A batch that was lost on the way: nothing to send, but its number is taken.
    pub fn empty(number: u64, at_ms: u64) -> Self {
        let (path, video, audio) = (PathBuf::new(), Track::default(), Track::default());
        Self { number, path, metadata: None, video, audio, start_ms: at_ms, end_ms: at_ms }
    }
}

/// The batches that are ready and not yet released, oldest first. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    batches: Arc<Mutex<Held>>,
    state: watch::Sender<SpoolState>,
}

#[derive(Debug, Default)]
struct Held {
    batches: VecDeque<(Arc<ReadyBatch>, Counts)>,
    /// Packets of all batches so far.
    total: Counts,
}

/// Packets of both tracks, counted over all batches of a spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pictures.
    pub video: u64,
    /// Audio packets.
    pub audio: u64,
}

/// What readers wait on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolState {
    /// Number of the newest batch, once there is one.
    pub newest: Option<u64>,
    /// No batch will follow.
    pub finished: bool,
}

impl Default for Spool {
    fn default() -> Self {
        Self::new()
    }
}

impl Spool {
    /// An empty spool.
    pub fn new() -> Self {
        Self { batches: Arc::default(), state: watch::Sender::new(SpoolState::default()) }
    }

    /// Adds the next batch. Numbers rise by one.
    pub fn append(&self, batch: ReadyBatch) {
        let number = batch.number;
        let mut held = self.lock();
        let before = held.total;
        held.total.video += batch.video.tags.len() as u64;
        held.total.audio += batch.audio.tags.len() as u64;
        held.batches.push_back((Arc::new(batch), before));
        drop(held);
        self.state.send_modify(|state| state.newest = Some(number));
    }

    /// The batch of this number, unless it is still to come or already released.
    pub fn get(&self, number: u64) -> Option<Arc<ReadyBatch>> {
        self.lock().find(number).map(|(batch, _)| batch.clone())
    }

    /// Packets of all batches of this spool before that of this number, which must be held. Counts what a reader
    /// passes over when batches are released before it came to them.
    pub fn packets_before(&self, number: u64) -> Option<Counts> {
        self.lock().find(number).map(|(_, before)| *before)
    }

    /// How many batches are held.
    pub fn len(&self) -> usize {
        self.lock().batches.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The oldest batch that is held.
    pub fn oldest(&self) -> Option<Arc<ReadyBatch>> {
        self.lock().batches.front().map(|(batch, _)| batch.clone())
    }

    /// The newest batch that is held.
    pub fn newest(&self) -> Option<Arc<ReadyBatch>> {
        self.lock().batches.back().map(|(batch, _)| batch.clone())
    }

    /// Lets go of all batches before this number; their files may be cleaned then.
    pub fn release_before(&self, number: u64) {
        self.lock().batches.retain(|(batch, _)| batch.number >= number);
    }

    /// Tells readers that no batch will follow.
    pub fn finish(&self) {
        self.state.send_modify(|state| state.finished = true);
    }

    /// Changes of the spool; a reader waits here for the next batch.
    pub fn watch(&self) -> watch::Receiver<SpoolState> {
        self.state.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn find(&self, number: u64) -> Option<&(Arc<ReadyBatch>, Counts)> {
        let first = self.batches.front()?.0.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        self.batches.get(at).filter(|(batch, _)| batch.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64, video: usize, audio: usize) -> ReadyBatch {
        let tag = Tag { offset: 0, len: 1, dts_ms: 0, key: false };
        let track = |tags| Track { header: None, tags: vec![tag; tags] };
        let (video, audio) = (track(video), track(audio));
        ReadyBatch { number, path: "x".into(), metadata: None, video, audio, start_ms: 0, end_ms: 1 }
    }

    #[test]
    fn keeps_batches_by_number_until_released() {
        let spool = Spool::default();
        assert!(spool.oldest().is_none() && spool.newest().is_none() && spool.get(0).is_none());
        let mut watch = spool.watch();
        for number in 5..9 {
            spool.append(batch(number, 10, 20));
        }
        assert_eq!(*watch.borrow_and_update(), SpoolState { newest: Some(8), finished: false });
        assert_eq!(spool.packets_before(7), Some(Counts { video: 20, audio: 40 }));
        spool.release_before(7);
        assert_eq!(spool.get(7).unwrap().number, 7);
        assert!(spool.get(6).is_none() && spool.get(9).is_none() && spool.packets_before(5).is_none());
        assert_eq!((spool.oldest().unwrap().number, spool.newest().unwrap().number), (7, 8));
        assert_eq!(spool.packets_before(8), Some(Counts { video: 30, audio: 60 }), "releasing forgets no packet");
        spool.finish();
        assert!(watch.borrow_and_update().finished);
    }
}
