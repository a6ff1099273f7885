//! The three stages of a pipeline, each opened in its seat: from its file or as bundled, with its settings, its state and the
//! version before it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LoadError;
use crate::host::Host;
use crate::host::Owner;
use crate::settings::PipelineConfig;
use crate::watch::RunningStage;
use outboard_exchange::Exchange;

use outboard_stage::swap::{Shared, StageSlots};
use outboard_stage::{
    BatchingStage, CompileRequester, FramingStage, Opening, RemuxStage, StageComponent, StageKind, StageLabels,
    StageRuntime,
};
use outboard_store::journal::Resumed;

/// The three stages in their seats.
pub(super) struct Stages {
    pub(super) batching: Shared<BatchingStage>,
    pub(super) framing: Shared<FramingStage>,
    pub(super) remux: Shared<RemuxStage>,
}

impl Stages {
    pub(super) async fn open(
        host: &Host,
        owner: &Owner,
        config: &PipelineConfig,
        resumed: &Resumed,
    ) -> Result<Self, LoadError> {
        let (runtime, batch_seconds) = (host.runtime(), batch_seconds(config));
        let asker = CompileRequester::starting(&owner.tenant);
        let open = async |kind: StageKind, key: &'static str| -> Result<_, LoadError> {
            let component = component_of(runtime, &asker, config, kind, key).await?;
            let state = resumed.stages.get(kind.name()).map(|snapshot| snapshot.state.clone());
            let previous = previous_of(runtime, &asker, config, kind, key).await;
            let opening = Opening { state, previous, failure_sink: host.failure_sink(), ..opening(owner, config, key) };
            Ok((component, opening))
        };
        // A stream that was on air goes on, whatever its stages make of their old state: they are tried again later.
        let again = resumed.unfinished;
        let refused = |kind| move |source| LoadError::Stage { kind, source };
        let (component, opening) = open(StageKind::Batching, "batching").await?;
        let batching = match again {
            true => BatchingStage::resume(runtime, component, opening, batch_seconds).await,
            false => {
                BatchingStage::open(runtime, component, opening, batch_seconds).await.map_err(refused("batching"))?
            }
        };
        let (component, opening) = open(StageKind::Framing, "framing").await?;
        let framing = match again {
            true => FramingStage::resume(runtime, component, opening).await,
            false => FramingStage::open(runtime, component, opening).await.map_err(refused("framing"))?,
        };
        let (component, opening) = open(StageKind::RemuxPlanning, "remux_planning").await?;
        let remux = match again {
            true => RemuxStage::resume(runtime, component, opening).await,
            false => RemuxStage::open(runtime, component, opening).await.map_err(refused("remux_planning"))?,
        };
        Ok(Self { batching: shared(batching), framing: shared(framing), remux: shared(remux) })
    }

    pub(super) fn swaps(&self, exchange: Option<&Exchange>) -> StageSlots {
        let wake = exchange.map(Exchange::waker);
        let wake = move || wake.iter().for_each(|wake| wake());
        StageSlots::new(self.batching.clone(), self.framing.clone(), self.remux.clone(), wake)
    }

    pub(super) async fn running(&self) -> Vec<RunningStage> {
        let swaps = self.swaps(None);
        let mut running = Vec::new();
        for kind in StageKind::ALL {
            running.push(RunningStage { kind, status: swaps.status_feed(kind).await });
        }
        running
    }
}

fn shared<S>(stage: S) -> Shared<S> {
    Arc::new(tokio::sync::Mutex::new(stage))
}

/// How a stage of a new stream is opened. `key`: its kind in the settings.
pub fn opening(owner: &Owner, config: &PipelineConfig, key: &str) -> Opening {
    let own = config.stages.files.contains_key(key);
    Opening {
        settings: stage_settings(key, own, config.stages.settings.get(key).cloned(), batch_seconds(config)),
        state: None,
        limits: owner.stage_limits,
        labels: StageLabels::new(&owner.tenant, &config.stream_id),
        on_failure: config.stages.on_failure.get(key).copied().unwrap_or_default(),
        ..Opening::default()
    }
}

/// Settings as a stage is opened with them. `own`: it is not the bundled one, which is told the length of batches.
pub fn stage_settings(key: &str, own: bool, settings: Option<serde_json::Value>, batch_seconds: u32) -> String {
    let mut settings = settings;
    if key == "batching" && !own {
        let object = settings.get_or_insert_with(|| serde_json::json!({}));
        if let Some(object) = object.as_object_mut() {
            object.entry("batch_seconds").or_insert_with(|| batch_seconds.into());
        }
    }
    settings.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// A component from its file, or the bundled one of a kind.
pub async fn bundled_or_file(
    runtime: &StageRuntime,
    asker: &CompileRequester,
    kind: StageKind,
    file: Option<&Path>,
) -> Result<Arc<StageComponent>, outboard_stage::LoadError> {
    match file {
        Some(file) => runtime.load_file_for(file, asker).await,
        None => runtime.bundled(kind).await,
    }
}

/// The version of a stage that was on air before, with its settings. One that cannot be loaded any more is none.
async fn previous_of(
    runtime: &StageRuntime,
    asker: &CompileRequester,
    config: &PipelineConfig,
    wanted: StageKind,
    key: &str,
) -> Option<(Arc<StageComponent>, String)> {
    let previous = config.stages.previous.get(key)?;
    let settings = || stage_settings(key, previous.file.is_some(), previous.settings.clone(), batch_seconds(config));
    match bundled_or_file(runtime, asker, wanted, previous.file.as_deref()).await {
        Ok(component) if component.kind() == wanted => Some((component, settings())),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(kind = wanted.name(), %error, "the previous version can no longer be used");
            None
        }
    }
}

/// The component of a stage. `kind`: its kind in the settings.
pub async fn component_of(
    runtime: &StageRuntime,
    asker: &CompileRequester,
    config: &PipelineConfig,
    wanted: StageKind,
    kind: &'static str,
) -> Result<Arc<StageComponent>, LoadError> {
    let file = config.stages.files.get(kind).map(PathBuf::as_path);
    let component = bundled_or_file(runtime, asker, wanted, file).await;
    let component = component.map_err(|source| LoadError::Component { kind, source })?;
    let Some(file) = file.filter(|_| component.kind() != wanted) else { return Ok(component) };
    Err(LoadError::Kind { kind, file: file.display().to_string(), found: component.kind().name() })
}

/// Length of a batch in whole seconds, as stages are told it.
pub fn batch_seconds(config: &PipelineConfig) -> u32 {
    u32::try_from(config.batch.as_secs()).unwrap_or(u32::MAX)
}
