use super::*;
use crate::spool::{Counts, SequenceHeader, Track};
use outboard_media::demux::Codec;

/// A batch of one second: a video packet each 100 ms with key frames at 0 and 500, an audio packet each 20 ms shifted
/// by 30 ms, so that the last ones reach over the border.
fn batch(number: u64) -> ReadyBatch {
    let start = number * 1000;
    let tag = |dts_ms, key| Tag { offset: 0, len: 1, dts_ms, composition_ms: 0, key };
    let track = |codec, tags| {
        let header = SequenceHeader { first: 0, codec, body: "h".into() };
        Track { path: "x".into(), headers: vec![header], tags }
    };
    let video = (0..10).map(|n| tag(start + n * 100, n % 5 == 0)).collect();
    let audio = (0..50).map(|n| tag(start + n * 20 + 30, false)).collect();
    ReadyBatch {
        number,
        metadata: None,
        video: track(Codec::H264, video),
        audio: track(Codec::Aac, audio),
        start_ms: start,
        end_ms: start + 1000,
    }
}

fn audio_only(number: u64) -> ReadyBatch {
    ReadyBatch { video: Track::default(), ..batch(number) }
}

fn spool(numbers: std::ops::Range<u64>) -> Spool {
    let spool = Spool::new();
    numbers.for_each(|number| spool.append(batch(number)));
    spool
}

fn at(batch: u64, tag: u32) -> TrackPosition {
    TrackPosition { batch, tag }
}

fn position(video: TrackPosition, audio: TrackPosition) -> Position {
    Position { video, audio, air_ms: 0 }
}

fn walk(cursor: &mut Cursor) -> Vec<Packet> {
    let mut packets = Vec::new();
    while let Next::Packet(packet) = cursor.peek() {
        cursor.advance(packet.kind);
        packets.push(packet);
    }
    packets
}

fn numbers(passed: Passed) -> (Range<u64>, Range<u64>) {
    (passed.video.packets, passed.audio.packets)
}

#[test]
fn packets_come_in_order_of_time_over_both_tracks_and_borders() {
    let spool = spool(3..6);
    let mut cursor = Cursor::new(spool.clone(), Position::start_of(3, 3000));
    let packets = walk(&mut cursor);
    assert_eq!(packets.len(), 180);
    assert!(packets.is_sorted_by_key(|packet| packet.tag.dts_ms));
    let border: Vec<_> = packets.iter().filter(|packet| (3990..4030).contains(&packet.tag.dts_ms)).collect();
    assert_eq!((border[0].kind, border[0].at.batch), (TagKind::Audio, 3));
    assert_eq!((border[1].kind, border[1].at), (TagKind::Video, at(4, 0)));
    assert_eq!((border[2].kind, border[2].at.batch, border[2].tag.dts_ms), (TagKind::Audio, 3, 4010));
    assert_eq!(packets.iter().filter(|packet| packet.entry).count(), 6);
    assert_eq!(cursor.peek(), Next::Wait);
    assert!(cursor.past(6) && !cursor.past(7));
    assert_eq!(cursor.position(), Position { video: at(5, 10), audio: at(5, 50), air_ms: 6000 });
    spool.append(batch(6));
    assert_eq!(walk(&mut cursor).len(), 60, "goes on when the next batch comes");
}

#[test]
fn a_track_at_its_end_does_not_hold_up_the_other() {
    let spool = spool(0..1);
    let mut cursor = Cursor::new(spool.clone(), position(at(0, 10), at(0, 48)));
    assert!(matches!(cursor.peek(), Next::Packet(Packet { kind: TagKind::Audio, .. })));
    assert!(!cursor.past(1));
    cursor.advance(TagKind::Audio);
    spool.append(batch(1));
    let next = walk(&mut cursor);
    assert_eq!((next[0].kind, next[0].at), (TagKind::Video, at(1, 0)));
    assert_eq!((next[1].kind, next[1].at), (TagKind::Audio, at(0, 49)));
}

#[test]
fn where_there_are_no_pictures_all_packets_are_entries() {
    let spool = Spool::new();
    spool.append(audio_only(0));
    spool.append(audio_only(1));
    let mut cursor = Cursor::new(spool, Position::start_of(0, 0));
    let packets = walk(&mut cursor);
    assert!(packets.len() == 100 && packets.iter().all(|packet| packet.entry));
    cursor.set_at_entry(position(at(0, 0), at(0, 17)));
    assert_eq!(cursor.position().audio, at(0, 17));
    assert_eq!(numbers(cursor.skip_to(800)), (0..0, 17..39));
    assert_eq!(cursor.position().air_ms, 810);
}

