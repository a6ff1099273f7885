//! What ffmpeg may reach, and how a hung one ends.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use outboard::ffmpeg::{self, FfmpegError};
use outboard_tests::attacks::ffmpeg::{foreign, real, runs, wrapper};
use outboard_tests::door::CountingListener;
use outboard_tests::host::{Host, binary};
use outboard_tests::media::{Clip, LiveOrigin, entries, packets};
use outboard_tests::receiver::free_port;
use tokio::process::Command;

/// Longer than any step here takes, unless it is broken.
const PATIENCE: Duration = Duration::from_secs(240);

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<PathBuf> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let ours = |path: &PathBuf| {
        let stat = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        let after = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').nth(1).unwrap_or_default().to_owned());
        after.is_some_and(|id| id == parent.to_string())
    };
    all.filter(ours).collect()
}

async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: not in {PATIENCE:?}");
}

/// The wrapper is killed, and also the process that it waits for, which holds its output open.
#[tokio::test]
async fn a_hung_ffmpeg_behind_a_wrapper_ends_with_all_it_started() {
    // Distinguishes this sleep from all others on the machine.
    let long = format!("{}.{}", 1_000_000, std::process::id());
    let storage = tempfile::tempdir().unwrap();
    let (_dir, path) = wrapper(&format!("echo hung >&2; sleep {long} & wait"));
    let doctor = Command::new(binary())
        .args(["doctor", "--storage", storage.path().to_str().unwrap()])
        .env("PATH", path)
        .output();
    let doctor = tokio::spawn(doctor);
    until("the wrapper has started something", || runs(&long)).await;
    let output = tokio::time::timeout(PATIENCE, doctor).await.expect("the check ends").unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("took longer than 10s and was ended: hung"), "{text}");
    // It would sleep for days.
    until("what the wrapper started is gone", || !runs(&long)).await;
}

