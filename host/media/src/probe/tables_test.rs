use super::*;

fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), &name[..], body].concat()
}

/// A box of 32-bit numbers, version and flags first.
fn table(name: &[u8; 4], numbers: &[u32]) -> Vec<u8> {
    boxed(name, &numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>())
}

fn around(names: &[&[u8; 4]], inner: Vec<u8>) -> Vec<u8> {
    names.iter().rev().fold(inner, |inner, name| boxed(name, &inner))
}

/// A file whose one track has these tables.
fn tables(tables: &[Vec<u8>]) -> Vec<u8> {
    [around(&[b"moov", b"trak", b"mdia", b"minf", b"stbl"], tables.concat()), boxed(b"mdat", &[0; 400])].concat()
}

/// A file with one track and one fragment that has these boxes; the default size of samples is 10 bytes.
fn fragment(parts: &[Vec<u8>]) -> Vec<u8> {
    let trex = table(b"trex", &[0, 1, 1, 1024, 10, 0]);
    let moov = boxed(b"moov", &[boxed(b"trak", &[]), boxed(b"mvex", &trex)].concat());
    [moov, around(&[b"moof", b"traf"], parts.concat()), boxed(b"mdat", &[0; 400])].concat()
}

fn wrong(file: &[u8]) -> String {
    check(file).unwrap_err().to_string()
}

const MANY: u32 = u32::MAX;

#[test]
fn tables_that_have_their_bytes_pass() {
    let (stts, stsz) = (table(b"stts", &[0, 1, 40, 1024]), table(b"stsz", &[0, 10, 40]));
    assert_eq!(check(&tables(&[stts, stsz, table(b"stsc", &[0, 1, 1, 40, 1]), table(b"stco", &[0, 1, 64])])), Ok(()));
    assert_eq!(check(&fragment(&[table(b"tfhd", &[0, 1]), table(b"trun", &[0, 40])])), Ok(()));
    let sized = table(b"trun", &[0x301, 2, 8, 1024, 100, 1024, 100]);
    assert_eq!(check(&fragment(&[table(b"tfhd", &[0x10, 1, 99]), sized])), Ok(()));
}

#[test]
fn a_count_without_its_entries_is_refused() {
    for (name, numbers) in [
        (b"stts", &[0, MANY, 1, 1][..]),
        (b"stsz", &[0, 0, MANY, 1]),
        (b"stsc", &[0, MANY, 1, 1, 1]),
        (b"stco", &[0, MANY, 1]),
        (b"co64", &[0, 0x2000_0001, 1, 1]),
        (b"ctts", &[0, MANY, 1, 1]),
    ] {
        let told = wrong(&tables(&[table(name, numbers)]));
        assert!(told.contains(&format!("box {} counts ", String::from_utf8_lossy(name))), "{told}");
    }
    let told = wrong(&fragment(&[table(b"trun", &[0x200, MANY, 1])]));
    assert_eq!(told, "the fmp4 file is damaged: box trun counts 4294967295 entries and has 4 bytes for them");
    let list = around(&[b"moov", b"trak", b"edts"], table(b"elst", &[0, MANY, 1, 1, 1]));
    assert!(wrong(&list).contains("box elst counts "));
}

#[test]
fn samples_without_entries_are_counted_all_the_same() {
    let many = ProbeError::TooManyPackets(Container::Fmp4);
    assert_eq!(check(&fragment(&[table(b"tfhd", &[0x10, 1, 0]), table(b"trun", &[0, MANY])])), Err(many.clone()));
    assert_eq!(check(&tables(&[table(b"stts", &[0, 1, MANY, 1])])), Err(many.clone()));
    assert_eq!(check(&tables(&[table(b"stsz", &[0, 1, MANY])])), Err(many));
}

#[test]
fn samples_cannot_share_bytes() {
    for file in [
        fragment(&[table(b"tfhd", &[0x10, 1, 300]), table(b"trun", &[0, 3])]),
        fragment(&[table(b"tfhd", &[0, 1]), table(b"trun", &[0, 200])]),
        fragment(&[table(b"trun", &[0x200, 2, 1, MANY])]),
        tables(&[table(b"stsz", &[0, 300, 3])]),
        tables(&[table(b"stsz", &[0, 0, 2, 300, 300])]),
    ] {
        assert!(wrong(&file).contains("its samples have "), "{}", wrong(&file));
    }
}

#[test]
fn what_costs_its_square_to_read_is_refused() {
    let slow = Err(ProbeError::TooSlow(Container::Fmp4));
    // 25,000 samples in one run: each looked for from its start.
    let mdat = boxed(b"mdat", &vec![0; 25_000]);
    let one = fragment(&[table(b"tfhd", &[0x10, 1, 1]), table(b"trun", &[0, 25_000])]);
    assert_eq!(check(&[one, mdat.clone()].concat()), slow);
    // As many runs as there is room for, and none of them with a sample, before each of 9,000.
    let empty = table(b"trun", &[0, 0]).repeat(60_000);
    let runs = fragment(&[table(b"tfhd", &[0x10, 1, 1]), empty, table(b"trun", &[0, 9000])]);
    assert_eq!(check(&[runs, mdat.clone()].concat()), slow);
    // A table of times that says nothing, read anew for each sample.
    let times = table(b"stts", &[&[0, 60_000][..], &[0; 120_000]].concat());
    assert_eq!(check(&[tables(&[times, table(b"stsz", &[0, 1, 9000])]), mdat].concat()), slow);
}

#[test]
fn depth_tracks_boxes_and_tags_are_bounded() {
    let deep = (0..1000).fold(Vec::new(), |inner, _| boxed(b"moov", &inner));
    assert_eq!(check(&deep), Ok(()), "only what is read is looked into");
    let tracks = boxed(b"moov", &boxed(b"trak", &[]).repeat(17));
    assert!(wrong(&tracks).contains("more than 16 tracks"));
    let boxes = boxed(b"moov", &boxed(b"free", &[]).repeat(BOXES_MAX));
    assert!(wrong(&boxes).contains("more than 100000 boxes"));
    let tags = boxed(b"moov", &boxed(b"udta", &vec![0; PROBE_TAGS_BYTES_MAX + 1]));
    assert!(wrong(&tags).contains("box udta has 2097153 bytes"));
    let long = boxed(b"moov", &[0, 0, 0, 99, b't', b'r', b'a', b'k']);
    assert!(wrong(&long).contains("box trak is longer than what it lies in"));
    assert!(wrong(&boxed(b"moov", &[0, 0, 0, 3, b't', b'r', b'a', b'k'])).contains("8 bytes in a box are no box"));
}
