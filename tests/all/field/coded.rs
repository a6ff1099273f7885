//! Pictures and sound that are coded in unusual ways: all of it reaches the receiver byte by byte.

use outboard_tests::field::{made, picture, segments, sound};
use outboard_tests::media::ffmpeg;

use super::*;

/// Airs a clip that ffmpeg makes with these arguments, which has a key frame each two seconds, or each `group`.
async fn coded(size: &str, (fps, rate): (u32, u32), seconds: &str, arguments: &str, group: u32) -> (Aired, PathBuf) {
    let file = made(&format!("{size} {fps} {rate} {seconds} {arguments}"), |path| {
        let (picture, sound) = (picture(size, fps), sound(rate));
        let mut all = vec!["-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound, "-t", seconds];
        all.extend(arguments.split_whitespace());
        all.push(path.to_str().unwrap());
        ffmpeg(&all);
    });
    let aired = on_air(&file, group).await;
    (aired, file)
}

/// Airs a file in segments of `group` seconds, and checks that all of it arrives.
async fn on_air(file: &Path, group: u32) -> Aired {
    let dir = tempfile::tempdir().unwrap();
    let files = segments(file, dir.path(), "s", group, "");
    let origin = serve(dir.path()).await;
    origin.put("/x.m3u8", listed(&files, &group.to_string()));
    let batch = (2 * group).to_string();
    let options = ["--batch-seconds", &batch, "--speed", "4", "--cushion-seconds", "4"];
    let aired = aired(&origin, "/x.m3u8", &options).await;
    let (pictures, sounds) = both(&[file.to_owned()]);
    aired.has(&pictures, &sounds);
    // ffmpeg rounds the length of a frame of 22.05 kHz down to ticks of 90 kHz, as often as there are frames in a PES packet.
    aired.in_step_within(ROUNDING + 0.0005, &pictures, &sounds);
    aired
}

#[tokio::test]
async fn interlaced_in_open_groups() {
    let arguments = format!(
        "-c:v libx264 -preset veryfast -threads 1 -bf 3 -b:v 300k -flags +ildct+ilme -x264-params tff=1:open-gop=1:keyint=50:min-keyint=50:scenecut=0 -pix_fmt yuv420p {AUDIO}"
    );
    coded("320x180", (25, 48_000), "12", &arguments, 2).await;
}

#[tokio::test]
async fn fifty_and_sixty_frames_a_second_with_the_core_of_he_aac() {
    for (fps, rate) in [(50, 24_000), (60, 22_050)] {
        let group = fps * 2;
        let arguments = format!(
            "-c:v libx264 -preset veryfast -threads 1 -bf 2 -g {group} -keyint_min {group} -sc_threshold 0 -b:v 400k -pix_fmt yuv420p -c:a aac -b:a 48k -ac 2"
        );
        let (aired, _) = coded("320x180", (fps, rate), "12", &arguments, 2).await;
        let record = if rate == 24_000 { vec![0x13, 0x10] } else { vec![0x13, 0x90] };
        assert_eq!(aired.configurations(), [(0, record)], "{rate} Hz");
    }
}

/// 3840 × 2160 with a key frame each six seconds.
#[tokio::test]
async fn large_pictures_in_long_groups() {
    let arguments =
        format!("-c:v libx264 -preset ultrafast -g 60 -keyint_min 60 -sc_threshold 0 -b:v 8M -pix_fmt yuv420p {AUDIO}");
    let (aired, _) = coded("3840x2160", (10, 48_000), "12", &arguments, 6).await;
    assert_eq!(aired.ended.count("batches"), 1, "two groups: {:#?}", aired.ended.log);
}

/// CEA-608 captions in a SEI message of each picture, with bytes that must be escaped.
#[tokio::test]
async fn captions_in_pictures() {
    let file = made("captions", |path| {
        let annex = path.with_extension("h264");
        ffmpeg(&["-i", plain().to_str().unwrap(), "-map", "0:v", "-c", "copy", annex.to_str().unwrap()]);
        let bytes = std::fs::read(&annex).unwrap();
        let starts: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(&[0, 0, 1])).collect();
        let (mut out, mut count) = (bytes[..starts[0]].to_vec(), 0_u8);
        for (n, at) in starts.iter().enumerate() {
            // The first slice of a picture begins with first_mb_in_slice 0: a one bit.
            if matches!(bytes[at + 3] & 0x1f, 1 | 5) && bytes[at + 4] & 0x80 != 0 {
                count = count % 250 + 1;
                let message = [0xb5, 0, 0x31, b'G', b'A', b'9', b'4', 3, 0xc1, 0xff, 0xfc, count, 0, 0, 3, 1, 0xff];
                out.extend([&[0, 0, 1, 6, 4, message.len() as u8 - 1][..], &message, &[0x80]].concat());
            }
            out.extend(&bytes[*at..starts.get(n + 1).copied().unwrap_or(bytes.len())]);
        }
        std::fs::write(&annex, out).unwrap();
        let (one, annex) = (plain(), annex.to_str().unwrap().to_owned());
        // The times of the pictures are in the clip, not in the bare pictures.
        let mp4 = path.with_extension("mp4");
        ffmpeg(&["-r", "25", "-i", &annex, "-c", "copy", mp4.to_str().unwrap()]);
        let all =
            ["-i", mp4.to_str().unwrap(), "-i", one.to_str().unwrap(), "-map", "0:v", "-map", "1:a", "-c", "copy"];
        ffmpeg(&[&all[..], &[path.to_str().unwrap()]].concat());
    });
    let aired = on_air(&file, 2).await;
    let (bytes, mut reader) = (std::fs::read(aired.file()).unwrap(), TagReader::new());
    reader.feed(&bytes);
    let (mut pictures, mut captions) = (0, Vec::new());
    while let Some(tag) = reader.next_tag().unwrap() {
        if tag.kind == TagKind::Video && tag.body[1] == 1 {
            pictures += 1;
            captions.extend(
                tag.body
                    .windows(12)
                    .filter(|bytes| bytes[..11] == *b"\xb5\0\x31GA94\x03\xc1\xff\xfc")
                    .map(|bytes| bytes[11]),
            );
        }
    }
    let wanted: Vec<u8> = (0..pictures).map(|n| (n % 250) as u8 + 1).collect();
    assert!(pictures >= 600 && captions == wanted, "{} captions in {pictures} pictures", captions.len());
}
