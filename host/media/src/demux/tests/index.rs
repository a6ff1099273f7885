//! The list of a file's packets against what the demuxer hands out of the same file.

use super::super::index::{IndexError, Indexed, index};
use super::super::*;
use super::clip::Clip;
use super::run::{self, Run, Step};

fn indexed(kind: TrackKind, bytes: &[u8]) -> Result<Indexed, IndexError> {
    index(kind, bytes.len() as u64, &mut |at, to| {
        let at = usize::try_from(at).unwrap();
        let found = bytes.get(at..at + to.len()).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        to.copy_from_slice(found);
        Ok(())
    })
}

/// Each packet is where the list says, with its key and its configuration.
fn assert_listed(bytes: &[u8], run: &Run, kind: TrackKind, what: &str) {
    let found = indexed(kind, bytes).unwrap();
    assert_eq!(found.torn, None, "{what}");
    let packets = run.of(kind);
    assert!(packets.len() > 20 && found.layout.packets.len() == packets.len(), "{what}: {}", packets.len());
    for (stored, packet) in found.layout.packets.iter().zip(packets) {
        let from = usize::try_from(stored.offset).unwrap();
        assert_eq!(&bytes[from..from + stored.len as usize], &packet.data[..], "{what}");
        assert_eq!(stored.key, packet.key.is_key(), "{what}");
    }
    let records = |config: &Config| match config {
        Config::Video(video) => (TrackKind::Video, video.record.clone()),
        Config::Audio(audio) => (TrackKind::Audio, audio.record.clone()),
    };
    let told: Vec<_> = run.configs.iter().map(|(_, config)| records(config)).filter(|(of, _)| *of == kind).collect();
    let listed: Vec<_> = found.layout.configs.iter().map(|(_, config)| records(config)).collect();
    assert_eq!((listed, found.layout.configs[0].0), (told, 0), "{what}");
}

fn stored(bytes: &[u8]) -> Run {
    run::drive(Mp4::stored(Choice::default()), &[Step::Feed(bytes)])
}

#[test]
fn fragmented_mp4_is_listed_as_the_demuxer_reads_it() {
    let default = Clip { name: "a.mp4", seconds: 2, ..Clip::default() };
    for mux in [
        "-movflags frag_keyframe+empty_moov+default_base_moof",
        "-movflags empty_moov -frag_duration 200000",
        "-movflags frag_every_frame+empty_moov+default_base_moof",
        "-movflags frag_keyframe+empty_moov+separate_moof",
        "-movflags frag_keyframe+empty_moov+omit_tfhd_offset",
        "-movflags delay_moov+default_base_moof -frag_duration 700000",
    ] {
        let bytes = Clip { mux, ..default.clone() }.make();
        let run = stored(&bytes);
        assert_listed(&bytes, &run, TrackKind::Video, mux);
        assert_listed(&bytes, &run, TrackKind::Audio, mux);
    }
}

#[test]
fn adts_is_listed_with_tags_before_it() {
    let bytes = Clip { name: "a.aac", seconds: 2, video: "-vn", mux: "-f adts", ..Clip::default() }.make();
    let run = run::drive(Packed::starting_at(0), &[Step::Feed(&bytes)]);
    assert_listed(&bytes, &run, TrackKind::Audio, "plain");
    let tagged = [&b"ID3\x04\0\0\0\0\0\x04tag."[..], &bytes].concat();
    let found = indexed(TrackKind::Audio, &tagged).unwrap().layout;
    assert_eq!(found.packets[0].offset, indexed(TrackKind::Audio, &bytes).unwrap().layout.packets[0].offset + 14);
    for cut in [bytes.len() - 1, bytes.len() - 400] {
        let torn = indexed(TrackKind::Audio, &bytes[..cut]).unwrap();
        assert!(torn.torn.is_some() && torn.layout.packets.len() < run.of(TrackKind::Audio).len(), "{torn:?}");
    }
}

#[test]
fn sample_tables_and_other_containers_are_foreign() {
    for (name, mux) in [("a.mp4", ""), ("a.mp4", "-movflags faststart"), ("a.ts", "-f mpegts")] {
        let bytes = Clip { name, mux, seconds: 1, ..Clip::default() }.make();
        let error = indexed(TrackKind::Audio, &bytes).unwrap_err();
        assert!(matches!(error, IndexError::Foreign(_)), "{mux}: {error}");
    }
}

/// Whatever the bytes, there is an answer, and no packet outside of the file.
#[test]
fn a_damaged_file_is_listed_within_its_bounds_or_refused() {
    let bytes = Clip { name: "a.mp4", seconds: 1, mux: "-movflags frag_keyframe+empty_moov", ..Clip::default() }.make();
    let whole = indexed(TrackKind::Video, &bytes).unwrap().layout;
    let last = whole.packets.last().unwrap();
    let end = usize::try_from(last.offset).unwrap() + last.len as usize;
    for cut in (0..end).step_by(61) {
        match indexed(TrackKind::Video, &bytes[..cut]) {
            Ok(found) => {
                assert!(found.torn.is_some(), "{cut}");
                assert!(whole.packets.starts_with(&found.layout.packets), "{cut}");
            }
            // Before the first packet.
            Err(error) => assert!(cut < usize::try_from(whole.packets[0].offset).unwrap(), "{cut}: {error}"),
        }
    }
    let mut random = repack::Random(7);
    for _ in 0..2000 {
        let mut damaged = bytes.clone();
        for _ in 0..4 {
            let at = random.below(damaged.len().min(8000));
            damaged[at] ^= 1 << random.below(8);
        }
        if let Ok(found) = indexed(TrackKind::Video, &damaged) {
            let inside = |stored: &crate::layout::Stored| stored.offset + u64::from(stored.len) <= damaged.len() as u64;
            assert!(found.layout.packets.iter().all(inside));
        }
    }
}
