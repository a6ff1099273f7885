//! Lists in pieces: so many rows after a key, in either direction. A page stays right while rows come and go.

use crate::limits::PAGE_ROWS_MAX;

/// Which way a list runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// From the newest (largest key) back.
    #[default]
    NewestFirst,
    /// From the oldest (smallest key) on.
    OldestFirst,
}

/// Which piece of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K = u64> {
    /// The key of the last row that is known already; the piece begins behind it, in the list's direction.
    pub after: Option<K>,
    /// Rows at most; never more than [`PAGE_ROWS_MAX`].
    pub first: usize,
    /// The list's direction.
    pub order: Order,
}

/// A piece of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows, in the list's direction.
    pub rows: Vec<T>,
    /// There are further ones behind them.
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

    /// The same behind a key.
    #[must_use]
    pub fn after(self, key: K) -> Self {
        Self { after: Some(key), ..self }
    }

    fn rows(&self) -> usize {
        self.first.min(PAGE_ROWS_MAX)
    }

    /// For SQL's LIMIT: a row more than asked for, which tells whether there are more.
    pub fn limit(&self) -> u64 {
        self.rows() as u64 + 1
    }

    /// `<` or `>`, and `DESC` or `ASC`.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self.order {
            Order::NewestFirst => ("<", "DESC"),
            Order::OldestFirst => (">", "ASC"),
        }
    }

    /// Of the rows that SQL gave.
    pub fn cut<T>(&self, mut rows: Vec<T>) -> Listed<T> {
        let more = rows.len() > self.rows();
        rows.truncate(self.rows());
        Listed { rows, more }
    }
}

impl Page<u64> {
    /// The key to compare with, also where none was given.
    pub fn key(&self) -> i64 {
        let none = match self.order {
            Order::NewestFirst => i64::MAX,
            Order::OldestFirst => -1,
        };
        self.after.map_or(none, |key| i64::try_from(key).unwrap_or(i64::MAX))
    }
}

impl<T> Listed<T> {
    /// The same list of other things.
    pub fn map<U>(self, of: impl FnMut(T) -> U) -> Listed<U> {
        Listed { rows: self.rows.into_iter().map(of).collect(), more: self.more }
    }
}
