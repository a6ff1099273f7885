//! What must survive: the journal (SQLite) and the files.
