//! The visible form of settings: everything except secrets.

use serde_json::{Value, json};

use super::{Destination, Processor, Settings};

impl Settings {
    /// The settings as JSON without secrets, as shown and compared in revisions.
    pub fn shown(&self) -> Value {
        // The speed can only be set in the server's configuration.
        let Self {
            source,
            processor,
            destinations,
            batch_seconds,
            hold_seconds,
            cushion_seconds,
            keep,
            stages,
            speed: _,
        } = self;
        json!({
            "source": source.shown(),
            "processor": processor.as_ref().map(Processor::shown),
            "destinations": destinations.iter().map(Destination::shown_whole).collect::<Vec<_>>(),
            "batchSeconds": batch_seconds,
            "holdSeconds": hold_seconds,
            "cushionSeconds": cushion_seconds,
            "keep": keep,
            "stages": stages.shown(),
        })
    }
}
