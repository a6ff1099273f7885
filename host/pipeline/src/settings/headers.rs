//! Request headers. Their values are secrets; a change that omits a value keeps it.

use serde::{Deserialize, Serialize};

use super::checks::Checks;
use outboard_base::{Problem, printable};

/// A request header with a secret value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the header, as it is sent.
    pub name: String,
    /// Value of the header; a secret.
    pub value: String,
}

/// A header in a patch; without a value, the previous value is kept.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeaderPatch {
    /// Name of the header, compared case-insensitively.
    pub name: String,
    /// New value; `None` keeps the previous one.
    #[serde(default)]
    pub value: Option<String>,
}

/// Checks headers. `of` is the setting's path, which is the same for every caller.
pub(super) fn resolve(headers: &[Header], of: &str, checks: &mut Checks) -> Vec<(String, String)> {
    let mut resolved = Vec::new();
    for (n, Header { name, value }) in headers.iter().enumerate() {
        let listed = format!("{of}[{n}]");
        let shown = printable::cleaned(name);
        // A configuration may contain headers as a table or as a list.
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

/// The present headers, whose values are never shown.
pub(super) struct Known<'a> {
    pub headers: &'a [Header],
    /// The patch sends the headers to another server. Values must then be given again; otherwise a user could obtain
    /// them by changing the URL.
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
                (None, Some(_)) => {
                    format!("must be given again, because {name} would be sent to another server than before")
                }
                (None, None) => "is missing: this header had no value before".to_owned(),
            };
            problems.push(Problem { path: format!("{path}[{n}].value"), message: problem });
        }
        headers
    }
}
