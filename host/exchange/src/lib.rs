//! demux -> **exchange** -> remux: audio out to the processor and back, over Socket.IO.
//!
//! In: a fragment a batch ([`Outgoing`]). Out: for each one a [`Reply`], audio that was probed or the reason why there is
//! none; whoever waits decides how long. One connection a pipeline, made again for ever; several fragments in flight,
//! matched by id. What a message looks like is the framing stage's, behind [`message_framer::MessageFramer`]; the host owns the
//! connection, packets, order, limits and the circuit breaker. Limits: [`limits`].
//!
//! It uses `outboard-base`, `outboard-media`, `outboard-net` and the queue of `outboard-ffmpeg`, and never knows batches on disk, stages or the air clock.

mod breaker;
mod config;
mod driver;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
mod fragment_table;
mod heard;
pub mod limits;
pub mod message_framer;
pub mod probe;
mod readers;
mod reply;
pub mod socketio;
mod status;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use config::{BreakerConfig, ExchangeConfig};
pub use readers::{ReadPool, Readers};
pub use reply::{Absence, Audio, Outgoing, Pending, Reply, Returned};
#[cfg(any(test, feature = "fuzzing"))]
pub use socketio::fuzz::packets as fuzz_packets;
pub use status::{BreakerState, Counters, ExchangeChange, ExchangeStatus};

use driver::{Driver, Submission};
use fragment_table::FragmentTable;
use heard::Heard;
use message_framer::{AudioFormat, FramerError, MessageFramer};
use reply::Asked;
use socketio::{Endpoint, EndpointError};

use crate::limits::{EXCHANGE_FRAGMENTS_MAX, IN_FLIGHT_MAX};

/// Why an exchange does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The configuration of the processor.
    #[error("processor.{0}")]
    Endpoint(#[from] EndpointError),
    /// Not a number of fragments that can be in flight.
    #[error("processor.in_flight: {0} is not from 1 to {IN_FLIGHT_MAX}")]
    InFlight(usize),
    /// The stage does not say what audio it wants.
    #[error(transparent)]
    Framer(#[from] FramerError),
}

/// A pipeline's exchange. Dropping it stops its task; [`Exchange::shutdown`] waits for that too.
#[derive(Debug)]
pub struct Exchange {
    submissions: mpsc::Sender<Submission>,
    abandoned: Arc<Notify>,
    status: watch::Receiver<ExchangeStatus>,
    audio_format: watch::Receiver<AudioFormat>,
    heard: Heard,
    cancel: CancellationToken,
    wanted: watch::Sender<driver::WantedProcessor>,
    task: JoinHandle<()>,
}

impl Exchange {
    /// Checks the configuration, asks the stage for its audio format and starts to connect. Does not wait for the
    /// processor: it may come up later. `readers` look at what comes back. Cancelling `cancel` does what
    /// [`Exchange::shutdown`] does.
    pub async fn start(
        config: ExchangeConfig,
        stream_id: impl Into<String>,
        mut framer: Box<dyn MessageFramer>,
        readers: Readers,
        cancel: &CancellationToken,
    ) -> Result<Self, ExchangeError> {
        let checked = checked(config)?;
        let (wanted, wants) = watch::channel(checked.clone());
        let (audio_formats, audio_format) = watch::channel(framer.audio_format().await?);
        let (submissions, submitted) = mpsc::channel(EXCHANGE_FRAGMENTS_MAX);
        let (sender, status) = watch::channel(ExchangeStatus::default());
        let (abandoned, cancel, heard) = (Arc::new(Notify::new()), cancel.child_token(), Heard::default());
        let driver = Driver {
            endpoint: checked.endpoint,
            config: checked.config.clone(),
            wanted: wants,
            stream_id: stream_id.into(),
            framer,
            audio_formats,
            fragments: FragmentTable::new(&checked.config),
            ready_timeout: checked.config.ready_timeout,
            submissions: submitted,
            abandoned: Arc::clone(&abandoned),
            status: sender,
            cancel: cancel.clone(),
            heard: heard.clone(),
            probes: JoinSet::new(),
            readers,
        };
        let task = tokio::spawn(driver.run().in_current_span());
        Ok(Self { submissions, abandoned, status, audio_format, heard, cancel, wanted, task })
    }

    /// Gives it another processor, or other settings of it, on air. The connection to the new one is made first; fragments
    /// that the old one does not answer meanwhile are sent again to the new one.
    ///
    /// # Errors
    /// As [`Exchange::start`]; nothing was changed.
    pub fn reconfigure(&self, config: ExchangeConfig) -> Result<(), ExchangeError> {
        let checked = checked(config)?;
        self.wanted.send_if_modified(|wanted| {
            let differs = wanted.config != checked.config;
            if differs {
                *wanted = checked;
            }
            differs
        });
        Ok(())
    }

    #[cfg(test)]
    fn wanted(&self) -> driver::WantedProcessor {
        self.wanted.borrow().clone()
    }

    /// The audio that fragments must hold. Another version of the stage may want another one: fragments that were
    /// made for the one before and not sent yet are answered [`Absence::Failed`].
    pub fn audio_format(&self) -> AudioFormat {
        *self.audio_format.borrow()
    }

    /// What makes the task look at its framer again, for as long as it lives.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let abandoned = Arc::clone(&self.abandoned);
        move || abandoned.notify_one()
    }

    /// Hands a fragment in; it is sent as soon as the processor takes one. Order is the order of the calls.
    pub fn submit(&self, outgoing: Outgoing) -> Pending {
        let asked = Asked { fragment: outgoing.fragment.id.clone(), at: Instant::now(), heard: self.heard.clone() };
        let (reply, pending) = Pending::new(Arc::clone(&self.abandoned), self.status.clone(), asked);
        if let Err(mpsc::error::TrySendError::Full(submission)) =
            self.submissions.try_send(Submission { outgoing, reply })
        {
            let reason = format!("{EXCHANGE_FRAGMENTS_MAX} fragments are already waiting for the processor");
            submission.reply.send(Reply::Absent(Absence::Failed(reason)));
        }
        pending
    }

    /// The exchange at this moment.
    pub fn status(&self) -> ExchangeStatus {
        self.status.borrow().clone()
    }

    /// Receives each change of the status; a slow receiver gets the newest.
    pub fn watch(&self) -> watch::Receiver<ExchangeStatus> {
        self.status.clone()
    }

    /// Leaves the processor and waits until the task is done; whoever still waits is answered
    /// [`Absence::Disconnected`]. Bounded by [`crate::limits::EXCHANGE_CLOSE_TIMEOUT`] and a stage call.
    pub async fn shutdown(mut self) {
        self.cancel.cancel();
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the exchange task failed");
        }
    }
}

/// Checks what an exchange is told.
fn checked(config: ExchangeConfig) -> Result<driver::WantedProcessor, ExchangeError> {
    let endpoint = Endpoint::new(&config)?;
    if !(1..=IN_FLIGHT_MAX).contains(&config.in_flight) {
        return Err(ExchangeError::InFlight(config.in_flight));
    }
    Ok(driver::WantedProcessor { endpoint, config })
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
