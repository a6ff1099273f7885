//! The layers of settings; a later layer overrides an earlier one.

use std::collections::BTreeSet;
use std::path::Path;

use outboard_base::Problem;
use toml::{Table, Value};

use super::keys::Keys;

/// Prefix of settings in the environment.
const PREFIX: &str = "OUTBOARD_";
/// A name after the prefix that is longer than this, in bytes, is not compared with settings.
const NAME_BYTES_MAX: usize = 64;
/// Minimum similarity, 0 to 1, at which a variable counts as a misspelt setting: one letter in four differs.
const NEAR: f64 = 0.75;

/// The merged settings so far.
#[derive(Debug, Default)]
pub struct Layers {
    table: Table,
    problems: Vec<Problem>,
    /// Variables of the environment that have the prefix but are no settings.
    strays: Vec<String>,
}

impl Layers {
    /// Starts without layers: no setting has a value.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a TOML file.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        let read = std::fs::read_to_string(path).map_err(|error| error.to_string());
        match read.and_then(|text| text.parse::<Table>().map_err(|error| error.to_string())) {
            Ok(table) => {
                for (section, value) in table {
                    match value {
                        Value::Table(keys) => {
                            for (key, value) in keys {
                                self.put(&section, &key, value);
                            }
                        }
                        // Detected again, and refused, at the end.
                        other => {
                            self.table.insert(section, other);
                        }
                    }
                }
            }
            Err(message) => self.problems.push(Problem { path: path.display().to_string(), message }),
        }
        self
    }

    /// Adds the variables `OUTBOARD_SECTION__KEY`.
    #[must_use]
    pub fn environment(mut self, variables: impl Iterator<Item = (String, String)>) -> Self {
        for (name, value) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            match rest.split_once("__") {
                Some((section, key)) => {
                    self.put(&section.to_lowercase(), &key.to_lowercase(), Value::String(value));
                }
                None => self.strays.push(name),
            }
        }
        self
    }

    /// Adds one setting, such as a command-line option.
    #[must_use]
    pub fn set(mut self, path: &str, value: Option<impl Into<Value>>) -> Self {
        if let (Some((section, key)), Some(value)) = (path.split_once('.'), value) {
            self.put(section, key, value.into());
        }
        self
    }

    /// Reports a variable such as `OUTBOARD_STORAGE_DIR` (one `_` where a setting has two) or `OUTBOARD_STORGE_DIR`
    /// (nearly a setting). Other variables with this prefix belong to commands, to scripts, or to Kubernetes, which
    /// sets `OUTBOARD_SERVICE_HOST` and more for a service of that name; they are ignored.
    pub(super) fn refuse_strays(&mut self, known: &BTreeSet<String>) {
        let variables = |between: &str| {
            let variable = |path: &String| path.replace('.', between).to_uppercase();
            known.iter().map(variable).collect::<Vec<_>>()
        };
        let (with_one, with_two) = (variables("_"), variables("__"));
        for name in std::mem::take(&mut self.strays) {
            let given = name.strip_prefix(PREFIX).unwrap_or_default().to_uppercase();
            if given.len() > NAME_BYTES_MAX {
                continue;
            }
            let likeness = |one: &String| strsim::normalized_damerau_levenshtein(&given, one);
            let scored = with_one.iter().map(likeness).zip(&with_two);
            let nearest = scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(likeness, _)| *likeness >= NEAR);
            if let Some((_, meant)) = nearest {
                let message = format!("is not a setting; did you mean {PREFIX}{meant}?");
                self.problems.push(Problem { path: name, message });
            }
        }
    }

    /// The merged layers, ready to be read.
    pub fn into_keys(self) -> Keys {
        Keys::new(self.table, self.problems)
    }

    fn put(&mut self, section: &str, key: &str, value: Value) {
        let entry = self.table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(keys) = entry {
            keys.insert(key.to_owned(), value);
        }
    }
}
