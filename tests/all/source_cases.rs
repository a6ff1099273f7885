//! source_cases
