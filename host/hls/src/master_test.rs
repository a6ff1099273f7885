use super::*;

fn parse(body: &str) -> Result<Master, PlaylistError> {
    parse_master(&Url::parse("https://host/a/master.m3u8?t=1").unwrap(), &format!("#EXTM3U\n{body}"))
}

#[test]
fn variants_and_renditions() {
    let master = parse(
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,URI=\"en/a.m3u8\"\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"inside\"\n\
         #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"sub\",URI=\"s.m3u8\"\n\
         #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i.m3u8\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=3000,RESOLUTION=1280x720,CODECS=\"avc1.4d401f,mp4a.40.2\",AUDIO=\"aac\",NAME=\"720p\"\n\
         # a comment between\n720/x.m3u8?q=2\n#EXT-X-STREAM-INF:PROGRAM-ID=1\n/one.m3u8\n",
    )
    .unwrap();
    assert!(master.warnings.is_empty(), "{:?}", master.warnings);
    let first = &master.variants[0];
    assert_eq!(first.url.as_str(), "https://host/a/720/x.m3u8?q=2");
    assert_eq!((first.bandwidth, first.resolution), (3000, Some((1280, 720))));
    assert_eq!((first.name.as_deref(), first.audio_group.as_deref()), (Some("720p"), Some("aac")));
    assert_eq!(first.codecs.as_deref(), Some("avc1.4d401f,mp4a.40.2"));
    assert_eq!((master.variants[1].url.as_str(), master.variants[1].bandwidth), ("https://host/one.m3u8", 0));
    let audio: Vec<_> =
        master.audio.iter().map(|r| (r.name.as_str(), r.url.as_ref().unwrap().is_some(), r.default)).collect();
    assert_eq!(audio, [("English", true, true), ("inside", false, false)]);
}

#[test]
fn one_bad_tag_harms_no_other() {
    let master = parse(
        "#EXT-X-STREAM-INF:BANDWIDTH=1\ngood.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=x,RESOLUTION=big\nodd.m3u8\n\
         #EXT-X-STREAM-INF:BANDWIDTH=2\nfile:///etc/passwd\nstray.m3u8\n#EXT-X-MEDIA:GROUP-ID=\"a\"\n",
    )
    .unwrap();
    let variants: Vec<_> = master.variants.iter().map(|variant| (variant.uri.as_str(), variant.bandwidth)).collect();
    assert_eq!(variants, [("good.m3u8", 1), ("odd.m3u8", 0)]);
    assert_eq!(master.warnings.len(), 5, "{:?}", master.warnings);
    assert_eq!(parse("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"i\"\n"), Err(PlaylistError::NoVariants));
}

