//! The task of an exchange: keeps one connection alive for as long as the pipeline runs, and does what the [`Ledger`]
//! decides. Everything it waits for wakes it; it never polls.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::backoff::Backoff;
use super::framer::{self, Event, Framer, Message, Processed};
use super::ledger::{Key, Ledger, Wanted};
use super::reply::{Absence, Audio, Outgoing, Reply, Returned};
use super::socketio::{Closed, Connection, EmitError, Endpoint, Incoming};
use super::status::ExchangeStatus;
use super::text::shortened;
use crate::limits::{
    EXCHANGE_AUDIO_MAX_BYTES, EXCHANGE_EVENTS_MAX, EXCHANGE_METADATA_MAX_BYTES, EXCHANGE_TEXT_MAX_BYTES, SLOW_DOWN_MAX,
};
use crate::media::probe::{self, Probe};

/// A fragment and whoever waits for its reply.
pub struct Submission {
    pub outgoing: Outgoing,
    pub reply: oneshot::Sender<Reply>,
}

/// All that the task owns.
pub struct Driver {
    pub endpoint: Endpoint,
    pub stream_id: String,
    pub framer: Box<dyn Framer>,
    pub ledger: Ledger,
    pub ready_timeout: Duration,
    pub submissions: mpsc::Receiver<Submission>,
    /// A `Pending` was dropped.
    pub abandoned: Arc<Notify>,
    pub status: watch::Sender<ExchangeStatus>,
    pub cancel: CancellationToken,
    /// Replies that are being looked at: bounded by the fragments that are held.
    pub probes: JoinSet<Probed>,
}

/// A reply that was looked at.
pub struct Probed {
    wanted: Wanted,
    audio: Bytes,
    metadata: Value,
    result: Result<Probe, String>,
}

/// What wakes the driver besides the connection.
enum Tick {
    Cancelled,
    Submitted(Submission),
    Probed(Probed),
    /// Something is abandoned or due.
    Sweep,
}

/// How a connection's life ended.
enum End {
    Cancelled,
    Lost(String),
}

/// What a connection's life has besides the connection.
struct Session {
    connection: Connection,
    ready: bool,
    paused: bool,
    /// No fragment before this.
    not_before: Option<Instant>,
    ready_by: Instant,
}

// === impl Driver ===

