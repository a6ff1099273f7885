//! One module per property.

// by step
mod air_cases;
mod exchange_cases;
mod source_cases;
mod stage_failures;

// by law
