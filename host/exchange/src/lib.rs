//! demux -> **exchange** -> remux: sends audio to the processor and receives it back, over Socket.IO.
//!
//! In: one fragment per batch ([`Outgoing`]). Out: one [`Reply`] each, with probed audio or the reason why there is
//! none; the caller decides how long to wait. One connection per pipeline, which is reopened without end; several
//! fragments in flight, matched by id. The framing stage defines the messages, behind [`framer::Framer`]; the host owns
//! the connection, packets, order, limits and the circuit breaker. Limits: [`limits`].
//!
//! Uses `outboard-base`, `outboard-media`, `outboard-net` and the queue of `outboard-ffmpeg`. Does not depend on batches
//! on disk, on stages or on the programme clock.

mod breaker;
mod config;
mod driver;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
pub mod framer;
mod heard;
mod ledger;
pub mod limits;
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
use framer::{AudioFormat, Framer, FramerError};
use heard::Heard;
use ledger::Ledger;
use reply::Asked;
use socketio::{Endpoint, EndpointError};

use crate::limits::{EXCHANGE_FRAGMENTS_MAX, IN_FLIGHT_MAX};

/// Why an exchange does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The configuration of the processor is invalid.
    #[error("processor.{0}")]
    Endpoint(#[from] EndpointError),
    /// The number of fragments in flight is out of range.
    #[error("processor.in_flight: {0} is not from 1 to {IN_FLIGHT_MAX}")]
    InFlight(usize),
    /// The stage failed to report its audio format.
    #[error(transparent)]
    Framer(#[from] FramerError),
}

/// A pipeline's exchange. Dropping it stops its task; [`Exchange::shutdown`] also waits until it has stopped.
#[derive(Debug)]
pub struct Exchange {
    submissions: mpsc::Sender<Submission>,
    abandoned: Arc<Notify>,
    status: watch::Receiver<ExchangeStatus>,
    audio_format: watch::Receiver<AudioFormat>,
    heard: Heard,
    cancel: CancellationToken,
    wanted: watch::Sender<driver::Wanted>,
    task: JoinHandle<()>,
}

impl Exchange {
    /// Checks the configuration, asks the stage for its audio format and starts to connect. Does not wait for the
    /// processor, which may start later. `readers` probe the replies. Cancelling `cancel` has the effect of
    /// [`Exchange::shutdown`].
    pub async fn start(
        config: ExchangeConfig,
        stream_id: impl Into<String>,
        mut framer: Box<dyn Framer>,
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
            ledger: Ledger::new(&checked.config),
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

    /// Sets another processor, or other settings of the current one, on air. The new connection is made first;
    /// fragments that the previous processor does not answer in the meantime are sent again to the new one.
    ///
    /// # Errors
    /// Those of [`Exchange::start`]; then nothing was changed.
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
    fn wanted(&self) -> driver::Wanted {
        self.wanted.borrow().clone()
    }

    /// The audio format that fragments must have. Another version of the stage may use another format: fragments in the
    /// previous format that are not sent yet are answered with [`Absence::Failed`].
    pub fn audio_format(&self) -> AudioFormat {
        *self.audio_format.borrow()
    }

    /// A function that makes the task check its framer again; does nothing after the task has ended.
    pub fn waker(&self) -> impl Fn() + Send + Sync + 'static {
        let abandoned = Arc::clone(&self.abandoned);
        move || abandoned.notify_one()
    }

    /// Submits a fragment; it is sent as soon as the processor accepts one, in the order of the calls.
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

    /// The status at this moment.
    pub fn status(&self) -> ExchangeStatus {
        self.status.borrow().clone()
    }

    /// Receives each change of the status; a slow receiver gets the newest.
    pub fn watch(&self) -> watch::Receiver<ExchangeStatus> {
        self.status.clone()
    }

    /// Disconnects and waits until the task has ended; callers that still wait get [`Absence::Disconnected`]. Limited
    /// by [`crate::limits::EXCHANGE_CLOSE_TIMEOUT`] and a stage call.
    pub async fn shutdown(mut self) {
        self.cancel.cancel();
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the exchange task failed");
        }
    }
}

/// Checks the configuration of an exchange.
fn checked(config: ExchangeConfig) -> Result<driver::Wanted, ExchangeError> {
    let endpoint = Endpoint::new(&config)?;
    if !(1..=IN_FLIGHT_MAX).contains(&config.in_flight) {
        return Err(ExchangeError::InFlight(config.in_flight));
    }
    Ok(driver::Wanted { endpoint, config })
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
