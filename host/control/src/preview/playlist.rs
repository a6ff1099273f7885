//! Builds a media playlist (RFC 8216) from batches: each fragment of each batch's output is a segment, by byte range.
//!
//! Sequence numbers come from the batches' indexes, so they stay the same over requests and restarts, and when old batches are
//! removed. The newest part is listed, back to the first gap in the numbers (a missing file).

use std::fmt::Write;
use std::time::Duration;

use super::{Aired, Preview};
use crate::limits::{PREVIEW_FRAGMENTS_MAX, PREVIEW_WINDOW};
use outboard_media::fmp4::head::{Fragment, Head};

/// No batch that went on air is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no aired batch is stored: wait for the first batch, or keep more")]
pub struct Empty;

/// The listed part of a batch.
struct Shown {
    batch: Aired,
    head: Head,
    /// Number of fragments at its start that are left out.
    skip: usize,
    /// Number of its fragments that are on air by now, including the skipped ones.
    take: usize,
}

/// Writes the playlist. Reads the batches' indexes: blocks.
pub fn playlist(preview: &Preview) -> Result<String, Empty> {
    let shown = window(preview);
    let (Some(first), false) = (shown.first(), shown.is_empty()) else { return Err(Empty) };
    let fragments = || shown.iter().flat_map(Shown::fragments);
    let longest = fragments().map(|fragment| fragment.duration_ms).max().unwrap_or_default();
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:7\n");
    // Writing to a string cannot fail.
    let _ = writeln!(out, "#EXT-X-TARGETDURATION:{}", longest.div_ceil(1000).max(1));
    let _ = writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", first.head.place.sequence + first.skip as u64);
    let _ = writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", first.head.place.discontinuity);
    if fragments().all(|fragment| fragment.independent) {
        out.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    let mut before = None;
    for part in &shown {
        let now = part.head.place.discontinuity;
        let last = before.replace(now);
        if last.is_some_and(|last| last != now) {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        let uri = format!("batch/{}/output.mp4", part.batch.number);
        // Without a discontinuity it is the same in every file.
        if last != Some(now) {
            let _ = writeln!(out, "#EXT-X-MAP:URI=\"{uri}\",BYTERANGE=\"{}@0\"", part.head.init);
        }
        if let Some(date) = part.date() {
            let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{date}");
        }
        for fragment in part.fragments() {
            let Fragment { offset, bytes, duration_ms, .. } = fragment;
            let (seconds, ms) = (duration_ms / 1000, duration_ms % 1000);
            let _ = writeln!(out, "#EXTINF:{seconds}.{ms:03},\n#EXT-X-BYTERANGE:{bytes}@{offset}\n{uri}");
        }
    }
    if preview.ended {
        out.push_str("#EXT-X-ENDLIST\n");
    }
    Ok(out)
}

/// Goes back from the newest batch while the numbers are consecutive and the window is not full.
fn window(preview: &Preview) -> Vec<Shown> {
    let limit_ms = if preview.ended { u64::MAX } else { millis(PREVIEW_WINDOW) };
    let (mut ms, mut count) = (0, 0);
    let mut shown: Vec<Shown> = Vec::new();
    for batch in preview.batches.iter().rev() {
        let Some((output, _)) = super::output(&preview.files, batch.number) else {
            // A batch whose index could not be written used no numbers.
            continue;
        };
        let head = output.head().clone();
        let air_ms = preview.air_ms.filter(|_| !batch.done && !preview.ended);
        let mut part = Shown { batch: *batch, take: on_air(&head, air_ms), head, skip: 0 };
        let next = shown.last().map(|newer| newer.head.place.sequence);
        if next.is_some_and(|next| part.head.next_sequence() != next) {
            break;
        }
        for fragment in part.head.fragments.iter().take(part.take).rev() {
            if ms >= limit_ms || count >= PREVIEW_FRAGMENTS_MAX {
                part.skip += 1;
            }
            ms += u64::from(fragment.duration_ms);
            count += 1;
        }
        if part.skip < part.take {
            shown.push(part);
        }
        if ms >= limit_ms || count >= PREVIEW_FRAGMENTS_MAX {
            break;
        }
    }
    shown.reverse();
    shown
}

/// Number of fragments that have been on air completely.
fn on_air(head: &Head, air_ms: Option<u64>) -> usize {
    let Some(air_ms) = air_ms else { return head.fragments.len() };
    let mut end_ms = head.place.start_ms;
    let past = |fragment: &&Fragment| {
        end_ms += u64::from(fragment.duration_ms);
        end_ms <= air_ms
    };
    head.fragments.iter().take_while(past).count()
}

impl Shown {
    fn fragments(&self) -> impl Iterator<Item = &Fragment> {
        self.head.fragments.iter().take(self.take).skip(self.skip)
    }

    /// When its first listed fragment went on air.
    fn date(&self) -> Option<jiff::Timestamp> {
        let skipped: u64 = self.head.fragments.iter().take(self.skip).map(|left| u64::from(left.duration_ms)).sum();
        let at_ms = i64::try_from(self.batch.on_air_ms?.saturating_add(skipped)).ok()?;
        jiff::Timestamp::from_millisecond(at_ms).ok()
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
