//! The types of batches and their steps.

use async_graphql::{Enum, ID, SimpleObject};
use serde_json::Value;

use crate::graphql::scalars::{BigInt, DateTime};
use outboard_control::id::PipelineId;
use outboard_store::journal::{self, BatchProgress as Progress, BatchRecord};

/// A processing step of a batch. The values are listed in processing order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "journal::Step")]
pub enum BatchStep {
    /// All segments of the batch are known and stored on disk.
    Cut,
    /// Video and audio are demultiplexed, and the batch has its position on the timeline.
    Demuxed,
    /// The audio of the batch was handed to the connection to the processor.
    Sent,
    /// The audio that goes on air is chosen: processed or original.
    Decided,
    /// The batch is ready for air.
    Remuxed,
    /// The first packet of the batch was sent.
    OnAir,
    /// The last packet of the batch was sent to every destination.
    Done,
}

/// The audio that a batch has on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum BatchOutcome {
    /// The audio that the processor returned.
    Processed,
    /// The audio of the source (the fallback).
    Original,
}

/// A batch: some seconds of the stream that are processed and sent as one unit.
#[derive(Debug, Clone, SimpleObject)]
pub struct Batch {
    /// Number of the batch. It increases by one with each batch, also across restarts.
    number: u64,
    /// The last step that the batch completed.
    step: BatchStep,
    /// Every step that the batch completed, in order.
    steps: Vec<StepTaken>,
    /// The audio that goes on air. Null before the step `DECIDED`.
    outcome: Option<BatchOutcome>,
    /// Reason for the fallback to the original audio, as a keyword; the same keywords as in
    /// `counters.originalByReason`. Null if there was no fallback.
    original_reason: Option<String>,
    /// Reason for the fallback to the original audio, as a sentence. Null if there was no fallback.
    original_message: Option<String>,
    /// Time from sending the fragment to receiving its reply, in milliseconds. Null if no reply arrived in time.
    round_trip_ms: Option<BigInt>,
    /// Everything that was decided about the batch: the remux plan, the reasons and the reply. Null before the step
    /// `DECIDED`. The fields may change between versions.
    decision: Option<Value>,
    /// Reason for the end of the batch: `length`, `discontinuity`, `cue`, `aligned` (wall clock), `flush` (end of the
    /// stream) or `other`.
    cut_reason: String,
    /// Duration on air, in seconds. Null before the step `DECIDED`.
    duration_seconds: Option<f64>,
    /// Time at which the last segment of the batch was stored on disk.
    complete_at: DateTime,
    /// Index of the first segment of the batch, counted from the start of the run.
    first_segment: BigInt,
    /// Index of the last segment of the batch, counted from the start of the run.
    last_segment: BigInt,
    /// True if the timestamps of the batch need not continue those of the previous batch.
    discontinuity: bool,
    /// True if the run ended before the batch was on air and the next run did not resume with it.
    given_up: bool,
    /// True if the files of the batch were removed.
    cleaned: bool,
}

/// A step that a batch completed.
#[derive(Debug, Clone, SimpleObject)]
pub struct StepTaken {
    /// The step that was completed.
    step: BatchStep,
    /// Time at which the work for this step started: the completion of the previous step.
    started_at: DateTime,
    /// Time at which the step was completed and recorded.
    at: DateTime,
    /// Duration of the step, in seconds.
    seconds: f64,
}

/// A step that a batch has just completed.
#[derive(Debug, Clone, SimpleObject)]
pub struct BatchProgress {
    /// ID of the pipeline.
    pipeline_id: ID,
    /// Number of the batch.
    number: u64,
    /// The step that was completed.
    step: BatchStep,
    /// Time at which the step was completed and recorded.
    at: DateTime,
    /// The audio that goes on air. Null before the step `DECIDED`.
    outcome: Option<BatchOutcome>,
    /// Number of steps that were skipped just before this one because the subscriber was too slow. The batch itself
    /// (`pipeline.batch`) has all of its steps.
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
