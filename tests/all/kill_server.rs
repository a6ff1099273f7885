//! Law 5 for the whole server: `kill -9` under load, repeatedly at random moments. Afterwards every acknowledged change
//! is stored, and the pipelines resume where they were.
//!
//! The moments are drawn from a seed that is printed; `OUTBOARD_TEST_SEED` repeats a run, `OUTBOARD_TEST_KILLS` sets
//! the number of kills (20 by hand, a few in CI).
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use outboard_tests::media::Clip;
use outboard_tests::processor::{Processor, ServerKind};
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::channel::{Channel, Plan};
use outboard_tests::server::{Answer, Server};
use serde_json::{Value, json};

/// Limit for a pipeline to be on air after a start.
const ON_AIR_LIMIT: Duration = Duration::from_secs(120);
/// Limit for the demo to be on air, including the encoding of its clip.
const DEMO_LIMIT: Duration = Duration::from_secs(240);

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Repeatable random numbers (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % end
    }
}

/// A pipeline as acknowledged: revision, batch length and desired state. `None`: deleted.
type Known = Option<(u64, u64, String)>;

/// The changes that were acknowledged to one client, and the request without a response.
#[derive(Debug, Default)]
struct Acknowledged {
    known: BTreeMap<String, Known>,
    /// The mutation in progress: its stream, and the state after it.
    open: Option<(String, Known)>,
    acknowledged: u64,
}

const FIELDS: &str = "id streamId revision desired settings { batchSeconds }";

fn known(pipeline: &Value) -> Known {
    let number = |value: &Value| value.as_u64().unwrap();
    let desired = pipeline["desired"].as_str().unwrap().to_owned();
    Some((number(&pipeline["revision"]), number(&pipeline["settings"]["batchSeconds"]), desired))
}

/// Changes pipelines one after the other until the server is gone.
async fn keep_changing(server: &Server, token: &str, client: u64, books: &Mutex<Acknowledged>, dice: &mut Dice) {
    loop {
        let stream = format!("client-{client}-{}", dice.below(4));
        let before = books.lock().unwrap().known.get(&stream).cloned().flatten();
        let seconds = 2 + dice.below(100);
        let settings = json!({
            "source": { "url": "http://127.0.0.1:9/off.m3u8" },
            "destinations": [{ "url": format!("rtmp://127.0.0.1:9/live/{stream}") }],
            "batchSeconds": seconds,
        });
        let choice = if before.is_none() { 0 } else { 1 + dice.below(4) };
        let (field, call, input, after) = match (choice, &before) {
            (1 | 2, Some((revision, _, wish))) => {
                let call = format!("updatePipeline(id: $id, input: $update) {{ {FIELDS} }}");
                let input = json!({ "settings": { "batchSeconds": seconds }, "expectedRevision": revision });
                ("updatePipeline", call, input, Some((revision + 1, seconds, wish.clone())))
            }
            (3, Some((revision, seconds, wish))) => {
                let (name, wish) = match wish.as_str() {
                    "RUNNING" => ("stopPipeline", "STOPPED"),
                    _ => ("startPipeline", "RUNNING"),
                };
                (
                    name,
                    format!("{name}(id: $id) {{ {FIELDS} }}"),
                    json!(null),
                    Some((*revision, *seconds, wish.to_owned())),
                )
            }
            (4, Some(_)) => ("deletePipeline", "deletePipeline(id: $id) { id deleted }".to_owned(), json!(null), None),
            _ => {
                let call = format!("createPipeline(input: $create) {{ {FIELDS} }}");
                let input = json!({ "streamId": stream, "settings": settings, "start": false });
                ("createPipeline", call, input, Some((1, seconds, "STOPPED".to_owned())))
            }
        };
        let declared = match field {
            "createPipeline" => "$create: CreatePipelineInput!",
            "updatePipeline" => "$id: ID!, $update: UpdatePipelineInput!",
            _ => "$id: ID!",
        };
        let variables = json!({ "id": stream, "create": input, "update": input });
        books.lock().unwrap().open = Some((stream.clone(), after.clone()));
        let answer = server.try_graphql(Some(token), &format!("mutation({declared}) {{ {call} }}"), &variables).await;
        let Ok(Answer { body, .. }) = answer else { return };
        assert!(body["errors"].is_null(), "{field} of {stream}, known {before:?}: {body}");
        let mut books = books.lock().unwrap();
        // Batch length and desired state are those of the request; only the server knows the revision of a new
        // pipeline.
        let now = if field == "deletePipeline" { None } else { known(&body["data"][field]) };
        match (&now, &after) {
            (Some((_, seconds, wish)), Some((_, wanted, wanted_wish))) => {
                assert_eq!((seconds, wish), (wanted, wanted_wish), "{field} of {stream}: {body}");
            }
            (None, None) => {}
            other => unreachable!("{field} of {stream}: {other:?}"),
        }
        books.known.insert(stream, now);
        books.open = None;
        books.acknowledged += 1;
    }
}

