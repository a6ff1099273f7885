//! The demo in one click: its parts on this machine, and a pipeline `demo` of the tenant `default` between them.

use std::sync::Arc;

use serde_json::json;

use super::{Change, NewPipeline, Pipelines};
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::id::PipelineId;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::{Desired, Origin, Wish};
use outboard_demo::{ANY_PORTS, CUSHION_SECONDS, Parts, Places, SOURCE_PATH};
use outboard_pipeline::DEFAULT_TENANT;

/// The pipeline's stream id.
const STREAM: &str = "demo";
/// Short batches: something is to be seen soon.
const BATCH_SECONDS: u32 = 6;
/// Milliseconds that the processor takes.
const DELAY_MS: u64 = 300;

/// The parts, while they run.
pub(super) type Running = tokio::sync::Mutex<Option<(Parts, tempfile::TempDir)>>;

impl Pipelines {
    /// Starts the demo; what runs of it already goes on.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Unavailable`] with the reason where a part does not start.
    pub async fn start_demo(&self, actor: &Actor) -> Result<Arc<PipelineHandle>, ControlError> {
        actor.check(Action::StartDemo, None)?;
        let mut running = self.0.demo.lock().await;
        let id = PipelineId::new(DEFAULT_TENANT, STREAM)?;
        if running.is_some()
            && let Some(handle) = self.0.directory.get(&id)
        {
            return self.start(actor, &handle.id().to_string()).await;
        }
        if let Some((parts, _)) = running.take() {
            // Of a pipeline that was deleted.
            parts.stop().await;
        }
        let failed = |error: anyhow::Error| ControlError::Unavailable(format!("cannot start the demo: {error:#}"));
        let dir = tempfile::Builder::new().prefix("outboard-demo-").tempdir();
        let dir = dir.map_err(|error| failed(error.into()))?;
        let places = Places::find(ANY_PORTS).await.map_err(failed)?;
        let patch = json!({
            "source": { "url": places.source() },
            "processor": { "url": places.processor() },
            "destinations": [{ "url": places.destination() }],
            "batchSeconds": BATCH_SECONDS,
            "cushionSeconds": CUSHION_SECONDS,
        });
        let patch = serde_json::from_value(patch).map_err(|error| failed(error.into()))?;
        let parts = places.start(dir.path(), Some(DELAY_MS)).await.map_err(failed)?;
        *running = Some((parts, dir));
        let note = Some("the demo on this machine".to_owned());
        if self.0.directory.get(&id).is_some() {
            let change = Change { patch, note, ..Change::default() };
            self.update(actor, &id.to_string(), change).await?;
            return self.start(actor, &id.to_string()).await;
        }
        let tenant = Some(DEFAULT_TENANT.to_owned());
        let new = NewPipeline { tenant, stream_id: STREAM.to_owned(), patch, start: true, note };
        self.create_as(actor, new, Origin::Demo).await
    }

    /// The demo's pipeline has nothing to fetch without its parts: they are started with it, where the caller may. `None`:
    /// it is not that pipeline, it has its parts, or somebody has set it to another source.
    pub(super) async fn start_idle_demo(
        &self,
        actor: &Actor,
        handle: &PipelineHandle,
    ) -> Result<Option<Arc<PipelineHandle>>, ControlError> {
        let id = handle.id();
        if !is_demo(id)
            || actor.check(Action::StartDemo, None).is_err()
            || !handle.settings().source.url.ends_with(SOURCE_PATH)
        {
            return Ok(None);
        }
        // Taken while the demo is being started, perhaps by this very call.
        if self.0.demo.try_lock().map_or(true, |running| running.is_some()) {
            return Ok(None);
        }
        match self.0.registry.pipeline(id).await? {
            Some(row) if row.origin == Origin::Demo => Box::pin(self.start_demo(actor)).await.map(Some),
            _ => Ok(None),
        }
    }

    /// The parts end with their pipeline.
    pub(super) async fn end_demo_of(&self, id: &PipelineId) {
        if is_demo(id) {
            self.end_demo().await;
        }
    }

    /// Stops the demo's parts when the server ends; its pipeline was ended before.
    pub(crate) async fn end_demo(&self) {
        if let Some((parts, _)) = self.0.demo.lock().await.take() {
            parts.stop().await;
        }
    }

    /// The parts of an earlier life are gone: its pipeline is not to look for them.
    pub(crate) async fn end_old_demo(&self) -> Result<(), ControlError> {
        let id = PipelineId::new(DEFAULT_TENANT, STREAM)?;
        match self.0.registry.pipeline(&id).await? {
            Some(row) if row.origin == Origin::Demo && row.desired == Desired::Running => {
                self.0.registry.set_desired(&Actor::local("host"), &id, Wish::stop()).await?;
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_demo(id: &PipelineId) -> bool {
    (id.tenant.as_str(), id.stream.as_str()) == (DEFAULT_TENANT, STREAM)
}
