//! The examples for receivers in docs/webhooks.md, run as they stand: they accept what the host signs and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first thing that is wrong"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use outboard::control::webhooks::signature;
use serde_json::json;

const NOW: u64 = 1_767_225_600;

/// The code of this language on the page for receivers.
fn example(language: &str) -> String {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/webhooks.md")).unwrap();
    let (_, code) = page.split_once(&format!("```{language}\n")).expect("an example");
    code.split_once("```").expect("its end").0.to_owned()
}

/// What a program that reads cases from its standard input says of each: `true` or `false`.
fn verdicts(program: &str, flag: &str, code: &str, cases: &serde_json::Value) -> Vec<bool> {
    let mut child = Command::new(program)
        .args([flag, code])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    child.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} failed");
    serde_json::from_slice(&output.stdout).expect("a list of verdicts")
}

#[test]
fn receivers_accept_what_we_sign_and_nothing_else() {
    let body = r#"{"kind":"off-air","message":"drei Bücher, 三"}"#;
    let signed = |at: u64, body: &str| signature("whsec-example", at, body.as_bytes());
    let good = signed(NOW, body);
    let cases = [
        (NOW.to_string(), good.clone(), body, true),
        ((NOW - 200).to_string(), signed(NOW - 200, body), body, true),
        // Changed on the way, sent again later, signed with another secret, another form, nothing.
        (NOW.to_string(), good.clone(), r#"{"kind":"on-air"}"#, false),
        ((NOW - 1).to_string(), good.clone(), body, false),
        ((NOW - 301).to_string(), signed(NOW - 301, body), body, false),
        ((NOW + 301).to_string(), signed(NOW + 301, body), body, false),
        (NOW.to_string(), signature("whsec-other", NOW, body.as_bytes()), body, false),
        (NOW.to_string(), good.trim_start_matches("v1=").to_owned(), body, false),
        (NOW.to_string(), good.replace("v1=", "v2="), body, false),
        (NOW.to_string(), String::new(), body, false),
        (String::new(), good, body, false),
        ("soon".to_owned(), signed(NOW, body), body, false),
    ];
    let expected: Vec<bool> = cases.iter().map(|(.., verdict)| *verdict).collect();
    let given = cases.iter().map(|(timestamp, signature, body, _)| {
        let headers = json!({ "X-Outboard-Timestamp": timestamp, "X-Outboard-Signature": signature });
        json!({ "headers": headers, "body": body })
    });
    let given = json!(given.collect::<Vec<_>>());

    let python = "import json, sys\nprint(json.dumps([verify('whsec-example', c['headers'], c['body'].encode(), NOW) \
                  for c in json.load(sys.stdin)]))";
    let code = format!("{}\n{}", example("python"), python.replace("NOW", &NOW.to_string()));
    assert_eq!(verdicts("python3", "-c", &code, &given), expected, "Python");

    let node = "const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([k, v]) => [k.toLowerCase(), v]));\n\
                const cases = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));\n\
                console.log(JSON.stringify(cases.map((c) => verify('whsec-example', lower(c.headers), Buffer.from(c.body), NOW))));";
    let code = format!("{}\n{}", example("js"), node.replace("NOW", &NOW.to_string()));
    assert_eq!(verdicts("node", "-e", &code, &given), expected, "Node");
}
