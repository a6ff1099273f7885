//! Streams as senders have them, and what the step says of what it cannot use.

use super::super::splitter::Splitter;
use super::cuts::{clip, cut, made};
use super::stream::{Batch, Stream, air, assert_same};
use crate::remux::testing::{PICTURE, SOUND, slots};
use outboard_media::demux::repack::{Pack, Random, units};
use outboard_media::demux::{Choice, Wish};
use outboard_media::segment::Container;

fn pid(packet: &[u8]) -> u16 {
    u16::from(packet[1] & 0x1f) << 8 | u16::from(packet[2])
}

/// A transport stream without the packets of which `drop` is true.
fn without(bytes: &[u8], mut drop: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    bytes.chunks(188).filter(|packet| !drop(packet)).flatten().copied().collect()
}

#[tokio::test]
async fn packets_that_are_missing_in_the_source_are_counted() {
    let mut seen = 0;
    let clip = without(&clip(), |packet| {
        seen += usize::from(pid(packet) == 256);
        pid(packet) == 256 && seen == 200
    });
    let batch = Stream::ts(&[clip]).whole().await;
    assert_eq!(batch.counts.unusable.get("lost"), Some(&1), "{:?}", batch.counts);
    assert_eq!((batch.video.len(), batch.counts.notices.len()), (179, 1));
    assert!(batch.counts.notices[0].contains("PID 256: packets are missing"), "{:?}", batch.counts.notices);
}

/// What is in no batch at the end is counted, and all of it is in the last one if that is told to be the last.
#[tokio::test]
async fn what_is_open_when_no_batch_follows_is_counted() {
    let units = units(&clip());
    let segments = Pack { audio_pes: Some(1400), video_pes: Some(3000), ..Pack::default() }.segments(&units);
    let stream = Stream::ts(&segments);
    let whole = stream.whole().await;
    let mut splitter = Splitter::new(slots());
    let dir = stream.batch(0);
    let split = splitter.next(&stream.segments, false, &dir).await.unwrap();
    let batch = Batch::read(&dir, split);
    let left = splitter.finish();
    let missing = whole.facts.packets() - batch.facts.packets();
    assert!(missing > 0, "the last picture is only known to be complete at the end");
    assert_eq!(left.unusable.values().sum::<u64>(), missing, "{left:?}");
}

#[tokio::test]
async fn segments_that_are_missing_end_what_is_open() {
    let units = units(&clip());
    let segments = Pack { audio_pes: Some(1400), ..Pack::default() }.segments(&units);
    let stream = Stream::ts(&segments);
    let mut splitter = Splitter::new(slots());
    let mut batches = Vec::new();
    for (number, at) in [0, 1, 3, 4].into_iter().enumerate() {
        let dir = stream.batch(number);
        let split = splitter.next(&stream.segments[at..=at], at == 4, &dir).await.unwrap();
        batches.push(Batch::read(&dir, split));
    }
    let [video, _] = air(&batches);
    assert_eq!(video.len(), 100, "25 in each segment");
    let cut_off: u64 = batches.iter().filter_map(|batch| batch.counts.unusable.get("truncated")).sum();
    assert!((1..=2).contains(&cut_off), "a frame before the hole and one after it: {batches:?}");
}

