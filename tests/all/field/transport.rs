//! Transport streams of unusual form.

use outboard_tests::field::{MAP, PICTURE, SOUND, change, first_time, move_map, pid, segments, set_pid, shift};
use outboard_tests::media::ffmpeg;

use super::*;

/// Segments on disk.
struct Segments {
    files: Vec<PathBuf>,
    _dir: tempfile::TempDir,
}

/// The segments of a clip, changed, on air.
async fn changed(file: &Path, each: impl FnMut(usize, Vec<[u8; 188]>) -> Vec<u8>) -> (Aired, Segments) {
    let dir = tempfile::tempdir().unwrap();
    let files = segments(file, dir.path(), "s", 2, "");
    assert!(files.len() >= 12, "{} segments", files.len());
    change(&files, each);
    let origin = serve(dir.path()).await;
    origin.put("/x.m3u8", listed(&files, "2"));
    (aired(&origin, "/x.m3u8", &QUICK).await, Segments { files, _dir: dir })
}

#[tokio::test]
async fn tables_in_every_third_segment_only() {
    let (aired, _) = changed(&plain(), |n, packets| {
        let kept = packets.into_iter().filter(|packet| n % 3 == 0 || matches!(pid(packet), PICTURE | SOUND));
        kept.flatten().collect()
    })
    .await;
    let (pictures, sounds) = both(&[plain()]);
    assert_eq!((pictures.len(), sounds.len()), (600, 1126));
    aired.has(&pictures, &sounds);
    aired.in_step(&pictures, &sounds);
}

#[tokio::test]
async fn other_pids_in_mid_stream() {
    let (aired, _) = changed(&plain(), |n, mut packets| {
        for packet in packets.iter_mut().filter(|_| n >= 3) {
            match pid(packet) {
                PICTURE => set_pid(packet, PICTURE + 100),
                SOUND => set_pid(packet, SOUND + 100),
                MAP => move_map(packet, 100),
                _ => {}
            }
        }
        packets.concat()
    })
    .await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    aired.in_step(&pictures, &sounds);
    assert_eq!(aired.ended.lines_with("cannot be used"), 0, "{:#?}", aired.ended.log);
    assert_eq!(aired.ended.lines_with("goes on in PID"), 2, "{:#?}", aired.ended.log);
}

#[tokio::test]
async fn other_bytes_before_each_segment() {
    let junk: Vec<u8> = (0..24).map(|n| n * 11 % 71).chain([0xff; 352]).collect();
    let (aired, _) = changed(&plain(), |_, packets| [&junk[..], &packets.concat()].concat()).await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    aired.in_step(&pictures, &sounds);
}

/// The 33 bits of the times end in the middle of a batch.
#[tokio::test]
async fn the_clock_wraps_in_mid_batch() {
    let (aired, segments) = changed(&plain(), |_, mut packets| {
        packets.iter_mut().for_each(|packet| shift(packet, (1 << 33) - 936_000));
        packets.concat()
    })
    .await;
    // The test must have what it is about.
    let [late, early] = [0, segments.files.len() - 1].map(|n| first_time(&segments.files[n]).unwrap());
    assert!(late > early, "{late} ticks and then {early}");
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    aired.in_step(&pictures, &sounds);
    assert_eq!(aired.ended.lines_with("spliced out"), 0, "{:#?}", aired.ended.log);
}

/// An encoder begins anew: all times go back by 7.3 s in the middle of a batch. Pictures keep their order of output.
#[tokio::test]
async fn the_clock_goes_back_in_mid_batch() {
    let (aired, _) = changed(&plain(), |n, mut packets| {
        packets.iter_mut().filter(|_| n >= 5).for_each(|packet| shift(packet, 9_000_000 - 657_000));
        packets.iter_mut().filter(|_| n < 5).for_each(|packet| shift(packet, 9_000_000));
        packets.concat()
    })
    .await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    let air = aired.packets("v");
    for (n, (air, source)) in air.iter().zip(&pictures).enumerate() {
        let off = (air.pts - air.dts) - (source.pts - source.dts);
        assert!(off.abs() <= ROUNDING, "picture {n}: {air:?}, in the source {source:?}");
    }
    let composed: std::collections::BTreeSet<i64> =
        air[250..].iter().map(|air| ((air.pts - air.dts) * 1000.0).round() as i64).collect();
    assert!(composed.len() >= 3, "{composed:?} ms");
    let (_, most) = range(&air.windows(2).map(|pair| pair[1].dts - pair[0].dts).collect::<Vec<_>>());
    assert!(most <= 0.1, "{most} s without a picture");
    assert!(aired.ended.lines_with("spliced out a jump") > 0, "{:#?}", aired.ended.log);
}

