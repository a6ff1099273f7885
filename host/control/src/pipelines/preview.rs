//! What went on air of a pipeline, for those who may look at it.

use super::Pipelines;
use crate::access::Action;
use crate::access::Actor;
use crate::error::ControlError;
use crate::error::unread;
use crate::id::PipelineId;
use crate::preview::Aired;
use crate::preview::Preview;
use crate::preview::PreviewRequest;
use crate::runner::RunState;

impl Pipelines {
    /// What is needed to answer for this part of a pipeline's preview.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn preview(&self, actor: &Actor, id: &str, wanted: PreviewRequest) -> Result<Preview, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::ViewMedia, id)?;
        let PipelineId { tenant, stream } = handle.id();
        let storage = self.0.host.storage();
        let files = storage.stream(tenant, stream).map_err(|error| {
            tracing::error!(%error, "preview");
            ControlError::Unavailable("the storage cannot be read".to_owned())
        })?;
        let batches = match wanted {
            PreviewRequest::Playlist => Aired::newest(self.0.host.journal(), tenant, stream).await.map_err(unread)?,
            PreviewRequest::Batch(..) => Vec::new(),
        };
        let snapshot = handle.snapshot();
        let ended = snapshot.run.state == RunState::Stopped && !handle.desired_running();
        Ok(Preview { files, batches, air_ms: snapshot.air_ms, ended })
    }
}
