//! The media of the source: its first segments as the first batch of a run, in the run's words.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Fault, Finding};
use outboard_hls::SourceReport;
use outboard_media::demux::TrackKind;
use outboard_media::facts::{BatchFacts, TrackFacts};
use outboard_media::segment::Segment;
use outboard_pipeline::demux::survey::{Seen, Survey};
use outboard_pipeline::demux::{Counts, Encoded, Split, Splitter, by_ffmpeg, check_sound, on_air};
use outboard_pipeline::load::source_choice;
use outboard_pipeline::settings::PipelineConfig;

/// What came of fetching the first segments.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// The segments, on disk.
    pub(super) segments: Vec<Segment>,
    /// What a run would warn of.
    pub(super) warnings: Vec<String>,
}

/// What the segments have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    /// The whole segments over their length.
    pub(super) bits_per_second: u64,
    /// The sound alone; 0: there is none.
    pub(super) audio_bits_per_second: u64,
    /// Which sound is taken, where there are several, as a sentence.
    pub(super) choice: Option<String>,
}

/// Demuxes the segments like the first batch of a run, into files in `dir`. `splitter`: a new one.
pub(super) async fn look(
    fetched: Fetched,
    report: &SourceReport,
    config: &PipelineConfig,
    mut splitter: Splitter,
    dir: &Path,
) -> Result<(Media, Finding), Fault> {
    let Fetched { segments, mut warnings } = fetched;
    let choice = source_choice(config);
    splitter = splitter.choosing(choice.clone());
    let split = splitter.next(&segments, true, dir).await.map_err(|error| Fault::new(&error, error.may_pass()))?;
    let Split { facts, counts, .. } = split;
    check_sound(Some(&report.started), &facts).map_err(Fault::lasting)?;
    let (listed, batch) = (segments.clone(), config.batch);
    let survey = tokio::task::spawn_blocking(move || Survey::of(&listed, &choice, batch)).await;
    let survey = survey.map_err(Fault::passing)?.map_err(Fault::passing)?;
    warnings.extend(told(counts));
    warnings.extend(survey.warnings.iter().cloned());
    if config.processor.is_some() && facts.audio.is_none() {
        warnings.push("it has no audio for the processor".to_owned());
    }
    let media = Media { choice: choice_in_words(&survey), ..Media::of(&segments, &facts) };
    let finding = describe(&segments, &facts, &survey, &media);
    Ok((media, Finding { warnings, ..finding }))
}

/// What a run would tell of the batch.
fn told(counts: Counts) -> Vec<String> {
    let Counts { damage, notices, more_notices, unmet, handed_to_ffmpeg, encoded, .. } = counts;
    let more = (more_notices > 0).then(|| format!("{more_notices} more of this"));
    let handed = handed_to_ffmpeg.as_deref().map(by_ffmpeg);
    let encoded = encoded.as_ref().map(Encoded::words);
    handed.into_iter().chain(encoded).chain(unmet).chain(damage).chain(notices).chain(more).collect()
}

/// Which sound is taken of several, and of which programme.
fn choice_in_words(survey: &Survey) -> Option<String> {
    let sounds: Vec<&Seen> =
        survey.streams.iter().filter(|seen| seen.stream.codec.kind() == Some(TrackKind::Audio)).collect();
    let taken = sounds.iter().find(|seen| seen.why_not.is_none())?;
    let programme = survey.programme.as_ref().map(|programme| format!(" of {programme}")).unwrap_or_default();
    if sounds.len() < 2 && programme.is_empty() {
        return None;
    }
    let others = sounds.iter().filter_map(|seen| Some(format!("{} ({})", seen.words(), seen.why_not.as_ref()?)));
    let others: Vec<String> = others.collect();
    let passed = if others.is_empty() { String::new() } else { format!("; not {}", others.join(", ")) };
    Some(format!("Its audio would be {}{programme}{passed}.", taken.words()))
}

