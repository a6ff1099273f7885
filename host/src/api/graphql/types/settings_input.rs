//! Changes of settings, as they are given: what is left out stays as it is, what is `null` goes back to its default.

use async_graphql::{InputObject, MaybeUndefined};
use serde_json::Value;

use super::settings::{CatchUp, WhenEnded};
use super::stage::FailurePolicy;
use crate::api::graphql::scalars::BigInt;
use crate::settings::{
    DestinationPatch, HeaderPatch, Keep, Patch, ProcessorPatch, SourcePatch, StagePatch, StagesPatch,
};

/// Settings to set or change. Fields that are not set stay unchanged; null resets a field to its default.
#[derive(Debug, Default, InputObject)]
pub struct PipelineSettingsInput {
    /// The source of the stream.
    source: Option<SourceInput>,
    /// The processor of the audio. Null removes it: the original audio goes on air.
    processor: MaybeUndefined<ProcessorInput>,
    /// The complete list of destinations. Destinations that are not listed are removed.
    destinations: Option<Vec<DestinationInput>>,
    /// Length of a batch, in seconds, 2 to 120. Null: the default, 30.
    batch_seconds: MaybeUndefined<u32>,
    /// Delay between the completion of the first batch and the start of air, in seconds. Null: air starts when the
    /// first reply has arrived.
    hold_seconds: MaybeUndefined<f64>,
    /// Reserve time for slow replies, in seconds. Null: 10 % of the batch length, at least 2.5.
    cushion_seconds: MaybeUndefined<f64>,
    /// Retention of batches that were on air. Replaces all retention settings.
    keep: Option<KeepInput>,
    /// The stages of the pipeline.
    stages: Option<StagesInput>,
}

/// The source of a stream.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "SourceSettingsInput")]
pub struct SourceInput {
    /// URL of the HLS playlist. Its secrets are never returned.
    url: Option<String>,
    /// URL of a second playlist with the same content, used while the first is unavailable. Null: none.
    backup_url: MaybeUndefined<String>,
    /// Maximum bitrate of the variant, in bits per second. The highest variant within it is used. Null: no maximum.
    max_bandwidth: MaybeUndefined<BigInt>,
    /// Resolution of the variant, such as `1280x720`. Null: any.
    resolution: MaybeUndefined<String>,
    /// Start position in a live playlist, in segments before its end, 1 to 1000. Null: as the playlist says
    /// (`EXT-X-START`), or else three target durations before its end.
    live_edge: MaybeUndefined<u32>,
    /// The complete list of request headers. They are sent to the source's origins (scheme, host and port) and to
    /// `headerHosts`. Headers that are not listed are removed. Header values must be given again together with a URL of
    /// another scheme, host or port, and with a new host in `headerHosts`.
    headers: Option<Vec<HeaderInput>>,
    /// The complete list of further hosts that receive the headers, such as `cdn.example.com`, `cdn.example.com:8443`
    /// or, without TLS, `http://10.0.0.7:8080`. At most 16. Null: none.
    header_hosts: MaybeUndefined<Vec<String>>,
    /// What happens when a live source ends. Null: `WAIT`.
    when_ended: MaybeUndefined<WhenEnded>,
    /// How to handle media that accumulated during an outage. Null: `ALL`.
    catch_up: MaybeUndefined<CatchUp>,
}

/// A request header.
#[derive(Debug, InputObject)]
pub struct HeaderInput {
    /// Name of the header.
    name: String,
    /// Value of the header. It is never returned. If not set, the header keeps its value, provided that it is sent to
    /// the same scheme, host and port.
    value: Option<String>,
}

