//! Resumes a run: its batches that are ready, and the place on air of each destination.

use super::identity::destination_name;
use crate::limits::{RESUME_SEGMENTS_MAX, START_AFTER_RESTART};
use crate::remux::index::AirIndex;
use crate::settings::{CheckedDestination, PipelineConfig};
use outboard_egress::clock::AirClock;
use outboard_egress::position::Position;
use outboard_egress::spool::{ReadyBatch, Spool};
use outboard_media::segment::Segment;
use outboard_store::files::StreamFiles;
use outboard_store::journal::{BatchRow, Resumed, Step};

/// Batches that were ready before a restart go straight to air; the others take their steps again, from the one that
/// they had reached.
pub(super) fn reload_ready(files: &StreamFiles, resumed: &Resumed) -> (Vec<ReadyBatch>, Vec<BatchRow>) {
    let mut ready = Vec::new();
    let mut waiting = Vec::new();
    for row in &resumed.batches {
        let reloaded = (row.step >= Step::Remuxed && waiting.is_empty()).then(|| reload(files, row)).flatten();
        match reloaded {
            Some(batch) => ready.push(batch),
            None => waiting.push(row.clone()),
        }
    }
    (ready, waiting)
}

fn reload(files: &StreamFiles, row: &BatchRow) -> Option<ReadyBatch> {
    let batch = row.number;
    match AirIndex::read(&files.batch(batch)) {
        Ok(index) if index.ready.number == batch => Some(index.ready),
        Ok(index) => {
            tracing::warn!(batch, of = index.ready.number, "air.index is of another batch; remuxing it again");
            None
        }
        Err(error) => {
            tracing::warn!(batch, %error, "a remuxed batch can no longer be used; remuxing it again");
            None
        }
    }
}

/// The last segments before the first batch that is not ready yet: `waiting`, or the one that is cut next.
pub(super) fn last_before(resumed: &Resumed, waiting: Option<&BatchRow>) -> Vec<Segment> {
    let first = match waiting {
        Some(row) => row.segments.first().map(|segment| segment.index),
        None => Some(resumed.uncut.first().map_or(resumed.next_segment, |segment| segment.index)),
    };
    let before = resumed.known.partition_point(|segment| Some(segment.index) < first);
    let from = before.saturating_sub(RESUME_SEGMENTS_MAX);
    resumed.known.get(from..before).unwrap_or_default().to_vec()
}

/// Where each destination was, by its name.
pub(super) fn positions(config: &PipelineConfig, resumed: &Resumed) -> Vec<Option<Position>> {
    let of = |to: &CheckedDestination| serde_json::from_str(resumed.air.get(&destination_name(&to.text))?).ok();
    config.destinations.iter().map(|to| of(to).filter(|_| to.enabled)).collect()
}

/// Starts the clock where air was, if there is anything to send; else the first batch will.
pub(super) fn start_clock(clock: &AirClock, spool: &Spool, positions: &[Option<Position>]) {
    let Some(oldest) = spool.oldest() else { return };
    let furthest = positions.iter().flatten().map(|position| position.air_ms).max();
    let from_ms = furthest.unwrap_or(oldest.start_ms).max(oldest.start_ms);
    clock.start(from_ms, tokio::time::Instant::now() + START_AFTER_RESTART);
}
