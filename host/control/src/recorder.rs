//! Writes events down and tells whoever listens, in that order: what a subscriber or a webhook saw can be looked up.
//!
//! One task a control plane, several events in one transaction. Pipelines never wait for it: they have a queue each
//! ([`crate::limits::NOTES_WAITING`]), and so one that floods loses its own events, not another's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{broadcast, mpsc, oneshot};

use super::id::PipelineId;
use super::incidents::Change;
use super::registry::{IncidentState, NewEvent, Registry};
use super::webhooks::sender::Sender;
use crate::limits::{EVENTS_AT_ONCE_MAX, EVENTS_LISTENED, EVENTS_WAITING};
use outboard_pipeline::event::Event;

/// An event after it was stored, as subscribers get it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedEvent {
    /// Number in the database; later events have higher ones.
    pub id: u64,
    /// Whose; `None`: the host's.
    pub tenant: Option<String>,
    /// Stream id of the pipeline; `None`: the event is about the tenant or the host.
    pub stream: Option<String>,
    /// The event as its source reported it.
    pub event: Event,
    /// The incident that it tells of.
    pub incident: Option<u64>,
}

#[derive(Debug)]
enum RecorderMessage {
    Record(NewEvent),
    Update(PipelineId, IncidentState),
    Flush(oneshot::Sender<()>),
}

/// A handle to the task. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    orders: mpsc::Sender<RecorderMessage>,
    listeners: broadcast::Sender<Arc<RecordedEvent>>,
    /// Id of the newest event that listeners were told, or that an earlier run stored; 0: none.
    newest: Arc<AtomicU64>,
}

// === impl Recorder ===

impl Recorder {
    /// `newest`: id of the newest event that is stored already.
    pub(super) fn start(newest: u64, registry: Registry, webhooks: Arc<Sender>) -> Self {
        let listeners = broadcast::Sender::new(EVENTS_LISTENED);
        let (orders, waiting) = mpsc::channel(EVENTS_WAITING);
        let newest = Arc::new(AtomicU64::new(newest));
        tokio::spawn(record(newest.clone(), registry, listeners.clone(), webhooks, waiting));
        Self { orders, listeners, newest }
    }

    /// Id of the newest event that listeners were told; 0: none. Who subscribes after this call is told of every later
    /// event, or finds it in the registry.
    pub(super) fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// What is stored from now on; a listener that is behind by more than [`EVENTS_LISTENED`] events loses the oldest.
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<RecordedEvent>> {
        self.listeners.subscribe()
    }

    /// How many listen now.
    pub(super) fn listeners(&self) -> usize {
        self.listeners.receiver_count()
    }

    /// Of a pipeline. Waits while too many others do.
    pub(super) async fn pipeline(&self, id: &PipelineId, event: Event) {
        self.record(Some(id.tenant.clone()), Some(id.stream.clone()), event).await;
    }

    /// Logs an event of a pipeline as the pipeline would, and stores it.
    pub(super) async fn report(&self, id: &PipelineId, event: Event) {
        tracing::error_span!("pipeline", tenant = id.tenant, stream = id.stream).in_scope(|| event.log());
        self.pipeline(id, event).await;
    }

    /// A change of an incident of a pipeline.
    pub(super) async fn incident(&self, id: &PipelineId, change: Change) {
        let Change { incident, event } = change;
        let order = match event {
            None => RecorderMessage::Update(id.clone(), incident),
            Some(event) => {
                let (tenant, stream) = (Some(id.tenant.clone()), Some(id.stream.clone()));
                RecorderMessage::Record(NewEvent { tenant, stream, event, incident: Some(incident) })
            }
        };
        // Closed only when the process ends.
        let _ = self.orders.send(order).await;
    }

    /// Of a tenant, or of the host.
    pub(super) async fn record(&self, tenant: Option<String>, stream: Option<String>, event: Event) {
        // Closed only when the process ends.
        let _ = self.orders.send(RecorderMessage::Record(NewEvent { tenant, stream, event, incident: None })).await;
    }

    /// Answers when everything that was handed in before is written.
    pub(super) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(RecorderMessage::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

async fn record(
    newest: Arc<AtomicU64>,
    registry: Registry,
    listeners: broadcast::Sender<Arc<RecordedEvent>>,
    webhooks: Arc<Sender>,
    mut waiting: mpsc::Receiver<RecorderMessage>,
) {
    let mut orders = Vec::new();
    while waiting.recv_many(&mut orders, EVENTS_AT_ONCE_MAX).await > 0 {
        let (mut events, mut updates, mut flushed) = (Vec::new(), Vec::new(), Vec::new());
        for order in orders.drain(..) {
            match order {
                RecorderMessage::Record(event) => events.push(event),
                RecorderMessage::Update(id, incident) => updates.push((id, incident)),
                RecorderMessage::Flush(done) => flushed.push(done),
            }
        }
        if !events.is_empty() {
            let told: Vec<Event> = events.iter().map(|new| new.event.clone()).collect();
            match registry.add_events(events).await {
                Ok(rows) => {
                    webhooks.wake();
                    for row in rows {
                        let Some(event) = told.iter().find(|event| {
                            event.kind.name() == row.kind && event.at_ms == row.at_ms && event.message == row.message
                        }) else {
                            continue;
                        };
                        let incident = row.incident();
                        let (id, tenant, stream, event) = (row.id, row.tenant, row.stream, event.clone());
                        // Nobody may be listening.
                        let _ = listeners.send(Arc::new(RecordedEvent { id, tenant, stream, event, incident }));
                        newest.store(id, Ordering::Release);
                    }
                }
                Err(error) => tracing::error!(%error, "failed to store events"),
            }
        }
        if !updates.is_empty()
            && let Err(error) = registry.update_incidents(updates).await
        {
            tracing::error!(%error, "failed to store the counts of incidents");
        }
        for done in flushed {
            let _ = done.send(());
        }
    }
}
