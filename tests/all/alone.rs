//! Tests that load the whole machine. `scripts/test` runs them after the others and one at a time; in parallel, tests
//! would distort each other's measurements.

mod busy_pages;
mod log_subscribers;
mod noisy_neighbour;
mod spinning;
mod two_tenants;
mod under_attack;
mod worst_requests;
