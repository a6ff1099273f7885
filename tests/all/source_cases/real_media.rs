//! Playlists and media made by ffmpeg, served unchanged and compared with what ffmpeg itself reads from them.

use std::path::Path;
use std::process::Command;

use outboard::media::segment::Container;
use outboard_tests::host::Host;

use super::*;

/// Runs ffmpeg in a folder; returns its output. `#` stands for a space inside an argument.
fn ffmpeg(dir: &Path, arguments: &str) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.current_dir(dir).args(["-nostdin", "-hide_banner", "-loglevel", "error"]);
    let output = command
        .args(arguments.split_whitespace().map(|argument| argument.replace('#', " ")))
        .output()
        .expect("ffmpeg is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

const INPUT: &str = "-f lavfi -i testsrc2=size=160x90:rate=25:duration=6 -f lavfi -i sine=duration=6 \
    -c:v libx264 -preset ultrafast -g 25 -c:a aac -b:a 32k";

/// Serves every file of a folder.
async fn serve(dir: &Path) -> Origin {
    let origin = Origin::start().await;
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        origin.put(&format!("/{name}"), Reply::ok(std::fs::read(entry.path()).unwrap()));
    }
    origin
}

async fn segments(run: &mut Run) -> Vec<Segment> {
    let mut segments = Vec::new();
    while let Some(event) = run.event().await {
        match event {
            SourceEvent::Segment(segment) => segments.push(*segment),
            SourceEvent::Started(_) | SourceEvent::Ended => {}
            other => panic!("{other:?}"),
        }
    }
    segments
}

#[tokio::test]
async fn encrypted_transport_streams_hold_the_same_packets() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    std::fs::write(dir.join("key.bin"), b"0123456789abcdef").unwrap();
    std::fs::write(dir.join("key.info"), "key.bin\nkey.bin\n").unwrap();
    ffmpeg(dir, &format!("{INPUT} -f hls -hls_time 2 -hls_list_size 0 -hls_key_info_file key.info x.m3u8"));
    let read = "-f framehash -hash md5 -";
    let wanted = ffmpeg(dir, &format!("-allowed_extensions ALL -i x.m3u8 -map 0 -c copy {read}"));
    let origin = serve(dir).await;
    let mut run = Run::start(origin.url("/x.m3u8"));
    let segments = segments(&mut run).await;
    assert_eq!(segments.len(), 3);
    assert!(segments.iter().all(|segment| segment.main.container == Container::MpegTs && !segment.discontinuity));
    let joined: Vec<u8> = segments.iter().flat_map(|segment| std::fs::read(&segment.main.path).unwrap()).collect();
    std::fs::write(dir.join("joined.ts"), joined).unwrap();
    let got = ffmpeg(dir, &format!("-i joined.ts -map 0 -c copy {read}"));
    let hashes = |text: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(text).into_owned();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut hashes: Vec<String> = lines
            .map(|line| format!("{} {}", &line[..1], line.rsplit(',').next().unwrap_or_default().trim()))
            .collect();
        // The two readers interleave the tracks differently; within a track the order counts.
        hashes.sort_by_key(|line| line.starts_with('1'));
        hashes
    };
    assert!(hashes(&wanted).len() > 300);
    assert_eq!(hashes(&got), hashes(&wanted));
}

#[tokio::test]
async fn one_file_of_fragments_with_separate_sound_by_byte_ranges() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    ffmpeg(
        dir,
        &format!(
            "{INPUT} -map 0:v -map 1:a -f hls -hls_time 2 -hls_list_size 0 -hls_segment_type fmp4 -hls_flags single_file \
             -var_stream_map v:0,agroup:a,name:video#a:0,agroup:a,name:sound,default:yes \
             -master_pl_name master.m3u8 %v.m3u8"
        ),
    );
    let origin = serve(dir).await;
    let mut run = Run::start(origin.url("/master.m3u8"));
    let segments = segments(&mut run).await;
    assert_eq!(segments.len(), 3);
    let joined = |parts: Vec<&Part>| -> Vec<u8> {
        let init = std::fs::read(parts[0].init.as_ref().unwrap()).unwrap();
        let media = parts.iter().flat_map(|part| std::fs::read(&part.path).unwrap());
        init.into_iter().chain(media).collect()
    };
    let file = |prefix: &str| std::fs::read(dir.join(format!("{prefix}.m4s"))).unwrap();
    assert!(joined(segments.iter().map(|segment| &segment.main).collect()) == file("video"));
    let sound: Vec<&Part> = segments.iter().flat_map(|segment| &segment.audio).collect();
    assert!(sound.iter().all(|part| part.container == Container::Fmp4));
    assert!(joined(sound) == file("sound"), "every sound segment once and in order");
}

