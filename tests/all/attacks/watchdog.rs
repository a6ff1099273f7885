//! A process that hangs, and one that was away.
