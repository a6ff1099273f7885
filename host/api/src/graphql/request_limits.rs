//! Limits of a request, checked before it is parsed, before it is validated and before it is executed, as each of these steps can
//! cost far more than the request is long.
//!
//! In: the text, then the parsed document. Out: nothing, or LIMIT_EXCEEDED with the limit. Each fragment is measured once; the sizes
//! of its spreads are added up without expanding them. [`Complexity`] limits the answer, by the costs that the schema's fields
//! declare.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::types::{
    ExecutableDocument, Field, FragmentDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError, ValidationResult};

use super::context::Result;
use crate::limits::{
    GRAPHQL_ALIASES_MAX, GRAPHQL_BRACKETS_MAX, GRAPHQL_COMPLEXITY_MAX, GRAPHQL_DEPTH_MAX, GRAPHQL_DIRECTIVES_MAX,
    GRAPHQL_INTROSPECTION_LISTS_MAX, GRAPHQL_NESTING_MAX, GRAPHQL_OPERATIONS_MAX, GRAPHQL_QUERY_BYTES_MAX,
    GRAPHQL_ROOT_FIELDS_MAX, GRAPHQL_SELECTIONS_MAX, GRAPHQL_TOKENS_MAX, GRAPHQL_VALUES_DEPTH_MAX, GRAPHQL_VALUES_MAX,
};
use outboard_control::error::ControlError;

/// Checks the length of a query's text, the number of its tokens and the depth of its brackets.
///
/// # Errors
/// [`ControlError::LimitExceeded`] with the limit.
pub fn check_text(query: &str) -> Result<()> {
    bound("bytes of text", query.len(), GRAPHQL_QUERY_BYTES_MAX)?;
    let (mut depth, mut tokens, mut in_word, mut rest) = (0usize, 0usize, false, query.as_bytes());
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let (was_in_word, of_word) =
            (in_word, byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.'));
        in_word = of_word;
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'#' => rest = skip_line(rest),
            b'"' => rest = skip_string(rest),
            _ => {}
        }
        let begins = of_word && !was_in_word || !of_word && !matches!(byte, b' ' | b',' | b'\t' | b'\n' | b'\r' | b'#');
        tokens += usize::from(begins);
        bound("brackets in brackets", depth, GRAPHQL_BRACKETS_MAX)?;
        bound("words and signs", tokens, GRAPHQL_TOKENS_MAX)?;
    }
    Ok(())
}

/// Checks the depth of JSON and the number of its values, before it is parsed. The counts of invalid JSON may be too high, never too
/// low.
///
/// # Errors
/// [`ControlError::LimitExceeded`] with the limit.
pub fn check_json(text: &[u8]) -> Result<()> {
    let (mut depth, mut values, mut rest) = (0usize, 0usize, text);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                values += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' | b':' => values += 1,
            b'"' => rest = skip_json_string(rest),
            _ => {}
        }
        bound("lists and objects in each other", depth, GRAPHQL_VALUES_DEPTH_MAX)?;
        bound("values", values, GRAPHQL_VALUES_MAX)?;
    }
    Ok(())
}

fn skip_json_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        let escape = rest.get(at) == Some(&b'\\');
        rest = rest.get(at + 1 + usize::from(escape)..).unwrap_or_default();
        if !escape {
            return rest;
        }
    }
    &[]
}

fn skip_line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(text.len());
    text.get(end..).unwrap_or_default()
}

/// The text after a string whose first quote was read.
fn skip_string(text: &[u8]) -> &[u8] {
    if let Some(block) = text.strip_prefix(b"\"\"") {
        let mut rest = block;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(b"\\\"\"\"") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix(b"\"\"\"") {
                return after;
            } else {
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        return rest;
    }
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'\\' => after.get(1..).unwrap_or_default(),
            // A string ends at the end of its line at the latest.
            b'"' | b'\n' | b'\r' => return after,
            _ => after,
        };
    }
    rest
}

