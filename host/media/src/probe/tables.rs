//! Checks the tables of an MP4 file against its bytes, before a library uses them.
//!
//! symphonia (0.6.1) accepts a `trun` without fields for its samples, whatever its count, and sums up tables again for
//! each packet. Here every count must have its bytes, samples must not overlap, and the cost of reading the packets is
//! computed beforehand. So a file that passes is read in a time that its length limits.

use super::boxes::{BOXES_MAX, Box, Boxes, number32};
use super::{Container, ProbeError};
use crate::limits::{PROBE_PACKETS_MAX, PROBE_STEPS_MAX, PROBE_TAGS_BYTES_MAX, PROBE_TRACKS_MAX};

/// Checks a whole file.
///
/// # Errors
/// [`ProbeError::Damaged`] with the box; [`ProbeError::TooManyPackets`]; [`ProbeError::TooSlow`] if reading its tables
/// takes more than [`PROBE_STEPS_MAX`].
pub fn check(data: &[u8]) -> Result<(), ProbeError> {
    let mut sum = Sum::default();
    let top = sum.children(data)?;
    for found in top.iter().filter(|found| &found.name == b"moov") {
        sum.moov(found.body)?;
    }
    for found in &top {
        match &found.name {
            b"moof" => sum.moof(found.body)?,
            b"meta" => sum.tags(found)?,
            _ => {}
        }
    }
    sum.hold(data.len() as u64)
}

/// The sums over the tables.
#[derive(Default)]
struct Sum {
    boxes: usize,
    tracks: u64,
    fragments: u64,
    /// Number of samples of all tracks.
    samples: u64,
    /// Total size of the samples, in bytes.
    bytes: u64,
    /// Number of table entries that reading the packets visits.
    steps: u64,
    /// Tracks and the default sizes of their samples.
    sizes: Vec<(u32, u32)>,
}

impl Sum {
    fn hold(&self, length: u64) -> Result<(), ProbeError> {
        if self.samples > PROBE_PACKETS_MAX {
            return Err(ProbeError::TooManyPackets(Container::Fmp4));
        }
        if self.bytes > length {
            return damaged(format!("its samples have {} bytes, the whole file {length}", self.bytes));
        }
        // Each packet may be looked for in every fragment, once a track.
        let search = self.samples.saturating_mul(self.fragments).saturating_mul(self.tracks);
        if self.steps.saturating_add(search) > PROBE_STEPS_MAX {
            return Err(ProbeError::TooSlow(Container::Fmp4));
        }
        Ok(())
    }

