//! MP4 whose configuration changes in the middle: each further `moov` describes what follows it.
//!
//! An echo of a batch in which the source changed its rate or channels is such a file, and players of fragmented MP4 read
//! it. Each part is probed by itself; together they are one file in the form of the first part.

use super::boxes::Boxes;
use super::packets;
use super::{Container, Probe, ProbeError};
use crate::fmp4::ftyp;

/// Probes a file of MP4, whose boxes and tables were checked: they bound how many parts there are.
pub(super) fn probe(data: &[u8]) -> Result<Probe, ProbeError> {
    let mut parts = parts(data).into_iter();
    let mut whole = packets::probe(parts.next().unwrap_or(data), Container::Fmp4)?;
    for part in parts {
        // The reader wants a file from its start.
        let next = packets::probe(&[&ftyp(), part].concat(), Container::Fmp4)?;
        let samples = u128::from(next.samples) * u128::from(whole.sample_rate_hz);
        let samples = samples.checked_div(next.sample_rate_hz.into()).unwrap_or_default();
        whole.samples = whole.samples.saturating_add(u64::try_from(samples).unwrap_or(u64::MAX));
        whole.duration_us = whole.duration_us.saturating_add(next.duration_us);
        whole.packets = whole.packets.saturating_add(next.packets);
        whole.copyable &= next.copyable;
    }
    Ok(whole)
}

/// The file, divided in front of each `moov` after a fragment. Offsets inside of fragments count from the fragment.
fn parts(data: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut rest, mut at) = (Vec::new(), data, 0);
    let (mut has_fragment, mut left) = (false, data.len());
    let mut boxes = Boxes::checked(data);
    while let Some(Ok(found)) = boxes.next() {
        if &found.name == b"moov" && has_fragment {
            let (before, after) = rest.split_at(data.len() - left - at);
            parts.push(before);
            (at, rest, has_fragment) = (data.len() - left, after, false);
        }
        has_fragment |= &found.name == b"moof";
        left = boxes.left();
    }
    parts.push(rest);
    parts
}
