//! What a pipeline is set to, as it may be shown. Read from what the core shows ([`Settings::shown`]), which is the one place that
//! takes secrets out.

use async_graphql::{Enum, SimpleObject};
use serde::Deserialize;
use serde_json::Value;

use super::stage::FailurePolicy;
use crate::api::graphql::scalars::BigInt;
use crate::settings::Settings;

/// The settings of a pipeline, without secrets: keys, passwords, query strings and header values are shown as `…`.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipelineSettings {
    /// The source of the stream.
    source: Source,
    /// The processor of the audio. Null: the original audio goes on air.
    processor: Option<Processor>,
    /// The destinations of the stream.
    destinations: Vec<Destination>,
    /// Length of a batch, in seconds. Null: the default, 30.
    batch_seconds: Option<u32>,
    /// Delay between the completion of the first batch and the start of air, in seconds. Null: air starts when the
    /// first reply has arrived.
    hold_seconds: Option<f64>,
    /// Reserve time for slow replies, in seconds. Null: 10 % of the batch length, at least 2.5.
    cushion_seconds: Option<f64>,
    /// Retention of batches that were on air.
    keep: Keep,
    /// The stages of the pipeline.
    stages: Stages,
}

/// The source of a stream.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "SourceSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// URL of the HLS playlist, without secrets.
    url: String,
    /// URL of a second playlist with the same content, used while the first is unavailable. Null: none.
    backup_url: Option<String>,
    /// Maximum bitrate of the variant, in bits per second. The highest variant within it is used. Null: no maximum.
    max_bandwidth: Option<BigInt>,
    /// Resolution of the variant, such as `1280x720`. Null: any.
    resolution: Option<String>,
    /// Start position in a live playlist, in segments before its end. Null: as the playlist says, or else three target
    /// durations before its end.
    live_edge: Option<u32>,
    /// Request headers that are sent to the source's origins (scheme, host and port) and to `headerHosts`.
    headers: Vec<Header>,
    /// Further hosts that receive the headers.
    header_hosts: Vec<String>,
    /// What happens when a live source ends. Null: `WAIT`.
    when_ended: Option<WhenEnded>,
    /// How to handle media that accumulated during an outage. Null: `ALL`.
    catch_up: Option<CatchUp>,
}

/// How to handle media that accumulated while the source, the network or the server was unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "crate::settings::CatchUp")]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// Send all of it. The stream stays behind its source by the length of the outage.
    All,
    /// Skip it, count it as missing and resume at the live edge.
    Live,
}

/// What happens when a live source ends unexpectedly, that is, when its playlist gets `EXT-X-ENDLIST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "crate::settings::WhenEnded")]
#[serde(rename_all = "lowercase")]
pub enum WhenEnded {
    /// Treat it as an outage: the pipeline keeps running, reports the problem in its health and retries until the
    /// source is back.
    Wait,
    /// Treat it as the end: send all buffered media, then stop the pipeline.
    Stop,
}

/// A request header. Its value is never returned.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Name of the header.
    name: String,
}

/// The processor of the audio.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "ProcessorSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Processor {
    /// URL of the Socket.IO server, without secrets.
    url: String,
    /// Engine.IO path. Null: the default, `/socket.io/`.
    path: Option<String>,
    /// Socket.IO namespace. Null: the path of the URL.
    namespace: Option<String>,
    /// True if a payload is configured for Socket.IO's CONNECT packet. The payload is never returned.
    #[serde(rename = "auth", deserialize_with = "is_there")]
    has_auth: bool,
    /// Request headers of the WebSocket upgrade.
    headers: Vec<Header>,
    /// Maximum number of unanswered fragments. Null: the default, 3.
    in_flight: Option<u32>,
}

/// A destination of the stream.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "DestinationSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// ID of the destination in status, events and changes. It stays the same as long as the URL does.
    id: String,
    /// URL of the destination, without the stream key.
    url: String,
    /// Configured display name. Null: the name is made from host and application; `status.destinations` has it.
    name: Option<String>,
    /// True if packets are sent to the destination.
    enabled: bool,
    /// Base URL of the SRS HTTP API that is queried about the stream. Null: none.
    srs_api: Option<String>,
}

/// Retention of batches that were on air. A batch is removed as soon as it exceeds one of the limits.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "KeepSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Keep {
    /// Maximum number of batches. Null: the default, 5.
    batches: Option<u32>,
    /// Maximum age of a batch, in seconds. Null: no limit.
    max_age_seconds: Option<BigInt>,
    /// Maximum size of the stream's files, in bytes. Null: no limit.
    max_bytes: Option<BigInt>,
}

/// The stages of a pipeline.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "StagesSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Stages {
    /// The stage that decides where a batch is cut.
    batching: Stage,
    /// The stage that decides how a fragment is framed for the processor.
    framing: Stage,
    /// The stage that decides how the returned audio is put on air.
    remux_planning: Stage,
}

/// A stage: a component and its settings.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "StageSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// Digest of a component in the host's store, `sha256:…`. Null: the default component of this kind.
    component: Option<String>,
    /// Settings object that matches the component's JSON schema. Null: the component's defaults.
    settings: Option<Value>,
    /// Fallback if the stage fails. Null: the previous version if there is one, or else the host.
    on_failure: Option<FailurePolicy>,
    /// True if a newer file of the same name is swapped in automatically.
    auto_swap: bool,
    /// True if neither a newer file nor a rollout changes the stage.
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
    use crate::settings::Patch;

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
