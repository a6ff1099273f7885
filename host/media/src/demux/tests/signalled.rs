//! What the stream signals about its media: SBR, sample entries that change, captions. Made by hand where ffmpeg has no
//! encoder for it.

use super::super::*;
use super::clip::{self, Clip};
use super::handmade::{Fragment, boxed, init, mp4a};
use super::run::{self, Run, Step};

fn fed(parts: &[Vec<u8>]) -> Run {
    let steps: Vec<_> = parts.iter().flat_map(|part| [Step::Feed(part), Step::SegmentEnd]).collect();
    run::drive(Mp4::new(Choice::default()), &steps)
}

/// Bits from the left, as groups of ones and zeros; filled up with zeros.
fn bits(groups: &str) -> Vec<u8> {
    let bits: Vec<u8> = groups.bytes().filter(|byte| *byte != b' ').map(|byte| byte - b'0').collect();
    bits.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (n, bit)| sum | bit << (7 - n))).collect()
}

/// Frames of AAC as far as a demuxer looks: any bytes, but none that look like a header.
fn frames(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![0x21, n, 0x5a, n, 0x77]).collect()
}

fn audio(run: &Run) -> Vec<(usize, &AudioConfig)> {
    let told = run.configs.iter().map(|(at, config)| match config {
        Config::Audio(config) => Some((*at, config)),
        Config::Video(_) => None,
    });
    told.flatten().collect()
}

/// HE-AAC of 48 kHz with a core of 24 kHz: a packet is 1024 samples of the core, however SBR is signalled.
#[test]
fn sbr_leaves_the_configuration_as_it_is_and_packets_as_long_as_they_are() {
    for (what, config) in [
        ("implicit", bits("00010 0110 0010 000")),
        ("explicit, and readable by all", bits("00010 0110 0010 000 01010110111 00101 1 0011")),
        ("explicit", bits("00101 0110 0010 0011 00010 000")),
        ("explicit, with parametric stereo", bits("11101 0110 0001 0011 00010 000")),
        ("explicit, by a rate of its own", bits("00101 1111 000000000101110111000000 0010 0011 00010 000")),
    ] {
        let fragment = |n: u32| {
            Fragment { dts: n * 10 * 2048, duration: 2048, samples: frames(10), ..Fragment::default() }.bytes()
        };
        let run = fed(&[init(48_000, &[&mp4a(48_000, 2, Some(&config))]), fragment(0), fragment(1)]);
        let [(0, told)] = audio(&run)[..] else { panic!("{what}: {:?}", run.configs) };
        let channels = if what.contains("parametric") { 1 } else { 2 };
        assert_eq!((told.sample_rate, told.channels, &told.record), (24_000, channels, &config), "{what}");
        assert_eq!(run.packets.len(), 20, "{what}");
        for (n, packet) in run.packets.iter().enumerate() {
            assert_eq!((packet.pts, packet.samples), (n as i64 * 3840, 1024), "{what}: 1024 samples of 24 kHz");
        }
    }
}

/// In ADTS nothing but the core's rate is signalled.
#[test]
fn sbr_in_adts_is_told_as_its_core() {
    let run = run::whole(&Clip { rate: 24_000, audio: "-c:a aac -b:a 48k -ac 2", ..Clip::default() }.make());
    let [(0, told)] = audio(&run)[..] else { panic!("{:?}", run.configs) };
    assert_eq!((told.sample_rate, told.channels, &told.record[..]), (24_000, 2, &bits("00010 0110 0010 000")[..]));
    let sound = run.of(TrackKind::Audio);
    assert!(sound.len() > 80 && sound.iter().all(|packet| packet.samples == 1024));
    assert!(sound.windows(2).all(|pair| pair[1].pts - pair[0].pts == 3840));
}

fn adts(payload: &[u8], rate_index: u8, channels: u8) -> Vec<u8> {
    let length = payload.len() + 7;
    let head = [
        0xff,
        0xf1,
        1 << 6 | rate_index << 2 | channels >> 2,
        channels << 6 | (length >> 11) as u8,
        (length >> 3) as u8,
        (length << 5) as u8 | 0x1f,
        0xfc,
    ];
    [&head[..], payload].concat()
}

