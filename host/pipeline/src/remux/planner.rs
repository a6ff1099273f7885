//! Asks the remux-planning stage which audio goes on air. In: a batch and what came of its exchange. Out: a plan in the
//! host's terms; where the stage fails, the host's default.

use super::Plan;
use super::facts;
use super::reply::Decision;
use crate::demux::Demuxed;
use crate::stage_framer::StateKeeper;
use outboard_stage::RemuxStage;
use outboard_stage::swap::Shared;

/// The stage that plans.
pub struct Planner {
    /// The remux-planning stage, shared with the task that swaps it.
    pub stage: Shared<RemuxStage>,
    /// Its state in the journal.
    pub keeper: StateKeeper,
}

/// A plan, and whose it is.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) plan: Plan,
    /// Why the host's default planned; `None`: the stage did.
    pub(super) failure: Option<String>,
}

impl Planner {
    /// Plans one batch, which is due in `time_left_ms` milliseconds. The decision takes up why the plan is what it is.
    pub(super) async fn plan(&mut self, batch: &Demuxed, decision: &mut Decision, time_left_ms: i64) -> Planned {
        let facts = facts::of(batch, decision, time_left_ms);
        let answer = {
            let mut stage = self.stage.lock().await;
            let answer = stage.plan(&facts).await;
            self.keeper.keep(stage.component().digest().to_string(), stage.snapshot()).await;
            answer
        };
        let failure = answer.failure.as_ref().map(ToString::to_string);
        if let Some(failure) = &failure {
            decision.blame_stage(failure.clone());
        }
        let plan = facts::to_plan(answer.value);
        decision.planned(&plan);
        Planned { plan, failure }
    }
}
