//! air_cases
