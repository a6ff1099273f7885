use super::*;

/// A full minute of the Unix epoch, in milliseconds.
const MINUTE: i64 = 1_700_000_040_000;

fn settings(text: &str) -> Settings {
    Settings::read(text).unwrap()
}

fn batcher(text: &str) -> Batcher {
    Batcher::new(settings(text), None).unwrap()
}

/// A segment that begins so many milliseconds after [`MINUTE`].
fn at(index: u64, ms: i64, duration_ms: u64) -> Segment {
    Segment { program_date_time_us: Some((MINUTE + ms) * 1000), ..dateless(index, duration_ms) }
}

fn dateless(index: u64, duration_ms: u64) -> Segment {
    Segment { index, duration_us: duration_ms * 1000, ..Segment::default() }
}

/// Segments of `duration_ms`, the first `from_ms` after [`MINUTE`].
fn run_of(count: u64, from_ms: i64, duration_ms: u64) -> Vec<Segment> {
    (0..count).map(|n| at(n, from_ms + (n * duration_ms) as i64, duration_ms)).collect()
}

fn cut(first: u64, last: u64, reason: Reason) -> Cut {
    Cut { first, last, reason }
}

/// Pushes all and answers (index after which it came, cut).
fn run(batcher: &mut Batcher, segments: &[Segment]) -> Vec<(u64, Cut)> {
    segments.iter().flat_map(|s| batcher.push(*s).into_iter().map(|c| (s.index, c))).collect()
}

#[test]
fn a_batch_ends_with_the_segment_that_reaches_a_border() {
    // 6 s segments from :06; borders at :30 and :60.
    let cuts = run(&mut batcher("{}"), &run_of(10, 6_000, 6_000));
    assert_eq!(cuts, [(3, cut(0, 3, Reason::Aligned)), (8, cut(4, 8, Reason::Aligned))]);
    // From :02 the border at :30 lies in the segment from :26 to :32.
    let cuts = run(&mut batcher("{}"), &run_of(11, 2_000, 6_000));
    assert_eq!(cuts, [(4, cut(0, 4, Reason::Aligned)), (9, cut(5, 9, Reason::Aligned))]);
}

