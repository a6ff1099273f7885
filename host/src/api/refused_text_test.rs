//! Text that means something else where it ends up (a header, a log line, a playlist, an argument, an RTMP message) is
//! refused: for every setting and every way by which it comes in.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Api, router};
use crate::cli::{Cli, Command};
use crate::config::{self, Layers, Problem};
use crate::control::Control;
use crate::limits::API_BODY_BYTES_MAX;
use crate::pipeline::Host;
use outboard_base::printable;

const REFUSED: [char; 7] = ['\r', '\n', '\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{2028}'];
/// Go to a component as JSON, and nowhere else.
const FREE: [&str; 3] = ["stages.batching_settings", "stages.framing_settings", "stages.remux_planning_settings"];

/// A value of a setting with a character in it.
fn sample(key: &str, letter: char) -> String {
    match key {
        "source.headers" | "processor.headers" => format!("X-Key: SECRET{letter}more"),
        "processor.auth" => json!({ "token": format!("SECRET{letter}more") }).to_string(),
        "source.url" | "source.backup_url" | "processor.url" => format!("http://u:SECRET@h.test/a{letter}b"),
        "air.to" => format!("rtmp://h.test/live/SECRET{letter}b"),
        _ => format!("a{letter}b"),
    }
}

/// Everything that is wrong with these settings and those of a whole pipeline.
fn problems(layers: Layers) -> Vec<Problem> {
    config::check(layers, true).map_or_else(|problems| problems.0, |_| Vec::new())
}

/// The setting is refused for this character, which is named as an escape; nothing secret is told.
fn assert_refused(problems: &[Problem], key: &str, letter: char, way: &str) {
    let escape = letter.escape_debug().to_string();
    let of_key = |problem: &&Problem| {
        problem.path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.']))
    };
    let told = problems.iter().filter(of_key).map(|problem| problem.message.as_str()).collect::<Vec<_>>();
    assert!(
        told.iter().any(|told| told.contains(&format!("contains {escape} as character"))),
        "{way} {key} {escape}: {problems:?}"
    );
    for problem in problems {
        let text = format!("{}: {}", problem.path, problem.message);
        assert!(!text.contains(printable::is_refused), "{way} {key} {escape}: {text:?}");
        assert!(!text.contains("SECRET"), "{way} {key} {escape}: {text}");
    }
}

#[test]
fn no_setting_of_a_file_or_the_environment_holds_a_control_character() {
    for key in config::known().iter().filter(|key| !FREE.contains(&key.as_str())) {
        for letter in REFUSED {
            let value = sample(key, letter);
            // A text of headers has lines: what follows a line's end is the next header, which needs a name.
            let ends_line = key.ends_with(".headers") && letter == '\n';
            let check = |layers: Layers, way: &str| match problems(layers) {
                told if ends_line => {
                    assert!(told.iter().any(|told| told.message.contains("not a header")), "{way} {key}: {told:?}");
                }
                told => assert_refused(&told, key, letter, way),
            };
            let (section, name) = key.split_once('.').unwrap();
            let file = tempfile::NamedTempFile::new().unwrap();
            let written = |value: &str| format!("[{section}]\n{name} = {value}\n");
            std::fs::write(file.path(), written(&toml::Value::from(value.clone()).to_string())).unwrap();
            check(Layers::new().file(file.path()), "file");
            let variable = format!("OUTBOARD_{}", key.replace('.', "__").to_uppercase());
            check(Layers::new().environment([(variable, value.clone())].into_iter()), "environment");
            if key.ends_with(".headers") {
                // An item of a list, and a value of a table, is one header.
                let (header, text) = value.split_once(": ").unwrap();
                let list = toml::Value::from(vec![value.clone()]);
                let table = toml::Value::from(BTreeMap::from([(header.to_owned(), text.to_owned())]));
                // Either way the problem names the header.
                for (one, path) in [list, table].map(|one| (one, format!("{key}.{header}"))) {
                    std::fs::write(file.path(), written(&one.to_string())).unwrap();
                    assert_refused(&problems(Layers::new().file(file.path())), &path, letter, "file");
                }
            }
        }
    }
}

