use super::*;

fn section(id: u8, extension: u16, version: u8, number: u8, body: &[u8]) -> Vec<u8> {
    let length = 9 + body.len();
    let [e0, e1] = extension.to_be_bytes();
    let head = [id, 0xb0 | (length >> 8) as u8, length as u8, e0, e1, 0xc1 | version << 1, number, number];
    let mut section = [&head[..], body].concat();
    section.extend(crc(&section).to_be_bytes());
    section
}

fn pmt(program: u16, version: u8, streams: &[(u8, u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![0xe1, 0x00, 0xf0, 0x02, 0x0c, 0x00];
    for (kind, pid, info) in streams {
        let [a, b] = pid.to_be_bytes();
        body.extend([*kind, 0xe0 | a, b, 0xf0, info.len() as u8]);
        body.extend(*info);
    }
    section(PMT, program, version, 0, &body)
}

#[test]
fn programmes_and_streams_are_read_once() {
    let mut tables = Tables::default();
    let pat = section(PAT, 1, 0, 0, &[0, 0, 0xe0, 16, 0, 1, 0xf0, 0, 0, 2, 0xf0, 1]);
    assert!(tables.pat(&pat) && !tables.pat(&pat));
    let found: Vec<_> = tables.programs.iter().map(|program| (program.number, program.pid)).collect();
    assert_eq!(found, [(1, 0x1000), (2, 0x1001)]);
    let map = pmt(1, 0, &[(0x1b, 256, &[]), (0x0f, 257, b"\x0a\x04deu\0")]);
    assert!(!tables.pmt(0x1001, &map), "another programme's PID");
    assert!(tables.pmt(0x1000, &map) && !tables.pmt(0x1000, &map));
    let (_, streams) = tables.programs[0].map.as_ref().unwrap();
    assert_eq!(streams[1].language.as_deref(), Some("deu"));
    assert_eq!((streams[0].codec, streams[1].codec), (Codec::H264, Codec::Aac));
    // What changes without a new version counts, and a new version without a change does not.
    assert!(tables.pmt(0x1000, &pmt(1, 0, &[(0x1b, 300, &[])])));
    assert!(!tables.pmt(0x1000, &pmt(1, 1, &[(0x1b, 300, &[])])));
    assert!(tables.pat(&section(PAT, 1, 1, 0, &[0, 1, 0xf0, 0])));
    assert_eq!(tables.programs.len(), 1);
    assert!(tables.programs[0].map.is_some(), "its PMT stays");
}

#[test]
fn a_pat_of_two_sections_is_one() {
    let mut tables = Tables::default();
    let one = section(PAT, 1, 0, 0, &[0, 1, 0xf0, 0]);
    let two = section(PAT, 1, 0, 1, &[0, 2, 0xf0, 1]);
    assert!(tables.pat(&one) && tables.pat(&two) && !tables.pat(&one) && !tables.pat(&two));
    assert_eq!(tables.programs.len(), 2);
}

#[test]
fn private_streams_say_what_they_are() {
    for (kind, info, codec) in [
        (0x06, &b"\x05\x04AC-3"[..], Codec::Ac3),
        (0x06, b"\x6a\x01\0", Codec::Ac3),
        (0x06, b"\x7a\x01\0", Codec::Eac3),
        (0x81, b"", Codec::Ac3),
        (0x06, b"\x05\x04KLVA", Codec::Klv),
        (0x15, b"\x26\x0d\xff\xffID3 \xffID3 \0\x0f", Codec::Id3),
        (0x86, b"\x05\x04CUEI", Codec::Scte35),
        (0x06, b"\x59\x08deu\x10\0\x01\0\x01", Codec::Other(6)),
        (0x06, b"\x05\xff", Codec::Other(6)),
        (0x24, b"", Codec::Hevc),
        (0x06, b"\x05\x04Opus\x7f\x02\x80\x02", Codec::Opus),
    ] {
        assert_eq!(stream(1, kind, info).codec, codec, "{kind:x} {info:x?}");
    }
    assert!(stream(1, 0xdb, &[]).encrypted);
}

#[test]
fn tables_that_make_no_sense_change_nothing() {
    let mut tables = Tables::default();
    let mut later = section(PAT, 1, 0, 0, &[0, 1, 0xf0, 0]);
    later[5] &= 0xfe;
    assert!(!tables.pat(&later), "current_next_indicator");
    assert!(!tables.pat(&section(PMT, 1, 0, 0, &[0, 1, 0xf0, 0])));
    for end in 0..12 {
        assert!(!tables.pat(&vec![0; end]) && !tables.pmt(0, &vec![2; end]));
    }
    let many: Vec<u8> = (1..=253_u8).flat_map(|n| [0, n, 0xf0, n]).collect();
    assert!(tables.pat(&section(PAT, 1, 0, 0, &many)));
    assert_eq!(tables.programs.len(), DEMUX_PROGRAMS_MAX);
}
