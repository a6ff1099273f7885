//! Harness: source. A scripted HLS origin on 127.0.0.1: a test defines the reply of each path, request by request, and
//! reads the log of requests.
//!
//! Replies follow the script, not the clock: a path has a list of replies, each request takes the next one, and the
//! last one stays. Where order matters, a [`Gate`] holds a reply until the test opens it.

#![expect(clippy::expect_used, reason = "a harness stops the test at the first thing that is not as it should be")]

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

/// Longest wait for something that must come.
const PATIENCE: Duration = Duration::from_secs(90);

/// An origin; it ends on drop.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    /// Whether paths without a script return media made from their name.
    makes_media: AtomicBool,
    replies: Mutex<HashMap<String, VecDeque<Reply>>>,
    log: Mutex<Vec<Asked>>,
    count: watch::Sender<usize>,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Path of the URL without the query.
    pub path: String,
    /// Query, empty if there is none.
    pub query: String,
    /// All headers of the request.
    pub headers: HeaderMap,
    /// When the request arrived.
    pub at: Instant,
}

impl Asked {
    /// A header's text, empty if it is missing.
    pub fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        value.unwrap_or_default()
    }
}

/// Holds replies until it is opened.
#[derive(Debug, Clone)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// Makes a gate that holds replies until [`Gate::open`].
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Opens the gate permanently.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        // An error would mean that the gate was dropped, but this clone holds it.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// The reply to one request.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: Bytes,
    ranges: bool,
    announced: Option<usize>,
    chunked: bool,
    sent: Option<usize>,
    before: Option<Gate>,
    inside: Option<(usize, Gate)>,
}

impl Reply {
    /// 200 with this body; supports byte ranges.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            body: body.into(),
            ranges: true,
            announced: None,
            chunked: false,
            sent: None,
            before: None,
            inside: None,
        }
    }

    /// A status with a short page.
    pub fn status(code: u16) -> Self {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, ranges: false, ..Self::ok(format!("<html>{code}</html>")) }
    }

    /// The same reply with another status.
    pub fn with_status(mut self, code: u16) -> Self {
        self.status = StatusCode::from_u16(code).unwrap_or(self.status);
        self
    }

    /// 302 to this URL.
    pub fn redirect(to: &str) -> Self {
        Self::status(302).header("location", to)
    }

    /// Adds a header to the response; one with the same name stays.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends only the first bytes of the announced body, then closes the connection.
    pub fn cut_to(mut self, bytes: usize) -> Self {
        self.sent = Some(bytes);
        self
    }

    /// Announces this length, whatever is sent.
    pub fn announce(mut self, bytes: usize) -> Self {
        self.announced = Some(bytes);
        self
    }

    /// Sends the body in chunks, without a Content-Length header.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Compresses the body and sets Content-Encoding.
    pub fn gzip(mut self) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let written = encoder.write_all(&self.body).and_then(|()| encoder.finish());
        self.body = written.unwrap_or_default().into();
        self.ranges = false;
        self.header("content-encoding", "gzip")
    }

    /// Answers a Range request with 200 and the whole body.
    pub fn ignore_range(mut self) -> Self {
        self.ranges = false;
        self
    }

    /// Sends nothing before the gate opens.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.before = Some(gate.clone());
        self
    }

    /// Sends the headers and the first bytes at once, and the rest when the gate opens.
    pub fn pause_at(mut self, bytes: usize, gate: &Gate) -> Self {
        self.inside = Some((bytes, gate.clone()));
        self
    }
}

impl From<&str> for Reply {
    fn from(playlist: &str) -> Self {
        Self::ok(playlist.to_owned()).header("content-type", "application/vnd.apple.mpegurl")
    }
}

impl From<String> for Reply {
    fn from(playlist: String) -> Self {
        playlist.as_str().into()
    }
}

impl From<Vec<u8>> for Reply {
    fn from(body: Vec<u8>) -> Self {
        Self::ok(body)
    }
}

impl Origin {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("the address of a bound listener");
        let shared = Arc::new(Shared {
            makes_media: AtomicBool::new(false),
            replies: Mutex::default(),
            log: Mutex::default(),
            count: watch::Sender::new(0),
        });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Self { address, shared, server }
    }

    /// URL of a path on this origin: `http://127.0.0.1:<port><path>`.
    pub fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().expect("a path that makes a URL")
    }

    /// Sets the replies of a path, request by request; the last reply stays.
    pub fn script<R: Into<Reply>>(&self, path: &str, replies: impl IntoIterator<Item = R>) -> &Self {
        let replies = replies.into_iter().map(Into::into).collect();
        lock(&self.shared.replies).insert(path.to_owned(), replies);
        self
    }

    /// Sets the reply of a path from now on.
    pub fn put(&self, path: &str, reply: impl Into<Reply>) -> &Self {
        self.script(path, [reply.into()])
    }

    /// Makes paths without a script that end in `.ts`, `.m4s`, `.mp4` or `.aac` return media that contains its name.
    pub fn make_media(&self) {
        self.shared.makes_media.store(true, Ordering::Relaxed);
    }

    /// All requests so far.
    pub fn log(&self) -> Vec<Asked> {
        lock(&self.shared.log).clone()
    }

    /// Requests of one path so far.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.log().into_iter().filter(|asked| asked.path == path).collect()
    }

    /// Waits until a path was requested this many times.
    pub async fn wait_for(&self, path: &str, times: usize) {
        let mut count = self.shared.count.subscribe();
        let enough = count.wait_for(|_| self.asked(path).len() >= times);
        let asked = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        assert!(asked, "{path} was asked for {} times, not {times}", self.asked(path).len());
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let reply = {
        let mut replies = lock(&shared.replies);
        match replies.get_mut(&path) {
            Some(list) if list.len() > 1 => list.pop_front(),
            Some(list) => list.front().cloned(),
            None => None,
        }
    };
    let query = request.uri().query().unwrap_or_default().to_owned();
    let headers = request.headers().clone();
    lock(&shared.log).push(Asked { path: path.clone(), query, headers, at: Instant::now() });
    shared.count.send_modify(|count| *count += 1);
    let made = || shared.makes_media.load(Ordering::Relaxed).then(|| made_from(&path)).flatten();
    let reply = reply.or_else(made).unwrap_or_else(|| Reply::status(404));
    if let Some(gate) = &reply.before {
        gate.passed().await;
    }
    respond(reply, request.headers())
}