#[test]
fn no_option_of_the_command_line_holds_a_control_character() {
    let command = Cli::command();
    let run = command.find_subcommand("run").unwrap();
    let mut tried = 0;
    for option in run.get_arguments().filter_map(clap::Arg::get_long) {
        // The file itself, and a number that is read at once.
        if ["config", "batches", "stage-settings"].contains(&option) {
            continue;
        }
        for letter in REFUSED {
            let value = match option {
                "stage" => format!("batching=a{letter}b"),
                "header" => sample("source.headers", letter),
                "source" | "backup-source" | "processor" => sample("source.url", letter),
                "to" => sample("air.to", letter),
                _ => sample("", letter),
            };
            let given = Cli::try_parse_from(["outboard", "run", &format!("--{option}"), &value]).unwrap();
            let Command::Run(args) = given.command else { panic!("another command") };
            let before = problems(Layers::new());
            let told: Vec<_> =
                problems(args.on(Layers::new())).into_iter().filter(|told| !before.contains(told)).collect();
            let holds = told.iter().find(|told| told.message.contains("contains ")).map(|told| told.path.clone());
            let key = holds.unwrap_or_else(|| panic!("--{option} {value:?}: {told:?}"));
            assert_refused(&told, &key, letter, option);
            tried += 1;
        }
    }
    assert!(tried > 15 * REFUSED.len(), "{tried}");
}

// === the API ===

const CREATE: &str = "mutation($input: CreatePipelineInput!) { createPipeline(input: $input) { id } }";
const UPDATE: &str = "mutation($input: UpdatePipelineInput!) { updatePipeline(id: \"there\", input: $input) { id } }";
const TENANT: &str = "mutation($input: CreateTenantInput!) { createTenant(input: $input) { id } }";
const TOKEN: &str = "mutation($input: CreateTokenInput!) { createToken(input: $input) { secret } }";
const WEBHOOK: &str = "mutation($input: CreateWebhookInput!) { createWebhook(input: $input) { secret } }";
const PULL: &str = "mutation($input: PullStageInput!) { pullStage(input: $input) { component { digest } } }";

/// What is asked, where in its input a text stands, and what the text is; `%` stands for the character.
const TEXTS: [(&str, &str, &str); 25] = [
    (CREATE, "/streamId", "t%v"),
    (CREATE, "/note", "longer% batches"),
    (UPDATE, "/note", "longer% batches"),
    (CREATE, "/settings/source/url", "http://u:SECRET@h.test/a%b"),
    (CREATE, "/settings/source/backupUrl", "http://u:SECRET@h.test/a%b"),
    (CREATE, "/settings/source/resolution", "640x%360"),
    (CREATE, "/settings/source/headers/0/name", "X-%Key"),
    (CREATE, "/settings/source/headers/0/value", "SECRET%more"),
    (CREATE, "/settings/source/headerHosts/0", "cdn%.test"),
    (CREATE, "/settings/processor/url", "http://u:SECRET@h.test/a%b"),
    (CREATE, "/settings/processor/path", "/a%b"),
    (CREATE, "/settings/processor/namespace", "/a%b"),
    (CREATE, "/settings/processor/auth/token", "SECRET%more"),
    (CREATE, "/settings/processor/headers/0/name", "X-%Key"),
    (CREATE, "/settings/processor/headers/0/value", "SECRET%more"),
    (CREATE, "/settings/destinations/0/url", "rtmp://h.test/live/SECRET%b"),
    (CREATE, "/settings/destinations/0/name", "Ma%in"),
    (CREATE, "/settings/destinations/0/srsApi", "http://127.0.0.1%:1985"),
    (CREATE, "/settings/stages/batching/component", "sha256:%"),
    (TENANT, "/name", "ac%me"),
    (TENANT, "/networkPolicy/denyHosts/0", "h%.test"),
    (TOKEN, "/name", "c%i"),
    (WEBHOOK, "/name", "o%ps"),
    (WEBHOOK, "/url", "http://u:SECRET@h.test/a%b"),
    (PULL, "/reference", "oci://h.test/a%b:1"),
];

