//! Checks MP4 boxes (ISO/IEC 14496-12, section 4.2) that the packet reader does not: that the top level fills the file
//! exactly, and what the audio track's edit list or iTunSMPB skips. Without the first check, a file that was cut off between two
//! fragments would be taken for a shorter one.

use super::{Container, ProbeError};

/// The facts from the boxes, in addition to those of the packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    edit: Option<Edit>,
    gapless: Option<Gapless>,
}

/// What the edit list of the first audio track skips: media time, and its units per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edit {
    media_time: u64,
    timescale: u32,
}

/// The samples at both ends that iTunSMPB names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Gapless {
    delay: u64,
    padding: u64,
}

impl Facts {
    /// What is skipped at the start, in samples at this rate; `None` if the file does not tell it. An edit list counts
    /// more than iTunSMPB, as in players.
    pub fn delay_samples(&self, rate: u32) -> Option<u64> {
        let edit = self.edit.map(|edit| {
            let timescale = u128::from(edit.timescale.max(1));
            let samples = (u128::from(edit.media_time) * u128::from(rate) + timescale / 2) / timescale;
            u64::try_from(samples).unwrap_or(u64::MAX)
        });
        edit.or(self.gapless.map(|gapless| gapless.delay))
    }

    /// What is left out at the end, in samples; `None` if the file does not tell it.
    pub fn padding_samples(&self) -> Option<u64> {
        self.gapless.map(|gapless| gapless.padding)
    }
}

/// Most boxes that are read: on one level here, in total by `tables`.
pub(super) const BOXES_MAX: usize = 100_000;

/// A box and its content.
pub(crate) struct Box<'a> {
    pub(crate) name: [u8; 4],
    pub(crate) body: &'a [u8],
    /// Number of bytes that the header declares and the data does not have.
    pub(super) missing: u64,
}

/// Checks a whole file.
pub fn check(data: &[u8]) -> Result<Facts, ProbeError> {
    let mut facts = Facts::default();
    let (mut fragment_open, mut described) = (false, false);
    for (index, found) in Boxes(data).enumerate() {
        if index >= BOXES_MAX {
            return Err(ProbeError::TooManyPackets(Container::Fmp4));
        }
        let found = found.map_err(|left| ProbeError::Truncated {
            container: Container::Fmp4,
            what: format!("its last {left} bytes are no box"),
        })?;
        if found.missing > 0 {
            let name = String::from_utf8_lossy(&found.name);
            let what = format!("{} bytes of its last box ({}) are missing", found.missing, name.escape_default());
            return Err(ProbeError::Truncated { container: Container::Fmp4, what });
        }
        match &found.name {
            // What a later one says is about what follows it, and cuts nothing at the start.
            b"moov" if !described => {
                (facts, described) = (Facts { edit: edit(found.body), gapless: gapless(found.body) }, true);
            }
            b"moof" => fragment_open = true,
            b"mdat" => fragment_open = false,
            _ => {}
        }
    }
    if fragment_open {
        let what = "its last fragment (moof) has no data (mdat)".to_owned();
        return Err(ProbeError::Truncated { container: Container::Fmp4, what });
    }
    Ok(facts)
}

/// Iterates over the boxes in a range of bytes. `Err`: this many bytes at the end are no box.
pub(crate) struct Boxes<'a>(&'a [u8]);