/// What was open before a discontinuity goes on air before what follows, with the jump at the border.
#[tokio::test]
async fn what_is_open_before_a_discontinuity_goes_before_it() {
    let units = units(&clip());
    // Stuffing inside of PES packets: that a picture is complete is only known when the next one begins.
    let pack = Pack { shift_at: Some((3, 90_000_000)), stuffed: 10, ..Pack::default() };
    let whole = Stream::ts(&[Pack::default().segments(&units).concat()]).whole().await;
    let mut stream = Stream::ts(&pack.segments(&units));
    stream.segments[3].discontinuity = true;
    for restart in [false, true] {
        let batches = stream.through(&[3, stream.segments.len() - 3], restart).await;
        let bare =
            |batches: &[Batch]| air(batches).map(|track| track.into_iter().map(|(.., data)| data).collect::<Vec<_>>());
        assert!(bare(&batches) == bare(std::slice::from_ref(&whole)), "restart {restart}");
        assert_eq!(batches[0].video.len(), 74, "the last picture was open");
        let mut timeline = outboard_media::timeline::Timeline::default();
        let before = timeline.place(&batches[0].facts, false);
        let after = timeline.place(&batches[1].facts, true);
        assert_eq!(after.splices_us.len(), 1, "{:?}", after.splices_us);
        let times: Vec<u64> = before.video.iter().chain(&after.video).map(|time| time.dts_ms).collect();
        assert!(times.windows(2).all(|pair| (20..=60).contains(&(pair[1] - pair[0]))), "{times:?}");
    }
}

#[tokio::test]
async fn sound_that_goes_away_never_stops_the_pictures() {
    let segments = Pack::default().segments(&units(&clip()));
    let whole = Stream::ts(&segments).whole().await;
    let silent: Vec<Vec<u8>> = (0..)
        .zip(&segments)
        .map(|(n, segment)| match n {
            1 | 2 => without(segment, |packet| pid(packet) == 257),
            _ => segment.clone(),
        })
        .collect();
    let batches = Stream::ts(&silent).through(&vec![1; silent.len()], false).await;
    let has: Vec<bool> = batches.iter().map(|batch| batch.facts.audio.is_some()).collect();
    assert_eq!(has[..4], [true, false, false, true]);
    assert_eq!(air(&batches)[0], air(std::slice::from_ref(&whole))[0]);
}

#[tokio::test]
async fn other_pids_go_on_without_a_loss() {
    let units = units(&clip());
    let plain = Stream::ts(&Pack::default().segments(&units)).whole().await;
    let moved = Pack { move_at: Some(2), ..Pack::default() }.segments(&units);
    let batches = Stream::ts(&moved).through(&vec![1; moved.len()], false).await;
    assert_same(&batches, &plain, "moved");
    assert_eq!(batches[2].counts.notices.len(), 2, "{:?}", batches[2].counts);
}

#[tokio::test]
async fn other_channels_are_another_configuration_right_there() {
    let adts = |channels: &str| made(SOUND, &format!("-ar 48000 -t 1 -ac {channels}"), "a.aac");
    let (a, b) = (adts("2"), adts("1"));
    let mut packed = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0com.apple.streaming.transportStreamTimestamp\0".to_vec();
    packed.extend(900_000_u64.to_be_bytes());
    let stream = Stream::new(Container::PackedAac, None, &[[&packed[..], &a, &b].concat()]);
    let batch = stream.whole().await;
    let places: Vec<usize> = batch.configs.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [0, 48], "one second is 47 frames, and one more of the encoder's delay");
    assert_ne!(batch.configs[0].1, batch.configs[1].1);
    assert_eq!(batch.facts.audio.unwrap().channels, 2);
}

/// The times of pictures keep their order of output after a step back of the source's clock.
#[tokio::test]
async fn a_clock_that_goes_back_is_told_as_it_is() {
    let pack = Pack { shift: 10_000_000, shift_at: Some((3, -657_000)), ..Pack::default() };
    let segments = pack.segments(&units(&clip()));
    let batch = Stream::ts(&segments).whole().await;
    let video = batch.facts.video.unwrap();
    let steps: Vec<i64> = video.packets.windows(2).map(|pair| pair[1].dts_us - pair[0].dts_us).collect();
    let back: Vec<usize> = (0..steps.len()).filter(|at| steps[*at] < 0).collect();
    assert_eq!(back, [74], "{steps:?}");
    let compositions = |from: usize| -> Vec<i64> {
        video.packets[from..from + 25].iter().map(|packet| packet.pts_us - packet.dts_us).collect()
    };
    assert!(compositions(75).iter().zip(compositions(50)).all(|(a, b)| (a - b).abs() <= 1));
    let mut timeline = outboard_media::timeline::Timeline::default();
    let audio = batch.facts.audio;
    let placed = timeline.place(&outboard_media::facts::BatchFacts { video: Some(video), audio }, false);
    assert_eq!(placed.splices_us.len(), 1, "{:?}", placed.splices_us);
    let worst = placed.video.windows(2).map(|pair| pair[1].dts_ms - pair[0].dts_ms).max();
    assert!(worst.unwrap() < 100, "{worst:?} ms without a picture");
}

