//! Tests with fragmented MP4 that ffmpeg makes.

use super::super::*;
use super::clip::Clip;
use super::differential::{self, Difference};
use super::probe::{self, Probed};
use super::repack::Random;
use super::run::{self, Run, Step, assert_equal, assert_same};

/// Lists the packets that ffprobe reads, with times converted to ticks of 90 kHz.
fn probed(bytes: &[u8], video: i64, audio: i64) -> Vec<Probed> {
    let mut packets = probe::packets(bytes, "a.mp4");
    for packet in &mut packets {
        let scale = if packet.kind == TrackKind::Video { video } else { audio };
        let ticks = |time: i64| (time * 90_000 * 2 + scale).div_euclid(scale * 2);
        (packet.pts, packet.dts) = (packet.pts.map(ticks), packet.dts.map(ticks));
    }
    packets
}

fn whole(bytes: &[u8]) -> Run {
    run::drive(Mp4::new(Choice::default()), &[Step::Feed(bytes)])
}

const TIMES: &str = "-video_track_timescale 90000";

#[test]
fn packets_are_ffprobes_whatever_the_fragments_are_like() {
    let default = Clip { name: "a.mp4", ..Clip::default() };
    for (what, rate, clip) in [
        ("key frames", 48_000, Clip { mux: "-movflags frag_keyframe+empty_moov+default_base_moof", ..default.clone() }),
        ("short", 48_000, Clip { mux: "-movflags empty_moov -frag_duration 200000", ..default.clone() }),
        (
            "each frame",
            48_000,
            Clip { mux: "-movflags frag_every_frame+empty_moov+default_base_moof", ..default.clone() },
        ),
        ("one traf each", 48_000, Clip { mux: "-movflags frag_keyframe+empty_moov+separate_moof", ..default.clone() }),
        ("no base", 48_000, Clip { mux: "-movflags frag_keyframe+empty_moov+omit_tfhd_offset", ..default.clone() }),
        (
            "cmaf",
            44_100,
            Clip {
                rate: 44_100,
                // Without B-frames, which have offsets below 0 here.
                video: "-c:v libx264 -preset ultrafast -threads 1 -g 25",
                mux: "-movflags cmaf+frag_keyframe",
                ..default.clone()
            },
        ),
        (
            "MP3",
            48_000,
            Clip { audio: "-c:a libmp3lame", mux: "-movflags frag_keyframe+empty_moov", ..default.clone() },
        ),
        ("AC-3", 48_000, Clip { audio: "-c:a ac3", mux: "-movflags frag_keyframe+delay_moov", ..default.clone() }),
        ("Opus", 48_000, Clip { audio: "-c:a libopus", mux: "-movflags frag_keyframe+empty_moov", ..default.clone() }),
        (
            "AV1",
            48_000,
            Clip {
                seconds: 2,
                video: "-c:v libaom-av1 -usage realtime -cpu-used 8 -threads 2 -g 25 -b:v 200k",
                mux: "-movflags frag_keyframe+delay_moov",
                ..default.clone()
            },
        ),
        (
            "interlaced, in open GOPs",
            48_000,
            Clip {
                video: "-c:v libx264 -preset veryfast -threads 1 -bf 2 -flags +ildct+ilme -x264-params tff=1:open-gop=1:keyint=25",
                mux: "-movflags frag_keyframe+empty_moov",
                ..default.clone()
            },
        ),
        (
            "HEVC",
            48_000,
            Clip {
                video: "-c:v libx265 -preset ultrafast -x265-params keyint=25:log-level=none:pools=1 -tag:v hvc1",
                mux: "-movflags frag_keyframe+empty_moov",
                ..default.clone()
            },
        ),
    ] {
        let bytes = Clip { mux: &format!("{} {TIMES}", clip.mux), ..clip }.make();
        let run = whole(&bytes);
        assert_same(&run, &probed(&bytes, 90_000, rate), 0, what);
        assert_eq!(run.witness.video.unused_in_all(), Count::default(), "{what}");
        assert_eq!(run.witness.audio.unused_in_all(), Count::default(), "{what}");
        assert_eq!((run.notices.len(), run.configs.len()), (0, 2), "{what}");
        assert!(run.of(TrackKind::Audio).iter().all(|packet| packet.samples > 0), "{what}");
    }
}

#[test]
fn edit_lists_move_both_times() {
    // The encoder's delay is cut off by an edit list, and pictures start later than at 0.
    let mux = format!("-movflags frag_keyframe+delay_moov {TIMES}");
    let bytes = Clip { mux: &mux, name: "a.mp4", ..Clip::default() }.make();
    let run = whole(&bytes);
    let first = |kind| {
        let packet = run.of(kind)[0];
        (packet.dts, packet.pts)
    };
    assert_eq!(first(TrackKind::Video), (-7200, 0), "two frames of delay");
    assert_eq!(first(TrackKind::Audio), (-1920, -1920), "1024 samples of delay");
}