/// ffmpeg writes that with `empty_moov` and copied AAC: the header is written before the first packet.
#[test]
fn aac_without_a_configuration_gets_one() {
    let bare = |rate, channels| init(48_000, &[&mp4a(rate, channels, None)]);
    let fragment = |n: u32, samples: Vec<Vec<u8>>| {
        Fragment { dts: n * 4 * 1024, duration: 1024, samples, ..Fragment::default() }.bytes()
    };
    // Samples as they should be: the entry tells rate and channels.
    let run = fed(&[bare(48_000, 2), fragment(0, frames(4)), fragment(1, frames(4))]);
    let [(0, told)] = audio(&run)[..] else { panic!("{:?}", run.configs) };
    assert_eq!(
        (told.codec, told.sample_rate, told.channels, &told.record[..]),
        (Codec::Aac, 48_000, 2, &[0x11, 0x90][..])
    );
    let data: Vec<_> = run.packets.iter().map(|packet| packet.data.clone()).collect();
    assert_eq!(data, [frames(4), frames(4)].concat());
    assert!(run.packets.iter().all(|packet| packet.samples == 1024));
    // Samples with ADTS headers: these tell it, also where they change.
    let with = |rate_index, channels| frames(4).iter().map(|frame| adts(frame, rate_index, channels)).collect();
    let run = fed(&[bare(44_100, 1), fragment(0, with(3, 2)), fragment(1, with(3, 2)), fragment(2, with(6, 1))]);
    let told: Vec<_> =
        audio(&run).iter().map(|(at, told)| (*at, told.sample_rate, told.channels, told.record[0])).collect();
    assert_eq!(told, [(0, 48_000, 2, 0x11), (8, 24_000, 1, 0x13)]);
    let data: Vec<_> = run.packets.iter().map(|packet| packet.data.clone()).collect();
    assert_eq!(data, [frames(4), frames(4), frames(4)].concat());
    assert_eq!(run.witness.audio.framing, 12 * 7);
    // A header that says another length is none of a whole frame.
    let mut broken = with(3, 2);
    broken[1].push(0);
    let run = fed(&[bare(48_000, 2), fragment(0, broken)]);
    assert_eq!((run.packets.len(), run.witness.audio.unused(Reason::Corrupt).units), (3, 1));
    // Nothing tells the rate: such a track is not taken.
    let run = fed(&[bare(12_345, 2), fragment(0, frames(4))]);
    assert_eq!((run.packets.len(), run.streams[0].streams[0].codec), (0, Codec::Other(0)));
}

/// The pictures of a clip as MP4 has them, and their sample entry.
fn pictures(size: &str) -> (Vec<Vec<u8>>, Vec<u8>) {
    let video = format!("-c:v libx264 -preset ultrafast -threads 1 -g 25 -bf 0 -s {size}");
    let mux = "-movflags frag_keyframe+empty_moov";
    let bytes = Clip { seconds: 2, video: &video, mux, name: "a.mp4", ..Clip::default() }.make();
    let table = bytes.windows(4).position(|name| name == b"stsd").unwrap();
    let at = table + bytes[table..].windows(4).position(|name| name == b"avc1").unwrap() - 4;
    let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let run = fed(std::slice::from_ref(&bytes));
    (run.of(TrackKind::Video).iter().map(|packet| packet.data.clone()).collect(), bytes[at..at + size].to_vec())
}

fn video(run: &Run) -> Vec<(usize, u32)> {
    let video = |(at, config): &(usize, Config)| match config {
        Config::Video(config) => Some((*at, config.width)),
        Config::Audio(_) => None,
    };
    run.configs.iter().filter_map(video).collect()
}

#[test]
fn each_fragment_says_which_sample_entry_it_has() {
    let ((large, first), (small, second)) = (pictures("320x180"), pictures("160x90"));
    let head = init(90_000, &[&first, &second]);
    let fragment = |n: u32, entry: Option<u32>, samples: &[Vec<u8>]| {
        Fragment { dts: n * 3600, duration: 3600, entry, samples: samples.to_vec() }.bytes()
    };
    let parts = [
        head,
        fragment(0, None, &large[..25]),
        fragment(25, Some(2), &small[..25]),
        fragment(50, Some(2), &small[25..]),
        fragment(75, Some(1), &large[25..]),
        fragment(100, Some(3), &large[..25]),
        fragment(125, Some(1), &large[..25]),
    ];
    let run = fed(&parts);
    assert_eq!(video(&run), [(0, 320), (25, 160), (75, 320)]);
    let expected = [&large[..25], &small, &large[25..], &large[..25]].concat();
    assert!(run.packets.iter().map(|packet| &packet.data).eq(&expected));
    assert_eq!(run.witness.video.unused(Reason::Corrupt).units, 25, "there is no third entry");
    // All in one segment.
    assert_eq!(video(&fed(&[parts[0].clone(), parts[1..].concat()])), video(&run));
}

