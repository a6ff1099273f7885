//! What the task of a swap is given: the stage as it is and as it is wanted, and how far the swap may go.

use std::sync::Arc;

use crate::access::Actor;
use crate::limits::STAGE_PROBATION_BATCHES;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::SwapRow;
use outboard_pipeline::settings::Stage;
use outboard_stage::{StageComponent, StageKind};

use super::NewSwap;

/// What a swap may do, and how far it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// It starts from nothing.
    pub(super) fresh: bool,
    /// It starts from nothing where it cannot read the running version's state.
    pub(super) fresh_if_needed: bool,
    /// Where its batches would come late.
    pub(super) late: IfLate,
    /// It ends after the rehearsal.
    pub(super) rehearse_only: bool,
    /// Batches of its probation.
    pub(super) probation: u32,
}

/// What happens with a swap whose batches would come later than the stream can wait for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfLate {
    /// Refuses the swap and changes nothing.
    Refuse,
    /// The air clock runs slower until they come in time; where that takes too long, the swap is refused.
    Stretch,
    /// The air clock runs slower for as long as it may; then the swap is carried out all the same.
    Force,
}

/// A swap that can be begun: everything that can be refused without touching the pipeline was looked at.
pub(super) struct SwapJob {
    /// Who asked for it; what it writes is theirs in the audit log.
    pub(super) actor: Actor,
    pub(super) handle: Arc<PipelineHandle>,
    pub(super) kind: StageKind,
    /// The stage as it was set before.
    pub(super) old: Stage,
    /// The stage as it is wanted.
    pub(super) new: Stage,
    pub(super) terms: Terms,
    pub(super) component: Arc<StageComponent>,
    /// A person's words for the revision that it makes; `None`: its number.
    pub(super) note: Option<String>,
}

impl SwapJob {
    /// The note of the revision that it makes.
    pub(super) fn note_of(&self, row: &SwapRow) -> String {
        self.note.clone().unwrap_or_else(|| format!("swap {}", row.id))
    }
}

impl Terms {
    /// What a caller asked for.
    pub(super) fn of(new: &NewSwap) -> Self {
        Self {
            fresh: new.fresh,
            fresh_if_needed: false,
            late: if new.force { IfLate::Force } else { IfLate::Refuse },
            rehearse_only: new.rehearse_only,
            probation: new.probation.unwrap_or(STAGE_PROBATION_BATCHES),
        }
    }
}
