//! Segments that are demuxed as they come: batches that are cut before their newest segments, writes that fail in between,
//! files that go away.

use std::path::Path;

use super::super::splitter::Splitter;
use super::cuts::{clip, cut, fragments, lengths, made};
use super::stream::{Batch, Stream, assert_same};
use crate::remux::testing::{PICTURE, SOUND, slots};
use outboard_media::demux::repack::{Pack, Random, units};
use outboard_media::segment::Container;
use outboard_store::files::names;

/// Splits the stream into batches of so many segments each. Each is cut after up to `ahead` segments more were demuxed, or
/// before its last one was.
async fn arriving(stream: &Stream, lengths: &[usize], ahead: usize, random: &mut Random) -> Vec<Batch> {
    let mut splitter = Splitter::new(slots());
    let (mut from, mut batches, count) = (0, Vec::new(), stream.segments.len());
    for (number, length) in lengths.iter().enumerate() {
        let (dir, next, to) = (stream.batch(number), stream.batch(number + 1), from + length);
        let come = (to + random.below(ahead + 1)).min(count);
        for segment in &stream.segments[from..come] {
            if splitter.newest().is_none_or(|newest| segment.index > newest) {
                splitter.segment(segment, &dir).await.unwrap();
            }
        }
        let split = splitter.cut(&stream.segments[from..to], to == count, &dir, &next).await.unwrap();
        batches.push(Batch::read(&dir, split));
        from = to;
    }
    assert_eq!(splitter.finish().unusable.len(), 0, "nothing is left");
    batches
}

async fn check(stream: &Stream, seed: u64, what: &str) {
    let whole = stream.whole().await;
    let mut random = Random(seed * 7919);
    let lengths = lengths(stream.segments.len(), &mut random);
    for ahead in [0, 1, 4] {
        let batches = arriving(stream, &lengths, ahead, &mut random).await;
        assert_same(&batches, &whole, &format!("{what}, batches {lengths:?}, up to {ahead} segments ahead"));
        let configs: Vec<&Vec<u8>> =
            batches.iter().flat_map(|batch| &batch.configs).map(|(_, config)| config).collect();
        assert!(configs.iter().all(|config| **config == whole.configs[0].1), "{what}");
    }
}

#[tokio::test]
async fn a_cut_before_segments_that_were_demuxed_moves_them_to_the_next_batch() {
    let clip = clip();
    for seed in 1..=4 {
        let segments = cut(&clip, 9, &mut Random(seed * 31));
        check(&Stream::ts(&segments), seed, &format!("a transport stream, seed {seed}")).await;
    }
    let pack = Pack { video_pes: Some(3000), audio_pes: Some(777), stuffed: 20, ..Pack::default() };
    check(&Stream::ts(&pack.segments(&units(&clip))), 9, "units over every border").await;

    let file = made(
        &format!("{PICTURE}{SOUND}"),
        "-movflags frag_keyframe+delay_moov+default_base_moof -frag_duration 500000",
        "clip.mp4",
    );
    let (init, fragments) = fragments(&file);
    check(&Stream::new(Container::Fmp4, Some(&init), &fragments), 3, "fragmented MP4").await;
}

#[tokio::test]
async fn separate_sound_moves_with_its_segments() {
    let video = cut(&made(PICTURE, "-pes_payload_size 0", "v.ts"), 6, &mut Random(5));
    let sound = cut(&made(SOUND, "-ar 44100 -b:a 64k", "a.ts"), 6, &mut Random(6));
    let mut stream = Stream::ts(&video);
    for (at, bytes) in sound.iter().enumerate().take(video.len()) {
        stream.beside(at, &format!("beside-{at}.ts"), bytes, Container::MpegTs, None);
    }
    check(&stream, 2, "separate sound").await;
}

