//! Fragments that were sent and are not answered yet, by the version that sent them. If a version with another dialect takes over,
//! the replies to earlier fragments still arrive in the old dialect.
//!
//! Bounded: [`FRAMING_IN_FLIGHT_KEPT`] fragments of each version, those of the version before for [`FRAMING_PREDECESSOR_KEPT`].

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{Event, Fragment, Reference};
use crate::limits::{FRAMING_IN_FLIGHT_KEPT, FRAMING_PREDECESSOR_KEPT};

#[derive(Debug)]
struct Sent {
    id: String,
    batch: u64,
}

impl Sent {
    fn is(&self, reference: &Reference) -> bool {
        match reference {
            Reference::Id(id) => self.id == *id,
            Reference::Batch(batch) => self.batch == *batch,
        }
    }
}

/// The fragments in flight of the current version and of the one before it, oldest first.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Sent by the current version.
    current: VecDeque<Sent>,
    /// Sent by the version before the last fresh start.
    predecessor: VecDeque<Sent>,
    /// When the last fresh start was seen.
    since: Option<Instant>,
    /// [`StageSlot::fresh_starts`](crate::slot::StageSlot::fresh_starts) at the last call.
    fresh_starts: u64,
}

impl InFlight {
    /// Nothing is in flight. `fresh_starts`: the slot's count.
    pub(super) fn after(fresh_starts: u64) -> Self {
        Self { fresh_starts, ..Self::default() }
    }

    /// Takes the slot's count of fresh starts. If it grew, the fragments in flight are those of the predecessor.
    pub(super) fn note_fresh_starts(&mut self, fresh_starts: u64) {
        if std::mem::replace(&mut self.fresh_starts, fresh_starts) != fresh_starts {
            self.predecessor = std::mem::take(&mut self.current);
            self.since = Some(Instant::now());
        }
    }

    /// Records that the current version sent a fragment.
    pub(super) fn sent(&mut self, fragment: &Fragment) {
        // A fragment that is sent again belongs to the current version.
        self.predecessor.retain(|sent| sent.id != fragment.id);
        self.current.retain(|sent| sent.id != fragment.id);
        if self.current.len() >= FRAMING_IN_FLIGHT_KEPT {
            self.current.pop_front();
        }
        self.current.push_back(Sent { id: fragment.id.clone(), batch: fragment.batch });
    }

    /// Removes the fragments that these events answer.
    pub(super) fn answered(&mut self, events: &[Event]) {
        forget(&mut self.current, events);
    }

    /// True if replies to the version before may still arrive.
    pub(super) fn awaits_predecessor_replies(&mut self) -> bool {
        if self.since.is_some_and(|since| since.elapsed() > FRAMING_PREDECESSOR_KEPT) {
            self.predecessor.clear();
        }
        !self.predecessor.is_empty()
    }

    /// True if one of these events is about a fragment of the version before; removes the fragments that they answer.
    pub(super) fn answered_by_predecessor(&mut self, events: &[Event]) -> bool {
        let about = |event: &Event| about(event).is_some_and(|of| self.predecessor.iter().any(|sent| sent.is(of)));
        let any = events.iter().any(about);
        forget(&mut self.predecessor, events);
        any
    }
}

fn forget(sent: &mut VecDeque<Sent>, events: &[Event]) {
    for event in events {
        if matches!(event, Event::Processed(_) | Event::Failed(_))
            && let Some(of) = about(event)
        {
            sent.retain(|sent| !sent.is(of));
        }
    }
}

/// The fragment that an event refers to.
fn about(event: &Event) -> Option<&Reference> {
    match event {
        Event::Acknowledged(of) => Some(of),
        Event::Processed(processed) => Some(&processed.fragment),
        Event::Failed(failure) => failure.fragment.as_ref(),
        _ => None,
    }
}
