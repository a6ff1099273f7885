//! Problems of settings: all of them at once, each under the path of the setting.

use std::fmt;

/// One invalid setting and its reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The key's path, such as `source.url`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// All problems of the settings; displayed as one line for each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            write!(f, "{}{}: {}", if n > 0 { "\n" } else { "" }, problem.path, problem.message)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_a_line_each_under_their_paths() {
        let problem = |path: &str, message: &str| Problem { path: path.into(), message: message.into() };
        let problems = Problems(vec![problem("source.url", "is missing"), problem("air.to[1]", "is no URL")]);
        assert_eq!(problems.to_string(), "source.url: is missing\nair.to[1]: is no URL");
    }
}
