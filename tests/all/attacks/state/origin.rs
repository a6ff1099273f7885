//! Memory that an origin can make us use: endless cookies, connections to endless hosts. `net/cookies.rs` limits the
//! number of cookies and tests it; this test checks that a source uses that jar.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use outboard::limits::{COOKIE_BYTES_MAX, COOKIES_PER_HOST_MAX, HOSTS_KEPT_MAX};
use outboard::net::{Guard, Resolver};
use outboard::pipeline::source::{SourceConfig, SourceEvent, run};
use outboard_tests::attacks::origins;
use outboard_tests::origin::{Origin, ts};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Counts the open connections on which it answers; one segment per request.
struct Counting {
    port: u16,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Counting {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { port: listener.local_addr().unwrap().port(), open: Arc::default(), most: Arc::default() };
        let (open, most) = (this.open.clone(), this.most.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                let open = open.clone();
                tokio::spawn(async move {
                    let (mut piece, body) = ([0; 4096], ts("a"));
                    // Requests are small and have no body: each read is one request.
                    while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {
                        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                        if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
                            break;
                        }
                    }
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        this
    }
}

/// Resolves every name to this machine.
#[derive(Debug)]
struct Everywhere;

impl Resolver for Everywhere {
    fn lookup(&self, _host: &str, port: u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }
}

#[tokio::test]
async fn a_host_for_each_segment_leaves_no_connection_for_each() {
    let (origin, counting) = (Origin::start().await, Counting::start().await);
    let list: String = (0..200).map(|n| format!("#EXTINF:1,\nhttp://h{n}.test:{}/a.ts\n", counting.port)).collect();
    origin.put("/x.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n{list}#EXT-X-ENDLIST\n"));
    let dir = tempfile::tempdir().unwrap();
    let mut config = SourceConfig::new(origin.url("/x.m3u8"), dir.path().join("stream"));
    config.guard = Guard::open().with_resolver(Arc::new(Everywhere));
    let (sender, mut events) = mpsc::channel(16);
    let task = tokio::spawn(run(config, None, sender, CancellationToken::new()));
    let mut segments = 0;
    let reading = async {
        while let Some(event) = events.recv().await {
            segments += usize::from(matches!(event, SourceEvent::Segment(_)));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(segments, 200);
    let most = counting.most.load(Ordering::SeqCst);
    // We close the connections that end, and the server notices a moment later.
    assert!(most <= HOSTS_KEPT_MAX + 50, "{most} connections were open at once");
}

/// Segments, each of which sets as many cookies as a client reads.
const SEGMENTS: usize = 60;
const COOKIES: usize = 40;

#[tokio::test]
async fn cookies_of_an_origin_are_bounded_in_number_and_size() {
    let origin = Origin::start().await;
    origins::cookies(&origin, "/x.m3u8", SEGMENTS, COOKIES, 2 * COOKIE_BYTES_MAX);
    let dir = tempfile::tempdir().unwrap();
    let config = SourceConfig::new(origin.url("/x.m3u8"), dir.path().join("stream"));
    let (sender, mut events) = mpsc::channel(16);
    let task = tokio::spawn(run(config, None, sender, CancellationToken::new()));
    let reading = async { while events.recv().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap();
    task.await.unwrap().unwrap();

    let sent: Vec<String> = origin.log().iter().map(|asked| asked.header("cookie")).collect();
    let most = sent.iter().map(|cookies| cookies.split("; ").count()).max().unwrap();
    assert_eq!(most, COOKIES_PER_HOST_MAX, "all that is kept comes back, and no more");
    assert!(sent.iter().all(|cookies| !cookies.contains("huge")));
    let last = sent.last().unwrap();
    let newest = (SEGMENTS - 6..SEGMENTS).any(|segment| last.contains(&format!("c{segment}-")));
    assert!(newest && !last.contains("c0-0="), "the newest are kept");
}