impl<'a> Boxes<'a> {
    /// The boxes in these bytes, and the number of bytes at the end that are no box.
    pub(super) fn checked(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// Number of bytes behind the boxes that were handed out.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// The boxes in these bytes, without errors.
    pub(crate) fn of(body: &'a [u8]) -> impl Iterator<Item = Box<'a>> {
        Self(body).take(BOXES_MAX).filter_map(Result::ok)
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Box<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let data = std::mem::take(&mut self.0);
        let Some((size, name)) = number32(data).zip(data.get(4..8).and_then(|name| name.try_into().ok())) else {
            return Some(Err(data.len()));
        };
        let (header, size) = match size {
            // To the end of the file.
            0 => (8, data.len() as u64),
            1 => match data.get(8..).and_then(number64) {
                Some(size) => (16, size),
                None => return Some(Err(data.len())),
            },
            size => (8, size.into()),
        };
        if size < header as u64 {
            return Some(Err(data.len()));
        }
        let end = usize::try_from(size).unwrap_or(usize::MAX).min(data.len());
        let (this, rest) = data.split_at(end);
        self.0 = rest;
        let missing = size.saturating_sub(data.len() as u64);
        Some(Ok(Box { name, body: this.get(header..).unwrap_or_default(), missing }))
    }
}

/// The content of the first box with this name.
pub(crate) fn child<'a>(body: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    Boxes::of(body).find(|found| found.name == *name).map(|found| found.body)
}

/// The media time that the first edit of the first audio track skips.
fn edit(moov: &[u8]) -> Option<Edit> {
    let tracks = Boxes::of(moov).filter(|found| &found.name == b"trak");
    for track in tracks.map(|found| found.body) {
        let Some(media) = child(track, b"mdia") else { continue };
        // hdlr: version and flags, pre_defined, handler_type.
        if child(media, b"hdlr").and_then(|body| body.get(8..12)) != Some(b"soun") {
            continue;
        }
        let header = child(media, b"mdhd")?;
        let timescale = number32(header.get(if version(header)? == 1 { 20 } else { 12 }..)?)?;
        let list = child(child(track, b"edts")?, b"elst")?;
        let (entry, media_time) = if version(list)? == 1 { (20, 8) } else { (12, 4) };
        for entry in list.get(8..)?.chunks_exact(entry).take(BOXES_MAX) {
            let time = entry.get(media_time..)?;
            // -1 is an empty edit: it delays, and skips nothing.
            let time =
                if media_time == 8 { number64(time)?.cast_signed() } else { number32(time)?.cast_signed().into() };
            if let Ok(media_time) = u64::try_from(time) {
                return Some(Edit { media_time, timescale });
            }
        }
        return None;
    }
    None
}

/// Apple's iTunSMPB: an item of the metadata list with four and more hexadecimal numbers as text, of which the second is
/// the delay and the third the padding.
fn gapless(moov: &[u8]) -> Option<Gapless> {
    // meta: version and flags.
    let meta = child(child(moov, b"udta")?, b"meta")?.get(4..)?;
    let items = Boxes::of(child(meta, b"ilst")?).filter(|found| &found.name == b"----").map(|found| found.body);
    for item in items {
        // name: version and flags; data: type and locale.
        if child(item, b"name").and_then(|body| body.get(4..)) != Some(b"iTunSMPB") {
            continue;
        }
        let text = std::str::from_utf8(child(item, b"data")?.get(8..)?).ok()?;
        let mut numbers = text.split_ascii_whitespace().skip(1).map(|word| u64::from_str_radix(word, 16));
        return Some(Gapless { delay: numbers.next()?.ok()?, padding: numbers.next()?.ok()? });
    }
    None
}

fn version(body: &[u8]) -> Option<u8> {
    body.first().copied()
}

/// The first four bytes as a big-endian number.
pub(crate) fn number32(data: &[u8]) -> Option<u32> {
    data.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// The first eight bytes.
pub(crate) fn number64(data: &[u8]) -> Option<u64> {
    data.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [&size.to_be_bytes(), &name[..], body].concat()
    }

    /// A track with one edit list entry, in its version's layout.
    fn moov(handler: &[u8; 4], edits: &[u8]) -> Vec<u8> {
        let mdhd = boxed(b"mdhd", &[&[0; 12][..], &48_000_u32.to_be_bytes(), &[0; 8]].concat());
        let hdlr = boxed(b"hdlr", &[&[0; 8][..], handler, &[0; 12]].concat());
        let edts = boxed(b"edts", &boxed(b"elst", edits));
        let trak = boxed(b"trak", &[edts, boxed(b"mdia", &[mdhd, hdlr].concat())].concat());
        boxed(b"moov", &trak)
    }

    fn edit(media_time: i32) -> Vec<u8> {
        [&1000_u32.to_be_bytes()[..], &media_time.to_be_bytes(), &[0, 1, 0, 0]].concat()
    }

    #[test]
    fn the_first_edit_with_media_tells_the_delay() {
        let list = [&[0; 8][..], &edit(-1), &edit(1024)].concat();
        let delay = |file: &[u8]| check(file).unwrap().delay_samples(48_000);
        assert_eq!(delay(&moov(b"soun", &list)), Some(1024));
        assert_eq!(check(&moov(b"soun", &list)).unwrap().delay_samples(44_100), Some(941), "of another timescale");
        assert_eq!(delay(&moov(b"vide", &list)), None);
        let long = [&[1, 0, 0, 0, 0, 0, 0, 1][..], &[0; 8], &2048_u64.to_be_bytes(), &[0, 1, 0, 0]].concat();
        assert_eq!(delay(&moov(b"soun", &long)), Some(2048));
        assert_eq!(delay(&moov(b"soun", &[0; 3])), None);
        assert_eq!(delay(&boxed(b"moov", &[0; 20])), None);
    }

    #[test]
    fn itunsmpb_tells_delay_and_padding() {
        let file = |name: &[u8], text: &str| {
            let data = boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text.as_bytes()].concat());
            let item = boxed(b"----", &[boxed(b"name", &[&[0; 4], name].concat()), data].concat());
            boxed(b"moov", &boxed(b"udta", &boxed(b"meta", &[&[0; 4][..], &boxed(b"ilst", &item)].concat())))
        };
        let both = |file: &[u8]| {
            let facts = check(file).unwrap();
            (facts.delay_samples(48_000), facts.padding_samples())
        };
        let text = " 00000000 00000840 000001CA 00000000003F31F6 00000000";
        assert_eq!(both(&file(b"iTunSMPB", text)), (Some(2112), Some(458)));
        for (name, text) in [(&b"iTunNORM"[..], text), (b"iTunSMPB", " 00000000 00000840"), (b"iTunSMPB", " 0 x y")] {
            assert_eq!(both(&file(name, text)), (None, None), "{text}");
        }
    }

    #[test]
    fn boxes_must_fill_the_file() {
        let file = [boxed(b"ftyp", b"iso5"), boxed(b"moof", &[]), boxed(b"mdat", &[0; 100])].concat();
        assert_eq!(check(&file), Ok(Facts::default()));
        let wrong = |data: &[u8]| check(data).unwrap_err().to_string();
        assert_eq!(
            wrong(&file[..file.len() - 3]),
            "the fmp4 file is cut off: 3 bytes of its last box (mdat) are missing"
        );
        assert_eq!(wrong(&file[..file.len() - 104]), "the fmp4 file is cut off: its last 4 bytes are no box");
        assert_eq!(wrong(&file[..20]), "the fmp4 file is cut off: its last fragment (moof) has no data (mdat)");
        assert!(wrong(&[0, 0, 0, 5, b'm', b'o', b'o', b'f', 0]).contains("are no box"), "smaller than its header");
        assert!(wrong(&[0, 0, 0, 1, b'm', b'd', b'a', b't', 0]).contains("are no box"), "half a large size");
        let large = [&[0, 0, 0, 1][..], b"mdat", &(1_u64 << 60).to_be_bytes(), &[0; 4]].concat();
        assert!(wrong(&large).contains("1152921504606846956 bytes of its last box (mdat)"));
        assert_eq!(check(&[0, 0, 0, 0, b'm', b'd', b'a', b't', 1, 2, 3]), Ok(Facts::default()), "to the end");
        assert!(check(&boxed(b"free", &[]).repeat(BOXES_MAX + 1)).is_err());
    }
}
