//! Collects the problems of settings, each under the name that the caller uses for the setting.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use outboard_base::{Problem, Problems, printable};

/// The origin of the settings; decides the names in [`Problem::path`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// GraphQL and REST: paths of [`super::Settings`] as JSON, such as `source.maxBandwidth`.
    Api,
    /// The configuration file, the environment and the command line: keys such as `source.max_bandwidth`.
    Configuration,
}

/// The problems found so far.
#[derive(Debug)]
pub struct Checks {
    caller: Caller,
    problems: Vec<Problem>,
}

// === impl Checks ===

impl Checks {
    /// Starts without problems. `caller` selects the names of settings in messages.
    pub fn new(caller: Caller) -> Self {
        Self { caller, problems: Vec::new() }
    }

    /// Selects the name that the caller uses.
    pub fn name<T>(&self, api: T, configuration: T) -> T {
        match self.caller {
            Caller::Api => api,
            Caller::Configuration => configuration,
        }
    }

    /// Records a problem with the setting at `path`.
    pub fn wrong(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), message: message.into() });
    }

    /// Returns `value` if there are no problems.
    ///
    /// # Errors
    /// All problems.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(Problems(self.problems)),
        }
    }

    /// Checks a text that may be shown. Returns it without refused characters, which are reported.
    pub fn text(&mut self, path: &str, text: &str) -> String {
        self.printable(path, text, printable::check(text))
    }

    /// [`Checks::text`] for a text that may contain a key or a password: the problem does not contain the value.
    pub fn secret(&mut self, path: &str, text: &str) -> String {
        self.printable(path, text, printable::check_hidden(text))
    }

    fn printable(&mut self, path: &str, text: &str, checked: Result<(), String>) -> String {
        match checked {
            Ok(()) => text.to_owned(),
            Err(message) => {
                self.wrong(path, message);
                printable::cleaned(text)
            }
        }
    }

    /// An integer within its range.
    pub fn whole(&mut self, path: &str, value: Option<u64>, range: &RangeInclusive<u64>) -> Option<u64> {
        let value = value?;
        if range.contains(&value) {
            return Some(value);
        }
        self.wrong(path, no_whole_number(&value.to_string(), range));
        None
    }

    /// A number of seconds within its range, with or without a fraction.
    pub fn seconds(&mut self, path: &str, value: Option<f64>, range: &RangeInclusive<f64>) -> Option<Duration> {
        let value = value?;
        if range.contains(&value) {
            return Some(Duration::from_secs_f64(value));
        }
        self.wrong(path, no_seconds(&value.to_string(), range));
        None
    }

    /// A URL with one of the schemes. It may contain a key or a password.
    pub fn url(&mut self, path: &str, text: &str, schemes: &[&str]) -> Option<Url> {
        let text = self.secret(path, text);
        if text.is_empty() {
            self.wrong(path, format!("is missing: a URL ({})", schemes.join(", ")));
            return None;
        }
        parse_url(&text, schemes).map_err(|message| self.wrong(path, message)).ok()
    }

    /// Checks every text in JSON that is sent to a server. The values are secret.
    pub fn json(&mut self, path: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => drop(self.secret(path, text)),
            serde_json::Value::Array(values) => values.iter().for_each(|value| self.json(path, value)),
            serde_json::Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                self.secret(path, name);
                self.json(path, value);
            }),
            _ => {}
        }
    }
}

/// Parses a URL. The error does not contain the URL, which may contain a key or a password.
///
/// # Errors
/// What is wrong, and what would be valid.
pub fn parse_url(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let right = || schemes.iter().map(|scheme| format!("{scheme}:")).collect::<Vec<_>>().join(", ");
    match Url::parse(text) {
        Ok(url) if !schemes.contains(&url.scheme()) => {
            Err(format!("starts with {}: but must start with one of {}", url.scheme(), right()))
        }
        Ok(url) if url.scheme() != "file" && url.host_str().is_none_or(str::is_empty) => Err("has no host".into()),
        Ok(url) => Ok(url),
        Err(error) => Err(format!("is not a URL ({error}); it must start with one of {}", right())),
    }
}

/// The message for a value that is not an integer of the range.
pub fn no_whole_number(value: &str, range: &RangeInclusive<u64>) -> String {
    let (from, to) = (range.start(), range.end());
    let upper = if *to == u64::MAX { String::new() } else { format!(" to {to}") };
    format!("{value} must be a whole number from {from}{upper}")
}

/// The message for a value that is not a number of seconds of the range.
pub fn no_seconds(value: &str, range: &RangeInclusive<f64>) -> String {
    format!("{value} must be a number of seconds from {} to {}", range.start(), range.end())
}
