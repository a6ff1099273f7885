//! Over real connections: what each transport takes, refuses, and lets go of.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::*;
use crate::api::graphql::endpoint::Waits;
use crate::api::peers::Peers;
use crate::api::{Api, router, server};
use crate::config::{self, Layers, ServerConfig};

/// For what must come; nothing takes that long.
const SOON: Duration = Duration::from_secs(120);

/// A server that listens.
struct Listening {
    control: Control,
    endpoint: Endpoint,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    _storage: tempfile::TempDir,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Listening {
    async fn start() -> Self {
        Self::with(Waits::default(), false).await
    }

    /// `needs_token`: even on loopback.
    async fn with(waits: Waits, needs_token: bool) -> Self {
        let storage = tempfile::tempdir().unwrap();
        let control = Control::open(Host::open(storage.path()).await.unwrap()).await.unwrap();
        let stop = CancellationToken::new();
        let config = ServerConfig {
            listen: String::new(),
            needs_token,
            cors_origins: vec!["https://ui.example".into()],
            hosts: Vec::new(),
            secure_cookies: false,
            ..config::check(Layers::new(), false).unwrap().0.server
        };
        let mut api = Api::new(control.clone(), &config, true, stop.clone());
        api.graphql = Endpoint::with_waits(control.clone(), stop.clone(), waits);
        let endpoint = api.graphql.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(server::serve(listener, router(api), stop.clone(), Peers::new(&config)));
        Self { control, endpoint, address, stop, _storage: storage }
    }

    fn url(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    async fn post(&self, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> reqwest::Response {
        let mut request = reqwest::Client::new().post(self.url()).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    async fn made(&self, name: &str) {
        let patch = serde_json::from_value(settings()).unwrap();
        let new = crate::control::NewPipeline { stream_id: name.into(), patch, ..Default::default() };
        self.control.pipelines().create(&local(), new).await.unwrap();
    }

    async fn token(&self, role: Role) -> (u64, String) {
        let new =
            crate::control::NewToken { tenant: Some("default".into()), name: role.to_string(), role, expires_ms: None };
        let made = self.control.tenancy().create_token(&local(), new).await.unwrap();
        (made.row.id, made.secret.get().clone())
    }

    async fn connect(&self, protocol: Option<&str>, headers: &[(&'static str, &str)]) -> Result<Client, StatusCode> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request().unwrap();
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
        }
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(Client(stream)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                Err(StatusCode::from_u16(response.status().as_u16()).unwrap())
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// A client that was welcomed.
    async fn client(&self) -> Client {
        let mut client = self.connect(Some("graphql-transport-ws"), &[]).await.unwrap();
        client.say(json!({ "type": "connection_init" })).await;
        assert_eq!(client.hear().await, json!({ "type": "connection_ack" }));
        client
    }
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn say(&mut self, message: Value) {
        self.0.send(Message::Text(message.to_string().into())).await.unwrap();
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next message; `Err`: the code that the connection is closed with.
    async fn next(&mut self) -> Result<Value, u16> {
        loop {
            match timeout(SOON, self.0.next()).await.expect("a message") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(CloseCode::Status.into(), |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{error}"),
                None => return Err(0),
            }
        }
    }

    async fn hear(&mut self) -> Value {
        self.next().await.unwrap_or_else(|code| panic!("closed with {code}"))
    }

    async fn closed(&mut self) -> u16 {
        match self.next().await {
            Err(code) => code,
            Ok(message) => panic!("{message}"),
        }
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");
const ME: &str = r#"{"query":"{ me { name role } }"}"#;

async fn read(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

// === HTTP ===

#[tokio::test]
async fn a_request_is_json_of_a_bounded_length_and_one_at_a_time() {
    let server = Listening::start().await;
    let answer = server.post(&[JSON], ME).await;
    assert_eq!((answer.status(), answer.headers()["cache-control"].to_str().unwrap()), (StatusCode::OK, "no-store"));
    assert_eq!(read(answer).await["data"]["me"], json!({ "name": "local", "role": "ADMIN" }));
    // What a form of another page can send without being asked for leave.
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "",
    ] {
        let answer = server.post(&[("content-type", kind)], ME).await;
        // Of those, an upload is taken, but only with a header that a form cannot send.
        let refused = match kind.starts_with("multipart") {
            true => StatusCode::BAD_REQUEST,
            false => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        };
        assert_eq!(answer.status(), refused, "{kind}");
        assert_eq!(code(&read(answer).await), "INVALID_INPUT");
    }
    for (body, status, said) in [
        (format!("[{ME},{ME}]"), StatusCode::BAD_REQUEST, "INVALID_INPUT"),
        (" \n[]".to_owned(), StatusCode::BAD_REQUEST, "INVALID_INPUT"),
        ("{\"query\":".to_owned(), StatusCode::BAD_REQUEST, "INVALID_INPUT"),
        ("{\"query\":7}".to_owned(), StatusCode::BAD_REQUEST, "INVALID_INPUT"),
        (String::new(), StatusCode::BAD_REQUEST, "INVALID_INPUT"),
        (json!({ "query": "#".repeat(300 << 10) }).to_string(), StatusCode::PAYLOAD_TOO_LARGE, "LIMIT_EXCEEDED"),
        (json!({ "query": "{a".repeat(6_000) }).to_string(), StatusCode::OK, "LIMIT_EXCEEDED"),
        (json!({ "query": "#".repeat(65 << 10) }).to_string(), StatusCode::OK, "LIMIT_EXCEEDED"),
        (
            json!({ "query": "{ me { name } }", "variables": { "a": vec![1; 25_000] } }).to_string(),
            StatusCode::BAD_REQUEST,
            "LIMIT_EXCEEDED",
        ),
        (json!({ "query": "{ nothing }" }).to_string(), StatusCode::OK, "INVALID_INPUT"),
        (json!({ "query": "" }).to_string(), StatusCode::OK, "INVALID_INPUT"),
    ] {
        let answer = server.post(&[("content-type", "application/json; charset=utf-8")], body.clone()).await;
        let shown: String = body.chars().take(40).collect();
        assert_eq!(answer.status(), status, "{shown}");
        assert_eq!(code(&read(answer).await), said, "{shown}");
    }
    // Whoever asks for it is told by the status, too.
    let strict = ("accept", "application/graphql-response+json, application/json;q=0.9");
    for (query, status) in [("{ nothing }", 400), ("{ pipeline(id: \"no\") { id } }", 200), ("{ me { name } }", 200)] {
        let answer = server.post(&[JSON, strict], json!({ "query": query }).to_string()).await;
        assert_eq!(answer.status().as_u16(), status, "{query}");
        assert_eq!(answer.headers()["content-type"], "application/graphql-response+json");
    }
    let client = reqwest::Client::new();
    let other = client.get(server.url()).send().await.unwrap();
    assert_eq!((other.status(), &other.headers()["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
    let schema = client.get(format!("{}/schema.graphql", server.url())).send().await.unwrap().text().await.unwrap();
    assert_eq!(schema, crate::api::graphql::sdl());
}

#[tokio::test]
async fn callers_are_asked_who_they_are() {
    let server = Listening::with(Waits::default(), true).await;
    let nobody = server.post(&[JSON], ME).await;
    assert_eq!((nobody.status(), nobody.headers().contains_key("www-authenticate")), (StatusCode::UNAUTHORIZED, true));
    assert_eq!(code(&read(nobody).await), "UNAUTHENTICATED");
    let (_, secret) = server.token(Role::Viewer).await;
    let bearer = format!("Bearer {secret}");
    let known = server.post(&[JSON, ("authorization", &bearer)], ME).await;
    assert_eq!(read(known).await["data"]["me"]["role"], "VIEWER");
    let wrong = server.post(&[JSON, ("authorization", "Bearer obt_wrong")], ME).await;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    // A page of a stranger's, in a browser that has the cookie.
    let cookie = format!("{}={secret}", crate::api::auth::COOKIE_NAME);
    let page = [JSON, ("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    assert_eq!(server.post(&page, ME).await.status(), StatusCode::FORBIDDEN);
    let own = [JSON, ("cookie", cookie.as_str()), ("origin", "https://ui.example")];
    assert_eq!(server.post(&own, ME).await.status(), StatusCode::OK);
}

// === WebSocket ===

#[tokio::test]
async fn clients_keep_to_the_protocol() {
    let waits = Waits { init: Duration::from_millis(200), ..Waits::default() };
    let server = Listening::with(waits, true).await;
    let (_, secret) = server.token(Role::Viewer).await;
    let open = || async { server.connect(Some("graphql-transport-ws"), &[]).await.unwrap() };
    for (protocol, closed) in
        [(None, 4406), (Some("graphql-ws"), 4406), (Some("graphql-ws, graphql-transport-ws"), 4408)]
    {
        // The client library refuses a server that picks no protocol, so it is asked raw there.
        if closed == 4406 {
            assert!(matches!(raw_close(&server, protocol).await, Some(4406)), "{protocol:?}");
        } else {
            assert_eq!(server.connect(protocol, &[]).await.unwrap().closed().await, closed, "{protocol:?}");
        }
    }
    let init = json!({ "type": "connection_init", "payload": { "token": secret } });
    let hello = json!({ "query": "{ me { name } }" });
    for (said, closed) in [
        (vec![json!({ "type": "subscribe", "id": "1", "payload": hello })], 4401),
        (vec![json!({ "type": "connection_init" })], 4401),
        (vec![json!({ "type": "connection_init", "payload": { "token": "obt_wrong" } })], 4401),
        (vec![json!({ "type": "connection_init", "payload": { "token": 1 } })], 4400),
        (vec![json!({ "type": "hello" })], 4400),
        (vec![json!(1)], 4400),
        (vec![init.clone(), init.clone()], 4429),
        (vec![init.clone(), json!({ "type": "subscribe", "id": "", "payload": hello })], 4400),
        (vec![init.clone(), json!({ "type": "subscribe", "id": "1" })], 4400),
    ] {
        let mut client = open().await;
        for message in &said {
            client.say(message.clone()).await;
        }
        if said.len() > 1 {
            assert_eq!(client.hear().await["type"], "connection_ack");
        }
        assert_eq!(client.closed().await, closed, "{said:?}");
    }
    let mut client = open().await;
    client.say(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {secret}") } })).await;
    assert_eq!(client.hear().await["type"], "connection_ack");
    client.say(json!({ "type": "ping", "payload": { "any": 1 } })).await;
    assert_eq!(client.hear().await, json!({ "type": "pong" }));
    client.subscribe("q", "{ me { role } }").await;
    assert_eq!(
        client.hear().await,
        json!({ "type": "next", "id": "q", "payload": { "data": { "me": { "role": "VIEWER" } } } })
    );
    assert_eq!(client.hear().await, json!({ "type": "complete", "id": "q" }));
    client.subscribe("wrong", "{ nothing }").await;
    let error = client.hear().await;
    assert_eq!(
        (&error["type"], &error["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("INVALID_INPUT"))
    );
    client.subscribe("s", "subscription { server { version } }").await;
    client.subscribe("s", "subscription { server { version } }").await;
    while let Ok(message) = client.next().await {
        assert_eq!(message["type"], "next");
    }
    server.endpoint.slots().until(0).await;
}

/// The code that the server closes with, without a client library's own checks.
async fn raw_close(server: &Listening, protocol: Option<&str>) -> Option<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /graphql HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n",
        server.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    while !all.windows(2).any(|two| two == [0x11, 0x36]) {
        let mut some = [0; 512];
        let read = timeout(SOON, stream.read(&mut some)).await.ok()?.ok().filter(|read| *read > 0)?;
        all.extend_from_slice(&some[..read]);
    }
    // 0x1136 is 4406.
    Some(4406)
}

#[tokio::test]
async fn other_pages_cannot_open_a_socket() {
    let server = Listening::start().await;
    for (origin, refused) in [("https://evil.example", true), ("null", true), ("https://ui.example", false)] {
        let opened = server.connect(Some("graphql-transport-ws"), &[("origin", origin)]).await;
        assert_eq!(opened.err(), refused.then_some(StatusCode::FORBIDDEN), "{origin}");
    }
}

#[tokio::test]
async fn a_subscription_tells_each_change_and_ends_with_its_pipeline() {
    let server = Listening::start().await;
    server.made("tv").await;
    let mut client = server.client().await;
    client.subscribe("one", "subscription { pipelineStatus(id: \"tv\") { pipelineId phase } }").await;
    client.subscribe("all", "subscription { pipelineStatus { pipelineId } }").await;
    client.subscribe("none", "subscription { pipelineStatus(id: \"other\") { phase } }").await;
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.push(client.hear().await);
    }
    let of = |id: &str| heard.iter().find(|message| message["id"] == id).unwrap();
    assert_eq!(
        of("one")["payload"]["data"]["pipelineStatus"],
        json!({ "pipelineId": "default:tv", "phase": "STOPPED" })
    );
    assert_eq!(of("all")["payload"]["data"]["pipelineStatus"]["pipelineId"], "default:tv");
    assert_eq!(
        (&of("none")["type"], &of("none")["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("NOT_FOUND"))
    );
    client.say(json!({ "type": "complete", "id": "all" })).await;
    server.control.pipelines().start(&local(), "tv").await.unwrap();
    loop {
        let message = client.hear().await;
        assert_eq!(message["id"], "one");
        if message["payload"]["data"]["pipelineStatus"]["phase"] != "STOPPED" {
            break;
        }
    }
    server.control.pipelines().delete(&local(), "tv", false).await.unwrap();
    while client.hear().await != json!({ "type": "complete", "id": "one" }) {}
}

#[tokio::test]
async fn a_revoked_token_ends_what_came_with_it() {
    let server = Listening::with(Waits::default(), true).await;
    let (id, secret) = server.token(Role::Viewer).await;
    let mut client = server.connect(Some("graphql-transport-ws"), &[]).await.unwrap();
    client.say(json!({ "type": "connection_init", "payload": { "token": secret } })).await;
    client.hear().await;
    client.subscribe("s", "subscription { server(everySeconds: 3600) { version } }").await;
    assert_eq!(client.hear().await["type"], "next");
    let bearer = format!("Bearer {secret}");
    let accept = [JSON, ("accept", "text/event-stream"), ("authorization", bearer.as_str())];
    let query = json!({ "query": "subscription { server(everySeconds: 3600) { version } }" }).to_string();
    let mut events = server.post(&accept, query).await.bytes_stream();
    events.next().await.unwrap().unwrap();
    server.control.tenancy().revoke_token(&local(), id).await.unwrap();
    let error = client.hear().await;
    assert_eq!(
        (&error["type"], &error["payload"][0]["extensions"]["code"]),
        (&json!("error"), &json!("UNAUTHENTICATED"))
    );
    assert_eq!(client.closed().await, 4401);
    let mut rest = String::new();
    while let Some(Ok(bytes)) = timeout(SOON, events.next()).await.unwrap() {
        rest += &String::from_utf8_lossy(&bytes);
    }
    assert!(rest.contains("UNAUTHENTICATED") && rest.contains("event: complete"), "{rest}");
    server.endpoint.slots().until(0).await;
}

#[tokio::test]
async fn clients_that_go_away_or_take_nothing_leave_nothing_behind() {
    let waits = Waits { write: Duration::from_millis(300), ping: Duration::from_millis(300), ..Waits::default() };
    let server = Listening::with(waits, false).await;
    let mut client = server.client().await;
    for n in 0..10 {
        client.subscribe(&n.to_string(), "subscription { events { id } }").await;
    }
    timeout(SOON, server.endpoint.slots().until(11)).await.expect("a connection and its subscriptions");
    // It hangs up without a word.
    drop(client);
    timeout(SOON, server.endpoint.slots().until(0)).await.expect("everything is free");
    // It is there, and never answers a ping.
    let silent = server.client().await;
    timeout(SOON, server.endpoint.slots().until(0)).await.expect("the silent one is let go of");
    drop(silent);
    // It asks and asks, and reads nothing. Pings would be answered only by reading as well, so they are far apart.
    let waits = Waits { write: Duration::from_millis(300), ping: Duration::from_secs(3600), ..Waits::default() };
    let server = Listening::with(waits, false).await;
    let mut greedy = server.client().await;
    let large = "{ __schema { types { name description fields { name description args { name description } } } } }";
    for n in 0..2000 {
        let asked = json!({ "type": "subscribe", "id": n.to_string(), "payload": { "query": large } });
        let sent = timeout(Duration::from_secs(2), greedy.0.send(Message::Text(asked.to_string().into()))).await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
    }
    timeout(SOON, server.endpoint.slots().until(0)).await.expect("the greedy one is let go of");
}

#[tokio::test]
async fn a_connection_runs_so_many_operations_and_the_server_s_end_ends_it() {
    let server = Listening::start().await;
    let mut client = server.client().await;
    let most = crate::limits::GRAPHQL_SOCKET_OPERATIONS_MAX;
    for n in 0..=most {
        client.subscribe(&n.to_string(), "subscription { events { id } }").await;
    }
    let error = client.hear().await;
    assert_eq!(
        (&error["id"], &error["payload"][0]["extensions"]["code"]),
        (&json!(most.to_string()), &json!("LIMIT_EXCEEDED"))
    );
    server.stop.cancel();
    assert_eq!(client.closed().await, 1001);
}

// === server-sent events ===

#[tokio::test]
async fn events_are_told_one_by_one_and_then_completed() {
    let server = Listening::start().await;
    server.made("tv").await;
    let accept = [JSON, ("accept", "text/event-stream")];
    let once = server.post(&accept, ME).await;
    assert_eq!(once.headers()["content-type"], "text/event-stream");
    let text = once.text().await.unwrap();
    assert_eq!(
        text,
        "event: next\ndata: {\"data\":{\"me\":{\"name\":\"local\",\"role\":\"ADMIN\"}}}\n\nevent: complete\ndata: \n\n"
    );
    let wrong = server.post(&accept, json!({ "query": "subscription {" }).to_string()).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    let query = json!({ "query": "subscription { pipelineStatus(id: \"tv\") { phase } }" }).to_string();
    let mut stream = server.post(&accept, query.clone()).await.bytes_stream();
    let first = timeout(SOON, stream.next()).await.unwrap().unwrap().unwrap();
    assert!(
        first.starts_with(b"event: next\ndata: {\"data\":{\"pipelineStatus\":{\"phase\":\"STOPPED\"}}}"),
        "{first:?}"
    );
    drop(stream);
    timeout(SOON, server.endpoint.slots().until(0)).await.expect("it went away");
    let mut stream = server.post(&accept, query).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    server.control.pipelines().delete(&local(), "tv", false).await.unwrap();
    let mut rest = String::new();
    while let Some(Ok(bytes)) = timeout(SOON, stream.next()).await.unwrap() {
        rest += &String::from_utf8_lossy(&bytes);
    }
    assert!(rest.ends_with("event: complete\ndata: \n\n"), "{rest}");
}
