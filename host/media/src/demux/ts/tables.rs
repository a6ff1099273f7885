//! Reads PAT and PMT (ISO/IEC 13818-1 sections 2.4.4.3 and 2.4.4.8): the programmes and their elementary streams.
//!
//! A change is detected by a table's content, not by version_number, because some senders change one without the other.

use super::super::event::Codec;
use super::sections::crc;
use crate::limits::{DEMUX_PROGRAMS_MAX, DEMUX_STREAMS_MAX};

/// An elementary stream of a programme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elementary {
    /// elementary_PID: the PID that carries the stream.
    pub pid: u16,
    /// The codec or data format of the stream.
    pub codec: Codec,
    /// ISO 639-2 code in lower case, such as `deu`; `None` for `und` or without a descriptor.
    pub language: Option<String>,
    /// Whether the stream is encrypted with SAMPLE-AES (Apple, MPEG-2 Stream Encryption Format for HTTP Live
    /// Streaming).
    pub encrypted: bool,
}

/// A programme of the PAT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// program_number in the PAT, never 0.
    pub number: u16,
    /// PID of the programme's PMT.
    pub pid: u16,
    /// The CRC of the last PMT and its elementary streams; `None` before the first PMT.
    pub map: Option<(u32, Vec<Elementary>)>,
}

/// All tables up to now, each of which is kept until another replaces it.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    /// The programmes in the order of the PAT.
    pub programs: Vec<Program>,
    /// CRC of each section of the PAT, by section_number.
    sections: Vec<(u8, u32)>,
    version: Option<u8>,
}

const PAT: u8 = 0;
const PMT: u8 = 2;

impl Tables {
    /// Reads a complete section of the PAT; returns whether the programmes may have changed.
    pub fn pat(&mut self, section: &[u8]) -> bool {
        let Some((version, number, body)) = current(section, PAT) else { return false };
        let sum = crc(section.get(..section.len() - 4).unwrap_or_default());
        if self.sections.contains(&(number, sum)) {
            return false;
        }
        // A new version, or another content of a section: nothing of the old ones counts.
        let anew = self.version != Some(version) || self.sections.iter().any(|(known, _)| *known == number);
        let old = std::mem::take(&mut self.programs);
        if anew {
            self.sections.clear();
        } else {
            self.programs.clone_from(&old);
        }
        self.version = Some(version);
        self.sections.push((number, sum));
        for entry in body.chunks_exact(4) {
            let &[a, b, c, d] = entry else { continue };
            let (number, pid) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]) & 0x1fff);
            // Programme 0 is the network information table.
            let known = self.programs.iter().any(|program| program.number == number);
            if number == 0 || known || self.programs.len() >= DEMUX_PROGRAMS_MAX {
                continue;
            }
            let map = old.iter().find(|old| (old.number, old.pid) == (number, pid)).and_then(|old| old.map.clone());
            self.programs.push(Program { number, pid, map });
        }
        true
    }

    /// Reads a complete section of a PMT in this PID; returns whether the programme's streams have changed.
    pub fn pmt(&mut self, pid: u16, section: &[u8]) -> bool {
        let Some((_, _, body)) = current(section, PMT) else { return false };
        let number = section.get(3..5).and_then(|bytes| bytes.try_into().ok()).map(u16::from_be_bytes);
        let Some(program) =
            self.programs.iter_mut().find(|program| program.pid == pid && Some(program.number) == number)
        else {
            return false;
        };
        let sum = crc(section.get(..section.len() - 4).unwrap_or_default());
        if program.map.as_ref().is_some_and(|(known, _)| *known == sum) {
            return false;
        }
        let streams = streams(body);
        let changed = program.map.as_ref().is_none_or(|(_, known)| *known != streams);
        program.map = Some((sum, streams));
        changed
    }
}

/// Returns version_number, section_number and body of a section; `None` if it is not of this table or not in effect
/// yet.
fn current(section: &[u8], id: u8) -> Option<(u8, u8, &[u8])> {
    let [found, _, _, _, _, version, number, _, rest @ ..] = section else { return None };
    let body = rest.get(..rest.len().checked_sub(4)?)?;
    (*found == id && version & 1 == 1).then_some((version >> 1 & 0x1f, *number, body))
}