/// A run that hangs uses up its time limit, but the stream continues.
#[tokio::test]
async fn a_hung_run_is_done_again_and_the_stream_goes_on() {
    let long = format!("{}.{}", 2_000_000, std::process::id());
    // Demuxing batch 1 hangs once: the file shows that it did.
    let (_dir, path) = wrapper(&format!(
        "for word in \"$@\"; do case $word in */batch-1/*.part) dir=${{word%/*}};; esac; done
         set -C
         if [ -n \"$dir\" ] && {{ true > \"$dir/hung\"; }} 2> /dev/null; then sleep {long} & wait; fi
         exec {} \"$@\"",
        real().display()
    ));
    let media = tempfile::tempdir().unwrap();
    let origin = LiveOrigin::start(foreign(&Clip::small(24), media.path())).await;
    let (storage, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = format!("file:{}/out.mkv", out.path().display());
    let storage = storage.path().to_str().unwrap();
    let options = ["run", "--storage", storage, "--source", &origin.url, "--batch-seconds", "4", "--batches", "3"];
    let host = Host::spawn_with(&[&options[..], &["--to", &to]].concat(), &[("PATH", &path)]);
    until("the wrapper has started something", || runs(&long)).await;
    let ended = host.ended(PATIENCE).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.count("batches"), 3, "{:#?}", ended.log);
    assert!(ended.lines_with("took longer than 30s") > 0, "{:#?}", ended.log);
    assert_eq!(ended.lines_with("from batch 0 on ffmpeg demuxes it"), 1, "{:#?}", ended.log);
    assert!(packets(&out.path().join("out.mkv"), "a").len() > 500, "{:#?}", ended.log);
    until("what the wrapper started is gone", || !runs(&long)).await;
}

/// Everything that other users of the machine can see of the host's children, and their arguments.
#[tokio::test]
async fn children_have_no_secrets_in_their_arguments_and_no_environment() {
    const PASSPHRASE: &str = "PASSPHRASE-0123456789";
    const STREAM: &str = "STREAM-0123456789";
    let origin = LiveOrigin::start(entries(&Clip::small(24), false)).await;
    let (storage, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (port, file) = (free_port(), out.path().join("srt.ts"));
    let mut listener = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-i"])
        .arg(format!("srt://127.0.0.1:{port}?mode=listener&passphrase={PASSPHRASE}"))
        .args(["-map", "0", "-c", "copy", "-f", "mpegts"])
        .arg(&file)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let to = format!("srt://127.0.0.1:{port}?passphrase={PASSPHRASE}&streamid=#!::r={STREAM}");
    let storage = storage.path().to_str().unwrap();
    let options = ["run", "--storage", storage, "--source", &origin.url, "--batch-seconds", "4", "--batches", "3"];
    let host = Host::spawn_with(&options, &[("OUTBOARD_AIR__TO", &to), ("SECRET_OF_OURS", PASSPHRASE)]);
    let pid = host.pid();
    let ended = tokio::spawn(host.ended(PATIENCE));
    let (mut lines, mut names) = (HashSet::new(), HashSet::new());
    while !ended.is_finished() {
        for child in children(pid) {
            let line = String::from_utf8_lossy(&std::fs::read(child.join("cmdline")).unwrap_or_default()).into_owned();
            // Between fork and exec it is still the host's program.
            if !line.split('\0').next().is_some_and(|program| program.ends_with("ffmpeg")) {
                continue;
            }
            let environment = std::fs::read(child.join("environ")).unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment).into_owned();
            let set = environment.split('\0').filter_map(|set| Some(set.split_once('=')?.0.to_owned()));
            names.extend(set);
            lines.insert(line);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ended = ended.await.unwrap();
    assert!(ended.status.success(), "{:#?}", ended.log);
    let to: Vec<_> = lines.iter().filter(|line| line.contains("srt://127.0.0.1")).collect();
    assert!(!to.is_empty(), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains(PASSPHRASE) && !line.contains(STREAM)), "{lines:#?}");
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    assert_eq!(names, ["LC_ALL", "PATH"]);
    // The listener accepts nobody without the passphrase.
    tokio::time::timeout(PATIENCE, listener.wait()).await.unwrap().unwrap();
    assert!(packets(&file, "v").len() > 100, "too little arrived");
    assert_eq!(ended.lines_with(PASSPHRASE), 0, "the log");
}

/// Runs ffmpeg on a stranger's file, with all protocols allowed: only the confinement protects.
async fn reads(dir: &Path, arguments: &[&str]) -> Result<Vec<u8>, FfmpegError> {
    let mut command = ffmpeg::command("file,pipe,concat,subfile,crypto,data,http,tcp,udp,unix");
    command.reads(dir).args(arguments).args(["-map", "0", "-c", "copy", "-f", "mpegts", "pipe:1"]);
    ffmpeg::output("attack", command, 1 << 20, PATIENCE).await
}

/// Playlists that name files and addresses elsewhere, as a segment could contain one.
#[tokio::test]
async fn a_list_in_the_place_of_media_reaches_nothing_outside() {
    if outboard::process::support().landlock_abi.is_none() {
        return;
    }
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let door = CountingListener::at("127.0.0.1").await;
    let segment = Clip::small(24).segments().join("segment-0.ts");
    let (inner, outer) = (dir.path().join("inner.ts"), outside.path().join("outer.ts"));
    std::fs::copy(&segment, &inner).unwrap();
    std::fs::copy(&segment, &outer).unwrap();
    let write = |name: &str, text: String| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let hls = |at: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{at}\n#EXT-X-ENDLIST\n");
    let (inner, outer, port) = (inner.display(), outer.display(), door.port());
    // Where the playlist's target is allowed, it works; otherwise the rest of this test proves nothing.
    let good = write("good.m3u8", hls(&format!("file://{inner}")));
    assert!(!reads(dir.path(), &["-f", "hls", "-i", &good]).await.unwrap().is_empty());
    let good = write("good.txt", format!("ffconcat version 1.0\nfile 'file:{inner}'\n"));
    assert!(!reads(dir.path(), &["-f", "concat", "-safe", "0", "-i", &good]).await.unwrap().is_empty());

    let file = write("file.m3u8", hls(&format!("file://{outer}")));
    let http = write("http.m3u8", hls(&format!("http://127.0.0.1:{port}/x.ts")));
    let concat = write("concat.txt", format!("ffconcat version 1.0\nfile 'file:{outer}'\n"));
    let passwd = write("passwd.txt", "ffconcat version 1.0\nfile 'file:/etc/passwd'\n".to_owned());
    let subfile = format!("subfile,,start,0,end,1000,,:{outer}");
    let joined = format!("concat:{inner}|{outer}");
    // The playlist reader skips a segment that cannot be opened, and nothing is left.
    for list in [&file, &http] {
        reads(dir.path(), &["-f", "hls", "-i", list]).await.expect_err(list);
    }
    for arguments in [
        &["-f", "concat", "-safe", "0", "-i", &concat][..],
        &["-f", "concat", "-safe", "0", "-i", &passwd],
        &["-f", "mpegts", "-i", &subfile],
        &["-f", "mpegts", "-i", &joined],
    ] {
        let error = reads(dir.path(), arguments).await.expect_err(&arguments.join(" ")).to_string();
        assert!(error.contains("ermission denied"), "{arguments:?}: {error}");
    }
    let to = format!("udp://127.0.0.1:{port}");
    reads(dir.path(), &["-i", &inner.to_string(), "-c", "copy", "-f", "mpegts", &to]).await.expect_err(&to);
    assert_eq!(door.came().await, (0, false));
}

/// The output of a run is in its own folder.
#[tokio::test]
async fn a_run_writes_where_it_may_and_nowhere_else() {
    if outboard::process::support().landlock_abi.is_none() {
        return;
    }
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let run = async |to: PathBuf| {
        let mut command = ffmpeg::command("file,pipe");
        command.writes(dir.path()).args(["-f", "lavfi", "-i", "sine=d=0.1", "-f", "wav"]).arg(&to);
        ffmpeg::output("attack", command, 0, PATIENCE).await.map(|_| to)
    };
    assert!(run(dir.path().join("in.wav")).await.unwrap().exists());
    let outer = outside.path().join("out.wav");
    let error = run(outer.clone()).await.unwrap_err().to_string();
    assert!(error.contains("ermission denied") && !outer.exists(), "{error}");
}

/// systemd's own rating of the units, from 0 (confined) to 10.
#[tokio::test]
async fn the_units_leave_the_service_few_rights() {
    /// 2.5 of 10, in the form that the tool expects.
    const MOST: &str = "--threshold=25";
    for unit in ["outboard.service", "outboard@.service"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(unit);
        assert!(file.exists(), "{}", file.display());
        let judged =
            Command::new("systemd-analyze").args(["security", "--offline=true", MOST]).arg(&file).output().await;
        // Not every machine that runs the tests has systemd.
        let Ok(judged) = judged else { return };
        let text = String::from_utf8_lossy(&judged.stdout);
        assert!(text.contains("Overall exposure level"), "{text} {}", String::from_utf8_lossy(&judged.stderr));
        assert!(judged.status.success(), "{unit}: {text}");
    }
}
