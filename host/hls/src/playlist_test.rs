use std::time::Duration;

use outboard_media::segment::Cue;

use super::super::crypt::BLOCK;
use super::super::media_playlist::{Entry, Key, KeySource};
use super::super::tags::date_us;
use super::*;

fn parse(text: &str) -> Result<MediaPlaylist, PlaylistError> {
    parse_media(&Url::parse("https://host/live/index.m3u8?token=1").unwrap(), text, None)
}

fn entries(body: &str) -> Vec<Entry> {
    parse(&format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{body}")).unwrap().entries
}

#[test]
fn a_live_playlist_in_full() {
    let playlist = parse(
        "#EXTM3U\r\n#EXT-X-VERSION:3\r\n#EXT-X-TARGETDURATION:6\r\n#EXT-X-MEDIA-SEQUENCE:258\r\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:4\r\n\r\n#EXTINF:5.005,title, with a comma\r\na.ts\r\n\
         #EXT-X-DISCONTINUITY\r\n#EXTINF:6\r\n/top/b.ts?n=2\r\n#EXTINF:6.0,\r\nhttp://cdn/c.ts#x\r\n#EXT-X-ENDLIST",
    )
    .unwrap();
    assert_eq!(playlist.target, Duration::from_secs(6));
    assert!(playlist.ended && playlist.warnings.is_empty());
    let facts: Vec<_> = playlist
        .entries
        .iter()
        .map(|e| (e.sequence, e.uri.as_str(), e.duration_us, e.discontinuity, e.discontinuity_sequence))
        .collect();
    assert_eq!(
        facts,
        [
            (258, "https://host/live/a.ts", 5_005_000, false, 4),
            (259, "https://host/top/b.ts?n=2", 6_000_000, true, 5),
            (260, "http://cdn/c.ts", 6_000_000, false, 5),
        ]
    );
}

#[test]
fn variables_are_filled_in_where_addresses_and_keys_stand() {
    let base = Url::parse("https://host/live/index.m3u8?token=a%20b").unwrap();
    let mut master = Variables::default();
    master.define(1, "NAME=\"dir\",VALUE=\"media\"", &base, None).unwrap();
    let read = |body: &str| parse_media(&base, &format!("#EXTM3U\n{body}"), Some(&master));
    let playlist = read(
        "#EXT-X-DEFINE:IMPORT=\"dir\"\n#EXT-X-DEFINE:QUERYPARAM=\"token\"\n#EXT-X-DEFINE:NAME=\"iv\",VALUE=\"102\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"{$dir}/k\",IV=0x{$iv}\n#EXT-X-MAP:URI=\"{$dir}/i.mp4\"\n\
         #EXTINF:6,{$title}\n{$dir}/a.ts?t={$token}\n",
    )
    .unwrap();
    let entry = &playlist.entries[0];
    assert_eq!(entry.uri.as_str(), "https://host/live/media/a.ts?t=a%20b");
    assert_eq!(entry.map.as_ref().unwrap().uri.path(), "/live/media/i.mp4");
    let key = Key::Aes128 {
        source: KeySource::At(Url::parse("https://host/live/media/k").unwrap()),
        iv: Some(super::super::crypt::implicit_iv(258)),
    };
    assert_eq!(entry.key.as_deref(), Some(&key));
    assert_eq!(read("#EXTINF:6,\n{$dir}/a.ts\n"), Err(PlaylistError::Undefined { line: 3, name: "dir".into() }));
    assert!(matches!(read("#EXT-X-DEFINE:IMPORT=\"x\"\n"), Err(PlaylistError::Define { line: 2, .. })));
}

#[test]
fn what_is_no_playlist_is_named() {
    let got = |text: &str| match parse(text) {
        Err(PlaylistError::NotAPlaylist { got }) => got,
        other => panic!("{other:?}"),
    };
    assert_eq!(got("<html>"), "a web page (HTML)");
    assert_eq!(got(""), "nothing");
    assert_eq!(parse("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx\n"), Err(PlaylistError::NestedMaster));
    assert_eq!(parse("#EXTM3U\n#EXT-X-I-FRAMES-ONLY\n"), Err(PlaylistError::IFramesOnly));
    assert_eq!(parse("#EXTM3U\n"), Err(PlaylistError::Empty));
    assert!(parse("\u{feff}#EXTM3U\n#EXT-X-TARGETDURATION:4\n").unwrap().entries.is_empty(), "a stream not yet on");
}

#[test]
fn only_http_addresses() {
    let uri = |line: &str| parse(&format!("#EXTM3U\n#EXTINF:1,\n{line}\n")).unwrap_err();
    assert_eq!(uri("file:///etc/passwd"), PlaylistError::Uri { line: 3, what: "file:".into() });
    assert_eq!(uri("http://[::1?token=secret"), PlaylistError::Uri { line: 3, what: "http://[::1".into() });
    assert_eq!(
        parse("#EXTM3U\n#EXT-X-MAP:BYTERANGE=\"1\"\n").unwrap_err(),
        PlaylistError::Uri { line: 2, what: String::new() }
    );
}

#[test]
fn byte_ranges_follow_each_other() {
    let list = entries(
        "#EXT-X-MAP:URI=\"m.mp4\",BYTERANGE=\"700\"\n#EXTINF:6,\n#EXT-X-BYTERANGE:100\nm.mp4\n\
         #EXTINF:6,\n#EXT-X-BYTERANGE:50@2000\nm.mp4\n#EXTINF:6,\n#EXT-X-BYTERANGE:25\nm.mp4\n#EXTINF:6,\nn.mp4\n",
    );
    let ranges: Vec<_> = list.iter().map(|entry| entry.range).collect();
    assert_eq!(ranges, [Some((700, 100)), Some((2000, 50)), Some((2050, 25)), None]);
    assert_eq!(list[3].map.as_ref().unwrap().range, Some((0, 700)));
    for (value, uri) in [("10", "a.ts"), ("x@1", "a.ts"), ("0@1", "a.ts"), ("1@18446744073709551615", "a.ts")] {
        let text = format!("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:{value}\n{uri}\n");
        assert_eq!(parse(&text), Err(PlaylistError::ByteRange { line: 3, value: value.into() }));
    }
}

#[test]
fn an_implicit_range_needs_the_same_resource_directly_before() {
    let text =
        "#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:10@0\na.ts\n#EXTINF:1,\nb.ts\n#EXTINF:1,\n#EXT-X-BYTERANGE:10\na.ts\n";
    assert!(matches!(parse(text), Err(PlaylistError::ByteRange { line: 8, .. })));
}

#[test]
fn keys_apply_until_changed_and_maps_keep_theirs() {
    let list = entries(
        "#EXTINF:6,\na.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k1\",IV=0x10\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:6,\nb.ts\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k2\"\n#EXTINF:6,\nc.ts\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:6,\nd.ts\n\
         #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n#EXTINF:6,\ne.ts\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k3\"\n#EXTINF:6,\nf.ts\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=5\n#EXTINF:6,\ng.ts\n",
    );
    let key = |n: usize| list[n].key.as_deref();
    let url = |name: &str| Url::parse(&format!("https://host/live/{name}")).unwrap();
    assert_eq!(key(0), None);
    let mut iv = [0; BLOCK];
    iv[15] = 0x10;
    let first = Key::Aes128 { source: KeySource::At(url("k1")), iv: Some(iv) };
    assert_eq!(key(1), Some(&first));
    assert_eq!(key(2), Some(&Key::Aes128 { source: KeySource::At(url("k2")), iv: None }));
    assert_eq!(list[2].map.as_ref().unwrap().key.as_deref(), Some(&first), "the key where EXT-X-MAP stands");
    assert_eq!(key(3), None);
    let drm = Key::Unsupported { method: "SAMPLE-AES".into(), keyformat: "com.apple.streamingkeydelivery".into() };
    assert_eq!(key(4), Some(&drm));
    assert_eq!(
        key(5),
        Some(&Key::Aes128 { source: KeySource::At(url("k3")), iv: None }),
        "of two keys, the one that can be used"
    );
    let broken = Key::Unsupported { method: "AES-128".into(), keyformat: "identity".into() };
    assert!(key(6) == Some(&broken) || key(6) == Some(&drm), "a vector that cannot be read is no vector");
}

#[test]
fn a_key_may_stand_in_the_playlist() {
    let list = entries("#EXT-X-KEY:METHOD=AES-128,URI=\"data:;base64,MDEyMzQ1Njc4OWFiY2RlZg==\"\n#EXTINF:6,\na.ts\n");
    let key = Key::Aes128 { source: KeySource::Given(*b"0123456789abcdef"), iv: None };
    assert_eq!(list[0].key.as_deref(), Some(&key));
    assert!(!format!("{key:?}").contains("48"), "{key:?}");
    let wrong = parse("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"data:,short\"\n#EXTINF:6,\na.ts\n");
    assert_eq!(wrong, Err(PlaylistError::Key { line: 2, why: "does not hold 16 bytes" }));
}

#[test]
fn a_start_and_numbers_that_are_missing() {
    let read = |tags: &str| parse(&format!("#EXTM3U\n#EXT-X-TARGETDURATION:6\n{tags}#EXTINF:6,\na\n")).unwrap();
    let start = |tag: &str| read(&format!("#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-START:{tag}\n"));
    assert_eq!(start("TIME-OFFSET=-7.25,PRECISE=YES").start_us, Some(-7_250_000));
    assert_eq!(start("TIME-OFFSET=12").start_us, Some(12_000_000));
    assert_eq!((start("PRECISE=NO").start_us, start("TIME-OFFSET=x").warnings.len()), (None, 1));
    assert!(read("#EXT-X-MEDIA-SEQUENCE:0\n").numbered && read("#EXT-X-MEDIA-SEQUENCE:0\n").warnings.is_empty());
    assert!(!read("").numbered && read("").warnings.len() == 1);
    assert!(read("#EXT-X-PLAYLIST-TYPE:EVENT\n").warnings.is_empty(), "nothing leaves it, so it needs no numbers");
}

#[test]
fn a_segment_without_a_length_counts_as_long_as_the_target() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:0,\na\n#EXTINF:5,\nb\nc\n";
    let playlist = parse(text).unwrap();
    let durations: Vec<_> = playlist.entries.iter().map(|entry| entry.duration_us).collect();
    assert_eq!(durations, [6_000_000, 5_000_000, 6_000_000]);
    assert!(playlist.warnings.len() == 1 && playlist.warnings[0].contains("EXTINF"), "{:?}", playlist.warnings);
}

