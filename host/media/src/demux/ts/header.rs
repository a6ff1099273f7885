//! The header of a transport packet (ISO/IEC 13818-1 sections 2.4.3.2 to 2.4.3.5).

use super::sync::PACKET;

/// PID of null packets.
pub const PID_NULL: u16 = 0x1fff;

/// The fields of a packet's header and adaptation field, and its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// PID of the stream to which the packet belongs, 13 bits.
    pub pid: u16,
    /// payload_unit_start_indicator: a PES packet or a section begins in it.
    pub start: bool,
    /// transport_scrambling_control is not 0.
    pub scrambled: bool,
    /// continuity_counter, 4 bits: rises with each packet of the PID that has a payload.
    pub counter: u8,
    /// discontinuity_indicator: the counter may jump here.
    pub discontinuity: bool,
    /// Whether stuffing shortens the payload, as at the end of a PES packet.
    pub stuffed: bool,
    /// The payload; `None` if the packet has only an adaptation field.
    pub payload: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// Reads the header of a packet. `None` if transport_error_indicator is set, or if lengths contradict each other.
    pub fn parse(packet: &'a [u8; PACKET]) -> Option<Self> {
        let [_, second, third, fourth, rest @ ..] = packet;
        if second & 0x80 != 0 {
            return None;
        }
        let (mut discontinuity, mut stuffed) = (false, false);
        let payload = match fourth >> 4 & 3 {
            1 => Some(&rest[..]),
            control @ (2 | 3) => {
                let (length, rest) = rest.split_first()?;
                let (field, payload) = rest.split_at_checked(usize::from(*length))?;
                discontinuity = field.first().is_some_and(|flags| flags & 0x80 != 0);
                stuffed = field.len() > used(field)?;
                match control {
                    2 => None,
                    // At least one byte of payload (table 2-6).
                    _ if payload.is_empty() => return None,
                    _ => Some(payload),
                }
            }
            _ => return None,
        };
        Some(Self {
            pid: u16::from(second & 0x1f) << 8 | u16::from(*third),
            start: second & 0x40 != 0,
            scrambled: fourth >> 6 != 0,
            counter: fourth & 0xf,
            discontinuity,
            stuffed: payload.is_some() && (stuffed || packet.get(4) == Some(&0) && fourth >> 4 & 3 == 3),
            payload,
        })
    }
}

/// Returns how many bytes of an adaptation field are not stuffing; `None` if its fields exceed it.
fn used(field: &[u8]) -> Option<usize> {
    let Some(flags) = field.first() else { return Some(0) };
    let mut used = 1;
    for (flag, bytes) in [(0x10, 6), (0x08, 6), (0x04, 1)] {
        if flags & flag != 0 {
            used += bytes;
        }
    }
    // transport_private_data, adaptation_field_extension: their length first.
    for flag in [0x02, 0x01] {
        if flags & flag != 0 {
            used += 1 + usize::from(*field.get(used)?);
        }
    }
    (used <= field.len()).then_some(used)
}

/// What a continuity counter shows about a packet and the previous one of its PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The packet is the first one, or follows the previous one.
    Next,
    /// The packet repeats the previous one and is to be dropped.
    Repeated,
    /// Packets are missing before this one: this number, or this number plus a multiple of 16.
    Lost(u8),
}

/// The state of the continuity counter of one PID (section 2.4.3.3).
#[derive(Debug, Clone, Default)]
pub struct Continuity {
    last: Option<u8>,
    /// The previous packet with a payload, which may be repeated once.
    before: Option<Box<[u8; PACKET]>>,
    repeated: bool,
}

impl Continuity {
    /// Compares the next packet of the PID with the previous one.
    pub fn step(&mut self, packet: &[u8; PACKET], header: &Header<'_>) -> Step {
        let (last, counter) = (self.last, header.counter);
        if header.payload.is_none() {
            // It does not count, and says nothing about what came before.
            if header.discontinuity {
                self.last = None;
            }
            return Step::Next;
        }
        let step = match last {
            None => Step::Next,
            Some(last) if counter == last && !self.repeated && self.is_repeated(packet) => {
                self.repeated = true;
                return Step::Repeated;
            }
            Some(_) if header.discontinuity => Step::Next,
            Some(last) if counter == last.wrapping_add(1) & 0xf => Step::Next,
            // The same one with another content: fifteen are missing.
            Some(last) => Step::Lost(counter.wrapping_sub(last).wrapping_sub(1) & 0xf),
        };
        self.last = Some(counter);
        self.repeated = false;
        match &mut self.before {
            Some(before) => **before = *packet,
            None => self.before = Some(Box::new(*packet)),
        }
        step
    }

