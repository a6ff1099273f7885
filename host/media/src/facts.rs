//! The facts of each packet of a batch, and their list beside the demuxed files.
//!
//! The files themselves lose timing: each starts at 0, so the offset between audio and video is lost, and FLV has a
//! resolution of milliseconds. The list has every packet's timestamps. It has the form of ffmpeg's `framecrc` muxer,
//! which writes it where ffmpeg demuxes; [`BatchFacts::to_text`] writes it everywhere else.

use std::fmt;

/// One packet of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Decoding time in the source's time, in microseconds, computed from exact ticks.
    pub dts_us: i64,
    /// Presentation time in the source's time, in microseconds.
    pub pts_us: i64,
    /// Duration in microseconds; 0 if the source has none.
    pub duration_us: u32,
    /// Size in bytes, as in an MP4 sample; where ffmpeg demuxed, with ADTS headers and start codes.
    pub size: u32,
}

/// One track of a batch: its packets in decoding order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackFacts {
    /// ffmpeg's name of the codec, such as `h264`.
    pub codec: String,
    /// ffmpeg's name of the source's codec, if the packets were encoded by the host; empty: they are the source's.
    pub encoded_from: String,
    /// Sample rate in Hz; 0 for video.
    pub sample_rate: u32,
    /// Number of channels; 0 for video.
    pub channels: u32,
    /// Width and height in pixels; 0 for audio.
    pub dimensions: (u32, u32),
    /// The packets in decoding order.
    pub packets: Vec<Packet>,
}

impl TrackFacts {
    /// Presentation time of the earliest sample in microseconds; 0 without packets.
    pub fn first_pts_us(&self) -> i64 {
        self.packets.iter().map(|packet| packet.pts_us).min().unwrap_or_default()
    }

    /// Decoding time of the first packet in microseconds; 0 without packets.
    pub fn first_dts_us(&self) -> i64 {
        self.packets.first().map_or(0, |packet| packet.dts_us)
    }

    /// Decoding time of the next packet after the last one, in microseconds.
    pub fn end_us(&self) -> i64 {
        self.packets.last().map_or(0, |packet| packet.dts_us + i64::from(self.duration_of(packet)))
    }

    /// Time from the first packet to the end of the last one, in microseconds.
    pub fn duration_us(&self) -> u64 {
        u64::try_from(self.end_us() - self.first_dts_us()).unwrap_or_default()
    }

    /// Typical duration of a packet, in microseconds: the median of the steps.
    pub fn packet_us(&self) -> u64 {
        let mut steps: Vec<i64> = self.packets.windows(2).map(|pair| pair[1].dts_us - pair[0].dts_us).collect();
        steps.sort_unstable();
        steps.get(steps.len() / 2).map_or(0, |step| u64::try_from(*step).unwrap_or_default())
    }

    fn duration_of(&self, packet: &Packet) -> u32 {
        if packet.duration_us > 0 {
            return packet.duration_us;
        }
        u32::try_from(self.packet_us()).unwrap_or_default()
    }
}

/// Both tracks of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchFacts {
    /// The video track; `None` if the stream has no video.
    pub video: Option<TrackFacts>,
    /// The audio track; `None` if the stream has no audio.
    pub audio: Option<TrackFacts>,
}

impl BatchFacts {
    /// Number of packets in both tracks.
    pub fn packets(&self) -> u64 {
        self.tracks().map(|track| track.packets.len() as u64).sum()
    }

    /// The tracks that exist.
    pub fn tracks(&self) -> impl Iterator<Item = &TrackFacts> {
        self.video.iter().chain(self.audio.iter())
    }

    /// Media time of the longer track, in microseconds.
    pub fn duration_us(&self) -> u64 {
        self.tracks().map(TrackFacts::duration_us).max().unwrap_or_default()
    }

