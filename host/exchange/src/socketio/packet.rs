//! Socket.IO packets as text (protocol 5): `<type>[<attachments>-][<namespace>,][<ack id>][JSON]`. In: the text after
//! Engine.IO's `4`. Out: the same. JSON stays text: placeholders are neither parsed nor written here. Source: the
//! section "Packet encoding" of the Socket.IO protocol's description.

use serde::de::IgnoredAny;

use crate::limits::EXCHANGE_ATTACHMENTS_MAX;

/// Why a text is not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The type is missing or unknown.
    #[error("unknown packet type")]
    Type,
    /// A binary packet without a count, or with more attachments than allowed.
    #[error("bad attachment count (the limit is {EXCHANGE_ATTACHMENTS_MAX})")]
    Attachments,
    /// The ack id is not a number.
    #[error("bad ack id")]
    AckId,
    /// An event without a name.
    #[error("an event is a JSON array that starts with its name")]
    Event,
    /// The arguments are not a JSON array.
    #[error("arguments are a JSON array")]
    Arguments,
}

/// The type of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// 0: a namespace was joined.
    Connect,
    /// 1: the namespace is left.
    Disconnect,
    /// 2 and 5: an event, with or without attachments.
    Event,
    /// 3 and 6: the answer to an event that requested one.
    Ack,
    /// 4: the namespace was refused.
    ConnectError,
}

/// A packet's text, split without copying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<'a> {
    /// Type of the packet.
    pub kind: PacketKind,
    /// Number of binary frames that follow it.
    pub attachments: usize,
    /// The namespace, `/` by default.
    pub namespace: &'a str,
    /// For an event: an ack is requested. For an ack: the id of the event.
    pub id: Option<u64>,
    /// The JSON that follows, not parsed.
    pub payload: &'a str,
}

/// Splits a packet's text.
pub fn parse(text: &str) -> Result<Head<'_>, PacketError> {
    let (kind, binary) = match text.as_bytes().first() {
        Some(b'0') => (PacketKind::Connect, false),
        Some(b'1') => (PacketKind::Disconnect, false),
        Some(b'2') => (PacketKind::Event, false),
        Some(b'3') => (PacketKind::Ack, false),
        Some(b'4') => (PacketKind::ConnectError, false),
        Some(b'5') => (PacketKind::Event, true),
        Some(b'6') => (PacketKind::Ack, true),
        _ => return Err(PacketError::Type),
    };
    let mut rest = text.get(1..).unwrap_or_default();
    let mut attachments = 0;
    if binary {
        let (count, after) = rest.split_once('-').ok_or(PacketError::Attachments)?;
        attachments = number(count).and_then(|n| usize::try_from(n).ok()).ok_or(PacketError::Attachments)?;
        if attachments > EXCHANGE_ATTACHMENTS_MAX {
            return Err(PacketError::Attachments);
        }
        rest = after;
    }
    let mut namespace = "/";
    if rest.starts_with('/') {
        (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        // Version 2 clients append a query to the namespace, which is not part of its name.
        namespace = namespace.split_once('?').map_or(namespace, |(name, _)| name);
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, payload) = rest.split_at_checked(digits).unwrap_or(("", rest));
    let id = if id.is_empty() { None } else { Some(number(id).ok_or(PacketError::AckId)?) };
    Ok(Head { kind, attachments, namespace, id, payload })
}

/// Splits an event's JSON array into its name and the array of the other arguments.
pub fn split_event(payload: &str) -> Result<(String, String), PacketError> {
    let inner = payload.trim().strip_prefix('[').ok_or(PacketError::Event)?.trim_start();
    let end = string_end(inner).ok_or(PacketError::Event)?;
    let (name, rest) = inner.split_at_checked(end).ok_or(PacketError::Event)?;
    let name = serde_json::from_str(name).map_err(|_| PacketError::Event)?;
    let rest = rest.trim_start();
    let arguments = match rest.strip_prefix(',') {
        Some(more) => format!("[{more}"),
        None if rest == "]" => "[]".to_owned(),
        None => return Err(PacketError::Event),
    };
    Ok((name, arguments))
}

/// The text of an event packet. `arguments` is checked to be a JSON array, so that it cannot escape the packet. `ack`:
/// requests an ack under this id.
pub fn event(
    namespace: &str,
    name: &str,
    arguments: &str,
    attachments: usize,
    ack: Option<u64>,
) -> Result<String, PacketError> {
    if attachments > EXCHANGE_ATTACHMENTS_MAX {
        return Err(PacketError::Attachments);
    }
    let arguments = arguments.trim();
    serde_json::from_str::<Vec<IgnoredAny>>(arguments).map_err(|_| PacketError::Arguments)?;
    let inner = arguments.strip_prefix('[').ok_or(PacketError::Arguments)?;
    let name = serde_json::to_string(name).map_err(|_| PacketError::Event)?;
    let mut text = if attachments > 0 { format!("5{attachments}-") } else { "2".to_owned() };
    text.reserve(namespace.len() + name.len() + inner.len() + 4);
    push_namespace(&mut text, namespace);
    if let Some(id) = ack {
        text.push_str(&id.to_string());
    }
    text.push('[');
    text.push_str(&name);
    if inner.trim_start() != "]" {
        text.push(',');
    }
    text.push_str(inner);
    Ok(text)
}

/// The text that joins a namespace.
pub fn connect(namespace: &str, auth: Option<&serde_json::Value>) -> String {
    let mut text = "0".to_owned();
    push_namespace(&mut text, namespace);
    if let Some(auth) = auth {
        text.push_str(&auth.to_string());
    }
    text
}

/// The text that leaves a namespace.
pub fn disconnect(namespace: &str) -> String {
    let mut text = "1".to_owned();
    push_namespace(&mut text, namespace);
    text
}

/// The text that acknowledges an event, without arguments.
pub fn ack(namespace: &str, id: u64) -> String {
    let mut text = "3".to_owned();
    push_namespace(&mut text, namespace);
    text.push_str(&id.to_string());
    text.push_str("[]");
    text
}

/// Number of arguments in the JSON array of an ack; 0 if it is not an array.
pub fn ack_arguments(payload: &str) -> usize {
    serde_json::from_str::<Vec<IgnoredAny>>(payload).map_or(0, |arguments| arguments.len())
}

/// The message in a CONNECT_ERROR's JSON: an object with `message` since version 5, a string before.
pub fn refusal(payload: &str) -> String {
    match serde_json::from_str(payload) {
        Ok(serde_json::Value::String(message)) => message,
        Ok(serde_json::Value::Object(object)) => match object.get("message") {
            Some(serde_json::Value::String(message)) => message.clone(),
            _ => "no reason given".to_owned(),
        },
        _ => "no reason given".to_owned(),
    }
}

fn push_namespace(text: &mut String, namespace: &str) {
    if namespace != "/" {
        text.push_str(namespace);
        text.push(',');
    }
}

/// Digits only: `parse` alone would accept a sign.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The length of the JSON string at the start of `text`, including the quotes.
fn string_end(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate();
    if bytes.next()?.1 != b'"' {
        return None;
    }
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at + 1),
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