    /// The boxes in a box; counts them.
    fn children<'a>(&mut self, body: &'a [u8]) -> Result<Vec<Box<'a>>, ProbeError> {
        let mut found = Vec::new();
        for next in Boxes::checked(body) {
            self.boxes += 1;
            if self.boxes > BOXES_MAX {
                return damaged(format!("it has more than {BOXES_MAX} boxes"));
            }
            match next {
                Ok(next) if next.missing == 0 => found.push(next),
                Ok(next) => return damaged(format!("box {} is longer than what it lies in", name(&next))),
                // Fewer bytes than a header are no box to anybody.
                Err(left) if left < 8 => {}
                Err(left) => return damaged(format!("{left} bytes in a box are no box")),
            }
        }
        Ok(found)
    }

    /// Checks the size of tags and images, which the library keeps in memory.
    fn tags(&self, found: &Box<'_>) -> Result<(), ProbeError> {
        match found.body.len() {
            length if length > PROBE_TAGS_BYTES_MAX => {
                damaged(format!("box {} has {length} bytes; at most {PROBE_TAGS_BYTES_MAX} are read", name(found)))
            }
            _ => Ok(()),
        }
    }

    fn moov(&mut self, body: &[u8]) -> Result<(), ProbeError> {
        for found in self.children(body)? {
            match &found.name {
                b"trak" => self.trak(found.body)?,
                b"mvex" => {
                    for found in self.children(found.body)?.iter().filter(|found| &found.name == b"trex") {
                        // Version and flags, track, description, duration, size.
                        if let (Some(track), Some(size)) = (field(found.body, 4), field(found.body, 16)) {
                            self.sizes.push((track, size));
                        }
                    }
                }
                b"udta" | b"meta" => self.tags(&found)?,
                _ => {}
            }
        }
        if self.sizes.len() as u64 > PROBE_TRACKS_MAX {
            return damaged(format!("it has more than {PROBE_TRACKS_MAX} tracks"));
        }
        Ok(())
    }

    fn trak(&mut self, body: &[u8]) -> Result<(), ProbeError> {
        self.tracks += 1;
        if self.tracks > PROBE_TRACKS_MAX {
            return damaged(format!("it has more than {PROBE_TRACKS_MAX} tracks"));
        }
        for found in self.children(body)? {
            match &found.name {
                b"mdia" => self.mdia(found.body)?,
                b"edts" => {
                    for list in self.children(found.body)?.iter().filter(|found| &found.name == b"elst") {
                        room(list, 4, 8, if list.body.first() == Some(&1) { 20 } else { 12 })?;
                    }
                }
                b"udta" | b"meta" => self.tags(&found)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn mdia(&mut self, body: &[u8]) -> Result<(), ProbeError> {
        for media in self.children(body)?.iter().filter(|found| &found.name == b"minf") {
            for table in self.children(media.body)?.iter().filter(|found| &found.name == b"stbl") {
                self.stbl(table.body)?;
            }
        }
        Ok(())
    }

    /// Checks the tables of a track without fragments.
    fn stbl(&mut self, body: &[u8]) -> Result<(), ProbeError> {
        let (mut timed, mut sized, mut runs, mut in_chunk) = (0_u64, 0_u64, 0_u64, 0_u64);
        for found in self.children(body)? {
            match &found.name {
                b"stts" => {
                    runs = runs.saturating_add(room(&found, 4, 8, 8)?);
                    let entries = found.body.get(8..).unwrap_or_default().chunks_exact(8);
                    timed = entries.filter_map(number32).fold(timed, |sum, count| sum.saturating_add(count.into()));
                }
                b"stsz" => match (field(found.body, 4), field(found.body, 8)) {
                    (Some(0), Some(count)) => {
                        room(&found, 8, 12, 4)?;
                        let sizes = found.body.get(12..).unwrap_or_default().chunks_exact(4);
                        let sum = sizes.filter_map(number32).fold(0, |sum: u64, size| sum.saturating_add(size.into()));
                        (sized, self.bytes) = (sized.saturating_add(count.into()), self.bytes.saturating_add(sum));
                    }
                    (Some(size), Some(count)) => {
                        sized = sized.saturating_add(count.into());
                        self.bytes = self.bytes.saturating_add(u64::from(size) * u64::from(count));
                    }
                    _ => {}
                },
                b"stsc" => {
                    room(&found, 4, 8, 12)?;
                    let entries = found.body.get(8..).unwrap_or_default().chunks_exact(12);
                    let most = entries.filter_map(|entry| field(entry, 4)).max().unwrap_or_default();
                    in_chunk = in_chunk.max(most.into());
                }
                b"stco" | b"stss" => room(&found, 4, 8, 4).map(drop)?,
                b"co64" | b"ctts" => room(&found, 4, 8, 8).map(drop)?,
                _ => {}
            }
        }
        let samples = timed.max(sized);
        self.samples = self.samples.saturating_add(samples);
        let each = runs.saturating_add(in_chunk.min(samples));
        self.steps = self.steps.saturating_add(samples.saturating_mul(each));
        Ok(())
    }

    /// Checks a fragment. The library searches its samples run by run, and sample by sample within a run.
    fn moof(&mut self, body: &[u8]) -> Result<(), ProbeError> {
        self.fragments += 1;
        let (mut samples, mut runs) = (0_u64, 0_u64);
        for track in self.children(body)?.iter().filter(|found| &found.name == b"traf") {
            let parts = self.children(track.body)?;
            let header = parts.iter().rfind(|found| &found.name == b"tfhd");
            let size = header.map_or(0, |header| self.sample_size(header.body));
            for run in parts.iter().filter(|found| &found.name == b"trun") {
                let (count, bytes) = trun(run, size)?;
                runs += 1;
                samples = samples.saturating_add(count);
                self.bytes = self.bytes.saturating_add(bytes);
            }
        }
        self.samples = self.samples.saturating_add(samples);
        self.steps = self.steps.saturating_add(samples.saturating_mul(runs.saturating_add(samples)));
        Ok(())
    }

    /// The default size of a fragment's samples: from its header, else from the track.
    fn sample_size(&self, header: &[u8]) -> u32 {
        let (flags, track) = (field(header, 0).unwrap_or_default(), field(header, 4).unwrap_or_default());
        let before: usize =
            [(0x1, 8), (0x2, 4), (0x8, 4)].iter().filter(|(flag, _)| flags & flag != 0).map(|f| f.1).sum();
        let own = (flags & 0x10 != 0).then(|| field(header, 8 + before)).flatten();
        let of_track = || self.sizes.iter().find(|(known, _)| *known == track).map(|(_, size)| *size);
        own.or_else(of_track).unwrap_or_default()
    }
}

/// Number and total bytes of a run's samples; `default` is the size of a sample if the run has none.
fn trun(run: &Box<'_>, default: u32) -> Result<(u64, u64), ProbeError> {
    let Some((flags, count)) = field(run.body, 0).zip(field(run.body, 4)) else { return Ok((0, 0)) };
    let words = |flags: &[u32], of: u32| flags.iter().filter(|flag| of & **flag != 0).count() * 4;
    let (first, entry) = (8 + words(&[0x1, 0x4], flags), words(&[0x100, 0x200, 0x400, 0x800], flags));
    room(run, 4, first, entry)?;
    let count = u64::from(count);
    if flags & 0x200 == 0 {
        return Ok((count, count.saturating_mul(default.into())));
    }
    let at = words(&[0x100], flags);
    let entries = run.body.get(first..).unwrap_or_default().chunks_exact(entry);
    let sizes = entries.take(usize::try_from(count).unwrap_or(usize::MAX)).filter_map(|entry| field(entry, at));
    Ok((count, sizes.fold(0, |sum: u64, size| sum.saturating_add(size.into()))))
}

/// The count at byte `at` of a table whose entries of `entry` bytes begin at byte `first`, if the table has the bytes
/// for them.
fn room(found: &Box<'_>, at: usize, first: usize, entry: usize) -> Result<u64, ProbeError> {
    let Some(count) = field(found.body, at) else { return Ok(0) };
    let bytes = found.body.len().saturating_sub(first) as u64;
    if u64::from(count).saturating_mul(entry as u64) > bytes {
        return damaged(format!("box {} counts {count} entries and has {bytes} bytes for them", name(found)));
    }
    Ok(count.into())
}

fn field(body: &[u8], at: usize) -> Option<u32> {
    number32(body.get(at..)?)
}

fn name(found: &Box<'_>) -> String {
    String::from_utf8_lossy(&found.name).escape_default().to_string()
}

fn damaged<T>(what: String) -> Result<T, ProbeError> {
    Err(ProbeError::Damaged { container: Container::Fmp4, what })
}

#[cfg(test)]
#[path = "tables_test.rs"]
mod tests;
