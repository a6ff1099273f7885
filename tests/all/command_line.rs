//! The binary as scripts use it: exit codes, the JSON line, error messages.

use std::time::Duration;

use outboard_tests::host::Host;
use outboard_tests::processor::{Processor, ServerKind};

#[tokio::test]
async fn the_demo_ends_with_its_report() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let demo = Host::spawn(&["demo", "--batches", "3", "--batch-seconds", "6", "--dir", folder]);
    let ended = demo.ended(Duration::from_secs(150)).await;
    assert_eq!(ended.status.code(), Some(0), "{:#?}", ended.log);
    for (name, count) in [("batches", 3), ("processed", 3), ("original", 0), ("packets_lost", 0)] {
        assert_eq!(ended.count(name), count, "{}: {:#?}", ended.report(), ended.log);
    }
    assert!(ended.count("packets_in") > 1000 && ended.count("packets_in") == ended.count("packets_on_air"));
    assert!(ended.count("max_gap_ms") <= 1000 && ended.report()["max_skew_ms"].as_f64().unwrap() <= 1.0);
    let playlist = std::fs::read_to_string(dir.path().join("received/live.m3u8")).unwrap();
    assert!(playlist.contains(".m4s"), "the receiver made something to watch: {playlist}");
}

#[tokio::test]
async fn the_demo_takes_a_processor_a_port_and_settings_of_stages() {
    let processor = Processor::start(ServerKind::Node, "echo", &[]).await;
    // A port on which nothing listens.
    let page = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let port = page.to_string();
    let url = processor.url();
    let options = ["--processor", &url, "--port", &port, "--rtmp-port", "0"];
    let settings = ["--stage-settings", r#"framing={"duration_unit":"s"}"#];
    let demo = ["demo", "--batches", "2", "--batch-seconds", "2"];
    let demo = Host::spawn(&[&demo[..], &options, &settings].concat());
    demo.until("WATCH", Duration::from_secs(60)).await;
    outboard::tls::install();
    assert!(reqwest::get(format!("http://127.0.0.1:{port}/")).await.unwrap().status().is_success());
    let ended = demo.ended(Duration::from_secs(90)).await;
    assert_eq!((ended.status.code(), ended.count("processed")), (Some(0), 2), "{:#?}", ended.log);
    assert_eq!(ended.lines_with("echoes after"), 0, "the echo was not started: {:#?}", ended.log);

    let taken = std::net::TcpListener::bind(("127.0.0.1", page)).unwrap();
    let refused = Host::spawn(&["demo", "--port", &port]).ended(Duration::from_secs(60)).await;
    assert_eq!(
        (refused.status.code(), refused.lines_with(&format!("--port {page}: "))),
        (Some(1), 1),
        "{:#?}",
        refused.log
    );
    drop(taken);
    let wrong =
        Host::spawn(&["demo", "--port", "0", "--stage-settings", "framing={"]).ended(Duration::from_secs(60)).await;
    assert_eq!(
        (wrong.status.code(), wrong.lines_with("stages.framing_settings: is not JSON")),
        (Some(2), 1),
        "{:#?}",
        wrong.log
    );
}

#[tokio::test]
async fn every_mistake_in_the_configuration_is_named_and_ends_with_2() {
    let storage = tempfile::tempdir().unwrap();
    let run = Host::run(storage.path(), &["--source", "ftp://x/y", "--batch-seconds", "1", "--to", "gopher://x/y"]);
    let ended = run.ended(Duration::from_secs(90)).await;
    assert_eq!(ended.status.code(), Some(2));
    for key in ["source.url", "pipeline.batch_seconds", "air.to[0]"] {
        assert_eq!(ended.lines_with(key), 1, "{key}: {:#?}", ended.log);
    }
    assert_eq!(Host::spawn(&["run", "--nonsense"]).ended(Duration::from_secs(90)).await.status.code(), Some(2));
}

#[tokio::test]
async fn a_source_that_is_not_there_is_named_and_ends_with_1() {
    let storage = tempfile::tempdir().unwrap();
    let options = ["--source", "http://127.0.0.1:9/live.m3u8?token=secret", "--to", "rtmp://127.0.0.1:9/live/secret"];
    let ended = Host::run(storage.path(), &options).ended(Duration::from_secs(60)).await;
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.log);
    assert!(ended.lines_with("http://127.0.0.1:9/live.m3u8") > 0, "{:#?}", ended.log);
    assert_eq!(ended.lines_with("secret"), 0, "secrets stay out of the log: {:#?}", ended.log);
}

