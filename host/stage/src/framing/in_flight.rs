//! Fragments that were sent and are not answered yet, by the version that sent them: where one of another dialect takes over, the
//! replies to them still come in the old one.
//!
//! Bounded: [`FRAMING_IN_FLIGHT_KEPT`] fragments of each version, those of the version before for [`FRAMING_FORMER_KEPT`].

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{Event, Fragment, Reference};
use crate::limits::{FRAMING_FORMER_KEPT, FRAMING_IN_FLIGHT_KEPT};

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

/// Oldest first.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Of the version that sits there.
    current: VecDeque<Sent>,
    /// Of the version before it.
    former: VecDeque<Sent>,
    /// Since when there is a version before.
    since: Option<Instant>,
    /// How often the seat was taken anew when this was last looked at.
    turns: u64,
}

impl InFlight {
    /// Nothing is in flight; the seat was taken anew so often.
    pub(super) fn after(turns: u64) -> Self {
        Self { turns, ..Self::default() }
    }

    /// The seat was taken anew so often: if once more, what is in flight is the former version's.
    pub(super) fn turned(&mut self, turns: u64) {
        if std::mem::replace(&mut self.turns, turns) != turns {
            self.former = std::mem::take(&mut self.current);
            self.since = Some(Instant::now());
        }
    }

    /// The version that sits there sent a fragment.
    pub(super) fn sent(&mut self, fragment: &Fragment) {
        // Sent again: it is this version's now.
        self.former.retain(|sent| sent.id != fragment.id);
        self.current.retain(|sent| sent.id != fragment.id);
        if self.current.len() >= FRAMING_IN_FLIGHT_KEPT {
            self.current.pop_front();
        }
        self.current.push_back(Sent { id: fragment.id.clone(), batch: fragment.batch });
    }

    /// Forgets what these events end.
    pub(super) fn answered(&mut self, events: &[Event]) {
        forget(&mut self.current, events);
    }

    /// Whether replies to the former version may still come.
    pub(super) fn is_anything_former(&mut self) -> bool {
        if self.since.is_some_and(|since| since.elapsed() > FRAMING_FORMER_KEPT) {
            self.former.clear();
        }
        !self.former.is_empty()
    }

    /// Whether one of these events is about a fragment of the former version; forgets what they end.
    pub(super) fn answered_former(&mut self, events: &[Event]) -> bool {
        let about = |event: &Event| about(event).is_some_and(|of| self.former.iter().any(|sent| sent.is(of)));
        let any = events.iter().any(about);
        forget(&mut self.former, events);
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

/// The fragment that an event is about.
fn about(event: &Event) -> Option<&Reference> {
    match event {
        Event::Acknowledged(of) => Some(of),
        Event::Processed(processed) => Some(&processed.fragment),
        Event::Failed(failure) => failure.fragment.as_ref(),
        _ => None,
    }
}
