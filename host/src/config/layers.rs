//! The layers that settings come from; a later one wins.

use std::collections::BTreeSet;
use std::path::Path;

use outboard_base::Problem;
use toml::{Table, Value};

use super::keys::Keys;

/// Prefix of settings in the environment.
const PREFIX: &str = "OUTBOARD_";
/// A longer name behind it is compared with no setting, bytes.
const NAME_BYTES_MAX: usize = 64;
/// From this likeness on, out of 1, a variable is taken for a setting that is misspelt: one letter in four is another.
const NEAR: f64 = 0.75;

/// Settings as they pile up.
#[derive(Debug, Default)]
pub struct Layers {
    table: Table,
    problems: Vec<Problem>,
    /// Variables of the environment that begin like a setting and are none.
    strays: Vec<String>,
}

impl Layers {
    /// Nothing set.
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
                        // Found again, and refused, at the end.
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

    /// Adds `OUTBOARD_SECTION__KEY` variables.
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

    /// Adds one setting, such as an option of the command line.
    #[must_use]
    pub fn set(mut self, path: &str, value: Option<impl Into<Value>>) -> Self {
        if let (Some((section, key)), Some(value)) = (path.split_once('.'), value) {
            self.put(section, key, value.into());
        }
        self
    }

    /// Notes a variable such as `OUTBOARD_STORAGE_DIR`, with one `_` where a setting has two, or `OUTBOARD_STORGE_DIR`, which
    /// is nearly that. Other variables with that prefix belong to commands, to scripts, or to Kubernetes, which sets
    /// `OUTBOARD_SERVICE_HOST` and more for a service of that name: they are left alone.
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
                let message = format!("is not read; did you mean {PREFIX}{meant}?");
                self.problems.push(Problem { path: name, message });
            }
        }
    }

    /// All layers together, to be read.
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
