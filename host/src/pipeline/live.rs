//! What of a running pipeline changes on air: without a restart and without an interruption.

use std::sync::Arc;

use super::air::roster::Destinations;
use super::load::destination_config;
use crate::config::PipelineConfig;
use crate::net::Guard;

/// The parts of a running pipeline that take new settings on air. Cheap to clone; after the pipeline's end it does nothing.
#[derive(Debug, Clone)]
pub struct Live(Arc<Parts>);

/// What a [`Live`] steers.
#[derive(Debug)]
pub struct Parts {
    /// Where the stream goes.
    pub destinations: Destinations,
    /// What may be reached.
    pub guard: Guard,
}

impl Live {
    /// Steers these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes every part what `config` says; parts that are so already are not touched.
    pub fn apply(&self, config: &PipelineConfig) {
        let Parts { destinations, guard } = &*self.0;
        destinations.set(config.destinations.iter().map(|one| destination_config(one, guard, None)).collect());
    }

    /// Ends a destination's session and opens another one at once. False: there is none of that name that is enabled.
    pub fn reconnect(&self, destination: &str) -> bool {
        self.0.destinations.reconnect(destination)
    }
}