/// Checks that every acknowledged change is stored; the mutation in progress may be stored or not.
async fn assert_kept(server: &Server, token: &str, all: &[Arc<Mutex<Acknowledged>>], what: &str) {
    let list = format!("{{ pipelines {{ {FIELDS} }} }}");
    let answer = server.graphql(Some(token), &list, &json!({})).await;
    let there: BTreeMap<String, Known> = answer
        .data("pipelines")
        .as_array()
        .unwrap()
        .iter()
        .map(|pipeline| (pipeline["streamId"].as_str().unwrap().to_owned(), known(pipeline)))
        .collect();
    for books in all {
        let mut books = books.lock().unwrap();
        let open = books.open.take();
        let (under_way, after) = open.clone().unzip();
        if let Some(stream) = &under_way {
            books.known.entry(stream.clone()).or_default();
        }
        for (stream, acknowledged) in &mut books.known {
            let found = there.get(stream).cloned().flatten();
            let of_it = under_way.as_ref() == Some(stream);
            let done = of_it && same(&found, after.as_ref().unwrap());
            assert!(
                found == *acknowledged || done,
                "{what}: {stream} is {found:?}, acknowledged was {acknowledged:?}, under way {open:?}"
            );
            *acknowledged = found;
        }
    }
}

/// Compares without the revision, which only the server knows for requests without a response.
fn same(found: &Known, wanted: &Known) -> bool {
    let rest = |known: &Known| known.as_ref().map(|(_, seconds, wish)| (*seconds, wish.clone()));
    rest(found) == rest(wanted)
}

#[tokio::test]
async fn what_was_acknowledged_survives_and_pipelines_go_on() {
    let kills = from_environment("OUTBOARD_TEST_KILLS", 4);
    let seed = from_environment("OUTBOARD_TEST_SEED", u64::from(std::process::id()) << 20 | 1);
    eprintln!("{kills} kills, OUTBOARD_TEST_SEED={seed}");
    let mut dice = Dice(seed.max(1));
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    let token = server.tenant("kept").await;
    let nginx = Nginx::start();
    let node = Processor::start(ServerKind::Node, "echo", &["delay=100"]).await;
    let url = node.url();
    // As long as all rounds, and some time after them.
    let length = 24 + u32::try_from(kills).unwrap() * 12;
    let mut channels = Vec::new();
    for (name, width, processor) in [("kept-a", 320, Some(url.as_str())), ("kept-b", 336, None)] {
        let clip = Clip { size: Some((width, 180)), ..Clip::small(length) };
        let plan = Plan { name, clip, batch_seconds: 4, processor };
        channels.push(Channel::start(&server, Some(&token), &nginx, plan).await);
    }
    for channel in &mut channels {
        channel.on_air(&server, &nginx).await;
    }
    let books: Vec<Arc<Mutex<Acknowledged>>> = (0..3).map(|_| Arc::default()).collect();
    let mut slowest = Duration::ZERO;
    for round in 1..=kills {
        // Every other time on air; otherwise at any time, as early as possible.
        for channel in channels.iter().filter(|_| round % 2 == 0) {
            let on_air = |status: &Value| status["onAir"] == true || status["phase"] == "STOPPED";
            server.until(Some(&token), &channel.id, "on air again", ON_AIR_LIMIT, on_air).await;
        }
        let moment = Duration::from_millis(1500 + dice.below(2500));
        let mut own: Vec<Dice> = (0..3).map(|_| Dice(dice.below(u64::MAX - 1) + 1)).collect();
        {
            let clients = books.iter().zip(&mut own).enumerate();
            let clients = clients.map(|(n, (books, dice))| keep_changing(&server, &token, n as u64, books, dice));
            let killing = async {
                tokio::time::sleep(moment).await;
                server.process().signal(Signal::SIGKILL);
            };
            // Each client ends because no response arrives, so a waiting client received no acknowledgement.
            tokio::join!(futures_util::future::join_all(clients), killing);
        }
        server.kill().await;
        let began = Instant::now();
        server.start_again().await;
        slowest = slowest.max(began.elapsed());
        assert_kept(&server, &token, &books, &format!("seed {seed}, kill {round} after {moment:?}")).await;
    }
    let acknowledged: u64 = books.iter().map(|books| books.lock().unwrap().acknowledged).sum();
    assert!(acknowledged >= kills * 10, "{acknowledged} mutations are no load");
    for channel in &channels {
        channel.ended(&server, Duration::from_secs(u64::from(length) + 120)).await;
        let sessions = channel.assert_resumed(&nginx);
        assert!(sessions as u64 > kills / 2, "{}: {sessions} sessions", channel.name);
    }
    eprintln!("{acknowledged} mutations were acknowledged, slowest start {slowest:?}");
}

#[tokio::test]
async fn a_demo_whose_server_was_killed_is_started_again_with_its_parts() {
    let on_air = |status: &Value| status["onAir"] == true;
    let storage = tempfile::tempdir().unwrap();
    let mut server = Server::start(storage.path()).await;
    let started = server.graphql(None, "mutation { startDemo { id } }", &Value::Null).await;
    let demo = started.data("startDemo")["id"].as_str().unwrap().to_owned();
    server.until(None, &demo, "on air", DEMO_LIMIT, on_air).await;
    server.kill().await;

    let server = Server::start(storage.path()).await;
    let desired = server.graphql(None, "{ pipeline(id: \"demo\") { desired } }", &Value::Null).await;
    assert_eq!(desired.data("pipeline")["desired"], "STOPPED", "it does not look for what is gone");
    let start = "mutation($id: ID!) { startPipeline(id: $id) { id desired } }";
    let again = server.graphql(None, start, &json!({ "id": demo })).await;
    assert_eq!(again.data("startPipeline")["desired"], "RUNNING");
    server.until(None, &demo, "on air again", DEMO_LIMIT, on_air).await;
}
