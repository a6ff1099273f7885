//! Tests with transport streams that ffmpeg makes, and with the same content packed differently.

use super::super::*;
use super::clip::{self, Clip};
use super::differential::Difference;
use super::probe;
use super::repack::{Pack, Random, Unit, units};
use super::run::{self, Run, Step, assert_equal, assert_same};

#[test]
fn packets_are_ffprobes_whatever_the_stream_is_like() {
    let default = Clip::default();
    let x264 = "-c:v libx264 -preset veryfast -threads 1 -b:v 300k";
    let cases = [
        ("plain", default.clone()),
        ("no delay", Clip { mux: "-muxdelay 0 -muxpreload 0", ..default.clone() }),
        ("one frame a PES packet", Clip { mux: "-pes_payload_size 0", ..default.clone() }),
        ("long PES packets", Clip { mux: "-pes_payload_size 20000", ..default.clone() }),
        ("lengths", Clip { mux: "-omit_video_pes_length 0", ..default.clone() }),
        ("flags", Clip { mux: "-mpegts_flags resend_headers+pat_pmt_at_frames", ..default.clone() }),
        ("44.1 kHz", Clip { rate: 44_100, differs: &[Difference::RoundedDown], ..default.clone() }),
        ("mono, 32 kHz", Clip { rate: 32_000, audio: "-c:a aac -b:a 48k -ac 1", ..default.clone() }),
        ("5.1", Clip { audio: "-c:a aac -ac 6", ..default.clone() }),
        ("50 fps", Clip { fps: 50, ..default.clone() }),
        ("60 fps", Clip { fps: 60, ..default.clone() }),
        ("24 kHz, as the core of HE-AAC", Clip { rate: 24_000, audio: "-c:a aac -b:a 48k", ..default.clone() }),
        ("no B-frames", Clip { video: "-c:v libx264 -preset ultrafast -threads 1 -g 50", ..default.clone() }),
        ("open GOP", Clip { video: &format!("{x264} -bf 3 -x264-params open-gop=1:keyint=25"), ..default.clone() }),
        ("slices", Clip { video: &format!("{x264} -x264-params slices=4:keyint=25"), ..default.clone() }),
        (
            "intra refresh",
            Clip { video: &format!("{x264} -x264-params intra-refresh=1:keyint=25:bframes=0"), ..default.clone() },
        ),
        ("interlaced", Clip { video: &format!("{x264} -flags +ildct+ilme -x264-params tff=1"), ..default.clone() }),
        ("m2ts with AC-3", Clip { audio: "-c:a ac3 -b:a 128k", mux: "-mpegts_m2ts_mode 1", ..default.clone() }),
        ("E-AC-3", Clip { audio: "-c:a eac3 -b:a 128k", ..default.clone() }),
        ("MP3", Clip { audio: "-c:a libmp3lame -b:a 128k", ..default.clone() }),
        ("MP2", Clip { audio: "-c:a mp2 -b:a 192k", ..default.clone() }),
    ];
    for (what, clip) in cases {
        let bytes = clip.make();
        let run = run::whole(&bytes);
        assert_same(&run, &probe::transport(&bytes), 16, what);
        assert_eq!(run.witness.video.unused_in_all(), Count::default(), "{what}");
        assert_eq!(run.witness.audio.unused_in_all(), Count::default(), "{what}");
        assert_eq!(run.notices, [], "{what}");
        assert_eq!(run.configs.len(), 2, "{what}: {:?}", run.configs);
        let Config::Video(video) =
            &run.configs.iter().find(|(_, config)| matches!(config, Config::Video(_))).unwrap().1
        else {
            unreachable!()
        };
        assert_eq!((video.width, video.height), (320, 180), "{what}");
        assert_eq!(avcc(&bytes, video.codec), video.record, "{what}");
    }
}

#[test]
fn hevc_is_framed_with_its_parameter_sets() {
    let video = "-c:v libx265 -preset ultrafast -x265-params keyint=25:log-level=none:pools=1";
    let bytes = Clip { video, differs: &[Difference::ZeroByteOfHevc], ..Clip::default() }.make();
    let (run, probed) = (run::whole(&bytes), probe::transport(&bytes));
    let theirs: Vec<_> = probed.iter().filter(|packet| packet.kind == TrackKind::Video).collect();
    let ours = run.of(TrackKind::Video);
    assert_eq!((ours.len(), theirs.len()), (100, 100));
    for (our, their) in ours.iter().zip(theirs) {
        // ffmpeg leaves the zero byte of the next access unit's start code at the end of the last NAL unit.
        assert!((0..=1).contains(&(their.size - our.data.len())), "{our:?} {their:?}");
        assert_eq!((Some(our.dts), Some(our.pts), our.key.is_key()), (their.dts, their.pts, their.key));
    }
    let Some((0, Config::Video(config))) = run.configs.iter().find(|(_, config)| matches!(config, Config::Video(_)))
    else {
        panic!("{:?}", run.configs)
    };
    assert_eq!((config.codec, config.width, config.height), (Codec::Hevc, 320, 180));
    let record = avcc(&bytes, Codec::Hevc);
    // Profile, tier and level; chroma format and bit depths.
    assert_eq!(config.record[..13], record[..13]);
    assert_eq!(config.record[16..19], record[16..19]);
}

