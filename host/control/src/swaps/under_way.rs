//! Which swaps are under way in this process. A new process has none: see [`Registry::interrupt_swaps`].
//!
//! [`Registry::interrupt_swaps`]: crate::registry::Registry::interrupt_swaps

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use crate::error::ControlError;
use crate::id::PipelineId;
use crate::limits::SWAPS_LISTENED;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::SwapRow;
use outboard_pipeline::settings::{PreviousStage, Settings, Stage};
use outboard_stage::StageKind;

/// The stage of a pipeline; it has one swap at a time.
pub(super) type Slot = (PipelineId, StageKind);

/// A swap's number, and the version that it leads to.
#[derive(Debug)]
struct SwapTarget {
    swap: u64,
    version: PreviousStage,
}

/// Swaps under way, and who listens to them.
#[derive(Debug)]
pub(super) struct SwapsUnderWay {
    by_slot: Mutex<HashMap<Slot, SwapTarget>>,
    /// Swaps under way that go no further, and why.
    called_off: Mutex<HashMap<u64, String>>,
    changes: broadcast::Sender<Arc<SwapRow>>,
}

impl Default for SwapsUnderWay {
    fn default() -> Self {
        let changes = broadcast::Sender::new(SWAPS_LISTENED);
        Self { by_slot: Mutex::default(), called_off: Mutex::default(), changes }
    }
}

impl SwapsUnderWay {
    /// The number of the swap of a stage that is under way.
    pub(super) fn get(&self, pipeline: &PipelineId, kind: StageKind) -> Option<u64> {
        let by_slot = self.by_slot.lock().unwrap_or_else(PoisonError::into_inner);
        by_slot.get(&(pipeline.clone(), kind)).map(|wanted| wanted.swap)
    }

    /// Whether the swap of this number is under way.
    pub(super) fn has(&self, swap: u64) -> bool {
        self.by_slot.lock().unwrap_or_else(PoisonError::into_inner).values().any(|target| target.swap == swap)
    }

    /// A swap begins that leads to this stage.
    pub(super) fn begin(&self, slot: Slot, swap: u64, stage: &Stage) {
        let wanted = SwapTarget { swap, version: stage.into() };
        self.by_slot.lock().unwrap_or_else(PoisonError::into_inner).insert(slot, wanted);
    }

    /// Whether the swap of a stage that is under way leads to this version.
    fn wants(&self, pipeline: &PipelineId, kind: StageKind, stage: &Stage) -> bool {
        let by_slot = self.by_slot.lock().unwrap_or_else(PoisonError::into_inner);
        by_slot.get(&(pipeline.clone(), kind)).is_some_and(|wanted| wanted.version == stage.into())
    }

    /// Whether a swap of this pipeline that is under way leads to a component.
    pub(super) fn leads_to(&self, pipeline: &PipelineId, digest: &str) -> bool {
        let by_slot = self.by_slot.lock().unwrap_or_else(PoisonError::into_inner);
        let mut of_pipeline = by_slot.iter().filter(|((of, _), _)| of == pipeline);
        of_pipeline.any(|(_, wanted)| wanted.version.component.as_deref() == Some(digest))
    }

    /// A swap goes no further; where it was cut over meanwhile, it is rolled back.
    pub(super) fn call_off(&self, swap: u64, reason: String) {
        self.called_off.lock().unwrap_or_else(PoisonError::into_inner).insert(swap, reason);
    }

    /// Why a swap was called off, if it was.
    pub(super) fn called_off(&self, swap: u64) -> Option<String> {
        self.called_off.lock().unwrap_or_else(PoisonError::into_inner).get(&swap).cloned()
    }

    /// A swap is over.
    pub(super) fn end(&self, slot: &Slot, swap: u64) {
        self.by_slot.lock().unwrap_or_else(PoisonError::into_inner).remove(slot);
        self.called_off.lock().unwrap_or_else(PoisonError::into_inner).remove(&swap);
    }

    /// Each change of any swap from now on; who is behind by more than [`SWAPS_LISTENED`] loses the oldest.
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<SwapRow>> {
        self.changes.subscribe()
    }

    /// Tells listeners that a swap changed.
    pub(super) fn tell(&self, row: &SwapRow) {
        // Nobody may be listening.
        let _ = self.changes.send(Arc::new(row.clone()));
    }

    /// Settings in which a stage whose swap is under way stays as it is; one that is wanted as that swap wants it is no change.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] that names the swap.
    pub(super) fn leave_alone(
        &self,
        handle: &PipelineHandle,
        mut settings: Settings,
    ) -> Result<Settings, ControlError> {
        let now = handle.settings();
        for kind in StageKind::ALL {
            let (stage, has) = (settings.stages.of_mut(kind), now.stages.of(kind));
            if self.wants(handle.id(), kind, stage) {
                (stage.component, stage.settings) = (has.component.clone(), has.settings.clone());
                stage.previous.clone_from(&has.previous);
            }
            if stage != has {
                self.check_idle(handle.id(), kind)?;
            }
        }
        Ok(settings)
    }

    /// Whether no swap of a stage is under way.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] that names the swap.
    pub(super) fn check_idle(&self, pipeline: &PipelineId, kind: StageKind) -> Result<(), ControlError> {
        match self.get(pipeline, kind) {
            None => Ok(()),
            Some(swap) => Err(ControlError::Conflict(format!(
                "swap {swap} of the {kind} stage of {pipeline} is in progress: wait until it ends, or roll it back"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_in_use_while_a_swap_leads_to_it() {
        let under_way = SwapsUnderWay::default();
        let [here, elsewhere] = ["tv", "radio"].map(|stream| PipelineId::new("acme", stream).unwrap());
        let stage = Stage { component: Some("sha256:new".to_owned()), ..Stage::default() };
        let slot = (here.clone(), StageKind::Framing);
        under_way.begin(slot.clone(), 7, &stage);
        assert!(under_way.leads_to(&here, "sha256:new") && under_way.has(7));
        assert!(!under_way.leads_to(&here, "sha256:old") && !under_way.leads_to(&elsewhere, "sha256:new"));
        under_way.end(&slot, 7);
        assert!(!under_way.leads_to(&here, "sha256:new") && !under_way.has(7), "it is over");
    }
}