/// The processor of the audio.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "ProcessorSettingsInput")]
pub struct ProcessorInput {
    /// URL of the Socket.IO server. Its secrets are never returned.
    url: Option<String>,
    /// Engine.IO path. Null: the default, `/socket.io/`.
    path: MaybeUndefined<String>,
    /// Socket.IO namespace. Null: the path of the URL.
    namespace: MaybeUndefined<String>,
    /// Payload of Socket.IO's CONNECT packet. It is never returned. Null: none. It must be given again together with a
    /// URL of another scheme, host or port.
    auth: MaybeUndefined<Value>,
    /// The complete list of request headers of the WebSocket upgrade. Headers that are not listed are removed. Header
    /// values must be given again together with a URL of another scheme, host or port.
    headers: Option<Vec<HeaderInput>>,
    /// Maximum number of unanswered fragments, 1 to 16. Null: the default, 3.
    in_flight: MaybeUndefined<u32>,
}

/// A destination of the stream.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "DestinationSettingsInput")]
pub struct DestinationInput {
    /// ID of an existing destination to keep or change.
    id: Option<String>,
    /// URL with the stream key, which is never returned. Not required if `id` is set.
    url: Option<String>,
    /// Display name, unique within the pipeline. Null: made from host and application.
    name: MaybeUndefined<String>,
    /// True: send packets to the destination. Null: true. A change takes effect on air and does not interrupt the other
    /// destinations.
    enabled: MaybeUndefined<bool>,
    /// Base URL of the SRS HTTP API to query about the stream. Null: none.
    srs_api: MaybeUndefined<String>,
}

/// Retention of batches that were on air. A batch is removed as soon as it exceeds one of the limits.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "KeepSettingsInput")]
pub struct KeepInput {
    /// Maximum number of batches. Default: 5.
    batches: Option<u32>,
    /// Maximum age of a batch, in seconds. Default: no limit.
    max_age_seconds: Option<BigInt>,
    /// Maximum size of the stream's files, in bytes. Default: no limit.
    max_bytes: Option<BigInt>,
}

/// The stages of a pipeline. Null resets a stage to the default component with its default settings.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "StagesSettingsInput")]
pub struct StagesInput {
    /// The stage that decides where a batch is cut.
    batching: MaybeUndefined<StageInput>,
    /// The stage that decides how a fragment is framed for the processor.
    framing: MaybeUndefined<StageInput>,
    /// The stage that decides how the returned audio is put on air.
    remux_planning: MaybeUndefined<StageInput>,
}

/// A stage: a component and its settings.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "StageSettingsInput")]
pub struct StageInput {
    /// Digest of a component in the host's store, `sha256:…`. Null: the default component of this kind.
    component: MaybeUndefined<String>,
    /// Complete settings object that matches the component's JSON schema. Null: the component's defaults.
    settings: MaybeUndefined<Value>,
    /// Fallback if the stage fails. Null: the previous version if there is one, or else the host.
    on_failure: MaybeUndefined<FailurePolicy>,
    /// True: swap in a newer file of the same name automatically. Null: false.
    auto_swap: MaybeUndefined<bool>,
    /// True: neither a newer file nor a rollout changes the stage. Null: false.
    pinned: MaybeUndefined<bool>,
}

impl From<PipelineSettingsInput> for Patch {
    fn from(input: PipelineSettingsInput) -> Self {
        Self {
            source: input.source.map(Into::into),
            processor: input.processor.map_value(Into::into).into(),
            destinations: input.destinations.map(|list| list.into_iter().map(Into::into).collect()),
            batch_seconds: input.batch_seconds.into(),
            hold_seconds: input.hold_seconds.into(),
            cushion_seconds: input.cushion_seconds.into(),
            keep: input.keep.map(|keep| Keep {
                batches: keep.batches,
                max_age_seconds: keep.max_age_seconds.map(|value| value.0),
                max_bytes: keep.max_bytes.map(|value| value.0),
            }),
            stages: input.stages.map(|stages| StagesPatch {
                batching: stages.batching.map_value(Into::into).into(),
                framing: stages.framing.map_value(Into::into).into(),
                remux_planning: stages.remux_planning.map_value(Into::into).into(),
            }),
        }
    }
}

