//! Fragmented MP4: the samples that each `moof` announces, held against the `mdat` behind it.

use super::super::choice::Choice;
use super::super::es::headers::{HEAD_MAX, Head, head};
use super::super::event::{Codec, Config, TrackKind};
use super::super::mp4::fragment::{Ends, Sample, samples};
use super::super::mp4::init::{self, Track};
use super::super::mp4::track::streams;
use super::{IndexError, List, Read, foreign};
use crate::adts;
use crate::layout::Stored;
use crate::limits::{DEMUX_BOX_BYTES_MAX, DEMUX_SAMPLES_MAX, INDEX_BOXES_MAX};

/// Lists all samples of the track; answers what is missing at the end.
pub(super) fn index(
    kind: TrackKind,
    length: u64,
    read: &mut Read<'_>,
    list: &mut List,
) -> Result<Option<String>, IndexError> {
    let mut file = Fragments { kind, tracks: Vec::new(), track: None, ends: Ends::default(), announced: Vec::new() };
    let (mut at, mut boxes) = (0, 0);
    let mut cut = 0;
    while at < length {
        boxes += 1;
        if boxes > INDEX_BOXES_MAX {
            return Err(foreign(format!("it has more than {INDEX_BOXES_MAX} boxes")));
        }
        let Some(found) = header(at, length, read)? else {
            cut = length - at;
            break;
        };
        let Found { name, body, end } = found;
        match &name {
            b"moov" | b"moof" => {
                if end > length {
                    cut = length - at;
                    break;
                }
                let size = usize::try_from(end - body).unwrap_or(usize::MAX);
                if size > DEMUX_BOX_BYTES_MAX {
                    return Err(foreign(format!("its box {} has {size} bytes", name.escape_ascii())));
                }
                let mut content = vec![0; size];
                read(body, &mut content)?;
                if &name == b"moov" { file.moov(&content)? } else { file.moof(&content, at)? }
            }
            b"mdat" => {
                if let Some(missing) = file.mdat(body, end, length, read, list)? {
                    return Ok(Some(format!("{missing} announced packets are incomplete at its end")));
                }
            }
            _ => {}
        }
        at = end;
    }
    let left = file.announced.len();
    Ok((cut > 0 || left > 0)
        .then(|| format!("{left} announced packets and {cut} bytes of a box are incomplete at its end")))
}

/// A box of the top level: its type, where its content begins, and where it ends.
struct Found {
    name: [u8; 4],
    body: u64,
    end: u64,
}

/// Reads the header of the box at this place; `None`: it is incomplete.
fn header(at: u64, length: u64, read: &mut Read<'_>) -> Result<Option<Found>, IndexError> {
    let mut bytes = [0; 16];
    let has = length - at;
    let Some(start) = bytes.get_mut(..16.min(usize::try_from(has).unwrap_or(16))).filter(|start| start.len() >= 8)
    else {
        return Ok(None);
    };
    read(at, start)?;
    let [s0, s1, s2, s3, n0, n1, n2, n3, large @ ..] = bytes;
    let name = [n0, n1, n2, n3];
    let (size, header) = match u32::from_be_bytes([s0, s1, s2, s3]) {
        0 => (has, 8),
        1 if has < 16 => return Ok(None),
        1 => (u64::from_be_bytes(large), 16),
        size => (size.into(), 8),
    };
    let end = at.checked_add(size).filter(|_| size >= header);
    let damaged = || foreign(format!("its box {} at byte {at} is damaged", name.escape_ascii()));
    Ok(Some(Found { name, body: at + header, end: end.ok_or_else(damaged)? }))
}

struct Fragments {
    kind: TrackKind,
    tracks: Vec<Track>,
    /// track_ID of the track whose samples are listed.
    track: Option<u32>,
    ends: Ends,
    /// Samples that the last `moof` announced and that no `mdat` had yet, in the order of their bytes.
    announced: Vec<Sample>,
}

