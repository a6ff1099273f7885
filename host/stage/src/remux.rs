//! exchange -> **remux** -> air: one pipeline's remux-planning stage.
//!
//! In: the facts of a batch. Out: a plan that can be executed and is within the policy ([`check`]). If the stage fails, the host's
//! default is the original audio, copied; none if the batch has none.

mod check;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzz;
#[cfg(any(test, feature = "fuzzing"))]
pub use fuzz::plans as fuzz_plans;

use super::calls::StageInterface;
use super::component::{KindIndices, StageComponent};
use super::contract::exports::remux_planning::Guest;
pub use super::contract::remux::{
    Absence, AudioChoice, AudioTrack, Coding, Facts, Fit, Mix, Policy, RemuxPlan, Reply, ReturnedAudio, VideoTrack,
};
use super::counters::StageCounters;
use super::error::{StageError, clipped};
use super::kind::StageKind;
use super::opening::Opening;
use super::runtime::StageRuntime;
use super::sandbox::Sandbox;
use super::slot::{Answer, StageSlot};
use super::supervised_instance::{CallableStage, SupervisedInstance};
use super::swappable::Swappable;
use std::sync::Arc;
use wasmtime::Store;

pub(super) struct RemuxPlanning;

impl StageInterface for RemuxPlanning {
    const KIND: StageKind = StageKind::RemuxPlanning;
    const DIVERGES: bool = false;
    type Guest = Guest;
    type Input = Facts;
    type Output = RemuxPlan;
    type CallHistory = ();

    fn find(
        indices: &KindIndices,
        store: &mut Store<Sandbox>,
        instance: &wasmtime::component::Instance,
    ) -> Option<wasmtime::Result<Guest>> {
        match indices {
            KindIndices::RemuxPlanning(indices) => Some(indices.load(store, instance)),
            _ => None,
        }
    }

    fn name(_: &Facts) -> &'static str {
        "plan"
    }

    fn bytes(facts: &Facts) -> usize {
        let metadata = match &facts.reply {
            Reply::Returned(returned) => returned.metadata.len(),
            Reply::Absent(_) => 0,
        };
        size_of::<Facts>() + metadata
    }

    fn is_batch(_: &Facts, _: &RemuxPlan) -> bool {
        true
    }
}

impl CallableStage for RemuxPlanning {
    async fn perform_call(
        supervised: &mut SupervisedInstance<Self>,
        (): &(),
        facts: &Facts,
    ) -> Result<RemuxPlan, StageError> {
        let call = Self::name(facts);
        supervised.ensure_started(call).await?;
        let (meter, guest, store) = supervised.begin(call)?;
        let outcome = meter.run(guest.call_plan(store, facts)).await;
        let mut plan = supervised.finish(outcome)?;
        check::plan(facts, &mut plan).map_err(|reason| supervised.reject(call, reason))?;
        supervised.save_state().await?;
        Ok(plan)
    }
}

/// One pipeline's remux-planning stage.
pub struct RemuxStage {
    slot: StageSlot<RemuxPlanning>,
}

impl RemuxStage {
    /// Opens the stage with the options of `opening`.
    ///
    /// # Errors
    /// [`StageError`] of `instantiate` or `open`, such as invalid settings.
    pub async fn open(
        runtime: &StageRuntime,
        component: Arc<StageComponent>,
        opening: Opening,
    ) -> Result<Self, StageError> {
        Ok(Self { slot: StageSlot::open(runtime, component, opening).await? })
    }

    /// Like [`open`](Self::open), but if the stage does not open, the start is tried again later, and original audio goes on air
    /// meanwhile. For pipelines that were accepted before and must run.
    pub async fn resume(runtime: &StageRuntime, component: Arc<StageComponent>, opening: Opening) -> Self {
        Self { slot: StageSlot::resume(runtime, component, opening).await }
    }

    /// Plans one batch. The default is [`original`].
    pub async fn plan(&mut self, facts: &Facts) -> Answer<RemuxPlan> {
        let result = self.slot.call(&(), facts.clone()).await;
        let note = result.as_ref().err().map(|error| clipped(error.to_string()));
        self.slot.answer(result, || original(facts, note.unwrap_or_default()))
    }

    /// The last snapshot, to be stored in the journal.
    pub fn snapshot(&self) -> Option<&[u8]> {
        self.slot.snapshot()
    }

    /// Counts of the stage's calls, by outcome.
    pub fn counters(&self) -> &Arc<StageCounters> {
        self.slot.counters()
    }

    /// The component of the version that decides now.
    pub fn component(&self) -> &Arc<StageComponent> {
        self.slot.component()
    }
}

impl Swappable for RemuxStage {
    type Interface = RemuxPlanning;

    fn slot(&mut self) -> &mut StageSlot<RemuxPlanning> {
        &mut self.slot
    }
}

/// The host's default plan: the original audio, copied, or none if the batch has none. `note` says why, for the operator.
pub fn original(facts: &Facts, note: String) -> RemuxPlan {
    RemuxPlan {
        audio: if facts.audio.is_some() { AudioChoice::Original } else { AudioChoice::None },
        coding: Coding::Copy,
        stretch_permille: 0,
        fit: Fit::Leave,
        offset_us: 0,
        note,
        marked: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StageRuntimeConfig;

    #[tokio::test]
    async fn the_bundled_stage_plans() {
        let runtime = StageRuntime::new(&StageRuntimeConfig { instances: 4, ..Default::default() }).unwrap();
        let component = runtime.bundled(StageKind::RemuxPlanning).await.unwrap();
        let mut stage = RemuxStage::open(&runtime, component, Opening::default()).await.unwrap();
        let audio = AudioTrack {
            codec: "aac".into(),
            first_pts_us: 1_400_000,
            duration_us: 30_000_000,
            packets: 1406,
            sample_rate_hz: 48_000,
            channels: 2,
            packet_us: 21_333,
        };
        let returned = ReturnedAudio {
            container: "wav".into(),
            codec: "pcm_s16le".into(),
            duration_us: 28_000_000,
            packets: 1,
            sample_rate_hz: 48_000,
            channels: 2,
            copyable: false,
            metadata: "{}".into(),
        };
        let mut facts = Facts {
            batch: 0,
            video: None,
            audio: Some(audio),
            reply: Reply::Returned(returned),
            time_left_ms: 4_000,
            policy: Policy { max_stretch_permille: 200, max_offset_us: 0, max_gain_centibel: 0 },
        };
        let plan = stage.plan(&facts).await;
        assert!(!plan.is_default(), "{:?}", plan.failure);
        assert_eq!((plan.value.audio, plan.value.stretch_permille), (AudioChoice::Processed, 71));
        assert_eq!((plan.value.coding, plan.value.fit), (Coding::Encode(None), Fit::TrimOrPad));

        facts.reply = Reply::Absent(Absence::Failed("no voice".into()));
        let plan = stage.plan(&facts).await;
        assert!(!plan.is_default() && plan.value.audio == AudioChoice::Original);
        assert!(plan.value.note.contains("no voice"));

        facts.audio = None;
        assert_eq!(stage.plan(&facts).await.value.audio, AudioChoice::None);
    }
}