/// A stream that begins encrypted, or in the clear, lists an entry for each.
#[test]
fn what_is_encrypted_is_counted_and_the_clear_part_is_taken() {
    let (samples, clear) = pictures("160x90");
    let encrypted = boxed(b"encv", &[&clear[8..]]);
    let fragment = |n: u32, entry: u32, samples: &[Vec<u8>]| {
        Fragment { dts: n * 3600, duration: 3600, entry: Some(entry), samples: samples.to_vec() }.bytes()
    };
    let run =
        fed(&[init(90_000, &[&encrypted, &clear]), fragment(0, 1, &samples[..25]), fragment(25, 2, &samples[25..])]);
    assert_eq!((run.packets.len(), video(&run)), (25, vec![(0, 160)]));
    assert_eq!(run.witness.video.unused(Reason::Scrambled).units, 25);
    let run = fed(&[init(90_000, &[&encrypted]), fragment(0, 1, &samples[..25])]);
    assert!(run.packets.is_empty() && run.streams[0].streams[0].encrypted);
}

/// CEA-608 and 708 captions are a user data message of each picture (ATSC A/53 part 4). They stay where they are, with all
/// their bytes, those that prevent start codes among them.
#[test]
fn captions_stay_in_their_pictures() {
    let plain = "-c:v libx264 -preset veryfast -threads 1 -bf 0 -g 25 -b:v 200k -an";
    let annex = Clip { seconds: 2, video: plain, name: "a.h264", ..Clip::default() }.make();
    let (mut stream, mut captions, mut rest) = (Vec::new(), Vec::new(), &annex[..]);
    let starts: Vec<usize> = (0..annex.len() - 3).filter(|at| annex[*at..].starts_with(&[0, 0, 1])).collect();
    for (n, at) in starts.iter().enumerate() {
        let kind = annex[at + 3] & 0x1f;
        // The first slice of a picture begins with first_mb_in_slice 0: a one bit.
        if matches!(kind, 1 | 5) && annex[at + 4] & 0x80 != 0 {
            let counter = captions.len() as u8 + 1;
            // SEI; user_data_registered_itu_t_t35; ATSC; GA94; cc_data with a zero triplet and bytes that must be escaped.
            let message = [0xb5, 0, 0x31, b'G', b'A', b'9', b'4', 3, 0xc1, 0xff, 0xfc, counter, 0, 0, 3, 1, 0xff];
            let sei = [&[6, 4, message.len() as u8 - 1][..], &message, &[0x80]].concat();
            stream.extend([0, 0, 1]);
            stream.extend(&sei);
            captions.push(sei);
        }
        let end = starts.get(n + 1).copied().unwrap_or(annex.len());
        stream.extend(&annex[*at..end]);
        rest = &annex[end..];
    }
    assert_eq!((captions.len(), rest.len()), (50, 0));
    for (name, args) in [("a.ts", ""), ("a.mp4", "-movflags frag_keyframe+empty_moov")] {
        let bytes = clip::remux(&stream, "a.h264", args, name);
        let run = if name == "a.ts" { run::whole(&bytes) } else { fed(std::slice::from_ref(&bytes)) };
        let pictures = run.of(TrackKind::Video);
        assert_eq!(pictures.len(), 50, "{name}");
        for (n, picture) in pictures.iter().enumerate() {
            let nals = nals(&picture.data);
            assert!(nals.contains(&&captions[n][..]), "{name}: picture {n} has {} NAL units", nals.len());
        }
    }
}

/// NAL units with lengths of four bytes.
fn nals(mut data: &[u8]) -> Vec<&[u8]> {
    let mut nals = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<4>() {
        let (nal, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
        nals.push(nal);
        data = after;
    }
    nals
}