/// Checks the size of a parsed document; returns the type of the operation that is to be run.
///
/// # Errors
/// [`ControlError::LimitExceeded`] with the limit; [`ControlError::InvalidInput`] if it has no such operation.
pub fn check_document(document: &ExecutableDocument, operation: Option<&str>) -> Result<OperationType> {
    bound("operations", document.operations.iter().count(), GRAPHQL_OPERATIONS_MAX)?;
    let mut measure = Measure { document, known: HashMap::new() };
    // All operations are validated, so all are measured.
    for (_, definition) in document.operations.iter() {
        let size = measure.set(&definition.node.selection_set.node, 0)?;
        size.check()?;
        bound("fields at the root", size.first, GRAPHQL_ROOT_FIELDS_MAX)?;
    }
    for name in document.fragments.keys() {
        measure.fragment(name, 0)?.check()?;
    }
    let mut wanted = document.operations.iter().filter(|(name, _)| match (operation, name) {
        (Some(wanted), Some(name)) => name.as_str() == wanted,
        (Some(_), None) => false,
        (None, _) => true,
    });
    match (wanted.next(), wanted.next()) {
        (Some((_, definition)), None) => Ok(definition.node.ty),
        (None, _) => Err(ControlError::invalid("operationName", "names no operation of the request")),
        (Some(_), Some(_)) => Err(ControlError::invalid("operationName", "is needed: there are several operations")),
    }
}

fn bound(what: &str, found: usize, most: usize) -> Result<()> {
    if found <= most {
        return Ok(());
    }
    Err(ControlError::LimitExceeded(format!("the request has more {what} than the {most} that are allowed")))
}

/// The size of a selection set with all its fragments.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// Number of fields and fragment spreads.
    selections: usize,
    /// Number of fields on the first level, including those of fragments.
    first: usize,
    /// Depth of nested fields.
    depth: usize,
    /// Depth of nested selection sets.
    nesting: usize,
    aliases: usize,
    /// Most directives on one selection.
    directives: usize,
    /// Depth of nested lists of the introspection types.
    lists: usize,
    /// The greatest such depth below an introspection field.
    introspected: usize,
}

impl Size {
    fn beside(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            first: self.first.saturating_add(other.first),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.max(other.directives),
            lists: self.lists.max(other.lists),
            introspected: self.introspected.max(other.introspected),
        }
    }

    fn check(&self) -> Result<()> {
        bound("fields", self.selections, GRAPHQL_SELECTIONS_MAX)?;
        bound("fields below each other", self.depth, GRAPHQL_DEPTH_MAX)?;
        bound("fragments and fields below each other", self.nesting, GRAPHQL_NESTING_MAX)?;
        bound("aliases", self.aliases, GRAPHQL_ALIASES_MAX)?;
        bound("directives in one place", self.directives, GRAPHQL_DIRECTIVES_MAX)?;
        bound("lists of types below each other", self.introspected, GRAPHQL_INTROSPECTION_LISTS_MAX)
    }
}

/// The state of a fragment: being measured, or measured.
#[derive(Debug, Clone, Copy)]
enum Known {
    UnderWay,
    Is(Size),
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    known: HashMap<&'a Name, Known>,
}

impl<'a> Measure<'a> {
    fn set(&mut self, set: &'a SelectionSet, level: usize) -> Result<Size> {
        // This also limits the recursion of this function.
        bound("fragments and fields below each other", level, GRAPHQL_NESTING_MAX)?;
        let mut size = Size::default();
        for selection in &set.items {
            let one = match &selection.node {
                Selection::Field(field) => self.field(&field.node, level)?,
                Selection::InlineFragment(inline) => {
                    self.spread(self_set(&inline.node.selection_set), level, inline.node.directives.len())?
                }
                Selection::FragmentSpread(spread) => {
                    let of = self.fragment(&spread.node.fragment_name.node, level + 1)?;
                    wrapped(of, spread.node.directives.len())
                }
            };
            size = size.beside(one);
        }
        Ok(size)
    }

    fn field(&mut self, field: &'a Field, level: usize) -> Result<Size> {
        let below = match field.selection_set.node.items.is_empty() {
            true => Size::default(),
            false => self.set(&field.selection_set.node, level + 1)?,
        };
        let name = field.name.node.as_str();
        let is_list = matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes");
        let lists = below.lists + usize::from(is_list);
        Ok(Size {
            selections: below.selections.saturating_add(1),
            first: 1,
            depth: below.depth + 1,
            nesting: below.nesting + 1,
            aliases: below.aliases.saturating_add(usize::from(field.alias.is_some())),
            directives: below.directives.max(field.directives.len()),
            lists,
            introspected: if matches!(name, "__schema" | "__type") { lists } else { below.introspected },
        })
    }

    fn spread(&mut self, set: &'a SelectionSet, level: usize, directives: usize) -> Result<Size> {
        Ok(wrapped(self.set(set, level + 1)?, directives))
    }

