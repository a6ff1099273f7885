//! Stages: settings, change, check, and the effect of a change on air.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::change_effect::{ChangeEffect, Part};
use super::checks::Checks;
use super::patch_field::{named, set};
use outboard_stage::{FailurePolicy, StageKind};
use outboard_store::files::Storage;

/// The three stages of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stages {
    /// Decides where a batch ends.
    pub batching: Stage,
    /// Converts between fragments and the processor's messages.
    pub framing: Stage,
    /// Decides which audio goes on air, and how.
    pub remux_planning: Stage,
}

/// One stage: its component and its settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// Digest (`sha256:…`) of a component in the host's store; `None`: the bundled one.
    pub component: Option<String>,
    /// A JSON object that matches the stage's own schema; `None`: its defaults.
    pub settings: Option<Value>,
    /// What decides after a failure; `None`: the previous version, then the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<FailurePolicy>,
    /// Whether a newer file of the same name is swapped in automatically.
    #[serde(skip_serializing_if = "is_false")]
    pub auto_swap: bool,
    /// Whether newer files and roll-outs leave this stage unchanged.
    #[serde(skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// The previous version of the stage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousStage>,
}

/// The previous version of a stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PreviousStage {
    /// The component of that version, see [`Stage::component`].
    pub component: Option<String>,
    /// The stage's own settings, see [`Stage::settings`].
    pub settings: Option<Value>,
}

/// Changes of the stages.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StagesPatch {
    /// Changes of the batching stage; `null`: the bundled one with its defaults.
    #[serde(deserialize_with = "named")]
    pub batching: Option<Option<StagePatch>>,
    /// Changes of the framing stage; `null`: the bundled one with its defaults.
    #[serde(deserialize_with = "named")]
    pub framing: Option<Option<StagePatch>>,
    /// Changes of the remux-planning stage; `null`: the bundled one with its defaults.
    #[serde(deserialize_with = "named")]
    pub remux_planning: Option<Option<StagePatch>>,
}

/// A change of one stage.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct StagePatch {
    /// Digest of a component in the host's store; `null`: the bundled one.
    #[serde(deserialize_with = "named")]
    pub component: Option<Option<String>>,
    /// Its settings, as a complete object; `null`: its defaults.
    #[serde(deserialize_with = "named")]
    pub settings: Option<Option<Value>>,
    /// What decides after a failure; `null`: the previous version, then the host.
    #[serde(deserialize_with = "named")]
    pub on_failure: Option<Option<FailurePolicy>>,
    /// New value of [`Stage::auto_swap`]; `null`: false.
    #[serde(deserialize_with = "named")]
    pub auto_swap: Option<Option<bool>>,
    /// New value of [`Stage::pinned`]; `null`: false.
    #[serde(deserialize_with = "named")]
    pub pinned: Option<Option<bool>>,
}

/// Checked [`Stages`], by kind.
#[derive(Debug, Clone, Default)]
pub struct StagesConfig {
    /// Files that replace the bundled components.
    pub files: BTreeMap<&'static str, PathBuf>,
    /// Settings as JSON objects.
    pub settings: BTreeMap<&'static str, Value>,
    /// What decides after a failure.
    pub on_failure: BTreeMap<&'static str, FailurePolicy>,
    /// The version before the current one, by name of the stage; only stages that have one.
    pub previous: BTreeMap<&'static str, PreviousStageConfig>,
}

/// The previous version of a stage, checked.
#[derive(Debug, Clone)]
pub struct PreviousStageConfig {
    /// Its file; `None`: the bundled component.
    pub file: Option<PathBuf>,
    /// Its settings as a JSON object.
    pub settings: Option<Value>,
}

/// The kinds of stages, as named in the configuration.
pub const STAGE_KINDS: [&str; 3] = ["batching", "framing", "remux_planning"];

/// The name of a kind in the configuration.
pub fn key(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Batching => "batching",
        StageKind::Framing => "framing",
        StageKind::RemuxPlanning => "remux_planning",
    }
}

/// The path of a stage's component in [`super::Settings`].
pub fn component_path(kind: StageKind) -> String {
    format!("stages.{}.component", json_key(kind))
}

/// The name of a kind in [`super::Settings`] as JSON.
fn json_key(kind: StageKind) -> &'static str {
    match kind {
        StageKind::Batching => "batching",
        StageKind::Framing => "framing",
        StageKind::RemuxPlanning => "remuxPlanning",
    }
}

// === impl Stages ===

impl Stages {
    /// The stage of a kind.
    pub fn of(&self, kind: StageKind) -> &Stage {
        match kind {
            StageKind::Batching => &self.batching,
            StageKind::Framing => &self.framing,
            StageKind::RemuxPlanning => &self.remux_planning,
        }
    }