/// Makes an HLS stream in fMP4; returns its initialization section and its segments.
fn hls(clip: &Clip<'_>, args: &str) -> Vec<Vec<u8>> {
    let below: &[Difference] = if args.contains("negative_cts") { &[Difference::OffsetsBelowZero] } else { &[] };
    differing(clip, args, below)
}

/// The same, of a stream that ffmpeg reads otherwise.
fn differing(clip: &Clip<'_>, args: &str, differs: &[Difference]) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.ts");
    std::fs::write(&path, clip.make()).unwrap();
    let status = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-i"])
        .arg(&path)
        .args([
            "-c",
            "copy",
            "-bsf:a",
            "aac_adtstoasc",
            "-f",
            "hls",
            "-hls_time",
            "1",
            "-hls_list_size",
            "0",
            "-hls_segment_type",
            "fmp4",
        ])
        .args(args.split_whitespace())
        .arg("-hls_segment_filename")
        .arg(folder.path().join("%d.m4s"))
        .arg(folder.path().join("list.m3u8"))
        .status()
        .unwrap();
    assert!(status.success());
    let segment = |n: usize| std::fs::read(folder.path().join(format!("{n}.m4s"))).ok();
    let mut parts = vec![std::fs::read(folder.path().join("init.mp4")).unwrap()];
    parts.extend((0..).map_while(segment));
    differential::check(&parts.concat(), "a.mp4", differs);
    parts
}

fn fed(parts: &[Vec<u8>]) -> Run {
    let steps: Vec<_> = parts.iter().flat_map(|part| [Step::Feed(part), Step::SegmentEnd]).collect();
    run::drive(Mp4::new(Choice::default()), &steps)
}

#[test]
fn pictures_and_sound_of_their_own_keep_step() {
    let video =
        hls(&Clip::default(), "-map 0:v -hls_segment_options movflags=+cmaf+negative_cts_offsets+default_base_moof");
    let audio = hls(&Clip::default(), "-map 0:a -hls_segment_options movflags=+cmaf+default_base_moof");
    // ffmpeg adds the largest offset below 0 to all presentation times of the track, which brings the two out of step.
    let probed = probed(&video.concat(), 12_800, 48_000);
    let (video, audio) = (fed(&video), fed(&audio));
    assert_eq!((video.packets.len(), audio.packets.len()), (100, 189));
    assert!(video.packets.iter().any(|packet| packet.pts < packet.dts), "offsets below 0");
    let first = |run: &Run| run.packets.iter().map(|packet| packet.pts).min().unwrap();
    assert_eq!(first(&video) - first(&audio), 0, "tfdt and trun are taken as they are");
    for (our, their) in video.packets.iter().zip(&probed) {
        assert_eq!((Some(our.dts), Some(our.pts + 3600), our.key.is_key()), (their.dts, their.pts, their.key));
    }
}

#[test]
fn pieces_of_any_size_and_several_fragments_a_segment_give_the_same() {
    let parts = hls(&Clip::default(), "");
    let truth = fed(&parts);
    assert_eq!((truth.of(TrackKind::Video).len(), truth.of(TrackKind::Audio).len()), (100, 189));
    let mut random = Random(3);
    for size in [1, 100, 5000] {
        let mut steps = Vec::new();
        for part in &parts {
            steps.extend(part.chunks(1 + random.below(size)).map(Step::Feed));
            steps.push(Step::SegmentEnd);
        }
        assert_equal(&run::drive(Mp4::new(Choice::default()), &steps), &truth, &format!("{size}"));
    }
    let two = [parts[0].clone(), parts[1..3].concat(), parts[3..].concat()];
    assert_equal(&fed(&two), &truth, "several fragments");
    assert_equal(&fed(&[parts.concat()]), &truth, "all in one");
}

#[test]
fn another_initialization_section_brings_another_configuration() {
    let one = hls(&Clip::default(), "");
    let video = "-c:v libx264 -preset ultrafast -threads 1 -g 25 -bf 0 -s 160x90";
    let other = Clip { video, audio: "-c:a aac -ac 1", ..Clip::default() };
    let two = differing(&other, "", &[Difference::RoundedEdit]);
    let run = fed(&[&one[..], &one[..1], &two].concat());
    let configs: Vec<_> = run
        .configs
        .iter()
        .map(|(at, config)| match config {
            Config::Video(config) => (*at, config.width),
            Config::Audio(config) => (*at, u32::from(config.channels)),
        })
        .collect();
    let mut sorted = configs.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [(0, 2), (0, 320), (100, 160), (189, 1)], "the same section again says nothing new");
}

