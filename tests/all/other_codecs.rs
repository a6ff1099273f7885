//! Sources whose pictures are not H.264, and whose sound is not AAC.
//!
//! Can fail: a server that says that it takes HEVC gets other bytes than the source's; one that does not say it gets any; a
//! destination that refuses stops the others; sound that is encoded is missing, or not told.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard::media::flv::TagKind;
use outboard_tests::host::Host;
use outboard_tests::media::{Entry, LiveOrigin, ffmpeg};
use outboard_tests::receiver::nginx::Nginx;

/// Segments of 2 s, with these words for the coding.
fn made(dir: &Path, seconds: u32, coding: &str) -> Vec<Entry> {
    let inputs = format!(
        "-f lavfi -i testsrc2=s=320x180:r=30:d={seconds} -f lavfi -i anoisesrc=c=pink:seed=3:a=0.3:d={seconds}:r=48000"
    );
    let list = dir.join("list.m3u8").display().to_string();
    let segments = dir.join("segment-%d.ts").display().to_string();
    let mut words: Vec<String> = inputs.split_whitespace().chain(coding.split_whitespace()).map(Into::into).collect();
    words.extend("-f hls -hls_time 2 -hls_list_size 0 -hls_segment_filename".split_whitespace().map(Into::into));
    words.extend([segments, list]);
    ffmpeg(&words);
    let entry = |n| Entry { path: dir.join(format!("segment-{n}.ts")), discontinuity: false };
    (0..seconds / 2).map(entry).collect()
}

#[tokio::test]
async fn sound_that_is_not_aac_goes_on_air_as_aac() {
    let dir = tempfile::tempdir().unwrap();
    let video = "-c:v libx264 -preset ultrafast -g 60 -keyint_min 60 -sc_threshold 0";
    let programme = made(dir.path(), 16, &format!("{video} -c:a libmp3lame -ac 2 -b:a 128k"));
    let origin = LiveOrigin::start(programme).await;
    let nginx = Nginx::start();
    let storage = tempfile::tempdir().unwrap();
    let to = nginx.url("mp3");
    let options = ["--source", &origin.url, "--to", &to, "--batch-seconds", "4", "--batches", "100"];
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(180)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("packets_lost"), 0, "{:#?}", ended.log);
    assert_eq!(ended.lines_with("sound mp3 is encoded to AAC 128 kb/s"), 1, "{:#?}", ended.log);
    let recording = nginx.recordings("mp3").remove(0);
    let times: Vec<u64> =
        recording.packets.iter().filter(|packet| packet.kind == TagKind::Audio).map(|packet| packet.dts_ms).collect();
    // 16 s of 1024 samples each, without a hole: a hole would be a step of 42 ms or more.
    assert!((748..=753).contains(&times.len()), "{} packets of sound", times.len());
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(steps.iter().all(|step| (20..=23).contains(step)), "{steps:?}");
    assert_eq!(ended.count("packets_in"), recording.packets.len() as u64);
}
