//! What streams that were made to be expensive make a demuxer hold, hand out and do: never more than the limits, and never
//! much more than they are long.

use super::super::*;
use super::clip;
use super::handmade::{Fragment, boxed, init, mp4a};
use super::repack::{Pack, Random, units};
use crate::limits::{DEMUX_BOX_BYTES_MAX, DEMUX_CONFIG_BYTES_MAX, DEMUX_SAMPLES_MAX, DEMUX_UNIT_BYTES_MAX};

/// Bytes that are fed at once, as by the pipeline.
const PIECE: usize = 256 << 10;
/// A unit of each track, and a box.
const HELD: u64 = (2 * DEMUX_UNIT_BYTES_MAX + DEMUX_BOX_BYTES_MAX) as u64;
/// Most bytes handed out for one that was taken in, where configurations change all the time: one of the largest for each
/// picture of the smallest.
const FOR_ONE: usize = DEMUX_CONFIG_BYTES_MAX / 32;

fn bytes_of(event: &Event) -> usize {
    let content = match event {
        Event::Packet(packet) => packet.data.len(),
        Event::Config(Config::Video(video)) => video.record.len(),
        Event::Config(Config::Audio(audio)) => audio.record.len(),
        Event::Data(data) => data.data.len(),
        Event::Streams(streams) => streams.streams.len() * size_of::<Stream>() + streams.programs.len() * 2,
        Event::Notice(_) => 0,
    };
    content + size_of::<Event>()
}

/// Feeds all, and checks the bounds after each piece. Returns the final counts.
fn bounded(mut demuxer: Demuxer, pieces: impl Iterator<Item = Vec<u8>>, what: &str) -> Witness {
    let mut fed = 0;
    for piece in pieces {
        let mut handed = 0;
        for now in piece.chunks(PIECE) {
            demuxer.feed(now);
            fed += now.len() as u64;
            handed += std::iter::from_fn(|| demuxer.next_event()).map(|event| bytes_of(&event)).sum::<usize>();
        }
        let witness = demuxer.witness();
        assert!(witness.is_balanced(), "{what}: {witness:?}");
        let held = witness.container.held + witness.video.open.bytes + witness.audio.open.bytes;
        assert!(held <= HELD + PIECE as u64, "{what}: {held} bytes are held of {fed}");
        // What was held may come out.
        let most = HELD as usize + piece.len() * FOR_ONE;
        assert!(handed <= most, "{what}: {handed} bytes of {} bytes", piece.len());
        let announced = witness.video.taken.units + witness.audio.taken.units;
        assert!(announced <= fed + DEMUX_SAMPLES_MAX as u64, "{what}: {announced} units of {fed} bytes");
    }
    demuxer.end();
    while demuxer.next_event().is_some() {}
    let witness = demuxer.witness();
    assert!(witness.is_balanced() && witness.container.held == 0, "{what}: {witness:?}");
    witness
}

fn mp4() -> Demuxer {
    Demuxer::Mp4(Box::new(Mp4::new(Choice::default())))
}

fn ts() -> Demuxer {
    Demuxer::Ts(Box::new(Ts::new(Choice::default())))
}

fn avc1(record: &[u8]) -> Vec<u8> {
    boxed(b"avc1", &[&[0; 78], &boxed(b"avcC", &[record])])
}

/// A hundred bytes that announce as many samples as one box may, again and again, and none of them.
#[test]
fn samples_that_never_come_are_not_announced_without_end() {
    let frames = init(48_000, &[&mp4a(48_000, 2, Some(&[0x11, 0x90]))]);
    let moof = |count: u32| {
        let run = [[0_u32, count].map(u32::to_be_bytes).concat()].concat();
        let head = [0x02_0010_u32, 1, 1].map(u32::to_be_bytes).concat();
        boxed(b"moof", &[&boxed(b"traf", &[&boxed(b"tfhd", &[&head]), &boxed(b"trun", &[&run])])])
    };
    let most = DEMUX_SAMPLES_MAX as u32;
    for count in [most, most / 10, 1000, 100] {
        let pieces = std::iter::once(frames.clone()).chain((0..8).map(|_| moof(count).repeat(2000)));
        let witness = bounded(mp4(), pieces, &format!("{count} samples each"));
        assert!(witness.audio.taken.units >= u64::from(most / 10 * 9), "{witness:?}");
    }
    // As many samples as bytes are no harm.
    let good = Fragment { dts: 0, duration: 1024, samples: vec![vec![0x21]; 5000], ..Fragment::default() }.bytes();
    let witness = bounded(mp4(), std::iter::once(frames).chain((0..40).map(|_| good.clone())), "short frames");
    assert_eq!((witness.audio.packets.units, witness.audio.unused_in_all()), (200_000, Count::default()));
}

/// Two sample entries with large records that change with each sample.
#[test]
fn records_that_change_with_each_sample_are_small() {
    for bytes in [DEMUX_CONFIG_BYTES_MAX, DEMUX_CONFIG_BYTES_MAX + 1, 1 << 20] {
        let record = |mark: u8| [&[1, 0x64, 0, 13, 0xff, 0xe0, 0, mark][..], &vec![mark; bytes - 8]].concat();
        let head = init(90_000, &[&avc1(&record(1)), &avc1(&record(2))]);
        let picture = vec![vec![0, 0, 0, 2, 0x65, 0x88]];
        let fragment = |n: u32| {
            Fragment { dts: n * 3600, duration: 3600, entry: Some(1 + n % 2), samples: picture.clone() }.bytes()
        };
        let pieces =
            std::iter::once(head).chain((0..4).map(|k| (0..1000).flat_map(|n| fragment(k * 1000 + n)).collect()));
        let witness = bounded(mp4(), pieces, &format!("records of {bytes} bytes"));
        let taken = if bytes > DEMUX_CONFIG_BYTES_MAX { 0 } else { 4000 };
        assert_eq!(witness.video.packets.units, taken);
    }
}

