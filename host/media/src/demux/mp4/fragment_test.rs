use super::*;
use crate::limits::DEMUX_SAMPLES_MAX;

fn boxed(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&((body.len() + 8) as u32).to_be_bytes()[..], name, body].concat()
}

fn table(name: &[u8; 4], numbers: &[u32]) -> Vec<u8> {
    boxed(name, &numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>())
}

fn track() -> Track {
    let defaults = Defaults { entry: 1, duration: 10, size: 100, flags: NON_SYNC };
    Track { id: 1, scale: 1000, language: None, entries: vec![], edit: (0, 0), defaults }
}

fn read(trafs: &[Vec<Vec<u8>>], ends: &mut Ends) -> Option<Vec<Sample>> {
    let moof: Vec<u8> = trafs.iter().flat_map(|traf| boxed(b"traf", &traf.concat())).collect();
    samples(&moof, 1000, &[track()], ends, DEMUX_SAMPLES_MAX)
}

/// Returns place, size, decoding time, composition time and sync flag of each sample.
fn facts(samples: &[Sample]) -> Vec<(i64, u32, i64, i32, bool)> {
    samples.iter().map(|sample| (sample.at, sample.size, sample.dts, sample.composition, sample.sync)).collect()
}

#[test]
fn defaults_come_from_trex_tfhd_and_trun() {
    let mut ends = Ends::default();
    let tfdt = table(b"tfdt", &[0x0100_0000, 0, 500]);
    let found = read(&[vec![table(b"tfhd", &[0x02_0000, 1]), tfdt, table(b"trun", &[0x5, 2, 50, 0])]], &mut ends);
    assert_eq!(facts(&found.unwrap()), [(1050, 100, 500, 0, true), (1150, 100, 510, 0, false)]);
    // Without a tfdt the time goes on; tfhd changes size and flags; without an offset data follow the box's start.
    let found =
        read(&[vec![table(b"tfhd", &[0x30, 1, 7, 0]), table(b"trun", &[0, 1]), table(b"trun", &[0, 1])]], &mut ends);
    assert_eq!(facts(&found.unwrap()), [(1000, 7, 520, 0, true), (1007, 7, 530, 0, true)]);
}

#[test]
fn offsets_and_compositions_have_a_sign() {
    let mut ends = Ends::default();
    let minus = |n: i32| n.cast_unsigned();
    for version in [0, 0x0100_0000] {
        let trun = table(b"trun", &[version | 0xf01, 2, minus(-200), 20, 30, 0, minus(-40), 20, 31, NON_SYNC, 80]);
        let found = read(&[vec![table(b"tfhd", &[0x02_0000, 1]), table(b"tfdt", &[0, 9]), trun]], &mut ends);
        assert_eq!(facts(&found.unwrap()), [(800, 30, 9, -40, true), (830, 31, 29, 80, false)]);
    }
    let base = [&[0, 0, 0, 1, 0, 0, 0, 1][..], &5000_u64.to_be_bytes()].concat();
    let found = read(&[vec![boxed(b"tfhd", &base), table(b"trun", &[1, 1, 8])]], &mut ends);
    assert_eq!(found.unwrap()[0].at, 5008, "base_data_offset");
}

#[test]
fn two_tracks_follow_each_other() {
    let mut ends = Ends::default();
    let traf = |id: u32| vec![table(b"tfhd", &[0x10, id, 50]), table(b"trun", &[0, 2])];
    let found = read(&[traf(1), traf(2)], &mut ends).unwrap();
    let places: Vec<_> = found.iter().map(|sample| (sample.track, sample.at)).collect();
    assert_eq!(places, [(1, 1000), (1, 1050), (2, 1100), (2, 1150)]);
}

#[test]
fn times_of_32_bits_go_on() {
    let mut ends = Ends::default();
    let mut at = |time: u32| {
        let traf = vec![table(b"tfhd", &[0, 1]), table(b"tfdt", &[0, time]), table(b"trun", &[0, 1])];
        read(&[traf], &mut ends).unwrap()[0].dts
    };
    assert_eq!([at(u32::MAX - 5), at(4), at(14)], [(1 << 32) - 6, (1 << 32) + 4, (1 << 32) + 14]);
    assert_eq!(at(0), 0, "a stream that begins anew");
}

#[test]
fn what_counts_more_than_there_is_is_refused() {
    let mut ends = Ends::default();
    let head = || table(b"tfhd", &[0, 1]);
    assert_eq!(read(&[vec![head(), table(b"trun", &[0, u32::MAX])]], &mut ends), None);
    assert_eq!(read(&[vec![head(), table(b"trun", &[0x100, 3, 1, 1])]], &mut ends), None);
    assert_eq!(read(&[vec![table(b"trun", &[0, 1])]], &mut ends), None);
    assert_eq!(read(&[vec![table(b"tfhd", &[1, 1, 5])]], &mut ends), None);
    let many = table(b"trun", &[0, 30_000]);
    assert_eq!(read(&[vec![head(), many.clone(), many]], &mut ends), None);
}
