//! Playlists of unusual form, with real media.

use outboard_tests::field::segments;
use outboard_tests::media::ffmpeg;

use super::*;

/// Each segment lasts 2 s, of which the playlist says nothing: batches are cut by the media.
#[tokio::test]
async fn extinf_of_zero() {
    let dir = tempfile::tempdir().unwrap();
    let files = segments(&plain(), dir.path(), "s", 2, "");
    let origin = serve(dir.path()).await;
    origin.put("/x.m3u8", listed(&files, "0"));
    let aired = aired(&origin, "/x.m3u8", &QUICK).await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    assert_eq!(aired.ended.count("batches"), 6, "24 s in batches of 4 s: {:#?}", aired.ended.log);
}

/// Names with a value, from the playlist's query, and imported from the master playlist.
#[tokio::test]
async fn variables_in_addresses() {
    let dir = tempfile::tempdir().unwrap();
    let files = segments(&plain(), &dir.path().join("media"), "s", 2, "");
    let origin = serve(dir.path()).await;
    let names = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    let lines: String = names.map(|name| format!("#EXTINF:2,\n{{$dir}}/{name}?t={{$token}}\n")).collect();
    origin.put(
        "/live.m3u8",
        format!(
            "#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:IMPORT=\"dir\"\n#EXT-X-DEFINE:QUERYPARAM=\"token\"\n\
             #EXT-X-TARGETDURATION:3\n{lines}#EXT-X-ENDLIST\n"
        ),
    );
    origin.put(
        "/master.m3u8",
        "#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-DEFINE:NAME=\"dir\",VALUE=\"media\"\n#EXT-X-DEFINE:NAME=\"q\",VALUE=\"token=abc\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=320x180,CODECS=\"avc1.64000d,mp4a.40.2\"\nlive.m3u8?{$q}\n",
    );
    let aired = aired(&origin, "/master.m3u8?token=xyz", &QUICK).await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    let asked: Vec<String> = origin.log().iter().map(|asked| format!("{}?{}", asked.path, asked.query)).collect();
    for wanted in ["/live.m3u8?token=abc", "/media/s0.ts?t=abc"] {
        assert!(asked.iter().any(|asked| asked == wanted), "{wanted}: {asked:?}");
    }
}

/// The sound is a rendition of its own, whose EXT-X-MEDIA has an attribute that belongs to subtitles only.
#[tokio::test]
async fn separate_sound_with_a_wrong_attribute() {
    let dir = tempfile::tempdir().unwrap();
    let whole = plain();
    for (map, name) in [("0:v", "v"), ("0:a", "a")] {
        let one = dir.path().join(format!("{name}.ts"));
        let all = ["-i", whole.to_str().unwrap(), "-map", map, "-c", "copy", "-copyts", "-muxdelay", "0"];
        ffmpeg(&[&all[..], &[one.to_str().unwrap()]].concat());
        segments(&one, dir.path(), name, 2, "-copyts");
    }
    let origin = serve(dir.path()).await;
    origin.put(
        "/master.m3u8",
        "#EXTM3U\n#EXT-X-VERSION:6\n\
         #EXT-X-MEDIA:LANGUAGE=\"en\",AUTOSELECT=YES,FORCED=NO,TYPE=AUDIO,URI=\"a.m3u8\",GROUP-ID=\"audio\",DEFAULT=YES,NAME=\"Sound\"\n\
         #EXT-X-STREAM-INF:RESOLUTION=320x180,FRAME-RATE=25.0,BANDWIDTH=500000,AUDIO=\"audio\"\nv.m3u8\n",
    );
    let aired = aired(&origin, "/master.m3u8", &QUICK).await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    aired.in_step(&pictures, &sounds);
}

/// fMP4 with composition offsets below 0, and the sound as a rendition of its own whose segments are longer. The first
/// picture and the first sound are shown at the same time.
#[tokio::test]
async fn offsets_below_zero_and_separate_sound() {
    let dir = tempfile::tempdir().unwrap();
    let whole = plain();
    for (map, name, flags, seconds) in [
        ("0:v", "v", "+cmaf+negative_cts_offsets+default_base_moof", "2"),
        ("0:a", "a", "+cmaf+default_base_moof", "3"),
    ] {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let (pattern, list) = (folder.join("%03d.m4s"), folder.join("list.m3u8"));
        let options = format!("movflags={flags}");
        let all = ["-i", whole.to_str().unwrap(), "-map", map, "-c", "copy"];
        let bare: &[&str] = if name == "a" { &["-bsf:a", "aac_adtstoasc"] } else { &[] };
        let hls = ["-f", "hls", "-hls_time", seconds, "-hls_list_size", "0", "-hls_segment_type", "fmp4"];
        let names = ["-hls_segment_options", &options, "-hls_fmp4_init_filename", "init.mp4"];
        let paths = ["-hls_segment_filename", pattern.to_str().unwrap(), list.to_str().unwrap()];
        ffmpeg(&[&all[..], bare, &hls, &names, &paths].concat());
    }
    let origin = serve(dir.path()).await;
    origin.put(
        "/master.m3u8",
        "#EXTM3U\n#EXT-X-VERSION:7\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"a/list.m3u8\"\n\
         #EXT-X-STREAM-INF:RESOLUTION=320x180,BANDWIDTH=500000,AUDIO=\"a\",CODECS=\"avc1.64000d,mp4a.40.2\"\nv/list.m3u8\n",
    );
    let aired = aired(&origin, "/master.m3u8", &QUICK).await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    let first = |stream| range(&aired.packets(stream).iter().map(|packet| packet.pts).collect::<Vec<_>>()).0;
    let skew = first("v") - first("a");
    assert!(skew.abs() <= ROUNDING, "the first picture is shown {skew} s after the first sound");
}

/// A live playlist that slides and has no EXT-X-MEDIA-SEQUENCE.
#[tokio::test]
async fn no_media_sequence() {
    let dir = tempfile::tempdir().unwrap();
    let files = segments(&plain(), dir.path(), "s", 2, "");
    let origin = serve(dir.path()).await;
    let window = |end: usize| {
        let all = listed(&files[end.saturating_sub(5)..end], "2").replace("#EXT-X-MEDIA-SEQUENCE:0\n", "");
        let all = all.replace("TARGETDURATION:7", "TARGETDURATION:2");
        if end == files.len() { all } else { all.replace("#EXT-X-ENDLIST\n", "") }
    };
    origin.script("/x.m3u8", (3..=files.len()).map(window));
    let aired = aired(&origin, "/x.m3u8", &["--batch-seconds", "4", "--cushion-seconds", "4", "--speed", "2"]).await;
    let (pictures, sounds) = both(&[plain()]);
    aired.has(&pictures, &sounds);
    assert_eq!(aired.ended.count("batches"), 6, "not one for each segment: {:#?}", aired.ended.log);
    assert_eq!(aired.ended.lines_with("there is no EXT-X-MEDIA-SEQUENCE"), 1, "{:#?}", aired.ended.log);
}