/// Another configuration of the sound in the middle of what moves.
#[tokio::test]
async fn configurations_move_with_their_packets() {
    let adts = |channels: &str| made(SOUND, &format!("-ar 48000 -t 1 -ac {channels}"), "a.aac");
    let tag = |ticks: u64| {
        let mut tag = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0com.apple.streaming.transportStreamTimestamp\0".to_vec();
        tag.extend(ticks.to_be_bytes());
        tag
    };
    let (a, b) = (adts("2"), adts("1"));
    let frames = 48 * 1920;
    let segments: Vec<Vec<u8>> =
        (0..4).map(|n| [&tag(900_000 + n * frames)[..], if n % 2 == 0 { &a } else { &b }].concat()).collect();
    let stream = Stream::new(Container::PackedAac, None, &segments);
    let whole = stream.whole().await;
    assert_eq!(whole.configs.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 48, 96, 144]);
    let (mut splitter, mut batches) = (Splitter::new(slots()), Vec::new());
    let dirs: Vec<_> = (0..3).map(|number| stream.batch(number)).collect();
    for segment in &stream.segments {
        splitter.segment(segment, &dirs[0]).await.unwrap();
    }
    // The first cut takes one of four; the second leaves one of what has moved.
    for (number, of) in [0..1, 1..3].into_iter().enumerate() {
        let split = splitter.cut(&stream.segments[of], false, &dirs[number], &dirs[number + 1]).await.unwrap();
        batches.push(Batch::read(&dirs[number], split));
    }
    let split = splitter.cut(&stream.segments[3..], true, &dirs[2], Path::new("/nowhere")).await.unwrap();
    batches.push(Batch::read(&dirs[2], split));
    assert_same(&batches, &whole, "configurations");
    let places: Vec<Vec<usize>> =
        batches.iter().map(|batch| batch.configs.iter().map(|(at, _)| *at).collect()).collect();
    assert_eq!(places, [vec![0], vec![0, 48], vec![0]]);
    assert_eq!(batches[2].configs[0].1, whole.configs[1].1);
}

#[tokio::test]
async fn a_segment_is_whole_in_the_files_when_it_is_done() {
    let stream = Stream::ts(&Pack::default().segments(&units(&clip())));
    let (mut splitter, dir) = (Splitter::new(slots()), stream.batch(0));
    let of = |name: &str| std::fs::metadata(dir.join(name)).map_or(0, |file| file.len());
    let mut before = [0; 2];
    for segment in &stream.segments {
        splitter.segment(segment, &dir).await.unwrap();
        let now = [names::VIDEO, names::AUDIO].map(|name| of(&format!("{name}.part")));
        assert!(now.iter().zip(before).all(|(now, before)| *now > before), "{now:?} bytes, {before:?} before");
        before = now;
    }
    splitter.cut(&stream.segments, false, &dir, &dir).await.unwrap();
    assert_eq!([names::VIDEO, names::AUDIO].map(of), before, "nothing is left for the cut");
}

/// The device has no room: each write to it fails as on a full disk.
fn make_full(path: &Path) {
    std::os::unix::fs::symlink("/dev/full", path).unwrap();
}

#[tokio::test]
async fn a_write_that_failed_leaves_nothing_of_its_segment() {
    let segments = Pack { audio_pes: Some(1400), ..Pack::default() }.segments(&units(&clip()));
    // No sound in the first two: its file is made for the third.
    let segments: Vec<Vec<u8>> = (0..)
        .zip(&segments)
        .map(|(n, segment)| {
            let sound = |packet: &&[u8]| u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2]) == 257;
            segment.chunks(188).filter(|packet| n >= 2 || !sound(packet)).flatten().copied().collect()
        })
        .collect();
    let stream = Stream::ts(&segments);
    let whole = stream.whole().await;
    for fails_at in [0, 2] {
        let (mut splitter, dir) = (Splitter::new(slots()), stream.batch(fails_at));
        let part = super::super::part(&dir, if fails_at == 0 { names::VIDEO } else { names::AUDIO });
        for (n, segment) in stream.segments.iter().enumerate() {
            if n == fails_at {
                make_full(&part);
                for _ in 0..2 {
                    let error = splitter.segment(segment, &dir).await.unwrap_err();
                    assert!(error.is_disk_full(), "{error}");
                    assert_eq!(splitter.newest(), n.checked_sub(1).map(|n| n as u64));
                }
                std::fs::remove_file(&part).unwrap();
            }
            splitter.segment(segment, &dir).await.unwrap();
        }
        // The list of packets finds no room, and then it does.
        let list = super::super::part(&dir, names::PACKETS);
        make_full(&list);
        let cut = splitter.cut(&stream.segments, true, &dir, &dir).await;
        assert!(cut.unwrap_err().is_disk_full());
        std::fs::remove_file(&list).unwrap();
        let batch = Batch::read(&dir, splitter.cut(&stream.segments, true, &dir, &dir).await.unwrap());
        assert_same(std::slice::from_ref(&batch), &whole, &format!("segment {fails_at} is tried again"));
        assert_eq!(batch.counts, whole.counts);
    }
}