#[test]
fn date_times_are_carried_both_ways_but_not_over_a_discontinuity() {
    let list = entries(
        "#EXTINF:2,\na\n#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:02.000+0000\n#EXTINF:2.5,\nb\n#EXTINF:2,\nc\n\
         #EXT-X-DISCONTINUITY\n#EXTINF:2,\nd\n#EXT-X-PROGRAM-DATE-TIME:2024-01-01T01:00:00.5+01:00\n#EXTINF:2,\ne\n",
    );
    let base = 1_704_067_200_000_000;
    let times: Vec<_> = list.iter().map(|entry| entry.time_us.map(|time| time - base)).collect();
    assert_eq!(times, [0, 2_000_000, 4_500_000, -1_500_000, 500_000].map(Some));
    let dates = list.iter().filter(|entry| entry.date_us.is_some()).count();
    assert_eq!(dates, 2);
    assert_eq!(date_us("2024-01-01T00:00:00"), Some(base), "no offset counts as UTC");
    assert_eq!(date_us("yesterday"), None);
}

#[test]
fn date_times_that_do_not_rise_are_not_used() {
    let text = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:02Z\n#EXTINF:2,\na\n\
                #EXT-X-PROGRAM-DATE-TIME:2024-01-01T00:00:02Z\n#EXTINF:2,\nb\n#EXT-X-PROGRAM-DATE-TIME:x\n#EXTINF:2,\nc\n";
    let playlist = parse(text).unwrap();
    assert!(playlist.entries.iter().all(|entry| entry.time_us.is_none()));
    assert_eq!(playlist.warnings.len(), 2);
    let apart = text.replacen("#EXTINF:2,\nb", "#EXT-X-DISCONTINUITY\n#EXTINF:2,\nb", 1);
    assert!(parse(&apart).unwrap().entries.iter().all(|entry| entry.time_us.is_some()));
}

