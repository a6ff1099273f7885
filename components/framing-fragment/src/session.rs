//! What the stage remembers: the ids it sent, so that a processor's own ids are not taken for ours.
//!
//! Limits: the last [`SENT_MAX`] ids.

use crate::decode::{self, Event};
use crate::dialect::Message;
use crate::encode::{self, Fragment};
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use stage_kit::snapshot;
use std::collections::VecDeque;

/// More fragments than are ever in flight.
const SENT_MAX: usize = 64;

/// This stage's name in its snapshots.
const STAGE: &str = "framing-fragment";
/// Layout number of the snapshots.
const LAYOUT: u32 = 1;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Oldest first.
    sent: VecDeque<String>,
}

/// One pipeline's conversation with its processor.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    state: State,
}

impl Session {
    /// Starts anew, or goes on from a snapshot.
    ///
    /// # Errors
    /// A sentence if the snapshot cannot be read.
    pub fn new(settings: Settings, state: Option<&[u8]>) -> Result<Self, String> {
        let mut state: State = state.map(|bytes| snapshot::read(STAGE, LAYOUT, bytes)).transpose()?.unwrap_or_default();
        state.sent.truncate(SENT_MAX);
        Ok(Self { settings, state })
    }

    /// The message that sends a fragment.
    pub fn encode(&mut self, fragment: &Fragment, audio: Vec<u8>) -> Message {
        if !self.state.sent.contains(&fragment.id) {
            if self.state.sent.len() == SENT_MAX {
                self.state.sent.pop_front();
            }
            self.state.sent.push_back(fragment.id.clone());
        }
        encode::encode(&self.settings, fragment, audio)
    }

    /// What a message means.
    ///
    /// # Errors
    /// A sentence if the arguments are not a JSON array.
    pub fn decode(&self, message: Message) -> Result<Vec<Event>, String> {
        decode::decode(message, |id| self.state.sent.iter().any(|sent| sent == id))
    }

    /// Everything that another instance needs to go on.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(STAGE, LAYOUT, &self.state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Reference;

    fn session(state: Option<&[u8]>) -> Session {
        Session::new(Settings::read("").unwrap(), state).unwrap()
    }

    fn fragment(batch: u64) -> Fragment {
        Fragment { id: format!("cam-{batch}"), batch, ..Fragment::default() }
    }

    fn acknowledged(session: &Session, id: &str) -> Reference {
        let arguments = format!(r#"[{{"fragment":{{"id":"{id}","batchNumber":1}}}}]"#);
        let message = Message { event: "fragment:ack".into(), arguments, attachments: vec![] };
        match session.decode(message).unwrap().remove(0) {
            Event::Acknowledged(reference) => reference,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn ids_that_were_sent_are_known_also_after_a_restart() {
        let mut first = session(None);
        first.encode(&fragment(1), vec![]);
        first.encode(&fragment(1), vec![]);
        let second = session(Some(&first.snapshot()));
        assert_eq!(second.state.sent, ["cam-1"]);
        assert_eq!(acknowledged(&second, "cam-1"), Reference::Id("cam-1".into()));
        assert_eq!(acknowledged(&second, "theirs"), Reference::Batch(1));
        assert!(Session::new(first.settings, Some(b"?")).is_err());
    }

    #[test]
    fn memory_of_ids_is_bounded() {
        let mut session = session(None);
        for batch in 0..1000 {
            session.encode(&fragment(batch), vec![]);
        }
        assert_eq!(session.state.sent.len(), SENT_MAX);
        assert_eq!(session.state.sent.back().unwrap(), "cam-999");
        assert!(session.snapshot().len() < 2048);
    }
}
