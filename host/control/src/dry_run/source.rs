//! The source: its playlists, and one segment on its whole way to the demuxed files.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Check, Fault, Finding, check};
use crate::limits::{DRY_RUN_MEDIA_LIMIT, DRY_RUN_MEDIA_LIMIT_MAX, DRY_RUN_PLAYLIST_LIMIT, DRY_RUN_TRIES};
use outboard_base::room::Room;
use outboard_hls::{SourceConfig, SourceEvent, SourceReport};
use outboard_media::facts::{BatchFacts, TrackFacts};
use outboard_media::segment::Segment;
use outboard_pipeline::demux::{self, Splitter};
use outboard_pipeline::limits::SOURCE_EVENTS_WAITING;
use outboard_pipeline::load::source_config;
use outboard_pipeline::settings::PipelineConfig;
use outboard_pipeline::{Host, Owner};

/// What was seen of the source.
pub(super) struct SourceFindings {
    /// `source.url`, `source.backupUrl` where there is one, `source` for the media.
    pub(super) checks: Vec<Check>,
    /// What its playlists say; `None`: they could not be had.
    pub(super) report: Option<SourceReport>,
    /// What a segment holds; `None`: none came, or it cannot go on air.
    pub(super) media: Option<Media>,
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Media {
    /// The whole segment over its length.
    pub(super) bits_per_second: u64,
    /// The sound alone; 0: there is none.
    pub(super) audio_bits_per_second: u64,
}

pub(super) async fn look(host: &Host, owner: &Owner, config: &PipelineConfig) -> SourceFindings {
    // Made where segments would be, so that a full disk shows; gone when this is over.
    let dir = match host.storage().scratch() {
        Ok(dir) => dir,
        Err(error) => {
            let failed = async { Err(Fault::new(&error, error.is_disk_full())) };
            let checks = vec![check("source.url", DRY_RUN_PLAYLIST_LIMIT, failed).await];
            return SourceFindings { checks, report: None, media: None };
        }
    };
    let mut settings = source_config(config, &owner.guard, dir.path().to_owned(), 0, Room::default());
    settings.bounds.playlist.tries = DRY_RUN_TRIES;
    settings.bounds.segment.tries = DRY_RUN_TRIES;
    settings.bounds.key.tries = DRY_RUN_TRIES;
    // One segment is enough.
    (settings.bounds.in_flight, settings.bounds.ahead_live, settings.bounds.ahead_vod) = (1, 1, 1);

    let alone = SourceConfig { backup_url: None, ..settings.clone() };
    let backup = settings.backup_url.clone().map(|url| SourceConfig { url, ..alone.clone() });
    let (main, backup) = tokio::join!(playlists("source.url", &alone), async {
        match &backup {
            Some(backup) => Some(playlists("source.backupUrl", backup).await),
            None => None,
        }
    });
    let (main_check, main) = main;
    let (backup_check, backup) = backup.unzip();
    let mut checks = vec![main_check];
    checks.extend(backup_check);
    let Some(report) = main.or(backup.flatten()) else { return SourceFindings { checks, report: None, media: None } };
    let limit = (report.started.target_duration * 2).clamp(DRY_RUN_MEDIA_LIMIT, DRY_RUN_MEDIA_LIMIT_MAX);
    // Before the limit of the whole: what is known of why nothing came is told.
    let patience = limit.mul_f64(0.9);
    let (mut media, slots) = (None, host.queue().tenant(&owner.tenant, owner.ffmpeg_processes));
    let seen = async {
        let segment = Box::pin(first_segment(settings, patience)).await?;
        let facts = Box::pin(Splitter::new(slots).split(std::slice::from_ref(&segment), dir.path())).await;
        let facts = facts.map_err(|error| Fault::new(&error, error.may_pass()))?;
        demux::check_sound(Some(&report.started), &facts).map_err(Fault::lasting)?;
        let rates = Media::of(&segment, &facts);
        media = Some(rates);
        Ok(describe(&segment, &facts, rates, config))
    };
    checks.push(check("source", limit, seen).await);
    SourceFindings { checks, report: Some(report), media }
}

async fn playlists(path: &str, settings: &SourceConfig) -> (Check, Option<SourceReport>) {
    let mut seen = None;
    let check = check(path, DRY_RUN_PLAYLIST_LIMIT, async {
        let report =
            Box::pin(outboard_hls::probe(settings)).await.map_err(|error| Fault::new(&error, error.may_pass()))?;
        let finding = tell(&report);
        seen = Some(report);
        Ok(finding)
    });
    (check.await, seen)
}

fn tell(report: &SourceReport) -> Finding {
    let kind = if report.started.live { "a live stream" } else { "a recording" };
    let chosen = match (&report.chosen, report.variants.len()) {
        (Some(chosen), 2..) => format!("; of {} variants, {chosen} is used", report.variants.len()),
        (Some(chosen), _) => format!("; its variant is {chosen}"),
        (None, _) => String::new(),
    };
    let audio = report.started.audio.as_ref().map(|audio| format!(" with the separate audio {audio}"));
    let message = format!(
        "{kind} with {} segments of at most {} s in its playlist{chosen}{}",
        report.segments,
        report.started.target_duration.as_secs(),
        audio.unwrap_or_default()
    );
    let finding = Finding { warnings: report.warnings.clone(), ..Finding::new(message) };
    finding
        .fact("live", report.started.live)
        .fact("targetDurationSeconds", report.started.target_duration.as_secs_f64())
        .fact("segments", report.segments)
        .fact("listedSeconds", report.listed.as_secs_f64())
        .fact("variants", &report.variants)
        .fact("chosen", &report.chosen)
        .fact("bandwidth", report.started.bandwidth)
        .fact("resolution", report.started.resolution.map(|(width, height)| format!("{width}x{height}")))
        .fact("codecs", &report.started.codecs)
        .fact("audio", &report.started.audio)
        .fact("encrypted", report.encrypted)
}

/// Runs the source until its first segment is on disk; gives up after `patience`, and at once where none can be had for a
/// reason that stays, such as the network policy.
async fn first_segment(settings: SourceConfig, patience: Duration) -> Result<Segment, Fault> {
    let give_up = tokio::time::Instant::now() + patience;
    let (events, mut received) = mpsc::channel(SOURCE_EVENTS_WAITING);
    let running = Box::pin(outboard_hls::run(settings, None, events, CancellationToken::new()));
    let first = async {
        let (mut lost, mut why) = (0, None);
        let mut late = false;
        while let Some(event) = tokio::time::timeout_at(give_up, received.recv()).await.unwrap_or_else(|_| {
            late = true;
            None
        }) {
            match event {
                SourceEvent::Segment(segment) => return Ok(*segment),
                SourceEvent::Gap(gap) => {
                    lost += gap.segments;
                    let stays = !gap.reason.may_pass();
                    why = Some(gap.reason);
                    // One may be odd; of the next, none is better.
                    if stays && lost > 1 {
                        break;
                    }
                }
                SourceEvent::Ended => break,
                _ => {}
            }
        }
        Err(match why {
            Some(why) => Fault::new(
                format_args!("none of {lost} segments could be fetched; the last one: {why}"),
                why.may_pass(),
            ),
            None if late => Fault::passing(format_args!("no segment arrived within {:.0} s", patience.as_secs_f64())),
            // An encoder that starts again writes the playlist anew.
            None => Fault::passing("the playlist has ended and lists no segment"),
        })
    };
    tokio::pin!(running, first);
    tokio::select! {
        biased;
        first = &mut first => first,
        ended = &mut running => match ended {
            Err(error) => Err(Fault::new(&error, error.may_pass())),
            // What it delivered last is still on its way.
            Ok(()) => first.await,
        },
    }
}

impl Media {
    fn of(segment: &Segment, facts: &BatchFacts) -> Self {
        let seconds = seconds(segment, facts);
        let rate = |bytes: u64| (bytes as f64 * 8.0 / seconds) as u64;
        let parts = std::iter::once(&segment.main).chain(&segment.audio);
        let audio = facts.audio.iter().flat_map(|track| &track.packets);
        Self {
            bits_per_second: rate(parts.map(|part| part.bytes).sum()),
            audio_bits_per_second: rate(audio.map(|packet| u64::from(packet.size)).sum()),
        }
    }
}

/// The length of the media; of what has none, the one that the playlist tells.
fn seconds(segment: &Segment, facts: &BatchFacts) -> f64 {
    let media = Duration::from_micros(facts.duration_us());
    let length = if media.is_zero() { segment.duration } else { media };
    length.as_secs_f64().max(0.001)
}

fn describe(segment: &Segment, facts: &BatchFacts, rates: Media, config: &PipelineConfig) -> Finding {
    let length = seconds(segment, facts);
    let frames = |track: &TrackFacts| (track.packets.len() as f64 / length * 100.0).round() / 100.0;
    let video = facts.video.as_ref().map(|track| {
        let (width, height) = track.dimensions;
        let frames = frames(track);
        let words = format!("{} {width}x{height} at {frames} frames per second", track.codec);
        (
            words,
            serde_json::json!({ "codec": track.codec, "width": width, "height": height, "framesPerSecond": frames }),
        )
    });
    let audio = facts.audio.as_ref().map(|track| {
        let words = format!("{} with {} Hz and {} channels", track.codec, track.sample_rate, track.channels);
        let facts = serde_json::json!({
            "codec": track.codec, "sampleRateHz": track.sample_rate, "channels": track.channels,
            "bitsPerSecond": rates.audio_bits_per_second,
        });
        (words, facts)
    });
    let tracks: Vec<&str> = video.iter().chain(&audio).map(|(words, _)| words.as_str()).collect();
    let message = format!("a segment was fetched and can go on air unchanged: {}", tracks.join(", "));
    let silent = config.processor.is_some() && audio.is_none();
    Finding::new(message)
        .warn(silent.then_some("it has no audio for the processor"))
        .fact("container", segment.main.container)
        .fact("bytes", segment.main.bytes)
        .fact("seconds", length)
        .fact("bitsPerSecond", rates.bits_per_second)
        .fact("video", video.map(|(_, facts)| facts))
        .fact("audio", audio.map(|(_, facts)| facts))
}
