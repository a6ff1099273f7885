//! Engine.IO 4: the text frame that opens a session, and the one-letter packets. In a WebSocket, binary frames have no
//! packet type: they are messages.

use std::time::Duration;

use serde::Deserialize;

use crate::limits::EXCHANGE_PING_MAX;

/// A text frame of Engine.IO, by its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// 0: the properties of the session, as JSON.
    Open(&'a str),
    /// 1: the server closes.
    Close,
    /// 2: must be answered with 3 and the same text.
    Ping(&'a str),
    /// 4: a Socket.IO packet.
    Message(&'a str),
    /// 6, and 3, which a server has no reason to send: nothing to do.
    Noop,
    /// A frame that Engine.IO does not define.
    Unknown,
}

/// Parses a text frame's type.
pub fn frame(text: &str) -> Frame<'_> {
    let rest = text.get(1..).unwrap_or_default();
    match text.as_bytes().first() {
        Some(b'0') => Frame::Open(rest),
        Some(b'1') => Frame::Close,
        Some(b'2') => Frame::Ping(rest),
        Some(b'4') => Frame::Message(rest),
        Some(b'3' | b'6') => Frame::Noop,
        _ => Frame::Unknown,
    }
}

/// The properties of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Maximum time without a ping: the server's interval plus its timeout. After that the connection is dead.
    pub silence_max: Duration,
    /// The largest frame that the server accepts, if announced.
    pub max_payload: Option<u64>,
}

/// Parses the JSON of an `open` frame. Times are clamped to our limits.
pub fn open(json: &str) -> Result<Open, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Handshake {
        #[serde(rename = "sid")]
        _sid: String,
        ping_interval: u64,
        ping_timeout: u64,
        max_payload: Option<u64>,
    }
    let handshake: Handshake = serde_json::from_str(json)?;
    let clamp = |ms| Duration::from_millis(ms).min(EXCHANGE_PING_MAX);
    let silence_max = clamp(handshake.ping_interval) + clamp(handshake.ping_timeout);
    // A server that announces 0 means "no limit", if anything.
    let max_payload = handshake.max_payload.filter(|&bytes| bytes > 0);
    Ok(Open { silence_max: silence_max.max(Duration::from_millis(1)), max_payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_by_their_first_letter() {
        assert_eq!(frame("0{}"), Frame::Open("{}"));
        assert_eq!(frame("1"), Frame::Close);
        assert_eq!(frame("2"), Frame::Ping(""));
        assert_eq!(frame("2probe"), Frame::Ping("probe"));
        assert_eq!(frame("42[]"), Frame::Message("2[]"));
        assert_eq!(frame("6"), Frame::Noop);
        assert_eq!(frame(""), Frame::Unknown);
        assert_eq!(frame("é"), Frame::Unknown);
    }

    #[test]
    fn a_handshake_is_read_and_clamped() {
        let text = r#"{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(open(text).unwrap(), Open { silence_max: Duration::from_secs(45), max_payload: Some(1_000_000) });
        let wild = open(r#"{"sid":"s","pingInterval":18446744073709551615,"pingTimeout":0,"maxPayload":0}"#).unwrap();
        assert_eq!(wild, Open { silence_max: EXCHANGE_PING_MAX, max_payload: None });
        assert_eq!(open(r#"{"sid":"s","pingInterval":0,"pingTimeout":0}"#).unwrap().silence_max.as_millis(), 1);
        for bad in ["", "{}", r#"{"sid":"s"}"#, r#"{"sid":1,"pingInterval":1,"pingTimeout":1}"#] {
            assert!(open(bad).is_err(), "{bad}");
        }
    }
}
