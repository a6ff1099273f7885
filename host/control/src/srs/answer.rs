//! The answers of SRS's HTTP API, as far as they are looked at. SRS 4 to 7 answer alike; what is missing or of another
//! type than expected is left out, not refused.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// `GET /api/v1/streams/` (a list) and `GET /api/v1/streams/<id>` (one).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    /// 0: all is well.
    pub(super) code: i64,
    #[serde(deserialize_with = "lenient")]
    pub(super) streams: Vec<Stream>,
    #[serde(deserialize_with = "lenient")]
    pub(super) stream: Option<Stream>,
}

/// A stream that SRS knows; it may have no publisher at the moment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stream {
    /// SRS 4 and newer: a text; a number before.
    #[serde(deserialize_with = "text")]
    pub(super) id: String,
    /// The stream key without its query.
    #[serde(deserialize_with = "lenient")]
    pub(super) name: String,
    #[serde(deserialize_with = "lenient")]
    pub(super) app: String,
    /// The publisher among them.
    #[serde(deserialize_with = "lenient")]
    pub(super) clients: u64,
    /// Bytes received over the publisher's connection so far.
    #[serde(deserialize_with = "lenient")]
    pub(super) recv_bytes: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    pub(super) kbps: Kbps,
    #[serde(deserialize_with = "lenient")]
    pub(super) publish: Publish,
    #[serde(deserialize_with = "lenient")]
    video: Option<Video>,
    #[serde(deserialize_with = "lenient")]
    audio: Option<Audio>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Kbps {
    /// Over 30 seconds; 0 until those are over.
    #[serde(deserialize_with = "lenient")]
    pub(super) recv_30s: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Publish {
    #[serde(deserialize_with = "lenient")]
    pub(super) active: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Video {
    #[serde(deserialize_with = "text")]
    codec: String,
    #[serde(deserialize_with = "text")]
    profile: String,
    #[serde(deserialize_with = "text")]
    level: String,
    #[serde(deserialize_with = "lenient")]
    width: u64,
    #[serde(deserialize_with = "lenient")]
    height: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Audio {
    #[serde(deserialize_with = "text")]
    codec: String,
    #[serde(deserialize_with = "text")]
    profile: String,
    #[serde(deserialize_with = "lenient")]
    sample_rate: u64,
    #[serde(deserialize_with = "lenient")]
    channel: u64,
}

impl Stream {
    /// Who watches: the publisher is a client like any other.
    pub(super) fn watchers(&self) -> u64 {
        self.clients.saturating_sub(u64::from(self.publish.active))
    }

    /// The pictures in words.
    pub(super) fn video_in_words(&self) -> Option<String> {
        let Video { codec, profile, level, width, height } = self.video.as_ref()?;
        let size = (*width > 0 && *height > 0).then(|| format!("{width}x{height}"));
        Some(in_words([codec, profile, level], [size, None]))
    }

    /// The sound in words.
    pub(super) fn audio_in_words(&self) -> Option<String> {
        let Audio { codec, profile, sample_rate, channel } = self.audio.as_ref()?;
        let rate = (*sample_rate > 0).then(|| format!("{sample_rate} Hz"));
        let channels = match channel {
            0 => None,
            1 => Some("mono".to_owned()),
            2 => Some("stereo".to_owned()),
            more => Some(format!("{more} channels")),
        };
        Some(in_words([codec, profile, ""], [rate, channels]))
    }
}

/// Longest word of SRS's that is passed on, in characters.
const WORD_MAX: usize = 32;

fn in_words(name: [&str; 3], facts: [Option<String>; 2]) -> String {
    let cut = |word: &&str| word.chars().filter(|c| !c.is_control()).take(WORD_MAX).collect::<String>();
    let name: Vec<String> = name.iter().filter(|word| !word.is_empty() && **word != "Other").map(cut).collect();
    let all = [Some(name.join(" "))].into_iter().chain(facts).flatten().filter(|words| !words.is_empty());
    all.collect::<Vec<_>>().join(", ")
}

/// A value of another type counts as none.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned + Default>(value: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(value)?).unwrap_or_default())
}

/// A text, or a number as a text.
fn text<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(value)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(json: Value) -> Stream {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_srs_says_is_put_in_words() {
        let video =
            serde_json::json!({ "codec": "H264", "profile": "High", "level": "3.1", "width": 1280, "height": 720 });
        let audio = serde_json::json!({ "codec": "AAC", "sample_rate": 44100, "channel": 2, "profile": "LC" });
        let both = stream(serde_json::json!({ "video": video, "audio": audio }));
        assert_eq!(both.video_in_words().as_deref(), Some("H264 High 3.1, 1280x720"));
        assert_eq!(both.audio_in_words().as_deref(), Some("AAC LC, 44100 Hz, stereo"));
        let other =
            serde_json::json!({ "codec": "HEVC", "profile": "Other", "level": "Other", "width": 0, "height": 0 });
        assert_eq!(stream(serde_json::json!({ "video": other })).video_in_words().as_deref(), Some("HEVC"));
        assert_eq!(stream(serde_json::json!({ "video": null })).video_in_words(), None);
        let long = stream(serde_json::json!({ "audio": { "codec": "x\n".repeat(1000), "channel": 6 } }));
        assert_eq!(long.audio_in_words().unwrap(), format!("{}, 6 channels", "x".repeat(32)));
    }

    #[test]
    fn strange_answers_are_read_as_far_as_they_go() {
        let odd = stream(serde_json::json!({ "id": 7, "name": "a", "clients": "many", "publish": [], "kbps": null }));
        assert_eq!((odd.id.as_str(), odd.name.as_str(), odd.clients, odd.publish.active), ("7", "a", 0, false));
        let answer: Answer = serde_json::from_str(r#"{"code":0,"streams":[{"name":"a"}, {"clients":1}]}"#).unwrap();
        assert_eq!(answer.streams.len(), 2);
        let answer: Answer = serde_json::from_str(r#"{"code":0,"streams":"none","stream":3}"#).unwrap();
        assert!(answer.streams.is_empty() && answer.stream.is_none());
        assert!(serde_json::from_str::<Answer>("<html>").is_err());
    }

    #[test]
    fn the_publisher_is_no_watcher() {
        let count = |clients: u64, active: bool| {
            stream(serde_json::json!({ "clients": clients, "publish": { "active": active } })).watchers()
        };
        assert_eq!((count(3, true), count(3, false), count(0, true)), (2, 3, 0));
    }
}
