use super::super::super::event::{Event, Packet};
use super::*;

const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x0d, 0xac, 0xd9, 0x41, 0x41, 0x9f, 0x9f, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00,
    0x03, 0x03, 0x20, 0xf1, 0x42, 0x99, 0x60,
];
const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x21];
const INTER: &[u8] = &[0x41, 0x9a, 0x24, 0x6c];
const DELIMITER: &[u8] = &[9, 0xf0];

fn packets(out: &mut Out) -> Vec<Packet> {
    std::iter::from_fn(|| out.next())
        .filter_map(|event| match event {
            Event::Packet(packet) => Some(packet),
            _ => None,
        })
        .collect()
}

/// Joins NAL units with alternating start codes of three or four bytes, and zeros after NAL units.
fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
    let codes: [&[u8]; 3] = [&[0, 0, 0, 1], &[0, 0, 1], &[0, 0, 0, 0, 0, 1]];
    nals.iter().enumerate().flat_map(|(n, nal)| [codes[n % 3], nal].concat()).collect()
}

fn lengths(nals: &[&[u8]]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat()).collect()
}

fn explained(pictures: &Pictures, out: &mut Out) {
    let (units, bytes) = pictures.open();
    out.track(TrackKind::Video).open.units = units;
    out.track(TrackKind::Video).open.bytes = bytes;
    assert_eq!(out.track(TrackKind::Video).unexplained(), (0, 0), "{:?}", out.track(TrackKind::Video));
}

#[test]
fn start_codes_become_lengths_in_pieces_of_any_size() {
    let units: [&[&[u8]]; 3] = [&[DELIMITER, SPS, PPS, IDR], &[INTER], &[DELIMITER, INTER, &[0x41, 0x1a, 7]]];
    let bytes = annex_b(&units.concat());
    for size in 1..bytes.len() {
        let (mut pictures, mut out) = (Pictures::h264(), Out::default());
        pictures.begin(Some(Times { pts: 3600, dts: 0 }));
        for piece in bytes.chunks(size) {
            out.track(TrackKind::Video).taken.bytes += piece.len() as u64;
            pictures.bytes(piece, &mut out);
            explained(&pictures, &mut out);
        }
        pictures.flush(&mut out);
        explained(&pictures, &mut out);
        let found = packets(&mut out);
        let data: Vec<_> = found.iter().map(|packet| packet.data.clone()).collect();
        assert_eq!(data, units.map(lengths), "pieces of {size}");
        assert_eq!(found.iter().map(|packet| packet.dts).collect::<Vec<_>>(), [0, 3600, 7200]);
        assert_eq!(found.iter().map(|packet| packet.key).collect::<Vec<_>>(), [Key::Sync, Key::No, Key::No]);
    }
}

#[test]
fn what_begins_in_the_middle_is_counted_up_to_the_first_key_frame() {
    let bytes = [&[5, 5, 5][..], &annex_b(&[&[0x41, 0x1a, 7], DELIMITER, INTER, SPS, PPS, IDR, DELIMITER])].concat();
    let (mut pictures, mut out) = (Pictures::h264(), Out::default());
    pictures.begin(Some(Times { pts: 0, dts: 0 }));
    out.track(TrackKind::Video).taken.bytes += bytes.len() as u64;
    pictures.bytes(&bytes, &mut out);
    explained(&pictures, &mut out);
    let found = packets(&mut out);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].data, lengths(&[SPS, PPS, IDR]));
    let witness = &out.witness.video;
    assert_eq!(witness.unused(Reason::Truncated), super::super::super::Count { units: 0, bytes: 6 });
    assert_eq!(witness.unused(Reason::BeforeKey), super::super::super::Count { units: 1, bytes: 6 });
}

#[test]
fn a_picture_that_is_too_large_is_counted_and_the_next_one_comes() {
    let (mut pictures, mut out) = (Pictures::h264(), Out::default());
    pictures.begin(Some(Times { pts: 0, dts: 0 }));
    let mut feed = |bytes: &[u8]| {
        out.track(TrackKind::Video).taken.bytes += bytes.len() as u64;
        pictures.bytes(bytes, &mut out);
        assert!(pictures.unit.len() <= DEMUX_UNIT_BYTES_MAX + bytes.len());
    };
    feed(&annex_b(&[SPS, PPS, IDR]));
    (0..DEMUX_UNIT_BYTES_MAX / 1000 + 5).for_each(|_| feed(&[0x55; 1000]));
    feed(&annex_b(&[&[0x41, 0x1a, 7], DELIMITER, SPS, PPS, IDR, DELIMITER]));
    explained(&pictures, &mut out);
    assert_eq!(out.witness.video.unused(Reason::TooLarge).units, 1);
    assert_eq!(out.witness.video.unused(Reason::NoTime).units, 1, "its PES packet's time was the other's");
}