fn streams(body: &[u8]) -> Vec<Elementary> {
    let mut found: Vec<Elementary> = Vec::new();
    let Some(([_, _, a, b], rest)) = body.split_first_chunk() else { return found };
    let program_info = usize::from(a & 0xf) << 8 | usize::from(*b);
    let mut rest = rest.get(program_info..).unwrap_or_default();
    while let Some(([kind, a, b, c, d], after)) = rest.split_first_chunk() {
        let length = usize::from(c & 0xf) << 8 | usize::from(*d);
        let (info, next) = after.split_at_checked(length).unwrap_or((after, &[]));
        rest = next;
        let pid = u16::from_be_bytes([*a, *b]) & 0x1fff;
        if found.len() < DEMUX_STREAMS_MAX && found.iter().all(|known| known.pid != pid) {
            found.push(stream(pid, *kind, info));
        }
    }
    found
}

/// Tags of descriptors (section 2.6, ETSI EN 300 468); this one is the registration descriptor.
const REGISTRATION: u8 = 0x05;
const LANGUAGE: u8 = 0x0a;
const METADATA: u8 = 0x26;
const DVB_AC3: u8 = 0x6a;
const DVB_EAC3: u8 = 0x7a;

fn stream(pid: u16, kind: u8, info: &[u8]) -> Elementary {
    let of = |tag: u8| Descriptors(info).find(|(found, _)| *found == tag).map(|(_, body)| body);
    let registered = of(REGISTRATION).and_then(|body| body.first_chunk::<4>()).copied();
    let metadata = || of(METADATA).is_some_and(|body| body.windows(4).any(|four| four == b"ID3 "));
    let codec = match (kind, registered.as_ref()) {
        (0x01 | 0x02, _) => Codec::Mpeg2Video,
        (0x10, _) => Codec::Mpeg4Video,
        (0x1b | 0xdb, _) => Codec::H264,
        (0x24, _) | (0x06, Some(b"HEVC")) => Codec::Hevc,
        (0x03 | 0x04, _) => Codec::MpegAudio,
        (0x0f | 0xcf, _) => Codec::Aac,
        (0x11, _) => Codec::AacLatm,
        (0x81 | 0xc1, _) | (0x06, Some(b"AC-3")) => Codec::Ac3,
        (0x87 | 0xc2, _) | (0x06, Some(b"EAC3")) => Codec::Eac3,
        (0x06, Some(b"Opus")) => Codec::Opus,
        (0x06 | 0x15, Some(b"KLVA")) => Codec::Klv,
        (0x06 | 0x15, Some(b"ID3 ")) => Codec::Id3,
        (0x86, None | Some(b"CUEI")) => Codec::Scte35,
        (0x06, _) if of(DVB_AC3).is_some() => Codec::Ac3,
        (0x06, _) if of(DVB_EAC3).is_some() => Codec::Eac3,
        (0x15, _) if metadata() => Codec::Id3,
        (other, _) => Codec::Other(other),
    };
    let language =
        of(LANGUAGE).and_then(|body| body.first_chunk::<3>()).map(|code| code.map(|c| c.to_ascii_lowercase()));
    let language = language.and_then(|code| String::from_utf8(code.to_vec()).ok());
    let language = language.filter(|code| code != "und" && code.bytes().all(|byte| byte.is_ascii_lowercase()));
    Elementary { pid, codec, language, encrypted: matches!(kind, 0xdb | 0xcf | 0xc1 | 0xc2) }
}

/// Iterates over descriptors (section 2.6) as tag and body.
struct Descriptors<'a>(&'a [u8]);

impl<'a> Iterator for Descriptors<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([tag, length], rest) = self.0.split_first_chunk()?;
        let (body, rest) = rest.split_at_checked(usize::from(*length))?;
        self.0 = rest;
        Some((*tag, body))
    }
}

#[cfg(test)]
#[path = "tables_test.rs"]
mod tests;
