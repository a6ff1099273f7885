//! `air.index`: what of a batch's files goes on air and when. A restart goes on from it, and previews are served by it.
//!
//! In and out: a [`ReadyBatch`] whose files are in the batch's folder, with what an initialization section needs, and the
//! batch's place in the preview. The file has a magic number with its version, a SHA-256 of what follows, and the rest as
//! [postcard](https://postcard.jamesmunns.com/wire-format). It counts only if all packets are inside of their files.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::demux::part;
use crate::limits::{AIR_INDEX_BYTES_MAX, BATCH_PACKETS_MAX};
use outboard_egress::spool::{ReadyBatch, SequenceHeader, Tag, Track};
use outboard_media::demux::Codec;
use outboard_media::facts::BatchFacts;
use outboard_media::flv::BODY_MAX;
use outboard_media::flv::head::HEAD_BYTES_MAX;
use outboard_media::fmp4::head::Place;
use outboard_store::files::names;

/// What a batch has on air.
#[derive(Debug, Clone)]
pub struct AirIndex {
    /// The batch as the spool takes it.
    pub ready: ReadyBatch,
    /// What an initialization section of its tracks needs.
    pub form: Form,
    /// Its place among the outputs of its stream; `None`: it has none, because it has no packets.
    pub place: Option<Place>,
}

/// What an initialization section needs besides the configurations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// Sample rate in hertz.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
}

impl Form {
    /// The form of the tracks that demuxing found.
    pub fn of(facts: &BatchFacts) -> Self {
        let (width, height) = facts.video.as_ref().map_or((0, 0), |track| track.dimensions);
        let (sample_rate, channels) = facts.audio.as_ref().map_or((0, 2), |t| (t.sample_rate, t.channels));
        Self { width, height, sample_rate, channels }
    }
}

