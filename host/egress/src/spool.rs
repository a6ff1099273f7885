//! The batches that are ready for air: samples in files on disk, with an index in memory.
//!
//! The files are those that demuxing wrote, and those of the chosen audio: nothing is copied for sending. The remux step
//! appends; each destination reads with its own cursor, so none delays another. A track may reach over
//! the border of its batch, so a reader keeps a position per track and takes the packet that is due first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::position::TrackPosition;
use outboard_base::limits::SPOOL_HISTORY_MAX;
use outboard_media::demux::Codec;
use outboard_media::flv::TagKind;
#[cfg(doc)]
use outboard_media::flv::head::Head;

/// One media packet of a batch: a sample in its track's file. With the codec's [`Head`] before it, it is the body of an FLV
/// tag and the payload of an RTMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// Offset of the sample in the track's file.
    pub offset: u64,
    /// Length of the sample in bytes.
    pub len: u32,
    /// Decoding time on the air timeline in milliseconds: continuous over batches, rising within a track.
    pub dts_ms: u64,
    /// Presentation minus decoding time in milliseconds; 0 for audio.
    pub composition_ms: i32,
    /// Whether it is a video packet at which decoding can start.
    pub key: bool,
}

/// A configuration of a track's decoder, from one of its packets on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceHeader {
    /// Index of the first packet that needs it, in the track's tags.
    pub first: usize,
    /// The codec of the packets from there on.
    pub codec: Codec,
    /// Body of the sequence header tag (AVCDecoderConfigurationRecord, AudioSpecificConfig).
    pub body: Bytes,
}

/// The packets of one track of a batch in decoding order, and the decoder's configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// The file with the samples; the tags refer to it.
    pub path: PathBuf,
    /// Sequence headers by rising index; the first is for packet 0. Empty: there is no such track.
    pub headers: Vec<SequenceHeader>,
    /// Media packets.
    pub tags: Vec<Tag>,
}

impl Track {
    /// Whether the batch has this track, if only its header.
    pub fn exists(&self) -> bool {
        !self.headers.is_empty() || !self.tags.is_empty()
    }

    /// The sequence header that the packet with this index needs, and its number among the track's headers.
    pub fn header_of(&self, index: usize) -> Option<(usize, &SequenceHeader)> {
        let number = self.headers.partition_point(|header| header.first <= index).checked_sub(1)?;
        Some((number, self.headers.get(number)?))
    }
}

/// A batch whose samples are on disk, ready to be sent.
#[derive(Debug, Clone)]
pub struct ReadyBatch {
    /// Number of the batch, from 0.
    pub number: u64,
    /// Body of the `onMetaData` script tag (AMF0: string, then object), to be sent after publish.
    pub metadata: Option<Bytes>,
    /// Video packets; empty for audio-only streams.
    pub video: Track,
    /// Audio packets; empty for streams without audio.
    pub audio: Track,
    /// Air time of the first packet in milliseconds.
    pub start_ms: u64,
    /// Air time at which the next batch starts, in milliseconds.
    pub end_ms: u64,
}

impl ReadyBatch {
    /// A batch that was lost before air: it has no packets, but its number is used.
    pub fn empty(number: u64, at_ms: u64) -> Self {
        let (video, audio) = (Track::default(), Track::default());
        Self { number, metadata: None, video, audio, start_ms: at_ms, end_ms: at_ms }
    }

    /// The audio track for [`TagKind::Audio`], else the video track.
    pub fn track(&self, kind: TagKind) -> &Track {
        match kind {
            TagKind::Audio => &self.audio,
            _ => &self.video,
        }
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
    batches: VecDeque<Arc<ReadyBatch>>,
    /// Packet counts of all batches, including released ones: the newest [`SPOOL_HISTORY_MAX`], oldest first.
    history: VecDeque<Known>,
    /// Packets of all batches so far.
    total: Counts,
}

/// What the spool keeps of a batch after its release.
#[derive(Debug, Clone, Copy)]
struct Known {
    number: u64,
    /// Packets of the batches before it.
    before: Counts,
    own: Counts,
    start_ms: u64,
    end_ms: u64,
}

/// A position among all packets of its track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// Packets of the track before it.
    pub index: u64,
    /// Its air time in milliseconds; interpolated within a released batch.
    pub ms: u64,
}

/// Packets of both tracks, over all batches of a spool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of video packets.
    pub video: u64,
    /// Number of audio packets.
    pub audio: u64,
}

/// The state that readers wait on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolState {
    /// Number of the newest batch; `None` before the first.
    pub newest: Option<u64>,
    /// Whether no batch will follow.
    pub finished: bool,
}

impl Default for Spool {
    fn default() -> Self {
        Self::new()
    }
}

impl Spool {
    /// A spool without batches.
    pub fn new() -> Self {
        Self { batches: Arc::default(), state: watch::Sender::new(SpoolState::default()) }
    }

    /// Adds the next batch. Numbers rise by one.
    pub fn append(&self, batch: ReadyBatch) {
        let number = batch.number;
        let own = Counts { video: batch.video.tags.len() as u64, audio: batch.audio.tags.len() as u64 };
        let mut held = self.lock();
        held.know(number, own, (batch.start_ms, batch.end_ms));
        held.batches.push_back(Arc::new(batch));
        drop(held);
        self.state.send_modify(|state| state.newest = Some(number));
    }

    /// Adds the counts of a batch that an earlier run released, with its start and end in milliseconds of air time, so
    /// that a reader that never reached it can count it. Called before the first [`Self::append`], oldest first.
    pub fn remember(&self, number: u64, own: Counts, times_ms: (u64, u64)) {
        self.lock().know(number, own, times_ms);
    }