#[test]
fn cues_belong_to_the_segment_they_precede() {
    let list = entries(
        "#EXT-X-CUE-OUT:30.5\n#EXT-X-GAP\n#EXTINF:6,\na\n#EXT-X-CUE-OUT-CONT:6/30\n#EXTINF:6,\nb\n#EXT-X-CUE-IN\n#EXTINF:6,\nc\n\
         #EXT-X-CUE-OUT:DURATION=15\n#EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2024-01-01T00:00:00Z\"\n#EXTINF:6,\nd\n\
         #EXT-X-CUE-OUT\n#EXTINF:6,\ne\n",
    );
    let cues: Vec<_> = list.into_iter().map(|entry| (entry.gap, entry.cues)).collect();
    let range = "EXT-X-DATERANGE:ID=\"1\",START-DATE=\"2024-01-01T00:00:00Z\"";
    assert_eq!(
        cues,
        [
            (true, vec![Cue::Out(Some(30_500_000))]),
            (false, vec![Cue::Other("EXT-X-CUE-OUT-CONT:6/30".into())]),
            (false, vec![Cue::In]),
            (false, vec![Cue::Out(Some(15_000_000)), Cue::Other(range.into())]),
            (false, vec![Cue::Out(None)]),
        ]
    );
}

#[test]
fn odd_numbers_do_no_harm() {
    let playlist =
        parse("#EXTM3U\n#EXT-X-TARGETDURATION:x\n#EXTINF:-1,\na\n#EXTINF:NaN,\nb\n#EXTINF:1e9,\nc\n").unwrap();
    let durations: Vec<_> = playlist.entries.iter().map(|entry| entry.duration_us).collect();
    assert_eq!(durations, [0, 0, 3_600_000_000]);
    assert_eq!(playlist.target, Duration::from_secs(60), "the longest segment stands in for the target, up to a bound");
}
