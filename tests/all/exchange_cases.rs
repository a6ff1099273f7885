//! exchange_cases
