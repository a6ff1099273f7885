//! Attacks by a hostile tenant, processor, origin, receiver or stranger. One module per kind; `docs/security.md`
//! describes the defences.

mod api;
mod children;
mod compile;
mod numbers;
mod processor;
mod secrets;
mod state;
mod watchdog;
