//! The events that a demuxer hands out in the order of the stream: stream lists, configurations, packets, data and
//! notices.

use std::fmt;

/// Ticks per second of all times that a demuxer hands out (ISO/IEC 13818-1 section 2.4.3.7).
pub const TICKS_PER_SECOND: i64 = 90_000;

/// The kind of a media track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKind {
    /// A track of pictures, one access unit per packet.
    Video,
    /// A track of sound, one frame per packet.
    Audio,
}

impl fmt::Display for TrackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
        })
    }
}

/// The codec or data format of an elementary stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264 video, also called AVC (ITU-T H.264).
    H264,
    /// H.265 video, also called HEVC (ITU-T H.265).
    Hevc,
    /// AV1, in MP4 only.
    Av1,
    /// MPEG-1 and MPEG-2 video.
    Mpeg2Video,
    /// MPEG-4 part 2 video (ISO/IEC 14496-2); announced, never taken.
    Mpeg4Video,
    /// AAC: in ADTS, or as MP4 samples.
    Aac,
    /// AAC in LATM (ISO/IEC 14496-3 section 1.7); announced, never taken.
    AacLatm,
    /// MPEG audio, layers 1 to 3; [`AudioConfig::layer`] has the layer.
    MpegAudio,
    /// AC-3, also called Dolby Digital (ETSI TS 102 366).
    Ac3,
    /// Enhanced AC-3, also called Dolby Digital Plus (ETSI TS 102 366 annex E).
    Eac3,
    /// Opus audio (RFC 6716), in a transport stream or in MP4.
    Opus,
    /// Timed ID3 tags (Apple, Timed Metadata for HTTP Live Streaming).
    Id3,
    /// Splice information sections (SCTE 35).
    Scte35,
    /// KLV metadata (MISB ST 1402).
    Klv,
    /// Any other format. The number is the stream_type in a transport stream (ISO/IEC 13818-1 table 2-34), or 0 in MP4.
    Other(u8),
}

impl Codec {
    /// `None`: neither pictures nor sound.
    pub fn kind(self) -> Option<TrackKind> {
        match self {
            Self::H264 | Self::Hevc | Self::Av1 | Self::Mpeg2Video | Self::Mpeg4Video => Some(TrackKind::Video),
            Self::Aac | Self::AacLatm | Self::MpegAudio | Self::Ac3 | Self::Eac3 | Self::Opus => Some(TrackKind::Audio),
            Self::Id3 | Self::Scte35 | Self::Klv | Self::Other(_) => None,
        }
    }

    /// The codecs of sound that a stream can be chosen by.
    pub const SOUNDS: [Self; 5] = [Self::Aac, Self::MpegAudio, Self::Ac3, Self::Eac3, Self::Opus];

    /// The name in ffmpeg's words, where it has one.
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "hevc",
            Self::Av1 => "av1",
            Self::Mpeg2Video => "mpeg2video",
            Self::Mpeg4Video => "mpeg4",
            Self::Aac => "aac",
            Self::AacLatm => "aac_latm",
            Self::MpegAudio => "mp3",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Opus => "opus",
            Self::Id3 => "timed_id3",
            Self::Scte35 => "scte_35",
            Self::Klv => "klv",
            Self::Other(_) => "unknown",
        }
    }
}

/// An elementary stream or track that the input announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// PID in a transport stream, or track_ID in MP4.
    pub number: u32,
    /// The codec or data format of the stream.
    pub codec: Codec,
    /// Language as an ISO 639-2 code (`deu`); `None` if the input names no language, or `und`.
    pub language: Option<String>,
    /// Whether the stream is encrypted (SAMPLE-AES stream types, `encv` and `enca` in MP4) and therefore cannot be
    /// taken.
    pub encrypted: bool,
    /// Whether the packets of the stream are handed out.
    pub taken: bool,
}

/// The programmes and streams that the input has now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streams {
    /// program_number of the programme that is taken; `None` in containers without programmes.
    pub program: Option<u16>,
    /// program_number of each programme of the input.
    pub programs: Vec<u16>,
    /// Streams of the taken programme, in the order of its table.
    pub streams: Vec<Stream>,
}

/// What a decoder needs before the packets that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Config {
    /// Configuration of the video packets that follow.
    Video(VideoConfig),
    /// Configuration of the audio packets that follow.
    Audio(AudioConfig),
}

