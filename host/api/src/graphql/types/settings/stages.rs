//! The stages of a pipeline.

use async_graphql::{InputObject, MaybeUndefined, SimpleObject};
use serde::Deserialize;
use serde_json::Value;

use crate::graphql::types::stage::FailurePolicy;
use outboard_pipeline::settings::{StagePatch, StagesPatch};

/// The stages of a pipeline.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "StagesSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Stages {
    /// The stage that decides where a batch is cut.
    pub(super) batching: Stage,
    /// The stage that decides how a fragment is framed for the processor.
    pub(super) framing: Stage,
    /// The stage that decides how the returned audio is put on air.
    pub(super) remux_planning: Stage,
}

/// A stage: a component and its settings.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "StageSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// Digest of a component in the host's store, `sha256:…`. Null: the default component of this kind.
    pub(super) component: Option<String>,
    /// Settings object that matches the component's JSON schema. Null: the component's defaults.
    pub(super) settings: Option<Value>,
    /// Fallback if the stage fails. Null: the previous version if there is one, or else the host.
    pub(super) on_failure: Option<FailurePolicy>,
    /// True if a newer file of the same name is swapped in automatically.
    pub(super) auto_swap: bool,
    /// True if neither a newer file nor a rollout changes the stage.
    pub(super) pinned: bool,
}

/// The stages of a pipeline. Null resets a stage to the default component with its default settings.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "StagesSettingsInput")]
pub struct StagesInput {
    /// The stage that decides where a batch is cut.
    pub(super) batching: MaybeUndefined<StageInput>,
    /// The stage that decides how a fragment is framed for the processor.
    pub(super) framing: MaybeUndefined<StageInput>,
    /// The stage that decides how the returned audio is put on air.
    pub(super) remux_planning: MaybeUndefined<StageInput>,
}

/// A stage: a component and its settings.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "StageSettingsInput")]
pub struct StageInput {
    /// Digest of a component in the host's store, `sha256:…`. Null: the default component of this kind.
    pub(super) component: MaybeUndefined<String>,
    /// Complete settings object that matches the component's JSON schema. Null: the component's defaults.
    pub(super) settings: MaybeUndefined<Value>,
    /// Fallback if the stage fails. Null: the previous version if there is one, or else the host.
    pub(super) on_failure: MaybeUndefined<FailurePolicy>,
    /// True: swap in a newer file of the same name automatically. Null: false.
    pub(super) auto_swap: MaybeUndefined<bool>,
    /// True: neither a newer file nor a rollout changes the stage. Null: false.
    pub(super) pinned: MaybeUndefined<bool>,
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

impl From<StagesInput> for StagesPatch {
    fn from(input: StagesInput) -> Self {
        Self {
            batching: input.batching.map_value(Into::into).into(),
            framing: input.framing.map_value(Into::into).into(),
            remux_planning: input.remux_planning.map_value(Into::into).into(),
        }
    }
}
