//! Journal functions for tests of this crate, and of others through the feature `testing`.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first thing that is not as it should be")]

use super::Journal;

impl Journal {
    /// Number of pages of the file.
    pub async fn pages(&self) -> u64 {
        let work = |transaction: &rusqlite::Transaction<'_>| {
            Ok(transaction.pragma_query_value(None, "page_count", |row| row.get(0))?)
        };
        self.write(work).await.unwrap()
    }

    /// Sets the time at which a batch was done.
    pub async fn set_done(&self, stream: &str, number: u64, done_ms: u64) {
        let stream = stream.to_owned();
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            let query = "UPDATE batch SET times = json_object('done', ?)
                         WHERE number = ? AND stream = (SELECT id FROM stream WHERE name = ?)";
            Ok(transaction.execute(query, rusqlite::params![done_ms, number, stream])?)
        };
        assert_eq!(self.write(work).await.unwrap(), 1);
    }

    /// Refuses every write that would make the file larger, as SQLite does on a full disk.
    pub async fn let_grow_to(&self, pages: u64) {
        let work = move |transaction: &rusqlite::Transaction<'_>| {
            let set = |row: &rusqlite::Row<'_>| row.get::<_, u64>(0);
            Ok(transaction.pragma_update_and_check(None, "max_page_count", pages, set)?)
        };
        assert_eq!(self.write(work).await.unwrap(), pages);
    }
}
