//! Reads the PES packets (ISO/IEC 13818-1 section 2.4.3.6) of one PID as the payloads of its transport packets arrive.
//!
//! A PES packet may cross the borders of segments. Its length may be 0 (video only); then it ends where the next one
//! begins.

use super::super::clock::{Clock, Times};
use super::super::witness::Reason;
use crate::pes_time;

/// Length of the longest header in bytes: nine, and at most 255 that header_data_length counts.
const HEADER_BYTES_MAX: usize = 9 + 255;

/// A receiver of the payloads of PES packets.
pub trait Take {
    /// Begins a PES packet with these times, if it has any.
    fn begin(&mut self, times: Option<Times>);
    /// Takes the next payload bytes of the open PES packet.
    fn bytes(&mut self, bytes: &[u8]);
    /// Ends the open PES packet, because it has its full length or is closed.
    fn done(&mut self);
    /// Takes the number of bytes that belong to no usable PES packet, for this reason.
    fn unusable(&mut self, reason: Reason, bytes: usize);
    /// Takes the number of bytes of padding (stream_id 0xbe).
    fn padding(&mut self, bytes: usize);
}

/// The part of a PES packet in which the last payload ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside of any PES packet whose start is known and whose content can be used.
    Outside(Reason),
    Header,
    /// In the content: the number of bytes left, or `None` if the packet has no length.
    Body(Option<usize>),
    /// After the last byte that the packet's length allows.
    Past,
    Padding,
}

/// The open PES packet of one PID. Between calls it holds an incomplete header of at most [`HEADER_BYTES_MAX`] bytes,
/// and no content.
#[derive(Debug, Clone)]
pub struct Pes {
    state: State,
    header: Vec<u8>,
}

impl Default for Pes {
    fn default() -> Self {
        Self { state: State::Outside(Reason::Truncated), header: Vec::new() }
    }
}

impl Pes {
    /// Takes the payload of a transport packet; `start` says whether a PES packet begins with it.
    pub fn feed(&mut self, start: bool, mut payload: &[u8], clock: &mut Clock, take: &mut impl Take) {
        if start {
            self.close(take);
            self.state = State::Header;
        }
        if self.state == State::Header {
            let before = self.header.len();
            self.header.extend_from_slice(payload.get(..payload.len().min(HEADER_BYTES_MAX)).unwrap_or_default());
            match parse(&self.header) {
                Parsed::More => return,
                Parsed::Not(reason) => {
                    take.unusable(reason, self.header.len() + payload.len().saturating_sub(self.header.len() - before));
                    self.header.clear();
                    self.state = State::Outside(reason);
                    return;
                }
                Parsed::Padding => (self.state, payload) = (State::Padding, &[]),
                Parsed::Header { bytes, left, stamps } => {
                    payload = payload.get(bytes.saturating_sub(before)..).unwrap_or_default();
                    self.state = State::Body(left);
                    take.begin(stamps.map(|(pts, dts)| clock.times(pts, dts)));
                }
            }
            self.header.clear();
        }
        self.body(payload, take);
    }

    fn body(&mut self, payload: &[u8], take: &mut impl Take) {
        match self.state {
            State::Outside(reason) => take.unusable(reason, payload.len()),
            State::Padding => take.padding(payload.len()),
            State::Body(None) => take.bytes(payload),
            State::Body(Some(left)) => {
                let (now, past) = payload.split_at(payload.len().min(left));
                take.bytes(now);
                self.state = State::Body(Some(left - now.len()));
                if now.len() == left {
                    self.state = State::Past;
                    take.done();
                }
                if !past.is_empty() {
                    take.unusable(Reason::Corrupt, past.len());
                }
            }
            State::Past => take.unusable(Reason::Corrupt, payload.len()),
            State::Header => {}
        }
    }

    /// Makes all bytes up to the next PES packet unusable, because bytes are missing.
    pub fn hole(&mut self, reason: Reason, take: &mut impl Take) {
        take.unusable(reason, self.header.len());
        self.header.clear();
        self.state = State::Outside(reason);
    }

    /// Ends the PES packet regardless of its length. Returns false if its length requires more bytes.
    pub fn close(&mut self, take: &mut impl Take) -> bool {
        take.unusable(Reason::Truncated, self.header.len());
        self.header.clear();
        let state = std::mem::replace(&mut self.state, State::Outside(Reason::AfterEnd));
        if matches!(state, State::Body(_)) {
            take.done();
        }
        !matches!(state, State::Header | State::Body(Some(_)))
    }

    /// Returns whether all bytes of the packet's length have arrived.
    pub fn is_past(&self) -> bool {
        self.state == State::Past
    }

    /// Returns whether a PES packet without a length is open.
    pub fn is_endless(&self) -> bool {
        self.state == State::Body(None)
    }

    /// Returns whether the next bytes continue a PES packet that was closed.
    pub fn is_after_end(&self) -> bool {
        self.state == State::Outside(Reason::AfterEnd)
    }
}

/// The result of reading the start of a PES packet.
enum Parsed {
    More,
    Not(Reason),
    Padding,
    Header { bytes: usize, left: Option<usize>, stamps: Option<(u64, Option<u64>)> },
}

fn parse(bytes: &[u8]) -> Parsed {
    const PADDING: u8 = 0xbe;
    if !bytes.starts_with(&[0, 0, 1]) && bytes.len() >= 3 {
        return Parsed::Not(Reason::Corrupt);
    }
    let &[_, _, _, id, high, low, ref rest @ ..] = bytes else { return Parsed::More };
    let length = usize::from(high) << 8 | usize::from(low);
    match id {
        PADDING => return Parsed::Padding,
        // Without the optional header (table 2-22).
        0xbc | 0xbf | 0xf0 | 0xf1 | 0xf2 | 0xf8 | 0xff => {
            return Parsed::Header { bytes: 6, left: Some(length).filter(|length| *length > 0), stamps: None };
        }
        _ => {}
    }
    let &[marks, flags, more, ref fields @ ..] = rest else { return Parsed::More };
    let more = usize::from(more);
    if marks >> 6 != 2 || length > 0 && length < 3 + more {
        return Parsed::Not(Reason::Corrupt);
    }
    if marks >> 4 & 3 != 0 {
        return Parsed::Not(Reason::Scrambled);
    }
    let Some(fields) = fields.get(..more) else { return Parsed::More };
    let stamps = match flags >> 6 {
        2 => stamp(fields).map(|pts| (pts, None)),
        3 => stamp(fields).map(|pts| (pts, fields.get(5..).and_then(stamp))),
        _ => None,
    };
    Parsed::Header { bytes: 9 + more, left: (length > 0).then(|| length - 3 - more), stamps }
}

/// Reads a timestamp of 33 bits, in ticks of 90 kHz, from five bytes. `None` if its marker bits are not set.
pub fn stamp(bytes: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e, ..] = bytes else { return None };
    (a & c & e & 1 == 1).then(|| pes_time::ticks([a, b, c, d, e]))
}

#[cfg(test)]
#[path = "pes_test.rs"]
mod tests;