    fn fragment(&mut self, name: &Name, level: usize) -> Result<Size> {
        let Some((name, definition)) = self.document.fragments.get_key_value(name) else {
            // Validation reports the unknown fragment.
            return Ok(Size::default());
        };
        match self.known.get(name) {
            Some(Known::Is(size)) => return Ok(*size),
            Some(Known::UnderWay) => {
                return Err(ControlError::invalid("query", format!("fragment {name} contains itself")));
            }
            None => {}
        }
        self.known.insert(name, Known::UnderWay);
        let definition: &'a Positioned<FragmentDefinition> = definition;
        let size = self.set(&definition.node.selection_set.node, level)?;
        self.known.insert(name, Known::Is(size));
        Ok(size)
    }
}

fn self_set(set: &Positioned<SelectionSet>) -> &SelectionSet {
    &set.node
}

/// The size of a spread of a fragment of this size.
fn wrapped(size: Size, directives: usize) -> Size {
    Size {
        selections: size.selections.saturating_add(1),
        nesting: size.nesting + 1,
        directives: size.directives.max(directives),
        ..size
    }
}

/// Refuses documents whose answer may become too large, by the costs that the schema's fields declare.
#[derive(Debug, Clone, Copy, Default)]
pub struct Complexity;

impl ExtensionFactory for Complexity {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Complexity {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> std::result::Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        let within = bound("complexity", result.complexity, GRAPHQL_COMPLEXITY_MAX);
        within.map_err(|error| {
            vec![async_graphql::Error::from(error).into_server_error(async_graphql::Pos::default())]
        })?;
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn judged(query: &str) -> std::result::Result<OperationType, &'static str> {
        check_text(query).map_err(|error| error.code())?;
        check_document(&parse_query(query).unwrap(), None).map_err(|error| error.code())
    }

    const LIMIT: std::result::Result<OperationType, &str> = Err("LIMIT_EXCEEDED");

    #[test]
    fn what_people_ask_passes() {
        assert_eq!(judged("{ me { name } }"), Ok(OperationType::Query));
        assert_eq!(
            judged("mutation { startPipeline(id: \"[[[{{{(((\") { id } } # (((((((("),
            Ok(OperationType::Mutation)
        );
        assert_eq!(
            judged("query($a: [[Int!]!]!) { a(b: \"\"\"[\\\"\"\"[\"\"\", c: [{d: [$a]}]) }"),
            Ok(OperationType::Query)
        );
        // What GraphiQL asks first, about.
        let introspection = "query I { __schema { types { ...T } } }
            fragment T on __Type { fields(includeDeprecated: true) { args { ...V } type { ...R } } inputFields { ...V }
              interfaces { ...R } possibleTypes { ...R } }
            fragment V on __InputValue { name type { ...R } defaultValue }
            fragment R on __Type { kind name ofType { kind ofType { kind ofType { kind ofType { kind ofType { kind
              ofType { kind ofType { kind ofType { kind ofType { kind name } } } } } } } } } }";
        assert_eq!(judged(introspection), Ok(OperationType::Query));
    }

    #[test]
    fn text_that_nests_too_deep_is_not_parsed() {
        for deep in ["{a", "[", "(a:[", "{a(b:{c:"] {
            assert_eq!(check_text(&deep.repeat(5_000)).map_err(|error| error.code()), Err("LIMIT_EXCEEDED"), "{deep}");
        }
        // Strings and comments hide nothing that the parser would see.
        let hidden = format!("{{ a(b: \"\\\"\", c: \"\"\" \\\"\"\" \"\"\") # \"\n {}", "{a".repeat(100));
        assert!(check_text(&hidden).is_err());
        // Unclosed.
        for open in ["\"", "\"\"\"", "\"\\", "#"] {
            assert!(check_text(&format!("{open}{}", "[".repeat(1000))).is_ok(), "{open}");
        }
    }

    #[test]
    fn text_is_as_long_as_its_words_and_signs() {
        let judged = |query: &str| check_text(query).map_err(|error| error.code());
        for (piece, tokens) in
            [("a ", 1), ("a,", 1), ("@", 1), ("-1.5e+3 ", 1), ("...a ", 1), ("$a:", 3), ("\"}{\" ", 1)]
        {
            assert_eq!(judged(&piece.repeat(GRAPHQL_TOKENS_MAX / tokens)), Ok(()), "{piece}");
            assert_eq!(judged(&piece.repeat(GRAPHQL_TOKENS_MAX / tokens + 1)), Err("LIMIT_EXCEEDED"), "{piece}");
        }
        // Comments and blanks are nothing, but for their length.
        assert_eq!(judged(&"# a b c\n ,".repeat(6_000)), Ok(()));
        assert_eq!(judged(&" ".repeat(GRAPHQL_QUERY_BYTES_MAX + 1)), Err("LIMIT_EXCEEDED"));
    }

