//! Batches: what became of each, step by step.

use async_graphql::{Enum, ID, SimpleObject};
use serde_json::Value;

use crate::api::graphql::scalars::{BigInt, DateTime};
use crate::control::id::PipelineId;
use crate::store::journal::{self, BatchProgress as Progress, BatchRecord};

/// A step of a batch on its way to air, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "journal::Step")]
pub enum BatchStep {
    /// Its segments are known and on disk.
    Cut,
    /// Picture and sound are apart, and it has its place on the timeline.
    Demuxed,
    /// Its audio was given to the connection to the processor.
    Sent,
    /// It is decided whose audio goes on air.
    Decided,
    /// It is ready for air.
    Remuxed,
    /// Its first packet went out.
    OnAir,
    /// Its last packet went out to every destination.
    Done,
}

/// Whose audio a batch has on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum BatchOutcome {
    /// The processor's.
    Processed,
    /// The source's own.
    Original,
}

/// A batch: some seconds of the stream that take their way to air together.
#[derive(Debug, Clone, SimpleObject)]
pub struct Batch {
    /// Its number; it rises by one, over restarts too.
    number: u64,
    /// The furthest step that it took.
    step: BatchStep,
    /// Each step that it took.
    steps: Vec<StepTaken>,
    /// Whose audio it has on air; null until it is decided.
    outcome: Option<BatchOutcome>,
    /// Why it kept its original audio, in a word, as in the counters; null where it did not.
    original_reason: Option<String>,
    /// The same in a sentence.
    original_message: Option<String>,
    /// From sending the fragment to its reply, in milliseconds; null where none came in time.
    round_trip_ms: Option<BigInt>,
    /// All that was decided, as the host keeps it: the plan, why, what the reply was. Its fields may change between
    /// versions.
    decision: Option<Value>,
    /// Why it was cut where it was: `length`, `discontinuity`, `cue`, `aligned` (wall clock), `flush` (the end), `other`.
    cut_reason: String,
    /// How long it is on air, in seconds; null until it is decided.
    duration_seconds: Option<f64>,
    /// When its last segment was on disk.
    complete_at: DateTime,
    /// Index of its first segment in the run.
    first_segment: BigInt,
    /// Index of its last segment in the run.
    last_segment: BigInt,
    /// Its timestamps may not follow on from the batch before.
    discontinuity: bool,
    /// Its run ended before it was on air, and the next one did not go on with it.
    given_up: bool,
    /// Its files are gone.
    cleaned: bool,
}

/// A step that a batch took.
#[derive(Debug, Clone, SimpleObject)]
pub struct StepTaken {
    /// The step.
    step: BatchStep,
    /// When the work that led to it began: when the step before was taken.
    started_at: DateTime,
    /// When it was taken, and written down.
    at: DateTime,
    /// How long it took, in seconds.
    seconds: f64,
}

/// A batch took a step.
#[derive(Debug, Clone, SimpleObject)]
pub struct BatchProgress {
    /// The pipeline.
    pipeline_id: ID,
    /// The batch's number.
    number: u64,
    /// The step.
    step: BatchStep,
    /// When it was taken, and written down.
    at: DateTime,
    /// Whose audio it has on air; null until it is decided.
    outcome: Option<BatchOutcome>,
    /// Steps that this subscriber was too slow for, just before this one. What they led to is told by the batch itself.
    dropped: BigInt,
}

// === from the core ===

impl From<BatchRecord> for Batch {
    fn from(record: BatchRecord) -> Self {
        let complete_at = DateTime(record.complete_ms);
        let found = |path: &str| record.detail.as_ref().and_then(|detail| detail.pointer(path));
        let text = |path: &str| found(path).and_then(Value::as_str).map(str::to_owned);
        Self {
            number: record.number,
            step: record.step.into(),
            steps: steps(&record),
            outcome: record.outcome.as_deref().and_then(outcome),
            original_reason: text("/why/name"),
            original_message: text("/why/text"),
            round_trip_ms: found("/reply/round_trip_ms").and_then(Value::as_u64).map(BigInt),
            duration_seconds: found("/duration_ms").and_then(Value::as_u64).map(|ms| ms as f64 / 1000.0),
            given_up: record.is_given_up(),
            decision: record.detail,
            cut_reason: record.reason,
            complete_at,
            first_segment: BigInt(record.first),
            last_segment: BigInt(record.last),
            discontinuity: record.discontinuity,
            cleaned: record.cleaned,
        }
    }
}

/// The steps that have a time, in their order.
fn steps(record: &BatchRecord) -> Vec<StepTaken> {
    let mut before = DateTime(record.complete_ms);
    let mut steps = Vec::new();
    for step in journal::Step::ALL {
        let Some(at) = record.times.get(step.name()).copied().map(DateTime) else { continue };
        let started_at = before.min(at);
        steps.push(StepTaken { step: step.into(), started_at, at, seconds: at.seconds_since(started_at) });
        before = at;
    }
    steps
}

fn outcome(word: &str) -> Option<BatchOutcome> {
    match word {
        "processed" => Some(BatchOutcome::Processed),
        "original" => Some(BatchOutcome::Original),
        _ => None,
    }
}

impl BatchProgress {
    /// A step, with how many were lost before it.
    pub fn new(id: &PipelineId, progress: &Progress, dropped: u64) -> Option<Self> {
        let step = journal::Step::ALL.into_iter().find(|step| step.name() == progress.step)?;
        Some(Self {
            pipeline_id: ID(id.to_string()),
            number: progress.number,
            step: step.into(),
            at: DateTime(progress.at_ms),
            outcome: progress.outcome.as_deref().and_then(outcome),
            dropped: BigInt(dropped),
        })
    }
}
