//! What a stage does by itself after its probation: the version before takes over again.

use super::{StageSwaps, has_taken};
use crate::access::Actor;
use crate::error::ControlError;
use crate::id::PipelineId;
use crate::pipeline_handle::PipelineHandle;
use crate::settings_rules::kept;
use outboard_pipeline::event::{EventKind, Severity};
use outboard_pipeline::settings::Stage;
use outboard_stage::StageKind;

impl StageSwaps {
    /// The version before took over by itself: the settings say so too.
    pub(crate) async fn fell_back(&self, id: &PipelineId, kind: StageKind, reason: &str, evidence: &str) {
        let Some(handle) = self.directory.get(id) else { return };
        let change = |stage: &mut Stage| {
            if let Some(previous) = stage.previous.take() {
                (stage.component, stage.settings) = (previous.component, previous.settings);
            }
        };
        let note = format!("the previous version took over: {reason}");
        if let Err(error) = self.set_stage(&handle, kind, change, note).await {
            tracing::error!(pipeline = %id, %error, "failed to store in the settings which version is in use");
        }
        let what = format!("{kind}: the previous version took over again: {reason} (evidence {evidence})");
        self.tell_stage(id, EventKind::StageRolledBack, Severity::Warning, what).await;
    }

    /// Sets what a stage is apart from any swap. What runs has it already.
    async fn set_stage(
        &self,
        handle: &PipelineHandle,
        kind: StageKind,
        change: impl FnOnce(&mut Stage),
        note: String,
    ) -> Result<(), ControlError> {
        let _changing = self.directory.change().await;
        let mut settings = (*handle.settings()).clone();
        change(settings.stages.of_mut(kind));
        let (actor, kept) = (Actor::local("host"), kept(&settings)?);
        let changed = self.registry.update_pipeline(&actor, handle.id(), kept, None, Some(note)).await?;
        has_taken(handle, changed.row.revision, settings);
        Ok(())
    }
}
