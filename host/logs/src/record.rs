//! A log line, as stored, shown and written to files.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer, ser::SerializeMap};

/// The severity of a line; ordered, `Error` is the greatest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Finer details than `Debug`; the lowest level.
    Trace,
    /// Details for finding a fault.
    Debug,
    /// An event of normal operation; the default level.
    #[default]
    Info,
    /// Unexpected, but the stream continues.
    Warn,
    /// Requires an operator's attention.
    Error,
}

impl From<tracing::Level> for Level {
    fn from(level: tracing::Level) -> Self {
        match level {
            tracing::Level::TRACE => Self::Trace,
            tracing::Level::DEBUG => Self::Debug,
            tracing::Level::INFO => Self::Info,
            tracing::Level::WARN => Self::Warn,
            tracing::Level::ERROR => Self::Error,
        }
    }
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A truth value, written as `true` or `false`.
    Bool(bool),
    /// A signed integer of 64 bits.
    Int(i64),
    /// An unsigned integer of 64 bits.
    Uint(u64),
    /// A floating-point number of 64 bits.
    Float(f64),
    /// Text without secrets, of limited length.
    Text(Box<str>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Uint(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// One log line. Readers share it without copying.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRecord {
    /// Rises with every line of the host, also over restarts. Gaps have no meaning.
    pub id: u64,
    /// When the line was written, Unix time in milliseconds.
    pub at_ms: u64,
    /// The severity of the line.
    pub level: Level,
    /// The origin: a part of the host (`source`, `air`, `exchange`...), `ffmpeg`, or `stage` for output of a component.
    pub target: &'static str,
    /// The tenant; `None`: a line of the host.
    pub tenant: Option<Arc<str>>,
    /// The stream that the line is about.
    pub stream: Option<Arc<str>>,
    /// The batch that the line is about.
    pub batch: Option<u64>,
    /// The text, without secrets.
    pub message: Box<str>,
    /// The event's other fields, in order.
    pub fields: Box<[(&'static str, Value)]>,
}

impl LogRecord {
    /// Approximate size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 0 };
        let fields: usize = self.fields.iter().map(|(_, value)| size_of::<(&str, Value)>() + text(value)).sum();
        size_of::<Self>() + self.message.len() + fields
    }

    /// The line for a file: JSON without a line break.
    pub fn to_json(&self) -> String {
        let at = i64::try_from(self.at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let line = Line { at: at.map(|at| format!("{at:.3}")), record: self };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    at: Option<String>,
    #[serde(flatten)]
    record: &'a LogRecord,
}

impl Serialize for LogRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Fields<'a>(&'a [(&'static str, Value)]);
        impl Serialize for Fields<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("at_ms", &self.at_ms)?;
        map.serialize_entry("level", &self.level)?;
        map.serialize_entry("target", self.target)?;
        if let Some(tenant) = &self.tenant {
            map.serialize_entry("tenant", &**tenant)?;
        }
        if let Some(stream) = &self.stream {
            map.serialize_entry("stream", &**stream)?;
        }
        if let Some(batch) = self.batch {
            map.serialize_entry("batch", &batch)?;
        }
        map.serialize_entry("message", &*self.message)?;
        if !self.fields.is_empty() {
            map.serialize_entry("fields", &Fields(&self.fields))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_file_says_all() {
        let record = LogRecord {
            id: 7,
            at_ms: 1_700_000_000_123,
            level: Level::Warn,
            target: "air",
            tenant: Some("a".into()),
            stream: Some("tv".into()),
            batch: Some(3),
            message: "two\nlines".into(),
            fields: Box::new([
                ("late_ms", Value::Int(-5)),
                ("ok", Value::Bool(true)),
                ("why", Value::Text("x".into())),
            ]),
        };
        assert_eq!(
            record.to_json(),
            r#"{"at":"2023-11-14T22:13:20.123Z","id":7,"at_ms":1700000000123,"level":"warn","target":"air","tenant":"a","stream":"tv","batch":3,"message":"two\nlines","fields":{"late_ms":-5,"ok":true,"why":"x"}}"#
        );
        let bare = LogRecord { tenant: None, stream: None, batch: None, fields: Box::new([]), ..record };
        assert!(bare.to_json().ends_with(r#""target":"air","message":"two\nlines"}"#), "{}", bare.to_json());
    }

    #[test]
    fn levels_are_ordered_by_weight() {
        assert!(Level::Error > Level::Warn && Level::Warn > Level::Info && Level::Debug > Level::Trace);
        assert_eq!(Level::from(tracing::Level::DEBUG), Level::Debug);
    }
}
