//! Converts tracing events into log lines. Tenant, stream and batch come from the event's fields, or from the enclosing
//! spans.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::LogHub;
use super::hub::TOLD;
use super::record::{LogRecord, Value};
use super::ring::Key;
use crate::limits::{LOG_FIELDS_MAX, LOG_MESSAGE_BYTES_MAX, LOG_VALUE_BYTES_MAX};
use outboard_base::check_name;
use outboard_base::redact::{plain_lines, redact};
use outboard_base::unix_time;

/// The tracing layer that feeds a [`LogHub`]. It also applies the rate limit for all other layers.
pub struct HubLayer(pub(super) LogHub);

/// What a span adds to the events inside it.
#[derive(Debug, Clone, Default)]
struct Scope {
    key: Key,
    batch: Option<u64>,
    fields: Vec<(&'static str, Value)>,
}

impl Scope {
    /// Merges a span's own values into those of its parent.
    fn within(self, parent: &Self) -> Self {
        let (key, batch) = inherit(self.key, self.batch, parent);
        let mut fields = self.fields;
        add_fields(&mut fields, &parent.fields);
        Self { key, batch, fields }
    }
}

/// Takes missing names from the scope, but never the stream of another tenant or the batch of another stream.
fn inherit(own: Key, batch: Option<u64>, scope: &Scope) -> (Key, Option<u64>) {
    let same_tenant = own.tenant.is_none() || own.tenant == scope.key.tenant;
    let tenant = own.tenant.or_else(|| scope.key.tenant.clone());
    if !same_tenant {
        return (Key { tenant, stream: own.stream }, batch);
    }
    let same_stream = own.stream.is_none() || own.stream == scope.key.stream;
    let stream = own.stream.or_else(|| scope.key.stream.clone());
    let batch = batch.or(if same_stream { scope.batch } else { None });
    (Key { tenant, stream }, batch)
}

fn add_fields(fields: &mut Vec<(&'static str, Value)>, more: &[(&'static str, Value)]) {
    for (name, value) in more {
        if fields.len() >= LOG_FIELDS_MAX {
            return;
        }
        if !fields.iter().any(|(known, _)| known == name) {
            fields.push((name, value.clone()));
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for HubLayer {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.0.shared().speak_through(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut words = Words::default();
        attributes.record(&mut words);
        let mut scope = words.into_scope();
        if let Some(parent) = span.parent()
            && let Some(parent) = parent.extensions().get::<Scope>()
        {
            scope = scope.within(parent);
        }
        span.extensions_mut().replace(scope);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut words = Words::default();
        values.record(&mut words);
        let scope = words.into_scope();
        let mut extensions = span.extensions_mut();
        let before = extensions.get_mut::<Scope>().cloned().unwrap_or_default();
        extensions.replace(scope.within(&before));
    }

    fn event_enabled(&self, event: &Event<'_>, context: Context<'_, S>) -> bool {
        if event.metadata().target() == TOLD {
            return true;
        }
        let mut names = Names::default();
        event.record(&mut names);
        let (key, _) = in_scope(event, &context, |scope| inherit(names.0, None, scope));
        self.0.shared().admits(&key)
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == TOLD {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let message = std::mem::take(&mut words.message);
        let scope = in_scope(event, &context, |scope| words.into_scope().within(scope));
        self.0.shared().add(LogRecord {
            id: 0,
            at_ms: unix_time::now_ms(),
            level: (*metadata.level()).into(),
            target: origin(metadata.target()),
            tenant: scope.key.tenant,
            stream: scope.key.stream,
            batch: scope.batch,
            message,
            fields: scope.fields.into(),
        });
    }
}

/// Calls `call` with the scope of the event's span; an empty scope if there is none.
fn in_scope<S, T>(event: &Event<'_>, context: &Context<'_, S>, call: impl FnOnce(&Scope) -> T) -> T
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    match context.event_span(event) {
        Some(span) => call(span.extensions().get::<Scope>().unwrap_or(&Scope::default())),
        None => call(&Scope::default()),
    }
}

/// The name of the step or part that logs, from its module path.
fn origin(target: &'static str) -> &'static str {
    // Parts in their own crates are named `outboard_net` and so on.
    let Some(own) = target.strip_prefix("outboard::").or_else(|| target.strip_prefix("outboard_")) else {
        return target.split("::").next().unwrap_or(target);
    };
    let own = own.strip_prefix("pipeline::").unwrap_or(own);
    match own.split("::").next().unwrap_or(own) {
        "hls" => "source",
        "egress" => "air",
        // `stage` is reserved for output of a component.
        "stage" => "stage-host",
        part => part,
    }
}

/// Reads tenant and stream of an event and ignores its other fields.
#[derive(Default)]
struct Names(Key);

impl Visit for Names {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "tenant" => self.0.tenant = name(value),
            "stream" => self.0.stream = name(value),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if matches!(field.name(), "tenant" | "stream") {
            self.record_str(field, &short(value, LOG_VALUE_BYTES_MAX));
        }
    }
}

/// Reads all fields of an event or a span.
#[derive(Default)]
struct Words {
    key: Key,
    batch: Option<u64>,
    message: Box<str>,
    fields: Vec<(&'static str, Value)>,
}

impl Words {
    fn into_scope(self) -> Scope {
        Scope { key: self.key, batch: self.batch, fields: self.fields }
    }

    fn field(&mut self, field: &Field, value: Value) {
        // Fields that the bridge of the `log` crate adds.
        if self.fields.len() < LOG_FIELDS_MAX && !field.name().starts_with("log.") {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        match (field.name(), name(value)) {
            ("message", _) => self.message = clean(short(&format_args!("{value}"), LOG_MESSAGE_BYTES_MAX)),
            ("tenant", Some(name)) => self.key.tenant = Some(name),
            ("stream", Some(name)) => self.key.stream = Some(name),
            _ => self.field(field, Value::Text(clean(short(&format_args!("{value}"), LOG_VALUE_BYTES_MAX)))),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let most = if field.name() == "message" { LOG_MESSAGE_BYTES_MAX } else { LOG_VALUE_BYTES_MAX };
        self.record_str(field, &short(value, most));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "batch" {
            self.batch = Some(value);
        } else {
            self.field(field, Value::Uint(value));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        match u64::try_from(value) {
            Ok(value) if field.name() == "batch" => self.batch = Some(value),
            _ => self.field(field, Value::Int(value)),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.field(field, Value::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, Value::Bool(value));
    }
}

/// A valid name of a tenant or stream. Other values of the fields `tenant` and `stream` are kept as ordinary fields.
fn name(value: &str) -> Option<Arc<str>> {
    check_name("name", value).is_ok().then(|| value.into())
}

/// Formats a value up to a maximum length; formatting stops there.
fn short(value: &dyn fmt::Debug, most: usize) -> String {
    struct Short(String, usize);
    impl fmt::Write for Short {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            let room = self.1 - self.0.len();
            if part.len() <= room {
                self.0.push_str(part);
                return Ok(());
            }
            let end = (0..=room).rev().find(|at| part.is_char_boundary(*at)).unwrap_or(0);
            self.0.push_str(part.get(..end).unwrap_or_default());
            Err(fmt::Error)
        }
    }
    let mut short = Short(String::new(), most);
    if write!(short, "{value:?}").is_err() {
        short.0.push('…');
    }
    short.0
}

/// Removes secrets and terminal control characters.
fn clean(text: String) -> Box<str> {
    let text = match redact(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(clean) => clean,
    };
    match plain_lines(&text) {
        std::borrow::Cow::Borrowed(_) => text.into(),
        std::borrow::Cow::Owned(plain) => plain.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_parts_that_operators_know() {
        for (target, shown) in [
            ("outboard::pipeline::air::rtmp::session", "air"),
            ("outboard::pipeline", "pipeline"),
            ("outboard::stage::slot", "stage-host"),
            ("outboard_stage::slot", "stage-host"),
            ("outboard_net::tls", "net"),
            ("outboard_ffmpeg", "ffmpeg"),
            ("outboard_hls::fetch", "source"),
            ("outboard_egress::rtmp::session", "air"),
            ("outboard_pipeline::batch", "batch"),
            ("outboard_pipeline", "pipeline"),
            ("outboard::store::retention", "store"),
            ("outboard", "outboard"),
            ("stage", "stage"),
            ("ffmpeg", "ffmpeg"),
            ("hyper_util::client::legacy", "hyper_util"),
        ] {
            assert_eq!(origin(target), shown);
        }
    }

    #[test]
    fn long_values_are_not_even_made() {
        struct Endless;
        impl fmt::Debug for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("é!")?;
                }
            }
        }
        assert_eq!(short(&Endless, 7), "é!é!…");
        assert_eq!(short(&format_args!("abc"), 3), "abc");
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(&*clean("a\u{1b}[2J\r\n\tb".into()), "a\u{fffd}[2J\u{fffd}\n\tb");
    }
}
