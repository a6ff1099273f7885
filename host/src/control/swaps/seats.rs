//! What a seat does by itself after a probation: the version before takes over, or the pipeline is to be stopped.

use crate::control::Control;
use crate::control::access::Actor;
use crate::control::id::PipelineId;
use crate::control::runner::StopMode;
use crate::pipeline::event::{EventKind, Severity};
use crate::settings::Stage;
use crate::stage::StageKind;

impl Control {
    /// The version before took over by itself: the settings say so too.
    pub(in crate::control) async fn fell_back(&self, id: &PipelineId, kind: StageKind, reason: &str, evidence: &str) {
        let Some(entry) = self.entry(id) else { return };
        let change = |stage: &mut Stage| {
            if let Some(previous) = stage.previous.take() {
                (stage.component, stage.settings) = (previous.component, previous.settings);
            }
        };
        let note = format!("the previous version took over: {reason}");
        if let Err(error) = self.set_stage(&Actor::local("host"), &entry, kind, change, note).await {
            tracing::error!(pipeline = %id, %error, "failed to store in the settings which version is in use");
        }
        let what = format!("{kind}: the previous version took over again: {reason} (evidence {evidence})");
        self.tell_stage(id, EventKind::StageRolledBack, Severity::Warning, what).await;
    }

    /// A stage failed whose pipeline is to be stopped for that.
    pub(in crate::control) async fn stop_for(&self, id: &PipelineId, kind: StageKind, reason: &str) {
        let what = format!("{kind}: {reason}; stopping the pipeline, as configured (onFailure: STOP)");
        self.tell_stage(id, EventKind::StageFailed, Severity::Error, what).await;
        if let Err(error) = self.stop(&Actor::local("host"), &id.to_string(), StopMode::Drain).await {
            tracing::error!(pipeline = %id, %error, "failed to stop the pipeline");
        }
    }
}