/// Returns the decoder configuration record that ffmpeg writes for a stream's video.
fn avcc(bytes: &[u8], codec: Codec) -> Vec<u8> {
    let mp4 = clip::remux(bytes, "a.ts", "-an", "a.mp4");
    let name: &[u8] = if codec == Codec::Hevc { b"hvcC" } else { b"avcC" };
    let at = mp4.windows(4).position(|four| four == name).unwrap();
    let size = u32::from_be_bytes(mp4[at - 4..at].try_into().unwrap()) as usize;
    mp4[at + 4..at - 4 + size].to_vec()
}

#[test]
fn opus_is_framed() {
    let bytes = Clip { audio: "-c:a libopus -b:a 64k", ..Clip::default() }.make();
    let (run, probed) = (run::whole(&bytes), probe::packets(&bytes, "a.ts"));
    let theirs: Vec<_> = probed.iter().filter(|packet| packet.kind == TrackKind::Audio).collect();
    let ours = run.of(TrackKind::Audio);
    let sizes: Vec<_> = ours.iter().map(|packet| packet.data.len()).collect();
    assert_eq!(sizes, theirs.iter().map(|packet| packet.size).collect::<Vec<_>>());
    assert!(ours.iter().zip(&theirs).all(|(our, their)| our.samples == 960 && probe::crc(&our.data) == their.crc));
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let bytes = clip::plain();
    let truth = run::whole(bytes);
    for size in [1, 7, 188, 189, 4096] {
        let steps: Vec<_> = bytes.chunks(size).map(Step::Feed).collect();
        assert_equal(&run::steps(Choice::default(), &steps), &truth, &format!("pieces of {size}"));
    }
}

/// Returns the units that streams are packed from, and the output that is expected of them.
fn material() -> (Vec<Unit>, Run) {
    let bytes = Clip { mux: "-pes_payload_size 0", ..Clip::default() }.make();
    let truth = run::whole(&bytes);
    assert_eq!((truth.of(TrackKind::Video).len(), truth.of(TrackKind::Audio).len()), (100, 189));
    (units(&bytes), truth)
}

/// Feeds segments in pieces of random size, and ends each segment.
fn feed(segments: &[Vec<u8>], choice: Choice, random: &mut Random) -> Run {
    let mut steps = Vec::new();
    for segment in segments {
        let mut rest = &segment[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((1 + random.below(9000)).min(rest.len()));
            steps.push(Step::Feed(piece));
            rest = later;
        }
        steps.push(Step::SegmentEnd);
    }
    run::steps(choice, &steps)
}

