//! The source of a stream.

use async_graphql::{Enum, InputObject, MaybeUndefined, SimpleObject};
use serde::Deserialize;

use super::headers::{Header, HeaderInput, patches};
use crate::graphql::scalars::BigInt;
use outboard_pipeline::settings::{SourceAudio as Audio, SourcePatch};

/// The source of a stream.
#[derive(Debug, Clone, Default, SimpleObject, Deserialize)]
#[graphql(name = "SourceSettings")]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// URL of the HLS playlist, without secrets.
    pub(super) url: String,
    /// URL of a second playlist with the same content, used while the first is unavailable. Null: none.
    pub(super) backup_url: Option<String>,
    /// Maximum bitrate of the variant, in bits per second. The highest variant within it is used. Null: no maximum.
    pub(super) max_bandwidth: Option<BigInt>,
    /// Resolution of the variant, such as `1280x720`. Null: any.
    pub(super) resolution: Option<String>,
    /// Selects the audio, if the source has several. Null: the default rendition, or the first audio that goes on air without
    /// being encoded.
    pub(super) audio: Option<SourceAudio>,
    /// Selects the programme of a transport stream by its program_number. Null: the first one with video, else with audio.
    pub(super) program: Option<u32>,
    /// Start position in a live playlist, in segments before its end. Null: as the playlist says, or else three target
    /// durations before its end.
    pub(super) live_edge: Option<u32>,
    /// Request headers that are sent to the source's origins (scheme, host and port) and to `headerHosts`.
    pub(super) headers: Vec<Header>,
    /// Further hosts that receive the headers.
    pub(super) header_hosts: Vec<String>,
    /// What happens when a live source ends. Null: `WAIT`.
    pub(super) when_ended: Option<WhenEnded>,
    /// How to handle media that accumulated during an outage. Null: `ALL`.
    pub(super) catch_up: Option<CatchUp>,
}

/// Selects the audio of a source that has several.
#[derive(Debug, Clone, Default, PartialEq, SimpleObject, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceAudio {
    /// PID in a transport stream, or track_ID in MP4.
    pub(super) pid: Option<u32>,
    /// Language of the rendition or of the stream inside the segments, as an ISO 639 code.
    pub(super) language: Option<String>,
    /// Codec of the stream inside the segments: `aac`, `mp3`, `ac3`, `eac3` or `opus`.
    pub(super) codec: Option<String>,
    /// NAME of the audio rendition in the master playlist.
    pub(super) name: Option<String>,
}

/// Selects the audio of a source that has several. A rendition of a master playlist is selected by `language` and `name`; an audio
/// stream inside the segments by `pid`, then `language`, then `codec`. If nothing matches, the best audio there is is used, and a
/// warning lists what the source has.
#[derive(Debug, Default, InputObject)]
pub struct SourceAudioInput {
    /// PID in a transport stream, or track_ID in MP4.
    pub(super) pid: Option<u32>,
    /// Language as an ISO 639 code, such as `de`, `deu` or `en-GB`.
    pub(super) language: Option<String>,
    /// Codec: `aac`, `mp3` (any MPEG audio), `ac3`, `eac3` or `opus`.
    pub(super) codec: Option<String>,
    /// NAME of the audio rendition in the master playlist, compared exactly.
    pub(super) name: Option<String>,
}

impl From<SourceAudioInput> for Audio {
    fn from(input: SourceAudioInput) -> Self {
        let SourceAudioInput { pid, language, codec, name } = input;
        Self { pid, language, codec, name }
    }
}

/// How to handle media that accumulated while the source, the network or the server was unavailable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "outboard_pipeline::settings::CatchUp")]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// Send all of it. The stream stays behind its source by the length of the outage.
    All,
    /// Skip it, count it as missing and resume at the live edge.
    Live,
}

/// What happens when a live source ends unexpectedly, that is, when its playlist gets `EXT-X-ENDLIST`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Deserialize)]
#[graphql(remote = "outboard_pipeline::settings::WhenEnded")]
#[serde(rename_all = "lowercase")]
pub enum WhenEnded {
    /// Treat it as an outage: the pipeline keeps running, reports the problem in its health and retries until the
    /// source is back.
    Wait,
    /// Treat it as the end: send all buffered media, then stop the pipeline.
    Stop,
}

/// The source of a stream.
#[derive(Debug, Default, InputObject)]
#[graphql(name = "SourceSettingsInput")]
pub struct SourceInput {
    /// URL of the HLS playlist. Its secrets are never returned.
    pub(super) url: Option<String>,
    /// URL of a second playlist with the same content, used while the first is unavailable. Null: none.
    pub(super) backup_url: MaybeUndefined<String>,
    /// Maximum bitrate of the variant, in bits per second. The highest variant within it is used. Null: no maximum.
    pub(super) max_bandwidth: MaybeUndefined<BigInt>,
    /// Resolution of the variant, such as `1280x720`. Null: any.
    pub(super) resolution: MaybeUndefined<String>,
    /// Selects the audio, if the source has several; replaces the earlier selection as a whole. Null: the default rendition, or
    /// the first audio that goes on air without being encoded.
    pub(super) audio: MaybeUndefined<SourceAudioInput>,
    /// Selects the programme of a transport stream by its program_number, 1 to 65535. Null: the first one with video, else
    /// with audio.
    pub(super) program: MaybeUndefined<u32>,
    /// Start position in a live playlist, in segments before its end, 1 to 1000. Null: as the playlist says
    /// (`EXT-X-START`), or else three target durations before its end.
    pub(super) live_edge: MaybeUndefined<u32>,
    /// The complete list of request headers. They are sent to the source's origins (scheme, host and port) and to
    /// `headerHosts`. Headers that are not listed are removed. Header values must be given again together with a URL of
    /// another scheme, host or port, and with a new host in `headerHosts`.
    pub(super) headers: Option<Vec<HeaderInput>>,
    /// The complete list of further hosts that receive the headers, such as `cdn.example.com`, `cdn.example.com:8443`
    /// or, without TLS, `http://10.0.0.7:8080`. At most 16. Null: none.
    pub(super) header_hosts: MaybeUndefined<Vec<String>>,
    /// What happens when a live source ends. Null: `WAIT`.
    pub(super) when_ended: MaybeUndefined<WhenEnded>,
    /// How to handle media that accumulated during an outage. Null: `ALL`.
    pub(super) catch_up: MaybeUndefined<CatchUp>,
}

impl From<SourceInput> for SourcePatch {
    fn from(input: SourceInput) -> Self {
        Self {
            url: input.url,
            backup_url: input.backup_url.into(),
            max_bandwidth: input.max_bandwidth.map_value(|value| value.0).into(),
            resolution: input.resolution.into(),
            audio: input.audio.map_value(Into::into).into(),
            program: input.program.into(),
            live_edge: input.live_edge.into(),
            headers: input.headers.map(patches),
            header_hosts: input.header_hosts.into(),
            when_ended: input.when_ended.map_value(Into::into).into(),
            catch_up: input.catch_up.map_value(Into::into).into(),
        }
    }
}
