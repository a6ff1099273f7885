//! The test processor: echoes fragments, and can be told to misbehave.
