//! Accepts connections, within limits: their number in total and per address, the time until the next request arrives, and the time
//! for which a client may read nothing.
//!
//! In: a listener and a router. Out: requests for the router, each with its [`Peer`], until the server stops; open requests then have
//! [`API_CLOSE_MAX`] to end. (`axum::serve` has no limit for a client that never completes its request.)

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::peers::{Connected, Peer, Peers};

use super::stall_timeout::StallTimeout;
use crate::limits::API_ACCEPT_AGAIN;
use crate::limits::API_CLOSE_MAX;
use crate::limits::API_HEAD_BYTES_MAX;
use crate::limits::API_HEAD_WAIT_MAX;
use crate::limits::API_WRITE_STALL_MAX;
use outboard_config::limits::API_CONNECTIONS_MAX;

/// Serves until `stop` is cancelled, and then until open requests have ended or [`API_CLOSE_MAX`] is over.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, peers: Peers) {
    let bounds =
        Bounds { places: places(), head: API_HEAD_WAIT_MAX, close: API_CLOSE_MAX, patience: API_WRITE_STALL_MAX };
    serve_within(listener, router, stop, peers, bounds).await;
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Most connections at a time.
    places: usize,
    /// Time for the next request's head to arrive.
    head: Duration,
    /// Time for open requests to end after `stop`.
    close: Duration,
    /// Time for which a client may read nothing.
    patience: Duration,
}

/// An accepted connection, and the slots that it uses.
struct Taken {
    stream: TcpStream,
    peer: Peer,
    places: (OwnedSemaphorePermit, Connected),
}

async fn serve_within(listener: TcpListener, router: Router, stop: CancellationToken, peers: Peers, bounds: Bounds) {
    let places = Arc::new(Semaphore::new(bounds.places));
    let connections = TaskTracker::new();
    let end = CancellationToken::new();
    while let Some(taken) = next(&listener, &places, &peers, &stop).await {
        let connection = converse(taken, router.clone(), stop.clone(), bounds);
        connections.spawn(end.clone().run_until_cancelled_owned(connection));
    }
    // No new connections while the server ends.
    drop(listener);
    connections.close();
    if tokio::time::timeout(bounds.close, connections.wait()).await.is_err() {
        tracing::info!(connections = connections.len(), "ending connections that are still open");
        end.cancel();
        connections.wait().await;
    }
}

/// Accepts the next connection once there is a slot for it; `None` after `stop`. Clients wait in the system's queue until then. A
/// connection of an address at its limit is closed.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    peers: &Peers,
    stop: &CancellationToken,
) -> Option<Taken> {
    let accepted = async {
        let place = places.clone().acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, from)) => match peers.connect(from.ip()) {
                    Some(connected) => {
                        let peer = Peer(Some(from.ip()));
                        return Some(Taken { stream, peer, places: (place, connected) });
                    }
                    None => tracing::debug!(from = %from.ip(), "an address has too many connections"),
                },
                // The client is gone, or there are no file descriptors: other connections may end meanwhile.
                Err(error) => {
                    tracing::debug!(%error, "failed to accept a connection");
                    tokio::time::sleep(API_ACCEPT_AGAIN).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepted).await.flatten()
}

async fn converse(taken: Taken, router: Router, stop: CancellationToken, bounds: Bounds) {
    let Taken { stream, peer, places } = taken;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(API_HEAD_BYTES_MAX)
        .pipeline_flush(false);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    // The stream owns the slots: after an upgrade this function ends, and the WebSocket owns the stream.
    let stream = StallTimeout::new(stream, bounds.patience, places);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// Most connections at a time: the configured limit, and at most half of the files that the process may open.
fn places() -> usize {
    let files = raised_file_limit();
    let half = usize::try_from(files / 2).unwrap_or(API_CONNECTIONS_MAX);
    half.clamp(1, API_CONNECTIONS_MAX)
}

/// Raises the soft limit of open files to the hard limit, as subscribers and pipelines need more than the usual 1024. Returns the new
/// limit.
fn raised_file_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return API_CONNECTIONS_MAX as u64 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    use super::*;

    const LONG: Duration = Duration::from_secs(120);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    async fn started(
        places: usize,
        head: Duration,
        close: Duration,
    ) -> (SocketAddr, CancellationToken, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let slow = async || {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "slow"
        };
        let routes = Router::new()
            .route("/", get(async || "fine"))
            .route("/slow", get(slow))
            .route("/never", get(async || std::future::pending::<&'static str>().await));
        let bounds = Bounds { places, head, close, patience: LONG };
        (address, stop.clone(), tokio::spawn(serve_within(listener, routes, stop, peers(), bounds)))
    }

    fn peers() -> Peers {
        Peers::new(&outboard_config::check(outboard_config::Layers::new(), false).unwrap().0.server)
    }

    async fn sent(address: SocketAddr, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    }

    async fn some(stream: &mut TcpStream) -> String {
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    #[tokio::test]
    async fn a_request_that_never_ends_is_given_up() {
        let wait = Duration::from_millis(300);
        let (address, stop, serving) = started(1, wait, LONG).await;
        let mut slow = sent(address, b"GET / HTTP/1.1\r\nHost: ").await;
        let began = Instant::now();
        let mut all = Vec::new();
        slow.read_to_end(&mut all).await.unwrap();
        assert!(began.elapsed() >= wait && began.elapsed() < LONG, "{:?}", began.elapsed());
        // Its slot is free again.
        assert!(some(&mut sent(address, REQUEST).await).await.ends_with("fine"));
        stop.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_for_a_place() {
        let (address, stop, serving) = started(1, LONG, LONG).await;
        let mut first = sent(address, REQUEST).await;
        assert!(some(&mut first).await.ends_with("fine"));
        let mut second = sent(address, REQUEST).await;
        let early = tokio::time::timeout(Duration::from_millis(200), some(&mut second)).await;
        assert!(early.is_err(), "answered beside the one place: {early:?}");
        drop(first);
        assert!(some(&mut second).await.ends_with("fine"));
        stop.cancel();
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_under_way_at_the_end_has_its_time_and_no_more() {
        let close = Duration::from_secs(4);
        let (address, stop, serving) = started(9, LONG, close).await;
        let mut slow = sent(address, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut never = sent(address, b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let mut idle = sent(address, REQUEST).await;
        assert!(some(&mut idle).await.ends_with("fine"));
        stop.cancel();
        let began = Instant::now();
        assert!(some(&mut slow).await.ends_with("slow"));
        serving.await.unwrap();
        assert!(began.elapsed() >= close && began.elapsed() < LONG, "{:?}", began.elapsed());
        assert_eq!(some(&mut never).await, "");
        assert!(TcpStream::connect(address).await.is_err());
    }
}
