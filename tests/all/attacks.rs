//! Attacks as a hostile tenant, processor, origin, receiver or passer-by makes them. One module per kind; what each wall
//! is made of is told in `docs/security.md`.

mod api;
mod children;
mod compile;
mod numbers;
mod processor;
mod secrets;
mod state;
mod watchdog;
