use super::super::super::event::{Event, Packet};
use super::*;

/// Makes an AAC frame whose payload is `payload` bytes of the value `byte`, with or without a checksum.
fn frame(payload: usize, byte: u8, checksum: bool) -> Vec<u8> {
    let header = if checksum { 9 } else { 7 };
    let length = header + payload;
    let low = |shift: usize| (length >> shift) as u8;
    let mut frame =
        vec![0xff, if checksum { 0xf0 } else { 0xf1 }, 0x4c, 0x80 | low(11), low(3), low(0) << 5 | 0x1f, 0xfc];
    frame.resize(header, 0xcc);
    frame.resize(length, byte);
    frame
}

fn times(ticks: i64) -> Option<Times> {
    Some(Times { pts: ticks, dts: ticks })
}

fn packets(out: &mut Out) -> Vec<Packet> {
    std::iter::from_fn(|| out.next())
        .filter_map(|event| match event {
            Event::Packet(packet) => Some(packet),
            _ => None,
        })
        .collect()
}

/// Feeds bytes in pieces and counts them in.
fn feed(frames: &mut Frames, bytes: &[u8], size: usize, out: &mut Out) {
    out.track(TrackKind::Audio).taken.bytes += bytes.len() as u64;
    bytes.chunks(size).for_each(|piece| frames.bytes(piece, out));
}

fn explained(frames: &Frames, out: &mut Out) {
    let (units, bytes) = frames.open();
    out.track(TrackKind::Audio).open.units = units;
    out.track(TrackKind::Audio).open.bytes = bytes;
    assert_eq!(out.track(TrackKind::Audio).unexplained(), (0, 0), "{:?}", out.track(TrackKind::Audio));
}

#[test]
fn frames_are_cut_out_of_pieces_of_any_size() {
    let bytes = [frame(100, 1, false), frame(300, 2, true), frame(1, 3, true), frame(1000, 4, false)].concat();
    for size in 1..40 {
        let (mut frames, mut out) = (Frames::new(Codec::Aac), Out::default());
        frames.begin(times(9000));
        feed(&mut frames, &bytes, size, &mut out);
        explained(&frames, &mut out);
        let found = packets(&mut out);
        let facts: Vec<_> = found.iter().map(|packet| (packet.data.len(), packet.data[0], packet.dts)).collect();
        assert_eq!(facts, [(100, 1, 9000), (300, 2, 10_920), (1, 3, 12_840), (1000, 4, 14_760)], "pieces of {size}");
        assert_eq!(out.witness.audio.framing, 7 + 9 + 9 + 7);
    }
}

#[test]
fn what_looks_like_a_frame_must_be_followed_by_another() {
    let (mut frames, mut out) = (Frames::new(Codec::Aac), Out::default());
    frames.begin(times(0));
    // The middle of a frame, with a header's likeness in it, then two frames.
    let likeness = frame(200, 9, false);
    let bytes = [&[1, 2, 3][..], &likeness[..50], &frame(100, 1, false), &frame(100, 2, false)].concat();
    feed(&mut frames, &bytes, 11, &mut out);
    assert_eq!(packets(&mut out).len(), 0, "the likeness runs into the second frame");
    feed(&mut frames, &frame(100, 3, false), 11, &mut out);
    feed(&mut frames, &frame(100, 4, false), 11, &mut out);
    explained(&frames, &mut out);
    frames.hole(Reason::Truncated, &mut out);
    explained(&frames, &mut out);
    let witness = &out.witness.audio;
    assert!(witness.unused(Reason::Truncated).bytes > 0);
    assert!(packets(&mut out).iter().all(|packet| packet.data.len() == 100));
}

#[test]
fn the_rate_of_1024_samples_never_drifts() {
    assert_eq!(ticks(1024 * 44_100, 44_100), 1024 * 90_000);
    assert_eq!([ticks(1024, 44_100), ticks(2048, 44_100), ticks(1, 0)], [2090, 4180, 90_000]);
}

#[test]
fn short_frames_behind_a_header_that_was_none_are_found() {
    // An extension that is longer than a header may be, and in it packets of a few bytes.
    let packet = [0x7f, 0xe0, 2, 0xfc, 7];
    let bytes = [&[0x7f, 0xe4, 1, 0xff][..], &packet.repeat(20)].concat();
    for size in [1, 9, 200] {
        let (mut frames, mut out) = (Frames::new(Codec::Opus), Out::default());
        frames.begin(times(0));
        feed(&mut frames, &bytes, size, &mut out);
        explained(&frames, &mut out);
        let found = packets(&mut out);
        assert_eq!((found.len(), out.witness.audio.unused(Reason::Truncated).bytes), (20, 4), "pieces of {size}");
        assert!(found.iter().all(|packet| packet.data == [0xfc, 7]));
    }
}
