//! The packets of a batch's files -> the index that egress sends from: each packet at its time, with counts of what did not
//! come and what was left out. No I/O.

use bytes::Bytes;

use super::locating::Located;
use super::times::{self, AudioTimes};
use super::{Job, RemuxError, Remuxed};
use outboard_egress::spool::{ReadyBatch, SequenceHeader, Tag, Track};
use outboard_media::demux::{Codec, Config};
use outboard_media::facts::TrackFacts;
use outboard_media::flv::head::{HEAD_BYTES_MAX, four_cc, sequence_header};
use outboard_media::flv::{BODY_MAX, FlvError, metadata};
use outboard_media::timeline::AirTime;

/// Gives each packet its time.
pub(super) fn ready(job: &Job<'_>, video: Option<Located>, audio: Option<Located>) -> Result<Remuxed, RemuxError> {
    let (video_times, audio_times) = (&job.placed.video, times::audio(job));
    let count = |located: &Option<Located>| located.as_ref().map_or(0, |located| located.layout.packets.len());
    let (pictures, sounds) = (count(&video), count(&audio));
    let ready = ReadyBatch {
        number: job.number,
        metadata: Some(Bytes::from(told(job))),
        video: video.map_or_else(|| Ok(Track::default()), |located| track(located, video_times, 0, true))?,
        audio: audio.map_or_else(
            || Ok(Track::default()),
            |located| track(located, &audio_times.times, audio_times.skip, false),
        )?,
        start_ms: job.placed.start_ms,
        end_ms: job.placed.end_ms,
    };
    let extra = pictures.saturating_sub(video_times.len());
    if extra > 0 {
        tracing::warn!(batch = ready.number, extra, "the batch's file has more pictures than were demuxed");
    }
    let AudioTimes { times, own, .. } = audio_times;
    let expected = video_times.len() + if own { times.len() } else { 0 };
    let out = ready.video.tags.len() + if own { ready.audio.tags.len() } else { 0 };
    let trimmed = sounds - ready.audio.tags.len();
    Ok(Remuxed { lost: expected.saturating_sub(out) as u64, trimmed: trimmed as u64, ready })
}

/// The packets of a track behind the first `skip`, each at its time; packets beyond the times are left out.
fn track(located: Located, times: &[AirTime], skip: usize, pictures: bool) -> Result<Track, RemuxError> {
    let Located { path, layout } = located;
    let mut tags = Vec::with_capacity(times.len());
    for (stored, time) in layout.packets.iter().skip(skip).zip(times) {
        let body = stored.len as usize + HEAD_BYTES_MAX;
        if body > BODY_MAX {
            return Err(FlvError::BodyTooLong(body).into());
        }
        tags.push(Tag {
            offset: stored.offset,
            len: stored.len,
            dts_ms: time.dts_ms,
            composition_ms: time.composition_ms,
            key: stored.key && pictures,
        });
    }
    let mut headers: Vec<SequenceHeader> = Vec::new();
    for (first, config) in &layout.configs {
        let (first, codec) = (first.saturating_sub(skip), codec(config));
        if first >= tags.len() {
            break;
        }
        let body = sequence_header(config).map(Bytes::from);
        let body = body.ok_or_else(|| RemuxError::Unsendable { path: path.clone(), codec: codec.name() })?;
        // What only skipped packets needed counts for nothing.
        headers.pop_if(|before| before.first == first);
        if headers.last().is_none_or(|before| (before.codec, &before.body) != (codec, &body)) {
            headers.push(SequenceHeader { first, codec, body });
        }
    }
    Ok(Track { path, headers, tags })
}

fn codec(config: &Config) -> Codec {
    match config {
        Config::Video(video) => video.codec,
        Config::Audio(audio) => audio.codec,
    }
}

/// The body of the `onMetaData` tag.
fn told(job: &Job<'_>) -> Vec<u8> {
    let video = job.facts.video.as_ref().map(|track| {
        let (width, height) = track.dimensions;
        let other = [Codec::Hevc, Codec::Av1].into_iter().find(|codec| codec.name() == track.codec);
        metadata::Video { four_cc: other.and_then(four_cc), width, height, frame_rate: frame_rate(track) }
    });
    // What is copied has the original's rate and channels; what is encoded gets them.
    let audio = job.facts.audio.as_ref().filter(|_| job.has_audio());
    let audio = audio.map(|track| metadata::Audio { sample_rate: track.sample_rate, channels: track.channels });
    metadata::body(video, audio)
}

/// Frames per second in hundredths, so that all batches of a steady stream tell the same; 0 if it is not known.
fn frame_rate(track: &TrackFacts) -> f64 {
    match track.packet_us() {
        0 => 0.0,
        us => (1e8 / us as f64).round() / 100.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use outboard_media::demux::AudioConfig;
    use outboard_media::layout::{Stored, TrackLayout};

    fn config(record: u8, codec: Codec) -> Config {
        Config::Audio(AudioConfig { codec, record: vec![record], sample_rate: 48_000, channels: 2, layer: 0 })
    }

    fn located(configs: &[(usize, Config)]) -> Located {
        let stored = |n: u64| Stored { offset: n * 10, len: 10, key: true };
        let layout = TrackLayout { packets: (0..10).map(stored).collect(), configs: configs.to_vec() };
        Located { path: "x".into(), layout }
    }

    fn headers(configs: &[(usize, u8)], skip: usize, packets: u64) -> Vec<(usize, u8)> {
        let configs: Vec<_> = configs.iter().map(|(first, record)| (*first, config(*record, Codec::Aac))).collect();
        let times: Vec<_> = (0..packets).map(|n| AirTime { dts_ms: n, composition_ms: 0 }).collect();
        let track = track(located(&configs), &times, skip, false).unwrap();
        assert_eq!(track.tags.first().map(|tag| (tag.offset, tag.key)), Some((skip as u64 * 10, false)));
        track.headers.iter().map(|header| (header.first, header.body[2])).collect()
    }

    #[test]
    fn each_configuration_is_a_header_at_its_packet() {
        assert_eq!(headers(&[(0, 1), (4, 2), (7, 1)], 0, 10), [(0, 1), (4, 2), (7, 1)]);
        assert_eq!(headers(&[(0, 1), (4, 2), (7, 1)], 5, 10), [(0, 2), (2, 1)], "of packets that are left out none");
        assert_eq!(headers(&[(0, 1), (4, 2)], 4, 10), [(0, 2)]);
        assert_eq!(headers(&[(0, 1), (4, 2), (7, 1)], 0, 5), [(0, 1), (4, 2)], "nor of those behind the end");
        assert_eq!(headers(&[(0, 1), (4, 1), (7, 2)], 0, 10), [(0, 1), (7, 2)], "the same again is none");
    }

    #[test]
    fn a_codec_without_a_form_on_air_is_named() {
        let located = located(&[(0, config(1, Codec::Opus))]);
        let error = track(located, &[AirTime { dts_ms: 0, composition_ms: 0 }], 0, false).unwrap_err();
        assert_eq!(error.to_string(), "x has opus, which has no form on air: H.264 and AAC have");
    }
}
