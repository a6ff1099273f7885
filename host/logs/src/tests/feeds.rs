//! Isolation of tenants, order, slow readers, many readers.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::limits::{LOG_RING_BYTES, LOG_RING_RECORDS, LOG_WAKE_EVERY};

#[tokio::test]
async fn no_reader_of_a_tenant_sees_anything_of_another_or_of_the_host() {
    let (hub, _guard) = hearing();
    let before = |filter: Filter| hub.subscribe(filter.level(Level::Trace), 100);
    let readers = || {
        [
            Filter::of_tenant("b"),
            Filter::of_tenant("b").tenant(Some("a".into())),
            Filter::of_tenant("b").stream(Some("tv".into())),
            Filter::of_tenant("b").text(Some("secret".into())),
            Filter::of_tenant("b").target(Some("logs".into())),
            Filter::of_tenant(""),
            Filter::default(),
        ]
    };
    let mut early = readers().map(before);
    info!(tenant = "a", stream = "tv", "secret of a");
    info!(tenant = "a", "secret of a without a stream");
    info!(stream = "tv", "secret of nobody");
    info!("secret of the host");
    info_span!("pipeline", tenant = "a", stream = "tv").in_scope(|| info!(stream = "tv", "secret in a span"));
    add(&hub, "a", "tv", "another secret");
    let mut late = readers().map(before);
    for feed in early.iter_mut().chain(&mut late) {
        assert_eq!(rest(feed).await, [], "{feed:?}");
    }
    for filter in readers() {
        for take in [Take::First(100), Take::Last(100)] {
            assert_eq!(hub.query(&filter.clone().level(Level::Trace), take, None, None), Page::default());
        }
    }
    info!(tenant = "b", stream = "tv", "ours");
    assert_eq!(next_message(&mut early[0]).await, "ours");
    assert_eq!(next_message(&mut late[2]).await, "ours");
    assert_eq!(hub.query(&Filter::of_host(), Take::Last(100), None, None).records.len(), 7);
}

#[tokio::test]
async fn a_feed_begins_with_the_last_lines_and_goes_on() {
    let hub = LogHub::new();
    for n in 0..10 {
        add(&hub, "a", if n % 2 == 0 { "tv" } else { "radio" }, n.to_string());
    }
    let mut three = hub.subscribe(Filter::of_tenant("a"), 3);
    let mut none = hub.subscribe(Filter::of_tenant("a"), 0);
    let mut every = hub.subscribe(Filter::of_tenant("a").stream(Some("tv".into())), 1000);
    let mut nines = hub.subscribe(Filter::of_tenant("a").text(Some("9".into())), 2);
    add(&hub, "a", "tv", "10");
    add(&hub, "a", "new", "19");
    for (feed, expected) in [
        (&mut three, vec!["7", "8", "9", "10", "19"]),
        (&mut none, vec!["10", "19"]),
        (&mut every, vec!["0", "2", "4", "6", "8", "10"]),
        (&mut nines, vec!["9", "19"]),
    ] {
        for message in expected {
            assert_eq!(next_message(feed).await, message);
        }
        assert_eq!(rest(feed).await, []);
    }
}

#[test]
fn lines_of_a_stream_come_in_order_and_once_whoever_writes_and_reads() {
    const WRITERS: usize = 4;
    const LINES: usize = LOG_RING_RECORDS / WRITERS;
    let hub = LogHub::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let read = |filter: Filter, lines: usize| {
        let mut feed = hub.subscribe(filter, 0);
        runtime.spawn(async move {
            let mut ids = Vec::new();
            while ids.len() < lines {
                match next(&mut feed).await {
                    Item::Record(record) => ids.push((record.stream.clone(), record.id)),
                    Item::Dropped(lines) => panic!("{lines} lines lost"),
                }
            }
            ids
        })
    };
    let readers = [
        read(Filter::of_tenant("a").stream(Some("s0".into())), LINES * WRITERS),
        read(Filter::of_tenant("a"), 3 * LINES * WRITERS),
        read(Filter::of_host(), 3 * LINES * WRITERS),
    ];
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                for n in 0..LINES * 3 {
                    add(&hub, "a", &format!("s{}", n % 3), n.to_string());
                }
            });
        }
    });
    for reader in readers {
        let ids = runtime.block_on(reader).unwrap();
        for stream in ["s0", "s1", "s2"] {
            let of_it: Vec<u64> =
                ids.iter().filter(|(name, _)| name.as_deref() == Some(stream)).map(|(_, id)| *id).collect();
            assert!(of_it.is_sorted_by(|a, b| a < b), "{stream}");
            assert!(of_it.is_empty() || of_it.len() == LINES * WRITERS, "{}", of_it.len());
        }
    }
}

