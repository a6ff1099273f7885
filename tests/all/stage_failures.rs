//! Law 4: stages only decide. Whatever a stage does, each call is answered in bounded time and memory: by the stage, or
//! by the host's default with the cause in the counters; other pipelines are not affected.
//!
//! Faulty guests (tests/guests) fail on order. These tests are about the stage runtime alone; every_packet_once and
//! never_silent run faulty stages in whole pipelines.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use outboard::stage::batching::{Cut, Segment};
use outboard::stage::framing::{Connection, Event, Format, Fragment, Message, Reference};
use outboard::stage::inspect::inspect;
use outboard::stage::remux::{Absence, AudioChoice, AudioTrack, Facts, Policy, Reply};
use outboard::stage::{
    BatchingStage, FramingStage, Limit, LoadError, Opening, RemuxStage, StageCounts, StageError, StageKind,
    StageLimits, StageRuntime, StageRuntimeConfig,
};
use outboard_tests::guests::{load, orders, path, runtime};
use serde_json::{Value, json};
use std::time::Duration;

mod batching;
mod faults;
mod framing;
mod refused;
mod walls;

use self::batching::segment;
pub(crate) use self::faults::facts;
use self::faults::{Cause, remux};
