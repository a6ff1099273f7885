//! Replies that pin a core.
