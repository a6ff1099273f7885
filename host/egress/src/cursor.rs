//! A destination's position in the spool: selects the next packet.
//!
//! In: the spool and a position per track. Out: packets in the order of their air time over both tracks (video first at
//! equal times). A track at the end of the newest batch waits without delaying the other. No I/O; [`super::bodies`]
//! reads the bodies.

use std::ops::Range;
use std::sync::Arc;

use super::position::{Position, TrackPosition};
use super::spool::{Place, ReadyBatch, Spool, Tag};
use outboard_media::flv::TagKind;

/// A packet to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Whether it is video or audio.
    pub kind: TagKind,
    /// Position of the packet in its track.
    pub at: TrackPosition,
    /// Where its body is, and when it is due.
    pub tag: Tag,
    /// Number of earlier packets of its track in the spool.
    pub index: u64,
    /// Air time in milliseconds at which it ends: the start of the next packet of its track.
    pub end_ms: u64,
    /// Whether a receiver can start here: a key frame, or any packet of a stream without video.
    pub entry: bool,
}

/// Packets that were skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passed {
    /// Video packets, by position in the track.
    pub video: Stretch,
    /// Audio packets, by position in the track.
    pub audio: Stretch,
}

/// Consecutive packets of one track.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stretch {
    /// Numbers of the packets, as in [`Packet::index`].
    pub packets: Range<u64>,
    /// Air time in milliseconds, from the first packet to the first one after them.
    pub ms: Range<u64>,
}

impl Stretch {
    fn between(from: Place, to: Place) -> Self {
        if to.index <= from.index {
            return Self::default();
        }
        Self { packets: from.index..to.index, ms: from.ms.min(to.ms)..to.ms }
    }

    /// Returns the number of packets in the stretch.
    pub fn len(&self) -> u64 {
        self.packets.end.saturating_sub(self.packets.start)
    }

    /// Whether there are no packets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Passed {
    /// Makes a record of a single skipped packet.
    pub fn one(packet: &Packet) -> Self {
        let one = Stretch { packets: packet.index..packet.index + 1, ms: packet.tag.dts_ms..packet.end_ms };
        match packet.kind {
            TagKind::Audio => Self { audio: one, ..Self::default() },
            _ => Self { video: one, ..Self::default() },
        }
    }

    /// Number of packets of both tracks.
    pub fn len(&self) -> u64 {
        self.video.len() + self.audio.len()
    }

    /// Whether no packet was skipped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The result of looking for the next packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The packet to send next.
    Packet(Packet),
    /// No packet until the next batch arrives.
    Wait,
    /// The batches at the cursor are released: [`Cursor::skip_released`] continues after them.
    Released,
}

/// A position in the spool.
#[derive(Debug)]
pub struct Cursor {
    spool: Spool,
    video: TrackCursor,
    audio: TrackCursor,
}

#[derive(Debug, Default)]
struct TrackCursor {
    at: TrackPosition,
    batch: Option<Arc<ReadyBatch>>,
    /// Number of packets of this track before `at`; `None` until it is looked up in the spool.
    index: Option<u64>,
}

enum Found {
    Tag(Tag),
    End,
    Released,
}

impl Cursor {
    /// A cursor at a position.
    pub fn new(spool: Spool, position: Position) -> Self {
        let mut cursor = Self { spool, video: TrackCursor::default(), audio: TrackCursor::default() };
        cursor.set(position);
        cursor
    }

    /// The next packet in order of time, without advancing.
    pub fn peek(&mut self) -> Next {
        let video = self.video.find(TagKind::Video, &self.spool);
        let audio = self.audio.find(TagKind::Audio, &self.spool);
        // If the batches of one track are released, earlier packets of the other are sent first.
        match (video, audio) {
            (Found::Tag(video), Found::Tag(audio)) if video.dts_ms <= audio.dts_ms => self.picture(video),
            (Found::Tag(video), Found::End) => self.picture(video),
            (Found::Tag(video), Found::Released) if self.video.at < self.audio.at => self.picture(video),
            (Found::Released, Found::Tag(audio)) if self.audio.at < self.video.at => self.sound(audio),
            (Found::Released, _) | (_, Found::Released) => Next::Released,
            (_, Found::Tag(audio)) => self.sound(audio),
            (Found::End, Found::End) => Next::Wait,
        }
    }

