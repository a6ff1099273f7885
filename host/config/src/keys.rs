//! Reads settings by key path and collects all problems.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use outboard_base::{Problem, Problems};
use toml::{Table, Value};
use url::Url;

use super::printable::check_setting;
use outboard_pipeline::settings::Header;
use outboard_pipeline::settings::checks::{no_seconds, no_whole_number, parse_url};

/// Minimum similarity, 0 to 1, at which a known name is suggested for an unknown one.
const NEAR: f64 = 0.5;

/// A table from which keys are taken one by one. Keys that are left at the end are unknown.
#[derive(Debug)]
pub struct Keys {
    table: Table,
    problems: Vec<Problem>,
    /// Every path that was read, whether it was set or not.
    asked: RefCell<BTreeSet<String>>,
}

impl Keys {
    /// Starts reading a table of sections; `problems` were found earlier.
    pub fn new(table: Table, problems: Vec<Problem>) -> Self {
        Self { table, problems, asked: RefCell::default() }
    }

    /// The paths that were read so far.
    pub fn asked(self) -> BTreeSet<String> {
        self.asked.into_inner()
    }

    /// Records a problem with the setting at `path`.
    pub fn problem(&mut self, path: &str, message: String) {
        self.problems.push(Problem { path: path.to_owned(), message });
    }

    /// Whether any key of a section is set.
    pub fn has_section(&self, section: &str) -> bool {
        self.table.get(section).and_then(Value::as_table).is_some_and(|table| !table.is_empty())
    }

    /// Ends reading and checks that every setting was read.
    ///
    /// # Errors
    /// All problems. Each unread setting is one: a setting in `known` has no effect here; for any other, the nearest
    /// known name is suggested.
    pub fn finish(mut self, known: &BTreeSet<String>) -> Result<(), Problems> {
        for (section, value) in std::mem::take(&mut self.table) {
            match value {
                Value::Table(table) => {
                    for key in table.keys() {
                        let path = format!("{section}.{key}");
                        let message = unread(&path, known);
                        self.problem(&path, message);
                    }
                }
                _ => {
                    let nearest = nearest_section(&section, known);
                    let hint = nearest.map(|name| format!("; did you mean the section [{name}]?")).unwrap_or_default();
                    self.problem(
                        &section,
                        format!("is not a section: settings are written below [section] lines{hint}"),
                    );
                }
            }
        }
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
    }

    /// Ends reading when only some settings are needed.
    ///
    /// # Errors
    /// The problems of the settings that were read.
    pub fn finish_part(self) -> Result<(), Problems> {
        if self.problems.is_empty() { Ok(()) } else { Err(Problems(self.problems)) }
    }

    fn get(&self, path: &str) -> Option<&Value> {
        self.asked.borrow_mut().insert(path.to_owned());
        let (section, key) = path.split_once('.')?;
        self.table.get(section)?.as_table()?.get(key)
    }

    /// Takes a setting. Characters that no setting may contain are reported as a problem and removed from the result,
    /// so that the rest is checked too.
    fn take(&mut self, path: &str) -> Option<Value> {
        let value = self.take_raw(path)?;
        Some(self.printable(path, value))
    }

