//! The stages: each is loaded and opened with its settings, as for a new stream, and dropped.

use std::sync::Arc;

use super::{Check, Fault, Finding, check};
use crate::limits::DRY_RUN_STAGE_LIMIT;
use outboard_base::Problem;
use outboard_pipeline::load::{batch_seconds, component_of, opening};
use outboard_pipeline::settings::PipelineConfig;
use outboard_pipeline::{Host, Owner};
use outboard_stage::{
    BatchingStage, CompileRequester, FramingStage, RemuxStage, StageComponent, StageError, StageKind, contract,
};

/// What was seen of a stage.
pub(super) struct StageFindings {
    pub(super) check: Check,
    /// With the settings, as the stage itself names them.
    pub(super) problems: Vec<Problem>,
}

pub(super) async fn batching(host: &Host, owner: &Owner, config: &PipelineConfig) -> StageFindings {
    let seconds = batch_seconds(config);
    let (seen, _) = look((host, owner), config, StageKind::Batching, "batching", async |component| {
        BatchingStage::open(host.runtime(), component, opening(owner, config, "batching"), seconds).await
    })
    .await;
    seen
}

pub(super) async fn remux_planning(host: &Host, owner: &Owner, config: &PipelineConfig) -> StageFindings {
    let (seen, _) = look((host, owner), config, StageKind::RemuxPlanning, "remux_planning", async |component| {
        RemuxStage::open(host.runtime(), component, opening(owner, config, "remux_planning")).await
    })
    .await;
    seen
}

/// The stage too, if it opened.
pub(super) async fn framing(
    host: &Host,
    owner: &Owner,
    config: &PipelineConfig,
) -> (StageFindings, Option<FramingStage>) {
    look((host, owner), config, StageKind::Framing, "framing", async |component| {
        FramingStage::open(host.runtime(), component, opening(owner, config, "framing")).await
    })
    .await
}

async fn look<T>(
    (host, owner): (&Host, &Owner),
    config: &PipelineConfig,
    kind: StageKind,
    key: &'static str,
    open: impl AsyncFnOnce(Arc<StageComponent>) -> Result<T, StageError>,
) -> (StageFindings, Option<T>) {
    let path = if key == "remux_planning" { "stages.remuxPlanning".to_owned() } else { format!("stages.{key}") };
    let asker = CompileRequester::of(Some(&owner.tenant));
    let (mut problems, mut opened) = (Vec::new(), None);
    let check = check(path.clone(), DRY_RUN_STAGE_LIMIT, async {
        let component = component_of(host.runtime(), &asker, config, kind, key).await.map_err(Fault::lasting)?;
        let description = component.description().clone();
        let digest = component.digest().to_string();
        match open(component).await {
            Ok(stage) => opened = Some(stage),
            Err(error) => {
                problems = problems_of(&path, &error);
                let why = format!("{} {}: {error}", description.name, description.version);
                return Err(Fault::lasting(why));
            }
        }
        let finding = Finding::new(format!("{} {} accepts its settings", description.name, description.version));
        Ok(finding.fact("name", description.name).fact("version", description.version).fact("digest", digest))
    });
    (StageFindings { check: check.await, problems }, opened)
}

fn problems_of(path: &str, error: &StageError) -> Vec<Problem> {
    let StageError::Answered { error: contract::Error::InvalidSettings(problems), .. } = error else {
        return Vec::new();
    };
    let place = |inner: &str| match inner {
        "" => format!("{path}.settings"),
        inner => format!("{path}.settings.{inner}"),
    };
    problems.iter().map(|one| Problem { path: place(&one.path), message: one.message.clone() }).collect()
}
