//! The traffic of an open connection: fragments out, messages in.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, debug, info, warn};

use super::{Driver, Probed};
use crate::fragment_table::Key;
use crate::limits::{
    EXCHANGE_AUDIO_MAX_BYTES, EXCHANGE_EVENTS_MAX, EXCHANGE_HEARD_ARGUMENTS_BYTES, EXCHANGE_METADATA_MAX_BYTES,
    EXCHANGE_TEXT_MAX_BYTES, SLOW_DOWN_MAX,
};
use crate::message_framer::{Event, Level, Message, Processed, Reference};
use crate::readers::Readers;
use crate::reply::{Absence, Audio};
use crate::socketio::{Closed, ConnectError, Connection, EmitError};
use outboard_base::text::{one_line, shortened};
use outboard_base::unix_time;
use outboard_media::limits::PROBE_WAIT_MAX;
use outboard_media::probe::{self, Probe};

/// The state of a connection, besides the connection itself.
pub struct Session {
    pub connection: Connection,
    /// Number of earlier connections.
    pub attempt: u64,
    pub ready: bool,
    pub paused: bool,
    /// No fragment is sent before this.
    pub not_before: Option<Instant>,
    pub ready_by: Instant,
    /// The processor that takes over.
    pub next: Next,
}

/// The connection to the processor that takes over.
pub enum Next {
    None,
    Making(BoxFuture<'static, Result<Connection, ConnectError>>),
    /// It is connected; until this time the previous one may still answer.
    Made(Connection, Instant),
}

impl Next {
    /// Waits for the connection; without end if none is being made. Cancel safe.
    pub(super) async fn connected(&mut self) -> Result<Connection, ConnectError> {
        match self {
            Self::Making(connecting) => connecting.await,
            Self::None | Self::Made(..) => std::future::pending().await,
        }
    }

    /// Whether it is connected, and the previous one has answered everything or its time is over.
    pub(super) fn is_due(&self, in_flight: usize) -> bool {
        matches!(self, Self::Made(_, until) if in_flight == 0 || *until <= Instant::now())
    }

    /// Takes the connection, if it is made.
    pub(super) fn take(&mut self) -> Option<Connection> {
        match std::mem::replace(self, Self::None) {
            Self::Made(connection, _) => Some(connection),
            Self::None | Self::Making(_) => None,
        }
    }
}

impl Session {
    /// Whether a fragment may be sent. Clears a delay that is over, so that it wakes nobody again.
    pub(super) fn may_send(&mut self, now: Instant) -> bool {
        self.not_before = self.not_before.filter(|&at| at > now);
        self.ready && !self.paused && self.not_before.is_none() && !matches!(self.next, Next::Made(..))
    }

    /// When the state changes by time alone.
    pub(super) fn due(&self) -> Option<Instant> {
        let by_itself = if self.ready { self.not_before } else { Some(self.ready_by) };
        let handover = match &self.next {
            Next::Made(_, until) => Some(*until),
            Next::None | Next::Making(_) => None,
        };
        [by_itself, handover].into_iter().flatten().min()
    }
}

impl Driver {
    // --- out ---

    /// Sends as many fragments as allowed now. An error ends the connection.
    pub(super) async fn send_what_may_go(&mut self, session: &mut Session) -> Result<(), Closed> {
        loop {
            let now = Instant::now();
            if !session.may_send(now) {
                return Ok(());
            }
            let Some(key) = self.fragments.next_to_send(now) else { return Ok(()) };
            if let Err(absence) = self.send(session, key).await? {
                warn!(stream = %self.stream_id, %absence, "a fragment was not sent");
                self.fragments.refuse(key, absence, Instant::now());
            }
        }
    }

    async fn send(&mut self, session: &mut Session, key: Key) -> Result<Result<(), Absence>, Closed> {
        let Some((outgoing, attempt)) = self.fragments.outgoing(key) else { return Ok(Ok(())) };
        if outgoing.format != *self.audio_formats.borrow() {
            let reason = "its audio was made for another version of the framing stage".to_owned();
            return Ok(Err(Absence::Failed(reason)));
        }
        let mut fragment = outgoing.fragment.clone();
        let audio = match read(&outgoing.audio).await {
            Ok(audio) => audio,
            Err(absence) => return Ok(Err(absence)),
        };
        (fragment.now_ms, fragment.attempt) = (unix_time::now_ms(), attempt);
        let batch = fragment.batch;
        let messages = match self.framer.encode(fragment, audio).await {
            Ok(messages) if messages.is_empty() => {
                return Ok(Err(Absence::Failed("the framing stage returned no message for the fragment".to_owned())));
            }
            Ok(messages) => messages,
            Err(error) => return Ok(Err(Absence::Failed(error.to_string()))),
        };
        match session.connection.emit_asking(messages, key) {
            Ok((bytes, receipt)) => {
                debug!(stream = %self.stream_id, batch, attempt, bytes, "fragment sent");
                self.fragments.sent(key, bytes, receipt, Instant::now());
                Ok(Ok(()))
            }
            Err(error @ EmitError::TooLarge { .. }) => Ok(Err(Absence::TooLarge(error.to_string()))),
            Err(error @ EmitError::Invalid(_)) => Ok(Err(Absence::Failed(format!("the framing stage: {error}")))),
            Err(EmitError::Closed(closed)) => Err(closed),
        }
    }

    // --- in ---