    /// The stage of a kind, mutable.
    pub fn of_mut(&mut self, kind: StageKind) -> &mut Stage {
        match kind {
            StageKind::Batching => &mut self.batching,
            StageKind::Framing => &mut self.framing,
            StageKind::RemuxPlanning => &mut self.remux_planning,
        }
    }

    /// Whether a stage uses this component now or in its previous version.
    pub fn names(&self, digest: &str) -> bool {
        StageKind::ALL.into_iter().any(|kind| {
            let stage = self.of(kind);
            let before = stage.previous.as_ref().and_then(|previous| previous.component.as_deref());
            stage.component.as_deref() == Some(digest) || before == Some(digest)
        })
    }

    /// Checks all fields. Components are looked up in `storage`; a configuration passes none, because it names files.
    pub(super) fn resolve(&self, storage: Option<&Storage>, checks: &mut Checks) -> StagesConfig {
        let mut resolved = StagesConfig::default();
        for kind in StageKind::ALL {
            let Stage { component, settings, on_failure, auto_swap: _, pinned: _, previous } = self.of(kind);
            let name = key(kind);
            match settings {
                Some(settings) if settings.is_object() => drop(resolved.settings.insert(name, settings.clone())),
                Some(_) => {
                    let path =
                        checks.name(format!("stages.{}.settings", json_key(kind)), format!("stages.{name}_settings"));
                    checks.wrong(path, "must be a table of settings");
                }
                None => {}
            }
            resolved.on_failure.extend(on_failure.map(|policy| (name, policy)));
            let Some(storage) = storage else { continue };
            if let Some(component) = component {
                resolved.files.extend(file(component, kind, storage, checks).map(|file| (name, file)));
            }
            if let Some(previous) = previous {
                let file = previous.component.as_deref().and_then(|digest| storage.component(digest));
                let settings = previous.settings.clone();
                resolved.previous.insert(name, PreviousStageConfig { file, settings });
            }
        }
        resolved
    }

    /// Applies a change to these settings.
    pub(super) fn patch(&mut self, patch: StagesPatch) {
        patch_stage(&mut self.batching, patch.batching);
        patch_stage(&mut self.framing, patch.framing);
        patch_stage(&mut self.remux_planning, patch.remux_planning);
    }

    pub(super) fn effect(&self, new: &Self, effect: &mut ChangeEffect) {
        for kind in StageKind::ALL {
            let (old, new) = (self.of(kind), new.of(kind));
            // The previous version decides nothing now; it is only the target of a roll-back.
            let Stage { component, settings, on_failure, auto_swap, pinned, previous } = old;
            effect.live(Part::Stages, (component, settings) != (&new.component, &new.settings));
            let policy = (on_failure, auto_swap, pinned, previous);
            effect.live(Part::StagePolicy, policy != (&new.on_failure, &new.auto_swap, &new.pinned, &new.previous));
        }
    }

    /// All fields except the previous version, which the status shows.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.clone();
        for kind in StageKind::ALL {
            shown.of_mut(kind).previous = None;
        }
        json!(shown)
    }
}

/// The file of a component that is not bundled.
fn file(component: &str, kind: StageKind, storage: &Storage, checks: &mut Checks) -> Option<PathBuf> {
    let wrong = match storage.component(component) {
        Some(file) if file.is_file() => return Some(file),
        Some(_) => format!("{component} is not in this host's store; add it with `outboard stage add FILE`"),
        None => format!("{component:?} is not a digest: \"sha256:\" and 64 hexadecimal digits"),
    };
    checks.wrong(component_path(kind), wrong);
    None
}

fn patch_stage(stage: &mut Stage, patch: Option<Option<StagePatch>>) {
    let before = stage.clone();
    match patch {
        Some(Some(patch)) => {
            set(&mut stage.component, patch.component);
            set(&mut stage.settings, patch.settings);
            set(&mut stage.on_failure, patch.on_failure);
            stage.auto_swap = patch.auto_swap.map_or(stage.auto_swap, Option::unwrap_or_default);
            stage.pinned = patch.pinned.map_or(stage.pinned, Option::unwrap_or_default);
            remember(stage, before);
        }
        Some(None) => {
            *stage = Stage::default();
            remember(stage, before);
        }
        None => {}
    }
}

/// Records the previous version when the component changes.
fn remember(stage: &mut Stage, before: Stage) {
    stage.previous = match stage.component == before.component {
        true => before.previous,
        false => Some(PreviousStage { component: before.component, settings: before.settings }),
    };
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_false(value: &bool) -> bool {
    !value
}

impl From<&Stage> for PreviousStage {
    fn from(stage: &Stage) -> Self {
        Self { component: stage.component.clone(), settings: stage.settings.clone() }
    }
}
