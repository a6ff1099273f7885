//! Destinations that use ffmpeg: files and SRT.

use super::delivery::changing;
use super::*;

/// Packets of a media file as ffprobe reads them: kind and digest of the codec's data, in order per track.
fn probe(url: &str, flags: &[&str]) -> [Vec<String>; 2] {
    ["v", "a"].map(|track| {
        let output = std::process::Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-loglevel", "error"])
            .args(flags)
            .args(["-i", url, "-map", &format!("0:{track}"), "-c", "copy"])
            .args(if track == "v" { &["-bsf:v", "h264_mp4toannexb,filter_units=remove_types=9"][..] } else { &[] })
            .args(["-f", "framemd5", "-"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit(',').next().unwrap().trim().to_owned())
            .collect()
    })
}

#[tokio::test]
async fn files_of_all_kinds_hold_the_stream() {
    let dir = scratch();
    let batches = batches(dir.path(), 3);
    let names = ["out.flv", "out.mkv", "out.mp4", "out.ts"];
    let url = |name: &&str| format!("file:{}/{name}", dir.path().display());
    let programme = Programme::new(names.iter().map(|name| to(name, &url(name))).collect(), 8.0);
    programme.start(&batches);
    let (status, events, _) = programme.drain().await;
    let want = spooled(&batches);
    for status in &status {
        assert_eq!(
            (status.state.clone(), sent(status)),
            (DestinationState::Done, want.len() as u64),
            "{}",
            status.name
        );
    }
    assert!(!events.iter().any(|event| matches!(event, AirEvent::Lost { .. })), "{events:?}");
    assert_same(&Recording::read(&dir.path().join("out.flv")).packets, &from_first(&want));
    let path = |name: &str| dir.path().join(name).display().to_string();
    let [video, audio] = probe(&path("out.flv"), &[]);
    assert_eq!(video.len() + audio.len(), want.len());
    for name in ["out.mkv", "out.mp4"] {
        assert!(probe(&path(name), &[]) == [video.clone(), audio.clone()], "{name}");
    }
    // MPEG-TS wraps audio in ADTS and video in access unit delimiters, so only numbers are compared.
    let [ts_video, ts_audio] = probe(&path("out.ts"), &[]);
    assert_eq!((ts_video.len(), ts_audio.len()), (video.len(), audio.len()));
}

#[tokio::test]
async fn a_changed_header_starts_a_new_file_and_a_dead_process_another() {
    let dir = scratch();
    let mut all = SMALL.batches(dir.path(), 0, 1, 2_000, 0);
    all.extend(OTHER_SIZE.batches(dir.path(), 1, 1, 2_000, 2_000));
    let out = scratch();
    let programme = Programme::new(vec![to("a", &format!("file:{}/x.mkv", out.path().display()))], 8.0);
    programme.start(&all);
    let (status, _, _) = programme.drain().await;
    assert_eq!((status[0].counters.sessions, status[0].counters.reconnects), (2, 0));
    let [first, _] = probe(&out.path().join("x.mkv").display().to_string(), &[]);
    let [second, _] = probe(&out.path().join("x-2.mkv").display().to_string(), &[]);
    assert_eq!((first.len(), second.len()), (50, 50));
}

/// An output that cannot take a new header is followed by another one, once for each change, and no packet is lost.
#[tokio::test]
async fn outputs_that_take_no_new_header_are_followed_by_others() {
    let (dir, out) = (scratch(), scratch());
    let (batch, sound) = changing(dir.path());
    let all = [batch];
    let programme = Programme::new(vec![to("a", &format!("file:{}/x.mkv", out.path().display()))], 2.0);
    programme.start(&all);
    let (status, _, _) = programme.drain().await;
    let counters = status[0].counters;
    assert_eq!((counters.sessions, counters.reconnects, status[0].state.clone()), (3, 0, DestinationState::Done));
    let want = spooled(&all).len() as u64;
    assert_eq!(sent(&status[0]) - counters.repeated, want);
    // Only pictures repeat: from the key frame at 1 s to the change of the sound.
    assert!(counters.repeated > 0 && counters.repeated <= 25, "{}", counters.repeated);
    let files = ["x.mkv", "x-2.mkv", "x-3.mkv"].map(|name| probe(&out.path().join(name).display().to_string(), &[]));
    let sounds: Vec<_> = files.iter().map(|[_, audio]| audio.len()).collect();
    assert_eq!((sounds[0], sounds.iter().sum::<usize>()), (sound, all[0].audio.tags.len()));
    assert_eq!(files[2][0].len(), all[0].video.tags.len() - 50);
}

#[tokio::test]
async fn srt_carries_the_stream() {
    let (dir, out) = (scratch(), scratch());
    let batches = batches(dir.path(), 3);
    let port = outboard_tests::receiver::free_port();
    let path = out.path().join("srt.ts");
    let mut listener = tokio::process::Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-copyts", "-i"])
        .arg(format!("srt://127.0.0.1:{port}?mode=listener&passphrase=0123456789ab"))
        .args(["-map", "0", "-c", "copy", "-f", "mpegts"])
        .arg(&path)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let url = format!("srt://127.0.0.1:{port}?mode=caller&passphrase=0123456789ab");
    let programme = Programme::new(vec![to("a", &url)], 2.0);
    programme.start(&batches);
    let (status, _, _) = programme.drain().await;
    let want = spooled(&batches);
    assert_eq!(
        (status[0].state.clone(), sent(&status[0]) - status[0].counters.repeated),
        (DestinationState::Done, want.len() as u64)
    );
    assert!(!status[0].url.contains("0123456789"), "{}", status[0].url);
    timeout(SOON, listener.wait()).await.unwrap().unwrap();
    let [video, audio] = probe(&path.display().to_string(), &[]);
    // With a live protocol the start may be lost while the other side probes the stream, but not the end.
    assert!(video.len() >= 140 && audio.len() >= 240, "{} {}", video.len(), audio.len());
}