/// What a decoder needs before it can decode the pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoConfig {
    /// The codec of the pictures.
    pub codec: Codec,
    /// The decoder configuration record as in MP4: `avcC`, `hvcC` (ISO/IEC 14496-15 sections 5.3.3.1 and 8.3.3.1) or
    /// `av1C`. It declares NAL unit lengths of four bytes, which all packets have, whatever the source has.
    pub record: Vec<u8>,
    /// Size in pixels after cropping; 0 if it is not known.
    pub width: u32,
    /// Size in pixels after cropping; 0 if it is not known.
    pub height: u32,
    /// Frames per second as a fraction, if the parameter sets contain it. Many streams differ from it.
    pub frame_rate: Option<(u32, u32)>,
}

/// What a decoder needs before it can decode the sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioConfig {
    /// The codec or data format of the stream.
    pub codec: Codec,
    /// AudioSpecificConfig for AAC (ISO/IEC 14496-3 section 1.6.2.1), `dOps` for Opus in MP4, otherwise empty.
    pub record: Vec<u8>,
    /// Sample rate in hertz from the headers. With SBR, however it is signalled, this is the rate of the core, and the decoded
    /// rate is twice as high.
    pub sample_rate: u32,
    /// Number of channels; 0 if only the content of a frame tells it.
    pub channels: u8,
    /// Layer of MPEG audio, 1 to 3; 0 for other codecs.
    pub layer: u8,
}

/// Whether decoding can start at a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// No: the picture depends on earlier pictures, or may do so.
    No,
    /// Yes: an IDR picture, an IRAP picture without leading pictures, a sync sample of MP4, or an audio frame.
    Sync,
    /// Decoding can start here, and pictures are correct after this many frames (recovery_frame_cnt, ITU-T H.264
    /// section D.2.8); 0 in an open GOP.
    Recovery(u32),
}

impl Key {
    /// Returns whether decoding can start at the packet.
    pub fn is_key(self) -> bool {
        self != Self::No
    }
}

/// The origin of a packet's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timing {
    /// The source sent the times.
    Read,
    /// The source sent no times, so they are computed from the previous packet by sample count, frame rate and output
    /// order.
    Derived,
}

/// One access unit of pictures or one frame of sound.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// The track to which the packet belongs.
    pub kind: TrackKind,
    /// Decoding time in ticks of 90 kHz, which continues where the source's 33 bits wrap.
    pub dts: i64,
    /// Presentation time in ticks of 90 kHz, continued over wraps like `dts`.
    pub pts: i64,
    /// The origin of the times.
    pub timing: Timing,
    /// Whether decoding can start here.
    pub key: Key,
    /// Number of audio samples of one channel; 0 for pictures, or if it is not known.
    pub samples: u32,
    /// The bytes as in an MP4 sample: NAL units with lengths of four bytes, AAC without its ADTS header. Other audio
    /// keeps its own headers.
    pub data: Vec<u8>,
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, dts, pts, timing, key, samples, data } = self;
        write!(f, "{kind} dts {dts} pts {pts} {timing:?} {key:?} {samples} samples {} bytes", data.len())
    }
}

/// A piece of a data stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// PID of the data stream in its transport stream.
    pub number: u32,
    /// The format of the data: ID3, KLV or SCTE 35.
    pub codec: Codec,
    /// Presentation time in ticks of 90 kHz; `None` if the PES packet has none, and for sections.
    pub pts: Option<i64>,
    /// The payload of a PES packet, or a whole section with its header and checksum.
    pub data: Vec<u8>,
}

/// A fault or a change in the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Bytes before a transport packet or an audio frame belong to none and were skipped.
    Skipped {
        /// Number of bytes that were skipped.
        bytes: u64,
    },
    /// Packets are missing in a PID, according to its continuity counter.
    Lost {
        /// PID in which the packets are missing.
        number: u32,
        /// Number of missing packets modulo 16, because the counter has 4 bits.
        packets: u8,
    },
    /// A taken track continues in another PID.
    Moved {
        /// The track that has moved.
        kind: TrackKind,
        /// PID of the track up to now.
        from: u32,
        /// PID from now on.
        to: u32,
    },
    /// A taken PID has become scrambled; reported once, until a clear packet follows.
    Scrambled {
        /// PID of the scrambled packet.
        number: u32,
    },
    /// A table (PAT or PMT) has a wrong checksum and is ignored.
    TableDamaged {
        /// PID in which the table was sent.
        number: u32,
    },
    /// An MP4 box has an invalid or too large size or content and is ignored.
    BoxDamaged {
        /// Type of the box: four characters, such as `moof`.
        name: [u8; 4],
    },
}

/// One item of a demuxer's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The list of programmes and streams; handed out each time that it changes.
    Streams(Streams),
    /// A new configuration, right before the first packet that needs it.
    Config(Config),
    /// One access unit of pictures or one frame of sound.
    Packet(Packet),
    /// Metadata of a data stream: ID3, KLV or SCTE 35.
    Data(Data),
    /// A fault or a change in the input, to be logged.
    Notice(Notice),
}