/// Media that contains the name in its path.
fn made_from(path: &str) -> Option<Reply> {
    let (name, extension) = path.rsplit('/').next()?.rsplit_once('.')?;
    let media = match extension {
        "ts" => ts(name),
        "m4s" => mp4("moof", name),
        "mp4" => mp4("ftyp", name),
        "aac" => aac(name),
        _ => return None,
    };
    Some(Reply::ok(media))
}

fn respond(mut reply: Reply, asked: &HeaderMap) -> Response {
    let range = asked.get("range").and_then(|value| value.to_str().ok()).filter(|_| reply.ranges);
    if let Some((first, last)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
        let total = reply.body.len();
        let first = first.parse().unwrap_or(total).min(total);
        let end = last.parse::<usize>().map_or(total, |last| last + 1).min(total);
        reply.body = reply.body.slice(first..end.max(first));
        reply.status = StatusCode::PARTIAL_CONTENT;
        let value = format!("bytes {first}-{}/{total}", end.saturating_sub(1));
        reply.headers.push(("content-range".to_owned(), value));
    }
    let announced = reply.announced.unwrap_or(reply.body.len());
    let body = reply.body.slice(..reply.sent.unwrap_or(reply.body.len()).min(reply.body.len()));
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    if !reply.chunked {
        response = response.header("content-length", announced);
    }
    let (at, gate) = reply.inside.unwrap_or_else(|| (body.len(), Gate(watch::Sender::new(true))));
    let rest = body.slice(at.min(body.len())..);
    let first = body.slice(..at.min(body.len()));
    let parts = stream::unfold((0, first, rest), move |(part, first, rest)| {
        let gate = gate.clone();
        async move {
            // A pause after the first part makes the server send it, so that a truncated body is visible as such.
            match part {
                0 => Some((Ok::<_, std::io::Error>(first), (1, Bytes::new(), rest))),
                1 if rest.is_empty() => {
                    tokio::task::yield_now().await;
                    None
                }
                1 => {
                    gate.passed().await;
                    Some((Ok(rest), (2, Bytes::new(), Bytes::new())))
                }
                _ => None,
            }
        }
    });
    response.body(Body::from_stream(parts)).expect("headers that a test wrote")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A small transport stream that contains its name: complete packets with sync bytes, different for each name.
pub fn ts(name: &str) -> Vec<u8> {
    let packets = 8 + name.bytes().map(usize::from).sum::<usize>() % 8;
    let mut media = Vec::with_capacity(packets * 188);
    for packet in 0..packets {
        media.extend([0x47, 0x1F, 0xFF, 0x10]);
        media.extend(filling(name, packet, 184));
    }
    media
}

/// A small MP4 file of one box that contains its name.
pub fn mp4(kind: &str, name: &str) -> Vec<u8> {
    let filling = filling(name, 0, 300);
    let length = u32::try_from(filling.len() + 8).expect("a small box");
    [&length.to_be_bytes(), kind.as_bytes(), &filling].concat()
}

/// An ID3 tag and bytes with an ADTS sync that contain its name.
pub fn aac(name: &str) -> Vec<u8> {
    [b"ID3\x04\0\0\0\0\0\x04PRIV\xFF\xF1\x50\x80".as_slice(), &filling(name, 0, 200)].concat()
}

/// `<name>`, then bytes that depend on it.
fn filling(name: &str, part: usize, length: usize) -> Vec<u8> {
    let seed = name.bytes().fold(part as u32 + 1, |hash, byte| hash.wrapping_mul(16_777_619) ^ u32::from(byte));
    let noise = (0..).scan(seed, |state, _: u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    });
    format!("<{name}>").into_bytes().into_iter().chain(noise).take(length).collect()
}

/// The name in media made by [`ts`], [`mp4`] or [`aac`], if the bytes are exactly that media.
pub fn name_of(media: &[u8]) -> Option<String> {
    let start = media.iter().position(|byte| *byte == b'<')?;
    let end = media.iter().position(|byte| *byte == b'>')?;
    let name = std::str::from_utf8(media.get(start + 1..end)?).ok()?;
    let kind = std::str::from_utf8(media.get(4..8)?).unwrap_or("none");
    [ts(name), mp4(kind, name), aac(name)].iter().any(|made| made == media).then(|| name.to_owned())
}