    pub(super) async fn on_message(&mut self, session: &mut Session, message: Message) -> Result<(), Closed> {
        let name = shortened(message.event.clone(), EXCHANGE_TEXT_MAX_BYTES);
        let arguments = start_of(&message.arguments);
        let events = match self.framer.decode(message, unix_time::now_ms()).await {
            Ok(events) => events,
            Err(error) => {
                self.fragments.counters.invalid += 1;
                warn!(stream = %self.stream_id, event = name, %error, "invalid message from the processor");
                self.hear(None, &format!("the processor's `{name}` {arguments} is invalid: {error}"));
                return Ok(());
            }
        };
        if events.is_empty() {
            debug!(stream = %self.stream_id, event = name, arguments, "event unknown to the framing stage");
            self.hear(
                None,
                &format!("the processor emitted `{name}` {arguments}, which the framing stage does not know"),
            );
        }
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
            Event::Acknowledged(reference) => self.fragments.acknowledged(&reference),
            Event::Processed(processed) => self.on_processed(processed, now),
            Event::Failed(failure) => {
                let reason = shortened(failure.reason, EXCHANGE_TEXT_MAX_BYTES);
                warn!(stream = %self.stream_id, fragment = ?failure.fragment, retryable = failure.retryable, reason,
                    "the processor failed");
                self.fragments.failed(failure.fragment.as_ref(), &reason, failure.retryable, now);
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
                    Level::Debug => debug!(stream = %self.stream_id, "{text}"),
                    Level::Info => info!(stream = %self.stream_id, "{text}"),
                    Level::Warn => {
                        warn!(stream = %self.stream_id, "{text}");
                        self.hear(None, &text);
                    }
                }
            }
        }
        Ok(())
    }

    /// Called for a Socket.IO ack of a fragment. An ack is not a reply: only the framing stage recognises replies, and
    /// it decodes events only.
    pub(super) fn on_ack(&self, id: u64, arguments: usize) {
        let Some((outgoing, _)) = self.fragments.outgoing(id) else { return };
        let text = match arguments {
            0 => "the processor sent a Socket.IO ack without arguments, and no event".to_owned(),
            _ => format!(
                "the processor answered by a Socket.IO ack ({arguments} arguments); a reply must be an event, such as \
                 fragment:processed of dialect fragment"
            ),
        };
        debug!(stream = %self.stream_id, batch = outgoing.fragment.batch, arguments, "a fragment was acked");
        self.hear(Some(&outgoing.fragment.id), &text);
    }

    fn hear(&self, fragment: Option<&str>, text: &str) {
        self.heard.note(fragment, text, Instant::now());
    }

    fn on_processed(&mut self, processed: Processed, now: Instant) {
        let unknown = self.fragments.counters.unknown;
        let Some(wanted) = self.fragments.processed(&processed.fragment, now) else {
            if self.fragments.counters.unknown > unknown {
                let named = match &processed.fragment {
                    Reference::Id(id) => {
                        format!("with the id {:?}", shortened(id.clone(), EXCHANGE_HEARD_ARGUMENTS_BYTES))
                    }
                    Reference::Batch(number) => format!("of batch {number}"),
                };
                self.hear(None, &format!("the processor replied to a fragment {named}, which was never sent"));
            }
            debug!(stream = %self.stream_id, fragment = ?processed.fragment, "reply to a fragment that is not in flight");
            return;
        };
        let metadata = self.metadata(&processed.metadata);
        let audio = processed.audio;
        let readers = self.readers.clone();
        let reading = async move {
            let result = read_reply(&readers, audio.clone()).await;
            Probed { wanted, audio, metadata, result }
        };
        self.probes.spawn(reading.in_current_span());
    }

    fn metadata(&self, json: &str) -> Value {
        if json.len() > EXCHANGE_METADATA_MAX_BYTES {
            let bytes = json.len();
            warn!(stream = %self.stream_id, bytes, limit = EXCHANGE_METADATA_MAX_BYTES, "discarding a reply's metadata: it is too large");
            return Value::Null;
        }
        match serde_json::from_str(json) {
            Ok(Value::Object(object)) => Value::Object(object),
            _ => Value::Null,
        }
    }
}

/// Probes returned audio on a blocking thread when a slot is free. The wait is limited to [`PROBE_WAIT_MAX`].
async fn read_reply(readers: &Readers, audio: Bytes) -> Result<Probe, String> {
    let span = Span::current();
    let (until, bytes) = (Instant::now() + PROBE_WAIT_MAX, audio.len());
    let read = readers.read(until, bytes, move || span.in_scope(|| probe::probe(&audio))).await?;
    read.map_err(|error| error.to_string())
}

/// The start of an event's arguments, on one line.
fn start_of(arguments: &str) -> String {
    let end =
        (0..=arguments.len().min(4 * EXCHANGE_HEARD_ARGUMENTS_BYTES)).rev().find(|&at| arguments.is_char_boundary(at));
    shortened(one_line(arguments.get(..end.unwrap_or(0)).unwrap_or_default()), EXCHANGE_HEARD_ARGUMENTS_BYTES)
}

/// Reads the fragment's bytes. The error names the file without its folders.
async fn read(audio: &Audio) -> Result<Bytes, Absence> {
    let path = match audio {
        Audio::Bytes(bytes) => return Ok(bytes.clone()),
        Audio::File(path) => path,
    };
    let name = || path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| Absence::Failed(format!("{} cannot be read: {error}", name()));
    let size = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if size > EXCHANGE_AUDIO_MAX_BYTES {
        return Err(Absence::TooLarge(format!("{size} bytes; the limit is {EXCHANGE_AUDIO_MAX_BYTES}")));
    }
    Ok(tokio::fs::read(path).await.map_err(failed)?.into())
}
