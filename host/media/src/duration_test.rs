use super::*;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// A packet in which a PES packet of this stream begins, at a time in ticks of 90 kHz.
fn pes(pid: u16, stream: u8, time: u64) -> Vec<u8> {
    let time = time & ((1 << 33) - 1);
    let [high, low] = pid.to_be_bytes();
    let mut packet = vec![0x47, 0x40 | high, low, 0x10, 0, 0, 1, stream, 0, 0, 0x80, 0x80, 5];
    let stamp = |shift: u32, mask: u64| u8::try_from(time >> shift & mask).unwrap();
    packet.extend([
        0x21 | stamp(30, 7) << 1,
        stamp(22, 0xFF),
        stamp(15, 0x7F) << 1 | 1,
        stamp(7, 0xFF),
        stamp(0, 0x7F) << 1 | 1,
    ]);
    packet.resize(TS_PACKET, 0xFF);
    packet
}

fn ts(times: impl IntoIterator<Item = u64>) -> Vec<u8> {
    times.into_iter().flat_map(|time| [pes(256, 0xE0, time), pes(257, 0xC0, time / 2)].concat()).collect()
}

#[test]
fn a_transport_stream_lasts_as_long_as_its_pictures() {
    let length = |bytes: &[u8]| of_ts(file(bytes).path()).unwrap().length;
    assert_eq!(length(&ts((0..50).map(|n| n * 3600))), Some(Duration::from_secs(2)));
    let wrapped = (0..50).map(|n| ((1_u64 << 33) - 20 * 3600).wrapping_add(n * 3600));
    assert_eq!(length(&ts(wrapped)), Some(Duration::from_secs(2)), "over the end of the 33 bits");
    let jump = (0..50).map(|n| n * 3600 + if n < 25 { 900_000_000 } else { 0 });
    assert_eq!(length(&ts(jump)), Some(Duration::from_millis(1960)), "one step is a jump");
    assert_eq!(length(&ts((0..4).map(|n| n * 135_000))), Some(Duration::from_secs(6)), "a slow camera");
    let sound = (0..20).flat_map(|n| pes(257, 0xC0, n * 9000)).collect::<Vec<_>>();
    assert_eq!(length(&sound), Some(Duration::from_secs(2)), "sound alone");
    assert_eq!(length(&ts([5])), None, "one picture tells nothing");
    assert_eq!(length(&[0x47; 1000]), None);
    assert_eq!(length(&[]), None);
    assert_eq!(length(&ts((0..1000).map(|n| n * 90_000))), None, "not to be believed");
}

#[test]
fn a_transport_stream_tells_whether_its_pictures_come_evenly() {
    let even = |times: &[u64]| of_ts(file(&ts(times.iter().copied())).path()).unwrap().even;
    let pictures = |step: fn(u64) -> u64| (0..50).map(step).collect::<Vec<_>>();
    assert!(even(&pictures(|n| n * 3600)), "25 a second");
    assert!(even(&pictures(|n| n * 3_003 / 2)), "59.94 a second");
    assert!(even(&pictures(|n| n * 1000 / 30 * 90)), "30 a second, in milliseconds");
    assert!(even(&pictures(|n| ((1 << 33) - 20 * 3600) + n * 3600)), "over the end of the 33 bits");
    assert!(!even(&pictures(|n| n * 3600 + n / 25 * 3600)), "one is missing");
    assert!(!even(&pictures(|n| n * 3600 + if n < 25 { 900_000_000 } else { 0 })), "a jump");
    let reordered = [0, 3600, 10_800, 7200, 14_400];
    assert!(!even(&reordered), "one goes back");
}

#[test]
fn a_transport_stream_names_its_pids() {
    let all = [pes(256, 0xE0, 0), pes(257, 0xC0, 0), pes(258, 0xBD, 0), pes(256, 0xE0, 3600)].concat();
    assert_eq!(of_ts(file(&all).path()).unwrap().pids, BTreeSet::from([256, 257]));
    assert_eq!(of_ts(Path::new("/nonexistent")), None);
}

fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], name, &body].concat()
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn moov() -> Vec<u8> {
    let trak = boxed(
        b"trak",
        &[
            &boxed(b"tkhd", &[&words(&[0, 0, 0, 7])]),
            &boxed(b"mdia", &[&boxed(b"mdhd", &[&words(&[0, 0, 0, 12_800, 0])])]),
        ],
    );
    boxed(b"moov", &[&trak, &boxed(b"mvex", &[&boxed(b"trex", &[&words(&[0, 7, 1, 512, 0])])])])
}

fn moof(tfhd: &[u32], trun: &[u32]) -> Vec<u8> {
    let traf = boxed(b"traf", &[&boxed(b"tfhd", &[&words(tfhd)]), &boxed(b"trun", &[&words(trun)])]);
    [boxed(b"moof", &[&traf]), boxed(b"mdat", &[&[0; 50]])].concat()
}

#[test]
fn an_mp4_segment_lasts_as_long_as_its_samples() {
    let init = file(&[boxed(b"ftyp", &[b"iso5"]), moov()].concat());
    let length = |bytes: &[u8]| of_mp4(file(bytes).path(), Some(init.path()));
    let second = Some(Duration::from_secs(1));
    assert_eq!(length(&moof(&[0x20000, 7], &[0, 25])), second, "the default of the track");
    assert_eq!(length(&moof(&[0x20008, 7, 256], &[0, 50])), second, "the default of the fragment");
    assert_eq!(length(&moof(&[0x20009, 7, 0, 0, 256], &[0, 50])), second, "behind an offset");
    let each = moof(&[0x20000, 7], &[0x301, 2, 99, 6400, 1, 6400, 1]);
    assert_eq!(length(&each), second, "of each sample");
    assert_eq!(length(&[each.clone(), each].concat()), Some(Duration::from_secs(2)), "two fragments");
    assert_eq!(length(&moof(&[0x20000, 8], &[0, 25])), None, "another track");
    assert_eq!(length(&moof(&[0x20000, 7], &[0x100, 5, 1])), Some(Duration::from_micros(78)), "cut off");
    assert_eq!(length(&[0, 0, 0, 3, b'm', b'o', b'o', b'f']), None);
    let own = [moov(), moof(&[0x20000, 7], &[0, 25])].concat();
    assert_eq!(of_mp4(file(&own).path(), None), second, "with its own moov");
}

#[test]
fn packed_audio_lasts_as_long_as_its_frames() {
    let frame = [&[0xFF, 0xF1, 0x4C, 0x80, 0x01, 0x9F, 0xFC][..], &[0; 5]].concat();
    let tagged = [b"ID3\x04\0\0\0\0\0\x02xx".to_vec(), frame.repeat(47)].concat();
    assert_eq!(of_adts(file(&tagged).path()), Some(Duration::from_micros(47 * 1024 * 1_000_000 / 48_000)));
    assert_eq!(of_adts(file(&frame.repeat(47)).path()), of_adts(file(&tagged).path()));
    assert_eq!(of_adts(file(&[&frame.repeat(3)[..], b"more"].concat()).path()), None, "frames do not fill it");
    assert_eq!(of_adts(file(b"nothing of the kind").path()), None);
    assert_eq!(of_adts(file(b"").path()), None);
}