#[test]
fn a_session_starts_at_the_entry_before_with_the_sound_that_belongs_to_it() {
    let mut cursor = Cursor::new(spool(0..3), Position::default());
    // Video packet 7 (700 ms) with audio up to there: back to video packet 5 (500 ms), audio from 510 ms.
    cursor.set_at_entry(position(at(1, 7), at(1, 34)));
    let mut back = cursor.position();
    assert_eq!((back.video, back.audio, back.air_ms), (at(1, 5), at(1, 24), 1500));
    // At an entry: stays, including its audio.
    back.audio = at(1, 30);
    cursor.set_at_entry(back);
    assert_eq!(cursor.position().audio, at(1, 30));
    // At the end of the batch, the start of the next batch follows.
    cursor.set_at_entry(position(at(1, 10), at(1, 49)));
    assert_eq!((cursor.position().video, cursor.position().audio), (at(2, 0), at(1, 49)));
    // At the end of everything: there is no reason to go back.
    cursor.set_at_entry(position(at(2, 10), at(2, 50)));
    assert_eq!(cursor.position().video, at(2, 10));
}

#[test]
fn an_entry_may_lie_in_an_earlier_batch() {
    let spool = spool(0..1);
    let mut long = batch(1);
    long.video.tags.iter_mut().for_each(|tag| tag.key = false);
    spool.append(long);
    let mut cursor = Cursor::new(spool.clone(), Position::default());
    cursor.set_at_entry(position(at(1, 2), at(1, 10)));
    assert_eq!((cursor.position().video, cursor.position().audio), (at(0, 5), at(0, 24)));
    spool.release_before(1);
    cursor.set_at_entry(position(at(1, 2), at(1, 10)));
    assert_eq!(cursor.position().video, at(1, 2), "no entry is held: from where it was");
    assert_eq!(cursor.skip_to(5000), Passed::default(), "no entry ahead either");
}

#[test]
fn skipping_counts_what_it_passes_over() {
    let mut cursor = Cursor::new(spool(0..3), Position::start_of(0, 0));
    // To the key frame at 1500: 15 video packets, and audio before 1500 (30 + 20n < 1500: 74).
    let passed = cursor.skip_to(1100);
    assert_eq!((passed.video.ms.clone(), passed.audio.ms.clone()), (0..1500, 30..1510));
    assert_eq!(numbers(passed), (0..15, 0..74));
    assert_eq!(cursor.position().air_ms, 1500);
    assert!(cursor.skip_to(1500).is_empty(), "already there");
    // Past the last entry: to the last entry.
    assert_eq!(numbers(cursor.skip_to(99_000)), (15..25, 74..124));
    assert_eq!(cursor.position().video, at(2, 5));
    assert_eq!(Cursor::new(Spool::new(), Position::default()).skip_to(1), Passed::default());
}

#[test]
fn released_batches_are_counted_and_left_behind() {
    let spool = spool(0..5);
    let mut cursor = Cursor::new(spool.clone(), Position::start_of(0, 0));
    for _ in 0..6 {
        let Next::Packet(packet) = cursor.peek() else { panic!("nothing") };
        cursor.advance(packet.kind);
    }
    let seen = cursor.position();
    spool.release_before(3);
    cursor.advance(TagKind::Video);
    // The current batch is still read to its end; the one after it is released.
    let rest = walk(&mut cursor);
    assert_eq!(seen.video.tag as usize + seen.audio.tag as usize + rest.len() + 1, 60);
    assert_eq!(cursor.peek(), Next::Released);
    // Batches 1 and 2, and nothing of 0. Includes audio of batch 2 that reaches over the border.
    let passed = cursor.skip_released();
    assert_eq!((passed.video.ms.clone(), passed.audio.ms.clone()), (1000..3000, 1000..3030));
    assert_eq!(numbers(passed), (10..30, 50..150));
    assert_eq!(cursor.position().video, at(3, 0));

    // The position at which a session resumes may be released: its packets are counted.
    cursor.set(position(at(1, 4), at(1, 20)));
    assert_eq!(cursor.peek(), Next::Released);
    let passed = cursor.skip_released();
    assert_eq!(passed.video.ms, 1400..3000);
    assert_eq!(numbers(passed), (14..30, 70..150));

    // Only the audio of a position reaches back into released batches.
    let mut cursor = Cursor::new(spool.clone(), position(at(3, 5), at(2, 49)));
    assert_eq!(cursor.peek(), Next::Released);
    assert_eq!(numbers(cursor.skip_released()), (0..0, 149..150));
    assert_eq!((cursor.position().video, cursor.position().audio), (at(3, 5), at(3, 0)));

    let sound = Spool::new();
    (0..4).for_each(|number| sound.append(audio_only(number)));
    let mut cursor = Cursor::new(sound.clone(), Position::start_of(0, 0));
    cursor.peek();
    sound.release_before(2);
    walk(&mut cursor);
    assert_eq!(numbers(cursor.skip_released()), (0..0, 50..100));
    assert_eq!(Cursor::new(Spool::new(), Position::default()).skip_released(), Passed::default());
}