#[tokio::test]
async fn a_slow_reader_loses_the_oldest_and_is_told_how_many() {
    let hub = LogHub::new();
    add(&hub, "a", "tv", "first");
    let mut feed = hub.subscribe(Filter::of_tenant("a"), 1);
    let mut picky = hub.subscribe(Filter::of_tenant("a").level(Level::Error), 0);
    assert_eq!(next_message(&mut feed).await, "first");
    for n in 0..LOG_RING_RECORDS + 500 {
        add(&hub, "a", "tv", n.to_string());
    }
    assert_eq!(next(&mut feed).await, Item::Dropped(500));
    for n in 500..600 {
        assert_eq!(next_message(&mut feed).await, n.to_string());
    }
    for n in 0..250 {
        add(&hub, "a", "tv", format!("more {n}"));
    }
    assert_eq!(next(&mut feed).await, Item::Dropped(150));
    assert_eq!(rest(&mut feed).await.len(), LOG_RING_RECORDS);
    assert_eq!(rest(&mut picky).await, [Item::Dropped(750)], "nobody knows whether they would have passed");
}

#[tokio::test]
async fn a_thousand_readers_that_do_not_read_hold_nothing() {
    let hub = LogHub::new();
    let readers: Vec<Feed> = (0..1000)
        .map(|n| match n % 3 {
            0 => hub.subscribe(Filter::of_tenant("a").stream(Some("tv".into())), 100),
            1 => hub.subscribe(Filter::of_tenant("a"), 0),
            _ => hub.subscribe(Filter::of_host(), 10),
        })
        .collect();
    assert_eq!(hub.counts().subscribers, 1000);
    let mut lines: Vec<Weak<LogRecord>> = Vec::new();
    for n in 0..20 * LOG_RING_RECORDS {
        add(&hub, "a", "tv", format!("{n} {}", "x".repeat(200)));
        if n % 100 == 0 {
            lines.push(Arc::downgrade(all(&hub).last().unwrap()));
        }
        assert!(hub.counts().bytes <= LOG_RING_BYTES);
    }
    let alive = lines.iter().filter(|line| line.strong_count() > 0).count();
    assert!(alive <= LOG_RING_RECORDS / 100, "{alive} of {} lines are alive: the ring's and no others", lines.len());
    assert!(size_of::<Feed>() <= 512, "a reader is {} bytes", size_of::<Feed>());
    for mut feed in readers {
        assert!(matches!(next(&mut feed).await, Item::Dropped(lines) if lines >= 19 * LOG_RING_RECORDS as u64));
        // The record is shared, not copied.
        let Item::Record(record) = next(&mut feed).await else { panic!("lines follow") };
        assert!(Arc::strong_count(&record) <= 2, "the ring's and this one");
    }
    assert_eq!(hub.counts().subscribers, 0);
}

#[test]
fn readers_are_woken_together_and_not_by_others() {
    let hub = LogHub::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let count = |filter: &Filter| {
        let mut waker = hub.shared().waker(filter).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let task = runtime.spawn(async move {
            let mut wakes = 0_u32;
            while !stopped.load(Ordering::Relaxed) {
                if tokio::time::timeout(Duration::from_millis(200), waker.changed()).await.is_ok() {
                    wakes += 1;
                }
            }
            wakes
        });
        (task, stop)
    };
    let (ours, theirs) = (count(&Filter::of_tenant("a")), count(&Filter::of_tenant("b")));
    let began = Instant::now();
    let mut lines = 0;
    while began.elapsed() < 10 * LOG_WAKE_EVERY {
        add(&hub, "a", "tv", "x");
        lines += 1;
    }
    let may = began.elapsed().as_millis() / LOG_WAKE_EVERY.as_millis() + 2;
    let wakes = [ours, theirs].map(|(task, stop)| {
        stop.store(true, Ordering::Relaxed);
        runtime.block_on(task).unwrap()
    });
    assert!(lines > 1000, "{lines}");
    assert!(wakes[0] >= 2 && u128::from(wakes[0]) <= may, "{wakes:?} wakes for {lines} lines, at most {may}");
    assert_eq!(wakes[1], 0, "another tenant's readers sleep");
}

#[tokio::test]
async fn feeds_end_with_the_log() {
    let hub = LogHub::new();
    add(&hub, "a", "tv", "last words");
    let mut feed = hub.subscribe(Filter::of_tenant("a"), 1);
    drop(hub);
    assert_eq!(next_message(&mut feed).await, "last words");
    assert_eq!(tokio::time::timeout(PATIENCE, feed.next()).await.expect("in time"), None);
}
