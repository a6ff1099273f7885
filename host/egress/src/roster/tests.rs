use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;

use super::*;
use crate::journal::{self, AirEvent};
use crate::target::Target;

const PATIENCE: Duration = Duration::from_secs(120);

/// Reports which destinations it forgets.
struct Forgets(UnboundedSender<String>);

impl AirJournal for Forgets {
    fn key_frame(&self, _: &str, _: Position) -> BoxFuture<'_, Result<(), journal::JournalError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn forget(&self, destination: &str) -> BoxFuture<'_, Result<(), journal::JournalError>> {
        self.0.send(destination.to_owned()).unwrap();
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Nothing is on air yet: every task waits for its start.
fn roster() -> (Destinations, mpsc::Receiver<AirEvent>, mpsc::UnboundedReceiver<String>) {
    let (events, told) = mpsc::channel(100);
    let (forgets, forgotten) = mpsc::unbounded_channel();
    let shared = Shared {
        stream: "tv".to_owned(),
        ffmpeg: PathBuf::new(),
        runtime: Handle::current(),
        spool: Spool::new(),
        clock: AirClock::new(),
        journal: Arc::new(Forgets(forgets)),
        events,
        cancel: CancellationToken::new(),
    };
    (Destinations::new(shared), told, forgotten)
}

fn to(name: &str) -> DestinationConfig {
    DestinationConfig::new(name, Target::parse(&format!("rtmp://127.0.0.1:9/live/{name}")).unwrap())
}

fn shown(roster: &Destinations) -> Vec<(String, bool)> {
    let statuses = roster.statuses();
    let all = statuses.borrow();
    let one = |status: &DestinationStatus| (status.label.clone(), status.disabled);
    all.iter().map(|status| one(&status.borrow())).collect()
}

fn needed(roster: &Destinations) -> Vec<String> {
    roster.needs().into_iter().map(|needs| needs.name).collect()
}

async fn in_time<T>(what: impl Future<Output = Option<T>>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time").expect("told")
}

#[tokio::test]
async fn destinations_come_and_go_and_the_others_are_not_touched() {
    let (roster, mut told, mut forgotten) = roster();
    roster.begin(vec![to("a"), DestinationConfig { enabled: false, ..to("b") }]);
    assert_eq!(
        (needed(&roster), shown(&roster)),
        (vec!["a".to_owned()], vec![("a".into(), false), ("b".into(), true)])
    );
    assert!(!roster.reconnect("b") && !roster.reconnect("c") && roster.reconnect("a"));

    let stays = roster.statuses().borrow()[0].clone();
    roster.set(vec![to("c"), DestinationConfig { label: "Main".to_owned(), ..to("a") }, to("b")]);
    assert_eq!(needed(&roster), ["c", "a", "b"]);
    assert_eq!(shown(&roster)[1], ("Main".to_owned(), false));
    assert!(roster.statuses().borrow()[1].same_channel(&stays), "the one that stays is the same");

    roster.set(vec![to("a"), DestinationConfig { enabled: false, ..to("b") }]);
    assert_eq!(needed(&roster), ["a"]);
    let mut gone = [in_time(forgotten.recv()).await, in_time(forgotten.recv()).await];
    gone.sort();
    assert_eq!(gone, ["b", "c"], "where they were counts no more");
    let mut ended = Vec::new();
    for _ in 0..2 {
        let AirEvent::Ended { destination } = in_time(told.recv()).await else { panic!("nothing else happened") };
        ended.push(destination);
    }
    ended.sort();
    assert_eq!(ended, ["b", "c"]);
    assert!(told.try_recv().is_err(), "a goes on");
}

#[tokio::test]
async fn nothing_is_started_once_the_programme_ends() {
    let (roster, mut told, _forgotten) = roster();
    roster.begin(vec![to("a")]);
    roster.0.cancel.cancel();
    drop(roster.close());
    roster.set(vec![to("a"), to("b")]);
    let AirEvent::Ended { destination } = in_time(told.recv()).await else { panic!("nothing else happened") };
    assert_eq!(destination, "a");
    assert!(tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().is_none(), "whoever listens hears the end");
}