    /// Writes the list: [`parse`](Self::parse) reads the same facts from it.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let named = [("video", &self.video), ("audio", &self.audio)];
        let tracks = named.iter().filter_map(|(media, track)| Some((media, track.as_ref()?)));
        for (index, (media, track)) in tracks.enumerate() {
            let TrackFacts { codec, encoded_from, sample_rate, channels, dimensions: (width, height), packets } = track;
            let mut header = |key: &str, value: &dyn fmt::Display| {
                text.push_str(&format!("#{key} {index}: {value}\n"));
            };
            header("tb", &"1/1000000");
            header("media_type", media);
            header("codec_id", codec);
            header(OWN_TIMES, &1);
            if !encoded_from.is_empty() {
                header(ENCODED_FROM, encoded_from);
            }
            if *media == "video" {
                header("dimensions", &format_args!("{width}x{height}"));
            } else {
                header("sample_rate", sample_rate);
                header("channel_layout_name", &format_args!("{channels} channels"));
            }
            for Packet { dts_us, pts_us, duration_us, size } in packets {
                text.push_str(&format!("{index}, {dts_us}, {pts_us}, {duration_us}, {size}\n"));
            }
        }
        text
    }

    /// Parses the output of ffmpeg's `framecrc` muxer: `#key stream: value` lines, then one line per packet
    /// (`stream, dts, pts, duration, size, checksum, …`).
    ///
    /// # Errors
    /// [`FactsError`] with the first line that cannot be parsed.
    pub fn parse(text: &str) -> Result<Self, FactsError> {
        let mut streams: Vec<Stream> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let bad = |why: &'static str| FactsError { line: number + 1, text: line.to_owned(), why };
            if let Some(header) = line.strip_prefix('#') {
                parse_header(&mut streams, header);
            } else if !line.trim().is_empty() {
                let mut fields = line.split(',').map(str::trim);
                let mut field = || fields.next().ok_or_else(|| bad("has too few fields"));
                let index: usize = field()?.parse().map_err(|_| bad("does not start with a stream number"))?;
                let stream = streams.get_mut(index).ok_or_else(|| bad("names an unknown stream"))?;
                let (dts, pts) = (field()?.parse().ok(), field()?.parse().ok());
                let duration: i64 = field()?.parse().map_err(|_| bad("has no duration"))?;
                let size = field()?.parse().map_err(|_| bad("has no size"))?;
                let dts = dts.or(pts).ok_or_else(|| bad("has no timestamp"))?;
                stream.track.packets.push(Packet {
                    dts_us: stream.us(dts) + stream.offset_us,
                    pts_us: stream.us(pts.unwrap_or(dts)) + stream.offset_us,
                    duration_us: u32::try_from(stream.us(duration)).unwrap_or_default(),
                    size,
                });
            }
        }
        let mut facts = Self::default();
        for mut stream in streams {
            if !stream.own_times {
                respace(&mut stream.track);
            }
            match stream.media.as_str() {
                "video" => facts.video = Some(stream.track),
                "audio" => facts.audio = Some(stream.track),
                _ => {}
            }
        }
        Ok(facts)
    }
}

/// Corrects timestamps after a step back of the source's time inside a batch, where ffmpeg gives every packet the same
/// time: the packets get even steps instead.
fn respace(track: &mut TrackFacts) {
    let usual = i64::try_from(track.packet_us()).unwrap_or_default();
    let mut last: Option<i64> = None;
    for packet in &mut track.packets {
        // ffmpeg increases equal times by one tick where they must rise.
        if let Some(last) = last.filter(|last| packet.dts_us - last <= CLAMPED_US) {
            let length = if packet.duration_us > 0 { i64::from(packet.duration_us) } else { usual };
            let shift = last + length - packet.dts_us;
            packet.dts_us += shift;
            packet.pts_us += shift;
        }
        last = Some(packet.dts_us);
    }
}

/// Packets that are closer than this, in microseconds, do not have their own time: no codec has 40,000 packets per
/// second.
const CLAMPED_US: i64 = 25;

/// A line of the packet list that cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct FactsError {
    line: usize,
    text: String,
    why: &'static str,
}

impl fmt::Display for FactsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packet facts, line {}: {:?} {}", self.line, self.text, self.why)
    }
}

// === impl Stream ===

#[derive(Debug)]
struct Stream {
    media: String,
    time_base: (i64, i64),
    /// Added to every timestamp of the stream, in microseconds.
    offset_us: i64,
    /// The times are the source's: ffmpeg changed none of them.
    own_times: bool,
    track: TrackFacts,
}

