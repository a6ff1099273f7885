//! Request headers: their values are secrets, which are kept where a change does not give them again.

use serde::{Deserialize, Serialize};

use super::checks::Checks;
use outboard_base::{Problem, printable};

/// A request header; its value is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the header, as it is sent.
    pub name: String,
    /// Value of the header; a secret.
    pub value: String,
}

/// A header; without a value it keeps the one that it had.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderPatch {
    /// Name of the header, compared without case.
    pub name: String,
    /// New value; `None` keeps the old one.
    #[serde(default)]
    pub value: Option<String>,
}

/// Checks headers. `of` is the setting's path, which is the same for every caller.
pub(super) fn resolve(headers: &[Header], of: &str, checks: &mut Checks) -> Vec<(String, String)> {
    let mut resolved = Vec::new();
    for (n, Header { name, value }) in headers.iter().enumerate() {
        let listed = format!("{of}[{n}]");
        let shown = printable::cleaned(name);
        // A configuration may name headers in a table as well as in a list.
        let path = checks.name(listed.clone(), if shown.is_empty() { listed } else { format!("{of}.{shown}") });
        let (name, value) = (checks.secret(&path, name), checks.secret(&path, value));
        if !is_name(&name) {
            // Without a colon the name may be the secret.
            let right = "is not a header; expected \"Name: value\", with a name of letters, digits, '-' and '_'";
            let path = checks.name(path.as_str(), of).to_owned();
            checks.wrong(path, right);
        }
        resolved.push((name, value));
    }
    resolved
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Headers as they are, whose values nobody is shown.
pub(super) struct Known<'a> {
    pub headers: &'a [Header],
    /// They would go to another server than before: who may name one must not get them that way, so that their values
    /// have to be given again.
    pub elsewhere: bool,
}

impl Known<'_> {
    pub fn patched(&self, path: &str, patch: Option<Vec<HeaderPatch>>, problems: &mut Vec<Problem>) -> Vec<Header> {
        let patches = match patch {
            Some(patches) => patches,
            None if self.elsewhere => {
                let named = |header: &Header| HeaderPatch { name: header.name.clone(), value: None };
                self.headers.iter().map(named).collect()
            }
            None => return self.headers.to_vec(),
        };
        let mut headers = Vec::new();
        for (n, HeaderPatch { name, value }) in patches.into_iter().enumerate() {
            let before = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(&name));
            let problem = match (value, before) {
                (Some(value), _) => {
                    headers.push(Header { name, value });
                    continue;
                }
                (None, Some(before)) if !self.elsewhere => {
                    headers.push(Header { name, value: before.value.clone() });
                    continue;
                }
                (None, Some(_)) => format!("must be given again: {name} would be sent to another server than before"),
                (None, None) => "is missing: this header had no value before".to_owned(),
            };
            problems.push(Problem { path: format!("{path}[{n}].value"), message: problem });
        }
        headers
    }
}
