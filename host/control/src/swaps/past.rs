//! Swaps that were, swaps as they go on, and what running stages recorded.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};

use super::StageSwaps;
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::registry::SwapRow;
use crate::watching::{Watched, received};
use outboard_stage::StageKind;
use outboard_stage::recording::Recording;

use outboard_store::page::{Listed, Page};

impl StageSwaps {
    /// Reads one swap by its id, in progress or ended.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if it does not exist or is another tenant's; the database cannot be read.
    pub async fn get(&self, actor: &Actor, id: u64) -> Result<SwapRow, ControlError> {
        let absent = || ControlError::NotFound(format!("there is no swap {id}"));
        let row = self.registry.swap(id).await?.ok_or_else(absent)?;
        let tenant = Some(row.pipeline.tenant.as_str());
        actor.check(Action::ViewPipelines, tenant).map_err(|denied| denied.or_absent(absent()))?;
        Ok(row)
    }

    /// Lists the swaps of a pipeline, one page at a time.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn list(&self, actor: &Actor, id: &str, page: Page) -> Result<Listed<SwapRow>, ControlError> {
        let handle = self.directory.allowed(actor, Action::ViewPipelines, id)?;
        Ok(self.registry.swaps(handle.id(), page).await?)
    }

    /// Each change of a swap from now on: of one pipeline, or of all that the caller may see.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn watch(
        &self,
        actor: &Actor,
        id: Option<&str>,
    ) -> Result<impl Stream<Item = Watched<Arc<SwapRow>>> + Send + use<>, ControlError> {
        let only = match id {
            Some(id) => Some(self.directory.allowed(actor, Action::ViewPipelines, id)?.id().clone()),
            None => {
                actor.check(Action::ViewPipelines, actor.tenant.as_deref())?;
                None
            }
        };
        let actor = actor.clone();
        let wanted = move |swap: &Watched<Arc<SwapRow>>| {
            std::future::ready(match swap {
                Watched::Item(row) => {
                    only.as_ref().is_none_or(|id| *id == row.pipeline) && actor.knows(&row.pipeline.tenant)
                }
                Watched::Lost(_) => true,
            })
        };
        Ok(Box::pin(received(self.under_way.listen()).filter(wanted)))
    }

    /// The last calls of a running stage.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Conflict`] where the pipeline does not run.
    pub async fn recording(&self, actor: &Actor, id: &str, kind: StageKind) -> Result<Recording, ControlError> {
        let handle = self.directory.allowed(actor, Action::ViewMedia, id)?;
        match handle.swaps() {
            Some((_, swaps)) => Ok(swaps.recording(kind).await),
            None => Err(ControlError::Conflict(format!("{} is not running: there is no recording", handle.id()))),
        }
    }

    /// The file of some evidence.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if the pipeline or the file does not exist; [`ControlError::Forbidden`].
    pub fn evidence(&self, actor: &Actor, id: &str, evidence: &str) -> Result<PathBuf, ControlError> {
        let handle = self.directory.allowed(actor, Action::ViewMedia, id)?;
        let file = self.host.evidence().file(&handle.id().tenant, &handle.id().stream, evidence);
        file.filter(|file| file.is_file())
            .ok_or_else(|| ControlError::NotFound(format!("there is no evidence {evidence:?} (any more)")))
    }
}
