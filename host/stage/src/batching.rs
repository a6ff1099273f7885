//! source -> **batch** -> demux: one pipeline's batching stage.
//!
//! In: segments in order. Out: cuts that keep the contract's rules, made by the stage or by the host. [`pending_segments`] holds
//! the segments that wait and checks each cut. If the stage fails, the host cuts the open batch by its configured length; from the
//! next batch on the stage cuts again, resumed from its last snapshot.

mod pending_segments;
#[cfg(any(test, feature = "fuzzing"))]
pub use pending_segments::fuzz::cuts as fuzz_cuts;

use super::calls::StageInterface;
use super::calls::TimedCall;
use super::component::{KindIndices, StageComponent};
pub use super::contract::batching::{Cue, Cut, Reason, Segment};
use super::contract::exports::batching::Guest;
use super::counters::StageCounters;
use super::error::StageError;
use super::kind::StageKind;
use super::opening::Opening;
use super::runtime::StageRuntime;
use super::sandbox::Sandbox;
use super::slot::{Answer, StageSlot};
use super::supervised_instance::{CallableStage, SupervisedInstance};
use super::swappable::Swappable;
use crate::limits::{BATCH_SECONDS_MAX, BATCH_SECONDS_MIN};
pub(super) use pending_segments::PendingSegments;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wasmtime::Store;

pub(super) struct Batching;

/// A call of a batching stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Input {
    Push(Segment),
    Flush,
}

impl StageInterface for Batching {
    const KIND: StageKind = StageKind::Batching;
    // After one version has cut and the other has not, their open batches differ.
    const DIVERGES: bool = true;
    type Guest = Guest;
    type Input = Input;
    type Output = Vec<Cut>;
    type CallHistory = PendingSegments;

    fn find(
        indices: &KindIndices,
        store: &mut Store<Sandbox>,
        instance: &wasmtime::component::Instance,
    ) -> Option<wasmtime::Result<Guest>> {
        match indices {
            KindIndices::Batching(indices) => Some(indices.load(store, instance)),
            _ => None,
        }
    }

    fn record_input(history: &mut PendingSegments, input: &Input) {
        if let Input::Push(segment) = input {
            history.push(segment.clone());
            while history.next_unpushed().is_some() {}
        }
    }

    fn record_output(history: &mut PendingSegments, cuts: &Vec<Cut>) {
        history.take_cuts(cuts);
    }

    fn more(recorded: &[TimedCall<Input>]) -> Vec<Input> {
        let pushed = recorded.iter().filter_map(|call| match &*call.input {
            Input::Push(segment) => Some(segment),
            Input::Flush => None,
        });
        pending_segments::continued(&pushed.cloned().collect::<Vec<_>>()).into_iter().map(Input::Push).collect()
    }

    fn batches_us(history: &PendingSegments, cuts: &Vec<Cut>) -> Vec<u64> {
        history.lengths_us(cuts)
    }

    fn open_us(history: &PendingSegments) -> u64 {
        history.open_us()
    }

    fn name(input: &Input) -> &'static str {
        match input {
            Input::Push(_) => "push",
            Input::Flush => "flush",
        }
    }

    fn bytes(_: &Input) -> usize {
        size_of::<Segment>()
    }

    fn is_batch(_: &Input, cuts: &Vec<Cut>) -> bool {
        !cuts.is_empty()
    }
}

