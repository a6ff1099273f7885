//! Requests that cost more than their size, readers that never read, sockets that never authenticate.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::path::Path;
use std::time::Duration;

use outboard_tests::attacks::connections;
use outboard_tests::guests;
use outboard_tests::host::Host;
use outboard_tests::server::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// Longest wait for something that must come; nothing takes that long.
const SOON: Duration = Duration::from_secs(60);
/// The server disconnects a client that reads nothing after 20 s; this allows for a busy machine.
const EVICTED_WITHIN: Duration = Duration::from_secs(120);
const MIB: u64 = 1 << 20;

/// Resident memory of the server in bytes.
fn resident(server: &Server) -> u64 {
    of_process(server, "status", "VmRSS:") << 10
}

/// A number of the server's in `/proc`.
fn of_process(server: &Server, file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/{file}", server.process().pid())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Number of files and sockets that the server has open.
fn open_files(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.process().pid())).unwrap().count()
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

/// The response, up to `end` or the end of the connection.
async fn heard(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let reading = async {
        let mut some = vec![0; 16 << 10];
        while !String::from_utf8_lossy(&all).contains(end) {
            match stream.read(&mut some).await {
                Ok(read) if read > 0 => all.extend_from_slice(&some[..read]),
                _ => break,
            }
        }
    };
    let all_in_time = timeout(SOON, reading).await;
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(all_in_time.is_ok(), "{end:?} did not come: {text}");
    text
}

/// A token with this role in the tenant.
async fn token(server: &Server, admin: &str, role: &str) -> String {
    let query = format!("mutation {{ createToken(input: {{ name: \"{role}\", role: {role} }}) {{ secret }} }}");
    let answer = server.graphql(Some(admin), &query, &json!({})).await;
    answer.data("createToken")["secret"].as_str().unwrap().to_owned()
}

/// Checks that other requests are answered quickly at the same time.
async fn answers_others(server: &Server, token: &str) {
    let began = Instant::now();
    let answer = server.graphql(Some(token), "{ me { name } }", &json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(began.elapsed() < SOON, "others were answered after {:?}", began.elapsed());
}

// === multipart ===

/// The head of an upload with this body length, and the beginning of the body.
fn upload(server: &Server, token: &str, length: u64, body: &str) -> String {
    let (bearer, length) = (format!("Bearer {token}"), length.to_string());
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "multipart/form-data; boundary=x"),
        ("graphql-require-preflight", "1"),
        ("content-length", length.as_str()),
    ];
    connections::head(server, "POST", "/graphql", &headers) + body
}

fn part(name: &str, file: &str) -> String {
    format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n")
}

#[tokio::test]
async fn a_form_has_the_bounds_of_any_request_and_its_file_waits_on_disk() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (admin, other) = (server.tenant("a").await, server.tenant("b").await);
    let (viewer, operator) = (token(&server, &admin, "VIEWER").await, token(&server, &admin, "OPERATOR").await);
    answers_others(&server, &other).await;
    let before = resident(&server);

    // A caller without permission to upload is refused before the body is read.
    let mut stream = connect(&server).await;
    stream.write_all(upload(&server, &viewer, 60 * MIB, "").as_bytes()).await.unwrap();
    let refused = heard(&mut stream, "stage.add needs").await;
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("FORBIDDEN"), "{refused}");

    // Slightly too many operations are refused without waiting for the rest of the body.
    let mut stream = connect(&server).await;
    let begun = format!("{}{}", part("operations", ""), "a ".repeat(150 << 10));
    stream.write_all(upload(&server, &operator, 16 * MIB, &begun).as_bytes()).await.unwrap();
    let refused = heard(&mut stream, "LIMIT_EXCEEDED").await;
    assert!(refused.starts_with("HTTP/1.1 413") && refused.contains("`operations` is longer"), "{refused}");

    // 16 MB of operations in which each character is a token: the maximum number of concurrent uploads of a tenant,
    // four times.
    let operations = format!("{}{{\"query\":\"{{", part("operations", ""));
    for _ in 0..4 {
        let mut streams = Vec::new();
        for _ in 0..2 {
            let mut stream = connect(&server).await;
            stream.write_all(upload(&server, &operator, 16 * MIB, &operations).as_bytes()).await.unwrap();
            let filler = "a ".repeat(512 << 10);
            // The server closes the connection as soon as it is too much.
            for _ in 0..16 {
                if stream.write_all(filler.as_bytes()).await.is_err() {
                    break;
                }
            }
            streams.push(stream);
        }
        answers_others(&server, &other).await;
    }
    let grown = resident(&server).saturating_sub(before);
    eprintln!("memory after operations of 16 MB: {} KiB more", grown >> 10);
    assert!(grown < 96 * MIB, "{grown} bytes more");

    // Two uploads in progress, and a third one that finds no slot.
    let before = resident(&server);
    let query = "mutation($input: UploadStageInput!) { uploadStage(input: $input) { component { digest } } }";
    let operations = json!({ "query": query, "variables": { "input": { "file": null } } });
    let start = format!(
        "{}{operations}\r\n{}{{\"0\":[\"variables.input.file\"]}}\r\n{}",
        part("operations", ""),
        part("map", ""),
        part("0", "; filename=\"a.wasm\"")
    );
    let piece = vec![7; 1 << 20];
    let mut uploads = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&server).await;
        stream.write_all(upload(&server, &operator, 50 * MIB, &start).as_bytes()).await.unwrap();
        for _ in 0..40 {
            timeout(SOON, stream.write_all(&piece)).await.unwrap().unwrap();
        }
        uploads.push(stream);
    }
    let mut third = connect(&server).await;
    third.write_all(upload(&server, &operator, 50 * MIB, &start).as_bytes()).await.unwrap();
    let refused = heard(&mut third, "LIMIT_EXCEEDED").await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let grown = resident(&server).saturating_sub(before);
    eprintln!("memory with 80 MiB of uploads under way: {} KiB more", grown >> 10);
    assert!(grown < 48 * MIB, "{grown} bytes more");
    answers_others(&server, &other).await;

    // A complete upload still works.
    let wasm = std::fs::read(guests::path("faulty-framing")).unwrap();
    let whole = [start.as_bytes(), &wasm, b"\r\n--x--\r\n"].concat();
    drop(uploads);
    let added = async {
        loop {
            let mut stream = connect(&server).await;
            stream.write_all(upload(&server, &operator, whole.len() as u64, "").as_bytes()).await.unwrap();
            stream.write_all(&whole).await.unwrap();
            let answer = heard(&mut stream, "}").await;
            // The slots of closed connections are free a moment later.
            if !answer.starts_with("HTTP/1.1 429") {
                return answer;
            }
        }
    };
    let added = timeout(SOON, added).await.unwrap();
    assert!(added.starts_with("HTTP/1.1 200") && added.contains("sha256:"), "{added}");
}