/// Why an index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The index or a file that it names cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// It is damaged, or of another version.
    #[error("{path} {why}")]
    Invalid {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The first bytes of the file; the last one is the version.
const MAGIC: &[u8; 8] = b"AIRIDX\r\x01";
/// Bytes of the checksum behind them.
const SUM: usize = 32;

#[derive(Serialize, Deserialize)]
struct StoredIndex {
    number: u64,
    start_ms: u64,
    end_ms: u64,
    metadata: Option<Vec<u8>>,
    form: Form,
    /// Sequence, discontinuity and start of the place.
    place: Option<(u64, u64, u64)>,
    video: StoredTrack,
    audio: StoredTrack,
}

#[derive(Default, Serialize, Deserialize)]
struct StoredTrack {
    /// Name of the file in the batch's folder; empty if there are no packets.
    file: String,
    headers: Vec<StoredHeader>,
    packets: Vec<StoredPacket>,
}

/// Index of the first packet, name of the codec, body.
#[derive(Serialize, Deserialize)]
struct StoredHeader(u32, String, Vec<u8>);

/// Small numbers, which take a byte or two each: bytes since the end of the packet before, length, milliseconds since the packet
/// before, composition time, whether it is a key frame.
#[derive(Serialize, Deserialize)]
struct StoredPacket(i64, u32, i64, i32, bool);

impl AirIndex {
    /// Writes the index into the batch's folder, under a temporary name first; blocks.
    ///
    /// # Errors
    /// The system's error, or a file that is not in the folder.
    pub fn write(&self, dir: &Path) -> std::io::Result<()> {
        let temporary = part(dir, names::AIR_INDEX);
        let payload = postcard::to_allocvec(&self.stored(dir)?).map_err(std::io::Error::other)?;
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(MAGIC)?;
            file.write_all(&Sha256::digest(&payload))?;
            file.write_all(&payload)
        });
        let written = written.and_then(|()| std::fs::rename(&temporary, dir.join(names::AIR_INDEX)));
        if written.is_err() {
            // What is left is swept at the next start.
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }

    /// Removes the index of an earlier try, which must not be taken for that of the next one; blocks.
    ///
    /// # Errors
    /// The system's error; a missing file is none.
    pub fn remove(dir: &Path) -> std::io::Result<()> {
        match std::fs::remove_file(dir.join(names::AIR_INDEX)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads the index in a batch's folder; blocks.
    ///
    /// # Errors
    /// [`IndexError`]: there is none, it is damaged, or its files are not as it says.
    pub fn read(dir: &Path) -> Result<Self, IndexError> {
        let path = dir.join(names::AIR_INDEX);
        let io = |error| IndexError::Io { path: path.clone(), error };
        let invalid = |why: &str| IndexError::Invalid { path: path.clone(), why: why.to_owned() };
        let mut bytes = Vec::new();
        File::open(&path).and_then(|file| file.take(AIR_INDEX_BYTES_MAX + 1).read_to_end(&mut bytes)).map_err(io)?;
        if bytes.len() as u64 > AIR_INDEX_BYTES_MAX {
            return Err(invalid("is too large for an index"));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| invalid("is no index of this version"))?;
        let (sum, payload) = rest.split_first_chunk::<SUM>().ok_or_else(|| invalid("is cut off"))?;
        if Sha256::digest(payload)[..] != sum[..] {
            return Err(invalid("is cut off or damaged"));
        }
        let (stored, rest) =
            postcard::take_from_bytes::<StoredIndex>(payload).map_err(|error| invalid(&error.to_string()))?;
        if !rest.is_empty() {
            return Err(invalid("has bytes behind its end"));
        }
        let track = |stored: StoredTrack| stored.track(dir).map_err(|why| invalid(&why));
        let StoredIndex { number, start_ms, end_ms, metadata, form, place, video, audio } = stored;
        let (video, audio) = (track(video)?, track(audio)?);
        if start_ms > end_ms {
            return Err(invalid("ends before it begins"));
        }
        let metadata = metadata.map(Bytes::from);
        let ready = ReadyBatch { number, metadata, video, audio, start_ms, end_ms };
        let place = place.map(|(sequence, discontinuity, start_ms)| Place { sequence, discontinuity, start_ms });
        Ok(Self { ready, form, place })
    }

    fn stored(&self, dir: &Path) -> std::io::Result<StoredIndex> {
        let Self { ready, form, place } = self;
        Ok(StoredIndex {
            number: ready.number,
            start_ms: ready.start_ms,
            end_ms: ready.end_ms,
            metadata: ready.metadata.as_ref().map(|body| body.to_vec()),
            form: *form,
            place: place.map(|place| (place.sequence, place.discontinuity, place.start_ms)),
            video: StoredTrack::of(&ready.video, dir)?,
            audio: StoredTrack::of(&ready.audio, dir)?,
        })
    }
}

impl StoredTrack {
    fn of(track: &Track, dir: &Path) -> std::io::Result<Self> {
        if track.tags.is_empty() {
            return Ok(Self::default());
        }
        let name = track.path.strip_prefix(dir).ok().and_then(Path::to_str).filter(|name| is_plain(name));
        let outside = || std::io::Error::other(format!("{} is not in the batch's folder", track.path.display()));
        let (mut end, mut last_ms) = (0_u64, 0_u64);
        let packet = |tag: &Tag| {
            let step = tag.offset.wrapping_sub(end).cast_signed();
            let since = tag.dts_ms.wrapping_sub(last_ms).cast_signed();
            (end, last_ms) = (tag.offset.wrapping_add(tag.len.into()), tag.dts_ms);
            StoredPacket(step, tag.len, since, tag.composition_ms, tag.key)
        };
        let header = |header: &SequenceHeader| {
            let first = u32::try_from(header.first).unwrap_or(u32::MAX);
            StoredHeader(first, header.codec.name().to_owned(), header.body.to_vec())
        };
        Ok(Self {
            file: name.ok_or_else(outside)?.to_owned(),
            headers: track.headers.iter().map(header).collect(),
            packets: track.tags.iter().map(packet).collect(),
        })
    }

    fn track(self, dir: &Path) -> Result<Track, String> {
        let Self { file, headers, packets } = self;
        if packets.is_empty() {
            return Ok(Track::default());
        }
        if packets.len() > BATCH_PACKETS_MAX {
            return Err(format!("has {} packets, and {BATCH_PACKETS_MAX} are possible", packets.len()));
        }
        if !is_plain(&file) {
            return Err(format!("names the file {file:?}, which cannot be in the batch's folder"));
        }
        let path = dir.join(&file);
        let length = std::fs::metadata(&path).map_err(|error| format!("names the file {file}: {error}"))?.len();
        let (mut end, mut last_ms) = (0_u64, 0_u64);
        let mut tags = Vec::with_capacity(packets.len());
        for StoredPacket(step, len, since, composition_ms, key) in packets {
            let (offset, dts_ms) = (end.wrapping_add_signed(step), last_ms.wrapping_add_signed(since));
            let inside = offset.checked_add(len.into()).filter(|end| *end <= length);
            end = inside.ok_or_else(|| format!("has a packet at {offset} of {len} bytes, and {file} has {length}"))?;
            if len as usize + HEAD_BYTES_MAX > BODY_MAX {
                return Err(format!("has a packet of {len} bytes"));
            }
            last_ms = dts_ms;
            tags.push(Tag { offset, len, dts_ms, composition_ms, key });
        }
        let header = |StoredHeader(first, name, body)| {
            let codec = codec(&name).ok_or_else(|| format!("has the codec {name:?}, which is not known"))?;
            Ok(SequenceHeader { first: first as usize, codec, body: Bytes::from(body) })
        };
        let headers: Vec<SequenceHeader> = headers.into_iter().map(header).collect::<Result<_, String>>()?;
        let rising = headers.windows(2).all(|pair| matches!(pair, [a, b] if a.first < b.first));
        if headers.first().is_none_or(|first| first.first != 0) || !rising {
            return Err("has sequence headers out of order".to_owned());
        }
        Ok(Track { path, headers, tags })
    }
}

/// Whether it is the name of a file, and no path.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(only)), None) if only == name)
}

fn codec(name: &str) -> Option<Codec> {
    const CODECS: [Codec; 8] =
        [Codec::H264, Codec::Hevc, Codec::Av1, Codec::Aac, Codec::MpegAudio, Codec::Ac3, Codec::Eac3, Codec::Opus];
    CODECS.into_iter().find(|codec| codec.name() == name)
}

#[cfg(test)]
mod tests;
