//! What would happen, in plain words.

use super::Found;
use super::media::Media;
use outboard_hls::limits::LIVE_EDGE_TARGETS;
use outboard_pipeline::load::cushion;
use outboard_pipeline::settings::{Hold, PipelineConfig};

/// How often a batch lies on disk: as segments, split into picture and sound, and put together again. Rounded up: the
/// processed sound is small.
const COPIES: u64 = 3;
/// Batches on their way: collected, at the processor, waiting for their time, on air.
const UNDER_WAY: u64 = 4;

pub(super) fn write(config: &PipelineConfig, found: &Found) -> Vec<String> {
    let mut lines = vec![source(found)];
    lines.extend(found.source.media.as_ref().and_then(|media| media.choice.clone()));
    lines.extend(processor(config, found));
    lines.push(delay(config, found));
    lines.push(destinations(found));
    lines.extend(found.source.media.as_ref().map(|media| disk(config, media)));
    lines
}

fn source(found: &Found) -> String {
    let [main, rest @ ..] = found.source.checks.as_slice() else { return String::new() };
    match (&found.source.report, &found.source.media) {
        (None, _) if rest.iter().chain([main]).any(|check| check.temporary) => {
            "The pipeline would not start: the source cannot be read. It keeps trying.".to_owned()
        }
        (None, _) => {
            "The pipeline would not start: the source cannot be read, and trying again would not help.".to_owned()
        }
        (Some(_), None) => {
            let why = rest.iter().rev().find(|check| !check.ok).map_or("", |check| check.message.as_str());
            format!("Nothing would go on air: {why}.")
        }
        (Some(report), Some(media)) => {
            let kind = if report.started.live { "live stream" } else { "recording, from its beginning" };
            let from = if main.ok { "" } else { " from the backup URL" };
            format!("It would fetch the {kind}{from}, with {} per second.", bits(media.bits_per_second))
        }
    }
}

fn processor(config: &PipelineConfig, found: &Found) -> Option<String> {
    let Some(check) = &found.processor else {
        return Some("There is no processor: the original audio would go on air.".to_owned());
    };
    if !check.ok {
        return Some(
            "The original audio would go on air until the processor takes fragments; the pipeline keeps trying."
                .to_owned(),
        );
    }
    let media = found.source.media.as_ref()?;
    let bytes = (media.audio_bits_per_second as f64 * config.batch.as_secs_f64() / 8.0) as u64;
    Some(format!(
        "Each {} about {} of audio would be sent to the processor; a batch without a reply in time goes on air with \
         its original audio.",
        seconds(config.batch.as_secs_f64()),
        size(bytes)
    ))
}

fn delay(config: &PipelineConfig, found: &Found) -> String {
    let (batch, cushion) = (config.batch.as_secs_f64(), cushion(config).as_secs_f64());
    let edge = found.source.report.as_ref().filter(|report| report.started.live).map(|report| {
        let edge = report.started.target_duration.as_secs_f64() * f64::from(LIVE_EDGE_TARGETS);
        format!(" It begins about {} before the live edge.", seconds(edge))
    });
    let edge = edge.unwrap_or_default();
    match config.hold {
        Hold::After(hold) => {
            let all = batch + hold.as_secs_f64();
            format!(
                "On air {} after it was fetched: a batch of {} and the hold of {}.{edge}",
                seconds(all),
                seconds(batch),
                seconds(hold.as_secs_f64())
            )
        }
        Hold::Auto if config.processor.is_none() => format!(
            "On air {} after it was fetched: a batch of {} and a cushion of {}.{edge}",
            seconds(batch + cushion.min(batch)),
            seconds(batch),
            seconds(cushion)
        ),
        Hold::Auto => format!(
            "On air {} to {} after it was fetched: a batch of {}, the processor's time for the first one and a cushion \
             of {}.{edge}",
            seconds(batch + cushion.min(batch)),
            seconds(batch * 2.0),
            seconds(batch),
            seconds(cushion)
        ),
    }
}

fn destinations(found: &Found) -> String {
    let (all, good) = (found.destinations.len(), found.destinations.iter().filter(|check| check.ok).count());
    match all {
        _ if good == all => format!("{} would receive it.", counted(all, "destination")),
        _ => {
            format!("{good} of {} would receive it; the pipeline keeps trying the others.", counted(all, "destination"))
        }
    }
}

fn disk(config: &PipelineConfig, media: &Media) -> String {
    let hour = media.bits_per_second / 8 * 3600 * COPIES;
    format!(
        "It would write about {} an hour and keep about {}: {} after airing, and those not yet aired.",
        size(hour),
        size(bytes_kept(config, media)),
        counted(config.keep.batches, "batch")
    )
}

/// Bytes on disk when a pipeline has run for a while.
pub(super) fn bytes_kept(config: &PipelineConfig, media: &Media) -> u64 {
    let batches = UNDER_WAY + config.keep.batches as u64;
    let batch = (media.bits_per_second as f64 / 8.0 * config.batch.as_secs_f64()) as u64;
    batch.saturating_mul(COPIES).saturating_mul(batches)
}

fn counted(count: usize, what: &str) -> String {
    let plural = if what.ends_with("ch") { "es" } else { "s" };
    format!("{count} {what}{}", if count == 1 { "" } else { plural })
}

fn seconds(seconds: f64) -> String {
    format!("{} s", (seconds * 10.0).round() / 10.0)
}

fn bits(bits: u64) -> String {
    format!("{:.1} Mbit", bits as f64 / 1e6)
}

/// A size for people, in decimal units (kB, MB, GB).
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            (size(1), size(480_001), size(2_340_000), size(7_200_000_000)),
            ("1 kB".into(), "481 kB".into(), "2.3 MB".into(), "7.2 GB".into())
        );
        assert_eq!((seconds(30.0), seconds(2.5)), ("30 s".to_owned(), "2.5 s".to_owned()));
        assert_eq!((counted(1, "batch"), counted(5, "batch")), ("1 batch".to_owned(), "5 batches".to_owned()));
        assert_eq!(
            (counted(1, "destination"), counted(0, "destination")),
            ("1 destination".into(), "0 destinations".into())
        );
    }
}