    #[test]
    fn json_is_bounded_by_its_depth_and_its_values() {
        let judged = |text: &str| check_json(text.as_bytes()).map_err(|error| error.code());
        let deep = |n: usize| format!("{}{}", "[{\"a\":".repeat(n), "}]".repeat(n));
        assert_eq!(judged(&deep(GRAPHQL_VALUES_DEPTH_MAX / 2)), Ok(()));
        assert_eq!(judged(&deep(GRAPHQL_VALUES_DEPTH_MAX / 2 + 1)), Err("LIMIT_EXCEEDED"));
        assert_eq!(judged(&format!("[1{}]", ",1".repeat(GRAPHQL_VALUES_MAX))), Err("LIMIT_EXCEEDED"));
        assert_eq!(judged(&format!("{{{}}}", "\"a\":1,".repeat(GRAPHQL_VALUES_MAX / 2))), Err("LIMIT_EXCEEDED"));
        // Strings hide what is in them, and nothing else.
        assert_eq!(judged(&format!("{{\"a\\\"\":\"{}\"}}", ",[{".repeat(GRAPHQL_VALUES_MAX))), Ok(()));
        assert_eq!(judged(&format!("\"\\\\\"{}", "[".repeat(1000))), Err("LIMIT_EXCEEDED"));
        for open in ["\"", "\"\\", "\"\\\""] {
            assert_eq!(judged(&format!("{open}{}", "[".repeat(1000))), Ok(()), "{open}");
        }
    }

    #[test]
    fn fragments_count_as_often_as_they_are_spread() {
        // Each doubles the one below: 2^30 fields in 31 lines.
        let mut bomb = "query { ...f0 } fragment f30 on Query { a }".to_owned();
        for n in 0..30 {
            bomb += &format!(" fragment f{n} on Query {{ ...f{m} ...f{m} }}", m = n + 1);
        }
        assert_eq!(judged(&bomb), LIMIT);
        assert_eq!(
            judged("{ a } fragment x on Query { ...y } fragment y on Query { ...x ...x }"),
            Err("INVALID_INPUT")
        );
    }

    #[test]
    fn each_bound_holds() {
        let fields = |n: usize| (0..n).map(|n| format!("f{n} ")).collect::<String>();
        assert_eq!(judged(&format!("{{ {} }}", fields(GRAPHQL_ROOT_FIELDS_MAX))), Ok(OperationType::Query));
        assert_eq!(judged(&format!("{{ {} }}", fields(GRAPHQL_ROOT_FIELDS_MAX + 1))), LIMIT);
        assert_eq!(
            judged(&format!("{{ ...f }} fragment f on Query {{ {} }}", fields(GRAPHQL_ROOT_FIELDS_MAX + 1))),
            LIMIT
        );
        assert_eq!(judged(&format!("{{ a {{ {} }} }}", fields(GRAPHQL_SELECTIONS_MAX))), LIMIT);
        let aliases = |n: usize| (0..n).map(|n| format!("f{n}: a ")).collect::<String>();
        assert_eq!(judged(&format!("{{ a {{ {} }} }}", aliases(GRAPHQL_ALIASES_MAX))), Ok(OperationType::Query));
        assert_eq!(judged(&format!("{{ a {{ {} }} }}", aliases(GRAPHQL_ALIASES_MAX + 1))), LIMIT);
        let deep = |n: usize| format!("{}{}", "{a".repeat(n), "}".repeat(n));
        assert_eq!(judged(&deep(GRAPHQL_DEPTH_MAX)), Ok(OperationType::Query));
        assert_eq!(judged(&deep(GRAPHQL_DEPTH_MAX + 1)), LIMIT);
        let operations = |n: usize| (0..n).map(|n| format!("query q{n} {{ a }} ")).collect::<String>();
        assert_eq!(judged(&operations(GRAPHQL_OPERATIONS_MAX + 1)), LIMIT);
        assert_eq!(judged(&format!("{{ a {} }}", "@skip(if: true) ".repeat(GRAPHQL_DIRECTIVES_MAX + 1))), LIMIT);
        assert_eq!(judged("{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }"), LIMIT);
        assert_eq!(judged("{ pipeline { fields { fields { fields { name } } } } }"), Ok(OperationType::Query));
    }

    #[test]
    fn the_operation_that_runs_is_found() {
        let two = parse_query("query a { x } subscription b { y }").unwrap();
        assert_eq!(check_document(&two, Some("b")), Ok(OperationType::Subscription));
        assert_eq!(check_document(&two, Some("a")), Ok(OperationType::Query));
        for wrong in [None, Some("c")] {
            assert_eq!(check_document(&two, wrong).map_err(|error| error.code()), Err("INVALID_INPUT"));
        }
    }
}
