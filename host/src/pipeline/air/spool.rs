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

/// The batches that are ready and not yet released, oldest first. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Spool {
    batches: Arc<Mutex<VecDeque<Arc<ReadyBatch>>>>,
    state: watch::Sender<SpoolState>,
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
        self.lock().push_back(Arc::new(batch));
        self.state.send_modify(|state| state.newest = Some(number));
    }

    /// The batch of this number, unless it is still to come or already released.
    pub fn get(&self, number: u64) -> Option<Arc<ReadyBatch>> {
        let batches = self.lock();
        let first = batches.front()?.number;
        batches.get(usize::try_from(number.checked_sub(first)?).ok()?).cloned()
    }

    /// The oldest batch that is held.
    pub fn oldest(&self) -> Option<Arc<ReadyBatch>> {
        self.lock().front().cloned()
    }

    /// Lets go of all batches before this number; their files may be cleaned then.
    pub fn release_before(&self, number: u64) {
        self.lock().retain(|batch| batch.number >= number);
    }

    /// Tells readers that no batch will follow.
    pub fn finish(&self) {
        self.state.send_modify(|state| state.finished = true);
    }

    /// Changes of the spool; a reader waits here for the next batch.
    pub fn watch(&self) -> watch::Receiver<SpoolState> {
        self.state.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<ReadyBatch>>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