/// Packed audio must tell its time. ffmpeg begins at 0 with each batch where it does not.
#[tokio::test]
async fn what_is_not_known_here_is_left_to_ffmpeg() {
    let adts = made(SOUND, "-ar 48000", "a.aac");
    let (mut segments, mut at, mut frames) = (vec![Vec::new()], 0, 0);
    while let Some(&[_, _, _, d, e, f, ..]) = adts.get(at..at + 7) {
        let end = at + (usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5));
        segments.last_mut().unwrap().extend(&adts[at..end]);
        (at, frames) = (end, frames + 1);
        if frames % 100 == 0 {
            segments.push(Vec::new());
        }
    }
    let stream = Stream::new(Container::PackedAac, None, &segments);
    let mut splitter = Splitter::new(slots());
    let (mut told, mut packets) = (Vec::new(), 0);
    for (number, segment) in stream.segments.iter().enumerate() {
        let dir = stream.batch(number);
        let split = splitter.next(std::slice::from_ref(segment), false, &dir).await.unwrap();
        told.extend(split.counts.handed_to_ffmpeg.clone());
        packets += split.facts.audio.unwrap().packets.len();
    }
    assert_eq!(told, ["its packed audio tells no time"]);
    assert!(packets == frames && segments.len() > 2, "{packets} of {frames}");
}

#[tokio::test]
async fn what_cannot_go_on_air_is_named() {
    let both = format!("{PICTURE}{SOUND}");
    for (words, why) in
        [("-c:v mpeg2video", "the source's video codec is mpeg2video: only h264, hevc and av1 can go on air")]
    {
        let stream = Stream::ts(&[made(&both, &format!("{words} -t 2"), "clip.ts")]);
        assert_eq!(stream.refused().await.to_string(), why, "{words}");
    }
    let nothing = without(&clip(), |packet| pid(packet) >= 256 && pid(packet) < 4096);
    assert_eq!(Stream::ts(&[nothing]).refused().await.to_string(), "the source has no supported video or audio");
}

/// The clip with its sound twice: as AC-3 in English, then as it is in German.
fn two_sounds(clip: &[u8]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one.ts"), clip).unwrap();
    let words = "-i one.ts -map 0:v -map 0:a -map 0:a -c:v copy -c:a:0 ac3 -c:a:1 copy \
                 -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu two.ts";
    crate::remux::testing::ffmpeg_in(dir.path(), words);
    std::fs::read(dir.path().join("two.ts")).unwrap()
}

/// The frames of a stream with two sounds: those that go on air as they are.
#[tokio::test]
async fn sound_that_goes_on_air_as_it_is_comes_before_other_sound() {
    let clip = clip();
    let two = two_sounds(&clip);
    let (one, two) = (Stream::ts(&[clip]).whole().await, Stream::ts(&[two]).whole().await);
    let bare = |batch: &Batch| batch.audio.iter().map(|sample| sample.data.clone()).collect::<Vec<_>>();
    assert!(bare(&one) == bare(&two));
    let words =
        "PID 257: ac3 (eng), not used: PID 258 has aac, which goes on air without being encoded; PID 258: aac (deu)";
    assert_eq!(two.counts.streams, [format!("PID 256: h264; {words}")]);
}

