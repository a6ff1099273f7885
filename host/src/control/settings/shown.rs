//! Settings as they may be shown: everything but what gives access.

use serde_json::{Value, json};

use super::{Destination, Header, Settings, Stages, shown_url};
use crate::stage::StageKind;

/// In the place of a secret.
pub const HIDDEN: &str = "…";

impl Settings {
    /// As JSON without secrets: what revisions show and compare.
    pub fn shown(&self) -> Value {
        let names = |headers: &[Header]| -> Value {
            headers.iter().map(|header| json!({ "name": header.name, "value": HIDDEN })).collect()
        };
        let destination = |destination: &Destination| {
            json!({
                "id": destination.id(),
                "url": destination.shown(),
                "name": destination.name,
                "enabled": destination.enabled,
                "srsApi": destination.srs_api.as_deref().map(shown_url),
            })
        };
        json!({
            "source": {
                "url": shown_url(&self.source.url),
                "backupUrl": self.source.backup_url.as_deref().map(shown_url),
                "maxBandwidth": self.source.max_bandwidth,
                "resolution": self.source.resolution,
                "liveEdge": self.source.live_edge,
                "headers": names(&self.source.headers),
                "headerHosts": self.source.header_hosts,
                "whenEnded": self.source.when_ended,
                "catchUp": self.source.catch_up,
            },
            "processor": self.processor.as_ref().map(|processor| json!({
                "url": shown_url(&processor.url),
                "path": processor.path,
                "namespace": processor.namespace,
                "auth": processor.auth.as_ref().map(|_| HIDDEN),
                "headers": names(&processor.headers),
                "inFlight": processor.in_flight,
            })),
            "destinations": self.destinations.iter().map(destination).collect::<Vec<_>>(),
            "batchSeconds": self.batch_seconds,
            "holdSeconds": self.hold_seconds,
            "cushionSeconds": self.cushion_seconds,
            "keep": self.keep,
            "stages": stages(&self.stages),
        })
    }
}

/// All but the version before, which status shows.
fn stages(stages: &Stages) -> Value {
    let mut shown = stages.clone();
    for kind in StageKind::ALL {
        shown.of_mut(kind).previous = None;
    }
    json!(shown)
}
