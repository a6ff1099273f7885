//! Pages of a list: a number of rows after a key, in either direction. A page stays correct while rows are added and
//! removed.

use crate::limits::PAGE_ROWS_MAX;

/// The direction of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Descending, from the newest (largest key).
    #[default]
    NewestFirst,
    /// Ascending, from the oldest (smallest key).
    OldestFirst,
}

/// Which rows of a list a caller requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K = u64> {
    /// The key of the last row that the caller has; the page begins after it, in the direction of the list.
    pub after: Option<K>,
    /// Maximum number of rows; never more than [`PAGE_ROWS_MAX`].
    pub first: usize,
    /// The direction of the list.
    pub order: Order,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows, in the direction of the list.
    pub rows: Vec<T>,
    /// Whether more rows follow.
    pub more: bool,
}

// === impl Page ===

impl<K> Page<K> {
    /// The newest rows, newest first.
    pub fn newest(first: usize) -> Self {
        Self { after: None, first, order: Order::NewestFirst }
    }

    /// The oldest rows, oldest first.
    pub fn oldest(first: usize) -> Self {
        Self { after: None, first, order: Order::OldestFirst }
    }

    /// The same page after a key.
    #[must_use]
    pub fn after(self, key: K) -> Self {
        Self { after: Some(key), ..self }
    }

    fn rows(&self) -> usize {
        self.first.min(PAGE_ROWS_MAX)
    }

    /// The SQL LIMIT: one row more than requested, to know whether more rows follow.
    pub fn limit(&self) -> u64 {
        self.rows() as u64 + 1
    }

    /// The SQL operators: `<` or `>`, and `DESC` or `ASC`.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self.order {
            Order::NewestFirst => ("<", "DESC"),
            Order::OldestFirst => (">", "ASC"),
        }
    }

    /// Makes a page of the rows that SQL returned.
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Listed<T> {
        let more = rows.len() > self.rows();
        rows.truncate(self.rows());
        Listed { rows, more }
    }
}

impl Page<u64> {
    /// The key for the comparison; a default if none was given.
    pub fn key(&self) -> i64 {
        let none = match self.order {
            Order::NewestFirst => i64::MAX,
            Order::OldestFirst => -1,
        };
        self.after.map_or(none, |key| i64::try_from(key).unwrap_or(i64::MAX))
    }
}

impl<T> Listed<T> {
    /// Converts each row with `of`; whether more rows follow stays the same.
    pub fn map<U>(self, of: impl FnMut(T) -> U) -> Listed<U> {
        Listed { rows: self.rows.into_iter().map(of).collect(), more: self.more }
    }
}
