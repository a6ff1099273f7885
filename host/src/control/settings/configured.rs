//! The pipeline of the server's configuration, as settings: so that it is watched and steered like any other.

use std::collections::BTreeMap;

use super::{Destination, Header, Keep, Processor, Settings, Source, Stage, Stages};
use crate::config::{CatchUp, Hold, PipelineConfig};
use crate::store::files::{FilesError, Storage, keep_component};

impl Settings {
    /// Its stream id and its settings. Components that are named by file are put into the store.
    ///
    /// # Errors
    /// [`FilesError`]: a component's file cannot be read or kept.
    pub async fn configured(config: &PipelineConfig, storage: &Storage) -> Result<(String, Self), FilesError> {
        let headers = |headers: &[(String, String)]| -> Vec<Header> {
            headers.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() }).collect()
        };
        let mut stages = BTreeMap::new();
        for kind in crate::config::STAGE_KINDS {
            let component = match config.stages.files.get(kind) {
                Some(file) => Some(keep_component(storage.root(), file).await?),
                None => None,
            };
            let settings = config.stages.settings.get(kind).cloned();
            stages.insert(kind, Stage { component, settings, ..Stage::default() });
        }
        let mut stage = |kind| stages.remove(kind).unwrap_or_default();
        let settings = Self {
            source: Source {
                url: config.source.url.to_string(),
                backup_url: config.source.backup_url.as_ref().map(ToString::to_string),
                max_bandwidth: config.source.max_bandwidth,
                resolution: config.source.resolution.map(|(width, height)| format!("{width}x{height}")),
                live_edge: config.source.live_edge,
                headers: headers(&config.source.headers),
                header_hosts: config.source.header_hosts.clone(),
                when_ended: config.source.when_ended,
                catch_up: Some(config.source.catch_up).filter(|catch_up| *catch_up != CatchUp::default()),
            },
            processor: config.processor.as_ref().map(|processor| Processor {
                url: processor.url.to_string(),
                path: processor.path.clone(),
                namespace: processor.namespace.clone(),
                auth: processor.auth.clone(),
                headers: headers(&processor.headers),
                in_flight: u32::try_from(processor.in_flight).ok(),
            }),
            destinations: config.destinations.iter().map(Destination::from).collect(),
            batch_seconds: u32::try_from(config.batch.as_secs()).ok(),
            hold_seconds: match config.hold {
                Hold::Auto => None,
                Hold::After(after) => Some(after.as_secs_f64()),
            },
            cushion_seconds: config.cushion.map(|cushion| cushion.as_secs_f64()),
            keep: Keep {
                batches: u32::try_from(config.keep_batches).ok(),
                max_age_seconds: config.keep_age.map(|age| age.as_secs()),
                max_bytes: config.keep_bytes,
            },
            stages: Stages {
                batching: stage("batching"),
                framing: stage("framing"),
                remux_planning: stage("remux_planning"),
            },
            speed: Some(config.speed).filter(|speed| *speed > 1.0),
        };
        Ok((config.stream_id.clone(), settings))
    }
}