impl Fragments {
    /// One track of the kind, and nothing unknown that might be one.
    fn moov(&mut self, content: &[u8]) -> Result<(), IndexError> {
        self.tracks = init::tracks(content);
        let streams = streams(&self.tracks, &Choice::default(), [None; 2]);
        let mut of_kind = streams.iter().filter(|stream| stream.codec.kind() == Some(self.kind));
        let track = of_kind.next().map(|stream| stream.number);
        let unknown = streams.iter().any(|stream| stream.codec.kind().is_none());
        if track.is_none() || of_kind.next().is_some() || unknown {
            let codecs: Vec<_> = streams.iter().map(|stream| stream.codec.name()).collect();
            let (kind, codecs) = (self.kind, codecs.join(", "));
            return Err(foreign(format!("it has the tracks [{codecs}], and one {kind} track is copied")));
        }
        self.track = track;
        Ok(())
    }

    fn moof(&mut self, content: &[u8], at: u64) -> Result<(), IndexError> {
        if !self.announced.is_empty() {
            return Err(foreign(format!("{} packets have no bytes", self.announced.len())));
        }
        let found = samples(content, at, &self.tracks, &mut self.ends, DEMUX_SAMPLES_MAX);
        self.announced = found.ok_or_else(|| foreign(format!("its box moof at byte {at} is damaged")))?;
        Ok(())
    }

    /// Takes the samples in an `mdat`; answers how many of them are cut off by the end of the file.
    fn mdat(
        &mut self,
        body: u64,
        end: u64,
        length: u64,
        read: &mut Read<'_>,
        list: &mut List,
    ) -> Result<Option<usize>, IndexError> {
        let mut at = body;
        let announced = std::mem::take(&mut self.announced);
        for (n, sample) in announced.iter().enumerate() {
            let next = at + u64::from(sample.size);
            if u64::try_from(sample.at) != Ok(at) || next > end || sample.size == 0 {
                return Err(foreign(format!("a packet at byte {} is not where one is expected, at {at}", sample.at)));
            }
            if next > length {
                return Ok(Some(announced.len() - n));
            }
            if Some(sample.track) == self.track {
                let (stored, config) = self.stored(sample, at, read)?;
                list.add(stored, config)?;
            }
            at = next;
        }
        if at < end.min(length) {
            return Err(foreign(format!(
                "{} bytes belong to no packet, such as samples outside of fragments",
                end.min(length) - at
            )));
        }
        Ok((end > length).then_some(0))
    }

    fn stored(&self, sample: &Sample, offset: u64, read: &mut Read<'_>) -> Result<(Stored, Config), IndexError> {
        let tracks = self.tracks.iter().find(|track| track.id == sample.track);
        let number = usize::try_from(sample.entry).unwrap_or_default().wrapping_sub(1);
        let entry = tracks.and_then(|track| track.entries.get(number));
        let usable = entry.filter(|entry| !entry.encrypted && entry.codec.kind() == Some(self.kind));
        let known = usable.and_then(|entry| Some((entry, entry.config.clone()?)));
        let (entry, mut config) = known.ok_or_else(|| foreign("it has packets without a configuration"))?;
        let mut stored = Stored { offset, len: sample.size, key: sample.sync };
        if entry.length_bytes != 4 {
            keep_lengths(&mut config, entry.length_bytes);
        }
        if entry.bare {
            let mut bytes = [0; HEAD_MAX];
            let start = bytes.get_mut(..HEAD_MAX.min(sample.size as usize)).unwrap_or_default();
            read(offset, start)?;
            if let Head::Frame(frame) = head(Codec::Aac, start) {
                if frame.length != sample.size as usize || frame.samples != adts::SAMPLES {
                    return Err(foreign(format!("the ADTS header at byte {offset} does not fit its packet")));
                }
                stored.offset += frame.strip as u64;
                stored.len -= frame.strip as u32;
                config = Config::Audio(frame.config);
            }
        }
        Ok((stored, config))
    }
}

/// Tells the number of bytes before each NAL unit in the record: samples stay as they are.
fn keep_lengths(config: &mut Config, bytes: usize) {
    let Config::Video(video) = config else { return };
    let at = match video.codec {
        Codec::H264 => 4,
        Codec::Hevc => 21,
        _ => return,
    };
    if let Some(byte) = video.record.get_mut(at) {
        *byte = *byte & !3 | (bytes.saturating_sub(1) & 3) as u8;
    }
}