impl From<SourceInput> for SourcePatch {
    fn from(input: SourceInput) -> Self {
        Self {
            url: input.url,
            backup_url: input.backup_url.into(),
            max_bandwidth: input.max_bandwidth.map_value(|value| value.0).into(),
            resolution: input.resolution.into(),
            live_edge: input.live_edge.into(),
            headers: input.headers.map(headers),
            header_hosts: input.header_hosts.into(),
            when_ended: input.when_ended.map_value(Into::into).into(),
            catch_up: input.catch_up.map_value(Into::into).into(),
        }
    }
}

impl From<ProcessorInput> for ProcessorPatch {
    fn from(input: ProcessorInput) -> Self {
        Self {
            url: input.url,
            path: input.path.into(),
            namespace: input.namespace.into(),
            auth: input.auth.into(),
            headers: input.headers.map(headers),
            in_flight: input.in_flight.into(),
        }
    }
}

impl From<DestinationInput> for DestinationPatch {
    fn from(input: DestinationInput) -> Self {
        Self {
            id: input.id,
            url: input.url,
            name: input.name.into(),
            enabled: input.enabled.into(),
            srs_api: input.srs_api.into(),
        }
    }
}

impl From<StageInput> for StagePatch {
    fn from(input: StageInput) -> Self {
        Self {
            component: input.component.into(),
            settings: input.settings.into(),
            on_failure: input.on_failure.map_value(Into::into).into(),
            auto_swap: input.auto_swap.into(),
            pinned: input.pinned.into(),
        }
    }
}

fn headers(list: Vec<HeaderInput>) -> Vec<HeaderPatch> {
    list.into_iter().map(|HeaderInput { name, value }| HeaderPatch { name, value }).collect()
}

#[cfg(test)]
mod tests {
    use async_graphql::{InputType, Value as Given};
    use serde_json::json;

    use super::*;

    /// By the way of GraphQL and by the way of JSON.
    fn both(given: serde_json::Value) -> (Patch, Patch) {
        let by_graphql = PipelineSettingsInput::parse(Some(Given::from_json(given.clone()).unwrap()));
        (by_graphql.map_err(|_| "not taken").unwrap().into(), serde_json::from_value(given).unwrap())
    }

    #[test]
    fn what_is_left_out_and_what_is_null_stay_apart() {
        for given in [
            json!({}),
            json!({
                "processor": null, "batchSeconds": null, "holdSeconds": null, "cushionSeconds": null,
                "source": {
                    "backupUrl": null, "maxBandwidth": null, "resolution": null, "liveEdge": null, "whenEnded": null,
                    "headerHosts": null,
                    "catchUp": null,
                },
                "destinations": [{ "id": "a", "name": null, "enabled": null, "srsApi": null }],
                "stages": { "batching": null, "framing": { "component": null, "settings": null }, "remuxPlanning": {} },
            }),
            json!({
                "source": {
                    "url": "u", "backupUrl": "b", "maxBandwidth": 6_000_000_000u64, "resolution": "1x1", "liveEdge": 5,
                    "headers": [{ "name": "a" }, { "name": "b", "value": "c" }], "headerHosts": ["h.test"],
                },
                "processor": {
                    "url": "p", "path": "/s", "namespace": "/n", "auth": { "k": [1, null] }, "headers": [], "inFlight": 3,
                },
                "destinations": [{ "url": "d", "name": "n", "enabled": false, "srsApi": "s" }],
                "batchSeconds": 6, "holdSeconds": 1.5, "cushionSeconds": 2.0,
                "keep": { "batches": 1, "maxAgeSeconds": 2, "maxBytes": 3 },
                "stages": { "batching": { "component": "c", "settings": { "x": 1 } } },
            }),
            json!({ "processor": { "path": null, "namespace": null, "auth": null, "inFlight": null } }),
        ] {
            let (by_graphql, by_json) = both(given.clone());
            assert_eq!(by_graphql, by_json, "{given}");
        }
    }
}
