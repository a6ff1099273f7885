//! The same batches, split in the process and by ffmpeg: packets, times, files.

use std::path::Path;
use std::process::Command;

use super::super::part;
use super::super::with_ffmpeg::WithFfmpeg;
use super::cuts::{clip, made};
use super::stream::Stream;
use crate::remux::testing::{PICTURE, SOUND, slots};
use outboard_media::facts::TrackFacts;
use outboard_media::segment::Container;
use outboard_store::files::names;

/// What ffprobe lists of a file: hash, flags, size, duration, and time of each packet.
fn probed(path: &Path) -> Vec<(String, f64, f64)> {
    let out = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "packet=dts_time,duration_time,flags,data_hash",
            "-show_data_hash",
            "md5",
        ])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    let packet = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [dts, duration, flags, hash] = fields[..4] else { panic!("{line}") };
        (format!("{flags} {hash}"), dts.parse().unwrap(), duration.parse().unwrap_or_default())
    };
    text.lines().filter(|line| !line.is_empty()).map(packet).collect()
}

/// Splits the stream as one batch in both ways. Times may differ by so many microseconds, for pictures and sound.
async fn compare(stream: &Stream, slack: [i64; 2], what: &str) {
    let ours = stream.whole().await;
    let dir = stream.batch(0);
    let theirs = WithFfmpeg::new(slots()).split(&stream.segments, &dir).await.unwrap();
    let whole = stream.dir.path().join("whole");
    assert!(ours.counts.unusable.is_empty() && ours.counts.notices.is_empty(), "{what}: {:?}", ours.counts);
    // ffmpeg lists a track also where it is empty.
    let listed = |track: &Option<TrackFacts>| track.clone().filter(|track| !track.packets.is_empty());
    for (name, ours, theirs, slack) in [
        (names::VIDEO, &ours.facts.video, listed(&theirs.video), slack[0]),
        (names::AUDIO, &ours.facts.audio, listed(&theirs.audio), slack[1]),
    ] {
        let (Some(ours), Some(theirs)) = (ours, &theirs) else {
            assert!(ours.is_none() && theirs.is_none(), "{what}: {name}: {ours:?} {theirs:?}");
            continue;
        };
        let head = |facts: &TrackFacts| TrackFacts { packets: Vec::new(), ..facts.clone() };
        assert_eq!(head(ours), head(theirs), "{what}: {name}");
        for (n, (our, their)) in ours.packets.iter().zip(&theirs.packets).enumerate() {
            let place = format!("{what}: {name} {n}: {our:?}, by ffmpeg {their:?}");
            assert!(
                (our.dts_us - their.dts_us).abs() <= slack && (our.pts_us - their.pts_us).abs() <= slack,
                "{place}"
            );
            // The last frame of MP4 is cut short there, and ffmpeg tells its full length.
            let last = n + 1 == ours.packets.len();
            assert!(last || our.duration_us.abs_diff(their.duration_us) <= 25, "{place}");
        }
        assert_eq!(ours.packets.len(), theirs.packets.len(), "{what}: {name}");
        assert!((ours.end_us() - theirs.end_us()).abs() <= slack + 25_000, "{what}: {name}");
        let (ours, theirs) = (probed(&whole.join(name)), probed(&part(&dir, name)));
        for (n, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(our.0, their.0, "{what}: {name} {n}");
            let (first, theirs_first) = (ours[0].1, theirs[0].1);
            let off = (our.1 - first) - (their.1 - theirs_first);
            assert!(off.abs() < 0.0012, "{what}: {name} {n}: {our:?}, by ffmpeg {their:?}");
            assert!(n + 1 == ours.len() || (our.2 - their.2).abs() < 0.0012, "{what}: {name} {n}: {our:?} {their:?}");
        }
        assert_eq!(ours.len(), theirs.len(), "{what}: {name}");
    }
}

#[tokio::test]
async fn transport_streams() {
    let both = format!("{PICTURE}{SOUND}");
    compare(&Stream::ts(&[clip()]), [1, 25], "B-frames").await;
    compare(&Stream::ts(&[made(&both, "", "clip.ts")]), [1, 60], "several frames in a PES packet").await;
    compare(&Stream::ts(&[made(&both, "-bf 0 -ar 48000", "clip.ts")]), [1, 25], "no B-frames").await;
    compare(&Stream::ts(&[made(&both, "-bf 0 -ar 22050", "clip.ts")]), [1, 60], "a low rate").await;
    compare(&Stream::ts(&[made(PICTURE, "", "clip.ts")]), [1, 0], "pictures alone").await;
    compare(&Stream::ts(&[made(SOUND, "-ar 48000", "clip.ts")]), [0, 25], "sound alone").await;
}

#[tokio::test]
async fn fragmented_mp4() {
    let both = format!("{PICTURE}{SOUND}");
    let file = made(&both, "-movflags frag_keyframe+delay_moov+default_base_moof", "clip.mp4");
    let (init, fragments) = super::cuts::fragments(&file);
    let stream = Stream::new(Container::Fmp4, Some(&init), &[fragments.concat()]);
    compare(&stream, [12, 12], "fragments at key frames").await;
}

#[tokio::test]
async fn separate_sound() {
    let mut stream = Stream::ts(&[made(&format!("{PICTURE}{SOUND}"), "-ar 48000", "clip.ts")]);
    stream.beside(0, "beside.ts", &made(SOUND, "-ar 44100 -b:a 64k", "beside.ts"), Container::MpegTs, None);
    compare(&stream, [1, 60], "a transport stream").await;

    let mut stream = Stream::ts(&[clip()]);
    let (init, fragments) = super::cuts::fragments(&made(
        SOUND,
        "-ar 48000 -movflags cmaf+delay_moov -frag_duration 1000000",
        "beside.mp4",
    ));
    stream.beside(0, "beside.m4s", &fragments.concat(), Container::Fmp4, Some(&init));
    compare(&stream, [1, 12], "fMP4").await;

    let mut stream = Stream::ts(&[clip()]);
    let mut packed = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0com.apple.streaming.transportStreamTimestamp\0".to_vec();
    packed.extend(126_000_u64.to_be_bytes());
    packed.extend(made(SOUND, "-ar 48000", "beside.aac"));
    stream.beside(0, "beside.aac", &packed, Container::PackedAac, None);
    compare(&stream, [1, 60], "packed").await;
}
