//! The destinations of a programme: started, added, switched off and removed while it is on air.
//!
//! In: [`DestinationConfig`]s, again whenever they change. Out: one task for each that is enabled, its status, and which
//! batches it still needs. No change of one destination touches another.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::dispatcher::Dispatch;
use tracing::instrument::WithSubscriber;

use super::DestinationConfig;
use super::clock::AirClock;
use super::cursor::Cursor;
use super::destination::{Destination, Parts};
use super::journal::{AirEvent, AirJournal};
use super::position::Position;
use super::sink::Opener;
use super::spool::Spool;
use super::status::DestinationStatus;

/// One receiver for each destination, in the order of the configuration.
pub type Statuses = Vec<watch::Receiver<DestinationStatus>>;

/// The destinations of a programme. Cheap to clone; clones steer the same destinations.
#[derive(Clone)]
pub struct Destinations(Arc<Inner>);

struct Inner {
    stream: String,
    ffmpeg: PathBuf,
    runtime: Handle,
    spool: Spool,
    clock: AirClock,
    journal: Arc<dyn AirJournal>,
    cancel: CancellationToken,
    span: tracing::Span,
    /// A subscriber that is set for a thread alone would not hear another runtime's.
    subscriber: Dispatch,
    slots: Mutex<Slots>,
    shown: watch::Sender<Statuses>,
}

struct Slots {
    /// `None` once the programme ends: nothing is started any more.
    events: Option<mpsc::Sender<AirEvent>>,
    list: Vec<Slot>,
}

struct Slot {
    name: String,
    enabled: bool,
    status: watch::Sender<DestinationStatus>,
    /// The first batch that it needs; [`u64::MAX`]: not known yet.
    from: Arc<AtomicU64>,
    cancel: CancellationToken,
    reconnect: Arc<Notify>,
    task: Option<JoinHandle<()>>,
}

/// A destination that waits for batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Name of the destination, unique in its pipeline.
    pub name: String,
    /// The first batch that it needs.
    pub from: u64,
}

/// What a programme's destinations share.
pub(super) struct Shared {
    pub(super) stream: String,
    pub(super) ffmpeg: PathBuf,
    pub(super) runtime: Handle,
    pub(super) spool: Spool,
    pub(super) clock: AirClock,
    pub(super) journal: Arc<dyn AirJournal>,
    pub(super) events: mpsc::Sender<AirEvent>,
    pub(super) cancel: CancellationToken,
}

// === impl Destinations ===

impl Destinations {
    pub(super) fn new(shared: Shared) -> Self {
        let Shared { stream, ffmpeg, runtime, spool, clock, journal, events, cancel } = shared;
        let slots = Mutex::new(Slots { events: Some(events), list: Vec::new() });
        let subscriber = tracing::dispatcher::get_default(Dispatch::clone);
        let (span, shown) = (tracing::Span::current(), watch::Sender::default());
        Self(Arc::new(Inner { stream, ffmpeg, runtime, spool, clock, journal, cancel, span, subscriber, slots, shown }))
    }

    /// Starts the destinations of a programme that begins; each goes on where its configuration says.
    pub(super) fn begin(&self, configs: Vec<DestinationConfig>) {
        let mut slots = self.lock();
        for config in configs {
            let resume = config.resume;
            let slot = self.slot(&config);
            slots.list.push(slot);
            self.start(&mut slots, config, Start::At(resume));
        }
        self.show(&slots);
    }

    /// Makes the destinations those of `configs`: those that stay are not touched, new ones and those that are enabled begin
    /// at the place that is on air now.
    pub fn set(&self, configs: Vec<DestinationConfig>) {
        let mut slots = self.lock();
        let mut before = std::mem::take(&mut slots.list);
        for config in configs {
            let known = before.iter().position(|slot| slot.name == config.name);
            let slot = known.map(|known| before.remove(known));
            let (was, mut slot) = match slot {
                Some(slot) => (slot.enabled, slot),
                None => (false, self.slot(&config)),
            };
            slot.enabled = config.enabled;
            slot.status.send_if_modified(|status| {
                let differs = status.label != config.label || status.disabled == config.enabled;
                status.label.clone_from(&config.label);
                status.disabled = !config.enabled;
                differs
            });
            slots.list.push(slot);
            match (was, config.enabled) {
                (false, true) => self.start(&mut slots, config, Start::Now),
                (true, false) => self.stop(slots.list.last_mut()),
                _ => {}
            }
        }
        for mut gone in before {
            // Its task closes the session and ends by itself.
            self.stop(Some(&mut gone));
        }
        self.show(&slots);
    }

    /// Ends a destination's session and opens another one at once, also where it waits before the next attempt. False:
    /// there is no such destination, or it is not enabled.
    pub fn reconnect(&self, name: &str) -> bool {
        let slots = self.lock();
        let found = slots.list.iter().find(|slot| slot.name == name && slot.enabled);
        found.iter().for_each(|slot| slot.reconnect.notify_one());
        found.is_some()
    }