/// A position from before a restart: packets before the spool are counted as far as the journal knows them.
#[test]
fn what_an_earlier_run_released_is_counted() {
    let spool = Spool::new();
    let own = Counts { video: 10, audio: 50 };
    (1..3).for_each(|number| spool.remember(number, own, (number * 1000, number * 1000 + 1000)));
    (3..5).for_each(|number| spool.append(batch(number)));
    let mut cursor = Cursor::new(spool, position(at(1, 5), at(1, 24)));
    assert_eq!(cursor.peek(), Next::Released);
    let passed = cursor.skip_released();
    assert_eq!((passed.len(), passed.video.ms.clone()), (15 + 76, 1500..3000));
    assert_eq!(walk(&mut cursor).len(), 120);
}

#[test]
fn a_lost_batch_in_front_does_not_hide_the_pictures() {
    let spool = spool(0..2);
    spool.append(ReadyBatch::empty(2, 2000));
    let mut half = batch(3);
    half.video.tags.iter_mut().take(5).for_each(|tag| tag.key = false);
    spool.append(half);
    let mut cursor = Cursor::new(spool.clone(), Position::start_of(1, 1000));
    spool.release_before(2);
    assert_eq!(cursor.peek(), Next::Released);
    cursor.skip_released();
    assert_eq!(cursor.position().video, at(3, 5), "goes on at a key picture");
}

/// For any order of release, skip and resume, each packet of the spool is either sent or counted as skipped, exactly
/// once.
#[test]
fn sent_and_skipped_packets_are_all_there_are() {
    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};
    for seed in 0..3000 {
        let mut chance = StdRng::seed_from_u64(seed);
        let (spool, mut next) = (Spool::new(), 0);
        let mut cursor = Cursor::new(spool.clone(), Position::start_of(0, 0));
        // The first packet of each track that was neither sent nor skipped yet, and how many were sent and skipped.
        let (mut fresh, mut sent, mut skipped, mut skipped_ms) = ([0u64; 2], [0u64; 2], [0u64; 2], 0);
        let mut marks = vec![Position::start_of(0, 0)];
        let count = |passed: Passed, fresh: &mut [u64; 2], skipped: &mut [u64; 2]| {
            for (slot, stretch) in [&passed.video, &passed.audio].into_iter().enumerate() {
                skipped[slot] += stretch.packets.end.saturating_sub(stretch.packets.start.max(fresh[slot]));
                fresh[slot] = fresh[slot].max(stretch.packets.end);
                assert!(
                    stretch.ms.start <= stretch.ms.end
                        && stretch.is_empty() == (stretch.packets.end <= stretch.packets.start)
                );
            }
            passed.video.ms.end - passed.video.ms.start
        };
        let audio_alone = seed % 7 == 0;
        let mut total = [0u64; 2];
        for step in 0..80 {
            let done = step >= 70;
            match chance.random_range(0..10) {
                0..3 if next < 12 => {
                    let made = match chance.random_range(0..12) {
                        0 => ReadyBatch::empty(next, next * 1000),
                        _ if audio_alone => audio_only(next),
                        _ => batch(next),
                    };
                    total[0] += made.video.tags.len() as u64;
                    total[1] += made.audio.tags.len() as u64;
                    spool.append(made);
                    next += 1;
                }
                3 if next > 0 => spool.release_before(chance.random_range(0..next)),
                4 => skipped_ms += count(cursor.skip_to(chance.random_range(0..13_000)), &mut fresh, &mut skipped),
                5 if !done => cursor.set_at_entry(marks[chance.random_range(0..marks.len())]),
                _ => {}
            }
            marks.push(cursor.position());
            for _ in 0..if done { 100_000 } else { chance.random_range(0..90) } {
                match cursor.peek() {
                    Next::Packet(packet) => {
                        let slot = usize::from(packet.kind == TagKind::Audio);
                        if packet.index >= fresh[slot] {
                            assert_eq!(packet.index, fresh[slot], "seed {seed}: a packet is neither sent nor skipped");
                            sent[slot] += 1;
                            fresh[slot] += 1;
                        }
                        cursor.advance(packet.kind);
                    }
                    Next::Wait => break,
                    Next::Released => skipped_ms += count(cursor.skip_released(), &mut fresh, &mut skipped),
                }
            }
        }
        assert_eq!([sent[0] + skipped[0], sent[1] + skipped[1]], total, "seed {seed}");
        assert!(audio_alone || skipped_ms >= skipped[0] * 100, "seed {seed}: {skipped_ms} ms for {skipped:?}");
    }
}
