//! The contract's rules for a framing stage's answers.
//!
//! Pure: no input or output. An error names the broken rule, with the numbers. Texts for people that are too long are cut instead.

use crate::contract::framing::{Event, Format, Message, Pcm, Reference};
use crate::error::clipped;
use crate::limits::{
    FRAMING_EVENT_NAME_BYTES_MAX, FRAMING_EVENTS_MAX, FRAMING_ID_BYTES_MAX, FRAMING_MESSAGE_BYTES_MAX,
    FRAMING_MESSAGES_MAX, FRAMING_METADATA_BYTES_MAX, FRAMING_SLOW_DOWN_MS_MAX,
};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Event names that Socket.IO reserves.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Sample rates that audio can be converted to, Hz.
const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 8_000..=96_000;
/// Channel counts that audio can be converted to.
const CHANNELS: std::ops::RangeInclusive<u32> = 1..=8;

/// Checks the answer of `audio-format`.
pub(super) fn format(format: &Format) -> Result<(), String> {
    let (Format::Wav(Pcm { sample_rate_hz, channels }) | Format::Pcm(Pcm { sample_rate_hz, channels })) = format else {
        return Ok(());
    };
    if let Some(rate) = sample_rate_hz.filter(|rate| !SAMPLE_RATES.contains(rate)) {
        return Err(format!("{rate} Hz is not from {} to {}", SAMPLE_RATES.start(), SAMPLE_RATES.end()));
    }
    if let Some(count) = channels.filter(|count| !CHANNELS.contains(count)) {
        return Err(format!("{count} channels are not from {} to {}", CHANNELS.start(), CHANNELS.end()));
    }
    Ok(())
}

/// Checks the answer of `encode`: at least one message, each within the rules.
pub(super) fn encoded(list: &[Message]) -> Result<(), String> {
    if list.is_empty() {
        return Err("no message sends the fragment".to_owned());
    }
    messages(list)
}

/// Checks messages to a processor.
pub(super) fn messages(list: &[Message]) -> Result<(), String> {
    if list.len() > FRAMING_MESSAGES_MAX {
        return Err(format!("{} messages; {FRAMING_MESSAGES_MAX} at most", list.len()));
    }
    list.iter().try_for_each(message)
}

/// Checks the answer of `decode`, and cuts texts for people to length.
pub(super) fn events(list: &mut [Event]) -> Result<(), String> {
    if list.len() > FRAMING_EVENTS_MAX {
        return Err(format!("{} events; {FRAMING_EVENTS_MAX} at most", list.len()));
    }
    list.iter_mut().try_for_each(|event| match event {
        Event::Ready | Event::Pause | Event::Resume => Ok(()),
        Event::Acknowledged(fragment) => reference(fragment),
        Event::Processed(processed) => {
            reference(&processed.fragment)?;
            size("audio", processed.audio.len(), FRAMING_MESSAGE_BYTES_MAX)?;
            size("metadata", processed.metadata.len(), FRAMING_METADATA_BYTES_MAX)?;
            json_object(&processed.metadata)
        }
        Event::Failed(failure) => {
            clip(&mut failure.reason);
            failure.fragment.as_ref().map_or(Ok(()), reference)
        }
        Event::SlowDown(ms) if *ms > FRAMING_SLOW_DOWN_MS_MAX => {
            Err(format!("slow-down by {ms} ms; {FRAMING_SLOW_DOWN_MS_MAX} at most"))
        }
        Event::SlowDown(_) => Ok(()),
        Event::Reply(reply) => message(reply),
        Event::Note(note) => {
            clip(&mut note.text);
            Ok(())
        }
    })
}

fn message(message: &Message) -> Result<(), String> {
    let Message { event, arguments, attachments } = message;
    if event.is_empty() || event.len() > FRAMING_EVENT_NAME_BYTES_MAX || event.chars().any(char::is_control) {
        return Err(format!("an event's name has 1 to {FRAMING_EVENT_NAME_BYTES_MAX} printable bytes"));
    }
    if RESERVED_EVENTS.contains(&event.as_str()) {
        return Err(format!("Socket.IO keeps the event name {event} for itself"));
    }
    let bytes = attachments.iter().fold(arguments.len(), |sum, attachment| sum.saturating_add(attachment.len()));
    size("message", bytes, FRAMING_MESSAGE_BYTES_MAX)?;
    let mut ticks = Ticks { used: vec![false; attachments.len()], count: 0 };
    let mut reader = serde_json::Deserializer::from_str(arguments);
    Placeholders { ticks: &mut ticks, top: true }
        .deserialize(&mut reader)
        .and_then(|_| reader.end())
        .map_err(|error| format!("the arguments of {event}: {error}"))?;
    match ticks.used.iter().position(|used| !used) {
        Some(unused) => Err(format!("attachment {unused} of {event} has no placeholder in the arguments")),
        None => Ok(()),
    }
}

