//! Harness: media.
