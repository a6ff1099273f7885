//! Tests with damaged streams: all losses are counted with their reasons.

use super::super::*;
use super::clip::Clip;
use super::repack::{Pack, Random, units};
use super::run::{self, Step};

fn segments(pack: &Pack) -> Vec<Vec<u8>> {
    pack.segments(&units(&Clip { mux: "-pes_payload_size 0", ..Clip::default() }.make()))
}

fn fed(segments: &[Vec<u8>]) -> run::Run {
    let steps: Vec<_> = segments.iter().flat_map(|segment| [Step::Feed(segment), Step::SegmentEnd]).collect();
    run::steps(Choice::default(), &steps)
}

/// A missing transport packet of a media PID costs only the units that it carried, and these are counted.
#[test]
fn a_missing_packet_costs_what_it_was_in() {
    let stream = segments(&Pack::default()).concat();
    let truth = run::whole(&stream);
    let packets: Vec<&[u8]> = stream.chunks(188).collect();
    for (pid, kind) in [(0, TrackKind::Video), (1, TrackKind::Audio)] {
        let of: Vec<usize> =
            (0..packets.len()).filter(|n| (packets[*n][1] & 0x1f, packets[*n][2]) == (1, pid)).collect();
        for missing in [of.len() / 3, of.len() / 2, of.len() - 9] {
            let rest: Vec<_> = (0..packets.len()).filter(|n| *n != of[missing]).map(|n| packets[n]).collect();
            let run = run::whole(&rest.concat());
            let lost = run.witness.track(kind).unused(Reason::Lost);
            let gone = truth.of(kind).len() - run.of(kind).len();
            assert!((1..=2).contains(&gone), "{kind} {missing}: {gone}");
            // A unit whose first bytes are missing cannot be told apart: it counts by its bytes.
            assert!(lost.bytes > 0 && lost.units <= gone as u64, "{kind} {missing}: {lost:?}");
            assert!(run.notices.contains(&Notice::Lost { number: 256 + u32::from(pid), packets: 1 }));
            assert!(run.of(kind).iter().all(|packet| truth.of(kind).contains(packet)));
        }
    }
}

/// A missing segment costs its own units and those that cross its borders. Times continue, also over a wrap.
#[test]
fn a_missing_segment_costs_itself_only() {
    for audio_pes in [None, Some(1400)] {
        let pack = Pack { audio_pes, shift: (1 << 33) - 2 * 90_000, ..Pack::default() };
        let all = segments(&pack);
        let truth = fed(&all);
        let run = run::steps(
            Choice::default(),
            &[
                Step::Feed(&all[0]),
                Step::SegmentEnd,
                Step::Gap,
                Step::Feed(&all[2]),
                Step::SegmentEnd,
                Step::Feed(&all[3]),
            ],
        );
        let pictures: Vec<_> =
            truth.of(TrackKind::Video).into_iter().enumerate().filter(|(n, _)| n / 25 != 1).collect();
        assert_eq!(run.of(TrackKind::Video), pictures.into_iter().map(|(_, packet)| packet).collect::<Vec<_>>());
        assert!(
            run.of(TrackKind::Audio).iter().all(|packet| truth.of(TrackKind::Audio).contains(packet)),
            "{audio_pes:?}"
        );
        assert!(run.of(TrackKind::Audio).len() > 130);
        assert!(!run.notices.iter().any(|notice| matches!(notice, Notice::Lost { .. })));
    }
}

#[test]
fn scrambled_packets_are_counted() {
    let mut stream = segments(&Pack::default()).concat();
    let mut payload = 0;
    for (n, packet) in stream.chunks_mut(188).enumerate() {
        if n > 300 && (packet[1] & 0x1f, packet[2]) == (1, 1) {
            payload += if packet[3] & 0x20 == 0 { 184 } else { 183 - u64::from(packet[4]) };
            packet[3] |= 0x80;
        }
    }
    let run = run::whole(&stream);
    assert_eq!(run.of(TrackKind::Video).len(), 100);
    assert!(run.of(TrackKind::Audio).len() < 100);
    let scrambled = run.witness.audio.unused(Reason::Scrambled);
    assert!(scrambled.bytes >= payload, "{scrambled:?} {payload}");
    assert_eq!(run.notices, [Notice::Scrambled { number: 257 }]);
}

#[test]
fn pictures_before_the_first_key_frame_are_counted() {
    let all = segments(&Pack::default());
    // The first segment without the packets of its first picture, but with its tables.
    let mut starts = 0;
    let first: Vec<_> = all[0]
        .chunks(188)
        .filter(|packet| {
            let video = (packet[1] & 0x1f, packet[2]) == (1, 0);
            starts += usize::from(video && packet[1] & 0x40 != 0);
            !video || starts > 1
        })
        .collect();
    let run = fed(&[first.concat(), all[1].clone()]);
    assert_eq!(run.witness.video.unused(Reason::BeforeKey).units, 24);
    assert_eq!(run.of(TrackKind::Video).len(), 25);
    assert_eq!(run.of(TrackKind::Video)[0].key, Key::Sync);
}

/// Damage of any kind causes no panic, and the counts balance (`run::steps` checks them after each step).
#[test]
fn damage_of_any_kind_is_explained() {
    let good = segments(&Pack { company: true, twice: 20, ..Pack::default() }).concat();
    let mut random = Random(9);
    for round in 0..60 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(40) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => {
                    let end = (at + random.below(1000)).min(bytes.len());
                    bytes.drain(at..end);
                }
                2 => bytes[at / 188 * 188 + 1] |= 0x80,
                3 => bytes[at / 188 * 188 + 3] ^= random.below(256) as u8,
                _ => {
                    let insert: Vec<u8> = (0..random.below(300)).map(|_| random.below(256) as u8).collect();
                    bytes.splice(at..at, insert);
                }
            }
        }
        let mut steps = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((1 + random.below(20_000)).min(rest.len()));
            rest = later;
            steps.push(Step::Feed(piece));
            match random.below(6) {
                0 => steps.push(Step::SegmentEnd),
                1 if round % 3 == 0 => steps.push(Step::Discontinuity),
                _ => {}
            }
        }
        let run = run::steps(Choice::default(), &steps);
        assert!(run.packets.len() < 600);
    }
}
