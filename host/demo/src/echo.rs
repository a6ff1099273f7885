//! The test processor: a Socket.IO server of the `fragment` dialect that returns each fragment's audio unchanged, and
//! can simulate faults on chosen fragments ([`Rule`]).
//!
//! In: `fragment:data {fragment, data}`. Out: `fragment:processed {fragment, data, metadata}` after a delay, with
//! `data` as nested binary in both directions; optionally `fragment:ack` and `fragment:error`. Keeps audio only until
//! its reply is sent.

mod audio;
mod cli;
mod fault;
mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::{ParserConfig, SocketIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use cli::EchoArgs;
pub use fault::{Fault, FaultError, Rule, Selection};

use crate::limits::{ECHO_CLOSE_TIMEOUT, ECHO_PAYLOAD_DEFAULT_BYTES};
use outboard_exchange::limits::EXCHANGE_ATTACHMENTS_MAX;
use session::{Incoming, Session, Visits};

/// Settings of the test processor.
#[derive(Debug, Clone, PartialEq)]
pub struct EchoConfig {
    /// Address to listen on; port 0 selects a free one.
    pub listen: SocketAddr,
    /// Delay between a fragment and its reply, in milliseconds.
    pub delay_ms: u64,
    /// Largest frame to accept, in bytes; announced in the handshake (`maxPayload`).
    pub max_payload: u64,
    /// Whether each fragment is first answered with `fragment:ack`.
    pub ack: bool,
    /// Faults to simulate; all rules that select a fragment apply, in order.
    pub faults: Vec<Rule>,
}

impl EchoConfig {
    /// An echo without faults on this address.
    pub fn new(listen: SocketAddr) -> Self {
        Self { listen, delay_ms: 100, max_payload: ECHO_PAYLOAD_DEFAULT_BYTES, ack: false, faults: Vec::new() }
    }
}

/// Why the test processor does not run.
#[derive(Debug, thiserror::Error)]
pub enum EchoError {
    /// The address cannot be bound.
    #[error("the echo processor cannot listen on {listen}: {source}")]
    Bind {
        /// The address to listen on.
        listen: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct EchoStats {
    /// Connections to a namespace.
    pub connections: u64,
    /// Number of `fragment:data` messages received, repeated transmissions included.
    pub received: u64,
    /// Bytes of their audio.
    pub bytes: u64,
    /// Number of `fragment:processed` messages sent, duplicates included.
    pub answered: u64,
    /// Fragments to which a rule applied.
    pub faulty: u64,
    /// Fragments that could not be handled (ffmpeg failed, no binary data) and were answered with `fragment:error`.
    pub errors: u64,
}

#[derive(Debug, Default)]
struct Counters {
    connections: AtomicU64,
    received: AtomicU64,
    bytes: AtomicU64,
    answered: AtomicU64,
    faulty: AtomicU64,
    errors: AtomicU64,
}

/// State shared by all connections.
#[derive(Debug)]
struct Shared {
    config: EchoConfig,
    counters: Counters,
    visits: Visits,
    cancel: CancellationToken,
}

/// A running test processor. Dropping it stops it; [`Echo::shutdown`] also waits until it has stopped.
#[derive(Debug)]
pub struct Echo {
    addr: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Echo {
    /// Binds the address and starts to serve.
    pub async fn start(config: EchoConfig) -> Result<Self, EchoError> {
        let bind = |source| EchoError::Bind { listen: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let shared = Arc::new(Shared {
            config,
            counters: Counters::default(),
            visits: Visits::default(),
            cancel: CancellationToken::new(),
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { addr, shared, server })
    }

    /// The address on which it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL for a pipeline's settings.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Reads the counts since the start.
    pub fn stats(&self) -> EchoStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        EchoStats {
            connections: read(&counters.connections),
            received: read(&counters.received),
            bytes: read(&counters.bytes),
            answered: read(&counters.answered),
            faulty: read(&counters.faulty),
            errors: read(&counters.errors),
        }
    }

    /// Closes all connections and waits until the address is free.
    pub async fn shutdown(mut self) {
        self.shared.cancel.cancel();
        if let Err(error) = (&mut self.server).await {
            tracing::error!(%error, "the echo processor's task failed");
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.shared.cancel.cancel();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let frame = usize::try_from(shared.config.max_payload).unwrap_or(usize::MAX);
    let parser = ParserConfig::common()
        .max_incoming_binaries(EXCHANGE_ATTACHMENTS_MAX)
        .max_incoming_binary_buf_size(frame.saturating_mul(2));
    let (layer, io) = SocketIo::builder()
        .max_payload(shared.config.max_payload)
        .ws_max_message_size(frame)
        .ws_max_frame_size(frame)
        .with_parser(parser)
        .build_layer();
    let connect = {
        let shared = Arc::clone(&shared);
        async move |socket: SocketRef| {
            shared.counters.connections.fetch_add(1, Ordering::Relaxed);
            let session = Arc::new(Session::new(Arc::clone(&shared)));
            socket.on("fragment:data", async move |socket: SocketRef, TryData(data): TryData<Incoming>| {
                session.fragment(&socket, data.map_err(|error| error.to_string())).await;
            });
        }
    };
    io.ns("/", connect.clone());
    // Accepts any namespace with one path segment; the pattern is constant, so this cannot fail.
    let _ = io.dyn_ns("/{namespace}", connect);

    let cancel = shared.cancel.clone();
    let stop = {
        let (io, cancel) = (io.clone(), cancel.clone());
        async move {
            cancel.cancelled().await;
            io.close().await;
        }
    };
    let serving = axum::serve(listener, axum::Router::new().layer(layer)).with_graceful_shutdown(stop);
    let deadline = async {
        cancel.cancelled().await;
        tokio::time::sleep(ECHO_CLOSE_TIMEOUT).await;
    };
    tokio::select! {
        result = serving => {
            if let Err(error) = result {
                tracing::error!(%error, "the echo processor stopped");
            }
        }
        () = deadline => tracing::debug!("the echo processor's connections did not close in time"),
    }
}

impl Shared {
    fn delay(&self) -> Duration {
        Duration::from_millis(self.config.delay_ms)
    }
}

#[cfg(test)]
mod tests;
