//! What a pipeline is set to, as it may be shown. Read from what the core shows ([`Settings::shown`]), which is the one place that
//! takes secrets out.

use async_graphql::{Enum, SimpleObject};
use serde::Deserialize;
use serde_json::Value;

use super::stage::FailurePolicy;
use crate::api::graphql::scalars::BigInt;
use crate::control::settings::Settings;

/// What a pipeline is set to, without what gives access: keys, passwords, query strings and header values show as `…`.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipelineSettings {
    /// Where the stream comes from.
    source: Source,
    /// Where the audio goes to and comes back from; without one the original audio stays.
    processor: Option<Processor>,
    /// Where the stream goes on air.
    destinations: Vec<Destination>,
    /// Length of a batch in seconds; null: the default.
    batch_seconds: Option<u32>,
    /// When air starts, in seconds after the first batch is complete; null: as soon as its reply is in hand.
    hold_seconds: Option<f64>,
    /// Time in hand for slower replies, in seconds; null: worked out.
    cushion_seconds: Option<f64>,
    /// What is kept of batches that went on air.
    keep: Keep,
    /// The stages that decide.
    stages: Stages,
}

/// Where the stream comes from.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "SourceSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// The HLS playlist.
    url: String,
    /// Another playlist with the same content, for when the first is away.
    backup_url: Option<String>,
    /// The highest variant up to this many bits per second is taken.
    max_bandwidth: Option<BigInt>,
    /// The variant of this size is taken, such as `1280x720`.
    resolution: Option<String>,
    /// A live stream starts so many segments before the end of its playlist; null: where the playlist says, else three
    /// target durations.
    live_edge: Option<u32>,
    /// Headers that are sent with every request to the source's own origins (scheme, host and port) and to `headerHosts`.
    headers: Vec<Header>,
    /// Hosts besides the source's own that the headers are sent to.
    header_hosts: Vec<String>,
    /// What happens when a live source ends; null: WAIT.
    when_ended: Option<WhenEnded>,
    /// What becomes of media that has piled up while the source or the server was away; null: ALL.
    catch_up: Option<CatchUp>,
}

/// What becomes of media that has piled up while the source, the network or the server was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "crate::config::CatchUp")]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// All of it goes on air; the stream is behind its source by as much from then on.
    All,
    /// It is skipped and counted; the stream goes on at the live edge.
    Live,
}

/// What happens when a live source ends and nobody ordered it: its playlist got ENDLIST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "crate::config::WhenEnded")]
#[serde(rename_all = "lowercase")]
pub enum WhenEnded {
    /// An outage: the source is looked at again until it is back. The pipeline stays wanted, its health says so.
    Wait,
    /// The end: what is buffered goes on air, then the pipeline stops.
    Stop,
}

/// A request header. Its value is never shown.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Its name.
    name: String,
}

/// Where the audio goes to and comes back from.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "ProcessorSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Processor {
    /// The Socket.IO server.
    url: String,
    /// Engine.IO's path; null: the default.
    path: Option<String>,
    /// The Socket.IO namespace; null: that of the URL.
    namespace: Option<String>,
    /// Something is sent in Socket.IO's CONNECT. What it is is never shown.
    #[serde(rename = "auth", deserialize_with = "is_there")]
    has_auth: bool,
    /// Headers that are sent with the WebSocket's upgrade.
    headers: Vec<Header>,
    /// Fragments under way at once; null: the default.
    in_flight: Option<u32>,
}

/// Where the stream goes on air.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "DestinationSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// Names it in status, events and changes; it stays the same as long as the URL does.
    id: String,
    /// Its URL without the stream key.
    url: String,
    /// The name that it was given; null: its name is made of host and application, see its status.
    name: Option<String>,
    /// Packets go there.
    enabled: bool,
    /// Base URL of SRS's HTTP API, which is asked what it sees.
    srs_api: Option<String>,
}

/// What is kept of batches that went on air; whichever limit comes first.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "KeepSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Keep {
    /// So many batches.
    batches: Option<u32>,
    /// Batches not older than so many seconds.
    max_age_seconds: Option<BigInt>,
    /// So many bytes.
    max_bytes: Option<BigInt>,
}

/// The stages that decide.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "StagesSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Stages {
    /// When a batch is cut.
    batching: Stage,
    /// How a fragment is framed for the processor.
    framing: Stage,
    /// How the returned audio is put back.
    remux_planning: Stage,
}

/// A stage: which component, with which settings.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "StageSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// Digest of a component in the host's store, `sha256:…`; null: the default of its kind.
    component: Option<String>,
    /// Its settings, an object after the component's own schema; null: its defaults.
    settings: Option<Value>,
    /// Who goes on where it fails; null: the version before, else the host.
    on_failure: Option<FailurePolicy>,
    /// A newer file of the same name is swapped in when it is there.
    auto_swap: bool,
    /// Neither a newer file nor a roll-out changes it.
    pinned: bool,
}

impl From<&Settings> for PipelineSettings {
    fn from(settings: &Settings) -> Self {
        serde_json::from_value(settings.shown()).unwrap_or_default()
    }
}

impl PipelineSettings {
    /// Of settings as they are kept with a revision. What cannot be read any more shows as not set.
    pub fn of_kept(kept: &Value) -> Self {
        serde_json::from_value::<Settings>(kept.clone()).map(|settings| Self::from(&settings)).unwrap_or_default()
    }
}

/// Whether there is a value.
fn is_there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<Value>::deserialize(deserializer).map(|value| value.is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::settings::Patch;

    #[test]
    fn everything_that_the_core_shows_is_read() {
        let patch: Patch = serde_json::from_value(json!({
            "source": { "url": "http://u:pw@o.test/live.m3u8?t=SECRET", "maxBandwidth": 5_000_000, "whenEnded": "stop", "headers": [{ "name": "X-Key", "value": "SECRET" }] },
            "processor": { "url": "https://p.test/ns?key=SECRET", "auth": { "token": "SECRET" }, "inFlight": 2 },
            "destinations": [{ "url": "rtmp://h.test/live/SECRET", "srsApi": "http://127.0.0.1:1985" }],
            "batchSeconds": 6,
            "keep": { "batches": 3, "maxBytes": 10_000_000_000u64 },
            "stages": { "batching": { "settings": { "batch_seconds": 6 } } },
        }))
        .unwrap();
        let settings = Settings::default().patched(patch).unwrap();
        let shown: PipelineSettings = (&settings).into();
        assert_eq!(shown.source.headers[0].name, "X-Key");
        assert_eq!(shown.source.max_bandwidth, Some(BigInt(5_000_000)));
        assert_eq!(shown.source.when_ended, Some(WhenEnded::Stop));
        assert!(shown.processor.as_ref().unwrap().has_auth);
        assert_eq!(shown.destinations[0].id, settings.destinations[0].id());
        assert_eq!((shown.batch_seconds, shown.keep.max_bytes), (Some(6), Some(BigInt(10_000_000_000))));
        assert_eq!(shown.stages.batching.settings, Some(json!({ "batch_seconds": 6 })));
        assert!(!format!("{shown:?}").contains("SECRET"), "{shown:?}");
    }
}
