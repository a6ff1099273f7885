//! The destinations of a programme: started, added, disabled and removed while it is on air.
//!
//! In: the [`DestinationConfig`]s, again after each change. Out: one task for each enabled destination, its status, and
//! which batches it still needs. A change of one destination does not affect another.

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
use super::rtmp::enhanced::EnhancedRtmp;
use super::sink::Opener;
use super::spool::Spool;
use super::status::DestinationStatus;

/// One status receiver per destination, in the order of the configuration.
pub type Statuses = Vec<watch::Receiver<DestinationStatus>>;

/// The destinations of a programme. Cheap to clone; clones control the same destinations.
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
    /// The tracing subscriber of the creator: one that is set for a single thread would not receive events of another
    /// runtime.
    subscriber: Dispatch,
    slots: Mutex<Slots>,
    shown: watch::Sender<Statuses>,
}

struct Slots {
    /// `None` once the programme ends: then nothing is started any more.
    events: Option<mpsc::Sender<AirEvent>>,
    list: Vec<Slot>,
}

struct Slot {
    name: String,
    enabled: bool,
    enhanced: watch::Sender<EnhancedRtmp>,
    status: watch::Sender<DestinationStatus>,
    /// The first batch that it needs; [`u64::MAX`]: not known yet.
    from: Arc<AtomicU64>,
    cancel: CancellationToken,
    reconnect: Arc<Notify>,
    task: Option<JoinHandle<()>>,
}

/// A destination that needs batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Name of the destination, unique in its pipeline.
    pub name: String,
    /// The first batch that it needs.
    pub from: u64,
}

/// Parts that a programme's destinations share.
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

    /// Starts the destinations of a new programme, each at the position in its configuration.
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

    /// Replaces the set of destinations with `configs`: unchanged ones are not affected; new and newly enabled ones
    /// begin at the current position on air.
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
            slot.enhanced.send_replace(config.enhanced);
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
            // Its task closes the session and ends on its own.
            self.stop(Some(&mut gone));
        }
        self.show(&slots);
    }

    /// Ends a destination's session and opens a new one at once, even while it waits for the next attempt. Returns
    /// false if the destination does not exist or is disabled.
    pub fn reconnect(&self, name: &str) -> bool {
        let slots = self.lock();
        let found = slots.list.iter().find(|slot| slot.name == name && slot.enabled);
        found.iter().for_each(|slot| slot.reconnect.notify_one());
        found.is_some()
    }

    /// The enabled destinations, and the first batch that each needs.
    pub fn needs(&self) -> Vec<Needs> {
        let slots = self.lock();
        let enabled = slots.list.iter().filter(|slot| slot.enabled);
        enabled.map(|slot| Needs { name: slot.name.clone(), from: slot.from.load(Ordering::Relaxed) }).collect()
    }

    /// The status of each destination; a new list whenever one is added or removed.
    pub fn statuses(&self) -> watch::Receiver<Statuses> {
        self.0.shown.subscribe()
    }

    /// Starts nothing any more, and returns the running tasks.
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
            enhanced: watch::Sender::new(config.enhanced),
            status: watch::Sender::new(status),
            from: Arc::new(AtomicU64::new(u64::MAX)),
            cancel: self.0.cancel.child_token(),
            reconnect: Arc::default(),
            task: None,
        }
    }

    /// Starts the task of the newest slot, if it is enabled.
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
                enhanced: slot.enhanced.subscribe(),
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
                // It closes its session, so that the server accepts the new one.
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

    /// Ends the task of a slot, then removes its position, so that nothing counts as lost when the destination is
    /// enabled again.
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
    /// At this position; `None`: at the oldest batch of the spool.
    At(Option<Position>),
    /// At the current position on air.
    Now,
}

/// The first entry for a receiver from now on; `None`: nothing is on air yet.
fn here(spool: &Spool, clock: &AirClock) -> Option<Position> {
    let (now_ms, oldest) = (clock.now_ms()?, spool.oldest()?);
    let mut cursor = Cursor::new(spool.clone(), Position::start_of(oldest.number, oldest.start_ms));
    cursor.skip_to(now_ms);
    Some(cursor.position())
}

#[cfg(test)]
mod tests;
