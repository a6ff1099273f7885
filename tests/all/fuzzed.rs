//! Every request gets a typed response: schemathesis generates valid and invalid requests from REST's description,
//! hypothesis-graphql from the GraphQL schema. None of them causes a 5xx, an error without a code, a panic or a leak.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use outboard::control::access::Role;
use outboard::control::quota::QuotaPatch;
use outboard::control::registry::NewTenant;
use outboard::control::{Control, NewToken};
use outboard_tests::clients::{Rest, fuzz_graphql, openapi, schemathesis};
use outboard_tests::host::Host;
use serde_json::json;

/// The seed, so that requests are the same in each run.
const SEED: &str = "2026";
/// Seconds of generating requests, per run of schemathesis.
const SECONDS: &str = "12";
/// Generated requests for each field of queries and mutations.
const EXAMPLES: &str = "30";
/// A fuzzer that runs longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// Tokens of a tenant that may create one pipeline and reach nothing with it; the last one is host-wide.
struct Tokens {
    operator: String,
    viewer: String,
    admin: String,
    host: String,
}

/// Creates tenants and tokens before the server starts.
async fn prepared(storage: &Path) -> Tokens {
    let control = Control::open(outboard::pipeline::Host::open(storage).await.unwrap()).await.unwrap();
    let local = control.local_actor();
    let nothing = json!({ "public": false, "private": false, "files": false });
    let quotas = QuotaPatch { pipelines: Some(1), ..QuotaPatch::default() };
    let new = NewTenant { name: "fuzzed".to_owned(), quotas, network: Some(nothing), stages: None };
    control.tenancy().create_tenant(&local, new).await.unwrap();
    let make = async |tenant: Option<&str>, name: &str, role| {
        let new = NewToken { tenant: tenant.map(str::to_owned), name: name.into(), role, expires_ms: None };
        control.tenancy().create_token(&local, new).await.unwrap().secret.take()
    };
    let tokens = Tokens {
        operator: make(Some("fuzzed"), "operator", Role::Operator).await,
        viewer: make(Some("fuzzed"), "viewer", Role::Viewer).await,
        admin: make(Some("fuzzed"), "admin", Role::Admin).await,
        host: make(None, "host", Role::Admin).await,
    };
    control.shutdown(Default::default(), Duration::from_secs(10)).await;
    tokens
}

/// Runs a fuzzer with the server's URL and a token, against a new server, and checks what is left.
async fn fuzzed(fuzzer: impl AsyncFn(&str, &str) -> (bool, String)) {
    let storage = tempfile::tempdir().unwrap();
    let tokens = prepared(storage.path()).await;
    let (host, url) = Host::serve(storage.path(), &[("OUTBOARD_SERVER__AUTH", "token")]).await;
    // The admin is last, because it may revoke the others' tokens.
    for token in [&tokens.operator, &tokens.viewer, &tokens.admin] {
        let (well, output) = fuzzer(&url, token).await;
        assert!(well, "{output}");
    }
    let host_wide = Rest::new(&url, Some(&tokens.host));
    let (status, health) = host_wide.get("/api/health").await;
    let all = health["pipelines"]["all"].as_u64().unwrap();
    assert!(status == 200 || all == 1, "{health}");
    assert!(all <= 1, "pipelines were left behind: {health}");
    assert_eq!(health["pipelines"]["onAir"], 0, "{health}");
    assert_eq!(children(host.pid()), Vec::<String>::new(), "processes were left behind");
    host.signal(Signal::SIGTERM);
    let ended = host.ended(Duration::from_secs(60)).await;
    assert!(ended.status.success(), "{:#?}", ended.log);
    assert_eq!(ended.lines_with("panicked"), 0, "{:#?}", ended.log);
    assert!(!storage.path().join("default").exists(), "another tenant's folder was made");
}

/// Names of the running children of a process.
fn children(pid: u32) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let child = |stat: &str| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let parent = rest.split_whitespace().nth(1)?;
        (parent == pid.to_string()).then(|| name.to_owned())
    };
    processes.filter_map(|process| child(&std::fs::read_to_string(process.path().join("stat")).ok()?)).collect()
}

#[tokio::test]
async fn rest_answers_everything_with_a_type() {
    let openapi = openapi();
    fuzzed(async |url, token| {
        let header = format!("Authorization: Bearer {token}");
        let target = [openapi.to_str().unwrap(), "--url", url, "--exclude-checks", "positive_data_acceptance"];
        // One worker: in Python 3.11, threads that parse concurrently corrupt each other's recursion count, which
        // raises a SystemError.
        let common = ["--seed", SEED, "--max-time", SECONDS, "--header", &header, "--workers", "1"];
        schemathesis(&[&target[..], &common[..]].concat(), LIMIT).await
    })
    .await;
}

#[tokio::test]
async fn graphql_answers_everything_with_a_code() {
    fuzzed(async |url, token| fuzz_graphql(&format!("{url}/graphql"), token, SEED, EXAMPLES, LIMIT).await).await;
}
