//! The session with a processor: how many fragments it accepts, which are in flight, and when the next one may be sent.
//!
//! In: the host's calls and the processor's messages. Out: messages and events. Limits: the last [`SENT_MAX`] fragments.

use crate::decode::{self, FragmentRef, ProcessorMessage};
use crate::dialect;
use crate::encode::{self, Fragment};
use crate::flow::Flow;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use stage_kit::framing::{Event, Message, Reference, foreign_id};
use stage_kit::snapshot::{self, Origin};
use std::collections::VecDeque;

/// Most fragments that are remembered; more than are ever in flight.
const SENT_MAX: usize = 64;

/// The writer of this stage's snapshots. It reads no others, as they have no session.
const OWN: Origin = Origin { stage: "framing-sts", layout: 1 };

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The processor's id of the session, once it is ready.
    session: Option<String>,
    /// How many fragments the processor accepts at once, if it said so.
    granted: Option<u64>,
    flow: Flow,
    /// Sent fragments, oldest first.
    sent: VecDeque<Sent>,
}

/// A fragment that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    /// The host's id; the id in messages is derived from it.
    id: String,
    /// When it was last sent, Unix time in milliseconds; `None` once it was answered.
    out_since_ms: Option<u64>,
}

/// The state of one pipeline's stage.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
}

impl Session {
    /// Starts without state, or resumes from a snapshot of this stage.
    ///
    /// # Errors
    /// A sentence if the snapshot cannot be read.
    pub fn new(settings: Settings, state: Option<&[u8]>) -> Result<Self, String> {
        let mut state: State = state.map(read).transpose()?.unwrap_or_default();
        state.sent.truncate(SENT_MAX);
        Ok(Self { settings, state })
    }

    /// The settings that the stage was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Begins a connection; returns the message that starts the session.
    pub fn connected(&mut self, stream_id: &str) -> Message {
        self.disconnected();
        encode::init(&self.settings, stream_id)
    }

    /// Ends the connection and its session. The ids of sent fragments are kept.
    pub fn disconnected(&mut self) {
        (self.state.session, self.state.granted, self.state.flow) = (None, None, Flow::default());
        self.state.sent.iter_mut().for_each(|sent| sent.out_since_ms = None);
    }

    /// Encodes a fragment as a message, and counts it as in flight.
    pub fn encode(&mut self, fragment: &Fragment, audio: &[u8]) -> Message {
        let sent = &mut self.state.sent;
        sent.retain(|sent| sent.id != fragment.id);
        if sent.len() == SENT_MAX {
            sent.pop_front();
        }
        sent.push_back(Sent { id: fragment.id.clone(), out_since_ms: Some(fragment.now_ms) });
        encode::fragment(&self.settings, fragment, audio)
    }

    /// Decodes a processor's message. `now_ms`: Unix time in milliseconds.
    ///
    /// # Errors
    /// A sentence if the arguments are not a JSON array.
    pub fn decode(&mut self, message: &Message, now_ms: u64) -> Result<Vec<Event>, String> {
        let mut events = Vec::new();
        match decode::decode(&self.settings, message)? {
            ProcessorMessage::Ready { session, max_inflight } => {
                let grant = max_inflight.map_or(String::new(), |most| format!(", {most} fragments at once"));
                let text = format!("session {session:?}{grant}");
                self.state.granted = max_inflight;
                if self.state.session.replace(session).is_none() {
                    // The contract allows this event once per connection.
                    events.push(Event::Ready);
                }
                events.push(Event::Note { warn: false, text });
            }
            ProcessorMessage::Acknowledged(fragment) => {
                events.extend(self.reference(fragment).map(Event::Acknowledged))
            }
            ProcessorMessage::Processed { fragment, audio, metadata } => {
                events.extend(acknowledge(&fragment, now_ms));
                if let Some(fragment) = self.answered(fragment) {
                    events.push(Event::Processed { fragment, audio, metadata });
                }
            }
            ProcessorMessage::Failed { fragment: Some(fragment), answer, reason, retryable } => {
                if answer {
                    events.extend(acknowledge(&fragment, now_ms));
                }
                let fragment = self.answered(fragment);
                events.push(Event::Failed { fragment, reason, retryable });
            }
            ProcessorMessage::Failed { fragment: None, reason, retryable, .. } => {
                self.state.sent.iter_mut().for_each(|sent| sent.out_since_ms = None);
                events.push(Event::Failed { fragment: None, reason, retryable });
            }
            ProcessorMessage::Pause => self.state.flow.pause(),
            ProcessorMessage::SlowDown(ms) => {
                let wait_ms = ms.unwrap_or(self.settings.slow_down_ms);
                self.state.flow.slow_down(now_ms.saturating_add(wait_ms));
            }
            ProcessorMessage::Resume => self.state.flow.resume(),
            ProcessorMessage::Note { warn, text } => events.push(Event::Note { warn, text }),
            ProcessorMessage::Nothing => {}
        }
        let full_until_ms = self.full_until_ms(now_ms);
        events.extend(self.state.flow.changes(now_ms, full_until_ms));
        Ok(events)
    }

    /// Serialises the state, from which another instance can resume.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(OWN, &self.state)
    }

    /// When the number of fragments in flight falls below the limit, because the oldest time out; `None`: it is below now.
    fn full_until_ms(&self, now_ms: u64) -> Option<u64> {
        let granted = usize::try_from(self.state.granted?.max(1)).unwrap_or(usize::MAX);
        let over = |since: u64| since.saturating_add(self.settings.timeout_ms);
        let mut out: Vec<u64> = self.state.sent.iter().filter_map(|sent| sent.out_since_ms).map(over).collect();
        out.retain(|over_ms| *over_ms > now_ms);
        out.sort_unstable();
        // With one fragment above the limit, two must time out before the next one may be sent.
        out.len().checked_sub(granted).and_then(|at| out.get(at).copied())
    }

    /// The host's reference of a fragment that the processor names.
    fn reference(&self, named: FragmentRef) -> Option<Reference> {
        let ours =
            named.id.as_ref().and_then(|id| self.state.sent.iter().find(|sent| encode::fragment_id(&sent.id) == *id));
        match (ours, named.sequence, named.id) {
            (Some(sent), _, _) => Some(Reference::Id(sent.id.clone())),
            (None, Some(batch), _) => Some(Reference::Batch(batch)),
            (None, None, id) => id.as_deref().map(foreign_id),
        }
    }

    /// Like [`reference`](Self::reference); the fragment is no longer in flight.
    fn answered(&mut self, named: FragmentRef) -> Option<Reference> {
        let reference = self.reference(named)?;
        // The host's ids end in the batch's number.
        let is_it = |id: &str| match &reference {
            Reference::Id(ours) => id == ours,
            Reference::Batch(batch) => id.rsplit('-').next().and_then(|end| end.parse().ok()) == Some(*batch),
        };
        for sent in self.state.sent.iter_mut().filter(|sent| is_it(&sent.id)) {
            sent.out_since_ms = None;
        }
        Some(reference)
    }
}

fn acknowledge(fragment: &FragmentRef, now_ms: u64) -> Option<Event> {
    let id = fragment.id.as_deref()?;
    Some(Event::Reply(dialect::received(id, now_ms)))
}

fn read(bytes: &[u8]) -> Result<State, String> {
    snapshot::read(&[OWN], bytes)
        .map_err(|why| format!("{why}; this dialect needs a session, which begins with a connection of its own"))
}

#[cfg(test)]
mod tests;
