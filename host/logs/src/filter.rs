//! Which lines a reader may see, and which of them it requests.

use std::sync::Arc;

use super::record::{Level, LogRecord, Value};
use crate::limits::LOG_TEXT_FILTER_BYTES;

/// A reader's permission and selection. Created for a tenant or for the host; further conditions only narrow it.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    wall: Wall,
    tenant: Option<String>,
    stream: Option<String>,
    level: Level,
    target: Option<String>,
    text: Option<String>,
    since_ms: Option<u64>,
    until_ms: Option<u64>,
    batch: Option<u64>,
}

/// The permission, which the selection cannot widen.
#[derive(Debug, Clone, Default)]
enum Wall {
    /// No line. The default, when neither tenant nor host was given.
    #[default]
    Closed,
    /// Lines of this tenant.
    Tenant(String),
    /// Lines of all tenants and of the host itself.
    Host,
}

impl Filter {
    /// For a reader of one tenant: its lines of level info and above, never those of other tenants or of the host.
    pub fn of_tenant(tenant: impl Into<String>) -> Self {
        Self { wall: Wall::Tenant(tenant.into()), ..Self::default() }
    }

    /// For a reader of the whole host: all lines of level info and above.
    pub fn of_host() -> Self {
        Self { wall: Wall::Host, ..Self::default() }
    }

    /// Selects the lines of this tenant; does not extend the permission.
    pub fn tenant(mut self, tenant: Option<String>) -> Self {
        self.tenant = tenant;
        self
    }

    /// Selects the lines of this stream.
    pub fn stream(mut self, stream: Option<String>) -> Self {
        self.stream = stream;
        self
    }

    /// Selects the lines of this level and above.
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Selects the lines of this origin: a part of the host, `ffmpeg` or `stage`.
    pub fn target(mut self, target: Option<String>) -> Self {
        self.target = target;
        self
    }

    /// Selects the lines with this text in their message or in a field's value, ignoring ASCII case. An empty text
    /// matches all lines; one longer than [`LOG_TEXT_FILTER_BYTES`] matches none.
    pub fn text(mut self, text: Option<String>) -> Self {
        self.text = text.filter(|text| !text.is_empty());
        self
    }

    /// Selects the lines from this time on, Unix milliseconds.
    pub fn since_ms(mut self, ms: Option<u64>) -> Self {
        self.since_ms = ms;
        self
    }

    /// Selects the lines before this time, Unix milliseconds.
    pub fn until_ms(mut self, ms: Option<u64>) -> Self {
        self.until_ms = ms;
        self
    }

    /// Selects the lines about this batch.
    pub fn batch(mut self, batch: Option<u64>) -> Self {
        self.batch = batch;
        self
    }

    /// The only tenant whose lines can match, if there is only one.
    pub(super) fn only_tenant(&self) -> Option<&str> {
        match &self.wall {
            Wall::Tenant(tenant) => Some(tenant),
            _ => self.tenant.as_deref(),
        }
    }

    /// Whether lines of this tenant and stream can match.
    pub(super) fn reaches(&self, tenant: Option<&Arc<str>>, stream: Option<&Arc<str>>) -> bool {
        let is = |wanted: &str, name: Option<&Arc<str>>| name.is_some_and(|name| **name == *wanted);
        let behind = match &self.wall {
            Wall::Closed => false,
            Wall::Tenant(wanted) => is(wanted, tenant),
            Wall::Host => true,
        };
        behind
            && self.tenant.as_deref().is_none_or(|wanted| is(wanted, tenant))
            && self.stream.as_deref().is_none_or(|wanted| is(wanted, stream))
    }

    /// Whether a line matches. Cheap conditions are checked first.
    pub(super) fn lets_through(&self, record: &LogRecord) -> bool {
        self.reaches(record.tenant.as_ref(), record.stream.as_ref())
            && record.level >= self.level
            && self.since_ms.is_none_or(|since| record.at_ms >= since)
            && self.until_ms.is_none_or(|until| record.at_ms < until)
            && self.batch.is_none_or(|batch| record.batch == Some(batch))
            && self.target.as_deref().is_none_or(|target| record.target == target)
            && self.text.as_deref().is_none_or(|text| says(record, text))
    }
}

fn says(record: &LogRecord, text: &str) -> bool {
    let says = |value: &Value| match value {
        Value::Text(value) => contains(value, text),
        other => contains(&other.to_string(), text),
    };
    text.len() <= LOG_TEXT_FILTER_BYTES
        && (contains(&record.message, text) || record.fields.iter().any(|(_, value)| says(value)))
}

/// Compares without regard to ASCII case.
fn contains(text: &str, wanted: &str) -> bool {
    text.as_bytes().windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> LogRecord {
        LogRecord {
            id: 1,
            at_ms: 1_000,
            level: Level::Info,
            target: "air",
            tenant: Some("a".into()),
            stream: Some("tv".into()),
            batch: Some(3),
            message: "Publishing to the World".into(),
            fields: Box::new([("url", Value::Text("rtmp://Host/…".into())), ("n", Value::Uint(4711))]),
        }
    }

    #[test]
    fn walls_stand_whatever_is_asked_for() {
        let (ours, hosts) = (record(), LogRecord { tenant: None, stream: None, ..record() });
        let stray = LogRecord { tenant: None, ..record() };
        assert!(Filter::of_tenant("a").lets_through(&ours));
        for foreign in [
            Filter::default(),
            Filter::of_tenant("b"),
            Filter::of_tenant("b").tenant(Some("a".into())),
            Filter::of_tenant("b").stream(Some("tv".into())),
            Filter::of_tenant(""),
        ] {
            assert!(!foreign.lets_through(&ours), "{foreign:?}");
        }
        for host_line in [&hosts, &stray] {
            assert!(!Filter::of_tenant("a").lets_through(host_line), "the host's own lines are not a tenant's");
            assert!(Filter::of_host().lets_through(host_line));
        }
        assert!(Filter::of_host().lets_through(&ours));
        assert!(!Filter::of_host().tenant(Some("b".into())).lets_through(&ours));
    }

    #[test]
    fn each_wish_narrows() {
        let all = || Filter::of_host();
        let passes = |filter: Filter| filter.lets_through(&record());
        assert!(passes(all().stream(Some("tv".into()))) && !passes(all().stream(Some("t".into()))));
        assert!(passes(all().level(Level::Info)) && !passes(all().level(Level::Warn)));
        assert!(passes(all().target(Some("air".into()))) && !passes(all().target(Some("ffmpeg".into()))));
        assert!(passes(all().since_ms(Some(1_000))) && !passes(all().since_ms(Some(1_001))));
        assert!(passes(all().until_ms(Some(1_001))) && !passes(all().until_ms(Some(1_000))));
        assert!(passes(all().batch(Some(3))) && !passes(all().batch(Some(4))));
    }

    #[test]
    fn text_is_found_in_message_and_fields_in_any_case() {
        let finds = |text: &str| Filter::of_host().text(Some(text.into())).lets_through(&record());
        assert!(finds("") && finds("publishing TO") && finds("rtmp://host") && finds("4711") && finds("World"));
        assert!(!finds("worlds") && !finds("url"), "names of fields are not text");
        assert!(!finds(&"x".repeat(LOG_TEXT_FILTER_BYTES + 1)));
    }
}
