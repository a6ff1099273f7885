//! What `outboard stage check FILE` and `outboard stage inspect FILE` tell.

use super::component::{Digest, StageKind};
use super::error::LoadError;
use super::runtime::StageRuntime;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a file is, as a stage.
#[derive(Debug, Clone, Serialize)]
pub struct StageReport {
    /// The file.
    pub file: PathBuf,
    /// Why it cannot be used; empty: it can.
    pub problems: Vec<String>,
    /// What it is; absent if it cannot be used.
    pub stage: Option<StageFacts>,
}

/// What a usable stage is.
#[derive(Debug, Clone, Serialize)]
pub struct StageFacts {
    /// What it decides.
    pub kind: StageKind,
    /// Name by its own account.
    pub name: String,
    /// Version by its own account.
    pub version: String,
    /// What it does, by its own account.
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
    /// Whether the file can be used as a stage.
    pub fn is_usable(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Looks at a file: loads it as the host would, and asks it to describe itself. Never fails; problems are in the report.
pub async fn inspect(runtime: &StageRuntime, file: &Path) -> StageReport {
    match runtime.load_file(file).await {
        Ok(component) => {
            let description = component.description();
            let stage = StageFacts {
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
            };
            StageReport { file: file.to_owned(), problems: Vec::new(), stage: Some(stage) }
        }
        Err(error) => StageReport { file: file.to_owned(), problems: problems(&error), stage: None },
    }
}

/// One line a problem.
fn problems(error: &LoadError) -> Vec<String> {
    match error {
        LoadError::ForbiddenImports(imports) => {
            imports.iter().map(|import| format!("it imports {import}, which a stage does not get")).collect()
        }
        other => vec![other.to_string()],
    }
}

impl fmt::Display for StageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let Some(stage) = &self.stage else {
            writeln!(f, "{file}: not usable as a stage")?;
            return self.problems.iter().try_for_each(|problem| writeln!(f, "  - {problem}"));
        };
        writeln!(f, "{file}: {} {} ({} stage)", stage.name, stage.version, stage.kind)?;
        writeln!(f, "  {}", stage.summary)?;
        writeln!(f, "  digest   {}", stage.digest)?;
        writeln!(f, "  size     {} bytes", stage.size)?;
        writeln!(f, "  imports  {}", list(&stage.imports))?;
        writeln!(f, "  exports  {}", list(&stage.exports))?;
        write!(f, "  settings {:#}", stage.settings_schema)
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