fn reference(reference: &Reference) -> Result<(), String> {
    match reference {
        Reference::Id(id) if id.is_empty() => Err("a fragment's id is empty".to_owned()),
        Reference::Id(id) => size("fragment id", id.len(), FRAMING_ID_BYTES_MAX),
        Reference::Batch(_) => Ok(()),
    }
}

/// Checks that a text is a JSON object, with the parser that reads it later and limits its depth.
fn json_object(text: &str) -> Result<(), String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err("the metadata is not a JSON object".to_owned()),
        Err(error) => Err(format!("the metadata: {error}")),
    }
}

fn size(what: &str, size: usize, limit: usize) -> Result<(), String> {
    if size > limit { Err(format!("{what} of {size} bytes; {limit} at most")) } else { Ok(()) }
}

fn clip(text: &mut String) {
    *text = clipped(std::mem::take(text));
}

/// Parses JSON without keeping it, and marks the attachments that have a placeholder. `top`: the value must be an array.
struct Placeholders<'a> {
    ticks: &'a mut Ticks,
    top: bool,
}

/// Which attachments have a placeholder, and how many.
struct Ticks {
    used: Vec<bool>,
    count: usize,
}

/// The value of a key that may be one of a placeholder's two: `_placeholder` (true) or `num` (a number).
#[derive(Clone, Copy, PartialEq)]
enum PlaceholderKey {
    True,
    Number(u64),
    Other,
}

