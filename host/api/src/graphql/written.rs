//! Answers as they leave: JSON of a bounded length, counted among what waits to be taken.

use std::io::{Error, Result as Written, Write};

use serde::Serialize;

use super::context::Result;
use super::slots::{Kind, Slot, Slots};
use crate::limits::GRAPHQL_ANSWER_BYTES_MAX;
use outboard_control::access::Actor;
use outboard_control::error::ControlError;

/// An answer's JSON, and its place among what waits to be taken.
///
/// # Errors
/// [`ControlError::LimitExceeded`]: it is longer than [`GRAPHQL_ANSWER_BYTES_MAX`], or too much waits already.
pub fn answer(slots: &Slots, actor: &Actor, answer: &impl Serialize) -> Result<(Vec<u8>, Slot)> {
    let mut json = Bounded { text: Vec::new(), most: GRAPHQL_ANSWER_BYTES_MAX };
    serde_json::to_writer(&mut json, answer).map_err(|_| {
        let text = format!("the answer is longer than {GRAPHQL_ANSWER_BYTES_MAX} bytes; ask for less at once");
        ControlError::LimitExceeded(text)
    })?;
    let waiting = slots.take_some(Kind::Waiting, actor, json.text.len())?;
    Ok((json.text, waiting))
}

struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> Written<usize> {
        if piece.len() > self.most - self.text.len() {
            return Err(Error::other("longer than allowed"));
        }
        self.text.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> Written<()> {
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
        let (text, waiting) = answer(&slots, &actor, &longest).unwrap();
        assert_eq!(text.len(), GRAPHQL_ANSWER_BYTES_MAX);
        assert_eq!(answer(&slots, &actor, &format!("{longest}x")).unwrap_err().code(), "LIMIT_EXCEEDED");
        let most = crate::limits::API_WAITING_BYTES_OF_TENANT_MAX / GRAPHQL_ANSWER_BYTES_MAX;
        let held: Vec<_> = (1..most).map(|_| answer(&slots, &actor, &longest).unwrap()).collect();
        assert_eq!(answer(&slots, &actor, &1).unwrap_err().code(), "LIMIT_EXCEEDED");
        drop((waiting, held));
        assert!(answer(&slots, &actor, &1).is_ok());
    }
}
