//! Tests that load the whole machine. `scripts/test` runs them after the others and one at a time: beside other tests
//! they would measure those, and the others them.

mod busy_pages;
mod log_subscribers;
mod noisy_neighbour;
mod spinning;
mod two_tenants;
mod under_attack;
mod worst_requests;
