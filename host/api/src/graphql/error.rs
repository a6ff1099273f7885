//! Errors in the form for clients: with `extensions.code`, and for INVALID_INPUT with `extensions.problems`.
//!
//! Resolvers return the errors of the control plane; here each gets its code. Errors of the GraphQL library are INVALID_INPUT. Paths of
//! problems start with an argument's name.

use std::borrow::Cow;

use async_graphql::{ErrorExtensionValues, Response, ServerError, Value};

use super::context::Result;
use super::nearest;
use outboard_base::Problem;
use outboard_base::redact::plain_lines;
use outboard_control::error::ControlError;

/// Adds the code to every error of a response.
pub fn finish(mut response: Response) -> Response {
    response.errors.iter_mut().for_each(code);
    response
}

fn code(error: &mut ServerError) {
    // The text may quote a caller, a playlist or a server.
    if let Cow::Owned(text) = plain_lines(&error.message) {
        error.message = text;
    }
    let of_core = error.source::<ControlError>().cloned();
    if of_core.is_none()
        && let Some(hint) = nearest::hint(&error.message)
    {
        error.message.push_str(&hint);
    }
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if let Some(of_core) = &of_core {
        describe(extensions, of_core);
    } else if extensions.get("code").is_none() {
        let path = if error.path.is_empty() { "query" } else { "arguments" };
        describe(extensions, &ControlError::invalid(path, error.message.clone()));
    }
    error.source = None;
}

fn describe(extensions: &mut ErrorExtensionValues, error: &ControlError) {
    extensions.set("code", error.code());
    if let ControlError::InvalidInput(problems) = error {
        let problem = |problem: &Problem| {
            let (path, message) = (plain_lines(&problem.path), plain_lines(&problem.message));
            async_graphql::value!({ "path": path.as_ref(), "message": message.as_ref() })
        };
        extensions.set("problems", Value::List(problems.iter().map(problem).collect()));
    }
}

/// A response that has only an error.
pub fn refusal(error: &ControlError) -> Response {
    let mut told = ServerError::new(plain_lines(&error.to_string()), None);
    describe(told.extensions.get_or_insert_with(ErrorExtensionValues::default), error);
    Response::from_errors(vec![told])
}

/// Adds the argument's name to the paths of problems. Names in `beside` are arguments (or fields of `input`) themselves; all others
/// are below `inside`.
pub trait At<T> {
    /// Problems of `beside` are at `outer`, all else at `outer.inside`.
    fn at(self, outer: &str, inside: &str, beside: &[&str]) -> Result<T>;

    /// All problems are below one argument.
    fn at_input(self, outer: &str) -> Result<T>;
}

impl<T> At<T> for Result<T> {
    fn at(self, outer: &str, inside: &str, beside: &[&str]) -> Result<T> {
        self.map_err(|error| {
            let ControlError::InvalidInput(problems) = error else { return error };
            let moved = problems.into_iter().map(|Problem { path, message }| {
                let first = path.split(['.', '[']).next().unwrap_or_default();
                let inside = if beside.contains(&first) { "" } else { inside };
                let parts: Vec<&str> =
                    [outer, inside, path.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
                Problem { path: parts.join("."), message }
            });
            ControlError::InvalidInput(moved.collect())
        })
    }

    fn at_input(self, outer: &str) -> Result<T> {
        self.at(outer, "", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(path: &str) -> Problem {
        Problem { path: path.into(), message: "is wrong".into() }
    }

    #[test]
    fn problems_are_found_by_the_words_of_the_request() {
        let wrong = || {
            Err::<(), _>(ControlError::InvalidInput(
                ["streamId", "source.url", "destinations[1].url"].map(problem).into(),
            ))
        };
        let paths =
            |error: ControlError| error.problems().iter().map(|problem| problem.path.clone()).collect::<Vec<_>>();
        let of_input = wrong().at("input", "settings", &["streamId"]).unwrap_err();
        assert_eq!(
            paths(of_input),
            ["input.streamId", "input.settings.source.url", "input.settings.destinations[1].url"]
        );
        let whole = wrong().at_input("input").unwrap_err();
        assert_eq!(paths(whole), ["input.streamId", "input.source.url", "input.destinations[1].url"]);
        let other = Err::<(), _>(ControlError::Conflict("x".into())).at_input("input");
        assert_eq!(other, Err(ControlError::Conflict("x".into())));
    }

    #[test]
    fn every_error_has_a_code() {
        let told = refusal(&ControlError::LimitExceeded("too much".into()));
        let json = serde_json::to_value(finish(told)).unwrap();
        assert_eq!(json["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
        let of_library = finish(Response::from_errors(vec![ServerError::new("syntax", None)]));
        let json = serde_json::to_value(of_library).unwrap();
        assert_eq!(json["errors"][0]["extensions"]["code"], "INVALID_INPUT");
        assert_eq!(json["errors"][0]["extensions"]["problems"][0]["path"], "query");
    }
}