impl CallableStage for Batching {
    async fn perform_call(
        supervised: &mut SupervisedInstance<Self>,
        history: &PendingSegments,
        input: &Input,
    ) -> Result<Vec<Cut>, StageError> {
        let call = Self::name(input);
        supervised.ensure_started(call).await?;
        let (meter, guest, store) = supervised.begin(call)?;
        let cuts = match input {
            Input::Push(segment) => {
                let outcome = meter.run(guest.call_push(store, segment)).await;
                let cuts = supervised.finish(outcome)?;
                history.check(&cuts).map_err(|reason| supervised.reject(call, reason))?;
                cuts
            }
            Input::Flush => {
                let outcome = meter.run(guest.call_flush(store)).await;
                let cut = supervised.finish(outcome)?;
                history.check_flush(cut).map_err(|reason| supervised.reject(call, reason))?;
                cut.into_iter().collect()
            }
        };
        supervised.save_state().await?;
        if matches!(input, Input::Flush) {
            // By the contract nothing is pushed to an instance after its flush. If the source resumes, another instance is
            // started from the snapshot.
            supervised.retire();
        }
        Ok(cuts)
    }
}

/// One pipeline's batching stage.
pub struct BatchingStage {
    slot: StageSlot<Batching>,
    pending: PendingSegments,
    /// True while the host cuts the open batch, because the stage failed in it.
    by_host: bool,
    /// Cuts that were made and not yet returned to the caller.
    done: Vec<Cut>,
}

impl BatchingStage {
    /// Opens the stage. `batch_seconds` is the length of the batches that the host cuts when the stage fails.
    ///
    /// After a restart, `opening.state` is the snapshot and every segment after the last journalled cut is pushed again.
    ///
    /// # Errors
    /// [`StageError`] of `instantiate` or `open`, such as invalid settings.
    pub async fn open(
        runtime: &StageRuntime,
        component: Arc<StageComponent>,
        opening: Opening,
        batch_seconds: u32,
    ) -> Result<Self, StageError> {
        Ok(Self::new(StageSlot::open(runtime, component, opening).await?, batch_seconds))
    }

    /// Like [`open`](Self::open), but if the stage does not open, the host cuts and the start is tried again later. For pipelines that
    /// were accepted before and must run.
    pub async fn resume(
        runtime: &StageRuntime,
        component: Arc<StageComponent>,
        opening: Opening,
        batch_seconds: u32,
    ) -> Self {
        Self::new(StageSlot::resume(runtime, component, opening).await, batch_seconds)
    }

    fn new(slot: StageSlot<Batching>, batch_seconds: u32) -> Self {
        let seconds = batch_seconds.clamp(BATCH_SECONDS_MIN, BATCH_SECONDS_MAX);
        Self { slot, pending: PendingSegments::new(u64::from(seconds) * 1_000_000), by_host: false, done: Vec::new() }
    }

    /// Takes the next segment; returns the batches that are complete now, oldest first. If this future is dropped, no batch is lost:
    /// the next call returns it.
    pub async fn push(&mut self, segment: Segment) -> Answer<Vec<Cut>> {
        self.pending.push(segment);
        let result = self.push_waiting().await;
        if result.is_err() {
            let own = self.pending.cut_by_length();
            // The host cuts this batch; from the next one on the stage cuts again.
            self.by_host = own.is_empty();
            self.done.extend(own);
        }
        self.answer(result)
    }

    /// Ends the input: returns batches of all segments that wait.
    pub async fn flush(&mut self) -> Answer<Vec<Cut>> {
        let mut result = self.push_waiting().await;
        if result.is_ok() {
            result = self.flush_stage().await;
        }
        if result.is_err() {
            self.done.extend(self.pending.cut_all());
            self.by_host = false;
        }
        self.answer(result)
    }

