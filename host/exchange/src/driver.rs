//! The task of an exchange: keeps one connection open as long as the pipeline runs, and executes what the [`FragmentTable`]
//! decides. It is woken by every event that it waits for and never polls.

mod session;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::config::ExchangeConfig;
use super::fragment_table::{self, FragmentTable};
use super::heard::Heard;
use super::message_framer::{self, AudioFormat, MessageFramer};
use super::readers::Readers;
use super::reply::{Absence, Outgoing, Reply, Returned, Waiting};
use super::socketio::{Connection, Endpoint, Incoming};
use super::status::ExchangeStatus;
use crate::limits::{PROCESSOR_HANDOVER_WAIT, PROCESSOR_RECONNECT};
use outboard_base::backoff::Backoff;
use outboard_base::unix_time;
use outboard_media::probe::Probe;
use session::{Next, Session};

/// A fragment and the recipient of its reply.
pub struct Submission {
    pub outgoing: Outgoing,
    pub reply: Waiting,
}

/// The processor to connect to, and its settings.
#[derive(Debug, Clone)]
pub struct WantedProcessor {
    pub endpoint: Endpoint,
    pub config: ExchangeConfig,
}

/// The state of the task.
pub struct Driver {
    pub endpoint: Endpoint,
    /// The configuration in use.
    pub config: ExchangeConfig,
    /// The requested processor, or new settings of the current one.
    pub wanted: watch::Receiver<WantedProcessor>,
    pub stream_id: String,
    pub framer: Box<dyn MessageFramer>,
    /// The audio format that fragments must have.
    pub audio_formats: watch::Sender<AudioFormat>,
    pub fragments: FragmentTable,
    pub ready_timeout: Duration,
    pub submissions: mpsc::Receiver<Submission>,
    /// Notified when a `Pending` was dropped, or another version of the stage took over.
    pub abandoned: Arc<Notify>,
    pub status: watch::Sender<ExchangeStatus>,
    pub cancel: CancellationToken,
    /// Messages that answered no fragment.
    pub(super) heard: Heard,
    /// Replies that are being probed; bounded by the number of fragments.
    pub probes: JoinSet<Probed>,
    /// The threads that probe replies.
    pub readers: Readers,
}

/// A reply after probing.
pub struct Probed {
    wanted: fragment_table::WantedReply,
    audio: Bytes,
    metadata: Value,
    result: Result<Probe, String>,
}

/// What wakes the driver besides the connection.
enum Tick {
    Cancelled,
    Submitted(Submission),
    Probed(Probed),
    /// Another processor is requested, or other settings of the current one.
    Wanted,
    /// A fragment was abandoned or is due.
    Sweep,
}

/// How to continue after a tick.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Cancelled,
    /// The settings name another processor.
    Moved,
}

/// Why a wait ended.
enum Waited<T> {
    Done(T),
    Cancelled,
    Moved,
}

/// How a connection ended.
enum End {
    Cancelled,
    Lost(String),
    /// Another processor is requested; contains the connection to it, if it was made.
    Moved(Option<Connection>),
}

// === impl Driver ===

