//! Real media (H.264 with B-frames, AAC) as batches that are ready for air.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use bytes::Bytes;
use outboard::media::demux::Codec;
use outboard::media::flv::body::{AudioFacts, PacketType, VideoFacts};
use outboard::media::flv::{FileHeader, TAG_HEADER_LEN, TagKind, TagReader, write_tag};
use outboard::pipeline::air::spool::{ReadyBatch, SequenceHeader, Tag, Track};

/// How far the audio of a batch reaches over its border, in milliseconds.
pub const AUDIO_TAIL_MS: u64 = 60;

/// A piece of media, demuxed.
pub struct Clip {
    packets: Vec<Packet>,
    video_header: Bytes,
    audio_header: Bytes,
    metadata: Bytes,
}

struct Packet {
    kind: TagKind,
    dts_ms: u64,
    composition_ms: i32,
    key: bool,
    body: Vec<u8>,
}

/// 320x180 at 25 frames per second with a key frame each second, 16 seconds.
pub static SMALL: LazyLock<Clip> = LazyLock::new(|| Clip::make("320x180", 16, "300k"));
/// Another resolution: its sequence header differs.
pub static OTHER_SIZE: LazyLock<Clip> = LazyLock::new(|| Clip::make("160x90", 4, "200k"));

impl Clip {
    /// Makes a clip with ffmpeg.
    pub fn make(size: &str, seconds: u32, rate: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("clip.flv");
        let video = format!("testsrc2=size={size}:rate=25");
        let args = ["-nostdin", "-hide_banner", "-loglevel", "error", "-f", "lavfi", "-i", &video, "-f", "lavfi"];
        let seconds = seconds.to_string();
        let encode =
            ["-i", "sine=frequency=440:sample_rate=44100", "-t", &seconds, "-c:v", "libx264", "-preset", "veryfast"];
        // Filler keeps the bitrate up where the video alone would not.
        let x264 =
            ["-bf", "2", "-g", "25", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-b:v", rate, "-minrate", rate];
        let out = ["-maxrate", rate, "-bufsize", rate, "-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-f", "flv"];
        let status = Command::new("ffmpeg").args(args).args(encode).args(x264).args(out).arg(&path).status();
        assert!(status.expect("ffmpeg starts").success(), "ffmpeg makes a clip");
        Self::read(&path)
    }

    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).expect("the clip");
        let mut reader = TagReader::new();
        reader.feed(&bytes);
        let (mut packets, mut headers, mut metadata) = (Vec::new(), [Bytes::new(), Bytes::new()], Bytes::new());
        while let Some(tag) = reader.next_tag().expect("ffmpeg writes FLV") {
            let (packet, key, composition_ms) = match tag.kind {
                TagKind::Script => {
                    metadata = Bytes::copy_from_slice(tag.body);
                    continue;
                }
                TagKind::Video => {
                    let facts = VideoFacts::parse(tag.body).expect("H.264");
                    (facts.packet, facts.is_key_picture(), facts.composition_ms)
                }
                TagKind::Audio => (AudioFacts::parse(tag.body).expect("AAC").packet, false, 0),
            };
            match packet {
                PacketType::SequenceHeader => {
                    headers[usize::from(tag.kind == TagKind::Audio)] = Bytes::copy_from_slice(tag.body);
                }
                PacketType::Media => {
                    packets.push(Packet {
                        kind: tag.kind,
                        dts_ms: tag.timestamp_ms.into(),
                        composition_ms,
                        key,
                        body: tag.body.to_vec(),
                    });
                }
                _ => {}
            }
        }
        let [video_header, audio_header] = headers;
        Self { packets, video_header, audio_header, metadata }
    }

    /// The clip from its start as batches `first`, `first + 1`... of `batch_ms`, placed on the air timeline at `at_ms`.
    pub fn batches(&self, dir: &Path, first: u64, count: u64, batch_ms: u64, at_ms: u64) -> Vec<ReadyBatch> {
        let tail = |kind| if kind == TagKind::Audio { AUDIO_TAIL_MS } else { 0 };
        (0..count)
            .map(|n| {
                let (from, to) = (n * batch_ms, (n + 1) * batch_ms);
                let has = |packet: &&Packet| {
                    let from = if n == 0 { 0 } else { from + tail(packet.kind) };
                    (from..to + tail(packet.kind)).contains(&packet.dts_ms)
                };
                // Both tracks are in one file here.
                let path = dir.join(format!("batch-{}.flv", first + n));
                let track = |codec, body: &Bytes| Track {
                    path: path.clone(),
                    headers: vec![SequenceHeader { first: 0, codec, body: body.clone() }],
                    tags: Vec::new(),
                };
                let mut batch = ReadyBatch {
                    number: first + n,
                    metadata: Some(self.metadata.clone()),
                    video: track(Codec::H264, &self.video_header),
                    audio: track(Codec::Aac, &self.audio_header),
                    start_ms: at_ms + from,
                    end_ms: at_ms + to,
                };
                write_batch(&mut batch, self.packets.iter().filter(has), at_ms);
                batch
            })
            .collect()
    }
}

fn write_batch<'a>(batch: &mut ReadyBatch, packets: impl Iterator<Item = &'a Packet>, at_ms: u64) {
    let mut file = FileHeader { audio: true, video: true }.to_bytes().to_vec();
    for packet in packets {
        let dts_ms = at_ms + packet.dts_ms;
        // The sample without the head of its body.
        let head = if packet.kind == TagKind::Audio { 2 } else { 5 };
        let (offset, len) = ((file.len() + TAG_HEADER_LEN + head) as u64, (packet.body.len() - head) as u32);
        write_tag(&mut file, packet.kind, dts_ms as u32, &packet.body).expect("a tag");
        let track = if packet.kind == TagKind::Audio { &mut batch.audio } else { &mut batch.video };
        track.tags.push(Tag { offset, len, dts_ms, composition_ms: packet.composition_ms, key: packet.key });
    }
    std::fs::write(&batch.video.path, file).expect("a batch on disk");
}

/// The batches without their video.
pub fn audio_only(batches: Vec<ReadyBatch>) -> Vec<ReadyBatch> {
    batches.into_iter().map(|batch| ReadyBatch { video: Track::default(), ..batch }).collect()
}
