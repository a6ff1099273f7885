//! Reads a file's packets with symphonia's demuxers (MP4, WAV, MP3): codec, rate, channels, durations.

use std::io::{Cursor, ErrorKind, Seek, SeekFrom};
use std::time::Instant;

use symphonia::core::codecs::audio::well_known::profiles::CODEC_PROFILE_AAC_LC;
use symphonia::core::codecs::audio::well_known::{
    CODEC_ID_AAC, CODEC_ID_MP3, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64LE, CODEC_ID_PCM_MULAW,
    CODEC_ID_PCM_S16LE, CODEC_ID_PCM_S24LE, CODEC_ID_PCM_S32LE, CODEC_ID_PCM_U8,
};
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream, ReadBytes as _};
use symphonia::default::formats::{IsoMp4Reader, MpaReader, WavReader};

use super::{Container, Probe, ProbeError, aac};
use crate::limits::{PROBE_PACKETS_MAX, PROBE_TIME_MAX};

/// Number of packets between two checks of the time.
const CLOCK_EVERY: u64 = 64;

/// Reads a file whose container is known.
pub fn probe(data: &[u8], container: Container) -> Result<Probe, ProbeError> {
    let until = Instant::now() + PROBE_TIME_MAX;
    let mut reader = open(data, container, until).map_err(|error| damage(container, &error))?;
    let track = reader.default_track(TrackType::Audio).cloned().ok_or(ProbeError::NoAudio(container))?;
    let parameters = track.codec_params.as_ref().and_then(|params| params.audio());
    let parameters = parameters.ok_or(ProbeError::NoAudio(container))?;
    let codec = codec(parameters.codec)
        .ok_or_else(|| ProbeError::Codec { container, codec: format!("codec {}", parameters.codec) })?;
    let sample_rate_hz = parameters.sample_rate.ok_or(ProbeError::NoAudio(container))?;
    let channels = parameters.channels.as_ref().map_or(0, |channels| channels.count());
    let channels = u32::try_from(channels).unwrap_or(u32::MAX);

    let read = read(reader.as_mut(), &track, parameters, channels, container, until)?;
    check_length(&read, &track, container, data)?;
    let base = track.time_base.ok_or(ProbeError::NoAudio(container))?;
    let units = |a_second: u64| {
        let (numerator, denominator) = (u128::from(base.numer.get()), u128::from(base.denom.get()));
        let units = (u128::from(read.ticks) * u128::from(a_second) * numerator + denominator / 2) / denominator;
        u64::try_from(units).unwrap_or(u64::MAX)
    };
    Ok(Probe {
        container,
        codec,
        sample_rate_hz,
        channels,
        duration_us: units(1_000_000),
        packets: read.packets,
        samples: units(sample_rate_hz.into()),
        delay_samples: track.delay.map(u64::from),
        padding_samples: track.padding.map(u64::from),
        copyable: container == Container::Fmp4
            && parameters.codec == CODEC_ID_AAC
            && parameters.profile == Some(CODEC_PROFILE_AAC_LC),
    })
}

/// Opens the reader of this container only. Symphonia's own probe would search the first MiB for any container,
/// including one that was not checked.
fn open<'a>(data: &'a [u8], container: Container, until: Instant) -> Result<Box<dyn FormatReader + 'a>, Error> {
    let timed = Timed { bytes: Cursor::new(data), until };
    let mut source = MediaSourceStream::new(Box::new(timed), Default::default());
    let options = FormatOptions::default();
    Ok(match container {
        Container::Wav => Box::new(WavReader::try_new(source, options)?),
        Container::Mp3 => Box::new(MpaReader::try_new(source, options)?),
        Container::Fmp4 | Container::Adts => {
            // It steps back over the size of the first box.
            source.read_quad_bytes()?;
            Box::new(IsoMp4Reader::try_new(source, options)?)
        }
    })
}

/// The bytes of a file, whose reads fail once the time is over, so that a library cannot read without end.
struct Timed<'a> {
    bytes: Cursor<&'a [u8]>,
    until: Instant,
}

impl std::io::Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if Instant::now() > self.until {
            return Err(ErrorKind::TimedOut.into());
        }
        self.bytes.read(into)
    }
}

impl Seek for Timed<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl MediaSource for Timed<'_> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.bytes.get_ref().len() as u64)
    }
}

/// The sums over the packets.
#[derive(Default)]
struct Read {
    packets: u64,
    ticks: u64,
    cut_off: bool,
}

