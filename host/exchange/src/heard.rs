//! Messages from the processor that answered no fragment: events that the framing stage does not know, acks, replies
//! for fragments that were never sent. The error of a fragment without a reply names the messages since it was
//! submitted.
//!
//! Limits: [`EXCHANGE_HEARD_MAX`] messages, each of at most [`EXCHANGE_HEARD_BYTES`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::limits::{EXCHANGE_HEARD_BYTES, EXCHANGE_HEARD_MAX, EXCHANGE_HEARD_NAMED};
use outboard_base::text::{one_line, shortened};

/// The remembered messages. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<VecDeque<Thing>>>);

#[derive(Debug)]
struct Thing {
    at: Instant,
    /// The fragment that the message is about; `None`: it names none.
    fragment: Option<String>,
    text: String,
}

impl Heard {
    /// Records a message. A repeated one counts as the newest.
    pub(super) fn note(&self, fragment: Option<&str>, text: &str, now: Instant) {
        let text = shortened(one_line(text), EXCHANGE_HEARD_BYTES);
        let mut things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        things.retain(|thing| thing.text != text || thing.fragment.as_deref() != fragment);
        if things.len() >= EXCHANGE_HEARD_MAX {
            things.pop_front();
        }
        things.push_back(Thing { at: now, fragment: fragment.map(str::to_owned), text });
    }

    /// The newest messages since `then` about this fragment or about none, in order; `None`: there are none.
    pub(super) fn since(&self, then: Instant, fragment: &str) -> Option<String> {
        let things = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let about = |thing: &&Thing| thing.at >= then && thing.fragment.as_deref().is_none_or(|id| id == fragment);
        let mut texts: Vec<&str> =
            things.iter().rev().filter(about).take(EXCHANGE_HEARD_NAMED).map(|thing| thing.text.as_str()).collect();
        texts.reverse();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_came_since_is_named_and_the_memory_is_bounded() {
        let (heard, start) = (Heard::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(heard.since(start, "s-1"), None);
        heard.note(None, "an event\n`a`", at(1));
        heard.note(Some("s-1"), "an ack", at(2));
        heard.note(Some("s-2"), "another ack", at(3));
        assert_eq!(heard.since(at(1), "s-1").as_deref(), Some("an event `a`; an ack"));
        assert_eq!(heard.since(at(2), "s-2").as_deref(), Some("another ack"));
        heard.note(None, "an event `a`", at(4));
        assert_eq!(heard.since(at(2), "s-1").as_deref(), Some("an ack; an event `a`"), "the same again is newer");
        for number in 0..1000 {
            heard.note(None, &format!("{number}{}", "x".repeat(10_000)), at(5));
        }
        assert_eq!(heard.0.lock().unwrap().len(), EXCHANGE_HEARD_MAX);
        let named = heard.since(start, "s-1").unwrap();
        assert_eq!(named.matches("; ").count() + 1, EXCHANGE_HEARD_NAMED);
        assert!(named.len() < EXCHANGE_HEARD_NAMED * (EXCHANGE_HEARD_BYTES + 10), "{}", named.len());
    }
}