/// Parameter sets as large and as many as they may be, of which one changes with each picture.
#[test]
fn parameter_sets_that_change_with_each_picture_are_small() {
    // seq_parameter_set_id in Exp-Golomb codes, after a profile that has no further fields.
    let ue = |n: u32| {
        let length = 32 - (n + 1).leading_zeros();
        format!("{:0width$b}", n + 1, width = (2 * length - 1) as usize)
    };
    let bits = |text: &str| -> Vec<u8> {
        let bits: Vec<u8> = text.bytes().map(|bit| bit - b'0').chain([1]).collect();
        bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (n, bit)| sum | bit << (7 - n))).collect()
    };
    let set = |head: &[u8], text: &str, fill: usize| [&[0, 0, 0, 1][..], head, &bits(text), &vec![0x5a; fill]].concat();
    let sps = |id: u32, fill: usize, mark: u8| set(&[0x67, 66, 0, 13 + mark % 40], &ue(id), fill);
    let pps = |id: u32, of: u32, fill: usize| set(&[0x68], &format!("{}{}", ue(id), ue(of)), fill);
    let large: Vec<u8> =
        (0..32).flat_map(|id| sps(id, 4000, 0)).chain((1..64).flat_map(|id| pps(id, 1, 4000))).collect();
    let picture = [0, 0, 0, 1, 0x65, 0x88, 0x84, 0x21];
    let mut units = Vec::new();
    for n in 0..3000_i64 {
        let first = if n == 0 { large.clone() } else { Vec::new() };
        let changed = [sps(0, 0, n as u8), pps(0, 0, 0)].concat();
        let bytes = [&[0, 0, 0, 1, 9, 0xf0][..], &first, &changed, &picture].concat();
        units.push(super::repack::Unit { kind: TrackKind::Video, pts: n * 3600, dts: n * 3600, bytes });
    }
    let frame = [&[0xff, 0xf1, 0x4c, 0x80, 1, 0x1f, 0xfc][..], &[0x21]].concat();
    units.push(super::repack::Unit { kind: TrackKind::Audio, pts: 0, dts: 0, bytes: frame });
    let stream = Pack { video_pes: Some(60_000), ..Pack::default() }.segments(&units).concat();
    let witness = bounded(ts(), stream.chunks(PIECE).map(<[u8]>::to_vec), "parameter sets");
    assert!(witness.video.packets.units > 2900, "{:?}", witness.video);
}

/// Streams whose last unit, table or box has no end, of bytes of any kind.
#[test]
fn what_has_no_end_is_not_held_without_end() {
    let good = Pack { company: true, ..Pack::default() }
        .segments(&units(&clip::Clip { mux: "-pes_payload_size 0", ..clip::Clip::default() }.make()));
    let mut random = Random(31);
    for (pid, what) in [(0x100, "video"), (0x101, "audio"), (0x201, "data"), (0x200, "sections"), (0x1000, "table")] {
        // A picture may have more bytes than all else.
        let (fills, count) = if pid == 0x100 { (&[0xff, 0x5a][..], 5) } else { (&[0x00, 0xff, 0x47, 0x5a][..], 1) };
        for &fill in fills {
            let mut counter = random.below(16) as u8;
            let endless = |counter: &mut u8| {
                let packet = |counter: &mut u8| {
                    *counter = (*counter + 1) & 15;
                    [&[0x47, (pid >> 8) as u8, pid as u8, 0x10 | *counter][..], &[fill; 184]].concat()
                };
                (0..20_000).flat_map(|_| packet(counter)).collect::<Vec<u8>>()
            };
            let pieces = std::iter::once(good[0].clone()).chain((0..count).map(|_| endless(&mut counter)));
            bounded(ts(), pieces, &format!("{what} of {fill:#x}"));
        }
    }
    for name in [b"moov", b"moof", b"mdat", b"free"] {
        for size in [0_u32, u32::MAX, DEMUX_BOX_BYTES_MAX as u32] {
            let head = [&size.to_be_bytes()[..], name].concat();
            let pieces = std::iter::once(head).chain((0..6).map(|_| vec![0x5a; 4 << 20]));
            bounded(mp4(), pieces, &format!("{size} bytes of {name:?}"));
        }
    }
    let packed = || Demuxer::Packed(Box::default());
    for head in
        [&b"ID3\x04\0\x10\x7f\x7f\x7f\x7f"[..], b"ID3", &[0xff, 0xf1, 0x4c, 0x80, 0xff, 0xff, 0xfc], &[0x0b, 0x77]]
    {
        let pieces = std::iter::once(head.to_vec()).chain((0..4).map(|n| vec![[0, 0xff, 0x49, 0x0b][n]; 1 << 20]));
        bounded(packed(), pieces, &format!("after {head:x?}"));
    }
}
