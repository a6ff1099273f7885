//! The destinations of a stream.

use async_graphql::{Enum, InputObject, MaybeUndefined, SimpleObject};
use serde::Deserialize;

use outboard_pipeline::settings::DestinationPatch;

/// A destination of the stream.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "DestinationSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Destination {
    /// ID of the destination in status, events and changes. It stays the same as long as the URL does.
    pub(super) id: String,
    /// URL of the destination, without the stream key.
    pub(super) url: String,
    /// Configured display name. Null: the name is made from host and application; `status.destinations` has it.
    pub(super) name: Option<String>,
    /// True if packets are sent to the destination.
    pub(super) enabled: bool,
    /// Base URL of the SRS HTTP API that is queried about the stream. Null: none.
    pub(super) srs_api: Option<String>,
    /// When an RTMP server is sent video that is not H.264.
    pub(super) enhanced_rtmp: EnhancedRtmp,
}

/// When an RTMP server is sent video that is not H.264 (HEVC or AV1), by enhanced RTMP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "outboard_egress::rtmp::enhanced::EnhancedRtmp")]
#[serde(rename_all = "lowercase")]
pub enum EnhancedRtmp {
    /// If the server says that it takes the codec, or is SRS 6.0.42 or newer (HEVC).
    #[default]
    Auto,
    /// Always. A server that does not take the codec drops or misreads the video.
    Always,
    /// Never: such a stream is not sent there.
    Never,
}

/// A destination of the stream.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "DestinationSettingsInput")]
pub struct DestinationInput {
    /// ID of an existing destination to keep or change.
    pub(super) id: Option<String>,
    /// URL with the stream key, which is never returned. Not required if `id` is set.
    pub(super) url: Option<String>,
    /// Display name, unique within the pipeline. Null: made from host and application.
    pub(super) name: MaybeUndefined<String>,
    /// True: send packets to the destination. Null: true. A change takes effect on air and does not interrupt the other
    /// destinations.
    pub(super) enabled: MaybeUndefined<bool>,
    /// Base URL of the SRS HTTP API to query about the stream. Null: none.
    pub(super) srs_api: MaybeUndefined<String>,
    /// When an RTMP server is sent video that is not H.264. Null: AUTO. A change takes effect with the next session.
    pub(super) enhanced_rtmp: MaybeUndefined<EnhancedRtmp>,
}

impl From<DestinationInput> for DestinationPatch {
    fn from(input: DestinationInput) -> Self {
        Self {
            id: input.id,
            url: input.url,
            name: input.name.into(),
            enabled: input.enabled.into(),
            srs_api: input.srs_api.into(),
            enhanced_rtmp: input.enhanced_rtmp.map_value(Into::into).into(),
        }
    }
}
