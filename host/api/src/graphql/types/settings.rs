//! What a pipeline is set to, as it may be shown and as it is changed: one file per section, as in [`outboard_pipeline::settings`].
//!
//! Shown settings are read from what the core shows ([`Settings::shown`]), which is the one place that takes secrets out. In a
//! change, what is left out stays as it is, and what is `null` goes back to its default.

use async_graphql::{InputObject, MaybeUndefined, SimpleObject};
use serde::Deserialize;
use serde_json::Value;

use outboard_pipeline::settings::{Patch, Settings};

mod destinations;
mod headers;
mod keep;
mod processor;
mod source;
mod stages;

use destinations::{Destination, DestinationInput};
use keep::Keep;
use keep::KeepInput;
use processor::{Processor, ProcessorInput};
use source::{Source, SourceInput};
use stages::{Stages, StagesInput};

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

impl From<PipelineSettingsInput> for Patch {
    fn from(input: PipelineSettingsInput) -> Self {
        Self {
            source: input.source.map(Into::into),
            processor: input.processor.map_value(Into::into).into(),
            destinations: input.destinations.map(|list| list.into_iter().map(Into::into).collect()),
            batch_seconds: input.batch_seconds.into(),
            hold_seconds: input.hold_seconds.into(),
            cushion_seconds: input.cushion_seconds.into(),
            keep: input.keep.map(Into::into),
            stages: input.stages.map(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{InputType, Value as Given};
    use serde_json::json;

    use super::destinations::EnhancedRtmp;
    use super::source::WhenEnded;
    use super::*;
    use crate::graphql::scalars::BigInt;

    #[test]
    fn everything_that_the_core_shows_is_read() {
        let patch: Patch = serde_json::from_value(json!({
            "source": { "url": "http://u:pw@o.test/live.m3u8?t=SECRET", "maxBandwidth": 5_000_000, "audio": { "language": "de" }, "whenEnded": "stop", "headers": [{ "name": "X-Key", "value": "SECRET" }] },
            "processor": { "url": "https://p.test/ns?key=SECRET", "auth": { "token": "SECRET" }, "inFlight": 2 },
            "destinations": [{ "url": "rtmp://h.test/live/SECRET", "srsApi": "http://127.0.0.1:1985", "enhancedRtmp": "always" }],
            "batchSeconds": 6,
            "keep": { "batches": 3, "maxBytes": 10_000_000_000u64 },
            "stages": { "batching": { "settings": { "batch_seconds": 6 } } },
        }))
        .unwrap();
        let settings = Settings::default().patched(patch).unwrap();
        let shown: PipelineSettings = (&settings).into();
        assert_eq!(shown.source.headers[0].name, "X-Key");
        assert_eq!(shown.source.max_bandwidth, Some(BigInt(5_000_000)));
        assert_eq!(shown.source.audio.as_ref().unwrap().language.as_deref(), Some("de"));
        assert_eq!(shown.source.when_ended, Some(WhenEnded::Stop));
        assert!(shown.processor.as_ref().unwrap().has_auth);
        assert_eq!(shown.destinations[0].id, settings.destinations[0].id());
        assert_eq!(shown.destinations[0].enhanced_rtmp, EnhancedRtmp::Always);
        assert_eq!((shown.batch_seconds, shown.keep.max_bytes), (Some(6), Some(BigInt(10_000_000_000))));
        assert_eq!(shown.stages.batching.settings, Some(json!({ "batch_seconds": 6 })));
        assert!(!format!("{shown:?}").contains("SECRET"), "{shown:?}");
    }

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
                    "headerHosts": null, "audio": null, "program": null,
                    "catchUp": null,
                },
                "destinations": [{ "id": "a", "name": null, "enabled": null, "srsApi": null, "enhancedRtmp": null }],
                "stages": { "batching": null, "framing": { "component": null, "settings": null }, "remuxPlanning": {} },
            }),
            json!({
                "source": {
                    "url": "u", "backupUrl": "b", "maxBandwidth": 6_000_000_000u64, "resolution": "1x1", "liveEdge": 5,
                    "audio": { "pid": 257, "language": "de", "codec": "aac", "name": "Deutsch" }, "program": 2,
                    "headers": [{ "name": "a" }, { "name": "b", "value": "c" }], "headerHosts": ["h.test"],
                },
                "processor": {
                    "url": "p", "path": "/s", "namespace": "/n", "auth": { "k": [1, null] }, "headers": [], "inFlight": 3,
                    "preRoll": false,
                },
                "destinations": [{ "url": "d", "name": "n", "enabled": false, "srsApi": "s" }],
                "batchSeconds": 6, "holdSeconds": 1.5, "cushionSeconds": 2.0,
                "keep": { "batches": 1, "maxAgeSeconds": 2, "maxBytes": 3, "output": true },
                "stages": { "batching": { "component": "c", "settings": { "x": 1 } } },
            }),
            json!({ "processor": { "path": null, "namespace": null, "auth": null, "inFlight": null, "preRoll": null } }),
        ] {
            let (by_graphql, by_json) = both(given.clone());
            assert_eq!(by_graphql, by_json, "{given}");
        }
    }
}