    /// Forgets the previous packets; the next one counts as the first.
    pub fn reset(&mut self) {
        (self.last, self.repeated) = (None, false);
    }

    /// Returns whether all bytes equal those of the previous packet, except a PCR, which a repetition has anew.
    fn is_repeated(&self, packet: &[u8; PACKET]) -> bool {
        let Some(before) = &self.before else { return false };
        let pcr = packet[3] & 0x20 != 0 && packet[4] >= 7 && packet[5] & 0x10 != 0;
        let after = if pcr { 12 } else { 4 };
        packet[..4] == before[..4] && (!pcr || packet[4..6] == before[4..6]) && packet[after..] == before[after..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(start: &[u8]) -> [u8; PACKET] {
        let mut packet = [0xaa; PACKET];
        packet[..start.len()].copy_from_slice(start);
        packet
    }

    #[test]
    fn headers_with_and_without_adaptation_fields() {
        let plain = packet(&[0x47, 0x41, 0x00, 0x17]);
        let found = Header::parse(&plain).unwrap();
        assert_eq!((found.pid, found.start, found.counter, found.scrambled), (0x100, true, 7, false));
        assert_eq!((found.payload.unwrap().len(), found.stuffed), (184, false));
        let pcr = packet(&[0x47, 1, 0, 0x30, 7, 0x90]);
        let found = Header::parse(&pcr).unwrap();
        assert_eq!((found.payload.unwrap().len(), found.stuffed, found.discontinuity), (176, false, true));
        for (length, payload) in [(0, 183), (1, 182), (182, 1)] {
            let stuffed = packet(&[0x47, 1, 0, 0xb0, length, 0]);
            let found = Header::parse(&stuffed).unwrap();
            assert_eq!(found.payload.unwrap().len(), payload);
            assert_eq!((found.stuffed, found.scrambled), (length != 1, true), "{length}");
        }
        assert_eq!(Header::parse(&packet(&[0x47, 1, 0, 0x20, 183, 0])).unwrap().payload, None);
    }

    #[test]
    fn headers_that_contradict_themselves_are_refused() {
        for start in [
            &[0x47, 0x81, 0, 0x10][..],
            &[0x47, 1, 0, 0x00],
            &[0x47, 1, 0, 0x30, 184, 0],
            &[0x47, 1, 0, 0x30, 183, 0],
            &[0x47, 1, 0, 0x30, 1, 0x10],
            &[0x47, 1, 0, 0x30, 2, 0x02, 9],
        ] {
            assert_eq!(Header::parse(&packet(start)), None, "{start:x?}");
        }
    }

    #[test]
    fn counters_tell_repetitions_from_losses() {
        let mut known = Continuity::default();
        let mut step = |start: &[u8]| {
            let packet = packet(start);
            known.step(&packet, &Header::parse(&packet).unwrap())
        };
        assert_eq!(step(&[0x47, 1, 0, 0x1e, 1]), Step::Next);
        assert_eq!(step(&[0x47, 1, 0, 0x1f, 2]), Step::Next);
        assert_eq!(step(&[0x47, 1, 0, 0x1f, 2]), Step::Repeated);
        assert_eq!(step(&[0x47, 1, 0, 0x1f, 2]), Step::Lost(15), "once only");
        assert_eq!(step(&[0x47, 1, 0, 0x10, 3]), Step::Next);
        assert_eq!(step(&[0x47, 1, 0, 0x2b, 183, 0]), Step::Next, "no payload, no count");
        assert_eq!(step(&[0x47, 1, 0, 0x14, 3]), Step::Lost(3));
        assert_eq!(step(&[0x47, 1, 0, 0x39, 1, 0x80]), Step::Next, "a jump that is told");
        assert_eq!(step(&[0x47, 1, 0, 0x3a, 7, 0x10, 1, 1, 1, 1, 1, 1]), Step::Next);
        assert_eq!(step(&[0x47, 1, 0, 0x3a, 7, 0x10, 2, 2, 2, 2, 2, 2]), Step::Repeated, "another PCR");
    }
}