impl Stream {
    /// Converts ticks to microseconds, rounded to the nearest.
    fn us(&self, ticks: i64) -> i64 {
        let (numerator, denominator) = (i128::from(self.time_base.0), i128::from(self.time_base.1.max(1)));
        let us = (i128::from(ticks) * numerator * 1_000_000 + denominator / 2).div_euclid(denominator);
        i64::try_from(us).unwrap_or_default()
    }
}

/// The key of a header line that shifts a stream: `#offset_us 0: 1400000`.
pub const OFFSET: &str = "offset_us";
/// The key of a header line of a stream whose times are the source's own, also where they step back: `#own_times 0: 1`.
const OWN_TIMES: &str = "own_times";
/// The key of a header line of a stream that the host encoded, with the source's codec: `#encoded_from 1: mp3`.
const ENCODED_FROM: &str = "encoded_from";
/// Most streams in a list; the host's runs have two.
const STREAMS_MOST: usize = 8;

fn parse_header(streams: &mut Vec<Stream>, header: &str) {
    let Some((name, value)) = header.split_once(':') else { return };
    let Some((key, index)) = name.split_once(' ') else { return };
    let (Ok(index), value) = (index.trim().parse::<usize>(), value.trim()) else { return };
    if index >= STREAMS_MOST {
        return;
    }
    while streams.len() <= index {
        streams.push(Stream {
            media: String::new(),
            time_base: (1, 1_000_000),
            offset_us: 0,
            own_times: false,
            track: TrackFacts::default(),
        });
    }
    let Some(stream) = streams.get_mut(index) else { return };
    let pair = |separator| {
        let (left, right) = value.split_once(separator)?;
        Some((left.parse::<i64>().ok()?, right.parse::<i64>().ok()?))
    };
    match key {
        "tb" => stream.time_base = pair('/').unwrap_or(stream.time_base),
        // Ours: where ffmpeg does not see the source's own time (packed audio).
        OFFSET => stream.offset_us = value.parse().unwrap_or_default(),
        ENCODED_FROM => value.clone_into(&mut stream.track.encoded_from),
        OWN_TIMES => stream.own_times = value == "1",
        "media_type" => value.clone_into(&mut stream.media),
        "codec_id" => value.clone_into(&mut stream.track.codec),
        "dimensions" => {
            let (width, height) = pair('x').unwrap_or_default();
            stream.track.dimensions = (u32::try_from(width).unwrap_or(0), u32::try_from(height).unwrap_or(0));
        }
        "sample_rate" => stream.track.sample_rate = value.parse().unwrap_or_default(),
        "channel_layout_name" => stream.track.channels = channels(value),
        _ => {}
    }
}