impl Driver {
    /// Runs until cancelled; then every waiting caller gets an answer.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(PROCESSOR_RECONNECT);
        let (mut attempt, mut made) = (0, None);
        loop {
            let (endpoint, ready) = (self.endpoint.clone(), made.take());
            let connecting = async move {
                match ready {
                    Some(connection) => Ok(connection),
                    None => Connection::connect(&endpoint).await,
                }
            };
            let problem = match self.while_waiting(connecting).await {
                Waited::Cancelled => break,
                Waited::Moved => continue,
                Waited::Done(Ok(connection)) => {
                    let since = Instant::now();
                    let end = self.session(connection, attempt).await;
                    attempt += 1;
                    backoff.lived(since.elapsed());
                    match end {
                        End::Cancelled => break,
                        End::Moved(connection) => {
                            backoff.reset();
                            made = connection;
                            continue;
                        }
                        End::Lost(reason) => reason,
                    }
                }
                Waited::Done(Err(error)) => {
                    self.fragments.counters.connect_failures += 1;
                    error.to_string()
                }
            };
            let wait = backoff.failed();
            warn!(stream = %self.stream_id, server = %self.endpoint.server(), problem, ?wait, "no connection to the processor");
            self.publish(|status| status.problem = Some(problem));
            match self.while_waiting(tokio::time::sleep(wait)).await {
                Waited::Cancelled => break,
                Waited::Moved => backoff.reset(),
                Waited::Done(()) => {}
            }
        }
        self.fragments.clear(Instant::now());
        self.probes.shutdown().await;
        self.publish(|_| {});
    }

    /// Waits for `other` while it keeps the fragments in order.
    async fn while_waiting<T>(&mut self, other: impl Future<Output = T>) -> Waited<T> {
        tokio::pin!(other);
        loop {
            let tick = tokio::select! {
                done = &mut other => return Waited::Done(done),
                tick = self.tick(None) => tick,
            };
            match self.on_tick(tick) {
                Flow::On => {}
                Flow::Cancelled => return Waited::Cancelled,
                Flow::Moved => {
                    self.moved();
                    return Waited::Moved;
                }
            }
        }
    }

    /// One connection from its greeting to its end.
    async fn session(&mut self, connection: Connection, attempt: u64) -> End {
        self.fragments.counters.connects += 1;
        let max_payload = connection.max_payload();
        info!(stream = %self.stream_id, server = %self.endpoint.server(), max_payload, "connected to the processor");
        let ready_by = Instant::now() + self.ready_timeout;
        let mut session =
            Session { connection, attempt, ready: false, paused: false, not_before: None, ready_by, next: Next::None };
        // The current version of the stage will greet anyway.
        self.refresh().await;
        self.publish(|status| {
            (status.connected, status.since, status.max_payload) = (true, SystemTime::now(), max_payload);
            status.problem = None;
        });
        let end = match self.greet(&mut session).await {
            Ok(()) => self.serve(&mut session).await,
            Err(reason) => End::Lost(reason),
        };
        let stays_connected = matches!(end, End::Moved(Some(_)));
        match end {
            End::Moved(_) => self.moved(),
            _ => self.fragments.connection_lost(Instant::now()),
        }
        let reason = match &end {
            End::Cancelled => "the pipeline stops".to_owned(),
            End::Moved(_) => "another processor is configured".to_owned(),
            End::Lost(reason) => {
                self.fragments.counters.disconnects += 1;
                reason.clone()
            }
        };
        session.connection.close().await;
        if let Err(error) = self.framer.on_disconnect(reason).await {
            warn!(stream = %self.stream_id, %error, "on-disconnect failed");
        }
        self.publish(|status| {
            if !stays_connected {
                (status.connected, status.since) = (false, SystemTime::now());
            }
            (status.ready, status.paused) = (false, false);
        });
        end
    }

    /// Returns true if another version took over and must greet on the open connection.
    async fn refresh(&mut self) -> bool {
        let Ok(Some(refresh)) = self.framer.refresh().await else { return false };
        self.audio_formats
            .send_if_modified(|format| std::mem::replace(format, refresh.audio_format) != refresh.audio_format);
        refresh.greeting_due
    }

    async fn greet(&mut self, session: &mut Session) -> Result<(), String> {
        let connection = message_framer::Connection {
            stream_id: self.stream_id.clone(),
            attempt: session.attempt,
            max_payload_bytes: session.connection.max_payload(),
            now_ms: unix_time::now_ms(),
        };
        let greeting = self.framer.on_connect(connection).await.map_err(|error| error.to_string())?;
        if !greeting.messages.is_empty() {
            session.connection.emit(greeting.messages).map_err(|error| format!("the greeting: {error}"))?;
        }
        session.ready = greeting.ready;
        Ok(())
    }

    async fn serve(&mut self, session: &mut Session) -> End {
        loop {
            if self.refresh().await {
                (session.paused, session.not_before) = (false, None);
                session.ready_by = Instant::now() + self.ready_timeout;
                if let Err(reason) = self.greet(session).await {
                    return End::Lost(reason);
                }
            }
            if let Err(closed) = self.send_what_may_go(session).await {
                return End::Lost(closed.to_string());
            }
            let (ready, paused) = (session.ready && !session.paused, session.paused);
            self.publish(|status| (status.ready, status.paused) = (ready, paused));
            if session.next.is_due(self.fragments.in_flight()) {
                return End::Moved(session.next.take());
            }
            let due = session.due();
            tokio::select! {
                incoming = session.connection.next() => match incoming {
                    Incoming::Message(message) => {
                        if let Err(closed) = self.on_message(session, message).await {
                            return End::Lost(closed.to_string());
                        }
                    }
                    Incoming::Ack { id, arguments } => self.on_ack(id, arguments),
                    Incoming::Closed(closed) => return End::Lost(closed.to_string()),
                },
                connected = session.next.connected() => match connected {
                    Ok(connection) => session.next = Next::Made(connection, Instant::now() + PROCESSOR_HANDOVER_WAIT),
                    // It is retried like every connection, with the error in the log.
                    Err(_) => return End::Moved(None),
                },
                tick = self.tick(due) => match self.on_tick(tick) {
                    Flow::On => {}
                    Flow::Cancelled => return End::Cancelled,
                    Flow::Moved => {
                        let endpoint = self.wanted.borrow().endpoint.clone();
                        session.next = Next::Making(Box::pin(async move { Connection::connect(&endpoint).await }));
                    }
                },
            }
            if !session.ready && session.ready_by <= Instant::now() {
                return End::Lost(format!("the processor was not ready within {:?}", self.ready_timeout));
            }
        }
    }

    /// Waits for anything that concerns the fragments. Cancel safe.
    async fn tick(&mut self, due: Option<Instant>) -> Tick {
        let due = [due, self.fragments.next_due(Instant::now())].into_iter().flatten().min();
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Tick::Cancelled,
            Ok(()) = self.wanted.changed() => Tick::Wanted,
            Some(submission) = self.submissions.recv() => Tick::Submitted(submission),
            Some(Ok(probed)) = self.probes.join_next() => Tick::Probed(probed),
            () = self.abandoned.notified() => Tick::Sweep,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Tick::Sweep,
            else => Tick::Cancelled,
        }
    }

    fn on_tick(&mut self, tick: Tick) -> Flow {
        let now = Instant::now();
        match tick {
            Tick::Cancelled => return Flow::Cancelled,
            Tick::Wanted => {
                let wanted = self.wanted.borrow_and_update().clone();
                let in_flight = wanted.config.in_flight;
                self.fragments.set_in_flight(in_flight);
                let before = std::mem::replace(&mut self.config, wanted.config);
                if self.config != (ExchangeConfig { in_flight, ..before }) {
                    return Flow::Moved;
                }
            }
            Tick::Submitted(submission) => self.fragments.submit(submission.outgoing, submission.reply, now),
            Tick::Probed(probed) => self.on_probed(probed, now),
            Tick::Sweep => {}
        }
        self.fragments.sweep(now);
        self.publish(|_| {});
        Flow::On
    }

    /// Moves to the requested processor: it gets the previous one's fragments, but not its count of failures.
    fn moved(&mut self) {
        let WantedProcessor { endpoint, config } = self.wanted.borrow_and_update().clone();
        info!(stream = %self.stream_id, server = %endpoint.server(), "another processor is configured");
        (self.endpoint, self.ready_timeout) = (endpoint, config.ready_timeout);
        self.fragments.moved(&config);
    }

    fn on_probed(&mut self, probed: Probed, now: Instant) {
        let Probed { wanted: fragment_table::WantedReply { key, round_trip, attempts }, audio, metadata, result } =
            probed;
        let reply = match result {
            Ok(probe) => {
                let answered = Instant::now();
                Reply::Returned(Returned { audio, probe, metadata, round_trip, attempts, answered })
            }
            Err(reason) => {
                warn!(stream = %self.stream_id, reason, "a reply cannot be used");
                Reply::Absent(Absence::Invalid(reason))
            }
        };
        self.fragments.finish(key, reply, now);
    }

    fn publish(&self, change: impl FnOnce(&mut ExchangeStatus)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            status.in_flight = self.fragments.in_flight();
            status.queued = self.fragments.queued();
            status.breaker = self.fragments.breaker().state();
            status.counters = self.fragments.counters;
            *status != before
        });
    }
}

#[cfg(test)]
mod tests;
