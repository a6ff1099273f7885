//! Long lists in pieces, as Relay has it: `first`/`after` on the way in, edges with cursors and `pageInfo` on the way out.

use std::borrow::Cow;

use async_graphql::{OutputType, SimpleObject, TypeName};

use crate::limits::{GRAPHQL_PAGE_DEFAULT, GRAPHQL_PAGE_MAX};
use outboard_base::Problem;
use outboard_control::error::ControlError;
use outboard_store::page::{Listed, Page};

/// A page of a list.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Connection<T: OutputType> {
    /// The edges of the page, in the order of the list.
    edges: Vec<Edge<T>>,
    /// Position of the page in the list.
    page_info: PageInfo,
}

/// An entry of a list with its cursor.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(name_type)]
pub struct Edge<T: OutputType> {
    /// Cursor of the entry. Pass it as `after` to get the next page.
    cursor: String,
    /// The entry of the list.
    node: T,
}

/// The position of a page in its list.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct PageInfo {
    /// True if there are edges after this page.
    has_next_page: bool,
    /// True if there are edges before this page. Exact only for `last`; with `first` it is true if `after` was set.
    has_previous_page: bool,
    /// Cursor of the first edge. Null if the page is empty.
    start_cursor: Option<String>,
    /// Cursor of the last edge, to pass as `after` for the next page. Null if the page is empty.
    end_cursor: Option<String>,
}

impl<T: OutputType> TypeName for Connection<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Connection", T::type_name()).into()
    }
}

impl<T: OutputType> TypeName for Edge<T> {
    fn type_name() -> Cow<'static, str> {
        format!("{}Edge", T::type_name()).into()
    }
}

// === impl Connection ===

impl<T: OutputType> Connection<T> {
    /// A piece with the key of each thing.
    pub fn new(things: impl IntoIterator<Item = (u64, T)>, before: bool, behind: bool) -> Self {
        let edges: Vec<Edge<T>> =
            things.into_iter().map(|(key, node)| Edge { cursor: key.to_string(), node }).collect();
        let page_info = PageInfo {
            has_next_page: behind,
            has_previous_page: before,
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Self { edges, page_info }
    }

    /// A connection of the rows of a page: `key` returns a row's key, `node` converts it.
    pub fn of<R>(listed: Listed<R>, page: &Page, key: impl Fn(&R) -> u64, node: impl Fn(R) -> T) -> Self {
        let Listed { rows, more } = listed;
        Self::new(rows.into_iter().map(|row| (key(&row), node(row))), page.after.is_some(), more)
    }
}

/// The requested part of a list that can be read from both ends.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    /// Number of entries, from the oldest on.
    pub first: Option<i32>,
    /// Only entries after this cursor.
    pub after: Option<String>,
    /// Number of entries, up to the newest.
    pub last: Option<i32>,
    /// Only entries before this cursor.
    pub before: Option<String>,
}

/// The page of a list that is asked for, newest first.
///
/// # Errors
/// [`ControlError::InvalidInput`] at `first` or `after`.
pub fn page(first: Option<i32>, after: Option<&str>) -> Result<Page, ControlError> {
    let page = Page::newest(count("first", first)?);
    Ok(match key("after", after)? {
        Some(after) => page.after(after),
        None => page,
    })
}

/// How many things are asked for.
///
/// # Errors
/// [`ControlError::InvalidInput`] at `path`, the argument's name.
pub fn count(path: &str, asked: Option<i32>) -> Result<usize, ControlError> {
    match asked.map(usize::try_from) {
        None => Ok(GRAPHQL_PAGE_DEFAULT),
        Some(Ok(count)) if count <= GRAPHQL_PAGE_MAX => Ok(count),
        _ => Err(ControlError::invalid(path, format!("must be from 0 to {GRAPHQL_PAGE_MAX}"))),
    }
}

/// The key that a cursor stands for.
///
/// # Errors
/// [`ControlError::InvalidInput`] at `path`, the argument's name.
pub fn key(path: &str, cursor: Option<&str>) -> Result<Option<u64>, ControlError> {
    let Some(text) = cursor else { return Ok(None) };
    let key = text.parse::<u64>().ok().filter(|key| i64::try_from(*key).is_ok());
    let wrong = || Problem { path: path.to_owned(), message: "is no cursor of this list".to_owned() };
    key.map(Some).ok_or_else(|| ControlError::InvalidInput(vec![wrong()]))
}

/// What a list of `asked` things costs, each with what is selected of it.
pub fn cost(asked: Option<i32>, each: usize) -> usize {
    // What is out of range is refused later, and must not be cheap until then.
    let things = asked.map_or(GRAPHQL_PAGE_DEFAULT, |asked| usize::try_from(asked).unwrap_or(GRAPHQL_PAGE_MAX));
    things.saturating_mul(each).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::types::log::LogLine;

    #[test]
    fn counts_and_cursors_are_checked_by_name() {
        assert_eq!(count("first", None), Ok(GRAPHQL_PAGE_DEFAULT));
        assert_eq!(count("first", Some(0)), Ok(0));
        for wrong in [-1, i32::MIN, i32::MAX] {
            let error = count("last", Some(wrong)).unwrap_err();
            assert_eq!(error.problems().first().map(|problem| problem.path.as_str()), Some("last"));
        }
        assert_eq!(key("after", Some("17")), Ok(Some(17)));
        for wrong in ["", "-1", "abc", "18446744073709551615", "1 "] {
            assert_eq!(key("after", Some(wrong)).unwrap_err().code(), "INVALID_INPUT", "{wrong}");
        }
    }

    #[test]
    fn a_page_says_where_to_go_on() {
        let page = Connection::new([(9, LogLine::default()), (7, LogLine::default())], true, true);
        assert_eq!(page.page_info.start_cursor.as_deref(), Some("9"));
        assert_eq!(page.page_info.end_cursor.as_deref(), Some("7"));
        assert!(page.page_info.has_next_page && page.page_info.has_previous_page);
    }
}