#[tokio::test]
async fn a_segment_is_as_long_as_its_media_whatever_the_playlist_says() {
    let temp = tempfile::tempdir().unwrap();
    for (kind, extinf) in [("mpegts", "0"), ("fmp4", "30"), ("mpegts", "1")] {
        let dir = temp.path().join(format!("{kind}-{extinf}"));
        std::fs::create_dir(&dir).unwrap();
        ffmpeg(&dir, &format!("{INPUT} -f hls -hls_time 2 -hls_list_size 0 -hls_segment_type {kind} x.m3u8"));
        let text = std::fs::read_to_string(dir.join("x.m3u8")).unwrap();
        let lie = |line: &str| if line.starts_with("#EXTINF") { format!("#EXTINF:{extinf},") } else { line.to_owned() };
        let lies = text.lines().map(lie).collect::<Vec<_>>().join("\n");
        std::fs::write(dir.join("x.m3u8"), lies.replace("TARGETDURATION:2", "TARGETDURATION:9")).unwrap();
        let origin = serve(&dir).await;
        let mut run = Run::start(origin.url("/x.m3u8"));
        let (mut lengths, mut warnings) = (Vec::new(), Vec::new());
        while let Some(event) = run.event().await {
            match event {
                SourceEvent::Segment(segment) => lengths.push(segment.duration.as_millis()),
                SourceEvent::Warning(text) => warnings.push(text),
                _ => {}
            }
        }
        assert_eq!(lengths, [2000; 3], "{kind} {extinf}: {warnings:?}");
        let told = warnings.iter().filter(|text| text.contains("segment 0 lasts 2.000 s")).count();
        assert_eq!(told, 1, "{warnings:?}");
    }
}

/// Segments of 2 s: an EXTINF that is wrong by little is no reason for a warning, and for no other batches.
#[tokio::test]
async fn a_segment_is_as_long_as_its_media_where_the_playlist_is_nearly_right() {
    let temp = tempfile::tempdir().unwrap();
    for (kind, extinf) in [("mpegts", "1.6"), ("fmp4", "2.4")] {
        let dir = temp.path().join(kind);
        std::fs::create_dir(&dir).unwrap();
        ffmpeg(&dir, &format!("{INPUT} -f hls -hls_time 2 -hls_list_size 0 -hls_segment_type {kind} x.m3u8"));
        let text = std::fs::read_to_string(dir.join("x.m3u8")).unwrap();
        let lie = |line: &str| if line.starts_with("#EXTINF") { format!("#EXTINF:{extinf},") } else { line.to_owned() };
        std::fs::write(dir.join("x.m3u8"), text.lines().map(lie).collect::<Vec<_>>().join("\n")).unwrap();
        let origin = serve(&dir).await;
        let lengths: Vec<_> = segments(&mut Run::start(origin.url("/x.m3u8"))).await;
        let lengths: Vec<_> = lengths.iter().map(|segment| segment.duration.as_millis()).collect();
        assert_eq!(lengths, [2000; 3], "{kind} {extinf}");
    }
}

/// Three segments of 2 s are listed, of which the playlist says that they last 30 s. By the target duration it would be
/// loaded again after 30 s.
#[tokio::test]
async fn a_target_duration_that_is_too_long_does_not_delay_the_next_load() {
    let temp = tempfile::tempdir().unwrap();
    ffmpeg(temp.path(), &format!("{INPUT} -f hls -hls_time 2 -hls_list_size 0 -hls_segment_filename s%d.ts x.m3u8"));
    let origin = serve(temp.path()).await;
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:30\n#EXT-X-MEDIA-SEQUENCE:70\n";
    let listed: String = (0..3).map(|n| format!("#EXTINF:30,\ns{n}.ts\n")).collect();
    origin.script("/x.m3u8", [format!("{head}{listed}"), format!("{head}{listed}#EXT-X-ENDLIST\n")]);
    let mut run = Run::start(origin.url("/x.m3u8"));
    while run.event().await.is_some() {}
    let at: Vec<_> = origin.asked("/x.m3u8").iter().map(|asked| asked.at).collect();
    let wait = at[1] - at[0];
    assert!((Duration::from_secs(2)..Duration::from_secs(25)).contains(&wait), "{wait:?}");
}

#[tokio::test]
async fn a_picture_without_the_sound_that_is_promised_does_not_go_on_air() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let picture = "-f lavfi -i testsrc2=size=160x90:rate=25:duration=4 -c:v libx264 -preset ultrafast -g 25";
    ffmpeg(dir, &format!("{picture} -f hls -hls_time 2 -hls_list_size 0 x.m3u8"));
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.42c00a,mp4a.40.2\"\nx.m3u8\n";
    std::fs::write(dir.join("master.m3u8"), master).unwrap();
    let origin = serve(dir).await;
    let run = async |name: &str| {
        let storage = tempfile::tempdir().unwrap();
        let to = format!("file://{}", storage.path().join("air.flv").display());
        let source = origin.url(name).to_string();
        let options = ["--source", &source, "--to", &to, "--batch-seconds", "2", "--speed", "4", "--batches", "1"];
        Host::run(storage.path(), &options).ended(PATIENCE).await
    };
    let refused = run("/master.m3u8").await;
    assert_eq!(refused.status.code(), Some(1), "{:#?}", refused.log);
    assert!(refused.lines_with("declares audio (CODECS=") > 0, "{:#?}", refused.log);
    let silent = run("/x.m3u8").await;
    assert!(silent.status.success() && silent.count("packets_on_air") > 0, "a media playlist promises nothing");
}