impl Placeholders<'_> {
    fn inner(&mut self) -> Placeholders<'_> {
        Placeholders { ticks: self.ticks, top: false }
    }

    fn tick<E: serde::de::Error>(&mut self, number: PlaceholderKey) -> Result<(), E> {
        let PlaceholderKey::Number(number) = number else {
            return Err(E::custom("a placeholder has no number"));
        };
        match usize::try_from(number).ok().and_then(|at| self.ticks.used.get_mut(at)) {
            Some(used) if *used => Err(E::custom(format!("two placeholders for attachment {number}"))),
            Some(used) => {
                *used = true;
                self.ticks.count += 1;
                Ok(())
            }
            None => Err(E::custom(format!("a placeholder for attachment {number}, which is not there"))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Placeholders<'_> {
    type Value = PlaceholderKey;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PlaceholderKey, D::Error> {
        if self.top { deserializer.deserialize_seq(self) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Placeholders<'_> {
    type Value = PlaceholderKey;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_bool<E>(self, value: bool) -> Result<PlaceholderKey, E> {
        Ok(if value { PlaceholderKey::True } else { PlaceholderKey::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<PlaceholderKey, E> {
        Ok(PlaceholderKey::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<PlaceholderKey, E> {
        Ok(PlaceholderKey::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<PlaceholderKey, E> {
        Ok(PlaceholderKey::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<PlaceholderKey, E> {
        Ok(PlaceholderKey::Other)
    }

    fn visit_unit<E>(self) -> Result<PlaceholderKey, E> {
        Ok(PlaceholderKey::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<PlaceholderKey, A::Error> {
        while seq.next_element_seed(self.inner())?.is_some() {}
        Ok(PlaceholderKey::Other)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<PlaceholderKey, A::Error> {
        let (mut marked, mut number) = (PlaceholderKey::Other, PlaceholderKey::Other);
        let before = self.ticks.count;
        // Readers keep the last of two equal keys, so a placeholder in the first would be lost.
        let mut holding: Vec<String> = Vec::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            if holding.iter().any(|holding| *holding == key) {
                return Err(A::Error::custom("a key with a placeholder in it is there twice"));
            }
            let ticked = self.ticks.count;
            let value = map.next_value_seed(self.inner())?;
            if self.ticks.count > ticked {
                holding.push(key.as_ref().to_owned());
            }
            match key.as_ref() {
                "_placeholder" => marked = value,
                "num" => number = value,
                _ => {}
            }
        }
        if marked == PlaceholderKey::True {
            // A placeholder is replaced as a whole, so nothing in it may be one.
            if self.ticks.count > before {
                return Err(A::Error::custom("a placeholder within a placeholder"));
            }
            self.tick::<A::Error>(number)?;
        }
        Ok(PlaceholderKey::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Level;
    use crate::contract::framing::{Failure, Note, Processed};
    use crate::limits::STAGE_TEXT_CHARS_MAX;

    fn msg(event: &str, arguments: &str, attachments: usize) -> Message {
        Message { event: event.into(), arguments: arguments.into(), attachments: vec![vec![0]; attachments] }
    }

    #[test]
    fn messages_whose_placeholders_fit_are_taken() {
        for (arguments, attachments) in [
            ("[]", 0),
            (r#"[{"fragment":{"id":"a","n":[1,-2,3.5,null,true,"x"]},"data":{"_placeholder":true,"num":0}}]"#, 1),
            (r#"[[{"_placeholder":true,"num":1}],{"num":0,"_placeholder":true}]"#, 2),
            (r#"[{"_placeholder":false,"num":7},{"_placeholder":1}]"#, 0),
        ] {
            assert_eq!(encoded(&[msg("e", arguments, attachments)]), Ok(()), "{arguments}");
        }
    }

    #[test]
    fn messages_that_break_a_rule_are_refused_with_the_reason() {
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        let cases = [
            (msg("", "[]", 0), "name"),
            (msg("a\nb", "[]", 0), "name"),
            (msg(&"x".repeat(FRAMING_EVENT_NAME_BYTES_MAX + 1), "[]", 0), "name"),
            (msg("disconnect", "[]", 0), "keeps the event name"),
            (msg("e", "{}", 0), "a JSON array"),
            (msg("e", "", 0), "EOF"),
            (msg("e", "[] []", 0), "trailing"),
            (msg("e", "[1,]", 0), "trailing comma"),
            (msg("e", &deep, 0), "recursion"),
            (msg("e", r#"[{"_placeholder":true,"num":1}]"#, 1), "attachment 1, which is not there"),
            (msg("e", r#"[{"_placeholder":true,"num":-1}]"#, 1), "no number"),
            (msg("e", r#"[{"_placeholder":true}]"#, 1), "no number"),
            (msg("e", r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#, 1), "two placeholders"),
            (msg("e", r#"[{"_placeholder":true,"num":0}]"#, 2), "attachment 1 of e has no placeholder"),
            // Placeholders that a reader would not find.
            (
                msg("e", r#"[{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":1}}]"#, 2),
                "within a placeholder",
            ),
            (msg("e", r#"[{"a":{"_placeholder":true,"num":0},"a":{"_placeholder":true,"num":1}}]"#, 2), "there twice"),
        ];
        for (message, says) in cases {
            let reason = messages(std::slice::from_ref(&message)).unwrap_err();
            assert!(reason.contains(says), "{message:?}: {reason}");
        }
        assert!(encoded(&[]).is_err());
        assert_eq!(messages(&[]), Ok(()));
        assert!(messages(&vec![msg("e", "[]", 0); FRAMING_MESSAGES_MAX + 1]).unwrap_err().contains("at most"));
    }

    #[test]
    fn sizes_are_bounded() {
        let big = Message { attachments: vec![vec![0; FRAMING_MESSAGE_BYTES_MAX]], ..msg("e", "[]", 0) };
        assert!(messages(&[big]).unwrap_err().contains("at most"));
        let processed = |audio: usize, metadata: &str| {
            let fragment = Reference::Batch(1);
            events(&mut [Event::Processed(Processed { fragment, audio: vec![0; audio], metadata: metadata.into() })])
        };
        assert_eq!(processed(3, r#"{"a":[1]}"#), Ok(()));
        assert!(processed(FRAMING_MESSAGE_BYTES_MAX + 1, "{}").unwrap_err().contains("audio"));
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for metadata in ["", "[]", "{", "{} {}", "null", &deep] {
            assert!(processed(3, metadata).unwrap_err().contains("metadata"), "{metadata:?}");
        }
        assert!(processed(3, &format!("{{\"a\":\"{}\"}}", "x".repeat(FRAMING_METADATA_BYTES_MAX))).is_err());
    }

    #[test]
    fn events_are_checked_and_texts_cut() {
        let id = |id: String| Event::Acknowledged(Reference::Id(id));
        assert_eq!(events(&mut [id("a".into()), Event::Ready, Event::Pause, Event::Resume]), Ok(()));
        assert!(events(&mut [id(String::new())]).is_err());
        assert!(events(&mut [id("x".repeat(FRAMING_ID_BYTES_MAX + 1))]).is_err());
        assert!(events(&mut [Event::SlowDown(FRAMING_SLOW_DOWN_MS_MAX)]).is_ok());
        assert!(events(&mut [Event::SlowDown(FRAMING_SLOW_DOWN_MS_MAX + 1)]).is_err());
        assert!(events(&mut [Event::Reply(msg("e", "no", 0))]).is_err());
        assert!(events(&mut vec![Event::Ready; FRAMING_EVENTS_MAX + 1]).is_err());

        let text = "ä".repeat(STAGE_TEXT_CHARS_MAX * 2);
        let failure = Failure { fragment: None, reason: text.clone(), retryable: false };
        let mut list = [Event::Failed(failure), Event::Note(Note { level: Level::Warn, text })];
        assert_eq!(events(&mut list), Ok(()));
        let [Event::Failed(failure), Event::Note(note)] = list else { panic!() };
        assert_eq!((failure.reason.chars().count(), note.text.chars().count()), (500, 500));
    }

    #[test]
    fn formats_are_bounded() {
        let pcm = |sample_rate_hz, channels| Format::Wav(Pcm { sample_rate_hz, channels });
        for good in [Format::Fmp4, Format::Adts, pcm(None, None), pcm(Some(16_000), Some(1))] {
            assert_eq!(format(&good), Ok(()));
        }
        assert!(format(&pcm(Some(1), None)).unwrap_err().contains("Hz"));
        assert!(format(&pcm(None, Some(0))).unwrap_err().contains("channels"));
    }
}
