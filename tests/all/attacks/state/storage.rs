//! Storage that is removed under the server: media folders, the database. Losses are counted and reported once;
//! acknowledged changes are kept or refused, never lost silently.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outboard_tests::host::Host;
use outboard_tests::media::{Clip, LiveOrigin, entries};
use outboard_tests::onair::assert_in_order_to_the_end;
use outboard_tests::receiver::nginx::Nginx;
use outboard_tests::server::Server;
use serde_json::{Value, json};

/// Limit for a pipeline to be on air, on a busy machine.
const ON_AIR_LIMIT: Duration = Duration::from_secs(120);

fn settings(origin: &LiveOrigin, to: &str) -> Value {
    json!({
        "source": { "url": origin.url, "whenEnded": "STOP" },
        "destinations": [{ "url": to }],
        "batchSeconds": 4,
    })
}

fn video(status: &Value) -> u64 {
    status["destinations"][0]["counters"]["video"].as_u64().unwrap_or_default()
}

/// Waits until the destination received this many video packets more than in `status`.
async fn more_leaves(server: &Server, id: &str, status: &Value, pictures: u64) -> Value {
    let wanted = video(status) + pictures;
    server.until(None, id, "sending more", ON_AIR_LIMIT, |status| video(status) >= wanted).await
}

/// Runs a command of the binary; returns whether it succeeded, and its output.
async fn outboard(arguments: &[&str]) -> (bool, String) {
    let ended = Host::spawn(arguments).ended(Duration::from_secs(60)).await;
    (ended.status.success(), ended.log.join("\n"))
}

