//! What attackers send, for the tests that hold one wall against it (`tests/all/attacks`) and for the one that listens to others'
//! streams meanwhile (`tests/all/alone/under_attack`).

pub mod components;
pub mod connections;
pub mod ffmpeg;
pub mod origins;
pub mod replies;
pub mod requests;