/// Number of channels by ffmpeg's name of a layout: `stereo`, `5.1(side)`, `3 channels`.
fn channels(layout: &str) -> u32 {
    let name = layout.split('(').next().unwrap_or_default();
    match name {
        "mono" => 1,
        "stereo" | "downmix" => 2,
        "quad" => 4,
        "hexagonal" => 6,
        "octagonal" => 8,
        _ => {
            let count = name.split(' ').next().unwrap_or_default();
            count.split('.').filter_map(|part| part.parse::<u32>().ok()).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
#extradata 0:       36, 0xabe10a06
#software: Lavf59.27.100
#tb 0: 1/90000
#media_type 0: video
#codec_id 0: h264
#dimensions 0: 1280x720
#tb 1: 1/44100
#media_type 1: audio
#codec_id 1: aac
#sample_rate 1: 44100
#channel_layout_name 1: stereo
0,     126000,     132000,     3000,    38760, 0xe1a2b423, S=1,        1
0,     129000,     141000,     3000,    31804, 0x6d5601da, F=0x0, S=1,        1
1,      61740,      61740,     1024,      295, 0x80538de8
1,      62764,      62764,        0,      370, 0xc3aeb8e4
";

    #[test]
    fn reads_both_tracks_in_exact_microseconds() {
        let facts = BatchFacts::parse(TEXT).unwrap();
        let (video, audio) = (facts.video.clone().unwrap(), facts.audio.clone().unwrap());
        assert_eq!((video.codec.as_str(), video.dimensions), ("h264", (1280, 720)));
        assert_eq!((audio.codec.as_str(), audio.sample_rate, audio.channels), ("aac", 44100, 2));
        assert_eq!(video.packets[1], Packet { dts_us: 1_433_333, pts_us: 1_566_667, duration_us: 33_333, size: 31804 });
        assert_eq!(video.first_pts_us(), 1_466_667);
        assert_eq!((audio.first_pts_us(), audio.packets[1].dts_us), (1_400_000, 1_423_220));
        assert_eq!(facts.packets(), 4);
    }

    #[test]
    fn packets_that_are_listed_at_one_instant_follow_on() {
        let lines: String = (0..5).map(|_| "0, 132000, 132000, 3000, 1, 0x0\n").collect();
        let video = BatchFacts::parse(&format!("{TEXT}{lines}")).unwrap().video.unwrap();
        let steps: Vec<i64> = video.packets.windows(2).map(|pair| pair[1].dts_us - pair[0].dts_us).collect();
        assert!(steps.iter().all(|step| (33_332..=33_335).contains(step)), "{steps:?}");
    }

    /// Also times that step back or are equal, which ffmpeg never writes.
    #[test]
    fn facts_survive_their_list() {
        let packet = |dts_us: i64, size| Packet { dts_us, pts_us: dts_us - 80_001, duration_us: 33_333, size };
        let video = TrackFacts {
            codec: "h264".into(),
            dimensions: (1280, 720),
            packets: vec![packet(-5, 7), packet(95_443_717_688, 1), packet(3, u32::MAX), packet(3, 2)],
            ..TrackFacts::default()
        };
        let audio = TrackFacts {
            codec: "aac".into(),
            encoded_from: "mp3".into(),
            sample_rate: 44_100,
            channels: 6,
            packets: vec![Packet { dts_us: 1, pts_us: 1, duration_us: 0, size: 3 }],
            ..TrackFacts::default()
        };
        let empty = TrackFacts { codec: "aac".into(), ..TrackFacts::default() };
        for (video, audio) in
            [(Some(video.clone()), Some(audio.clone())), (Some(video), None), (None, Some(audio)), (None, Some(empty))]
        {
            let facts = BatchFacts { video, audio };
            assert_eq!(BatchFacts::parse(&facts.to_text()).unwrap(), facts);
        }
    }

    #[test]
    fn a_stream_can_be_shifted() {
        let facts = BatchFacts::parse(&format!("#offset_us 1: 600000\n{TEXT}")).unwrap();
        assert_eq!(facts.audio.unwrap().first_pts_us(), 2_000_000);
        assert_eq!(facts.video.unwrap().first_pts_us(), 1_466_667);
    }

    #[test]
    fn a_missing_duration_is_the_usual_step() {
        let audio = BatchFacts::parse(TEXT).unwrap().audio.unwrap();
        assert_eq!(audio.end_us(), 1_423_220 + 23_220);
        assert_eq!(audio.duration_us(), 46_440);
    }

    #[test]
    fn rounding_does_not_accumulate_over_a_day_of_audio() {
        let packets = 86_400 * 44_100 / 1024;
        let stream = Stream {
            media: String::new(),
            time_base: (1, 44_100),
            offset_us: 0,
            own_times: false,
            track: TrackFacts::default(),
        };
        let exact = packets as f64 * 1024.0 / 44_100.0 * 1e6;
        assert!((stream.us(packets * 1024) as f64 - exact).abs() <= 1.0);
        assert_eq!(stream.us(-44_100), -1_000_000);
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        for (line, why) in [
            ("7, 1, 1, 1, 1, 0x0", "unknown stream"),
            ("0, 1, 1", "too few fields"),
            ("x, 1, 1, 1, 1, 0", "stream number"),
            ("0, NOPTS, NOPTS, 1, 1, 0", "no timestamp"),
            ("0, 1, 1, x, 1, 0", "no duration"),
            ("0, 1, 1, 1, x, 0", "no size"),
        ] {
            let error = BatchFacts::parse(&format!("{TEXT}{line}\n")).unwrap_err().to_string();
            assert!(error.contains("line 16") && error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn counts_channels_of_layout_names() {
        for (name, count) in [("mono", 1), ("stereo", 2), ("5.1", 6), ("5.1(side)", 6), ("7.1", 8), ("3 channels", 3)] {
            assert_eq!(channels(name), count, "{name}");
        }
    }
}