impl Media {
    fn of(segments: &[Segment], facts: &BatchFacts) -> Self {
        let seconds = seconds(segments, facts);
        let rate = |bytes: u64| (bytes as f64 * 8.0 / seconds) as u64;
        let parts = segments.iter().flat_map(|segment| std::iter::once(&segment.main).chain(&segment.audio));
        let audio = facts.audio.iter().flat_map(|track| &track.packets);
        Self {
            bits_per_second: rate(parts.map(|part| part.bytes).sum()),
            audio_bits_per_second: rate(audio.map(|packet| u64::from(packet.size)).sum()),
            choice: None,
        }
    }
}

/// The length of the media; of what has none, the one that the playlist tells.
fn seconds(segments: &[Segment], facts: &BatchFacts) -> f64 {
    let media = Duration::from_micros(facts.duration_us());
    let listed = || segments.iter().map(|segment| segment.duration).sum();
    let length: Duration = if media.is_zero() { listed() } else { media };
    length.as_secs_f64().max(0.001)
}

fn describe(segments: &[Segment], facts: &BatchFacts, survey: &Survey, media: &Media) -> Finding {
    let length = seconds(segments, facts);
    let frames = |track: &TrackFacts| (track.packets.len() as f64 / length * 100.0).round() / 100.0;
    let video = facts.video.as_ref().map(|track| {
        let (width, height) = track.dimensions;
        let frames = frames(track);
        let words = format!("{} {width}x{height} at {frames} frames per second", track.codec);
        let facts = json!({ "codec": track.codec, "width": width, "height": height, "framesPerSecond": frames });
        (format!("{words} {}", on_air(&track.codec)), facts)
    });
    let audio = facts.audio.as_ref().map(|track| {
        let words = format!("{} with {} Hz and {} channels", track.codec, track.sample_rate, track.channels);
        let how = match track.encoded_from.as_str() {
            "" => on_air(&track.codec).to_owned(),
            from => format!("is encoded from {from}"),
        };
        let facts = json!({
            "codec": track.codec, "sampleRateHz": track.sample_rate, "channels": track.channels,
            "bitsPerSecond": media.audio_bits_per_second,
        });
        (format!("{words} {how}"), facts)
    });
    let tracks: Vec<&str> = video.iter().chain(&audio).map(|(words, _)| words.as_str()).collect();
    let fetched = match segments.len() {
        1 => "1 segment was fetched".to_owned(),
        count => format!("{count} segments were fetched"),
    };
    let distance = survey.key_frames.map(|distance| distance.as_secs_f64());
    let keys = distance.map(|seconds| format!("; a key frame each {seconds:.1} s")).unwrap_or_default();
    let unused = survey
        .streams
        .iter()
        .filter_map(|seen| Some(format!("{}, not used: {}", seen.words(), seen.why_not.as_ref()?)));
    let unused: String = unused.map(|words| format!("; {words}")).collect();
    Finding::new(format!("{fetched}: {}{keys}{unused}", tracks.join(", ")))
        .fact("segments", segments.len())
        .fact("container", segments.first().map(|segment| segment.main.container))
        .fact("bytes", segments.iter().map(|segment| segment.main.bytes).sum::<u64>())
        .fact("seconds", length)
        .fact("bitsPerSecond", media.bits_per_second)
        .fact("keyFrameSeconds", distance)
        .fact("video", video.map(|(_, facts)| facts))
        .fact("audio", audio.map(|(_, facts)| facts))
        .fact("programme", &survey.programme)
        .fact("streams", survey.streams.iter().map(stream_facts).collect::<Vec<_>>())
}

fn stream_facts(seen: &Seen) -> Value {
    let kind = seen.stream.codec.kind().map_or("data".to_owned(), |kind| kind.to_string());
    json!({
        "number": seen.stream.number,
        "kind": kind,
        "codec": seen.stream.codec.name(),
        "language": seen.stream.language,
        "used": seen.why_not.is_none(),
        "why": seen.why_not,
    })
}