    /// The batch of this number; `None` if it is not added yet or already released.
    pub fn get(&self, number: u64) -> Option<Arc<ReadyBatch>> {
        self.lock().find(number).cloned()
    }

    /// The place of a position among its track's packets, also in released batches. A position in a batch that is no
    /// longer known counts as the start of the oldest known one; `None` if no batch is known.
    pub fn place(&self, kind: TagKind, at: TrackPosition) -> Option<Place> {
        self.lock().place(kind, at)
    }

    /// Number of batches that are not released.
    pub fn len(&self) -> usize {
        self.lock().batches.len()
    }

    /// Whether all batches are released.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The oldest batch that is not released.
    pub fn oldest(&self) -> Option<Arc<ReadyBatch>> {
        self.lock().batches.front().cloned()
    }

    /// The newest batch that is not released.
    pub fn newest(&self) -> Option<Arc<ReadyBatch>> {
        self.lock().batches.back().cloned()
    }

    /// Releases all batches before this number; after that their files may be removed.
    pub fn release_before(&self, number: u64) {
        self.lock().batches.retain(|batch| batch.number >= number);
    }

    /// Reports to readers that no batch will follow.
    pub fn finish(&self) {
        self.state.send_modify(|state| state.finished = true);
    }

    /// Changes of the spool; readers wait here for the next batch.
    pub fn watch(&self) -> watch::Receiver<SpoolState> {
        self.state.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn find(&self, number: u64) -> Option<&Arc<ReadyBatch>> {
        let first = self.batches.front()?.number;
        let at = usize::try_from(number.checked_sub(first)?).ok()?;
        self.batches.get(at).filter(|batch| batch.number == number)
    }

    fn know(&mut self, number: u64, own: Counts, (start_ms, end_ms): (u64, u64)) {
        if self.history.len() == SPOOL_HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(Known { number, before: self.total, own, start_ms, end_ms });
        self.total.video += own.video;
        self.total.audio += own.audio;
    }

    fn place(&self, kind: TagKind, at: TrackPosition) -> Option<Place> {
        let newest = self.history.back()?;
        let later = self.history.partition_point(|known| known.number < at.batch);
        let Some(known) = self.history.get(later) else {
            return Some(Place { index: self.total.of(kind), ms: newest.end_ms });
        };
        let (before, own) = (known.before.of(kind), known.own.of(kind));
        let inside = if known.number == at.batch { u64::from(at.tag).min(own) } else { 0 };
        let length_ms = known.end_ms.saturating_sub(known.start_ms);
        let ms = known.start_ms + (length_ms * inside).checked_div(own).unwrap_or_default();
        Some(Place { index: before + inside, ms })
    }
}

impl Counts {
    fn of(self, kind: TagKind) -> u64 {
        match kind {
            TagKind::Audio => self.audio,
            _ => self.video,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64, video: usize, audio: usize) -> ReadyBatch {
        let tag = Tag { offset: 0, len: 1, dts_ms: 0, composition_ms: 0, key: false };
        let track = |tags| Track { tags: vec![tag; tags], ..Track::default() };
        let (video, audio) = (track(video), track(audio));
        ReadyBatch { number, metadata: None, video, audio, start_ms: 0, end_ms: 1 }
    }

    #[test]
    fn a_packet_has_the_last_header_before_it() {
        let header = |first| SequenceHeader { first, codec: Codec::Aac, body: Bytes::new() };
        let track = Track { headers: vec![header(0), header(3), header(4)], ..Track::default() };
        let number = |index| track.header_of(index).map(|(number, header)| (number, header.first));
        assert_eq!([0, 2, 3, 4, 90].map(number), [(0, 0), (0, 0), (1, 3), (2, 4), (2, 4)].map(Some));
        assert!(track.exists() && !Track::default().exists());
        assert_eq!(Track::default().header_of(0), None);
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
        let index = |kind, batch, tag| spool.place(kind, TrackPosition { batch, tag }).map(|place| place.index);
        assert_eq!((index(TagKind::Video, 7, 0), index(TagKind::Audio, 7, 3)), (Some(20), Some(43)));
        spool.release_before(7);
        assert_eq!(spool.get(7).unwrap().number, 7);
        assert!(spool.get(6).is_none() && spool.get(9).is_none());
        assert_eq!((spool.oldest().unwrap().number, spool.newest().unwrap().number), (7, 8));
        assert_eq!(index(TagKind::Video, 8, 4), Some(34), "releasing forgets no packet");
        assert_eq!((index(TagKind::Video, 5, 4), index(TagKind::Audio, 2, 9)), (Some(4), Some(0)));
        assert_eq!(index(TagKind::Audio, 9, 0), Some(80), "the end of all");
        let released = spool.place(TagKind::Video, TrackPosition { batch: 6, tag: 5 });
        assert_eq!(released, Some(Place { index: 15, ms: 0 }));
        spool.finish();
        assert!(watch.borrow_and_update().finished);
    }

    #[test]
    fn what_is_known_of_released_batches_is_bounded() {
        let spool = Spool::default();
        let own = Counts { video: 2, audio: 3 };
        (0..SPOOL_HISTORY_MAX as u64 + 10)
            .for_each(|number| spool.remember(number, own, (number * 10, number * 10 + 10)));
        let place = |batch, tag| spool.place(TagKind::Video, TrackPosition { batch, tag });
        assert_eq!(place(10, 1), Some(Place { index: 21, ms: 105 }));
        assert_eq!(place(3, 1), Some(Place { index: 20, ms: 100 }), "the oldest that is known");
        assert!(Spool::new().place(TagKind::Audio, TrackPosition::default()).is_none());
    }
}
