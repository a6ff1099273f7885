//! Request headers, without their values.

use async_graphql::{InputObject, SimpleObject};
use serde::Deserialize;

use outboard_pipeline::settings::HeaderPatch;

/// A request header. Its value is never returned.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[serde(default)]
pub struct Header {
    /// Name of the header.
    pub(super) name: String,
}

/// An HTTP header of the host's requests.
#[derive(Debug, InputObject)]
pub struct HeaderInput {
    /// Name of the header.
    pub(super) name: String,
    /// Value of the header. It is never returned. If not set, the header keeps its value, provided that it is sent to
    /// the same scheme, host and port.
    pub(super) value: Option<String>,
}

pub(super) fn patches(list: Vec<HeaderInput>) -> Vec<HeaderPatch> {
    list.into_iter().map(|HeaderInput { name, value }| HeaderPatch { name, value }).collect()
}
