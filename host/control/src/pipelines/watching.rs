//! What subscribers get of pipelines: how they are, and the steps of their batches. A stream belongs to its reader alone: dropping
//! it frees everything, and a reader that is too slow skips snapshots or is told how many steps it lost.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use super::Pipelines;
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::id::PipelineId;
use crate::pipeline_handle::PipelineHandle;
use crate::snapshot::Snapshot;
use crate::watching::{Watched, received};
use outboard_store::journal::BatchProgress;

/// A pipeline at a moment.
pub type Seen = (PipelineId, Arc<Snapshot>);

// === impl Pipelines ===

impl Pipelines {
    /// A pipeline now and from now on; ends when it is deleted.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if the pipeline does not exist or is another tenant's; [`ControlError::Forbidden`].
    pub fn watch(&self, actor: &Actor, id: &str) -> Result<impl Stream<Item = Seen> + Send + use<>, ControlError> {
        Ok(snapshots(&self.0.directory.allowed(actor, Action::ViewPipelines, id)?))
    }

    /// All pipelines that a caller may see, now and from now on, those to come included.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn watch_all(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
    ) -> Result<impl Stream<Item = Seen> + Send + use<>, ControlError> {
        // Checks the caller once; whose pipelines they see does not change.
        self.list(actor, tenant)?;
        let (pipelines, actor, tenant) = (self.clone(), actor.clone(), tenant.map(str::to_owned));
        let all = All { seen: Vec::new(), feeds: SelectAll::new(), roster: self.0.directory.turns() };
        Ok(stream::unfold((pipelines, actor, tenant, all), |(pipelines, actor, tenant, mut all)| async move {
            let next = all.next(&pipelines, &actor, tenant.as_deref()).await?;
            Some((next, (pipelines, actor, tenant, all)))
        }))
    }

    /// The steps of a pipeline's batches from now on, each once it is in the journal.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if the pipeline does not exist or is another tenant's; [`ControlError::Forbidden`].
    pub fn watch_batches(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<impl Stream<Item = Watched<BatchProgress>> + Send + use<>, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::ViewPipelines, id)?;
        Ok(Box::pin(received(handle.progress()).take_until(handle.gone().clone().cancelled_owned())))
    }
}

/// One pipeline's snapshots; always the newest, so that a slow reader skips some.
fn snapshots(handle: &Arc<PipelineHandle>) -> BoxStream<'static, Seen> {
    let id = handle.id().clone();
    let gone = handle.gone().clone().cancelled_owned();
    WatchStream::new(handle.snapshots()).map(move |snapshot| (id.clone(), snapshot)).take_until(gone).boxed()
}

/// The snapshots of a changing set of pipelines.
struct All {
    seen: Vec<PipelineId>,
    feeds: SelectAll<BoxStream<'static, Seen>>,
    roster: watch::Receiver<u64>,
}

impl All {
    async fn next(&mut self, pipelines: &Pipelines, actor: &Actor, tenant: Option<&str>) -> Option<Seen> {
        loop {
            self.roster.borrow_and_update();
            let now = pipelines.list(actor, tenant).ok()?;
            self.seen.retain(|id| now.iter().any(|handle| handle.id() == id));
            for handle in now {
                if !self.seen.contains(handle.id()) {
                    self.seen.push(handle.id().clone());
                    self.feeds.push(snapshots(&handle));
                }
            }
            tokio::select! {
                changed = self.roster.changed() => changed.ok()?,
                Some(next) = self.feeds.next(), if !self.feeds.is_empty() => return Some(next),
            }
        }
    }
}
