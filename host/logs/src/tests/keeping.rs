//! What is stored, in memory and in files, for how long, and without secrets.

use super::*;
use crate::limits::{LOG_HUB_BYTES, LOG_MESSAGE_BYTES_MAX, LOG_RING_BYTES, LOG_RINGS_MAX, LOG_VALUE_BYTES_MAX};

#[test]
fn pages_go_both_ways() {
    let hub = LogHub::new();
    for n in 0..10 {
        add(&hub, if n % 3 == 2 { "b" } else { "a" }, if n % 2 == 0 { "tv" } else { "radio" }, n.to_string());
    }
    // The lines 0 1 3 4 6 7 9 belong to tenant a.
    let ours = Filter::of_tenant("a");
    let page = |take, after, before| {
        let page = hub.query(&ours, take, after, before);
        (page.records.iter().map(|record| record.message.to_string()).collect::<Vec<_>>().join(" "), page.more)
    };
    let id = |message: &str| all(&hub).iter().find(|record| &*record.message == message).unwrap().id;
    assert_eq!(page(Take::Last(3), None, None), ("6 7 9".into(), true));
    assert_eq!(page(Take::Last(3), None, Some(id("6"))), ("1 3 4".into(), true));
    assert_eq!(page(Take::Last(3), None, Some(id("1"))), ("0".into(), false));
    assert_eq!(page(Take::First(3), None, None), ("0 1 3".into(), true));
    assert_eq!(page(Take::First(3), Some(id("4")), None), ("6 7 9".into(), false));
    assert_eq!(page(Take::First(9), Some(id("1")), Some(id("7"))), ("3 4 6".into(), false));
    assert_eq!(page(Take::Last(2), Some(id("1")), Some(id("7"))), ("4 6".into(), true));
    assert_eq!(page(Take::Last(0), None, None), (String::new(), true));
    assert_eq!(hub.query(&ours.clone().text(Some("7".into())), Take::Last(5), None, None).records.len(), 1);
}

#[test]
fn ids_rise_over_restarts() {
    let first = LogHub::new();
    add(&first, "a", "tv", "x");
    let second = LogHub::new();
    add(&second, "a", "tv", "y");
    std::thread::sleep(Duration::from_millis(2));
    let third = LogHub::new();
    add(&third, "a", "tv", "z");
    assert!(all(&third)[0].id > all(&first)[0].id);
    assert!(all(&third)[0].id < 1 << 53, "a number for JavaScript too");
}

#[test]
fn a_line_is_bounded() {
    let (hub, _guard) = hearing();
    info!(text = "y".repeat(100_000), other = ?"é".repeat(100_000), "{}", "x".repeat(100_000));
    let line = &all(&hub)[0];
    assert!(line.message.len() <= LOG_MESSAGE_BYTES_MAX + '…'.len_utf8() && line.message.ends_with('…'));
    for (name, value) in &line.fields {
        let Value::Text(text) = value else { panic!("{name}") };
        assert!(text.len() <= LOG_VALUE_BYTES_MAX + '…'.len_utf8() && text.ends_with('…'), "{name}");
    }
}

#[test]
fn memory_is_bounded_over_all_streams_and_the_greedy_pay() {
    let hub = LogHub::new();
    add(&hub, "small", "tv", "still here");
    let long = "x".repeat(4000);
    // Twice the total limit, if each stream stored what a single one may.
    for stream in 0..2 * LOG_HUB_BYTES / LOG_RING_BYTES {
        for _ in 0..LOG_RING_BYTES / 4000 {
            add(&hub, "greedy", &format!("s{stream}"), long.as_str());
        }
    }
    let held = hub.counts().bytes;
    assert!(held <= LOG_HUB_BYTES && held > LOG_HUB_BYTES / 2, "{held}");
    for stream in 0..2 * LOG_RINGS_MAX {
        add(&hub, "greedy", &format!("t{stream}"), "x");
    }
    let counts = hub.counts();
    assert!(counts.streams <= LOG_RINGS_MAX && counts.bytes <= LOG_HUB_BYTES, "{counts:?}");
    let small = hub.query(&Filter::of_tenant("small"), Take::Last(1), None, None).records;
    assert_eq!(messages(&small), ["still here"]);
}

#[tokio::test]
async fn what_is_forgotten_is_gone_and_the_name_can_be_used_again() {
    let storage = tempfile::tempdir().unwrap();
    let hub = LogHub::new();
    hub.open(storage.path());
    add(&hub, "a", "tv", "old");
    add(&hub, "a", "radio", "stays");
    add(&hub, "b", "tv", "stays");
    let mut feed = hub.subscribe(Filter::of_tenant("a").stream(Some("tv".into())), 1);
    assert_eq!(next_message(&mut feed).await, "old");
    hub.forget("a", "tv").await;
    assert!(!storage.path().join("a/logs/tv").exists());
    assert!(storage.path().join("a/logs/radio/outboard.log").exists());
    assert_eq!(messages(&all(&hub)), ["stays", "stays"]);
    add(&hub, "a", "tv", "new");
    assert_eq!(next_message(&mut feed).await, "new");
    assert!(hub.flush(PATIENCE));
    let text = std::fs::read_to_string(storage.path().join("a/logs/tv/outboard.log")).unwrap();
    assert!(text.contains("new") && !text.contains("old"), "{text}");
}

#[test]
fn files_have_the_lines_of_streams_and_nobody_elses() {
    let storage = tempfile::tempdir().unwrap();
    let (hub, _guard) = hearing();
    info!(tenant = "a", stream = "tv", "before the storage is open");
    hub.open(storage.path());
    info!(tenant = "a", stream = "tv", batch = 3_u64, n = 1, "one");
    info!(tenant = "b", stream = "tv", "not a's");
    info!(tenant = "a", "without a stream");
    info!("the host's");
    warn!(tenant = "a", stream = "tv", "two");
    assert!(hub.flush(PATIENCE));
    let read = |path: &str| std::fs::read_to_string(storage.path().join(path)).unwrap();
    let lines: Vec<serde_json::Value> =
        read("a/logs/tv/outboard.log").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        (&lines[0]["message"], &lines[0]["batch"], &lines[0]["fields"]["n"]),
        (&"one".into(), &3.into(), &1.into())
    );
    assert_eq!((&lines[1]["message"], &lines[1]["level"]), (&"two".into(), &"warn".into()));
    assert!(read("b/logs/tv/outboard.log").contains("not a's"));
    assert_eq!(std::fs::read_dir(storage.path()).unwrap().count(), 2);
}

#[test]
fn secrets_reach_neither_memory_nor_files() {
    let storage = tempfile::tempdir().unwrap();
    let (hub, _guard) = hearing();
    hub.open(storage.path());
    let url = "rtmp://user:SECRET@h:1935/live/SECRET?token=SECRET";
    info_span!("air", tenant = "a", stream = "tv", url).in_scope(|| {
        warn!(to = %url, debugged = ?Some(url), error = ?std::io::Error::other(url), "cannot publish to {url}: Bearer SECRET");
        info!(header = "Bearer SECRET", "GET /live.m3u8?token=SECRET");
    });
    assert!(hub.flush(PATIENCE));
    let text = std::fs::read_to_string(storage.path().join("a/logs/tv/outboard.log")).unwrap();
    let kept = format!("{:?}{text}", all(&hub));
    assert!(!kept.contains("SECRET"), "{kept}");
    assert_eq!(text.lines().count(), 2);
    assert!(text.matches("rtmp://h:1935/live/…").count() >= 5, "{text}");
}
