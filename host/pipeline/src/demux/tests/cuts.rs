//! Any way of cutting a stream into segments and batches gives the same packets.

use super::stream::{Batch, Stream, air, assert_same};
use crate::remux::testing::{PICTURE, SOUND, ffmpeg_in};
use outboard_media::demux::repack::{Pack, Random, units};
use outboard_media::segment::Container;

const CODED: &str = "-c:v libx264 -preset ultrafast -bf 2 -g 25 -sc_threshold 0 -c:a aac -ac 2 ";

/// What ffmpeg writes with these words.
pub fn made(inputs: &str, words: &str, name: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    ffmpeg_in(dir.path(), &format!("{inputs}{CODED}{words} {name}"));
    std::fs::read(dir.path().join(name)).unwrap()
}

/// Six seconds of H.264 with B-frames and AAC, one unit in each PES packet.
pub fn clip() -> Vec<u8> {
    made(&format!("{PICTURE}{SOUND}"), "-pes_payload_size 0", "clip.ts")
}

/// Cuts at transport packets, wherever these are. Each segment begins with the tables.
pub fn cut(bytes: &[u8], into: usize, random: &mut Random) -> Vec<Vec<u8>> {
    let packets = bytes.len() / 188;
    let mut at: Vec<usize> = (1..into).map(|_| 1 + random.below(packets - 1)).collect();
    at.extend([0, packets]);
    at.sort_unstable();
    at.dedup();
    let tables = |at: usize| if at == 0 { &[] } else { &bytes[..3 * 188] };
    at.windows(2).map(|pair| [tables(pair[0]), &bytes[pair[0] * 188..pair[1] * 188]].concat()).collect()
}

/// Batches of one to three segments.
pub fn lengths(segments: usize, random: &mut Random) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut left = segments;
    while left > 0 {
        let length = (1 + random.below(3)).min(left);
        lengths.push(length);
        left -= length;
    }
    lengths
}

fn packets(batches: &[Batch]) -> (usize, usize) {
    let [video, audio] = air(batches);
    (video.len(), audio.len())
}

#[tokio::test]
async fn segments_cut_anywhere_give_the_same_packets() {
    let clip = clip();
    let whole = Stream::ts(std::slice::from_ref(&clip)).whole().await;
    let all = packets(std::slice::from_ref(&whole));
    assert!(all.0 == 180 && all.1 > 250, "{all:?}");
    for seed in 1..=12 {
        let mut random = Random(seed * 7919);
        let segments = cut(&clip, 9, &mut random);
        let lengths = lengths(segments.len(), &mut random);
        let stream = Stream::ts(&segments);
        for restart in [false, true] {
            let batches = stream.through(&lengths, restart).await;
            assert_same(&batches, &whole, &format!("seed {seed}, batches {lengths:?}, restart {restart}"));
        }
    }
}

/// PES packets of any size: units reach over each border of segments that begin with key frames, as far as PES packets
/// let them.
#[tokio::test]
async fn packets_over_every_border_come_once() {
    let units = units(&clip());
    let plain = Pack::default().segments(&units);
    let whole = Stream::ts(&[plain.concat()]).whole().await;
    for (seed, video, audio) in [(1, None, Some(1400)), (2, Some(3000), Some(777)), (3, Some(20_000), Some(65_000))] {
        let pack =
            Pack { seed, video_pes: video, audio_pes: audio, stuffed: 20, twice: 50, null: 9, ..Pack::default() };
        let segments = pack.segments(&units);
        assert!(segments.len() > 5);
        let mut random = Random(seed);
        for restart in [false, true] {
            let lengths = lengths(segments.len(), &mut random);
            let batches = Stream::ts(&segments).through(&lengths, restart).await;
            let what = format!("seed {seed}, batches {lengths:?}, restart {restart}");
            let (ours, truth) = (packets(&batches), packets(std::slice::from_ref(&whole)));
            assert_eq!(ours, truth, "{what}");
            let bare = |batches: &[Batch]| {
                air(batches).map(|track| track.into_iter().map(|(_, _, data)| data).collect::<Vec<_>>())
            };
            assert!(bare(&batches) == bare(std::slice::from_ref(&whole)), "{what}");
            assert!(batches.iter().all(|batch| batch.counts.unusable.is_empty()), "{what}");
        }
    }
}

/// Boxes of fragments are whole in a segment; its fragments may be any.
#[tokio::test]
async fn fragments_in_any_segments_give_the_same_packets() {
    let file = made(
        &format!("{PICTURE}{SOUND}"),
        "-movflags frag_keyframe+delay_moov+default_base_moof -frag_duration 500000",
        "clip.mp4",
    );
    let (init, fragments) = fragments(&file);
    assert!(fragments.len() > 8, "{}", fragments.len());
    let whole = Stream::new(Container::Fmp4, Some(&init), &[fragments.concat()]).whole().await;
    assert_eq!(packets(std::slice::from_ref(&whole)).0, 180);
    for seed in 1..=6 {
        let mut random = Random(seed * 104_729);
        let mut segments: Vec<Vec<u8>> = vec![Vec::new()];
        for fragment in &fragments {
            if random.one_in(2) && !segments.last().unwrap().is_empty() {
                segments.push(Vec::new());
            }
            segments.last_mut().unwrap().extend(fragment);
        }
        let lengths = lengths(segments.len(), &mut random);
        for restart in [false, true] {
            let stream = Stream::new(Container::Fmp4, Some(&init), &segments);
            let batches = stream.through(&lengths, restart).await;
            assert_same(&batches, &whole, &format!("seed {seed}, batches {lengths:?}, restart {restart}"));
        }
    }
}

/// The initialization section, and each `moof` with its `mdat`.
pub fn fragments(file: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut init, mut fragments, mut rest) = (Vec::new(), Vec::<Vec<u8>>::new(), file);
    while !rest.is_empty() {
        let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let (this, after) = rest.split_at(size);
        rest = after;
        match &this[4..8] {
            b"ftyp" | b"moov" => init.extend(this),
            b"moof" => fragments.push(this.to_vec()),
            b"mdat" => fragments.last_mut().unwrap().extend(this),
            _ => {}
        }
    }
    (init, fragments)
}

/// A batch that failed is tried again as if it had not been.
#[tokio::test]
async fn a_second_try_splits_the_same() {
    let clip = clip();
    let stream = Stream::ts(&cut(&clip, 4, &mut Random(77)));
    let whole = stream.whole().await;
    let mut splitter = super::super::Splitter::new(crate::remux::testing::slots());
    let mut batches = Vec::new();
    for (number, segment) in stream.segments.iter().enumerate() {
        let last = number + 1 == stream.segments.len();
        let segments = std::slice::from_ref(segment);
        let nowhere = stream.dir.path().join("nowhere");
        splitter.next(segments, last, &nowhere).await.unwrap_err();
        let dir = stream.batch(number);
        batches.push(Batch::read(&dir, splitter.next(segments, last, &dir).await.unwrap()));
    }
    assert_same(&batches, &whole, "each second try");
}