/// Sound, then ten seconds in which the table announces it and no packet comes, then sound again.
#[tokio::test]
async fn sound_goes_away_under_its_pid_and_comes_back() {
    let (aired, segments) = changed(&plain(), |n, packets| {
        let kept = packets.into_iter().filter(|packet| !(4..9).contains(&n) || pid(packet) != SOUND);
        kept.flatten().collect()
    })
    .await;
    let (pictures, all) = both(&[plain()]);
    // ffmpeg moves the times behind a hole of ten seconds: those of the whole clip hold.
    let kept = source_packets(&segments.files, "a");
    let mut rest = all.iter();
    let sounds: Vec<Packet> =
        kept.iter().map(|kept| rest.find(|packet| packet.hash == kept.hash).unwrap().clone()).collect();
    assert!(sounds.len() + 400 < all.len(), "{} of {}", sounds.len(), all.len());
    aired.has(&pictures, &sounds);
    aired.in_step(&pictures, &sounds);
    let (_, most) = range(&aired.packets("v").windows(2).map(|pair| pair[1].dts - pair[0].dts).collect::<Vec<_>>());
    assert!(most <= 0.042, "{most} s without a picture");
    assert!(aired.ended.count("batches") >= 5, "{}", aired.ended.report());
}

#[tokio::test]
async fn ac3_in_the_first_pid_and_aac_in_the_second() {
    let file = outboard_tests::field::made("two sounds", |path| {
        let words = "-map 0:v -map 0:a -map 0:a -c:v copy -c:a:0 ac3 -b:a:0 128k -c:a:1 copy -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu";
        let one = plain();
        let mut all = vec!["-i", one.to_str().unwrap()];
        all.extend(words.split(' '));
        all.push(path.to_str().unwrap());
        ffmpeg(&all);
    });
    let (aired, _) = changed(&file, |_, packets| packets.concat()).await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    assert!(aired.ended.lines_with("ac3 (eng), not used") > 0, "{:#?}", aired.ended.log);
}

/// A camera without sound whose parameter sets say 25 pictures a second, and that sends one each 1.5 s.
#[tokio::test]
async fn a_slow_camera() {
    let file = outboard_tests::field::made("slow", |path| {
        let fast = path.with_extension("mp4");
        let picture = outboard_tests::field::picture("320x180", 25);
        let coded =
            "-t 1.6 -c:v libx264 -preset veryfast -threads 1 -bf 0 -g 4 -keyint_min 4 -sc_threshold 0 -pix_fmt yuv420p";
        let mut all = vec!["-f", "lavfi", "-i", &picture];
        all.extend(coded.split(' '));
        all.push(fast.to_str().unwrap());
        ffmpeg(&all);
        let slow = path.with_extension("slow.mp4");
        let (fast, slow) = (fast.to_str().unwrap(), slow.to_str().unwrap());
        ffmpeg(&["-i", fast, "-c", "copy", "-bsf:v", "setts=ts=TS*37.5", slow]);
        ffmpeg(&["-i", slow, "-c", "copy", path.to_str().unwrap()]);
    });
    let dir = tempfile::tempdir().unwrap();
    let files = segments(&file, dir.path(), "s", 6, "");
    let origin = serve(dir.path()).await;
    origin.put("/x.m3u8", listed(&files, "6"));
    let options = ["--batch-seconds", "12", "--speed", "6", "--cushion-seconds", "4"];
    let aired = aired(&origin, "/x.m3u8", &options).await;
    let pictures = source_packets(&[file], "v");
    assert_eq!(pictures.len(), 40);
    aired.has(&pictures, &[]);
    let (least, most) = range(&aired.packets("v").windows(2).map(|pair| pair[1].dts - pair[0].dts).collect::<Vec<_>>());
    assert!((least - 1.5).abs() <= ROUNDING && (most - 1.5).abs() <= ROUNDING, "{least} s to {most} s");
}

/// Ten seconds of stereo, then mono in the same PID.
#[tokio::test]
async fn other_channels_in_mid_batch() {
    let stereo = clip(10, &format!("{AUDIO} -vn -f adts"));
    let mono = clip(14, "-c:a aac -b:a 96k -ac 1 -vn -f adts");
    let file = outboard_tests::field::made("stereo, then mono", |path| {
        let both = path.with_extension("aac");
        std::fs::write(&both, [std::fs::read(&stereo).unwrap(), std::fs::read(&mono).unwrap()].concat()).unwrap();
        let (one, both) = (plain(), both.to_str().unwrap().to_owned());
        let all = ["-i", one.to_str().unwrap(), "-i", &both, "-map", "0:v", "-map", "1:a", "-c", "copy", "-t", "24"];
        ffmpeg(&[&all[..], &[path.to_str().unwrap()]].concat());
    });
    let (aired, _) = changed(&file, |_, packets| packets.concat()).await;
    let (pictures, sounds) = both(std::slice::from_ref(&file));
    assert!(pictures.len() == 600 && sounds.len() > 1100, "{} and {}", pictures.len(), sounds.len());
    aired.has(&pictures, &sounds);
    aired.in_step(&pictures, &sounds);
    let frames = outboard_tests::media::packets(&stereo, "a").len();
    assert_eq!(aired.configurations(), [(0, vec![0x11, 0x90]), (frames, vec![0x11, 0x88])]);
}