#[test]
fn the_same_units_packed_in_any_legal_way_give_the_same_packets() {
    let (units, truth) = material();
    let default = Pack::default;
    let mut packs = vec![
        default(),
        Pack { lengths: true, ..default() },
        Pack { audio_pes: Some(1400), ..default() },
        Pack { audio_pes: Some(100), ..default() },
        Pack { video_pes: Some(3000), lengths: true, ..default() },
        Pack { video_pes: Some(60_000), ..default() },
        Pack { stuffed: 4, private: 5, ..default() },
        Pack { twice: 3, null: 3, ..default() },
        Pack { beside: (4, 0), ..default() },
        Pack { beside: (0, 16), ..default() },
        Pack { table_segments: 3, ..default() },
        Pack { table_packets: 3, company: true, ..default() },
        Pack { move_at: Some(2), ..default() },
        Pack { new_counters: true, ..default() },
        Pack { moves: true, ..default() },
        Pack { clock: 3, twice: 4, ..default() },
        Pack { full_headers: true, ..default() },
        Pack { full_headers: true, lengths: true, audio_pes: Some(1400), video_pes: Some(3000), ..default() },
        Pack { padding: 3, ..default() },
        Pack { padding: 2, audio_pes: Some(300), video_pes: Some(1000), lengths: true, ..default() },
        Pack { long_tables: true, company: true, table_packets: 20, ..default() },
        Pack { long_tables: true, moves: true, beside: (4, 0), ..default() },
    ];
    let mut random = Random(77);
    for seed in 2..30 {
        packs.push(Pack {
            seed,
            video_pes: random.one_in(2).then(|| 500 + random.below(9000)),
            audio_pes: random.one_in(2).then(|| 50 + random.below(5000)),
            lengths: random.one_in(2),
            stuffed: random.below(3) * 5,
            private: random.below(3) * 7,
            twice: random.below(3) * 10,
            null: random.below(3) * 6,
            beside: [(0, 0), (4, 0), (0, 16)][random.below(3)],
            table_segments: 1 + random.below(3),
            table_packets: 5 + random.below(300),
            company: random.one_in(2),
            clock: random.below(3) * 5,
            full_headers: random.one_in(2),
            padding: random.below(3) * 4,
            long_tables: random.one_in(2),
            ..default()
        });
    }
    for pack in packs {
        let segments = pack.segments(&units);
        assert_eq!(segments.len(), 4);
        let choice = Choice { program: Some(7), ..Choice::default() };
        let run = feed(&segments, choice, &mut random);
        assert_equal(&run, &truth, &format!("{pack:?}"));
        let duplicates = run.witness.container.duplicates > 0;
        assert_eq!((duplicates, run.witness.container.null > 0), (pack.twice > 0, pack.null > 0), "{pack:?}");
        assert_eq!(run.data.is_empty(), !pack.company, "{pack:?}");
        let untimed = run.packets.iter().any(|packet| packet.timing == Timing::Derived);
        let over = |size: Option<usize>, most| size.map_or(Some(false), |size| (size > most).then_some(true));
        // Of PES packets that are shorter it is not known whether two units begin in one.
        match (over(pack.video_pes, 1500), over(pack.audio_pes, 300)) {
            (Some(false), Some(false)) => assert!(!untimed, "{pack:?}"),
            (Some(true), _) | (_, Some(true)) => assert!(untimed, "{pack:?}"),
            _ => {}
        }
    }
}

#[test]
fn any_cut_into_segments_gives_the_same_packets() {
    let (units, truth) = material();
    let mut random = Random(5);
    for round in 0..40 {
        let pack = Pack {
            seed: round,
            video_pes: random.one_in(3).then(|| 500 + random.below(9000)),
            audio_pes: random.one_in(2).then(|| 50 + random.below(5000)),
            lengths: random.one_in(2),
            stuffed: random.below(2) * 5,
            ..Pack::default()
        };
        let stream = pack.segments(&units).concat();
        let packets: Vec<_> = stream.chunks(188).collect();
        let mut segments = Vec::new();
        let mut rest = &packets[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at((1 + random.below(300)).min(rest.len()));
            segments.push(now.concat());
            rest = later;
        }
        let run = feed(&segments, Choice::default(), &mut random);
        assert_equal(&run, &truth, &format!("{pack:?} in {} segments", segments.len()));
    }
}

/// Returns how many pictures came out by the end of each segment.
fn seen_by_the_end(segments: &[Vec<u8>]) -> Vec<usize> {
    let mut demuxer = Ts::new(Choice::default());
    let mut seen = 0;
    let by_the_end = segments.iter().map(|segment| {
        demuxer.feed(segment);
        demuxer.segment_end();
        let events = std::iter::from_fn(|| demuxer.next_event());
        seen +=
            events.filter(|event| matches!(event, Event::Packet(packet) if packet.kind == TrackKind::Video)).count();
        seen
    });
    by_the_end.collect()
}

#[test]
fn a_segments_last_picture_comes_with_its_end() {
    let (units, truth) = material();
    assert_eq!(truth.of(TrackKind::Video).len(), 100);
    assert_eq!(seen_by_the_end(&Pack::default().segments(&units)), [25, 50, 75, 100]);
}

/// Nothing in the last packet shows that the picture is complete; the borders before do.
#[test]
fn a_last_picture_that_fills_its_packet_comes_with_the_end_of_the_fourth_segment() {
    let (mut units, _) = material();
    let pictures: Vec<_> = (0..units.len()).filter(|n| units[*n].kind == TrackKind::Video).collect();
    for segment in 0..4 {
        let last = pictures[25 * segment + 24];
        let is_full = |units: &[Unit]| {
            let segments = Pack::default().segments(units);
            let mut packets = segments[segment].chunks(188).rev();
            packets.find(|packet| packet[1] & 0x1f == 1 && packet[2] == 0).unwrap()[3] & 0x20 == 0
        };
        while !is_full(&units) {
            // trailing_zero_8bits (ITU-T H.264 annex B)
            units[last].bytes.push(0);
        }
    }
    assert_eq!(seen_by_the_end(&Pack::default().segments(&units)), [24, 49, 74, 100]);
}
