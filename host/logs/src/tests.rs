use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{info, info_span, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use super::*;
use crate::limits::{LOG_LINES_BURST, LOG_LINES_PER_SECOND, LOG_QUERY_MAX, LOG_TENANT_LINES_BURST};
use outboard_base::unix_time;

mod feeds;
mod keeping;

/// Longest wait for an event that comes soon.
const PATIENCE: Duration = Duration::from_secs(120);

/// A hub that receives this thread's events.
fn hearing() -> (LogHub, DefaultGuard) {
    let hub = LogHub::new();
    let guard = set_default(registry().with(EnvFilter::new("info")).with(hub.layer()));
    (hub, guard)
}

/// Adds a line without the rate limit.
fn add(hub: &LogHub, tenant: &str, stream: &str, message: impl Into<Box<str>>) {
    hub.shared().add(LogRecord {
        id: 0,
        at_ms: unix_time::now_ms(),
        level: Level::Info,
        target: "test",
        tenant: (!tenant.is_empty()).then(|| tenant.into()),
        stream: (!stream.is_empty()).then(|| stream.into()),
        batch: None,
        message: message.into(),
        fields: Box::new([]),
    });
}

fn all(hub: &LogHub) -> Vec<Arc<LogRecord>> {
    hub.query(&Filter::of_host().level(Level::Trace), Take::Last(LOG_QUERY_MAX), None, None).records
}

fn messages(records: &[Arc<LogRecord>]) -> Vec<&str> {
    records.iter().map(|record| &*record.message).collect()
}

async fn next(feed: &mut Feed) -> Item {
    tokio::time::timeout(PATIENCE, feed.next()).await.expect("an item in time").expect("the log goes on")
}

async fn next_message(feed: &mut Feed) -> String {
    match next(feed).await {
        Item::Record(record) => record.message.to_string(),
        Item::Dropped(lines) => format!("dropped {lines}"),
    }
}

/// Reads all items that are left in the feed.
async fn rest(feed: &mut Feed) -> Vec<Item> {
    let mut items = Vec::new();
    while let Ok(Some(item)) = tokio::time::timeout(Duration::ZERO, feed.next()).await {
        items.push(item);
    }
    items
}

#[test]
fn who_and_what_comes_from_the_event_and_the_spans_around_it() {
    let (hub, _guard) = hearing();
    info_span!("pipeline", tenant = "a", stream = "tv").in_scope(|| {
        info!(late_ms = -3, ok = true, why = %"slow", rate = 0.5, "in the pipeline");
        info_span!("batch", batch = 7_u64, destination = "one").in_scope(|| {
            warn!(target: "ffmpeg", "in a batch of it");
            info!(batch = 8_u64, "another batch");
            info!(stream = "tv", "the same stream by name");
            info!(stream = "radio", "another stream");
            info!(tenant = "b", "another tenant");
            info!(tenant = "../x", "no name");
        });
        let later = info_span!("later", batch = tracing::field::Empty);
        later.record("batch", 9);
        later.in_scope(|| info!("told later"));
        let task = info_span!(parent: None, "task");
        task.in_scope(|| info!("outside"));
    });
    let seen: Vec<_> = all(&hub)
        .iter()
        .map(|line| (line.message.to_string(), line.tenant.clone(), line.stream.clone(), line.batch))
        .collect();
    let line = |message: &str, tenant: &str, stream: &str, batch: Option<u64>| {
        let name = |name: &str| (!name.is_empty()).then(|| Arc::from(name));
        (message.to_owned(), name(tenant), name(stream), batch)
    };
    assert_eq!(
        seen,
        [
            line("in the pipeline", "a", "tv", None),
            line("in a batch of it", "a", "tv", Some(7)),
            line("another batch", "a", "tv", Some(8)),
            line("the same stream by name", "a", "tv", Some(7)),
            line("another stream", "a", "radio", None),
            line("another tenant", "b", "", None),
            line("no name", "a", "tv", Some(7)),
            line("told later", "a", "tv", Some(9)),
            line("outside", "", "", None),
        ]
    );
    let lines = all(&hub);
    let text = |text: &str| Value::Text(text.into());
    let fields =
        [("late_ms", Value::Int(-3)), ("ok", Value::Bool(true)), ("why", text("slow")), ("rate", Value::Float(0.5))];
    assert_eq!((&*lines[0].fields, lines[0].level, lines[0].target), (&fields[..], Level::Info, "logs"));
    assert_eq!((&*lines[1].fields, lines[1].level), (&[("destination", text("one"))][..], Level::Warn));
    assert_eq!(lines[1].target, "ffmpeg");
    assert_eq!(lines[6].fields[0], ("tenant", text("../x")), "what is no name is only a field");
    assert!(lines[0].at_ms.abs_diff(unix_time::now_ms()) < 60_000);
}

#[test]
fn the_filter_of_the_process_holds_for_the_hub_too() {
    let (hub, _guard) = hearing();
    tracing::debug!("not this");
    info!("this");
    assert_eq!(messages(&all(&hub)), ["this"]);
}

/// Collects the output of a console layer.
#[derive(Clone, Default)]
struct Console(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Console {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_flood_is_left_out_everywhere_and_told_and_harms_nobody_else() {
    let (hub, console) = (LogHub::new(), Console::default());
    let writer = console.clone();
    let lines = fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
    let _guard = set_default(registry().with(hub.layer()).with(lines));
    let mut feed = hub.subscribe(Filter::of_tenant("noisy"), 0);
    let began = Instant::now();
    const LINES: u64 = 20_000;
    for n in 0..LINES {
        info!(tenant = "noisy", stream = "tv", n, "flood");
    }
    info!(tenant = "quiet", stream = "tv", "heard");
    info!("the host too");
    let may = LOG_LINES_BURST + LOG_LINES_PER_SECOND * (u32::try_from(began.elapsed().as_secs()).unwrap() + 2);
    let (mut came, mut told) = (0, 0);
    while came + told < LINES {
        match next(&mut feed).await {
            Item::Record(record) if record.target == "logs" && &*record.message != "flood" => match &*record.fields {
                [("left_out", Value::Uint(lines))] => told += lines,
                other => panic!("{other:?}"),
            },
            Item::Record(_) => came += 1,
            Item::Dropped(lines) => came += lines,
        }
    }
    assert_eq!(came + told, LINES, "what is not there is told");
    assert!(came <= u64::from(may), "{came} lines of at most {may}");
    assert_eq!(hub.counts().left_out, told);
    let quiet = hub.query(&Filter::of_tenant("quiet"), Take::Last(9), None, None).records;
    assert_eq!(messages(&quiet), ["heard"]);
    let written = String::from_utf8(console.0.lock().unwrap().clone()).unwrap();
    assert_eq!(written.lines().filter(|line| line.contains(": flood")).count() as u64, came);
    let shown: u64 = written.lines().filter_map(|line| line.split_once("left_out=")?.1.parse::<u64>().ok()).sum();
    assert_eq!(shown, told, "{}", written.lines().last().unwrap());
    assert!(written.contains("heard") && written.contains("the host too"));
}

#[test]
fn all_streams_of_a_tenant_share_a_rate() {
    let (hub, _guard) = hearing();
    for n in 0..LOG_TENANT_LINES_BURST * 2 {
        info!(tenant = "noisy", stream = %format!("s{}", n % 50), "flood");
    }
    let counts = hub.counts();
    assert!(counts.left_out > u64::from(LOG_TENANT_LINES_BURST) / 2, "{counts:?}");
    info!(tenant = "quiet", stream = "tv", "heard");
    assert_eq!(hub.counts().lines, counts.lines + 1);
}
