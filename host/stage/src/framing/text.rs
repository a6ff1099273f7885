//! Binary data of recorded calls as base64, so that a recording is text of a reasonable size.

use crate::contract::framing::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Serialises bytes as base64 text.
pub(super) mod bytes {
    use super::{Deserialize, Deserializer, Serializer, decoded, encoded};
    use bytes::Bytes;

    pub(in crate::framing) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encoded(bytes))
    }

    pub(in crate::framing) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Bytes, D::Error> {
        decoded::<D>(&String::deserialize(source)?).map(Bytes::from)
    }
}

/// Serialises a message with its attachments as base64 text.
pub(super) mod message {
    use super::{Deserialize, Deserializer, Message, Serialize, Serializer, Written, decoded, encoded};

    pub(in crate::framing) fn serialize<S: Serializer>(of: &Message, serializer: S) -> Result<S::Ok, S::Error> {
        let attachments = of.attachments.iter().map(|bytes| encoded(bytes)).collect();
        let written = Written { event: of.event.clone(), arguments: of.arguments.clone(), attachments };
        written.serialize(serializer)
    }

    pub(in crate::framing) fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Message, D::Error> {
        let Written { event, arguments, attachments } = Written::deserialize(source)?;
        let attachments = attachments.iter().map(|text| decoded::<D>(text)).collect::<Result<_, _>>()?;
        Ok(Message { event, arguments, attachments })
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    event: String,
    arguments: String,
    attachments: Vec<String>,
}

fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decoded<'de, D: Deserializer<'de>>(text: &str) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(text).map_err(|error| serde::de::Error::custom(format!("not base64: {error}")))
}
