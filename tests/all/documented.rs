//! Every curl example of docs/rest.md works as written and in order, and its response has the documented fields. Every
//! GraphQL example is valid for the schema.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outboard_tests::clients::check_documents;
use outboard_tests::host::Host;
use serde_json::Value;
use tokio::process::Command;

/// The address of the server in the examples.
const EXAMPLE: &str = "127.0.0.1:3000";

/// Names and types of everything in a value; of a list, those of its first item.
fn shape(value: &Value) -> String {
    match value {
        Value::Null | Value::String(_) => "text or null".to_owned(),
        Value::Bool(_) => "flag".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::Array(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Value::Object(fields) => {
            let mut fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", shape(value))).collect();
            fields.sort();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

#[tokio::test]
async fn the_examples_work_as_written() {
    let storage = tempfile::tempdir().unwrap();
    let (host, url) = Host::serve(storage.path(), &[]).await;
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rest.md");
    let document = std::fs::read_to_string(document).unwrap();
    let mut blocks = document.split("```").skip(1).step_by(2).peekable();
    let mut run = 0;
    while let Some(block) = blocks.next() {
        let Some(script) = block.strip_prefix("sh\n") else { continue };
        assert!(script.contains(EXAMPLE), "not for the example's server: {script}");
        let script = script.replace(EXAMPLE, url.trim_start_matches("http://"));
        let output = Command::new("sh").args(["-euc", &script]).output().await.unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        run += 1;
        let Some(shown) = blocks.peek().and_then(|next| next.strip_prefix("json\n")) else { continue };
        let (shown, answer): (Value, Value) =
            (serde_json::from_str(shown).unwrap(), serde_json::from_str(&answer).unwrap());
        // The error for this input has exactly this text.
        if shown["code"].is_string() {
            assert_eq!(answer, shown);
        } else if shown["reasons"].is_array() {
            // Nothing listens at the examples' addresses.
            assert_eq!(shape(&answer["pipelines"]), shape(&shown["pipelines"]));
        } else {
            assert_eq!(shape(&answer), shape(&shown), "{script}");
        }
    }
    assert!(run >= 10, "only {run} examples were found");
    host.signal(Signal::SIGTERM);
    assert!(host.ended(Duration::from_secs(90)).await.status.success());
}

#[tokio::test]
async fn graphql_examples_fit_the_schema() {
    let (well, found) = check_documents(&["README.md", "docs/api.md", "docs/tenants.md", "docs/webhooks.md"]).await;
    assert!(well, "{found}");
    assert!(found.trim().parse::<usize>().is_ok_and(|examples| examples >= 12), "{found}");
}
