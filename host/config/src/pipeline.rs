//! The pipeline of a configuration: its keys are read into [`Settings`], which are checked like those of any other
//! pipeline.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{Keys, Problem};
use outboard_pipeline::limits::{AUDIO_PID, MAX_BANDWIDTH, PROGRAM, SPEED};
use outboard_pipeline::limits::{
    BATCH_SECONDS, CUSHION_SECONDS, HOLD_SECONDS, IN_FLIGHT, KEEP_BATCHES, KEEP_SECONDS, LIVE_EDGE,
};
use outboard_pipeline::settings::{
    Caller, CatchUp, Destination, Keep, PipelineConfig, Processor, STAGE_KINDS, Settings, Source, SourceAudio, Stage,
    Stages, WhenEnded,
};
use outboard_store::files::{FilesError, Storage, keep_component};

/// The pipeline of the configuration.
#[derive(Debug, Clone)]
pub struct Configured {
    /// Its settings without the components of its stages, which a configuration names as files.
    pub settings: Settings,
    /// The checked settings, with the stream id and the files of components.
    pub pipeline: PipelineConfig,
}

// === impl Configured ===

impl Configured {
    /// Copies the components' files into a server's store. Returns the stream id and the settings, which then refer to
    /// the components by digest.
    ///
    /// # Errors
    /// [`FilesError`] if a component's file cannot be read or stored.
    pub async fn kept(mut self, storage: &Storage) -> Result<(String, Settings), FilesError> {
        let Stages { batching, framing, remux_planning } = &mut self.settings.stages;
        for (kind, stage) in STAGE_KINDS.into_iter().zip([batching, framing, remux_planning]) {
            if let Some(file) = self.pipeline.stages.files.get(kind) {
                stage.component = Some(keep_component(storage.root(), file).await?);
            }
        }
        Ok((self.pipeline.stream_id, self.settings))
    }
}

/// Reads and checks a pipeline; its problems are added to those of `keys`.
pub(super) fn checked(keys: &mut Keys) -> Option<Configured> {
    let (stream_id, settings, components) = read(keys);
    match settings.resolve(&stream_id, None, Caller::Configuration) {
        Ok(mut pipeline) => {
            pipeline.stages.files = components;
            Some(Configured { settings, pipeline })
        }
        Err(problems) => {
            for Problem { path, message } in problems.0 {
                keys.problem(&path, message);
            }
            None
        }
    }
}

/// Reads a pipeline: its stream id, its settings, and the files of its components by kind. A value of the wrong type is
/// reported as a problem and left out.
pub(super) fn read(keys: &mut Keys) -> (String, Settings, BTreeMap<&'static str, PathBuf>) {
    let stream_id = keys.raw_text("pipeline.stream_id").unwrap_or_else(|| "live".to_owned());
    let settings = Settings {
        batch_seconds: small(keys.whole("pipeline.batch_seconds", &BATCH_SECONDS)),
        hold_seconds: hold(keys),
        cushion_seconds: keys.seconds("pipeline.cushion_seconds", &CUSHION_SECONDS),
        keep: Keep {
            batches: small(keys.whole("pipeline.keep_batches", &KEEP_BATCHES)),
            max_age_seconds: keys.whole("pipeline.keep_seconds", &KEEP_SECONDS),
            max_bytes: keys.bytes("pipeline.keep_bytes"),
            output: keys.flag("pipeline.keep_output").unwrap_or_default(),
        },
        source: Source {
            url: keys.raw_text("source.url").unwrap_or_default(),
            backup_url: keys.raw_text("source.backup_url"),
            max_bandwidth: keys.whole("source.max_bandwidth", &MAX_BANDWIDTH),
            resolution: keys.raw_text("source.resolution"),
            audio: SourceAudio {
                pid: small(keys.whole("source.audio_pid", &AUDIO_PID)),
                language: keys.raw_text("source.audio_language"),
                codec: keys.raw_text("source.audio_codec"),
                name: keys.raw_text("source.audio_name"),
            },
            program: small(keys.whole("source.program", &PROGRAM)),
            live_edge: small(keys.whole("source.live_edge", &LIVE_EDGE)),
            headers: keys.headers("source.headers"),
            header_hosts: keys.raw_list("source.header_hosts").unwrap_or_default(),
            when_ended: keys.word("source.when_ended", &WhenEnded::WORDS),
            catch_up: keys.word("source.catch_up", &CatchUp::WORDS),
        },
        processor: processor(keys),
        destinations: destinations(keys),
        speed: keys.seconds("air.speed", &SPEED),
        stages: Stages {
            batching: stage(keys, "batching"),
            framing: stage(keys, "framing"),
            remux_planning: stage(keys, "remux_planning"),
        },
    };
    let components = STAGE_KINDS.into_iter();
    let components = components.filter_map(|kind| Some((kind, keys.text(&format!("stages.{kind}"))?.into()))).collect();
    (stream_id, settings, components)
}

fn hold(keys: &mut Keys) -> Option<f64> {
    const PATH: &str = "pipeline.hold";
    if keys.peek_text(PATH).is_some_and(|text| text == "auto") {
        keys.text(PATH);
        return None;
    }
    keys.seconds(PATH, &HOLD_SECONDS)
}

/// `None` if no key of the section is set.
fn processor(keys: &mut Keys) -> Option<Processor> {
    let processor = Processor {
        url: keys.raw_text("processor.url").unwrap_or_default(),
        path: keys.raw_text("processor.path"),
        namespace: keys.raw_text("processor.namespace"),
        auth: keys.json("processor.auth"),
        headers: keys.headers("processor.headers"),
        in_flight: small(keys.whole("processor.in_flight", &IN_FLIGHT)),
        pre_roll: keys.word("processor.pre_roll", &[("true", true), ("false", false)]),
    };
    Some(processor).filter(|processor| *processor != Processor::default())
}

fn destinations(keys: &mut Keys) -> Vec<Destination> {
    let urls = keys.raw_list("air.to").unwrap_or_default();
    urls.into_iter().map(|url| Destination { url, ..Destination::default() }).collect()
}

fn stage(keys: &mut Keys, kind: &str) -> Stage {
    Stage { settings: keys.json(&format!("stages.{kind}_settings")), ..Stage::default() }
}

/// Converts to the setting's type; a value that is too large stays out of range.
fn small(number: Option<u64>) -> Option<u32> {
    number.map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}
