//! Tests with peculiarities of streams from real senders, and with the losses in damaged streams.

use super::super::*;
use super::clip::{self, Clip};
use super::probe::crc;
use super::repack::{Pack, Random, units};
use super::run::{self, Step, assert_equal};

fn segments(pack: &Pack) -> Vec<Vec<u8>> {
    pack.segments(&units(&Clip { mux: "-pes_payload_size 0", ..Clip::default() }.make()))
}

fn fed(segments: &[Vec<u8>]) -> run::Run {
    let steps: Vec<_> = segments.iter().flat_map(|segment| [Step::Feed(segment), Step::SegmentEnd]).collect();
    run::steps(Choice::default(), &steps)
}

#[test]
fn sound_frames_reach_over_every_border() {
    let run = fed(&segments(&Pack { audio_pes: Some(1400), ..Pack::default() }));
    assert_eq!((run.of(TrackKind::Video).len(), run.of(TrackKind::Audio).len()), (100, 189));
    assert_eq!(run.configs.len(), 2, "one configuration each");
}

#[test]
fn bytes_before_the_first_sync_byte_are_passed_over() {
    let plain = segments(&Pack::default());
    let mut random = Random(4);
    let junk =
        |random: &mut Random| -> Vec<u8> { (0..24).map(|_| random.below(0x47) as u8).chain([0xff; 352]).collect() };
    let spoilt: Vec<_> = plain.iter().map(|segment| [&junk(&mut random)[..], segment].concat()).collect();
    let run = fed(&spoilt);
    assert_equal(&run, &fed(&plain), "junk");
    assert_eq!(run.witness.container.skipped, 4 * 376);
    assert_eq!(run.notices, vec![Notice::Skipped { bytes: 376 }; 4]);
}

#[test]
fn the_sound_that_goes_on_air_as_it_is_comes_first() {
    let one = clip::plain();
    let args = "-map 0:v -map 0:a -map 0:a -c:v copy -c:a:0 ac3 -c:a:1 copy -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.ts");
    std::fs::write(&path, one).unwrap();
    let mut all = vec!["-i", path.to_str().unwrap()];
    all.extend(args.split(' '));
    let two = clip::ffmpeg(&all, "two.ts");
    let run = run::whole(&two);
    let crcs =
        |run: &run::Run| -> Vec<u32> { run.of(TrackKind::Audio).iter().map(|packet| crc(&packet.data)).collect() };
    assert_eq!(crcs(&run), crcs(&run::whole(one)));
    let streams = &run.streams.last().unwrap().streams;
    let told: Vec<_> = streams.iter().map(|stream| (stream.codec, stream.language.as_deref(), stream.taken)).collect();
    assert_eq!(told, [(Codec::H264, None, true), (Codec::Ac3, Some("eng"), false), (Codec::Aac, Some("deu"), true)]);
    assert!(run.witness.container.passed_over > 100);
    let english = Choice { audio: Wish { language: Some("eng".to_owned()), ..Wish::default() }, ..Choice::default() };
    let run = run::steps(english, &[Step::Feed(&two)]);
    assert!(
        matches!(&run.configs[..], [_, (0, Config::Audio(config))] if config.codec == Codec::Ac3)
            || matches!(&run.configs[..], [(0, Config::Audio(config)), _] if config.codec == Codec::Ac3),
        "{:?}",
        run.configs
    );
}

#[test]
fn other_channels_bring_a_configuration_right_there() {
    let part = |ac: &str, seconds: &str| {
        clip::ffmpeg(
            &["-f", "lavfi", "-i", "sine=440:sample_rate=48000", "-t", seconds, "-c:a", "aac", "-ac", ac],
            "a.aac",
        )
    };
    let (a, b) = (part("2", "1"), part("1", "1"));
    let count = |adts: &[u8]| {
        let (mut at, mut count) = (0, 0);
        while at < adts.len() {
            at += usize::from(adts[at + 3] & 3) << 11 | usize::from(adts[at + 4]) << 3 | usize::from(adts[at + 5]) >> 5;
            count += 1;
        }
        count
    };
    let both = clip::remux(&[&a[..], &b].concat(), "ab.aac", "", "ab.ts");
    let run = run::whole(&both);
    let configs: Vec<_> = run
        .configs
        .iter()
        .map(|(at, config)| match config {
            Config::Audio(config) => (*at, config.channels, config.record.clone()),
            Config::Video(_) => panic!("no pictures"),
        })
        .collect();
    assert_eq!(configs, [(0, 2, vec![0x11, 0x90]), (count(&a), 1, vec![0x11, 0x88])]);
    assert_eq!(run.packets.len(), count(&a) + count(&b));
}

#[test]
fn other_pids_are_told_and_nothing_is_lost() {
    let run = fed(&segments(&Pack { move_at: Some(2), ..Pack::default() }));
    assert_equal(&run, &fed(&segments(&Pack::default())), "moved");
    let moved = |kind, from, to| Notice::Moved { kind, from, to };
    assert_eq!(run.notices, [moved(TrackKind::Video, 256, 400), moved(TrackKind::Audio, 257, 401)]);
    assert_eq!(run.configs.len(), 2, "the same configuration is not told again");
}

#[test]
fn sound_goes_and_comes_back() {
    let all = segments(&Pack::default());
    let without: Vec<Vec<u8>> = all
        .iter()
        .enumerate()
        .map(|(n, segment)| {
            let keep = |packet: &&[u8]| !(n == 1 || n == 2) || (packet[1] & 0x1f, packet[2]) != (1, 1);
            segment.chunks(188).filter(keep).collect::<Vec<_>>().concat()
        })
        .collect();
    let (run, truth) = (fed(&without), fed(&all));
    assert_eq!(run.of(TrackKind::Video), truth.of(TrackKind::Video));
    let (ours, theirs) = (run.of(TrackKind::Audio), truth.of(TrackKind::Audio));
    assert!(ours.len() < theirs.len() - 80 && ours.iter().all(|packet| theirs.contains(packet)));
    assert_eq!(run.witness.audio.unused_in_all().units, 0, "what was never sent is not lost");
}

#[test]
fn tables_may_stand_in_some_segments_only() {
    let run = fed(&segments(&Pack { table_segments: 3, table_packets: 9999, ..Pack::default() }));
    assert_eq!((run.of(TrackKind::Video).len(), run.of(TrackKind::Audio).len()), (100, 189));
}

#[test]
fn times_that_step_back_keep_their_order_and_times_that_wrap_go_on() {
    let truth = fed(&segments(&Pack::default()));
    let back = fed(&segments(&Pack { shift_at: Some((2, -90_000)), ..Pack::default() }));
    let wrapped = fed(&segments(&Pack { shift: (1 << 33) - 3 * 90_000, ..Pack::default() }));
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let (truth, back, wrapped) = (truth.of(kind), back.of(kind), wrapped.of(kind));
        assert_eq!((back.len(), wrapped.len()), (truth.len(), truth.len()));
        for (n, truth) in truth.iter().enumerate() {
            assert_eq!(back[n].pts - back[n].dts, truth.pts - truth.dts, "{kind} {n}");
            let step = back[n].dts - truth.dts;
            assert!(step == 0 || step == -90_000, "{kind} {n}: {step}");
            assert_eq!(
                (wrapped[n].dts - truth.dts, wrapped[n].pts - truth.pts),
                (((1 << 33) - 270_000), ((1 << 33) - 270_000))
            );
        }
        assert_eq!(back.last().unwrap().dts - truth.last().unwrap().dts, -90_000);
    }
}