    /// Changes the length of batches from `from` to `to` seconds, from the next call on: for the host's own cuts, and in the settings
    /// of every version that has `from` there.
    pub fn set_batch_seconds(&mut self, from: u32, to: u32) {
        self.pending.set_length(u64::from(to.clamp(BATCH_SECONDS_MIN, BATCH_SECONDS_MAX)) * 1_000_000);
        self.slot.change_settings(|settings| with_length(settings, from, to));
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

    /// Pushes the segments that the stage does not have yet. Cuts made before a failure remain valid.
    async fn push_waiting(&mut self) -> Result<(), StageError> {
        if self.by_host {
            return Err(still_by_host());
        }
        // If this future is dropped, the host cuts the rest of the batch.
        self.by_host = true;
        self.push_all().await?;
        self.by_host = false;
        Ok(())
    }

    async fn push_all(&mut self) -> Result<(), StageError> {
        while let Some(segment) = self.pending.next_unpushed() {
            self.push_one(segment).await?;
        }
        Ok(())
    }

    /// Pushes a segment. If a version took over without state, all segments of the open batch are pushed to it again.
    async fn push_one(&mut self, segment: Segment) -> Result<(), StageError> {
        let result = self.slot.call(&self.pending, Input::Push(segment)).await;
        if self.slot.take_fresh_start() {
            self.pending.rewind();
            return Ok(());
        }
        self.cut(result?);
        Ok(())
    }

    async fn flush_stage(&mut self) -> Result<(), StageError> {
        let result = self.slot.call(&self.pending, Input::Flush).await;
        if self.slot.take_fresh_start() {
            self.pending.rewind();
            self.push_all().await?;
            let cuts = self.slot.call(&self.pending, Input::Flush).await?;
            self.cut(cuts);
            return Ok(());
        }
        self.cut(result?);
        Ok(())
    }

    /// Takes checked cuts: their segments wait no more.
    fn cut(&mut self, cuts: Vec<Cut>) {
        self.pending.take_cuts(&cuts);
        self.done.extend(cuts);
    }

    fn answer(&mut self, result: Result<(), StageError>) -> Answer<Vec<Cut>> {
        let Answer { failure, .. } = self.slot.answer(result, || ());
        Answer { value: std::mem::take(&mut self.done), failure }
    }
}

impl Swappable for BatchingStage {
    type Interface = Batching;

    fn slot(&mut self) -> &mut StageSlot<Batching> {
        &mut self.slot
    }

