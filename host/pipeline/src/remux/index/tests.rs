//! An index that is read is the one that was written, and nothing else is taken for one.

use super::*;

fn header(first: usize, codec: Codec, body: &'static [u8]) -> SequenceHeader {
    SequenceHeader { first, codec, body: Bytes::from_static(body) }
}

fn index(dir: &Path) -> AirIndex {
    let tag = |n: u64, key| Tag { offset: 40 + n * 10, len: 10, dts_ms: (1 << 33) + n * 40, composition_ms: -7, key };
    let video = Track {
        path: dir.join(names::VIDEO),
        headers: vec![header(0, Codec::H264, b"one"), header(3, Codec::H264, b"two")],
        tags: (0..5).map(|n| tag(n, n % 3 == 0)).collect(),
    };
    let mut audio = Track {
        path: dir.join(names::AUDIO),
        headers: vec![header(0, Codec::Aac, b"aac")],
        tags: (0..9).map(|n| tag(n, false)).collect(),
    };
    // Not in the order of the file, and back in time.
    audio.tags.swap(2, 7);
    let ready = ReadyBatch {
        number: 7,
        metadata: Some(Bytes::from_static(b"meta")),
        video,
        audio,
        start_ms: 1 << 33,
        end_ms: (1 << 33) + 200,
    };
    let form = Form { width: 320, height: 180, sample_rate: 44_100, channels: 2 };
    AirIndex { ready, form, place: Some(Place { sequence: 9, discontinuity: 2, start_ms: 1 << 33 }) }
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in [names::VIDEO, names::AUDIO] {
        std::fs::write(dir.path().join(name), [0; 200]).unwrap();
    }
    dir
}

#[test]
fn what_is_written_is_read() {
    let dir = folder();
    let wrote = index(dir.path());
    wrote.write(dir.path()).unwrap();
    let read = AirIndex::read(dir.path()).unwrap();
    assert_eq!((&read.ready.video, &read.ready.audio), (&wrote.ready.video, &wrote.ready.audio));
    assert_eq!((read.form, read.place, &read.ready.metadata), (wrote.form, wrote.place, &wrote.ready.metadata));
    let numbers = |ready: &ReadyBatch| (ready.number, ready.start_ms, ready.end_ms);
    assert_eq!(numbers(&read.ready), numbers(&wrote.ready));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "nothing temporary is left");
    // A batch without a track, and one without any.
    for (video, audio) in [(Track::default(), wrote.ready.audio.clone()), Default::default()] {
        let ready = ReadyBatch { video: video.clone(), audio: audio.clone(), ..wrote.ready.clone() };
        AirIndex { ready, place: None, ..wrote.clone() }.write(dir.path()).unwrap();
        let read = AirIndex::read(dir.path()).unwrap().ready;
        assert_eq!((read.video, read.audio), (video, audio));
    }
    AirIndex::remove(dir.path()).unwrap();
    AirIndex::remove(dir.path()).unwrap();
    assert!(matches!(AirIndex::read(dir.path()), Err(IndexError::Io { .. })));
}

#[test]
fn what_is_torn_or_damaged_is_not_used() {
    let dir = folder();
    index(dir.path()).write(dir.path()).unwrap();
    let path = dir.path().join(names::AIR_INDEX);
    let whole = std::fs::read(&path).unwrap();
    let check = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = AirIndex::read(dir.path()).unwrap_err();
        assert!(matches!(error, IndexError::Invalid { .. }), "{what}: {error}");
        error.to_string()
    };
    for end in 0..whole.len() {
        check(&whole[..end], "cut off");
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        check(&damaged, "damaged");
    }
    check(&[&whole[..], b"x"].concat(), "longer");
    let other = [&b"AIRIDX\r\x02"[..], &whole[8..]].concat();
    assert!(check(&other, "a later version").ends_with("air.index is no index of this version"));
}

/// Whoever can write an index can also write its checksum.
#[test]
fn what_its_files_do_not_have_is_refused() {
    let dir = folder();
    let refused = |change: &dyn Fn(&mut StoredIndex)| {
        let mut stored = index(dir.path()).stored(dir.path()).unwrap();
        change(&mut stored);
        let payload = postcard::to_allocvec(&stored).unwrap();
        let bytes = [&MAGIC[..], &Sha256::digest(&payload), &payload].concat();
        std::fs::write(dir.path().join(names::AIR_INDEX), bytes).unwrap();
        AirIndex::read(dir.path()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(refused(&|_| {}), Ok(()));
    let cases: [(&dyn Fn(&mut StoredIndex), &str); 9] = [
        (&|index| index.audio.packets[8].0 += 71, "has a packet at 191 of 10 bytes, and audio.fmp4 has 200"),
        (&|index| index.audio.packets[0].0 = -1, "has a packet at 18446744073709551615 of 10 bytes"),
        (&|index| index.video.packets[0].1 = u32::MAX, "of 4294967295 bytes, and video.fmp4 has 200"),
        (&|index| index.video.file = "../video.fmp4".into(), "which cannot be in the batch's folder"),
        (&|index| index.video.file = "/etc/passwd".into(), "which cannot be in the batch's folder"),
        (&|index| index.video.file = "gone.fmp4".into(), "names the file gone.fmp4: "),
        (&|index| index.video.headers[1].0 = 0, "has sequence headers out of order"),
        (&|index| index.video.headers.clear(), "has sequence headers out of order"),
        (&|index| index.audio.headers[0].1 = "mp9".into(), "has the codec \"mp9\", which is not known"),
    ];
    for (change, words) in cases {
        let error = refused(change).unwrap_err();
        assert!(error.contains(words), "{error} has not {words}");
    }
    std::fs::write(dir.path().join(names::VIDEO), [0; 89]).unwrap();
    assert!(refused(&|_| {}).unwrap_err().contains("and video.fmp4 has 89"));
}
