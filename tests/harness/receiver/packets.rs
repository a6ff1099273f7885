//! Packets in a comparable form: kind, time, digest of the body.

use std::path::Path;

use outboard::media::flv::body::{AudioFacts, PacketType, VideoFacts};
use outboard::media::flv::head::Head;
use outboard::media::flv::{TagKind, TagReader};
use outboard::pipeline::air::spool::ReadyBatch;
use sha2::{Digest, Sha256};

/// One media packet of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReceivedPacket {
    /// The type of the FLV tag: video or audio.
    pub kind: TagKind,
    /// Decoding time in milliseconds.
    pub dts_ms: u64,
    /// First 8 bytes of the body's SHA-256.
    pub digest: [u8; 8],
    /// Whether it is a video packet at which decoding can start.
    pub key: bool,
}

/// The content of a recording.
#[derive(Debug, Default, Clone)]
pub struct Recording {
    /// Media packets in the order of the file.
    pub packets: Vec<ReceivedPacket>,
    /// Sequence headers, in order.
    pub headers: Vec<(TagKind, Vec<u8>)>,
    /// For each header how many media packets were before it.
    pub headers_at: Vec<usize>,
    /// Number of script tags.
    pub scripts: usize,
    /// Video bodies in the extended form of enhanced RTMP, in order, also sequence headers.
    pub extended: Vec<Extended>,
}

/// A video body in the extended form (Enhanced RTMP v1, "Extended VideoTagHeader"), read without the host's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extended {
    /// Decoding time in milliseconds.
    pub dts_ms: u64,
    /// The codec.
    pub four_cc: String,
    /// Whether decoding can start there.
    pub key: bool,
    /// PacketType: 0 is a sequence header, 1 and 3 are pictures.
    pub packet: u8,
    /// Presentation minus decoding time in milliseconds.
    pub composition_ms: i32,
    /// What is behind the head.
    pub payload: Vec<u8>,
}

impl Extended {
    fn parse(dts_ms: u64, body: &[u8]) -> Self {
        let (first, rest) = body.split_first().expect("a body");
        let (four_cc, rest) = rest.split_at(4);
        let (four_cc, packet) = (String::from_utf8_lossy(four_cc).into_owned(), first & 0xf);
        let with_time = four_cc == "hvc1" && packet == 1;
        let (time, payload) = rest.split_at(if with_time { 3 } else { 0 });
        let composition_ms = time.first_chunk().map_or(0, |[a, b, c]| i32::from_be_bytes([*a, *b, *c, 0]) >> 8);
        let key = first >> 4 & 7 == 1;
        Self { dts_ms, four_cc, key, packet, composition_ms, payload: payload.to_vec() }
    }
}

impl Recording {
    /// Adds a tag's body.
    pub fn take(&mut self, kind: TagKind, timestamp_ms: u64, body: &[u8]) {
        let (packet, key) = match kind {
            TagKind::Script => {
                self.scripts += 1;
                return;
            }
            TagKind::Video if body.first().is_some_and(|first| first & 0x80 != 0) => {
                self.extended.push(Extended::parse(timestamp_ms, body));
                return;
            }
            TagKind::Video => {
                let facts = VideoFacts::parse(body).expect("a plain video body");
                (facts.packet, facts.is_key_picture())
            }
            TagKind::Audio => (AudioFacts::parse(body).expect("a plain audio body").packet, false),
        };
        if packet == PacketType::SequenceHeader {
            self.headers.push((kind, body.to_vec()));
            self.headers_at.push(self.packets.len());
        } else if packet == PacketType::Media {
            self.packets.push(ReceivedPacket { kind, dts_ms: timestamp_ms, digest: digest(body), key });
        }
    }

    /// Reads an FLV file. A recorder that was killed may have left an incomplete tag, which is ignored.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("a recording");
        let mut reader = TagReader::new();
        reader.feed(&bytes);
        let mut recording = Self::default();
        while let Some(tag) = reader.next_tag().expect("whole tags") {
            recording.take(tag.kind, u64::from(tag.timestamp_ms), tag.body);
        }
        recording
    }
}

/// The packets of a spool's batches, in the order of time, video first.
pub fn spooled(batches: &[ReadyBatch]) -> Vec<ReceivedPacket> {
    let mut all = Vec::new();
    for batch in batches {
        for (kind, track) in [(TagKind::Video, &batch.video), (TagKind::Audio, &batch.audio)] {
            if track.tags.is_empty() {
                continue;
            }
            let bytes = std::fs::read(&track.path).expect("the track's file");
            all.extend(track.tags.iter().enumerate().map(|(index, tag)| {
                let (_, header) = track.header_of(index).expect("a header");
                let head = Head::of(header.codec, tag.key, tag.composition_ms).expect("a codec that goes on air");
                let sample = &bytes[tag.offset as usize..][..tag.len as usize];
                ReceivedPacket { kind, dts_ms: tag.dts_ms, digest: digest(&[&head[..], sample].concat()), key: tag.key }
            }));
        }
    }
    all.sort_by_key(|seen| (seen.dts_ms, seen.kind == TagKind::Audio));
    all
}

/// The packets with times relative to the first one, as in recordings.
pub fn from_first(packets: &[ReceivedPacket]) -> Vec<ReceivedPacket> {
    let first = packets.first().map_or(0, |seen| seen.dts_ms);
    packets.iter().map(|seen| ReceivedPacket { dts_ms: seen.dts_ms.wrapping_sub(first), ..*seen }).collect()
}

/// Panics with the first difference, unless both are equal.
pub fn assert_same(got: &[ReceivedPacket], want: &[ReceivedPacket]) {
    if let Some(at) = got.iter().zip(want).position(|(got, want)| got != want) {
        panic!("packet {at} differs: got {:?}, want {:?}", got[at], want[at]);
    }
    assert_eq!(got.len(), want.len(), "number of packets");
}

/// The digest of a key frame without its composition time, which may have been rounded; `None`: the tag is not a key
/// frame.
pub fn key_picture(kind: TagKind, body: &[u8]) -> Option<[u8; 8]> {
    /// Kind of frame and codec, kind of packet, composition time.
    const HEADER_BYTES: usize = 5;
    let plain = kind == TagKind::Video && body.first().is_some_and(|first| first & 0x80 == 0);
    let facts = plain.then(|| VideoFacts::parse(body).expect("a plain video body"))?;
    let media = facts.packet == PacketType::Media && facts.is_key_picture();
    media.then(|| digest(&body[HEADER_BYTES..]))
}

/// The digests of all key frames of an FLV file, in order.
pub fn key_pictures(path: &Path) -> Vec<[u8; 8]> {
    let bytes = std::fs::read(path).expect("a recording");
    let mut reader = TagReader::new();
    reader.feed(&bytes);
    let mut keys = Vec::new();
    while let Some(tag) = reader.next_tag().expect("whole tags") {
        keys.extend(key_picture(tag.kind, tag.body));
    }
    keys
}

fn digest(body: &[u8]) -> [u8; 8] {
    let digest = Sha256::digest(body);
    digest[..8].try_into().expect("eight bytes")
}
