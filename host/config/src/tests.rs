use std::time::Duration;

use outboard_pipeline::settings::WhenEnded;
use outboard_store::files::Storage;

use super::*;
use outboard_pipeline::settings::Hold;

fn layers(text: &str) -> Layers {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Layers::new().file(file.path())
}

const GOOD: &str = r#"
[source]
url = "http://origin.test/live.m3u8"
resolution = "1280x720"
headers = { "X-Token" = "a" }
header_hosts = ["cdn.test"]
[processor]
url = "http://localhost:5000"
[air]
to = ["rtmp://127.0.0.1/live/key"]
[pipeline]
batch_seconds = 10
"#;

fn layers_of_many_hosts() -> Layers {
    let hosts: Vec<String> = (0..17).map(|n| format!("h{n}.test")).chain(["*.test".to_owned()]).collect();
    layers(GOOD).set("source.header_hosts", Some(hosts))
}

fn problems(layers: Layers) -> String {
    check(layers, true).unwrap_err().to_string()
}

#[test]
fn a_whole_file_is_read_with_defaults() {
    let (host, pipeline) = check(layers(GOOD), true).unwrap();
    let pipeline = pipeline.unwrap().pipeline;
    assert_eq!((host.storage.to_str().unwrap(), host.log_json), ("storage", false));
    assert_eq!((pipeline.stream_id.as_str(), pipeline.batch), ("live", Duration::from_secs(10)));
    assert_eq!((pipeline.hold, pipeline.cushion, pipeline.keep.batches), (Hold::Auto, None, 5));
    assert_eq!(pipeline.source.resolution, Some((1280, 720)));
    assert_eq!(pipeline.source.headers, [("X-Token".to_owned(), "a".to_owned())]);
    assert_eq!(pipeline.source.header_hosts, ["cdn.test"]);
    let processor = pipeline.processor.unwrap();
    assert_eq!((processor.in_flight, processor.namespace, processor.path), (3, None, None));
    assert!(processor.pre_roll);
}

