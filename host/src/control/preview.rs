//! What went on air of a pipeline, for those who may look at it.

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::runner::RunState;
use crate::preview::{Aired, Preview, PreviewRequest};

impl Control {
    /// What is needed to answer for this part of a pipeline's preview.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn preview(&self, actor: &Actor, id: &str, wanted: PreviewRequest) -> Result<Preview, ControlError> {
        let entry = self.allowed(actor, Action::ViewMedia, id)?;
        let PipelineId { tenant, stream } = entry.id();
        let storage = self.0.host.storage();
        let files = storage.stream(tenant, stream).map_err(|error| {
            tracing::error!(%error, "preview");
            ControlError::Unavailable("the storage cannot be read".to_owned())
        })?;
        let batches = match wanted {
            PreviewRequest::Playlist => {
                Aired::newest(self.0.host.journal(), tenant, stream).await.map_err(super::listing::unread)?
            }
            PreviewRequest::Batch(..) => Vec::new(),
        };
        let snapshot = entry.snapshot();
        let ended = snapshot.run.state == RunState::Stopped && !entry.desired_running();
        Ok(Preview { files, batches, air_ms: snapshot.air_ms, ended })
    }
}