#[test]
fn pipelines_that_began_at_different_times_cut_alike() {
    let segments = run_of(100, 1_234, 3_337);
    let all = run(&mut batcher(r#"{"every_seconds":10}"#), &segments);
    assert!(all.len() > 25, "{}", all.len());
    for began in 1..30 {
        let late = run(&mut batcher(r#"{"every_seconds":10}"#), &segments[began..]);
        let ends = |cuts: &[(u64, Cut)]| cuts.iter().map(|(_, cut)| cut.last).collect::<Vec<_>>();
        let (late, all) = (ends(&late), ends(&all));
        assert!(all.ends_with(&late), "began at {began}: {late:?} of {all:?}");
    }
}

#[test]
fn the_offset_shifts_the_borders() {
    let ends = |offset: &str| {
        let mut batcher = batcher(&format!(r#"{{"every_seconds":10,"offset_ms":{offset}}}"#));
        run(&mut batcher, &run_of(20, 0, 1_000)).iter().map(|(_, cut)| cut.last).collect::<Vec<_>>()
    };
    assert_eq!(ends("0"), [9, 19]);
    assert_eq!(ends("3000"), [2, 12]);
    assert_eq!(ends("-3000"), [6, 16]);
    assert_eq!(ends("13000"), ends("3000"));
}

#[test]
fn rounded_times_pass_a_border_once() {
    // Each segment is told 40 ms shorter or longer than it is, each date-time up to 90 ms off.
    for off in [-90, -40, 0, 40, 90] {
        for duration in [1_960, 2_000, 2_040] {
            let segment = |n: u64| at(n, n as i64 * 2_000 + if n.is_multiple_of(2) { off } else { -off }, duration);
            let cuts = run(&mut batcher(r#"{"every_seconds":10}"#), &(0..25).map(segment).collect::<Vec<_>>());
            let ends: Vec<_> = cuts.iter().map(|(_, cut)| cut.last).collect();
            assert_eq!(ends, [4, 9, 14, 19, 24], "{off} {duration}");
        }
    }
}

#[test]
fn a_date_time_at_the_first_segment_is_enough() {
    let mut segments: Vec<_> = (0..10).map(|n| dateless(n, 6_000)).collect();
    segments[0] = at(0, 6_000, 6_000);
    let cuts = run(&mut batcher("{}"), &segments);
    assert_eq!(cuts, [(3, cut(0, 3, Reason::Aligned)), (8, cut(4, 8, Reason::Aligned))]);
}

#[test]
fn without_a_date_time_length_decides() {
    let segments: Vec<_> = (0..11).map(|n| dateless(n, 5_994)).collect();
    let cuts = run(&mut batcher("{}"), &segments);
    assert_eq!(cuts, [(4, cut(0, 4, Reason::Length)), (9, cut(5, 9, Reason::Length))]);
    // As soon as there is one, the next border counts.
    let mut segments: Vec<_> = (0..3).map(|n| dateless(n, 6_000)).collect();
    segments.extend([at(3, 21_000, 6_000), at(4, 27_000, 6_000)]);
    assert_eq!(run(&mut batcher("{}"), &segments), [(4, cut(0, 4, Reason::Aligned))]);
}

#[test]
fn a_discontinuity_ends_the_batch_before_it_and_its_clock() {
    let mut segments = run_of(3, 0, 6_000);
    segments.push(Segment { discontinuity: true, ..at(3, 3_600_000, 6_000) });
    segments.push(Segment { discontinuity: true, ..dateless(4, 6_000) });
    let mut batcher = batcher("{}");
    let cuts = run(&mut batcher, &segments);
    assert_eq!(cuts, [(3, cut(0, 2, Reason::Discontinuity)), (4, cut(3, 3, Reason::Discontinuity))]);
    assert_eq!(batcher.flush(), Some(cut(4, 4, Reason::Flush)));
    assert_eq!(batcher.flush(), None);
}

#[test]
fn a_clock_that_jumps_neither_stalls_nor_merges() {
    let mut ahead = run_of(3, 0, 6_000);
    ahead.extend([at(3, 95_000, 6_000), at(4, 101_000, 6_000)]);
    assert_eq!(run(&mut batcher("{}"), &ahead), [(3, cut(0, 2, Reason::Aligned))]);
    let mut back = run_of(3, 0, 6_000);
    back.extend((3..8).map(|n| at(n, -3_600_000 + (n as i64 - 3) * 6_000, 6_000)));
    assert_eq!(run(&mut batcher("{}"), &back), [(7, cut(0, 7, Reason::Aligned))]);
}

#[test]
fn no_batch_is_longer_than_allowed() {
    // A clock that stands still reaches no border.
    let still: Vec<_> = (0..12).map(|n| at(n, 0, 7_000)).collect();
    let text = r#"{"every_seconds":30,"max_seconds":30}"#;
    let cuts = run(&mut batcher(text), &still);
    assert_eq!(cuts, [(4, cut(0, 3, Reason::Length)), (8, cut(4, 7, Reason::Length))]);
    // One segment that is too long by itself is a batch of its own.
    let cuts = run(&mut batcher(text), &[at(0, 0, 4_000), at(1, 0, 31_000), at(2, 0, 4_000)]);
    assert_eq!(cuts[..2], [(1, cut(0, 0, Reason::Length)), (1, cut(1, 1, Reason::Aligned))]);
}

#[test]
fn cues_cut_only_where_wanted() {
    let segments = [at(0, 0, 4_000), Segment { cue: true, ..at(1, 4_000, 4_000) }];
    assert_eq!(run(&mut batcher(r#"{"cut_at_cues":true}"#), &segments), [(1, cut(0, 0, Reason::Cue))]);
    assert_eq!(run(&mut batcher("{}"), &segments), []);
}

#[test]
fn a_snapshot_goes_on_where_it_was() {
    let segments = run_of(40, 1_000, 3_000);
    let whole = run(&mut batcher("{}"), &segments);
    for at in 0..segments.len() {
        let mut one = batcher("{}");
        let mut cuts = run(&mut one, &segments[..at]);
        let state = one.snapshot();
        assert!(state.len() < 250, "{} bytes", state.len());
        cuts.extend(run(&mut Batcher::new(one.settings, Some(&state)).unwrap(), &segments[at..]));
        assert_eq!(cuts, whole, "handed over before {at}");
    }
    assert!(Batcher::new(settings("{}"), Some(b"other")).is_err());
}

#[test]
fn a_batch_that_batching_duration_opened_is_gone_on_with() {
    let old = br#"{"stage":"batching-duration","layout":1,"state":{"last_pushed":7,"open":{"first":6,"last":7,"duration_us":12000000}}}"#;
    let mut dated = Batcher::new(settings("{}"), Some(old)).unwrap();
    assert_eq!(run(&mut dated, &[at(8, 24_000, 6_000)]), [(8, cut(6, 8, Reason::Aligned))]);
    let mut undated = Batcher::new(settings("{}"), Some(old)).unwrap();
    let rest: Vec<_> = (8..11).map(|n| dateless(n, 6_000)).collect();
    assert_eq!(run(&mut undated, &rest), [(10, cut(6, 10, Reason::Length))]);
}

#[test]
fn absurd_numbers_do_not_overflow() {
    for time in [i64::MIN, i64::MAX] {
        let wild = |index, duration_us| Segment { program_date_time_us: Some(time), ..at(index, 0, duration_us) };
        let mut batcher = batcher(r#"{"offset_ms":-120000}"#);
        run(
            &mut batcher,
            &[wild(u64::MAX, 1), wild(0, 1), Segment { duration_us: u64::MAX, ..wild(1, 0) }, wild(2, 0)],
        );
        batcher.flush();
    }
}
