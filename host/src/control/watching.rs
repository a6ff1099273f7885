//! What subscribers get: pipelines, batches and events as they change. A stream belongs to nobody but its reader: dropping
//! it frees everything, and a reader that is too slow loses the oldest and is told how many.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{Stream, StreamExt};
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::WatchStream;

use super::Control;
use super::access::{Action, Actor};
use super::error::ControlError;
use super::id::PipelineId;
use super::listing::EventQuery;
use super::pipeline_handle::PipelineHandle;
use super::recorder::RecordedEvent;
use super::registry::{EventFilter, Scope};
use super::snapshot::Snapshot;
use crate::store::journal::BatchProgress;

/// The next thing, or how many were lost before it.
#[derive(Debug, Clone, PartialEq)]
pub enum Watched<T> {
    /// The next item.
    Item(T),
    /// The reader was too slow: so many are gone.
    Lost(u64),
}

/// A pipeline at a moment.
pub type Seen = (PipelineId, Arc<Snapshot>);

// === impl Control ===

impl Control {
    /// A pipeline now and from now on; ends when it is deleted.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn watch_pipeline(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<impl Stream<Item = Seen> + Send + use<>, ControlError> {
        Ok(snapshots(&self.allowed(actor, Action::ViewPipelines, id)?))
    }

    /// All pipelines that a caller may see, now and from now on, those to come included.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn watch_pipelines(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
    ) -> Result<impl Stream<Item = Seen> + Send + use<>, ControlError> {
        // Checks the caller once; whose pipelines they see does not change.
        self.pipelines(actor, tenant)?;
        let (control, actor, tenant) = (self.clone(), actor.clone(), tenant.map(str::to_owned));
        let all = All { seen: Vec::new(), feeds: SelectAll::new(), roster: self.0.directory.turns() };
        Ok(stream::unfold((control, actor, tenant, all), |(control, actor, tenant, mut all)| async move {
            let next = all.next(&control, &actor, tenant.as_deref()).await?;
            Some((next, (control, actor, tenant, all)))
        }))
    }

    /// The steps of a pipeline's batches from now on, each once it is in the journal.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn watch_batches(
        &self,
        actor: &Actor,
        id: &str,
    ) -> Result<impl Stream<Item = Watched<BatchProgress>> + Send + use<>, ControlError> {
        let entry = self.allowed(actor, Action::ViewPipelines, id)?;
        Ok(Box::pin(received(entry.progress()).take_until(entry.gone().clone().cancelled_owned())))
    }

    /// Id of the newest event that was told to listeners; 0: none. A reader that takes it before it calls
    /// [`Control::watch_events`] can list the events after it and misses none.
    pub fn newest_event(&self) -> u64 {
        self.0.recorder.newest()
    }

    /// What happens from now on, each once it is written down.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub fn watch_events(
        &self,
        actor: &Actor,
        query: &EventQuery,
    ) -> Result<impl Stream<Item = Watched<Arc<RecordedEvent>>> + Send + use<>, ControlError> {
        let filter = self.event_filter(actor, query)?;
        let wanted = move |event: &Watched<Arc<RecordedEvent>>| {
            std::future::ready(match event {
                Watched::Item(event) => matches(&filter, event),
                // Whose they were nobody knows; that there is a hole, the reader must.
                Watched::Lost(_) => true,
            })
        };
        Ok(Box::pin(received(self.0.recorder.listen()).filter(wanted)))
    }
}

fn matches(filter: &EventFilter, event: &RecordedEvent) -> bool {
    let whose = match &filter.scope {
        Scope::All => true,
        Scope::Host => event.tenant.is_none(),
        Scope::Tenant(tenant) => event.tenant.as_ref() == Some(tenant),
    };
    whose
        && filter.stream.as_ref().is_none_or(|stream| event.stream.as_ref() == Some(stream))
        && event.event.severity >= filter.at_least
        && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind == event.event.kind.name()))
}

/// One pipeline's snapshots; always the newest, so that a slow reader skips some.
fn snapshots(entry: &Arc<PipelineHandle>) -> BoxStream<'static, Seen> {
    let id = entry.id().clone();
    let gone = entry.gone().clone().cancelled_owned();
    WatchStream::new(entry.snapshots()).map(move |snapshot| (id.clone(), snapshot)).take_until(gone).boxed()
}

/// What a broadcast brings, holes told.
pub(super) fn received<T: Clone + Send + 'static>(
    receiver: broadcast::Receiver<T>,
) -> impl Stream<Item = Watched<T>> + Send + 'static {
    stream::unfold(receiver, |mut receiver| async move {
        let next = match receiver.recv().await {
            Ok(item) => Watched::Item(item),
            Err(broadcast::error::RecvError::Lagged(lost)) => Watched::Lost(lost),
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((next, receiver))
    })
}

/// The snapshots of a changing set of pipelines.
struct All {
    seen: Vec<PipelineId>,
    feeds: SelectAll<BoxStream<'static, Seen>>,
    roster: watch::Receiver<u64>,
}

impl All {
    async fn next(&mut self, control: &Control, actor: &Actor, tenant: Option<&str>) -> Option<Seen> {
        loop {
            self.roster.borrow_and_update();
            let now = control.pipelines(actor, tenant).ok()?;
            self.seen.retain(|id| now.iter().any(|entry| entry.id() == id));
            for entry in now {
                if !self.seen.contains(entry.id()) {
                    self.seen.push(entry.id().clone());
                    self.feeds.push(snapshots(&entry));
                }
            }
            tokio::select! {
                changed = self.roster.changed() => changed.ok()?,
                Some(next) = self.feeds.next(), if !self.feeds.is_empty() => return Some(next),
            }
        }
    }
}