fn read(
    reader: &mut dyn FormatReader,
    track: &Track,
    parameters: &AudioCodecParameters,
    channels: u32,
    container: Container,
    until: Instant,
) -> Result<Read, ProbeError> {
    let mut read = Read::default();
    let mut inspector = (parameters.codec == CODEC_ID_AAC).then(|| aac::Inspector::new(parameters, channels));
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => return Ok(read),
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                read.cut_off = true;
                return Ok(read);
            }
            Err(error) => return Err(damage(container, &error)),
        };
        if packet.track_id != track.id {
            continue;
        }
        if inspector.as_mut().is_some_and(|inspector| inspector.is_absurd(&packet.data)) {
            let what = format!("packet {} holds no AAC of {channels} channels", read.packets);
            return Err(ProbeError::Damaged { container, what });
        }
        read.packets += 1;
        // Blocks of PCM are told as if the last one were full; its bytes know better.
        let frames = frame_bytes(parameters.codec, channels).map(|bytes| packet.data.len() as u64 / bytes);
        // Of MP3, this reader's durations include what a player leaves out at both ends.
        read.ticks = read.ticks.saturating_add(frames.unwrap_or(packet.dur.get()));
        if read.packets > PROBE_PACKETS_MAX {
            return Err(ProbeError::TooManyPackets(container));
        }
        if read.packets.is_multiple_of(CLOCK_EVERY) && Instant::now() > until {
            return Err(ProbeError::TooSlow(container));
        }
    }
}

/// Checks that the file has the audio that its header declares.
fn check_length(read: &Read, track: &Track, container: Container, data: &[u8]) -> Result<(), ProbeError> {
    let truncated = |what: String| Err(ProbeError::Truncated { container, what });
    let promised = track.num_frames.unwrap_or_default();
    match container {
        // A WAV that was written to a pipe does not know its length (ffmpeg: all ones).
        Container::Wav if is_streamed_wav(data) => Ok(()),
        Container::Wav | Container::Mp3 if read.ticks.saturating_add(PACKET_FRAMES_MAX) < promised => {
            truncated(format!("it has {} of {promised} samples", read.ticks))
        }
        Container::Wav | Container::Mp3 => Ok(()),
        _ if read.cut_off => truncated("a packet lies behind its end".to_owned()),
        _ => Ok(()),
    }
}

/// Samples of one MP3 frame, and of a block of PCM: the tolerance for rounding.
const PACKET_FRAMES_MAX: u64 = 1152;

fn is_streamed_wav(data: &[u8]) -> bool {
    matches!(data.get(4..8), Some([0xff, 0xff, 0xff, 0xff] | [0, 0, 0, 0]))
}

fn codec(id: AudioCodecId) -> Option<&'static str> {
    Some(match id {
        CODEC_ID_AAC => "aac",
        CODEC_ID_MP3 => "mp3",
        CODEC_ID_PCM_U8 => "pcm_u8",
        CODEC_ID_PCM_S16LE => "pcm_s16le",
        CODEC_ID_PCM_S24LE => "pcm_s24le",
        CODEC_ID_PCM_S32LE => "pcm_s32le",
        CODEC_ID_PCM_F32LE => "pcm_f32le",
        CODEC_ID_PCM_F64LE => "pcm_f64le",
        CODEC_ID_PCM_ALAW => "pcm_alaw",
        CODEC_ID_PCM_MULAW => "pcm_mulaw",
        _ => return None,
    })
}

/// Bytes of one PCM sample of all channels.
fn frame_bytes(id: AudioCodecId, channels: u32) -> Option<u64> {
    let sample: u64 = match id {
        CODEC_ID_PCM_U8 | CODEC_ID_PCM_ALAW | CODEC_ID_PCM_MULAW => 1,
        CODEC_ID_PCM_S16LE => 2,
        CODEC_ID_PCM_S24LE => 3,
        CODEC_ID_PCM_S32LE | CODEC_ID_PCM_F32LE => 4,
        CODEC_ID_PCM_F64LE => 8,
        _ => return None,
    };
    Some(sample * u64::from(channels.max(1)))
}

fn damage(container: Container, error: &Error) -> ProbeError {
    match error {
        Error::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            ProbeError::Truncated { container, what: "its header is not whole".to_owned() }
        }
        Error::IoError(error) if error.kind() == ErrorKind::TimedOut => ProbeError::TooSlow(container),
        other => ProbeError::Damaged { container, what: other.to_string() },
    }
}
