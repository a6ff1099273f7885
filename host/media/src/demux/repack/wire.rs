//! Sections, PES packets and transport packets as bytes.

use super::super::TrackKind;
use super::Random;

pub fn with_pid(mut packet: Vec<u8>, pid: u16, counters: &mut std::collections::BTreeMap<u16, u8>) -> Vec<u8> {
    let counter = counters.entry(pid).or_insert(0);
    packet[1] |= (pid >> 8) as u8;
    packet[2] = pid as u8;
    packet[3] |= *counter;
    *counter = (*counter + 1) & 0xf;
    packet
}

pub fn section(id: u8, extension: u16, version: u8, body: &[u8]) -> Vec<u8> {
    let [e0, e1] = extension.to_be_bytes();
    section_bytes(id, &[&[e0, e1, version, 0, 0][..], body].concat())
}

pub fn section_bytes(id: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len() + 4;
    let mut section = [&[id, 0xb0 | (length >> 8) as u8, length as u8][..], body].concat();
    let crc = section.iter().fold(u32::MAX, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte) << 24, |crc, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 })
    });
    section.extend(crc.to_be_bytes());
    section
}

pub fn pes(kind: TrackKind, times: Option<(i64, i64)>, payload: &[u8], length: bool) -> Vec<u8> {
    match kind {
        TrackKind::Video => pes_of(0xe0, times, payload, length),
        TrackKind::Audio => pes_of(0xc0, times, payload, true),
    }
}

pub fn pes_of(id: u8, times: Option<(i64, i64)>, payload: &[u8], length: bool) -> Vec<u8> {
    let stamp = |mark: u8, time: i64| {
        let time = time & ((1 << 33) - 1);
        let byte = |shift: i64| (time >> shift) as u8;
        [mark << 4 | byte(29) & 14 | 1, byte(22), byte(14) | 1, byte(7), byte(0) << 1 | 1]
    };
    let fields = match times {
        None => vec![0x80, 0, 0],
        Some((pts, dts)) if pts == dts => [&[0x80, 0x80, 5][..], &stamp(2, pts)].concat(),
        Some((pts, dts)) => [&[0x80, 0xc0, 10][..], &stamp(3, pts), &stamp(1, dts)].concat(),
    };
    let told = if length { u16::try_from(fields.len() + payload.len()).unwrap_or(0) } else { 0 };
    [&[0, 0, 1, id][..], &told.to_be_bytes(), &fields, payload].concat()
}

/// A PES packet with all fields that its header may have (ISO/IEC 13818-1 section 2.4.3.6), and so many bytes of stuffing.
pub fn full(pes: &[u8], stuffing: usize) -> Vec<u8> {
    let mut more = vec![0x04, 0, 4, 0, 4, 1];
    // ES_rate, additional_copy_info, previous_PES_packet_CRC, and an extension with a sequence counter.
    more.extend([0x80, 0, 1, 0x81, 0, 0, 0x2e, 0x81, 0x81]);
    more.extend(vec![0xff; stuffing]);
    let (head, payload) = pes.split_at(9 + usize::from(pes[8]));
    let mut pes = [head, &more, payload].concat();
    let length = u16::from_be_bytes([pes[4], pes[5]]);
    if length > 0 {
        // Too long for its length, as pictures may be: then it has none.
        let length = length.checked_add(more.len() as u16).unwrap_or(0);
        pes[4..6].copy_from_slice(&length.to_be_bytes());
    }
    // Aligned, copyrighted, original.
    pes[6] |= 0x0d;
    pes[7] |= 0x37;
    pes[8] += more.len() as u8;
    pes
}

/// A PES packet of padding.
pub fn padding(bytes: usize) -> Vec<u8> {
    [&[0, 0, 1, 0xbe][..], &(bytes as u16).to_be_bytes(), &vec![0xff; bytes]].concat()
}

/// An adaptation field with a clock reference of any value, and other marks.
pub fn reference(random: &mut Random) -> Vec<u8> {
    let flags = [0x10, 0x50, 0x30][random.below(3)];
    let value = (0..6).map(|_| random.below(256) as u8);
    std::iter::once(flags).chain(value).collect()
}

/// A packet of only an adaptation field with a clock reference, after this packet of its PID.
pub fn clock(after: &[u8], random: &mut Random) -> Vec<u8> {
    let field = reference(random);
    let head = [0x47, after[1] & 0x1f, after[2], 0x20 | after[3] & 0xf, 183];
    [&head[..], &field, &vec![0xff; 183 - field.len()]].concat()
}