/// Each of these faults made a strict parser drop the whole rendition or variant.
#[test]
fn an_odd_attribute_drops_nothing() {
    let odd = [
        r#"TYPE=AUDIO,FORCED=NO,GROUP-ID="a",NAME="Sound",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="s.m3u8""#,
        r#"TYPE=AUDIO,INSTREAM-ID="CC1",GROUP-ID="a",NAME="Sound",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="s.m3u8""#,
        "TYPE=AUDIO,GROUP-ID=a,NAME=Sound,LANGUAGE=en,DEFAULT=YES,AUTOSELECT=YES,URI=s.m3u8",
        r#" TYPE="AUDIO" , GROUP-ID = "a", NAME="Sound" ,LANGUAGE="en", DEFAULT=yes , AUTOSELECT=Yes , URI="s.m3u8" "#,
        r#"type=audio,group-id="a",name="Sound",language="en",default=YES,autoselect=YES,uri="s.m3u8",CHANNELS=2,X-NEW=1"#,
        r#"TYPE=AUDIO,GROUP-ID="a",NAME="Sound",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHARACTERISTICS=,URI="s.m3u8""#,
    ];
    for tag in odd {
        let master =
            parse(&format!("#EXT-X-MEDIA:{tag}\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nv.m3u8\n")).unwrap();
        let [sound] = &master.audio[..] else { panic!("{tag}: {master:?}") };
        assert_eq!((sound.group.as_str(), sound.name.as_str(), sound.language.as_deref()), ("a", "Sound", Some("en")));
        assert_eq!(sound.url.as_ref().unwrap().as_ref().unwrap().path(), "/a/s.m3u8", "{tag}");
        assert!(sound.default && sound.autoselect && master.warnings.is_empty(), "{tag}: {:?}", master.warnings);
    }
    let odd = [
        r#"BANDWIDTH=3000.0,RESOLUTION=1280.0x720.0,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a""#,
        "BANDWIDTH=2999.7,RESOLUTION=1280X720,CODECS=avc1.4d401f,mp4a.40.2,AUDIO=a",
        r#"BANDWIDTH="3000", RESOLUTION="1280x720", CODECS="avc1.4d401f,mp4a.40.2", AUDIO=a, FRAME-RATE=x, SCORE=1"#,
        r#"AVERAGE-BANDWIDTH=3000,RESOLUTION=1280 x 720,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a",CLOSED-CAPTIONS=NONE"#,
    ];
    for tag in odd {
        let master = parse(&format!("#EXT-X-STREAM-INF:{tag}\nv.m3u8\n")).unwrap();
        let [variant] = &master.variants[..] else { panic!("{tag}: {master:?}") };
        assert_eq!((variant.bandwidth, variant.resolution), (3000, Some((1280, 720))), "{tag}");
        assert_eq!(variant.codecs.as_deref(), Some("avc1.4d401f,mp4a.40.2"), "{tag}");
        assert_eq!((variant.audio_group.as_deref(), master.warnings.len()), (Some("a"), 0), "{tag}");
    }
}

#[test]
fn a_sound_whose_address_cannot_be_used_stays_known() {
    let master = parse(
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"skd://k?token=secret\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\nv.m3u8\n",
    );
    let why = master.unwrap().audio[0].url.clone().unwrap_err();
    assert!(why.contains("'skd://k'") && !why.contains("secret"), "{why}");
}

#[test]
fn variables_are_filled_in() {
    let text = "#EXT-X-DEFINE:NAME=\"q\",VALUE=\"token=abc\"\n#EXT-X-DEFINE:QUERYPARAM=\"t\"\n\
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g{$t}\",NAME=\"x\",URI=\"s.m3u8?{$q}\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"g1\"\nv.m3u8?{$q}\n";
    let master = parse(text).unwrap();
    assert_eq!(master.variants[0].url.as_str(), "https://host/a/v.m3u8?token=abc");
    assert_eq!(master.audio[0].group, "g1");
    assert_eq!(master.audio[0].url.as_ref().unwrap().as_ref().unwrap().query(), Some("token=abc"));
    let undefined = parse("#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8?{$q}\n");
    assert_eq!(undefined, Err(PlaylistError::Undefined { line: 3, name: "q".into() }));
    assert!(matches!(parse("#EXT-X-DEFINE:IMPORT=\"q\"\n"), Err(PlaylistError::Define { line: 2, .. })));
}

#[test]
fn the_start_for_all_its_playlists() {
    let start = |tag: &str| parse(&format!("#EXT-X-START:{tag}\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n")).unwrap();
    assert_eq!(start("TIME-OFFSET=-12.5,PRECISE=YES").start_us, Some(-12_500_000));
    assert_eq!((start("TIME-OFFSET=x").start_us, start("PRECISE=YES").warnings.len()), (None, 1));
}

#[test]
fn what_is_read_is_bounded() {
    let master = parse(&"#EXT-X-STREAM-INF:BANDWIDTH=1\nv\n".repeat(MASTER_ENTRIES_MAX + 100)).unwrap();
    assert_eq!((master.variants.len(), master.warnings.len()), (MASTER_ENTRIES_MAX, PLAYLIST_WARNINGS_MAX));
}