    fn sound(&self, tag: Tag) -> Next {
        let entry = !self.audio.batch.as_ref().is_some_and(|batch| has_pictures(batch));
        let (index, end_ms) = (self.audio.index.unwrap_or(0), self.audio.end_ms(TagKind::Audio, tag));
        Next::Packet(Packet { kind: TagKind::Audio, at: self.audio.at, tag, index, end_ms, entry })
    }

    fn picture(&self, tag: Tag) -> Next {
        let (index, end_ms) = (self.video.index.unwrap_or(0), self.video.end_ms(TagKind::Video, tag));
        Next::Packet(Packet { kind: TagKind::Video, at: self.video.at, tag, index, end_ms, entry: tag.key })
    }

    /// Moves past the next packet of a track.
    pub fn advance(&mut self, kind: TagKind) {
        let track = self.track(kind);
        track.at.tag += 1;
        track.index = track.index.map(|index| index + 1);
    }

    /// The batch of this track, once [`Self::peek`] has found it.
    pub fn batch(&self, kind: TagKind) -> Option<&Arc<ReadyBatch>> {
        match kind {
            TagKind::Audio => self.audio.batch.as_ref(),
            _ => self.video.batch.as_ref(),
        }
    }

    /// The index of the next packet of this track in the tags of [`Self::batch`].
    pub fn index(&self, kind: TagKind) -> usize {
        let at = if kind == TagKind::Audio { self.audio.at } else { self.video.at };
        at.tag as usize
    }

    /// The position, with the air time of the next packet (or of the end, if there is none).
    pub fn position(&mut self) -> Position {
        let air_ms = match self.peek() {
            Next::Packet(packet) => packet.tag.dts_ms,
            _ => self.video.batch.as_ref().map_or(0, |batch| batch.end_ms),
        };
        Position { video: self.video.at, audio: self.audio.at, air_ms }
    }

    /// Whether both tracks are past all packets of the batches before this number.
    pub fn past(&self, number: u64) -> bool {
        [(&self.video, TagKind::Video), (&self.audio, TagKind::Audio)].into_iter().all(|(track, kind)| {
            let at_end =
                track.batch.as_ref().is_some_and(|batch| tags(batch, kind).get(track.at.tag as usize).is_none());
            track.at.batch >= number || (track.at.batch + 1 == number && at_end)
        })
    }

    /// Moves to exactly this position.
    pub fn set(&mut self, position: Position) {
        self.video = TrackCursor { at: position.video, ..TrackCursor::default() };
        self.audio = TrackCursor { at: position.audio, ..TrackCursor::default() };
    }

    /// Moves to the entry at or before a position, because a new session must start with an entry. Without such an
    /// entry, or at the end of the spool, it moves to the position itself.
    pub fn set_at_entry(&mut self, position: Position) {
        self.set(position);
        self.peek();
        let Some(here) = self.video.batch.clone() else { return };
        if !has_pictures(&here) || self.video.at.tag as usize >= here.video.tags.len() {
            return;
        }
        let Some((entry, key)) = self.entry_before(self.video.at) else { return };
        if entry < self.video.at {
            self.video = TrackCursor { at: entry, ..TrackCursor::default() };
            while let Some(before) = self.audio_before().filter(|(_, tag)| tag.dts_ms >= key.dts_ms) {
                self.audio = TrackCursor { at: before.0, ..TrackCursor::default() };
            }
            self.peek();
        }
    }

    /// Moves to the entry at or before a position, but the audio to the position itself: for a session that begins because
    /// of a new header at that position, which would come again if the audio went back.
    pub fn set_at_entry_for_header(&mut self, position: Position) {
        self.set_at_entry(position);
        self.audio = TrackCursor { at: position.audio, ..TrackCursor::default() };
        self.peek();
    }