#[test]
fn the_environment_wins_over_the_file_and_the_command_line_over_both() {
    let variables = [
        ("OUTBOARD_PIPELINE__BATCH_SECONDS", "20"),
        ("OUTBOARD_PIPELINE__HOLD", "4.5"),
        ("OUTBOARD_PROCESSOR__AUTH", r#"{"token":"t"}"#),
        ("OUTBOARD_AIR__TO", "rtmp://a.test/live/1, srt://b.test:9000"),
        ("OUTBOARD_SOURCE__HEADERS", "A: 1\nB: 2"),
        ("OUTBOARD_SOURCE__HEADER_HOSTS", "a.test, http://b.test:81"),
        ("PATH", "/bin"),
    ];
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let layers = layers(GOOD).environment(variables).set("pipeline.batch_seconds", Some(40));
    let pipeline = check(layers, true).unwrap().1.unwrap().pipeline;
    assert_eq!(pipeline.batch, Duration::from_secs(40));
    assert_eq!(pipeline.hold, Hold::After(Duration::from_millis(4500)));
    assert_eq!(pipeline.destinations.len(), 2);
    assert_eq!(pipeline.source.headers.len(), 2);
    assert_eq!(pipeline.source.header_hosts, ["a.test", "http://b.test:81"]);
    let wrong = super::check(layers_of_many_hosts(), true).unwrap_err().to_string();
    assert!(
        wrong.contains("source.header_hosts: \"*.test\" is not a host") && wrong.contains("has 18 hosts"),
        "{wrong}"
    );
    assert_eq!(pipeline.processor.unwrap().auth.unwrap()["token"], "t");
}

#[test]
fn every_problem_is_named_at_once_with_its_key() {
    let text = r#"
speed = 3
[source]
url = "ftp://origin.test/x"
resolution = "big"
max_bandwith = 1
[processor]
url = "nonsense"
namespace = "x"
in_flight = 0
pre_roll = "never"
[air]
to = ["rtmp://", "gopher://x/y", "rtmp://h/a/k", "rtmp://h/a/k"]
[pipeline]
batch_seconds = 1
stream_id = "../up"
hold = "soon"
[log]
format = "xml"
[stages]
framing_settings = 3
"#;
    let text = problems(layers(text));
    let expected = [
        "source.url: starts with ftp:",
        "source.resolution: \"big\"",
        "source.max_bandwith: is not a setting of outboard; did you mean source.max_bandwidth?",
        "processor.url: is not a URL",
        "processor.namespace: \"x\" must start with '/'",
        "processor.in_flight: 0 must be a whole number from 1 to 16",
        "processor.pre_roll: \"never\" must be one of true, false",
        "air.to[0]: ",
        "air.to[1]: ",
        "air.to[3]: is listed twice",
        "pipeline.batch_seconds: 1 must be a whole number from 2 to 120",
        "pipeline.stream_id: ",
        "pipeline.hold: soon must be a number of seconds",
        "log.format: \"xml\" must be one of text, json",
        "stages.framing_settings: must be a table",
        "speed: is not a section",
    ];
    for line in expected {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert_eq!(text.lines().count(), expected.len(), "{text}");
}

#[test]
fn what_is_missing_is_said() {
    let text = problems(Layers::new());
    assert!(text.contains("source.url: is missing") && text.contains("air.to: is missing"), "{text}");
    assert!(check(Layers::new(), false).unwrap().1.is_none());
}

#[test]
fn a_file_that_cannot_be_read_or_parsed_is_named() {
    let text = problems(Layers::new().file(std::path::Path::new("/nonexistent/outboard.toml")));
    assert!(text.contains("/nonexistent/outboard.toml"), "{text}");
    assert!(problems(layers("= = =")).contains("TOML"), "{}", problems(layers("= = =")));
}

#[test]
fn secrets_of_a_bad_url_are_not_repeated() {
    let layers = Layers::new().set("source.url", Some("http://u:secret@")).set("air.to", Some("rtmp://h/a/k"));
    assert!(!problems(layers).contains("secret"));
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_known_name() {
    let file = problems(layers(&format!("{GOOD}[storage]\npath = \"/x\"\n")));
    assert_eq!(file, "storage.path: is not a setting of outboard; did you mean storage.dir?");
    let environment = |name: &str| {
        let variables = [(name.to_owned(), "20".to_owned())];
        problems(layers(GOOD).environment(variables.into_iter()))
    };
    let variable = environment("OUTBOARD_PIPELINE__BATCH_SECOND");
    assert_eq!(variable, "pipeline.batch_second: is not a setting of outboard; did you mean pipeline.batch_seconds?");
    let one_dash = environment("OUTBOARD_STORAGE_DIR");
    assert_eq!(one_dash, "OUTBOARD_STORAGE_DIR: is not a setting; did you mean OUTBOARD_STORAGE__DIR?");
    for (name, meant) in [
        ("OUTBOARD_STORGE_DIR", "OUTBOARD_STORAGE__DIR"),
        ("OUTBOARD_LOGLEVEL", "OUTBOARD_LOG__LEVEL"),
        ("OUTBOARD_SERVER_LISTN", "OUTBOARD_SERVER__LISTEN"),
        ("OUTBOARD_pipeline_batch_second", "OUTBOARD_PIPELINE__BATCH_SECONDS"),
    ] {
        assert_eq!(environment(name), format!("{name}: is not a setting; did you mean {meant}?"));
    }
}

/// Every variable with our prefix that occurs in the sources of commands, scripts and tests.
fn variables_of_the_tree(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        let name = entry.file_name().into_string().unwrap();
        // The tests of settings misspell variables on purpose.
        let left_out = ["target", "node_modules", "config"].contains(&name.as_str());
        if kind.is_dir() && !left_out && !name.starts_with('.') {
            variables_of_the_tree(&path, found);
        } else if kind.is_file()
            && let Ok(text) = std::fs::read_to_string(&path)
        {
            for (at, prefix) in text.match_indices("OUTBOARD_") {
                let letters = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let rest = text[at..].split(|letter| !letters(letter)).next().unwrap_or_default();
                if rest.len() > prefix.len() && !rest.contains("__") {
                    found.insert(rest.to_owned());
                }
            }
        }
    }
}

#[test]
fn variables_of_commands_scripts_and_kubernetes_are_left_alone() {
    let mut variables = std::collections::BTreeSet::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["scripts", "tests", "deploy", "host/src"] {
        variables_of_the_tree(&root.join(folder), &mut variables);
    }
    for known in ["OUTBOARD_URL", "OUTBOARD_TOKEN", "OUTBOARD_TEST_THREADS", "OUTBOARD_RELEASE_BINARY"] {
        assert!(variables.contains(known), "{known} is not found in {variables:?}");
    }
    let kubernetes =
        ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_3000_TCP", "PORT_3000_TCP_ADDR"];
    variables.extend(kubernetes.map(|name| format!("OUTBOARD_{name}")));
    let set = variables.into_iter().map(|name| (name, "4".to_owned()));
    check(layers(GOOD).environment(set), true).unwrap();
}

#[test]
fn a_setting_of_a_pipeline_without_a_pipeline_is_told_apart_from_an_unknown_one() {
    let text = check(layers("[processor]\nurl = \"http://localhost:5000\"\n"), false).unwrap_err().to_string();
    assert!(text.starts_with("processor.url: is a setting of a pipeline, but no pipeline is configured"), "{text}");
}

#[test]
fn defaults_for_new_pipelines_are_checked() {
    let read = |text: &str| check(layers(text), false).map(|(host, _)| host.server.defaults);
    let usual = read("").unwrap();
    assert_eq!(usual.processor_url.as_deref(), Some("http://localhost:5000"));
    assert_eq!(usual.destination("tv"), "rtmp://localhost/live/tv");
    let set = read("[defaults]\nprocessor_url = \"none\"\nrtmp_base = \"rtmps://in.example/app/\"\n").unwrap();
    assert!(set.processor_url.is_none());
    assert_eq!(set.destination("tv"), "rtmps://in.example/app/tv");
    for (text, problem) in [
        ("processor_url = \"ftp://x/\"", "defaults.processor_url: starts with ftp:"),
        ("rtmp_base = \"file:/tmp\"", "defaults.rtmp_base: "),
        ("rtmp_base = \"srt://h:1\"", "defaults.rtmp_base: must start with rtmp:// or rtmps://"),
        ("rtmp_base = \"rtmp://h\"", "defaults.rtmp_base: "),
    ] {
        let told = read(&format!("[defaults]\n{text}\n")).unwrap_err().to_string();
        assert!(told.starts_with(problem), "{told}");
    }
}

#[test]
fn what_the_database_keeps_is_set_within_its_bounds() {
    let read = |text: &str| check(layers(text), false).map(|(host, _)| host.limits().history);
    assert_eq!(read("").unwrap(), History { batches: 2880, events: 1000 });
    let set = read("[storage]\nhistory_batches = 100\nhistory_events = 1000000\n").unwrap();
    assert_eq!(set, History { batches: 100, events: 1_000_000 });
    let told = read("[storage]\nhistory_batches = 99\nhistory_events = 1000001\n").unwrap_err().to_string();
    for problem in ["storage.history_batches: ", "storage.history_events: "] {
        assert!(told.contains(problem), "{told}");
    }
}

#[tokio::test]
async fn the_configured_pipeline_is_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(dir.path()).unwrap();
    let file = dir.path().join("stage.wasm");
    std::fs::write(&file, b"not looked into here").unwrap();
    let layers = Layers::new()
        .set("source.url", Some("http://o.test/live.m3u8"))
        .set("source.resolution", Some("640x360"))
        .set("source.headers", Some(vec!["X-Key: 1".to_owned()]))
        .set("source.catch_up", Some("live"))
        .set("processor.url", Some("http://p.test/ns"))
        .set("air.to", Some(vec!["rtmp://h/live/k".to_owned(), "file:/tmp/a.flv".to_owned()]))
        .set("pipeline.stream_id", Some("tv"))
        .set("pipeline.hold", Some("7.5"))
        .set("pipeline.keep_batches", Some(7))
        .set("pipeline.keep_seconds", Some(3600))
        .set("pipeline.keep_bytes", Some("3 GiB"))
        .set("pipeline.keep_output", Some(true))
        .set("air.speed", Some("2.5"))
        .set("stages.framing", Some(file.to_string_lossy().into_owned()));
    let configured = check(layers, true).unwrap().1.unwrap();
    let config = configured.pipeline.clone();
    assert!(config.keep.output);
    let (stream_id, settings) = configured.kept(&storage).await.unwrap();
    let again = settings.check(&stream_id, &storage).unwrap();
    let kept = again.stages.files["framing"].clone();
    assert_eq!(std::fs::read(&kept).unwrap(), b"not looked into here");
    // All but where the component lies, and what is usual for a server.
    let mut expected = config;
    expected.source.when_ended = Some(WhenEnded::Wait);
    expected.stages.files.insert("framing", kept);
    assert_eq!(format!("{again:?}"), format!("{expected:?}"));
}
