//! What went on air of a pipeline, for those who may look at it.

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::runner::RunState;
use crate::pipeline::Watch;
use crate::preview::{Aired, Preview};

impl Control {
    /// What a preview of a pipeline is made of.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn preview(&self, actor: &Actor, id: &str) -> Result<Preview, ControlError> {
        let entry = self.allowed(actor, Action::ViewMedia, id)?;
        let PipelineId { tenant, stream } = entry.id();
        let run = &entry.snapshot().run;
        let live = matches!(run.state, RunState::Running | RunState::Stopping);
        Ok(Preview {
            files: self.0.host.storage().find(tenant, stream),
            batches: Aired::newest(self.0.host.journal(), tenant, stream).await.map_err(super::listing::unread)?,
            air_ms: run.watch.as_ref().filter(|_| live).and_then(Watch::air_ms),
            ended: run.state == RunState::Stopped && !entry.desired_running(),
        })
    }
}
