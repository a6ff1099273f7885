//! Inputs of attackers, for the tests that check one defence (`tests/all/attacks`) and for the test that watches other
//! tenants' streams at the same time (`tests/all/alone/under_attack`).

pub mod components;
pub mod connections;
pub mod ffmpeg;
pub mod origins;
pub mod replies;
pub mod requests;
