//! The components that stages can be made of.

use std::sync::Arc;

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use crate::limits::COMPONENTS_LISTED_MAX;
use crate::stage::{StageComponent, StageKind};
use crate::store::files::components_dir;

/// Where a component comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentOrigin {
    /// With the host: the one that is used where none is chosen.
    Default,
    /// With the host.
    Alternative,
    /// Somebody added it.
    Added,
}

impl Control {
    /// The bundled components, in the order of the data, each kind's default first, and those in the host's store. A file
    /// that cannot be used any more is left out and logged.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn stage_components(
        &self,
        actor: &Actor,
    ) -> Result<Vec<(Arc<StageComponent>, ComponentOrigin)>, ControlError> {
        actor.check(Action::ViewStages, Some(actor.home()))?;
        let runtime = self.0.host.runtime();
        let mut all = Vec::new();
        for kind in StageKind::ALL {
            for (n, loaded) in runtime.all_bundled(kind).await.into_iter().enumerate() {
                let origin = if n == 0 { ComponentOrigin::Default } else { ComponentOrigin::Alternative };
                match loaded {
                    Ok(component) => all.push((component, origin)),
                    Err(error) => tracing::error!(%error, "a bundled component cannot be used"),
                }
            }
        }
        let mut stored = Vec::new();
        for file in self.stored_components().await {
            match runtime.load_file(&file).await {
                Ok(component) => stored.push((component, ComponentOrigin::Added)),
                Err(error) => tracing::warn!(%error, file = %file.display(), "a stored component cannot be used"),
            }
        }
        stored.retain(|(one, _)| all.iter().all(|(bundled, _)| bundled.digest() != one.digest()));
        stored.sort_by_key(|(one, _)| {
            (one.kind().name(), one.description().name.clone(), one.description().version.clone())
        });
        all.extend(stored);
        Ok(all)
    }

    /// The files in the host's store, at most [`COMPONENTS_LISTED_MAX`].
    async fn stored_components(&self) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        // Nothing was ever put there.
        let Ok(mut dir) = tokio::fs::read_dir(components_dir(self.0.host.storage().root())).await else { return files };
        while let Ok(Some(entry)) = dir.next_entry().await {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "wasm") && files.len() < COMPONENTS_LISTED_MAX {
                files.push(path);
            }
        }
        files
    }
}
