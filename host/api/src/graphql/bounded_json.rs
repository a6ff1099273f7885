//! Serialises answers as JSON of bounded length, and counts their bytes until the client has read them.

use std::io::{Error, Result as IoResult, Write};

use serde::Serialize;

use super::context::Result;

use super::slots::Slot;
use super::slots::SlotKind;
use super::slots::Slots;
use crate::limits::GRAPHQL_ANSWER_BYTES_MAX;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// Serialises an answer; returns its JSON, and the slot that counts its bytes until it is dropped.
///
/// # Errors
/// [`ControlError::LimitExceeded`] if it is longer than [`GRAPHQL_ANSWER_BYTES_MAX`], or too many bytes of the tenant are unread.
pub fn serialize(slots: &Slots, actor: &Actor, answer: &impl Serialize) -> Result<(Vec<u8>, Slot)> {
    let mut json = Bounded { text: Vec::new(), most: GRAPHQL_ANSWER_BYTES_MAX };
    serde_json::to_writer(&mut json, answer).map_err(|_| {
        let text = format!("the answer is longer than {GRAPHQL_ANSWER_BYTES_MAX} bytes; ask for less at once");
        ControlError::LimitExceeded(text)
    })?;
    let waiting = slots.take_some(SlotKind::Waiting, actor, json.text.len())?;
    Ok((json.text, waiting))
}

struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> IoResult<usize> {
        if piece.len() > self.most - self.text.len() {
            return Err(Error::other("longer than allowed"));
        }
        self.text.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_longest_length_and_is_counted() {
        let (slots, actor) = (Slots::default(), Actor::local("test"));
        let longest = "x".repeat(GRAPHQL_ANSWER_BYTES_MAX - 2);
        let (text, waiting) = serialize(&slots, &actor, &longest).unwrap();
        assert_eq!(text.len(), GRAPHQL_ANSWER_BYTES_MAX);
        assert_eq!(serialize(&slots, &actor, &format!("{longest}x")).unwrap_err().code(), "LIMIT_EXCEEDED");
        let most = crate::limits::API_WAITING_BYTES_OF_TENANT_MAX / GRAPHQL_ANSWER_BYTES_MAX;
        let held: Vec<_> = (1..most).map(|_| serialize(&slots, &actor, &longest).unwrap()).collect();
        assert_eq!(serialize(&slots, &actor, &1).unwrap_err().code(), "LIMIT_EXCEEDED");
        drop((waiting, held));
        assert!(serialize(&slots, &actor, &1).is_ok());
    }
}