    fn printable(&mut self, path: &str, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.printable_text(path, text)),
            Value::Array(values) => {
                let values = values.into_iter().enumerate();
                Value::Array(values.map(|(n, value)| self.printable(&format!("{path}[{n}]"), value)).collect())
            }
            Value::Table(table) => Value::Table(
                table
                    .into_iter()
                    .map(|(name, value)| {
                        let below = format!("{path}.{}", outboard_base::printable::cleaned(&name));
                        let value = self.printable(&below, value);
                        (self.printable_text(path, name), value)
                    })
                    .collect(),
            ),
            other => other,
        }
    }

    fn printable_text(&mut self, path: &str, text: String) -> String {
        match check_setting(path, &text) {
            Ok(()) => text,
            Err(message) => {
                self.problem(path, message);
                outboard_base::printable::cleaned(&text)
            }
        }
    }

    fn take_raw(&mut self, path: &str) -> Option<Value> {
        self.asked.get_mut().insert(path.to_owned());
        let (section, key) = path.split_once('.')?;
        self.table.get_mut(section)?.as_table_mut()?.remove(key)
    }

    /// A text, without taking it.
    pub fn peek_text(&self, path: &str) -> Option<String> {
        self.get(path).map(plain)
    }

    /// A text that is not empty.
    pub fn text(&mut self, path: &str) -> Option<String> {
        let value = self.take(path)?;
        match &value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::String(_) => None,
            other => {
                self.problem(path, format!("{} must be a text", plain(other)));
                None
            }
        }
    }

    /// One of the given words, converted to its value.
    pub fn word<T: Copy>(&mut self, path: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.one_of(path, &words.iter().map(|(word, _)| *word).collect::<Vec<_>>())?;
        words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
    }

    /// One of the given words.
    pub fn one_of(&mut self, path: &str, words: &[&str]) -> Option<String> {
        let text = self.text(path)?;
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        self.problem(path, format!("{text:?} must be one of {}", words.join(", ")));
        None
    }

    /// True or false; also read from text, because the environment only has text.
    pub fn flag(&mut self, path: &str) -> Option<bool> {
        let value = self.take(path)?;
        match plain(&value).as_str() {
            "true" => Some(true),
            "false" => Some(false),
            "" => None,
            other => {
                self.problem(path, format!("{other:?} must be true or false"));
                None
            }
        }
    }

    /// An integer; also parsed from text, because the environment only has text.
    pub fn integer(&mut self, path: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(path)?;
        match plain(&value).parse::<u64>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                self.problem(path, no_whole_number(&plain(&value), &range));
                None
            }
        }
    }

    /// A number of bytes: an integer, or with a unit, such as `10 GiB`.
    pub fn bytes(&mut self, path: &str) -> Option<u64> {
        let value = self.take(path)?;
        let bytes = parse_bytes(&plain(&value));
        if bytes.is_none() {
            let right =
                "a whole number of bytes, or one with a unit (kB, MB, GB, TB, KiB, MiB, GiB, TiB), such as \"10 GiB\"";
            self.problem(path, format!("{} must be {right}", plain(&value)));
        }
        bytes
    }

    /// Parses the URL of the setting `path`.
    pub fn parse_url(&mut self, path: &str, text: &str, schemes: &[&str]) -> Option<Url> {
        parse_url(text, schemes).map_err(|message| self.problem(path, message)).ok()
    }

    /// A list of texts; comma-separated in the environment.
    pub fn list(&mut self, path: &str) -> Option<Vec<String>> {
        let listed = self.raw_list(path)?.into_iter().enumerate();
        Some(listed.map(|(n, text)| self.printable_text(&format!("{path}[{n}]"), text)).collect())
    }

    /// [`Keys::text`] for a text whose characters are checked later.
    pub fn raw_text(&mut self, path: &str) -> Option<String> {
        match self.take_raw(path)? {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            other => {
                self.problem(path, format!("{} must be a text", plain(&other)));
                None
            }
        }
    }

    /// [`Keys::list`] for texts whose characters are checked later.
    pub fn raw_list(&mut self, path: &str) -> Option<Vec<String>> {
        match self.take_raw(path)? {
            Value::String(text) => Some(text.split(',').map(|text| text.trim().to_owned()).collect()),
            Value::Array(values) => Some(values.iter().map(|value| plain(value).trim().to_owned()).collect()),
            other => {
                self.problem(path, format!("{} must be a list of texts", plain(&other)));
                None
            }
        }
    }

    /// An integer whose range is checked later; the error for other values names the range.
    pub fn whole(&mut self, path: &str, range: &RangeInclusive<u64>) -> Option<u64> {
        let value = plain(&self.take(path)?);
        value.parse().map_err(|_| self.problem(path, no_whole_number(&value, range))).ok()
    }

    /// A number of seconds whose range is checked later; the error for other values names the range.
    pub fn seconds(&mut self, path: &str, range: &RangeInclusive<f64>) -> Option<f64> {
        let value = plain(&self.take(path)?);
        value.parse().map_err(|_| self.problem(path, no_seconds(&value, range))).ok()
    }

    /// Headers, which are checked later: a table, or lines of `Name: value`.
    pub fn headers(&mut self, path: &str) -> Vec<Header> {
        // A line without a colon has no name.
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or(("", line));
            Header { name: name.trim().to_owned(), value: value.trim().to_owned() }
        };
        match self.take_raw(path) {
            None => Vec::new(),
            // Only a text has several lines; an item of a list or a value of a table is one header.
            Some(Value::String(text)) => text.lines().map(header).collect(),
            Some(Value::Array(lines)) => lines.iter().map(|line| header(&plain(line))).collect(),
            Some(Value::Table(table)) => {
                table.into_iter().map(|(name, value)| Header { name, value: plain(&value) }).collect()
            }
            Some(other) => vec![header(&plain(&other))],
        }
    }

    /// Any value, as JSON; JSON text in the environment.
    pub fn json(&mut self, path: &str) -> Option<serde_json::Value> {
        let parsed = match self.take_raw(path)? {
            Value::String(text) => serde_json::from_str(&text).map_err(|error| error.to_string()),
            other => serde_json::to_value(other).map_err(|error| error.to_string()),
        };
        parsed.map_err(|error| self.problem(path, format!("is not JSON: {error}"))).ok()
    }
}