#[tokio::test]
async fn stages_can_be_checked_and_inspected() {
    let dist = concat!(env!("CARGO_MANIFEST_DIR"), "/../components/dist/framing-fragment.wasm");
    let checked = Host::spawn(&["stage", "check", dist]).ended(Duration::from_secs(60)).await;
    assert!(checked.status.success() && checked.stdout.contains("a framing stage"), "{}", checked.stdout);
    let inspected = Host::spawn(&["stage", "inspect", dist]).ended(Duration::from_secs(60)).await;
    let report: serde_json::Value = serde_json::from_str(&inspected.stdout).unwrap();
    assert_eq!(report["stage"]["name"], "framing-fragment", "{report}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"no component").unwrap();
    let refused = Host::spawn(&["stage", "check", file.path().to_str().unwrap()]).ended(Duration::from_secs(60)).await;
    assert_eq!(refused.status.code(), Some(1), "{:#?}", refused.log);
}

#[tokio::test]
async fn the_doctor_finds_this_machine_fit() {
    let storage = tempfile::tempdir().unwrap();
    let doctor = Host::spawn(&["doctor", "--storage", storage.path().to_str().unwrap()]);
    let ended = doctor.ended(Duration::from_secs(60)).await;
    assert!(ended.status.success(), "{}", ended.stdout);
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("ok")).count(), 6, "{}", ended.stdout);
}

#[tokio::test]
async fn serve_answers_on_loopback_and_refuses_elsewhere() {
    let serve = Host::spawn(&["serve", "--log-level", "info"]);
    serve.until("serving http://", Duration::from_secs(90)).await;
    let line = serve.log().into_iter().find(|line| line.contains("serving http://")).unwrap();
    let url = line.split("serving ").nth(1).unwrap().trim().to_owned();
    outboard::tls::install();
    let health = reqwest::get(format!("{url}api/health")).await.unwrap().text().await.unwrap();
    assert!(health.contains("\"status\":\"ok\""), "{health}");
    assert!(reqwest::get(&url).await.unwrap().text().await.unwrap().contains("Outboard"));
    serve.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(serve.ended(Duration::from_secs(90)).await.status.success());
}

#[tokio::test]
async fn a_new_stage_project_touches_nothing_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let new = async |options: &[&str]| {
        let arguments = [&["stage", "new", "--kind", "batching", "--lang", "js"], options].concat();
        Host::spawn(&arguments).ended(Duration::from_secs(90)).await
    };
    let made = new(&[&place("my-cuts")]).await;
    assert!(made.status.success() && made.stdout.contains("npm ci"), "{}", made.stdout);
    let readme = std::fs::read_to_string(dir.path().join("my-cuts/README.md")).unwrap();
    assert!(readme.starts_with("# my-cuts\n"), "{readme}");

    // The folder is not empty any more.
    std::fs::write(dir.path().join("my-cuts/README.md"), "mine").unwrap();
    let again = new(&[&place("my-cuts")]).await;
    assert_eq!((again.status.code(), again.lines_with("my-cuts is not empty")), (Some(1), 1), "{:#?}", again.log);
    assert_eq!(std::fs::read_to_string(dir.path().join("my-cuts/README.md")).unwrap(), "mine");

    // An invalid stage name, given or taken from the folder.
    for options in [&["--name", "My_Cuts", &place("a")][..], &[&place("My_Cuts")]] {
        let refused = new(options).await;
        assert_eq!(refused.status.code(), Some(2), "{options:?}: {:#?}", refused.log);
        assert!(refused.lines_with("\"My_Cuts\" is not a valid stage name") > 0, "{options:?}: {:#?}", refused.log);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "what was refused left nothing behind");
    let unknown = Host::spawn(&["stage", "new", "--kind", "batching", "--lang", "cobol", &place("b")]);
    assert_eq!(unknown.ended(Duration::from_secs(90)).await.status.code(), Some(2));
}
