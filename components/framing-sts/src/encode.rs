//! Encodes messages to the processor: the start of a session, and fragments with their audio as base64 text.

use crate::dialect::{DATA, INIT, message};
use crate::settings::Settings;
use serde_json::{Map, Value, json};
use stage_kit::framing::{Message, to_base64};
use uuid::Uuid;

/// The facts of a fragment; see the contract for units.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields of the contract's record of the same name")]
pub struct Fragment {
    pub id: String,
    pub stream_id: String,
    pub batch: u64,
    pub pts_us: i64,
    pub duration_us: u64,
    pub sample_rate_hz: u32,
    pub channels: u32,
    pub file_name: String,
    pub created_ms: u64,
    pub now_ms: u64,
    pub attempt: u32,
}

/// The dialect's id of a fragment, a UUID. It is derived from the host's id, so it is the same when any instance sends the fragment
/// again.
pub fn fragment_id(id: &str) -> String {
    let name = format!("outboard:fragment:{id}");
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).hyphenated().to_string()
}

/// The message that starts a session.
pub fn init(settings: &Settings, stream_id: &str) -> Message {
    let mut config = Map::new();
    for (key, text) in [
        ("source_language", &settings.source_language),
        ("target_language", &settings.target_language),
        ("voice_profile", &settings.voice_profile),
    ] {
        if !text.is_empty() {
            config.insert(key.to_owned(), text.as_str().into());
        }
    }
    config.insert("chunk_duration_ms".to_owned(), settings.chunk_duration_ms.into());
    config.insert("sample_rate_hz".to_owned(), settings.sample_rate_hz.into());
    config.insert("channels".to_owned(), settings.channels.into());
    config.insert("format".to_owned(), settings.format.name().into());
    let body = json!({
        "stream_id": stream_id,
        "worker_id": settings.worker_id,
        "config": Value::Object(config),
        "max_inflight": settings.max_inflight,
        "timeout_ms": settings.timeout_ms,
    });
    message(INIT, body)
}

/// The message that sends a fragment.
pub fn fragment(settings: &Settings, fragment: &Fragment, audio: &[u8]) -> Message {
    let body = json!({
        "fragment_id": fragment_id(&fragment.id),
        "stream_id": fragment.stream_id,
        "sequence_number": fragment.batch,
        "timestamp": fragment.created_ms,
        "audio": {
            "format": settings.format.name(),
            "sample_rate_hz": fragment.sample_rate_hz,
            "channels": fragment.channels,
            "duration_ms": (fragment.duration_us + 500) / 1000,
            "data_base64": to_base64(audio),
        },
        "metadata": {
            // A time that overflows is wrong anyway, so it may be saturated.
            "pts_ns": fragment.pts_us.saturating_mul(1000),
            "outboard_id": fragment.id,
            "file_name": fragment.file_name,
            "attempt": fragment.attempt,
        },
    });
    message(DATA, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(message: &Message) -> Value {
        assert!(message.attachments.is_empty(), "audio travels as text");
        serde_json::from_str(&message.arguments).unwrap()
    }

    #[test]
    fn a_session_begins_with_what_is_set() {
        let settings = Settings::read(r#"{"target_language":"de","chunk_duration_ms":6000}"#).unwrap();
        let message = init(&settings, "cam");
        assert_eq!(message.event, "stream:init");
        assert_eq!(
            arguments(&message),
            json!([{
                "stream_id": "cam", "worker_id": "outboard", "max_inflight": 3, "timeout_ms": 8000,
                "config": {
                    "target_language": "de", "chunk_duration_ms": 6000,
                    "sample_rate_hz": 48_000, "channels": 2, "format": "m4a"
                }
            }])
        );
    }

    #[test]
    fn a_fragment_carries_its_audio_as_text() {
        let settings = Settings::read("").unwrap();
        let facts = Fragment {
            id: "cam-7".into(),
            stream_id: "cam".into(),
            batch: 7,
            pts_us: -1_400,
            duration_us: 5_994_500,
            sample_rate_hz: 44_100,
            channels: 1,
            file_name: "audio.fmp4".into(),
            created_ms: 1_700_000_000_123,
            now_ms: 1_700_000_000_200,
            attempt: 1,
        };
        let message = fragment(&settings, &facts, b"audio");
        assert_eq!(message.event, "fragment:data");
        assert_eq!(
            arguments(&message),
            json!([{
                "fragment_id": fragment_id("cam-7"), "stream_id": "cam", "sequence_number": 7,
                "timestamp": 1_700_000_000_123_u64,
                "audio": {
                    "format": "m4a", "sample_rate_hz": 44_100, "channels": 1, "duration_ms": 5995,
                    "data_base64": "YXVkaW8="
                },
                "metadata": {
                    "pts_ns": -1_400_000, "outboard_id": "cam-7", "file_name": "audio.fmp4", "attempt": 1
                }
            }])
        );
    }

    #[test]
    fn ids_are_uuids_that_stay_the_same() {
        assert_eq!(fragment_id("cam-7"), fragment_id("cam-7"));
        assert_ne!(fragment_id("cam-7"), fragment_id("cam-8"));
        let parsed = Uuid::parse_str(&fragment_id("cam-7")).unwrap();
        assert_eq!(parsed.get_version_num(), 5);
    }
}
