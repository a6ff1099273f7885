//! The state of the stage: the ids of sent fragments, to tell them from a processor's own ids.
//!
//! Limits: the last [`SENT_MAX`] ids.

use crate::decode;
use crate::encode::{self, Fragment};
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use stage_kit::framing::{Event, Message};
use stage_kit::snapshot::{self, Origin};
use std::collections::VecDeque;

/// Most ids that are remembered; more than fragments are ever in flight.
const SENT_MAX: usize = 64;

/// The writer of this stage's snapshots. It reads no others, as the processor uses this dialect.
const OWN: Origin = Origin { stage: "framing-fragment", layout: 1 };

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Ids of sent fragments, oldest first.
    sent: VecDeque<String>,
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

    /// Encodes a fragment as a message, and remembers its id.
    pub fn encode(&mut self, fragment: &Fragment, audio: Vec<u8>) -> Message {
        if !self.state.sent.contains(&fragment.id) {
            if self.state.sent.len() == SENT_MAX {
                self.state.sent.pop_front();
            }
            self.state.sent.push_back(fragment.id.clone());
        }
        encode::encode(&self.settings, fragment, audio)
    }

    /// Decodes a processor's message.
    ///
    /// # Errors
    /// A sentence if the arguments are not a JSON array.
    pub fn decode(&self, message: Message) -> Result<Vec<Event>, String> {
        decode::decode(message, |id| self.state.sent.iter().any(|sent| sent == id))
    }

    /// Serialises the state, from which another instance can resume.
    pub fn snapshot(&self) -> Vec<u8> {
        snapshot::write(OWN, &self.state)
    }
}

fn read(bytes: &[u8]) -> Result<State, String> {
    snapshot::read(&[OWN], bytes)
        .map_err(|why| format!("{why}; another dialect begins with a connection of its own, without state"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stage_kit::framing::Reference;

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
        let old = br#"{"stage":"framing-fragment","layout":1,"state":{"sent":["cam-9"]}}"#;
        assert_eq!(acknowledged(&session(Some(old)), "cam-9"), Reference::Id("cam-9".into()), "of version 0.1.0");
        let sibling = br#"{"stage":"framing-sts","layout":1,"state":{}}"#;
        let why = Session::new(first.settings, Some(sibling)).unwrap_err();
        assert!(why.contains("one of \"framing-sts\"") && why.contains("a connection of its own"), "{why}");
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