/// The error message for a setting that was not read.
fn unread(path: &str, known: &BTreeSet<String>) -> String {
    if known.contains(path) {
        return "is a setting of a pipeline, but no pipeline is configured: also set source.url and air.to".into();
    }
    match nearest(path, known) {
        Some(name) => format!("is not a setting of outboard; did you mean {name}?"),
        None => "is not a setting of outboard; docs/configuration.md lists all settings".into(),
    }
}

/// The most similar known path, compared as a whole or by section and key. The same key in another section counts as
/// near.
fn nearest<'a>(path: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let (section, key) = path.split_once('.')?;
    let score = |name: &str| {
        let (known_section, known_key) = name.split_once('.').unwrap_or((name, ""));
        let whole = strsim::normalized_damerau_levenshtein(path, name);
        let sections = strsim::normalized_damerau_levenshtein(section, known_section);
        let keys = strsim::normalized_damerau_levenshtein(key, known_key);
        whole.max((sections + keys) / 2.0)
    };
    let best = known.iter().map(|name| (score(name), name.as_str())).max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= NEAR).then_some(best.1)
}

fn nearest_section<'a>(section: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    nearest_of(section, known.iter().filter_map(|name| name.split_once('.')).map(|(section, _)| section))
}

/// The most similar name, if one is near enough.
pub fn nearest_of<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|other| (strsim::normalized_damerau_levenshtein(name, other), other));
    scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(score, _)| *score >= NEAR).map(|(_, name)| name)
}

fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (base, power): (u64, u32) = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => (1, 0),
        "kb" => (1000, 1),
        "mb" => (1000, 2),
        "gb" => (1000, 3),
        "tb" => (1000, 4),
        "kib" => (1024, 1),
        "mib" => (1024, 2),
        "gib" => (1024, 3),
        "tib" => (1024, 4),
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(base.checked_pow(power)?)
}

/// A value as a person would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_for_an_unknown_one() {
        let known = crate::known();
        for (unknown, right) in [
            ("storage.path", Some("storage.dir")),
            ("storage.directory", Some("storage.dir")),
            ("source.max_bandwith", Some("source.max_bandwidth")),
            ("sorce.url", Some("source.url")),
            ("stages.frmaing", Some("stages.framing")),
            ("pipeline.batch_length", Some("pipeline.batch_seconds")),
            ("log.levels", Some("log.level")),
            ("pipeline.max_bandwidth", Some("source.max_bandwidth")),
            ("xyzzy.qqq", None),
        ] {
            assert_eq!(nearest(unknown, &known), right, "{unknown}");
        }
        assert_eq!(nearest_section("sever", &known), Some("server"));
        assert_eq!(nearest_section("speed", &known), None);
    }

    #[test]
    fn bytes_are_read_with_and_without_a_unit() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1048576", Some(1 << 20)),
            ("10 GiB", Some(10 << 30)),
            ("512MiB", Some(512 << 20)),
            ("2 tb", Some(2_000_000_000_000)),
            ("7 b", Some(7)),
            ("", None),
            ("GiB", None),
            ("-1", None),
            ("1.5 GiB", None),
            ("10 G", None),
            ("99999999999 TiB", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text:?}");
        }
    }
}