/// There is no room for what moves to the next batch: nothing moves until there is.
#[tokio::test]
async fn a_move_that_failed_leaves_the_batch_as_it_was() {
    let stream = Stream::ts(&cut(&clip(), 5, &mut Random(8)));
    let whole = stream.whole().await;
    let (mut splitter, dirs) = (Splitter::new(slots()), [stream.batch(0), stream.batch(1)]);
    for segment in &stream.segments {
        splitter.segment(segment, &dirs[0]).await.unwrap();
    }
    let full = super::super::part(&dirs[1], names::AUDIO);
    make_full(&full);
    let (first, second) = stream.segments.split_at(2);
    let error = splitter.cut(first, false, &dirs[0], &dirs[1]).await.unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    std::fs::remove_file(&full).unwrap();
    let batches = [
        Batch::read(&dirs[0], splitter.cut(first, false, &dirs[0], &dirs[1]).await.unwrap()),
        Batch::read(&dirs[1], splitter.cut(second, true, &dirs[1], &dirs[1]).await.unwrap()),
    ];
    assert_same(&batches, &whole, "after a move that failed");
}

#[tokio::test]
async fn a_batch_whose_files_are_gone_is_demuxed_again() {
    let stream = Stream::ts(&cut(&clip(), 6, &mut Random(4)));
    let whole = stream.whole().await;
    let mut splitter = Splitter::new(slots());
    let first = stream.batch(0);
    let mut batches = vec![Batch::read(&first, splitter.next(&stream.segments[..2], false, &first).await.unwrap())];
    let (rest, dir) = (&stream.segments[2..], stream.batch(1));
    for segment in rest {
        splitter.segment(segment, &dir).await.unwrap();
    }
    std::fs::remove_dir_all(&dir).unwrap();
    splitter.cut(rest, true, &dir, &dir).await.unwrap_err();
    assert!(splitter.again() && splitter.newest().is_none());
    std::fs::create_dir(&dir).unwrap();
    for segment in rest {
        splitter.segment(segment, &dir).await.unwrap();
    }
    batches.push(Batch::read(&dir, splitter.cut(rest, true, &dir, &dir).await.unwrap()));
    assert_same(&batches, &whole, "again");
}

/// ffmpeg splits a batch whole, also one of which more segments had come by then.
#[tokio::test]
async fn a_form_that_is_not_known_here_is_left_to_ffmpeg_at_the_cut() {
    let adts = made(SOUND, "-ar 48000", "a.aac");
    let (mut segments, mut at, mut frames) = (vec![Vec::new()], 0, 0);
    while let Some(&[_, _, _, d, e, f, ..]) = adts.get(at..at + 7) {
        let end = at + (usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5));
        segments.last_mut().unwrap().extend(&adts[at..end]);
        (at, frames) = (end, frames + 1);
        if frames % 60 == 0 {
            segments.push(Vec::new());
        }
    }
    let stream = Stream::new(Container::PackedAac, None, &segments);
    let lengths: Vec<usize> = [2, 1].into_iter().chain(vec![1; segments.len() - 3]).collect();
    let (mut splitter, mut from) = (Splitter::new(slots()), 0);
    let (mut told, mut packets) = (Vec::new(), 0);
    for segment in &stream.segments[..3] {
        splitter.segment(segment, &stream.batch(0)).await.unwrap();
    }
    for (number, length) in lengths.iter().enumerate() {
        let (of, dir) = (&stream.segments[from..from + length], stream.batch(number));
        let split = splitter.cut(of, false, &dir, &stream.batch(number + 1)).await.unwrap();
        told.extend(split.counts.handed_to_ffmpeg);
        packets += split.facts.audio.unwrap().packets.len();
        assert!(splitter.is_foreign() && splitter.newest().is_none());
        from += length;
    }
    assert_eq!(told, ["its packed audio tells no time"]);
    assert_eq!(packets, frames);
}
