//! Encodes a fragment as the event `fragment:data`.
//!
//! Two published descriptions of the dialect have different field names; the fields of both are sent.

use crate::dialect::{DATA, placeholder};
use crate::settings::{Settings, Unit};
use serde_json::{Value, json};
use stage_kit::framing::Message;

/// The facts of a fragment; see the contract for units.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the fields of the contract's record of the same name")]
pub struct Fragment {
    pub id: String,
    pub stream_id: String,
    pub batch: u64,
    pub pts_us: i64,
    pub duration_us: u64,
    pub codec: String,
    pub sample_rate_hz: u32,
    pub channels: u32,
    pub content_type: String,
    pub file_name: String,
    pub created_ms: u64,
    pub attempt: u32,
}

/// The message that sends a fragment with its audio as one binary attachment.
pub fn encode(settings: &Settings, fragment: &Fragment, audio: Vec<u8>) -> Message {
    let size = audio.len();
    let mut metadata = settings.metadata.clone();
    metadata.insert("fileName".to_owned(), fragment.file_name.as_str().into());
    metadata.insert("fileSize".to_owned(), size.into());
    metadata.insert("ptsUs".to_owned(), fragment.pts_us.into());
    metadata.insert("attempt".to_owned(), fragment.attempt.into());
    let arguments = json!([{
        "fragment": {
            "id": fragment.id,
            "streamId": fragment.stream_id,
            "sequenceNumber": fragment.batch,
            "batchNumber": fragment.batch,
            "timestamp": fragment.created_ms,
            "duration": duration(settings.unit, fragment.duration_us),
            "codec": fragment.codec,
            "sampleRate": fragment.sample_rate_hz,
            "channels": fragment.channels,
            "contentType": fragment.content_type,
            "size": size,
            "metadata": metadata,
        },
        "data": placeholder(0),
    }]);
    Message { event: DATA.to_owned(), arguments: arguments.to_string(), attachments: vec![audio] }
}

fn duration(unit: Unit, us: u64) -> Value {
    match unit {
        Unit::Milliseconds => ((us / 1000) + u64::from(us % 1000 >= 500)).into(),
        // A fragment lasts minutes at most, so a double represents its microseconds exactly.
        Unit::Seconds => (us as f64 / 1e6).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment() -> Fragment {
        Fragment {
            id: "cam-7".into(),
            stream_id: "cam".into(),
            batch: 7,
            pts_us: -1_400,
            duration_us: 29_973_500,
            codec: "aac".into(),
            sample_rate_hz: 44_100,
            channels: 1,
            content_type: "audio/mp4".into(),
            file_name: "audio.fmp4".into(),
            created_ms: 1_700_000_000_123,
            attempt: 1,
        }
    }

    #[test]
    fn the_union_of_the_fields_is_sent_with_nested_binary() {
        let settings = Settings::read(r#"{"metadata":{"language":"de","fileName":"mine"}}"#).unwrap();
        let message = encode(&settings, &fragment(), vec![1, 2, 3]);
        assert_eq!(message.event, "fragment:data");
        assert_eq!(message.attachments, [vec![1, 2, 3]]);
        let arguments: Value = serde_json::from_str(&message.arguments).unwrap();
        assert_eq!(
            arguments,
            json!([{
                "fragment": {
                    "id": "cam-7", "streamId": "cam", "sequenceNumber": 7, "batchNumber": 7,
                    "timestamp": 1_700_000_000_123_u64, "duration": 29_974, "codec": "aac",
                    "sampleRate": 44_100, "channels": 1, "contentType": "audio/mp4", "size": 3,
                    "metadata": {
                        "fileName": "audio.fmp4", "fileSize": 3, "ptsUs": -1400, "attempt": 1, "language": "de"
                    }
                },
                "data": { "_placeholder": true, "num": 0 }
            }])
        );
    }

    #[test]
    fn durations_in_seconds_where_the_service_expects_them() {
        let settings = Settings::read(r#"{"duration_unit":"s"}"#).unwrap();
        let message = encode(&settings, &fragment(), vec![]);
        assert!(message.arguments.contains("\"duration\":29.9735"), "{}", message.arguments);
    }
}
