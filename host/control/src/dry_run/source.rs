//! The source: its playlists, and its first segments on their whole way to the demuxed files.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::media::{Fetched, Media};
use super::{Check, Fault, Finding, check, media};
use crate::limits::{
    DRY_RUN_MEDIA_LIMIT, DRY_RUN_MEDIA_LIMIT_MAX, DRY_RUN_PLAYLIST_LIMIT, DRY_RUN_SEGMENTS, DRY_RUN_TRIES,
};
use outboard_base::room::Room;
use outboard_hls::{SourceConfig, SourceEvent, SourceReport};
use outboard_pipeline::demux::Splitter;
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
    /// What its segments have; `None`: none came, or they cannot go on air.
    pub(super) media: Option<Media>,
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
    // Few segments are enough.
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
        let fetched = Box::pin(first_segments(settings, &report, patience)).await?;
        let (found, finding) =
            Box::pin(media::look(fetched, &report, config, Splitter::new(slots), dir.path())).await?;
        media = Some(found);
        Ok(finding)
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

/// Runs the source until its first segments are on disk; gives up after `patience`, and at once where none can be had for a
/// reason that stays, such as the network policy. For those after the first one it waits half as long.
async fn first_segments(settings: SourceConfig, report: &SourceReport, patience: Duration) -> Result<Fetched, Fault> {
    let began = tokio::time::Instant::now();
    let (events, mut received) = mpsc::channel(SOURCE_EVENTS_WAITING);
    let running = Box::pin(outboard_hls::run(settings, None, events, CancellationToken::new()));
    let first = async {
        let (mut lost, mut why) = (0, None);
        let (mut late, mut fetched) = (false, Fetched::default());
        loop {
            let patience = if fetched.segments.is_empty() { patience } else { patience / 2 };
            let event = tokio::time::timeout_at(began + patience, received.recv()).await.unwrap_or_else(|_| {
                late = true;
                None
            });
            match event {
                Some(SourceEvent::Segment(segment)) => {
                    fetched.segments.push(*segment);
                    if fetched.segments.len() >= DRY_RUN_SEGMENTS {
                        break;
                    }
                }
                Some(SourceEvent::Gap(gap)) => {
                    lost += gap.segments;
                    let stays = !gap.reason.may_pass();
                    fetched.warnings.push(gap.to_string());
                    why = Some(gap.reason);
                    // One may be odd; of the next, none is better.
                    if stays && lost > 1 {
                        break;
                    }
                }
                // What the playlists tell is told with them.
                Some(SourceEvent::Warning(warning)) if !report.warnings.contains(&warning) => {
                    fetched.warnings.push(warning)
                }
                Some(SourceEvent::Ended) | None => break,
                Some(_) => {}
            }
        }
        if !fetched.segments.is_empty() {
            return Ok(fetched);
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