// === connections ===

#[tokio::test]
async fn sockets_that_never_greet_lock_nobody_out() {
    let storage = tempfile::tempdir().unwrap();
    let admin = made_admin(storage.path()).await;
    let server = Server::start_with(storage.path(), &[("OUTBOARD_SERVER__AUTH", "token")]).await;
    let opening = connections::opening(&server);
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut stream = connections::from(&server, "127.0.0.9").await;
        stream.write_all(opening.as_bytes()).await.unwrap();
        let answer = heard(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        silent.push(stream);
    }
    // A client that authenticates is accepted beside them with its first message; the harness checks this.
    let mut socket = server.socket(Some(&admin)).await;
    socket.subscribe("{ me { name } }", &json!({})).await;
    assert!(timeout(SOON, socket.next()).await.unwrap().is_some());
    // A client that authenticates in the opening request needs no slot among them.
    let bearer = format!("authorization: Bearer {admin}\r\n\r\n");
    let mut known = connect(&server).await;
    known.write_all((opening.trim_end_matches("\r\n").to_owned() + "\r\n" + &bearer).as_bytes()).await.unwrap();
    let answer = heard(&mut known, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    // Those that send nothing are disconnected.
    let first = heard(&mut silent[0], "initialisation timeout").await;
    assert!(first.contains("initialisation timeout"), "{first:?}");
}

/// A token of the whole host, created as the operator creates the first one.
async fn made_admin(storage: &Path) -> String {
    let arguments = ["token", "create", "--role", "admin", "--storage", storage.to_str().unwrap()];
    let made = Host::spawn(&arguments).ended(SOON).await;
    assert!(made.status.success(), "{:#?}", made.log);
    made.stdout.trim().to_owned()
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_a_proxy_more() {
    let storage = tempfile::tempdir().unwrap();
    let bounds = [("OUTBOARD_SERVER__CONNECTIONS_PER_PEER", "20"), ("OUTBOARD_SERVER__TRUSTED_PROXIES", "127.0.0.1")];
    let server = Server::start_with(storage.path(), &bounds).await;
    let request = connections::head(&server, "GET", "/livez", &[]);
    let mut held = Vec::new();
    let mut ask = async |from: &str| {
        let mut stream = connections::from(&server, from).await;
        // A closed connection may be noticed only when writing.
        stream.write_all(request.as_bytes()).await.ok();
        let answered = heard(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 200");
        held.push(stream);
        answered
    };
    for n in 0..30 {
        assert_eq!(ask("127.0.0.2").await, n < 20, "connection {n} of one address");
    }
    assert!(ask("127.0.0.3").await, "another address has its own");
    for n in 0..60 {
        assert!(ask("127.0.0.1").await, "connection {n} of a trusted proxy");
    }
}

#[tokio::test]
async fn clients_that_never_read_are_let_go_of_and_hold_little() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let (admin, other) = (server.tenant("a").await, server.tenant("b").await);
    let viewer = token(&server, &admin, "VIEWER").await;
    answers_others(&server, &other).await;
    let (files, memory) = (open_files(&server), resident(&server));
    for accept in ["application/json", "text/event-stream"] {
        let greedy = connections::that_never_read(&server, &viewer, accept, 200).await;
        answers_others(&server, &other).await;
        let grown = resident(&server).saturating_sub(memory);
        eprintln!("memory with 200 clients that read nothing ({accept}): {} KiB more", grown >> 10);
        assert!(grown < 256 * MIB, "{accept}: {grown} bytes more");
        let evicted = async {
            // This test keeps its ends of the connections open, so it is the server that closes its ends.
            while open_files(&server) > files + 20 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let began = Instant::now();
        assert!(timeout(EVICTED_WITHIN, evicted).await.is_ok(), "{accept}: {} files are open", open_files(&server));
        eprintln!("they were let go of after {:?}", began.elapsed());
        drop(greedy);
        // The tenant's resources are released: its slots at once, its share of time gradually.
        let free = async { while server.graphql(Some(&viewer), "{ me { name } }", &json!({})).await.status != 200 {} };
        assert!(timeout(SOON, free).await.is_ok(), "{accept}: their tenant is still kept out");
    }
}

// === cost ===

#[tokio::test]
async fn a_list_of_components_reads_no_component() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let admin = server.tenant("a").await;
    let viewer = token(&server, &admin, "VIEWER").await;
    // A component in the host's store, as large as usual; bundled ones are inside the program.
    let wasm = std::fs::read(guests::path("faulty-framing")).unwrap();
    outboard::store::files::keep_component_bytes(storage.path(), &wasm).await.unwrap();
    let one = "{ stageComponents { digest name sizeBytes settingsSchema } }";
    let all = |answer: &Value| answer["data"]["stageComponents"].as_array().map(Vec::len);
    let first = server.graphql(Some(&viewer), one, &json!({})).await.body;
    assert!(all(&first).is_some_and(|all| all >= 4), "{first}");
    let files: u64 =
        first["data"]["stageComponents"].as_array().unwrap().iter().map(|one| one["sizeBytes"].as_u64().unwrap()).sum();
    let read = || of_process(&server, "io", "rchar:");
    let before = read();
    let aliased: String = (0..20).map(|n| format!("a{n}: stageComponents {{ digest name }} ")).collect();
    for _ in 0..5 {
        let answer = server.graphql(Some(&viewer), &format!("{{ {aliased} }}"), &json!({})).await;
        assert!(answer.data("a19").is_array(), "{answer:?}");
    }
    let read = read() - before;
    eprintln!("a hundred lists read {read} bytes; the components have {files}");
    assert!(read < files / 2, "a hundred lists read {read} bytes, one list's files have {files}");
}

#[tokio::test]
async fn values_in_values_and_many_of_them_are_refused_before_they_are_taken_apart() {
    let storage = tempfile::tempdir().unwrap();
    let server = Server::start(storage.path()).await;
    let admin = server.tenant("a").await;
    let bearer = format!("Bearer {admin}");
    let me = "{ me { name } }";
    let deep = format!("{{\"query\":\"{me}\",\"variables\":{{\"a\":{}1{}}}}}", "[".repeat(100), "]".repeat(100));
    let many = format!("{{\"query\":\"{me}\",\"variables\":{{\"a\":[1{}]}}}}", ",1".repeat(100_000));
    let words = json!({ "query": format!("{{ me {{ name }} }} #\n{}", "a ".repeat(20_000)) }).to_string();
    for (what, body) in [("deep", deep), ("many", many), ("words", words)] {
        for accept in ["application/json", "text/event-stream"] {
            let request = reqwest::Client::new()
                .post(server.url("/graphql"))
                .header("authorization", &bearer)
                .header("content-type", "application/json")
                .header("accept", accept)
                .body(body.clone());
            let text = request.send().await.unwrap().text().await.unwrap();
            assert!(text.contains("LIMIT_EXCEEDED"), "{what}, {accept}: {text}");
        }
    }
    // REST lists only some of the unknown names.
    let fields: serde_json::Map<String, Value> = (0..4_000).map(|n| (format!("f{n}"), Value::Null)).collect();
    let request = reqwest::Client::new()
        .post(server.url("/api/pipeline/stop"))
        .header("authorization", &bearer)
        .header("content-type", "application/json")
        .body(Value::from(fields).to_string());
    let text = request.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("INVALID_INPUT") && text.len() < 16 << 10, "{} bytes", text.len());
}