/// What the settings choose is taken, and told once where the source does not have it.
#[tokio::test]
async fn the_chosen_sound_is_taken_and_one_that_is_missing_is_told_once() {
    let clip = clip();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one.ts"), &clip).unwrap();
    let words = "-i one.ts -map 0:v -map 0:a -c:v copy -c:a aac -ac 1 -ar 48000 mono.ts";
    crate::remux::testing::ffmpeg_in(dir.path(), words);
    let words = "-i one.ts -i mono.ts -map 0:v -map 0:a -map 1:a -c copy \
                 -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu both.ts";
    crate::remux::testing::ffmpeg_in(dir.path(), words);
    let stream = Stream::ts(&[std::fs::read(dir.path().join("both.ts")).unwrap()]);
    let language = |code: &str| Wish { language: Some(code.to_owned()), ..Wish::default() };
    for (audio, rate, unmet) in [
        (Wish::default(), 44_100, ""),
        (language("de"), 48_000, ""),
        (Wish { number: Some(258), ..Wish::default() }, 48_000, ""),
        (
            language("fr"),
            44_100,
            "the source has no audio with language fr; it has PID 257: aac (eng), PID 258: aac (deu), of which PID 257 is used",
        ),
    ] {
        let mut splitter = Splitter::new(slots()).choosing(Choice { audio, ..Choice::default() });
        let (first, second) = (stream.batch(0), stream.batch(1));
        let split = splitter.next(&stream.segments, false, &first).await.unwrap();
        assert_eq!(split.facts.audio.unwrap().sample_rate, rate);
        assert_eq!(split.counts.unmet.concat(), unmet);
        let mut again = stream.segments[0].clone();
        again.index += 1;
        again.discontinuity = true;
        let split = splitter.next(&[again], true, &second).await.unwrap();
        assert!(split.counts.unmet.is_empty(), "it was told: {:?}", split.counts.unmet);
        assert_eq!(split.facts.audio.unwrap().sample_rate, rate);
    }
}

/// What could not be used is told with its segment and its PID, and what would be right.
#[tokio::test]
async fn damage_is_told_with_its_segment_and_its_pid() {
    let mut segments = Pack::default().segments(&units(&clip()));
    let mut seen = 0;
    segments[1] = without(&segments[1], |packet| {
        seen += usize::from(pid(packet) == 256);
        pid(packet) == 256 && seen == 30
    });
    let batch = Stream::ts(&segments).whole().await;
    let [notice, damage] = [&batch.counts.notices, &batch.counts.damage].map(|told| told.join("\n"));
    let right = "the continuity counter of a PID must rise by 1 with each packet";
    assert!(notice.starts_with("segment 1") && notice.contains("PID 256: packets are missing"), "{notice}");
    assert!(damage.starts_with("segment 1") && damage.contains("PID 256: 1 picture is not used: "), "{damage}");
    assert!(notice.ends_with(right) && damage.ends_with(right), "{notice}\n{damage}");
}

#[tokio::test]
async fn the_wrap_of_the_clock_is_no_step() {
    let pack = Pack { shift: (1 << 33) - 400_000, ..Pack::default() };
    let segments = pack.segments(&units(&clip()));
    let (stream, mut timeline) = (Stream::ts(&segments), outboard_media::timeline::Timeline::default());
    for restart in [false, true] {
        let batches = stream.through(&vec![1; segments.len()], restart).await;
        for batch in &batches {
            let placed = timeline.place(&batch.facts, false);
            assert!(placed.splices_us.is_empty(), "restart {restart}: {:?}", placed.splices_us);
        }
        timeline = outboard_media::timeline::Timeline::default();
    }
}

#[tokio::test]
async fn segments_cut_in_pictures_and_frames_are_told_of_nothing() {
    let segments = cut(&clip(), 6, &mut Random(5));
    for batch in Stream::ts(&segments).through(&vec![1; segments.len()], false).await {
        assert!(batch.counts.unusable.is_empty() && batch.counts.notices.is_empty(), "{:?}", batch.counts);
    }
}