    /// The destinations that are enabled, and the first batch that each needs.
    pub fn needs(&self) -> Vec<Needs> {
        let slots = self.lock();
        let enabled = slots.list.iter().filter(|slot| slot.enabled);
        enabled.map(|slot| Needs { name: slot.name.clone(), from: slot.from.load(Ordering::Relaxed) }).collect()
    }

    /// What each destination reports; a new list where one comes or goes.
    pub fn statuses(&self) -> watch::Receiver<Statuses> {
        self.0.shown.subscribe()
    }

    /// Starts nothing any more, and answers what runs.
    pub(super) fn close(&self) -> Vec<(watch::Receiver<DestinationStatus>, Option<JoinHandle<()>>)> {
        let mut slots = self.lock();
        slots.events = None;
        slots.list.iter_mut().map(|slot| (slot.status.subscribe(), slot.task.take())).collect()
    }

    fn slot(&self, config: &DestinationConfig) -> Slot {
        let status = DestinationStatus {
            name: config.name.clone(),
            label: config.label.clone(),
            url: config.target.redacted(),
            disabled: !config.enabled,
            ..DestinationStatus::default()
        };
        Slot {
            name: config.name.clone(),
            enabled: config.enabled,
            status: watch::Sender::new(status),
            from: Arc::new(AtomicU64::new(u64::MAX)),
            cancel: self.0.cancel.child_token(),
            reconnect: Arc::default(),
            task: None,
        }
    }

    /// Starts the newest slot's task, if it is enabled.
    fn start(&self, slots: &mut Slots, config: DestinationConfig, start: Start) {
        let (Some(events), Some(slot)) = (slots.events.clone(), slots.list.last_mut()) else { return };
        if !config.enabled {
            return;
        }
        let inner = &self.0;
        slot.cancel = inner.cancel.child_token();
        let span = tracing::error_span!(parent: &inner.span, "air", stream = inner.stream, destination = config.name,
            url = config.target.redacted());
        let mut parts = Parts {
            name: config.name,
            opener: Opener {
                target: config.target,
                tls: config.tls,
                guard: config.guard,
                ffmpeg: inner.ffmpeg.clone(),
            },
            resume: None,
            max_lag: config.max_lag,
            spool: inner.spool.clone(),
            clock: inner.clock.clone(),
            journal: inner.journal.clone(),
            events,
            status: slot.status.clone(),
            cancel: slot.cancel.clone(),
            reconnect: slot.reconnect.clone(),
        };
        let (before, from) = (slot.task.take(), slot.from.clone());
        if let Start::At(resume) = start {
            from.store(resume.as_ref().map_or(0, Position::batch), Ordering::Relaxed);
        }
        let run = async move {
            if let Some(before) = before {
                // It closes its session, so that the server lets this one in.
                let _ = before.await;
            }
            parts.resume = match start {
                Start::At(resume) => resume,
                Start::Now => {
                    let here = here(&parts.spool, &parts.clock);
                    from.store(here.as_ref().map_or(0, Position::batch), Ordering::Relaxed);
                    here
                }
            };
            Destination::new(parts).run().await;
        };
        slot.task = Some(inner.runtime.spawn(run.instrument(span).with_subscriber(inner.subscriber.clone())));
    }

    /// Ends what runs in a slot; then its place on air is forgotten, so that nothing counts as lost when it is back.
    fn stop(&self, slot: Option<&mut Slot>) {
        let Some(slot) = slot else { return };
        slot.cancel.cancel();
        slot.from.store(u64::MAX, Ordering::Relaxed);
        let (before, journal, name) = (slot.task.take(), self.0.journal.clone(), slot.name.clone());
        let forget = async move {
            if let Some(before) = before {
                let _ = before.await;
            }
            if let Err(error) = journal.forget(&name).await {
                tracing::warn!(destination = name, %error, "failed to delete the journalled position of a destination");
            }
        };
        let (span, subscriber) = (self.0.span.clone(), self.0.subscriber.clone());
        slot.task = Some(self.0.runtime.spawn(forget.instrument(span).with_subscriber(subscriber)));
    }

    fn show(&self, slots: &Slots) {
        self.0.shown.send_replace(slots.list.iter().map(|slot| slot.status.subscribe()).collect());
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Destinations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destinations").field("stream", &self.0.stream).finish_non_exhaustive()
    }
}

/// Where a destination begins.
enum Start {
    /// There; `None`: at the oldest batch of the spool.
    At(Option<Position>),
    /// At the place that is on air now.
    Now,
}

/// The first place from now on where a receiver can start; `None`: nothing is on air yet.
fn here(spool: &Spool, clock: &AirClock) -> Option<Position> {
    let (now_ms, oldest) = (clock.now_ms()?, spool.oldest()?);
    let mut cursor = Cursor::new(spool.clone(), Position::start_of(oldest.number, oldest.start_ms));
    cursor.skip_to(now_ms);
    Some(cursor.position())
}

#[cfg(test)]
mod tests;