/// An input in which nothing is wrong.
fn input(query: &str) -> Value {
    match query {
        CREATE => json!({ "streamId": "tv", "note": "first", "settings": {
            "source": { "url": "http://h.test/x.m3u8", "backupUrl": null, "resolution": null,
                        "headers": [{ "name": "X-Key", "value": "1" }], "headerHosts": ["cdn.test"] },
            "processor": { "url": "http://h.test/", "path": null, "namespace": null, "auth": { "token": "1" },
                           "headers": [{ "name": "X-Key", "value": "1" }] },
            "destinations": [{ "url": "rtmp://h.test/live/k", "name": null, "srsApi": null }],
            "stages": { "batching": { "component": null } },
        } }),
        UPDATE => json!({ "settings": { "batchSeconds": 10 }, "note": "longer batches" }),
        TENANT => json!({ "name": "acme", "networkPolicy": { "denyHosts": ["h.test"] } }),
        TOKEN => json!({ "name": "ci", "role": "VIEWER" }),
        WEBHOOK => json!({ "name": "ops", "url": "http://h.test/" }),
        _ => json!({ "reference": "oci://h.test/a:1" }),
    }
}

struct Server {
    _dir: tempfile::TempDir,
    router: axum::Router,
}

impl Server {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::open(Host::open(dir.path()).await.unwrap()).await.unwrap();
        let config = config::check(Layers::new(), false).unwrap().0.server;
        let api = Api::new(control, &config, true, CancellationToken::new());
        Self { _dir: dir, router: router(api) }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = Request::post(path).header("host", "localhost").header("content-type", "application/json");
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        serde_json::from_slice(&to_bytes(response.into_body(), API_BODY_BYTES_MAX).await.unwrap()).unwrap()
    }
}

/// Invalid input: one problem at this path, without the character itself and without what is secret.
fn assert_told(told: &Value, path: &str, letter: char, answer: &Value) {
    let problems: Vec<Problem> = told["problems"]
        .as_array()
        .unwrap_or_else(|| panic!("{path} {letter:?}: {answer}"))
        .iter()
        .map(|one| Problem {
            path: one["path"].as_str().unwrap().to_owned(),
            message: one["message"].as_str().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(told["code"], "INVALID_INPUT", "{path} {letter:?}: {answer}");
    assert!(problems.iter().any(|problem| path.starts_with(&problem.path)), "{path} {letter:?}: {problems:?}");
    for value in [told["message"].as_str(), answer["errors"][0]["message"].as_str()].into_iter().flatten() {
        let text = value.replace('\n', " ");
        assert!(!text.contains(printable::is_refused) && !text.contains("SECRET"), "{path} {letter:?}: {value:?}");
    }
    for problem in &problems {
        let text = &problem.message;
        assert!(!text.contains(printable::is_refused) && !text.contains("SECRET"), "{path} {letter:?}: {text:?}");
    }
}

#[tokio::test]
async fn no_input_of_the_graphql_api_holds_a_control_character() {
    let server = Server::start().await;
    // The one that is updated.
    let mut there = input(CREATE);
    there["streamId"] = "there".into();
    let answer = server.post("/graphql", &json!({ "query": CREATE, "variables": { "input": there } })).await;
    assert_eq!(answer["data"]["createPipeline"]["id"], "default:there", "{answer}");
    for (query, pointer, text) in TEXTS {
        for letter in REFUSED {
            let mut input = input(query);
            *input.pointer_mut(pointer).unwrap() = text.replace('%', &letter.to_string()).into();
            let answer = server.post("/graphql", &json!({ "query": query, "variables": { "input": input } })).await;
            let mut path = "input".to_owned();
            for part in pointer.split('/').skip(1) {
                match part.parse::<usize>() {
                    Ok(_) => path.push_str(&format!("[{part}]")),
                    Err(_) => path.push_str(&format!(".{part}")),
                }
            }
            assert_told(&answer["errors"][0]["extensions"], &path, letter, &answer);
        }
    }
}

#[tokio::test]
async fn no_field_of_a_rest_call_holds_a_control_character() {
    let server = Server::start().await;
    for (field, text) in [
        ("streamId", "t%v"),
        ("sourceUrl", "http://u:SECRET@h.test/a%b"),
        ("audioProcessorUrl", "http://u:SECRET@h.test/a%b"),
        ("srsRtmpUrl", "rtmp://h.test/live/SECRET%b"),
    ] {
        for letter in REFUSED {
            let mut body = json!({ "sourceUrl": "http://h.test/x.m3u8", "srsRtmpUrl": "rtmp://h.test/live/k" });
            body[field] = text.replace('%', &letter.to_string()).into();
            let answer = server.post("/api/pipeline/start", &body).await;
            assert_told(&answer, field, letter, &answer);
        }
    }
}
