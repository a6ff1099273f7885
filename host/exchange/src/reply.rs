//! Input and output of the exchange: a fragment, the wait for its reply, and the reply.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::heard::Heard;
use super::message_framer::{AudioFormat, Fragment};
use super::status::ExchangeStatus;
use outboard_media::probe::Probe;

/// Where a fragment's audio is.
#[derive(Debug, Clone)]
pub enum Audio {
    /// The bytes of the audio file, held in memory.
    Bytes(Bytes),
    /// On disk; read at each transmission, so that waiting fragments use no memory.
    File(PathBuf),
}

/// A fragment to be sent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its properties; the exchange sets `now_ms` and `attempt`.
    pub fragment: Fragment,
    /// The audio of the batch.
    pub audio: Audio,
    /// The format of the audio, from [`super::Exchange::audio_format`].
    pub format: AudioFormat,
}

/// The result for a fragment.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The processor returned audio that can be used.
    Returned(Returned),
    /// There is no usable reply, for this reason.
    Absent(Absence),
}

/// Audio from the processor, probed.
#[derive(Debug, Clone)]
pub struct Returned {
    /// The reply's file as it was received.
    pub audio: Bytes,
    /// Container, codec and duration of the file.
    pub probe: Probe,
    /// Further data from the processor: an object, or null.
    pub metadata: Value,
    /// From the last transmission to the reply.
    pub round_trip: Duration,
    /// How often the fragment was sent.
    pub attempts: u32,
    /// When the reply was received and probed.
    pub answered: Instant,
}

/// Why there is no audio from the processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case", tag = "why", content = "reason")]
pub enum Absence {
    /// No reply in time.
    #[error("no reply in time")]
    Late,
    /// No reply in time; names the messages that came instead.
    #[error("no reply in time; {0}")]
    Unanswered(String),
    /// The processor could not process it, or it could not be sent.
    #[error("{0}")]
    Failed(String),
    /// A reply came that cannot be used.
    #[error("the reply cannot be used: {0}")]
    Invalid(String),
    /// There was no connection.
    #[error("no connection to the processor")]
    Disconnected,
    /// The processor failed too often recently.
    #[error("the circuit breaker is open")]
    BreakerOpen,
    /// Larger than the processor accepts.
    #[error("too large for the processor: {0}")]
    TooLarge(String),
}

/// The wait for a fragment's reply: a future of [`Reply`].
///
/// Dropping it abandons the fragment: its slot becomes free, and a later reply is counted and dropped.
/// [`Pending::give_up`] does the same and returns what is known.
#[derive(Debug)]
#[must_use = "dropping it abandons the fragment"]
pub struct Pending {
    receiver: oneshot::Receiver<Reply>,
    abandoned: Arc<Notify>,
    early: Arc<AtomicBool>,
    status: watch::Receiver<ExchangeStatus>,
    asked: Asked,
}

/// The fragment that a caller waits for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Id of the fragment.
    pub(super) fragment: String,
    /// When it was submitted.
    pub(super) at: Instant,
    /// Messages from the processor that answered no fragment.
    pub(super) heard: Heard,
}

impl Asked {
    /// Adds the messages that came instead of a reply.
    fn name(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Absent(Absence::Late) => {
                let came = self.heard.since(self.at, &self.fragment);
                Reply::Absent(came.map_or(Absence::Late, Absence::Unanswered))
            }
            other => other,
        }
    }
}

/// Where the reply to a fragment is sent.
#[derive(Debug)]
pub struct Waiting {
    pub(super) reply: oneshot::Sender<Reply>,
    early: Arc<AtomicBool>,
}

impl Waiting {
    /// Whether nobody waits any more.
    pub(super) fn is_closed(&self) -> bool {
        self.reply.is_closed()
    }

    /// Whether the caller gave up before the processor had its full time.
    pub(super) fn gave_up_early(&self) -> bool {
        self.early.load(Ordering::Acquire)
    }

    /// Sends the reply. The caller may have stopped waiting.
    pub(super) fn send(self, reply: Reply) {
        let _ = self.reply.send(reply);
    }
}

#[cfg(test)]
impl From<oneshot::Sender<Reply>> for Waiting {
    fn from(reply: oneshot::Sender<Reply>) -> Self {
        Self { reply, early: Arc::default() }
    }
}

impl Pending {
    pub(super) fn new(
        abandoned: Arc<Notify>,
        status: watch::Receiver<ExchangeStatus>,
        asked: Asked,
    ) -> (Waiting, Self) {
        let (reply, receiver) = oneshot::channel();
        let early = Arc::<AtomicBool>::default();
        (Waiting { reply, early: Arc::clone(&early) }, Self { receiver, abandoned, early, status, asked })
    }

    /// [`Pending::give_up`] before the processor had its full time: the circuit breaker does not count this as a
    /// failure.
    pub fn give_up_early(self) -> Reply {
        self.early.store(true, Ordering::Release);
        self.give_up()
    }

    /// Ends the wait: returns the reply if it has arrived, else the reason ([`Absence::Disconnected`],
    /// [`Absence::Late`] or [`Absence::Unanswered`]). The fragment is abandoned.
    pub fn give_up(mut self) -> Reply {
        // Closing first, so that a reply is either seen here or counted as late, and never lost.
        self.receiver.close();
        let reply = match self.receiver.try_recv() {
            Ok(reply) => reply,
            Err(_) if self.status.borrow().connected => Reply::Absent(Absence::Late),
            Err(_) => Reply::Absent(Absence::Disconnected),
        };
        self.asked.name(reply)
    }
}

impl Future for Pending {
    type Output = Reply;

    /// An exchange that was stopped answers [`Absence::Disconnected`].
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        let reply = ready!(Pin::new(&mut self.receiver).poll(context));
        Poll::Ready(self.asked.name(reply.unwrap_or(Reply::Absent(Absence::Disconnected))))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.receiver.close();
        self.abandoned.notify_one();
    }
}
