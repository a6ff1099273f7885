//! Changes of settings, as they are given: what is left out stays as it is, what is `null` goes back to its default.

use async_graphql::{InputObject, MaybeUndefined};
use serde_json::Value;

use super::settings::{CatchUp, WhenEnded};
use super::stage::FailurePolicy;
use crate::api::graphql::scalars::BigInt;
use crate::control::settings::{
    DestinationPatch, HeaderPatch, Keep, Patch, ProcessorPatch, SourcePatch, StagePatch, StagesPatch,
};

/// Settings to make or change. What is left out stays as it is; `null` takes back to the default or removes.
#[derive(Debug, Default, InputObject)]
pub struct PipelineSettingsInput {
    /// Where the stream comes from.
    source: Option<SourceInput>,
    /// Where the audio goes to and comes back from; null: nowhere, the original audio stays.
    processor: MaybeUndefined<ProcessorInput>,
    /// All destinations: one that is not in the list goes.
    destinations: Option<Vec<DestinationInput>>,
    /// Length of a batch in seconds; null: the default.
    batch_seconds: MaybeUndefined<u32>,
    /// When air starts, in seconds after the first batch is complete; null: as soon as its reply is in hand.
    hold_seconds: MaybeUndefined<f64>,
    /// Time in hand for slower replies, in seconds; null: worked out.
    cushion_seconds: MaybeUndefined<f64>,
    /// What is kept of batches that went on air, as a whole.
    keep: Option<KeepInput>,
    /// The stages that decide.
    stages: Option<StagesInput>,
}

/// Where the stream comes from.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "SourceSettingsInput")]
pub struct SourceInput {
    /// The HLS playlist. Never shown again with its secrets.
    url: Option<String>,
    /// Another playlist with the same content; null: none.
    backup_url: MaybeUndefined<String>,
    /// The highest variant up to this many bits per second is taken; null: any.
    max_bandwidth: MaybeUndefined<BigInt>,
    /// The variant of this size is taken, such as `1280x720`; null: any.
    resolution: MaybeUndefined<String>,
    /// A live stream starts so many segments before the end of its playlist, 1 to 1000; null: where the playlist says
    /// (EXT-X-START), else three target durations before its end.
    live_edge: MaybeUndefined<u32>,
    /// All headers that are sent with every request to the source's own origins (scheme, host and port) and to
    /// `headerHosts`: one that is not in the list goes. Their values are to be given again with a URL of another scheme,
    /// host or port, and with a further host in `headerHosts`.
    headers: Option<Vec<HeaderInput>>,
    /// All hosts besides the source's own that the headers are sent to, such as `cdn.example.com`, `cdn.example.com:8443`
    /// or, without TLS, `http://10.0.0.7:8080`; at most 16. Null: none.
    header_hosts: MaybeUndefined<Vec<String>>,
    /// What happens when a live source ends; null: WAIT.
    when_ended: MaybeUndefined<WhenEnded>,
    /// What becomes of media that has piled up while the source or the server was away; null: ALL.
    catch_up: MaybeUndefined<CatchUp>,
}

/// A request header.
#[derive(Debug, InputObject)]
pub struct HeaderInput {
    /// Its name.
    name: String,
    /// Its value, never shown again; left out: the one that it had, as long as it goes to the same scheme, host and port.
    value: Option<String>,
}

/// Where the audio goes to and comes back from.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "ProcessorSettingsInput")]
pub struct ProcessorInput {
    /// The Socket.IO server. Never shown again with its secrets.
    url: Option<String>,
    /// Engine.IO's path; null: the default.
    path: MaybeUndefined<String>,
    /// The Socket.IO namespace; null: that of the URL.
    namespace: MaybeUndefined<String>,
    /// What is sent in Socket.IO's CONNECT, never shown again; null: nothing. To be given again with a URL of another
    /// scheme, host or port.
    auth: MaybeUndefined<Value>,
    /// All headers that are sent with the WebSocket's upgrade: one that is not in the list goes. Their values are to be
    /// given again with a URL of another scheme, host or port.
    headers: Option<Vec<HeaderInput>>,
    /// Fragments under way at once; null: the default.
    in_flight: MaybeUndefined<u32>,
}

/// Where the stream goes on air.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "DestinationSettingsInput")]
pub struct DestinationInput {
    /// Of a destination that is there already, to keep or to change it.
    id: Option<String>,
    /// Its URL with the stream key, which is never shown again; not needed with an id.
    url: Option<String>,
    /// The name that people see, unique in the pipeline; null: made of host and application.
    name: MaybeUndefined<String>,
    /// Packets go there; null: yes. Changed on air, without an interruption of the other destinations.
    enabled: MaybeUndefined<bool>,
    /// Base URL of SRS's HTTP API, which is then asked what it sees; null: none.
    srs_api: MaybeUndefined<String>,
}

/// What is kept of batches that went on air; whichever limit comes first. What is left out is no limit.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "KeepSettingsInput")]
pub struct KeepInput {
    /// So many batches.
    batches: Option<u32>,
    /// Batches not older than so many seconds.
    max_age_seconds: Option<BigInt>,
    /// So many bytes.
    max_bytes: Option<BigInt>,
}

/// The stages that decide; null: the default of its kind with its own defaults.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "StagesSettingsInput")]
pub struct StagesInput {
    /// When a batch is cut.
    batching: MaybeUndefined<StageInput>,
    /// How a fragment is framed for the processor.
    framing: MaybeUndefined<StageInput>,
    /// How the returned audio is put back.
    remux_planning: MaybeUndefined<StageInput>,
}

/// A stage: which component, with which settings.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "StageSettingsInput")]
pub struct StageInput {
    /// Digest of a component in the host's store, `sha256:…`; null: the default of its kind.
    component: MaybeUndefined<String>,
    /// Its settings, a whole object after the component's own schema; null: its defaults.
    settings: MaybeUndefined<Value>,
    /// Who goes on where it fails; null: the version before, else the host.
    on_failure: MaybeUndefined<FailurePolicy>,
    /// A newer file of the same name is swapped in when it is there; null: no.
    auto_swap: MaybeUndefined<bool>,
    /// Neither a newer file nor a roll-out changes it; null: no.
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
