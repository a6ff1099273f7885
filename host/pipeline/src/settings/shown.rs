//! Settings as they may be shown: everything but what gives access.

use serde_json::{Value, json};

use super::{Destination, Header, Processor, Settings};
use outboard_base::redact;

/// In the place of a secret.
pub const HIDDEN: &str = "…";

impl Settings {
    /// As JSON without secrets: what revisions show and compare.
    pub fn shown(&self) -> Value {
        // The speed is a setting of the server's configuration alone.
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

/// Headers by their names.
pub(super) fn shown_headers(headers: &[Header]) -> Value {
    headers.iter().map(|header| json!({ "name": header.name, "value": HIDDEN })).collect()
}

/// A source's URL without what gives access; what is no URL is not shown.
pub fn shown_url(url: &str) -> String {
    redact::url(url)
}