    fn entry_before(&self, at: TrackPosition) -> Option<(TrackPosition, Tag)> {
        let (mut number, mut end) = (at.batch, at.tag as usize + 1);
        loop {
            let batch = self.spool.get(number)?;
            let tags = &batch.video.tags;
            let before = tags.get(..end.min(tags.len())).unwrap_or_default();
            if let Some(index) = before.iter().rposition(|tag| tag.key) {
                return Some((TrackPosition { batch: number, tag: index as u32 }, *tags.get(index)?));
            }
            (number, end) = (number.checked_sub(1)?, usize::MAX);
        }
    }

    fn audio_before(&self) -> Option<(TrackPosition, Tag)> {
        let (mut number, mut end) = (self.audio.at.batch, self.audio.at.tag as usize);
        loop {
            let batch = self.spool.get(number)?;
            let index = end.min(batch.audio.tags.len()).checked_sub(1);
            if let Some(index) = index {
                return Some((TrackPosition { batch: number, tag: index as u32 }, *batch.audio.tags.get(index)?));
            }
            (number, end) = (number.checked_sub(1)?, usize::MAX);
        }
    }

    /// Moves forward to the first entry at or after an air time, or else to the last entry; returns what was skipped.
    /// Does not move without an entry ahead.
    pub fn skip_to(&mut self, air_ms: u64) -> Passed {
        self.peek();
        let Some(here) = self.video.batch.clone().or_else(|| self.audio.batch.clone()) else {
            return Passed::default();
        };
        let kind = if has_pictures(&here) { TagKind::Video } else { TagKind::Audio };
        let from = self.track(kind).at;
        match self.entry_ahead(kind, from, air_ms) {
            Some((entry, tag)) => self.jump(kind, entry, tag.dts_ms),
            None => Passed::default(),
        }
    }

    /// Moves to the first entry that is still in the spool; returns what was skipped.
    pub fn skip_released(&mut self) -> Passed {
        let Some(oldest) = self.spool.oldest() else { return Passed::default() };
        let start = TrackPosition { batch: oldest.number, tag: 0 };
        let oldest = self.first_with_packets(oldest);
        if self.video.at >= start && has_pictures(&oldest) {
            // Only audio that reaches over a border is released: video continues where it is.
            let from = self.place(TagKind::Audio);
            self.audio = TrackCursor { at: self.audio.at.max(start), ..TrackCursor::default() };
            self.peek();
            return Passed { video: Stretch::default(), audio: Stretch::between(from, self.place(TagKind::Audio)) };
        }
        if !has_pictures(&oldest) {
            return self.jump(TagKind::Audio, self.audio.at.max(start), 0);
        }
        match self.entry_ahead(TagKind::Video, start, 0) {
            Some((entry, tag)) => self.jump(TagKind::Video, entry, tag.dts_ms),
            None => self.jump(TagKind::Video, start, 0),
        }
    }

    /// The first batch in the spool that was not lost.
    fn first_with_packets(&self, oldest: Arc<ReadyBatch>) -> Arc<ReadyBatch> {
        let empty = |batch: &ReadyBatch| batch.audio.tags.is_empty() && !has_pictures(batch);
        let mut batch = oldest.clone();
        while empty(&batch) {
            let Some(next) = self.spool.get(batch.number + 1) else { return oldest };
            batch = next;
        }
        batch
    }

    fn entry_ahead(&self, kind: TagKind, from: TrackPosition, air_ms: u64) -> Option<(TrackPosition, Tag)> {
        let mut last = None;
        let (mut number, mut skip) = (from.batch, from.tag as usize);
        while let Some(batch) = self.spool.get(number) {
            for (index, tag) in tags(&batch, kind).iter().enumerate().skip(skip) {
                let at = TrackPosition { batch: number, tag: index as u32 };
                if (tag.key || kind == TagKind::Audio) && at > from {
                    last = Some((at, *tag));
                    if tag.dts_ms >= air_ms {
                        return last;
                    }
                } else if at == from && (tag.key || kind == TagKind::Audio) && tag.dts_ms >= air_ms {
                    return Some((at, *tag));
                }
            }
            (number, skip) = (number + 1, 0);
        }
        last
    }

