//! What the last batch put on air as sound, for the batch that goes on after it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::before::{Before, PACKETS_BEFORE};
use super::{AAC_SAMPLES, TAIL, is_plain_aac};
use crate::demux::Demuxed;
use crate::remux::plan::{Processed, Tail};
use outboard_egress::spool::{ReadyBatch, Tag};
use outboard_media::aac::{Header, Packets};
use outboard_media::facts::TrackFacts;
use outboard_media::flv::head::record;
use outboard_store::files::names;

/// Batches join if the sound of the next begins this near to the end of the one before, in milliseconds: times are
/// rounded. A missing packet is far more.
const JOINS_MS: u64 = 5;
/// Bytes of a sample in a tail.
const TAIL_SAMPLE_BYTES: u64 = 4;
/// The last packets on air, for the next batch; beside its other files.
const BEFORE: &str = "before.aac";

/// The end of a batch's sound on air.
#[derive(Debug)]
pub struct Aired {
    number: u64,
    dir: PathBuf,
    sample_rate: u32,
    channels: u32,
    /// When the sound that follows on begins on air.
    next_ms: u64,
    /// What the packets lie in, how they are coded, and where the last ones are.
    air: PathBuf,
    header: Option<Header>,
    tags: Vec<Tag>,
    /// Set if the last packet is left to the next batch.
    tail: Option<Tail>,
}

impl Aired {
    /// What a batch put on air; `processed` is what was made for it. `None`: no sound that another batch can go on after.
    pub(in crate::remux) fn of(batch: &Demuxed, ready: &ReadyBatch, processed: Option<&Processed>) -> Option<Self> {
        let audio = batch.facts.audio.as_ref().filter(|audio| is_plain_aac(audio))?;
        let tail = processed.and_then(|processed| processed.tail.clone());
        Self::new(ready, (audio.sample_rate, audio.channels), tail)
    }

    /// What a batch put on air that was ready before a restart.
    pub fn resumed(ready: &ReadyBatch) -> Option<Self> {
        let header = header(ready)?;
        let (rate, channels) = (header.rate, u32::from(header.channel_count()));
        let path = ready.audio.path.with_file_name(TAIL);
        let packets = |bytes| bytes / (AAC_SAMPLES * u64::from(channels) * TAIL_SAMPLE_BYTES);
        let tail = path.metadata().ok().map(|file| Tail { packets: packets(file.len()), path });
        Self::new(ready, (rate, channels), tail.filter(|tail| tail.packets > 0))
    }

    fn new(ready: &ReadyBatch, (sample_rate, channels): (u32, u32), tail: Option<Tail>) -> Option<Self> {
        let packet_ms = AAC_SAMPLES * 1000 / u64::from(sample_rate.max(1));
        let last = ready.audio.tags.last()?;
        let keep = usize::try_from(PACKETS_BEFORE).unwrap_or(0) + 1;
        let mut tags: Vec<Tag> = Vec::with_capacity(keep);
        let first = ready.audio.headers.last().map_or(0, |header| header.first);
        for tag in ready.audio.tags.iter().skip(first).rev().take(keep) {
            if tags.last().is_some_and(|next| next.dts_ms.saturating_sub(tag.dts_ms) > packet_ms + JOINS_MS) {
                break;
            }
            tags.push(*tag);
        }
        tags.reverse();
        let packets = if tail.is_some() { 2 } else { 1 };
        let next_ms = last.dts_ms + packets * AAC_SAMPLES * 1000 / u64::from(sample_rate.max(1));
        let fits = |header: &Header| (header.rate, u32::from(header.channel_count())) == (sample_rate, channels);
        let dir = ready.audio.path.parent()?.to_owned();
        Some(Self {
            number: ready.number,
            dir,
            sample_rate,
            channels,
            next_ms,
            air: ready.audio.path.clone(),
            header: header(ready).filter(fits),
            tags,
            tail,
        })
    }

    /// Whether a batch's sound follows on without a gap, in the same form.
    pub(in crate::remux) fn joins(&self, batch: &Demuxed) -> bool {
        let Some(audio) = batch.facts.audio.as_ref().filter(|audio| is_plain_aac(audio)) else { return false };
        let starts = batch.placed.audio.first().is_some_and(|first| first.dts_ms.abs_diff(self.next_ms) <= JOINS_MS);
        let alike = (audio.sample_rate, audio.channels) == (self.sample_rate, self.channels);
        self.number + 1 == batch.number && alike && starts
    }

    /// What is to be encoded in front of the batch in `dir`, which joins. Where it cannot be read, nothing.
    pub(in crate::remux) async fn before(&self, dir: &Path) -> Before {
        if let Some(tail) = &self.tail {
            return Before::Open(tail.clone());
        }
        match self.write_last(dir).await {
            Ok(Some(before)) => before,
            Ok(None) => Before::Nothing,
            Err(error) => {
                tracing::debug!(%error, "what was on air before cannot be read: the encoder starts with this batch");
                Before::Nothing
            }
        }
    }

    /// The tail whose last packet is left to the next batch.
    pub(in crate::remux) fn open(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// The folder of that batch.
    pub(in crate::remux) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The original sound of that batch.
    pub(super) fn original(&self) -> PathBuf {
        self.dir.join(names::AUDIO)
    }

    /// Puts the last packets on air into a file.
    async fn write_last(&self, dir: &Path) -> std::io::Result<Option<Before>> {
        let Some((header, heard)) = self.header.zip(self.tags.len().checked_sub(1).filter(|heard| *heard > 0)) else {
            return Ok(None);
        };
        let (air, tags, path) = (self.air.clone(), self.tags.clone(), dir.join(BEFORE));
        let write = move || {
            let file = File::open(air)?;
            let read = |tag: &Tag| {
                let mut packet = vec![0; tag.len as usize];
                file.read_exact_at(&mut packet, tag.offset).map(|()| packet)
            };
            let packets = tags.iter().map(read).collect::<std::io::Result<Vec<_>>>()?;
            let count = packets.len();
            let Some(adts) = (Packets { header, packets }).to_adts(0..count) else { return Ok(None) };
            std::fs::write(&path, adts)?;
            Ok(Some(Before::Complete { path, packets: heard as u64 }))
        };
        tokio::task::spawn_blocking(write).await.map_err(std::io::Error::other)?
    }
}

/// Whether packets with this header are like the original's.
pub(super) fn fits(header: &Header, audio: &TrackFacts) -> bool {
    (header.rate, u32::from(header.channel_count())) == (audio.sample_rate, audio.channels)
}

/// How the last packets of a batch are coded, if it is AAC-LC.
fn header(ready: &ReadyBatch) -> Option<Header> {
    let last = ready.audio.headers.last()?;
    Header::of_config(record(last.codec, &last.body)?)
}

/// Removes what no batch needs any more once the batch in `dir` is ready for air: the tail of the one `before`, and a tail
/// of what was not used.
pub(in crate::remux) async fn clean(before: Option<&Aired>, dir: &Path, processed: Option<&Processed>) {
    let mut gone: Vec<PathBuf> = before.and_then(Aired::open).map(|tail| tail.path.clone()).into_iter().collect();
    if processed.is_none_or(|processed| processed.tail.is_none()) {
        gone.push(dir.join(TAIL));
    }
    for path in gone {
        // What is left is removed with its batch.
        let _ = tokio::fs::remove_file(path).await;
    }
}
