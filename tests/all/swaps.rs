//! Swaps of stages on air: the new version continues where the previous one was, and if it fails, the previous one
//! answers the same call.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may stop at the first thing that is not as it should be"
)]

use std::sync::{Arc, Mutex};

use outboard::stage::batching::{BatchingStage, Segment};
use outboard::stage::evidence::{Evidence, FailureSink};
use outboard::stage::framing::{Connection, Format, Fragment, FramingStage, Message};
use outboard::stage::remux::{Facts, RemuxStage};
use outboard::stage::swap::{NewVersion, Shared, StageSlots};
use outboard::stage::{FailurePolicy, Opening, StageComponent, StageKind};
use outboard_tests::guests::{load, orders, runtime};
use serde_json::{Value, json};

mod air;
pub(crate) mod crowd;
mod dialect;
mod flat;
mod on_air;
mod policy;
mod rollback;

/// A pipeline's three stages without a pipeline; records their failures.
struct Stages {
    batching: Shared<BatchingStage>,
    framing: Shared<FramingStage>,
    remux: Shared<RemuxStage>,
    slots: StageSlots,
    evidence: Arc<Mutex<Vec<Evidence>>>,
}

impl Stages {
    /// With the bundled versions.
    async fn bundled() -> Self {
        Self::with(FailurePolicy::default()).await
    }

    async fn with(on_failure: FailurePolicy) -> Self {
        let evidence = Arc::<Mutex<Vec<Evidence>>>::default();
        let kept = evidence.clone();
        let failure_sink = FailureSink::new(move |report| kept.lock().unwrap().push(report()));
        let opening = |settings: &str| Opening {
            settings: settings.to_owned(),
            on_failure,
            failure_sink: failure_sink.clone(),
            ..orders(&json!({}))
        };
        let bundled = async |kind| runtime().bundled(kind).await.unwrap();
        let batching = bundled(StageKind::Batching).await;
        let batching = BatchingStage::open(runtime(), batching, opening(r#"{"batch_seconds":10}"#), 10).await.unwrap();
        let framing = FramingStage::open(runtime(), bundled(StageKind::Framing).await, opening("")).await.unwrap();
        let remux = RemuxStage::open(runtime(), bundled(StageKind::RemuxPlanning).await, opening("")).await.unwrap();
        let (batching, framing, remux) = (shared(batching), shared(framing), shared(remux));
        let slots = StageSlots::new(batching.clone(), framing.clone(), remux.clone(), || {});
        Self { batching, framing, remux, slots, evidence }
    }

    /// Name of the component that decides.
    async fn name(&self, kind: StageKind) -> String {
        self.slots.status_feed(kind).await.current().component.description().name.clone()
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.evidence.lock().unwrap().clone()
    }
}

fn shared<S>(stage: S) -> Shared<S> {
    Arc::new(tokio::sync::Mutex::new(stage))
}

/// A faulty guest with these orders.
async fn faulty(name: &'static str, ordered: &Value) -> NewVersion {
    new_version(load(name).await, &ordered.to_string())
}

fn new_version(component: Arc<StageComponent>, settings: &str) -> NewVersion {
    NewVersion { component, settings: settings.to_owned(), fresh: false, probation: 3 }
}

fn segment(index: u64) -> Segment {
    Segment {
        index,
        media_sequence: index,
        duration_us: 4_000_000,
        size_bytes: 1,
        discontinuity: false,
        program_date_time_us: None,
        cues: vec![],
    }
}

fn fragment(batch: u64) -> Fragment {
    Fragment {
        id: format!("tv-{batch}"),
        stream_id: "tv".into(),
        batch,
        pts_us: 0,
        duration_us: 4_000_000,
        codec: "aac".into(),
        sample_rate_hz: 48_000,
        channels: 2,
        content_type: "audio/mp4".into(),
        file_name: "audio.fmp4".into(),
        created_ms: 1_700_000_000_000,
        now_ms: 1_700_000_000_001,
        attempt: 0,
    }
}

fn connection() -> Connection {
    Connection { stream_id: "tv".into(), attempt: 0, max_payload_bytes: None, now_ms: 0 }
}

fn facts(batch: u64) -> Facts {
    Facts { batch, ..crate::stage_failures::facts() }
}
