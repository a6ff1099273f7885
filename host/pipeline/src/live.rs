//! What of a running pipeline changes on air: without a restart and without an interruption.

use std::sync::{Arc, Weak};

use super::load::{destination_config, exchange_config, keep, lag, pace_of};
use super::pace::Pace;
use super::remux::output::kept::Wanted;
use crate::settings::PipelineConfig;
use outboard_egress::roster::Destinations;
use outboard_exchange::{Exchange, ExchangeError};
use outboard_net::Guard;
use outboard_store::janitor::Janitor;

/// The parts of a running pipeline that take new settings on air. Cheap to clone; after the pipeline's end it does nothing.
#[derive(Debug, Clone)]
pub struct Live(Arc<Parts>);

/// What a [`Live`] steers.
#[derive(Debug)]
pub struct Parts {
    /// Where the stream goes.
    pub destinations: Destinations,
    /// The way to the processor; `None`: there is no processor. Weak, so that the pipeline can end it.
    pub exchange: Option<Weak<Exchange>>,
    /// How batches and the clock are paced.
    pub pace: Pace,
    /// Who cleans up after batches that went out.
    pub janitor: Janitor,
    /// Whether what went on air is written as files too.
    pub outputs: Wanted,
    /// Tenant and stream, as the janitor knows it.
    pub stream: (String, String),
    /// What may be reached.
    pub guard: Guard,
}

impl Live {
    /// Controls the running parts of one pipeline.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes every part what `config` says; parts that are so already are not touched.
    ///
    /// # Errors
    /// [`ExchangeError`]: the processor's settings cannot be; nothing was changed.
    pub fn apply(&self, config: &PipelineConfig) -> Result<(), ExchangeError> {
        let Parts { destinations, exchange, pace, janitor, outputs, stream, guard } = &*self.0;
        if let (Some(exchange), Some(wanted)) =
            (exchange.as_ref().and_then(Weak::upgrade), exchange_config(config, guard))
        {
            exchange.reconfigure(wanted)?;
        }
        pace.set(pace_of(config));
        janitor.set_keep(stream, keep(config));
        outputs.set(config.keep.output);
        destinations
            .set(config.destinations.iter().map(|one| destination_config(one, guard, None, lag(config))).collect());
        Ok(())
    }

    /// Whether packets are sent to a destination.
    pub fn sends_to(&self, destination: &str) -> bool {
        self.0.destinations.needs().iter().any(|needs| needs.name == destination)
    }

    /// Ends a destination's session and opens another one at once. False: there is none of that name that is enabled.
    pub fn reconnect(&self, destination: &str) -> bool {
        self.0.destinations.reconnect(destination)
    }
}