/// Polls until the response matches.
async fn until_ready(server: &Server, wanted: impl Fn(u16, &str) -> bool) -> (u16, String) {
    let mut last = (0, String::new());
    let asked = async {
        loop {
            last = server.get(None, "/readyz").await;
            if wanted(last.0, &last.1) {
                return last.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(90), asked).await {
        Ok(last) => last,
        Err(_) => unreachable!("/readyz stays {last:?}: {:#?}", server.log()),
    }
}

#[tokio::test]
async fn media_folders_that_are_removed_are_made_again_and_the_stream_goes_on() {
    let programme = entries(&Clip::small(60), false);
    let origin = LiveOrigin::start(programme.clone()).await;
    let (nginx, storage) = (Nginx::start(), tempfile::tempdir().unwrap());
    let server = Server::start(storage.path()).await;
    let id = server.create(None, "tv", &settings(&origin, &nginx.url("tv")), true).await;
    let before = server.until(None, &id, "on air", ON_AIR_LIMIT, |status| status["onAir"] == true).await;
    for folder in ["original_stream", "processed_fragments"] {
        std::fs::remove_dir_all(storage.path().join("default").join(folder)).unwrap();
    }
    // Far beyond the media that was buffered when the folders were removed.
    more_leaves(&server, &id, &before, 600).await;
    let events = "{ events(filter: { kinds: [FILES_LOST] }) { edges { node { message } } } }";
    let events = server.graphql(None, events, &json!({})).await;
    let told = events.data("events")["edges"].as_array().unwrap().len();
    assert!((1..=2).contains(&told), "{told} events; two folders may go between two looks");
    let over = |status: &Value| status["phase"] == "STOPPED";
    let last = server.until(None, &id, "over", ON_AIR_LIMIT, over).await;
    // One line per unreadable batch, not per packet.
    let unreadable = server.log().iter().filter(|line| line.contains("failed to read packets of a batch")).count();
    assert!(unreadable <= 4, "{unreadable} lines: {:#?}", server.log());
    // Law 1: each demuxed packet was sent, or is counted.
    let counter = |of: &Value, name: &str| of["counters"][name].as_u64().unwrap();
    let to = &last["destinations"][0];
    let on_air = counter(to, "video") + counter(to, "audio") - counter(to, "repeated");
    let counted = on_air + counter(to, "skippedPackets") + counter(&last, "packetsLost");
    assert!(counted >= counter(&last, "packetsIn"), "{counted} of {}: {last:#}", counter(&last, "packetsIn"));
    assert_in_order_to_the_end(&nginx, "tv", &programme);
}

/// The address of the API of a new server; `Err`: its error when it refused to start.
async fn refusal(storage: &Path) -> String {
    let path = storage.display().to_string();
    let (started, said) = outboard(&["serve", "--listen", "127.0.0.1:0", "--storage", &path]).await;
    assert!(!started, "{said}");
    said
}

#[tokio::test]
async fn a_database_that_is_removed_is_told_of_and_its_backup_brings_all_of_it_back() {
    let origin = LiveOrigin::start_wide(entries(&Clip::small(120), false), 30).await;
    let (nginx, dir) = (Nginx::start(), tempfile::tempdir().unwrap());
    let (storage, backup) = (dir.path().join("storage"), dir.path().join("backup.db").display().to_string());
    let path = storage.display().to_string();
    let mut server = Server::start(&storage).await;
    let id = server.create(None, "tv", &settings(&origin, &nginx.url("tv")), true).await;
    let token = server.tenant("acme").await;
    server.until(None, &id, "on air", ON_AIR_LIMIT, |status| status["onAir"] == true).await;
    let (done, said) = outboard(&["database", "backup", &backup, "--storage", &path]).await;
    assert!(done, "{said}");
    until_ready(&server, |status, _| status == 200).await;
    std::fs::remove_file(storage.join("outboard.db")).unwrap();
    let (_, why) = until_ready(&server, |status, _| status == 503).await;
    assert!(why.contains("database file was removed"), "{why}");
    let make = "mutation($input: CreateTenantInput!) { createTenant(input: $input) { id } }";
    let refused = server.graphql(None, make, &json!({ "input": { "name": "late" } })).await;
    assert_eq!(refused.code(), Some("UNAVAILABLE"), "{}", refused.body);
    let status = server.status(None, &id).await;
    more_leaves(&server, &id, &status, 200).await;
    let told = server.log().iter().filter(|line| line.contains("was removed while the server runs")).count();
    assert_eq!(told, 1, "{:#?}", server.log());
    let (done, said) = outboard(&["database", "restore", &backup, "--storage", &path]).await;
    assert!(!done && said.contains("while a server runs"), "{said}");
    server.kill().await;
    let said = refusal(&storage).await;
    assert!(said.contains("outboard database restore") && said.contains("outboard database init"), "{said}");
    let (done, said) = outboard(&["database", "restore", &backup, "--storage", &path]).await;
    assert!(done, "{said}");
    server.start_again().await;
    until_ready(&server, |status, _| status == 200).await;
    server.until(None, &id, "on air", ON_AIR_LIMIT, |status| status["onAir"] == true).await;
    let own = server.graphql(Some(&token), "{ pipelines { id } }", &json!({})).await;
    assert_eq!(own.data("pipelines").as_array().map(Vec::len), Some(0), "the tenant and its token are back");
    server.process().signal(Signal::SIGTERM);
}

#[tokio::test]
async fn a_backup_that_is_written_over_the_open_database_is_told_of_and_no_change_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, backup) = (dir.path().join("storage"), dir.path().join("backup.db"));
    let server = Server::start(&storage).await;
    server.tenant("before").await;
    let arguments = ["database", "backup", backup.to_str().unwrap(), "--storage", storage.to_str().unwrap()];
    let (done, said) = outboard(&arguments).await;
    assert!(done, "{said}");
    server.tenant("after").await;
    until_ready(&server, |status, _| status == 200).await;
    // In place and never shorter than before: the file and its name stay the same.
    let file = storage.join("outboard.db");
    let mut content = std::fs::read(&backup).unwrap();
    let size = usize::try_from(std::fs::metadata(&file).unwrap().len()).unwrap();
    content.resize(content.len().max(size), 0);
    OpenOptions::new().write(true).open(&file).unwrap().write_all_at(&content, 0).unwrap();
    let make = "mutation($input: CreateTenantInput!) { createTenant(input: $input) { id } }";
    let refused = server.graphql(None, make, &json!({ "input": { "name": "late" } })).await;
    assert_eq!(refused.code(), Some("UNAVAILABLE"), "{}", refused.body);
    let (_, why) = until_ready(&server, |status, _| status == 503).await;
    assert!(why.contains("was overwritten while the server runs"), "{why}");
    let told = server.log().iter().filter(|line| line.contains("was overwritten while the server runs")).count();
    assert_eq!(told, 1, "{:#?}", server.log());
}

#[tokio::test]
async fn a_disk_below_its_reserve_is_told_by_readyz_with_the_cause() {
    let storage = tempfile::tempdir().unwrap();
    // More than any disk has.
    let server = Server::start_with(storage.path(), &[("OUTBOARD_STORAGE__MIN_FREE", "1000000 TiB")]).await;
    let (_, why) = until_ready(&server, |status, _| status == 503).await;
    assert_eq!(why.trim(), "the disk is full and no finished batch is left to remove: fetching is paused");
    let (status, health) = server.get(None, "/api/health").await;
    let health: Value = serde_json::from_str(&health).unwrap();
    assert_eq!((status, &health["status"]), (503, &json!("failing")), "{health:#}");
    assert_eq!(health["reasons"], json!([why.trim()]), "{health:#}");
    assert_eq!(server.get(None, "/livez").await.0, 200, "it is no reason to start it again");
}
