//! What a demuxer hands out: announcements, configurations, packets, data and notices, in the order of the stream.

use std::fmt;

/// Ticks a second of every time that a demuxer hands out (ISO/IEC 13818-1 section 2.4.3.7).
pub const TICKS_PER_SECOND: i64 = 90_000;

/// The kind of a media track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A track of pictures, one access unit per packet.
    Video,
    /// A track of sound, one frame per packet.
    Audio,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
        })
    }
}

/// How an elementary stream is coded.
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
    /// MPEG audio, layers 1 to 3; the packet's configuration says which.
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
    /// Something else: the stream_type of a transport stream (ISO/IEC 13818-1 table 2-34); 0 in MP4.
    Other(u8),
}

impl Codec {
    /// `None`: neither pictures nor sound.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::H264 | Self::Hevc | Self::Av1 | Self::Mpeg2Video | Self::Mpeg4Video => Some(Kind::Video),
            Self::Aac | Self::AacLatm | Self::MpegAudio | Self::Ac3 | Self::Eac3 | Self::Opus => Some(Kind::Audio),
            Self::Id3 | Self::Scte35 | Self::Klv | Self::Other(_) => None,
        }
    }

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
    /// PID, or number of the MP4 track.
    pub number: u32,
    /// How it is coded.
    pub codec: Codec,
    /// ISO 639-2 code as it is written there (`deu`); `None` where none is told, or `und`.
    pub language: Option<String>,
    /// It is encrypted as a whole (SAMPLE-AES stream types, `encv` and `enca` in MP4) and cannot be taken.
    pub encrypted: bool,
    /// Its packets are handed out.
    pub taken: bool,
}

/// What the input has now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streams {
    /// Programme that is taken (program_number); `None` in containers without programmes.
    pub program: Option<u16>,
    /// All programmes that the input has.
    pub programs: Vec<u16>,
    /// The programme's streams in the order of its table.
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
    /// How they are coded.
    pub codec: Codec,
    /// The decoder's configuration record as it stands in MP4: `avcC`, `hvcC` (ISO/IEC 14496-15 sections 5.3.3.1 and 8.3.3.1) or
    /// `av1C`; NAL units in packets have lengths of four bytes, whatever the source had.
    pub record: Vec<u8>,
    /// Pixels, cropped; 0 where it cannot be told.
    pub width: u32,
    /// Pixels, cropped; 0 where it cannot be told.
    pub height: u32,
    /// Frames a second as a fraction, where the parameter sets tell. Streams often do not keep to it.
    pub frame_rate: Option<(u32, u32)>,
}

/// What a decoder needs before it can decode the sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioConfig {
    /// How it is coded.
    pub codec: Codec,
    /// AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1) for AAC; `dOps` for Opus in MP4; else empty.
    pub record: Vec<u8>,
    /// Hertz, as the headers say: half of what is heard where SBR is signalled implicitly.
    pub sample_rate: u32,
    /// Channels; 0 where the stream says that inside a frame.
    pub channels: u8,
    /// Layer of MPEG audio (1 to 3), else 0.
    pub layer: u8,
}

/// Can decoding start here?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// No: the picture depends on earlier pictures, or may do so.
    No,
    /// Yes: IDR, IRAP with nothing before it, a sync sample, or sound.
    Sync,
    /// Decoding can start here and is right after so many frames (recovery_frame_cnt, ITU-T H.264 section D.2.8; open GOP: 0).
    Recovery(u32),
}

impl Key {
    /// Decoding can start here.
    pub fn is_key(self) -> bool {
        self != Self::No
    }
}

/// Where a packet's times come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timing {
    /// The source tells them.
    Read,
    /// Worked out from the packet before it, because the source does not tell: by sample count, frame rate and output order.
    Derived,
}

/// One access unit of pictures or one frame of sound.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// The track to which the packet belongs.
    pub kind: Kind,
    /// Decoding time in ticks of 90 kHz. It goes on where the source's 33 bits wrap.
    pub dts: i64,
    /// Presentation time in ticks of 90 kHz, continued over wraps like `dts`.
    pub pts: i64,
    /// How the times are known.
    pub timing: Timing,
    /// Whether decoding can start here.
    pub key: Key,
    /// Samples of one channel (sound); 0 for pictures and where it cannot be told.
    pub samples: u32,
    /// The packet as an MP4 sample holds it: NAL units with lengths of four bytes; AAC without its ADTS header. Other sound has its
    /// own headers.
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
    /// Presentation time in ticks of 90 kHz, where it has one. Sections have none.
    pub pts: Option<i64>,
    /// The payload of the PES packet, or the whole section.
    pub data: Vec<u8>,
}

/// Something in the input that is not as it should be, or that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// So many bytes before a transport stream packet, or before a sound frame, belong to none.
    Skipped {
        /// Number of bytes that were skipped.
        bytes: u64,
    },
    /// Packets are missing in a PID, by its continuity counter: the count is this, or this plus a multiple of 16.
    Lost {
        /// PID in which the packets are missing.
        number: u32,
        /// Packets of 188 bytes.
        packets: u8,
    },
    /// A taken track goes on in another PID.
    Moved {
        /// The track that has moved.
        kind: Kind,
        /// PID of the track up to now.
        from: u32,
        /// PID from now on.
        to: u32,
    },
    /// The first scrambled packet of a taken PID since its last clear one.
    Scrambled {
        /// PID of the scrambled packet.
        number: u32,
    },
    /// A table (PAT, PMT) whose checksum is wrong is passed over.
    TableDamaged {
        /// PID in which the table was sent.
        number: u32,
    },
    /// An MP4 box that cannot be used.
    BoxDamaged {
        /// Type of the box: four characters, such as `moof`.
        name: [u8; 4],
    },
}

/// What comes out of a demuxer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What the input has, each time that it changes.
    Streams(Streams),
    /// Stands right before the first packet that needs it.
    Config(Config),
    /// One access unit of pictures or one frame of sound.
    Packet(Packet),
    /// Metadata beside the media.
    Data(Data),
    /// A fault or a change in the input, to be logged.
    Notice(Notice),
}