impl Driver {
    /// Runs until cancelled; then everybody who waits has an answer.
    pub async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut attempt = 0;
        loop {
            let endpoint = self.endpoint.clone();
            let problem = match self.while_waiting(async move { Connection::connect(&endpoint).await }).await {
                None => break,
                Some(Ok(connection)) => {
                    let since = Instant::now();
                    let end = self.session(connection, attempt).await;
                    attempt += 1;
                    backoff.lived(since.elapsed());
                    match end {
                        End::Cancelled => break,
                        End::Lost(reason) => reason,
                    }
                }
                Some(Err(error)) => {
                    self.ledger.counters.connect_failures += 1;
                    error.to_string()
                }
            };
            let wait = backoff.next(rand::random());
            warn!(stream = %self.stream_id, server = %self.endpoint.server(), problem, ?wait, "no connection to the processor");
            self.publish(|status| status.problem = Some(problem));
            if self.while_waiting(tokio::time::sleep(wait)).await.is_none() {
                break;
            }
        }
        self.ledger.clear(Instant::now());
        while self.probes.join_next().await.is_some() {}
        self.publish(|_| {});
    }

    /// Waits for something else than a connection, with the fragments kept in order meanwhile. `None`: cancelled.
    async fn while_waiting<T>(&mut self, other: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(other);
        loop {
            let tick = tokio::select! {
                done = &mut other => return Some(done),
                tick = self.tick(None) => tick,
            };
            if self.on_tick(tick) {
                return None;
            }
        }
    }

    /// One connection from its greeting to its end.
    async fn session(&mut self, connection: Connection, attempt: u64) -> End {
        self.ledger.counters.connects += 1;
        let max_payload = connection.max_payload();
        info!(stream = %self.stream_id, server = %self.endpoint.server(), max_payload, "connected to the processor");
        let ready_by = Instant::now() + self.ready_timeout;
        let mut session = Session { connection, ready: false, paused: false, not_before: None, ready_by };
        self.publish(|status| {
            (status.connected, status.since, status.max_payload) = (true, SystemTime::now(), max_payload);
            status.problem = None;
        });
        let end = match self.greet(&mut session, attempt).await {
            Ok(()) => self.serve(&mut session).await,
            Err(reason) => End::Lost(reason),
        };
        self.ledger.connection_lost(Instant::now());
        let reason = match &end {
            End::Cancelled => "the pipeline stops".to_owned(),
            End::Lost(reason) => {
                self.ledger.counters.disconnects += 1;
                reason.clone()
            }
        };
        session.connection.close().await;
        if let Err(error) = self.framer.on_disconnect(reason).await {
            warn!(stream = %self.stream_id, %error, "on-disconnect failed");
        }
        self.publish(|status| {
            (status.connected, status.since) = (false, SystemTime::now());
            (status.ready, status.paused) = (false, false);
        });
        end
    }

    async fn greet(&mut self, session: &mut Session, attempt: u64) -> Result<(), String> {
        let connection = framer::Connection {
            stream_id: self.stream_id.clone(),
            attempt,
            max_payload_bytes: session.connection.max_payload(),
            now_ms: unix_ms(),
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
            if let Err(closed) = self.send_what_may_go(session).await {
                return End::Lost(closed.to_string());
            }
            let (ready, paused) = (session.ready && !session.paused, session.paused);
            self.publish(|status| (status.ready, status.paused) = (ready, paused));
            let due = session.due();
            tokio::select! {
                incoming = session.connection.next() => match incoming {
                    Incoming::Message(message) => {
                        if let Err(closed) = self.on_message(session, message).await {
                            return End::Lost(closed.to_string());
                        }
                    }
                    Incoming::Closed(closed) => return End::Lost(closed.to_string()),
                },
                tick = self.tick(due) => {
                    if self.on_tick(tick) {
                        return End::Cancelled;
                    }
                }
            }
            if !session.ready && session.ready_by <= Instant::now() {
                return End::Lost(format!("the processor was not ready within {:?}", self.ready_timeout));
            }
        }
    }

    /// Waits for whatever concerns the fragments. Cancel safe.
    async fn tick(&mut self, due: Option<Instant>) -> Tick {
        let due = [due, self.ledger.next_due(Instant::now())].into_iter().flatten().min();
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Tick::Cancelled,
            Some(submission) = self.submissions.recv() => Tick::Submitted(submission),
            Some(Ok(probed)) = self.probes.join_next() => Tick::Probed(probed),
            () = self.abandoned.notified() => Tick::Sweep,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Tick::Sweep,
            else => Tick::Cancelled,
        }
    }

    /// True: the end.
    fn on_tick(&mut self, tick: Tick) -> bool {
        let now = Instant::now();
        match tick {
            Tick::Cancelled => return true,
            Tick::Submitted(submission) => self.ledger.submit(submission.outgoing, submission.reply, now),
            Tick::Probed(probed) => self.on_probed(probed, now),
            Tick::Sweep => {}
        }
        self.ledger.sweep(now);
        self.publish(|_| {});
        false
    }

    fn on_probed(&mut self, probed: Probed, now: Instant) {
        let Probed { wanted: Wanted { key, round_trip, attempts }, audio, metadata, result } = probed;
        let reply = match result {
            Ok(probe) => Reply::Returned(Returned { audio, probe, metadata, round_trip, attempts }),
            Err(reason) => {
                warn!(stream = %self.stream_id, reason, "a reply cannot be used");
                Reply::Absent(Absence::Invalid(reason))
            }
        };
        self.ledger.finish(key, reply, now);
    }

    // --- out ---

    /// Sends as many fragments as may go now. An error ends the connection.
    async fn send_what_may_go(&mut self, session: &mut Session) -> Result<(), Closed> {
        loop {
            let now = Instant::now();
            if !session.may_send(now) {
                return Ok(());
            }
            let Some(key) = self.ledger.next_to_send(now) else { return Ok(()) };
            if let Err(absence) = self.send(session, key).await? {
                warn!(stream = %self.stream_id, %absence, "a fragment was not sent");
                self.ledger.refuse(key, absence, Instant::now());
            }
        }
    }

    async fn send(&mut self, session: &mut Session, key: Key) -> Result<Result<(), Absence>, Closed> {
        let Some((outgoing, attempt)) = self.ledger.outgoing(key) else { return Ok(Ok(())) };
        let mut fragment = outgoing.fragment.clone();
        let audio = match read(&outgoing.audio).await {
            Ok(audio) => audio,
            Err(absence) => return Ok(Err(absence)),
        };
        (fragment.now_ms, fragment.attempt) = (unix_ms(), attempt);
        let batch = fragment.batch;
        let messages = match self.framer.encode(fragment, audio).await {
            Ok(messages) if messages.is_empty() => {
                return Ok(Err(Absence::Failed("the framing stage made no message of the fragment".to_owned())));
            }
            Ok(messages) => messages,
            Err(error) => return Ok(Err(Absence::Failed(error.to_string()))),
        };
        match session.connection.emit(messages) {
            Ok((bytes, receipt)) => {
                debug!(stream = %self.stream_id, batch, attempt, bytes, "fragment sent");
                self.ledger.sent(key, bytes, receipt, Instant::now());
                Ok(Ok(()))
            }
            Err(error @ EmitError::TooLarge { .. }) => Ok(Err(Absence::TooLarge(error.to_string()))),
            Err(error @ EmitError::Invalid(_)) => Ok(Err(Absence::Failed(format!("the framing stage: {error}")))),
            Err(EmitError::Closed(closed)) => Err(closed),
        }
    }

    // --- in ---

    async fn on_message(&mut self, session: &mut Session, message: Message) -> Result<(), Closed> {
        let name = shortened(message.event.clone(), EXCHANGE_TEXT_MAX_BYTES);
        let events = match self.framer.decode(message, unix_ms()).await {
            Ok(events) => events,
            Err(error) => {
                self.ledger.counters.invalid += 1;
                warn!(stream = %self.stream_id, event = name, %error, "a message makes no sense");
                return Ok(());
            }
        };
        if events.len() > EXCHANGE_EVENTS_MAX {
            warn!(stream = %self.stream_id, event = name, events = events.len(), "too many events in one message");
        }
        for event in events.into_iter().take(EXCHANGE_EVENTS_MAX) {
            self.on_event(session, event)?;
        }
        Ok(())
    }

    fn on_event(&mut self, session: &mut Session, event: Event) -> Result<(), Closed> {
        let now = Instant::now();
        match event {
            Event::Ready => session.ready = true,
            Event::Acknowledged(reference) => self.ledger.acknowledged(&reference),
            Event::Processed(processed) => self.on_processed(processed, now),
            Event::Failed(failure) => {
                let reason = shortened(failure.reason, EXCHANGE_TEXT_MAX_BYTES);
                warn!(stream = %self.stream_id, fragment = ?failure.fragment, retryable = failure.retryable, reason,
                    "the processor failed");
                self.ledger.failed(failure.fragment.as_ref(), &reason, failure.retryable, now);
                if failure.fragment.is_none() {
                    self.publish(|status| status.problem = Some(reason));
                }
            }
            Event::Pause => session.paused = true,
            Event::Resume => (session.paused, session.not_before) = (false, None),
            Event::SlowDown(ms) => {
                session.not_before = Some(now + Duration::from_millis(ms.into()).min(SLOW_DOWN_MAX));
            }
            Event::Reply(message) => match session.connection.emit(vec![message]) {
                Ok(_) => {}
                Err(EmitError::Closed(closed)) => return Err(closed),
                Err(error) => warn!(stream = %self.stream_id, %error, "the framing stage's reply was not sent"),
            },
            Event::Note(note) => {
                let text = shortened(note.text, EXCHANGE_TEXT_MAX_BYTES);
                match note.level {
                    framer::Level::Debug => debug!(stream = %self.stream_id, "{text}"),
                    framer::Level::Info => info!(stream = %self.stream_id, "{text}"),
                    framer::Level::Warn => warn!(stream = %self.stream_id, "{text}"),
                }
            }
        }
        Ok(())
    }

    fn on_processed(&mut self, processed: Processed, now: Instant) {
        let Some(wanted) = self.ledger.processed(&processed.fragment, now) else {
            debug!(stream = %self.stream_id, fragment = ?processed.fragment, "a reply that nobody waits for");
            return;
        };
        let metadata = self.metadata(&processed.metadata);
        let audio = processed.audio;
        self.probes.spawn_blocking(move || {
            let result = probe::probe(&audio).map_err(|error| error.to_string());
            Probed { wanted, audio, metadata, result }
        });
    }

    fn metadata(&self, json: &str) -> Value {
        if json.len() > EXCHANGE_METADATA_MAX_BYTES {
            let bytes = json.len();
            warn!(stream = %self.stream_id, bytes, limit = EXCHANGE_METADATA_MAX_BYTES, "a reply's metadata is left out");
            return Value::Null;
        }
        match serde_json::from_str(json) {
            Ok(Value::Object(object)) => Value::Object(object),
            _ => Value::Null,
        }
    }

    fn publish(&self, change: impl FnOnce(&mut ExchangeStatus)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            status.in_flight = self.ledger.in_flight();
            status.queued = self.ledger.queued();
            status.breaker = self.ledger.breaker().state();
            status.counters = self.ledger.counters;
            *status != before
        });
    }
}

// === impl Session ===

impl Session {
    /// May a fragment go? Forgets a wait that is over, so that nothing wakes for it again.
    fn may_send(&mut self, now: Instant) -> bool {
        self.not_before = self.not_before.filter(|&at| at > now);
        self.ready && !self.paused && self.not_before.is_none()
    }

    /// When something changes by time alone.
    fn due(&self) -> Option<Instant> {
        if self.ready { self.not_before } else { Some(self.ready_by) }
    }
}

/// The fragment's bytes. The error names the file without its folders.
async fn read(audio: &Audio) -> Result<Bytes, Absence> {
    let path = match audio {
        Audio::Bytes(bytes) => return Ok(bytes.clone()),
        Audio::File(path) => path,
    };
    let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| Absence::Failed(format!("{} cannot be read: {error}", name()));
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if size > EXCHANGE_AUDIO_MAX_BYTES {
        return Err(Absence::TooLarge(format!("{size} bytes, at most {EXCHANGE_AUDIO_MAX_BYTES} are sent")));
    }
    Ok(tokio::fs::read(path).await.map_err(failed)?.into())
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
