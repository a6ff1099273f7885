//! Sections, PES packets and transport packets as bytes.

use super::super::TrackKind;

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
    let mut section = [&[id, 0xb0, (body.len() + 4) as u8][..], body].concat();
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
