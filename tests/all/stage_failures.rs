//! stage_failures