    /// Moves the track to an entry and the other track to its first packet that is not before it.
    fn jump(&mut self, kind: TagKind, entry: TrackPosition, dts_ms: u64) -> Passed {
        let before = [TagKind::Video, TagKind::Audio].map(|kind| self.place(kind));
        let other = if kind == TagKind::Video { TagKind::Audio } else { TagKind::Video };
        let other_from = self.track(other).at.batch;
        *self.track(kind) = TrackCursor { at: entry, ..TrackCursor::default() };
        let oldest = self.spool.oldest().map_or(0, |batch| batch.number);
        if other_from < oldest {
            *self.track(other) = TrackCursor { at: TrackPosition { batch: oldest, tag: 0 }, ..TrackCursor::default() };
        }
        self.peek();
        loop {
            let spool = self.spool.clone();
            match self.track(other).find(other, &spool) {
                Found::Tag(tag) if tag.dts_ms < dts_ms => self.advance(other),
                _ => break,
            }
        }
        let [video, audio] = before;
        Passed {
            video: Stretch::between(video, self.place(TagKind::Video)),
            audio: Stretch::between(audio, self.place(TagKind::Audio)),
        }
    }

    /// The position of a track among all of its packets.
    fn place(&mut self, kind: TagKind) -> Place {
        let spool = self.spool.clone();
        let track = self.track(kind);
        let found = track.find(kind, &spool);
        let known = spool.place(kind, track.at).unwrap_or_default();
        let ms = if let Found::Tag(tag) = found { tag.dts_ms } else { known.ms };
        Place { index: track.index.unwrap_or(known.index), ms }
    }

    fn track(&mut self, kind: TagKind) -> &mut TrackCursor {
        match kind {
            TagKind::Audio => &mut self.audio,
            _ => &mut self.video,
        }
    }
}

impl TrackCursor {
    /// Where the packet at this position ends: at the next one of its track, else at the end of the batch.
    fn end_ms(&self, kind: TagKind, tag: Tag) -> u64 {
        let Some(batch) = &self.batch else { return tag.dts_ms };
        let next = tags(batch, kind).get(self.at.tag as usize + 1);
        next.map_or(batch.end_ms, |next| next.dts_ms).max(tag.dts_ms)
    }

    fn find(&mut self, kind: TagKind, spool: &Spool) -> Found {
        loop {
            let batch = match &self.batch {
                Some(batch) if batch.number == self.at.batch => batch,
                _ => match spool.get(self.at.batch) {
                    Some(batch) => {
                        self.index = spool.place(kind, self.at).map(|place| place.index);
                        self.batch.insert(batch)
                    }
                    None if spool.oldest().is_some_and(|oldest| oldest.number > self.at.batch) => {
                        self.index = self.index.or_else(|| Some(spool.place(kind, self.at)?.index));
                        return Found::Released;
                    }
                    None => return Found::End,
                },
            };
            if let Some(tag) = tags(batch, kind).get(self.at.tag as usize) {
                return Found::Tag(*tag);
            }
            let next = TrackPosition { batch: self.at.batch + 1, tag: 0 };
            if spool.get(next.batch).is_some() {
                self.at = next;
            } else if spool.oldest().is_some_and(|oldest| oldest.number > next.batch) {
                self.at = next;
                return Found::Released;
            } else {
                return Found::End;
            }
        }
    }
}

fn tags(batch: &ReadyBatch, kind: TagKind) -> &[Tag] {
    &batch.track(kind).tags
}

fn has_pictures(batch: &ReadyBatch) -> bool {
    batch.video.exists()
}

#[cfg(test)]
mod tests;
