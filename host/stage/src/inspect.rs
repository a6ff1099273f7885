//! The report that `outboard stage check FILE` and `outboard stage inspect FILE` print.

use super::batching::BatchingStage;
use super::component::StageComponent;
use super::contract;
use super::error::{LoadError, StageError};
use super::framing::FramingStage;
use super::kind::StageKind;
use super::opening::Opening;
use super::remux::RemuxStage;
use super::runtime::StageRuntime;
use crate::limits::BATCH_SECONDS_DEFAULT;
use outboard_base::Digest;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a file can be used as a stage, and what it is.
#[derive(Debug, Clone, Serialize)]
pub struct StageReport {
    /// The path of the file.
    pub file: PathBuf,
    /// Why the file cannot be used; empty if it can.
    pub problems: Vec<String>,
    /// Remarks that do not keep the file from being used.
    pub notes: Vec<String>,
    /// Facts about the stage; `None` if the file could not be loaded.
    pub stage: Option<StageFacts>,
}

/// Facts about a stage.
#[derive(Debug, Clone, Serialize)]
pub struct StageFacts {
    /// The kind of stage.
    pub kind: StageKind,
    /// The name that it declares.
    pub name: String,
    /// The version that it declares.
    pub version: String,
    /// What it does, in its own words.
    pub summary: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Size of the file in bytes.
    pub size: u64,
    /// Names of the interfaces it imports.
    pub imports: Vec<String>,
    /// Names of the interfaces it exports.
    pub exports: Vec<String>,
    /// JSON Schema of its settings.
    pub settings_schema: serde_json::Value,
}

impl StageReport {
    /// True if the file can be used as a stage.
    pub fn is_usable(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Inspects a file: loads it as the host would, opens it with default settings, and opens another instance with its snapshot. Never
/// fails; problems are in the report.
pub async fn inspect(runtime: &StageRuntime, file: &Path) -> StageReport {
    let mut report = StageReport { file: file.to_owned(), problems: Vec::new(), notes: Vec::new(), stage: None };
    match runtime.load_file(file).await {
        Ok(component) => {
            report.stage = Some(facts(&component));
            rehearse(runtime, &component, &mut report).await;
        }
        Err(LoadError::ForbiddenImports(imports)) => {
            let told = |import: String| format!("it imports {import}, which a stage does not get");
            report.problems = imports.into_iter().map(told).collect();
        }
        Err(other) => report.problems.push(other.to_string()),
    }
    report
}

fn facts(component: &StageComponent) -> StageFacts {
    let description = component.description();
    StageFacts {
        kind: component.kind(),
        name: description.name.clone(),
        version: description.version.clone(),
        summary: description.summary.clone(),
        digest: component.digest(),
        size: component.size(),
        imports: component.imports().to_vec(),
        exports: component.exports().to_vec(),
        // It was checked to be JSON when the component was loaded.
        settings_schema: serde_json::from_str(&description.settings_schema).unwrap_or_default(),
    }
}

async fn rehearse(runtime: &StageRuntime, component: &Arc<StageComponent>, report: &mut StageReport) {
    let state = match open(runtime, component, None).await {
        Ok(state) => state,
        Err(StageError::Answered { error: contract::Error::InvalidSettings(problems), .. }) => {
            let told = |problem: contract::Problem| format!("{}: {}", problem.path, problem.message);
            let list = problems.into_iter().map(told).collect::<Vec<_>>().join("; ");
            report.notes.push(format!("it does not open without settings ({list})"));
            return;
        }
        Err(error) => {
            report.problems.push(error.to_string());
            return;
        }
    };
    if let Err(error) = open(runtime, component, state).await {
        report.problems.push(format!("it does not go on from its own snapshot: {error}"));
    }
}

/// Opens an instance and returns its snapshot.
async fn open(
    runtime: &StageRuntime,
    component: &Arc<StageComponent>,
    state: Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>, StageError> {
    let (component, opening) = (Arc::clone(component), Opening { state, ..Opening::default() });
    let snapshot = match component.kind() {
        StageKind::Batching => {
            let stage = BatchingStage::open(runtime, component, opening, BATCH_SECONDS_DEFAULT).await?;
            stage.snapshot().map(<[u8]>::to_vec)
        }
        StageKind::Framing => FramingStage::open(runtime, component, opening).await?.snapshot().map(<[u8]>::to_vec),
        StageKind::RemuxPlanning => RemuxStage::open(runtime, component, opening).await?.snapshot().map(<[u8]>::to_vec),
    };
    Ok(snapshot)
}

impl fmt::Display for StageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        if !self.is_usable() {
            writeln!(f, "{file}: not usable as a stage")?;
        }
        for problem in &self.problems {
            writeln!(f, "  problem: {problem}")?;
        }
        let Some(stage) = &self.stage else {
            return Ok(());
        };
        writeln!(f, "{file}: {} {} ({} stage)", stage.name, stage.version, stage.kind)?;
        writeln!(f, "  {}", stage.summary)?;
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        writeln!(f, "  digest   {}", stage.digest)?;
        writeln!(f, "  size     {} bytes", stage.size)?;
        writeln!(f, "  imports  {}", list(&stage.imports))?;
        writeln!(f, "  exports  {}", list(&stage.exports))?;
        writeln!(f, "  settings {:#}", stage.settings_schema)
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StageRuntimeConfig, bundled};

    #[tokio::test]
    async fn the_bundled_stages_are_usable() {
        let (tmp, config) = (tempfile::tempdir().unwrap(), StageRuntimeConfig::default());
        let runtime = StageRuntime::new(&config).unwrap();
        let of_kind = |kind| bundled::of_kind(kind).map(move |bundled| (kind, bundled));
        for (kind, (name, wasm)) in StageKind::ALL.into_iter().flat_map(of_kind) {
            let file = tmp.path().join(name);
            std::fs::write(&file, wasm).unwrap();
            let report = inspect(&runtime, &file).await;
            assert!(report.is_usable() && report.notes.is_empty(), "{report}");
            let stage = report.stage.as_ref().unwrap();
            assert_eq!((stage.kind, stage.name.as_str(), stage.size), (kind, name, wasm.len() as u64));
            let properties = stage.settings_schema["properties"].as_object().unwrap();
            assert!(
                properties.values().all(|property| property["title"].is_string() && !property["default"].is_null())
            );
            let printed = report.to_string();
            assert!(printed.contains(name) && printed.contains(&stage.digest.to_string()), "{printed}");
            assert_eq!(serde_json::to_value(&report).unwrap()["stage"]["kind"], kind.name());
        }
    }
}