#[test]
fn parameter_sets_inside_samples_bring_a_configuration_right_there() {
    let parts = hls(&Clip::default(), "-map 0:v");
    let plain = fed(&parts);
    // The second key frame gets another SPS (level 4.0), as in avc3.
    let Config::Video(config) = &plain.configs[0].1 else { panic!() };
    let sps = usize::from(config.record[6]) << 8 | usize::from(config.record[7]);
    let mut other = config.record[8..8 + sps].to_vec();
    other[3] = 40;
    let mut changed = parts.clone();
    let at = parts[2].windows(other.len()).position(|window| window[0] == 0x67 && window[4..] == other[4..]);
    changed[2][at.expect("ffmpeg leaves parameter sets in the samples") + 3] = 40;
    let run = fed(&changed);
    assert_eq!(run.packets.len(), plain.packets.len());
    // The third key frame has the old one again.
    let places: Vec<_> = run.configs.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [0, 25, 50]);
    let Config::Video(new) = &run.configs[1].1 else { panic!() };
    assert_eq!(new.record[3], 40);
}

/// What a batch that begins inside a group of pictures is like: the first key frame comes later.
#[test]
fn stored_pictures_are_handed_out_from_the_first_one_as_they_are() {
    let parts = hls(&Clip::default(), "");
    let truth = fed(&parts);
    // Without the sample flags of the first fragment's key frame, and with a NAL unit length that makes no sense.
    let mut file = [&parts[0][..], &parts[1], &parts[2]].concat();
    let flags = |file: &[u8], from: usize| file[from..].windows(4).position(|four| four == b"trun").unwrap() + from + 4;
    let trun = flags(&file, parts[0].len());
    assert_eq!(file[trun + 3] & 5, 5, "ffmpeg tells an offset and the flags of the first sample");
    file[trun + 12..trun + 16].copy_from_slice(&0x0101_0000_u32.to_be_bytes());
    let first = truth.of(TrackKind::Video)[0];
    let second = truth.of(TrackKind::Video)[1].data.clone();
    let odd = file.windows(second.len()).position(|window| window == second).unwrap();
    file[odd] = 0xff;
    let stored = |pieces: usize| {
        let steps: Vec<_> = file.chunks(pieces).map(Step::Feed).collect();
        run::drive(Mp4::stored(Choice::default()), &steps)
    };
    let run = stored(file.len());
    let (ours, theirs) = (run.of(TrackKind::Video), &truth.of(TrackKind::Video)[..50]);
    assert_eq!((ours.len(), ours[0].key, ours[25].key), (50, Key::No, Key::Sync));
    assert_eq!((&ours[0].data, (ours[0].dts, ours[0].pts)), (&first.data, (first.dts, first.pts)));
    assert_eq!((&ours[1].data[1..], ours[1].data[0]), (&second[1..], 0xff), "nothing is looked at");
    for (our, their) in ours.iter().zip(theirs).skip(2) {
        assert_eq!((&our.data, our.dts, our.pts), (&their.data, their.dts, their.pts));
    }
    assert_eq!(run.witness.video.unused_in_all(), Count::default());
    assert_eq!((run.configs.clone(), run.notices.len()), (truth.configs.clone(), 0));
    assert_equal(&stored(777), &run, "in pieces");
    let from_key = whole(&file);
    assert!(from_key.of(TrackKind::Video).len() < 50, "a stream begins at a key frame, and with sound units");
}

#[test]
fn what_is_cut_off_or_damaged_is_counted() {
    let parts = hls(&Clip::default(), "");
    let truth = fed(&parts);
    let mut cut = parts.clone();
    cut[2].truncate(parts[2].len() - 1000);
    let run = fed(&cut);
    let lost = |kind| truth.of(kind).len() - run.of(kind).len();
    let gone = lost(TrackKind::Video) + lost(TrackKind::Audio);
    let counted: u64 = [TrackKind::Video, TrackKind::Audio]
        .iter()
        .map(|kind| run.witness.track(*kind).unused(Reason::Truncated).units)
        .sum();
    assert!(gone > 0 && counted == gone as u64, "{gone} {counted}");
    // A segment that begins in the middle has nothing that can be used, and does no harm to the next.
    let mut headless = parts.clone();
    headless[2].drain(..700);
    assert_eq!(fed(&headless).of(TrackKind::Video).len(), 75);
    let mut random = Random(8);
    for _ in 0..150 {
        let mut parts = parts.clone();
        for _ in 0..=random.below(8) {
            let part = random.below(parts.len());
            let most = if random.one_in(2) { 1200 } else { parts[part].len() };
            let at = random.below(parts[part].len().min(most));
            match random.below(3) {
                0 => parts[part][at] ^= 1 << random.below(8),
                1 => parts[part][at] = random.below(256) as u8,
                _ => {
                    let end = (at + random.below(300)).min(parts[part].len());
                    parts[part].drain(at..end);
                }
            }
        }
        fed(&parts);
    }
}