    /// If the new version started without state, the segments of the open batch are pushed to it again.
    fn after_takeover(&mut self) {
        if self.slot.take_fresh_start() {
            self.pending.rewind();
        }
    }
}

/// Settings with the length `to` instead of `from`; `None` if their length is not `from`.
fn with_length(settings: &str, from: u32, to: u32) -> Option<String> {
    let mut settings: serde_json::Value = serde_json::from_str(settings).ok()?;
    let length = settings.as_object_mut()?.get_mut("batch_seconds")?;
    if length.as_u64() != Some(from.into()) {
        return None;
    }
    *length = to.into();
    Some(settings.to_string())
}

/// The reason of the host's default in calls after the failed one, until the batch is cut.
fn still_by_host() -> StageError {
    StageError::Host { call: "push", reason: "the stage failed earlier in this batch".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StageRuntimeConfig;

    fn segment(index: u64, seconds: u64) -> Segment {
        Segment {
            index,
            media_sequence: 100 + index,
            duration_us: seconds * 1_000_000,
            size_bytes: 1_000_000,
            discontinuity: false,
            program_date_time_us: Some(1_700_000_000_000_000),
            cues: vec![Cue::Out(Some(5)), Cue::In, Cue::Other("#EXT-X-DATERANGE".into())],
        }
    }

    async fn stage(settings: &str, state: Option<Vec<u8>>) -> Result<BatchingStage, StageError> {
        let runtime = StageRuntime::new(&StageRuntimeConfig { instances: 4, ..Default::default() }).unwrap();
        let component = runtime.bundled(StageKind::Batching).await.unwrap();
        let opening = Opening { settings: settings.into(), state, ..Opening::default() };
        BatchingStage::open(&runtime, component, opening, 10).await
    }

    fn own(answer: Answer<Vec<Cut>>) -> Vec<(u64, u64, Reason)> {
        assert!(!answer.is_default(), "{:?}", answer.failure);
        answer.value.iter().map(|cut| (cut.first, cut.last, cut.reason)).collect()
    }

    #[tokio::test]
    async fn the_bundled_stage_cuts_batches() {
        let mut stage = stage(r#"{"batch_seconds":10}"#, None).await.unwrap();
        let mut cuts = Vec::new();
        for index in 0..6 {
            cuts.extend(own(stage.push(segment(index, 4)).await));
        }
        let broken = Segment { discontinuity: true, ..segment(7, 4) };
        cuts.extend(own(stage.push(segment(6, 4)).await));
        cuts.extend(own(stage.push(broken).await));
        cuts.extend(own(stage.flush().await));
        assert_eq!(
            cuts,
            [(0, 2, Reason::Length), (3, 5, Reason::Length), (6, 6, Reason::Discontinuity), (7, 7, Reason::Flush)]
        );
        let counts = stage.counters().read();
        assert_eq!((counts.calls, counts.failures(), counts.defaults), (9, 0, 0));
        assert!(counts.call_ns_max > 0 && counts.call_ns_total >= counts.call_ns_max);
    }

    #[tokio::test]
    async fn a_restart_goes_on_with_snapshot_and_segments_pushed_again() {
        let settings = r#"{"batch_seconds":10}"#;
        let mut first = stage(settings, None).await.unwrap();
        for index in 0..5 {
            own(first.push(segment(index, 4)).await);
        }
        let state = first.snapshot().unwrap().to_vec();
        let mut second = stage(settings, Some(state)).await.unwrap();
        let mut cuts = Vec::new();
        for index in 3..6 {
            cuts.extend(own(second.push(segment(index, 4)).await));
        }
        assert_eq!(cuts, [(3, 5, Reason::Length)]);
    }

    #[tokio::test]
    async fn another_length_counts_for_the_batch_that_is_open() {
        let mut stage = stage(r#"{"batch_seconds":10}"#, None).await.unwrap();
        let mut cuts = own(stage.push(segment(0, 4)).await);
        stage.set_batch_seconds(10, 16);
        for index in 1..4 {
            cuts.extend(own(stage.push(segment(index, 4)).await));
        }
        assert_eq!(cuts, [(0, 3, Reason::Length)], "longer");
        own(stage.push(segment(4, 4)).await);
        stage.set_batch_seconds(16, 8);
        assert_eq!(own(stage.push(segment(5, 4)).await), [(4, 5, Reason::Length)], "shorter");
        let counts = stage.counters().read();
        assert_eq!((counts.restarts, counts.failures()), (0, 0));
    }

    #[test]
    fn a_length_that_was_set_for_the_stage_alone_is_kept() {
        assert_eq!(with_length(r#"{"batch_seconds":6}"#, 6, 8).as_deref(), Some(r#"{"batch_seconds":8}"#));
        for settings in [r#"{"batch_seconds":20}"#, "{}", ""] {
            assert_eq!(with_length(settings, 6, 8), None, "{settings}");
        }
    }

    #[tokio::test]
    async fn all_invalid_settings_are_reported() {
        let error = stage(r#"{"batch_seconds":1,"cuts":2}"#, None).await.err().unwrap().to_string();
        assert!(error.contains("batch_seconds: 1 is not") && error.contains("cuts: there is no"), "{error}");
        let error = stage("", Some(b"not ours".to_vec())).await.err().unwrap().to_string();
        assert!(error.contains("the state cannot be read"), "{error}");
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_does_not_lose_segments() {
        let mut stage = stage(r#"{"batch_seconds":10}"#, None).await.unwrap();
        own(stage.push(segment(0, 4)).await);
        // A call that was begun and dropped, as by a `select!`; it may have been half done.
        stage.slot.current().ensure_started("push").await.unwrap();
        let _ = stage.slot.current().begin("push").unwrap();
        let mut cuts = own(stage.push(segment(1, 4)).await);
        cuts.extend(own(stage.push(segment(2, 4)).await));
        assert_eq!(cuts, [(0, 2, Reason::Length)]);
        let counts = stage.counters().read();
        assert_eq!((counts.cancelled, counts.restarts, counts.defaults), (1, 1, 0));
    }
}
