//! The processor of the audio.

use async_graphql::{InputObject, MaybeUndefined, SimpleObject};
use serde::Deserialize;
use serde_json::Value;

use super::headers::{Header, HeaderInput, patches};
use outboard_pipeline::settings::ProcessorPatch;

/// The processor of the audio.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "ProcessorSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Processor {
    /// URL of the Socket.IO server, without secrets.
    pub(super) url: String,
    /// Engine.IO path. Null: the default, `/socket.io/`.
    pub(super) path: Option<String>,
    /// Socket.IO namespace. Null: the path of the URL.
    pub(super) namespace: Option<String>,
    /// True if a payload is configured for Socket.IO's CONNECT packet. The payload is never returned.
    #[serde(rename = "auth", deserialize_with = "is_there")]
    pub(super) has_auth: bool,
    /// Request headers of the WebSocket upgrade.
    pub(super) headers: Vec<Header>,
    /// Maximum number of unanswered fragments. Null: the default, 3.
    pub(super) in_flight: Option<u32>,
    /// Whether fragments in fMP4 start with one packet of the batch before, hidden by an edit list. Null: the default, true.
    pub(super) pre_roll: Option<bool>,
}

/// The processor of the audio.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "ProcessorSettingsInput")]
pub struct ProcessorInput {
    /// URL of the Socket.IO server. Its secrets are never returned.
    pub(super) url: Option<String>,
    /// Engine.IO path. Null: the default, `/socket.io/`.
    pub(super) path: MaybeUndefined<String>,
    /// Socket.IO namespace. Null: the path of the URL.
    pub(super) namespace: MaybeUndefined<String>,
    /// Payload of Socket.IO's CONNECT packet. It is never returned. Null: none. It must be given again together with a
    /// URL of another scheme, host or port.
    pub(super) auth: MaybeUndefined<Value>,
    /// The complete list of request headers of the WebSocket upgrade. Headers that are not listed are removed. Header
    /// values must be given again together with a URL of another scheme, host or port.
    pub(super) headers: Option<Vec<HeaderInput>>,
    /// Maximum number of unanswered fragments, 1 to 16. Null: the default, 3.
    pub(super) in_flight: MaybeUndefined<u32>,
    /// Whether fragments in fMP4 start with one packet of the batch before, hidden by an edit list. Null: the default, true.
    pub(super) pre_roll: MaybeUndefined<bool>,
}

impl From<ProcessorInput> for ProcessorPatch {
    fn from(input: ProcessorInput) -> Self {
        Self {
            url: input.url,
            path: input.path.into(),
            namespace: input.namespace.into(),
            auth: input.auth.into(),
            headers: input.headers.map(patches),
            in_flight: input.in_flight.into(),
            pre_roll: input.pre_roll.into(),
        }
    }
}

/// Whether there is a value.
fn is_there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Option::<Value>::deserialize(deserializer).map(|value| value.is_some())
}
