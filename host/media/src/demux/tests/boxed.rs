//! One good stream in fragmented MP4 of many forms: the same packets come out.

use super::super::*;
use super::boxes::{Base, Boxes, Mdat, Place, Time};
use super::clip;
use super::repack::Random;
use super::run::{self, Run, Step, assert_equal};

/// Feeds an initialization section and segments in pieces of random size.
fn feed(init: &[u8], segments: &[Vec<u8>], random: &mut Random) -> Run {
    let mut steps = vec![Step::Feed(init), Step::SegmentEnd];
    for segment in segments {
        let mut rest = &segment[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((1 + random.below(9000)).min(rest.len()));
            steps.push(Step::Feed(piece));
            rest = later;
        }
        steps.push(Step::SegmentEnd);
    }
    run::drive(Mp4::new(Choice::default()), &steps)
}

/// Four seconds with B-frames, whose pictures are short enough for lengths of two bytes.
fn material() -> (Run, Vec<Config>, [Vec<Packet>; 2]) {
    let run = run::whole(clip::plain());
    let configs = run.configs.iter().map(|(_, config)| config.clone()).collect();
    let tracks = [TrackKind::Video, TrackKind::Audio].map(|kind| run.of(kind).into_iter().cloned().collect());
    (run, configs, tracks)
}

fn layouts() -> Vec<Boxes> {
    let default = Boxes::default;
    let mut all = vec![
        default(),
        Boxes { fragment: Some(1), size: Place::Tfhd, ..default() },
        Boxes { fragment: Some(7), company: true, ..default() },
        Boxes { fragment: Some(10), run: Some(3), alternate: true, ..default() },
        Boxes { run: Some(5), duration: Place::Tfhd, flags: Place::Tfhd, ..default() },
        Boxes { run: Some(5), duration: Place::Trex, flags: Place::Trex, ..default() },
        Boxes { version: 1, late: 7200, ..default() },
        Boxes { version: 0, late: 7200, ..default() },
        Boxes { base: Base::File, alternate: true, run: Some(4), ..default() },
        Boxes { base: Base::Before, ..default() },
        Boxes { base: Base::Before, alternate: true, run: Some(4), gaps: true, ..default() },
        Boxes { time: Time::Bits32, fragment: Some(6), ..default() },
        Boxes { time: Time::Once, fragment: Some(6), duration: Place::Tfhd, ..default() },
        Boxes { edit: Some((200_000, 500)), ..default() },
        Boxes { edit: Some((200_000, 0)), long: true, scales: [2, 3], ..default() },
        Boxes { edit: Some((1 << 40, 250)), long: true, fragment: Some(9), ..default() },
        Boxes { mdat: Mdat::Bits64, fragment: Some(11), ..default() },
        Boxes { mdat: Mdat::ToTheEnd, fragment: Some(11), company: true, ..default() },
        Boxes { gaps: true, run: Some(2), ..default() },
        Boxes { lengths: 2, ..default() },
        Boxes { lengths: 3, company: true, ..default() },
    ];
    let mut random = Random(4242);
    for seed in 2..40 {
        let place = |random: &mut Random| [Place::Trun, Place::Tfhd, Place::Trex][random.below(3)];
        all.push(Boxes {
            seed,
            fragment: [None, Some(1), Some(1 + random.below(30))][random.below(3)],
            run: [None, Some(1 + random.below(9))][random.below(2)],
            alternate: random.one_in(2),
            duration: place(&mut random),
            size: place(&mut random),
            flags: place(&mut random),
            version: random.below(2) as u32,
            late: [0, 3600, 7200][random.below(3)],
            base: [Base::Moof, Base::File, Base::Before][random.below(3)],
            time: [Time::Bits32, Time::Bits64, Time::Once][random.below(3)],
            scales: [1 + random.below(4) as i64, 1 + random.below(4) as i64],
            edit: random.one_in(2).then(|| (100_000 + random.below(100_000) as i64, random.below(1000) as i64)),
            mdat: [Mdat::Bits32, Mdat::Bits64, Mdat::ToTheEnd][random.below(3)],
            company: random.one_in(2),
            gaps: random.one_in(3),
            lengths: [4, 2, 3][random.below(3)],
            long: random.one_in(2),
        });
    }
    all
}

#[test]
fn the_same_packets_in_boxes_of_any_legal_form_come_out_the_same() {
    let (truth, configs, [video, audio]) = material();
    let mut random = Random(99);
    for layout in layouts() {
        let segments = layout.segments(&video, &audio);
        assert_eq!(segments.len(), 4);
        let run = feed(&layout.init(&configs), &segments, &mut random);
        let late = |packet: &Packet| {
            let video = packet.kind == TrackKind::Video;
            Packet { dts: packet.dts + if video { layout.late } else { 0 }, ..packet.clone() }
        };
        let expected = Run { packets: truth.packets.iter().map(late).collect(), ..Run::default() };
        assert_equal(&run, &expected, &format!("{layout:?}"));
        let unused = [&run.witness.video, &run.witness.audio].map(|track| track.unused_in_all());
        assert_eq!((unused, run.notices.len()), ([Count::default(); 2], 0), "{layout:?}");
        let places: Vec<_> = run.configs.iter().map(|(at, _)| *at).collect();
        assert_eq!(places, [0, 0], "{layout:?}: a configuration of each track, before all packets");
    }
}

/// A fragment and all its data are in one segment; its fragments may be in any.
#[test]
fn fragments_in_any_segments_come_out_the_same() {
    let (truth, configs, [video, audio]) = material();
    let mut random = Random(7);
    for seed in 0..12 {
        let (company, fragment) = (seed % 2 == 0, Some(1 + random.below(12)));
        let layout =
            Boxes { seed, fragment, company, base: [Base::Moof, Base::Before][random.below(2)], ..Boxes::default() };
        let stream = layout.segments(&video, &audio).concat();
        let (mut segments, mut rest) = (vec![Vec::new()], &stream[..]);
        while !rest.is_empty() {
            let (this, after) = rest.split_at(u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize);
            let whole = &this[4..8] == b"mdat";
            segments.last_mut().unwrap().extend(this);
            if whole && random.one_in(4) {
                segments.push(Vec::new());
            }
            rest = after;
        }
        let run = feed(&layout.init(&configs), &segments, &mut random);
        assert_equal(&run, &truth, &format!("{layout:?} in {} segments", segments.len()));
    }
}

/// A time of 32 bits ends in mid-stream; decoding goes on.
#[test]
fn a_time_of_32_bits_wraps_in_any_form() {
    let (_, configs, tracks) = material();
    let by = (1_i64 << 32) - 300_000;
    let [video, audio] = tracks.map(|track| {
        let later = |packet: Packet| Packet { dts: packet.dts + by, pts: packet.pts + by, ..packet };
        track.into_iter().map(later).collect::<Vec<_>>()
    });
    assert!(video[0].dts < 1 << 32 && video[99].dts > 1 << 32, "it wraps");
    for fragment in [Some(1), Some(8), None] {
        let layout = Boxes { time: Time::Bits32, fragment, ..Boxes::default() };
        let run = feed(&layout.init(&configs), &layout.segments(&video, &audio), &mut Random(3));
        let expected = Run { packets: [&video[..], &audio].concat(), ..Run::default() };
        assert_equal(&run, &expected, &format!("{layout:?}"));
    }
}
