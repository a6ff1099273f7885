//! remux -> [air]: FLV tags become RTMP messages on the air clock.

pub mod bodies;
pub mod clock;
pub mod cursor;
pub mod lean;
pub mod position;
pub mod rtmp;
pub mod spool;
pub mod target;

#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct AirError;
pub struct AirConfig { pub destinations: Vec<DestinationConfig> }
pub struct DestinationConfig;
impl DestinationConfig { pub fn new(_: String, _: &str, _: Option<position::Position>) -> Result<Self, AirError> { Ok(Self) } }
pub struct Air;
impl Air {
 pub fn start(_: AirConfig, _: spool::Spool, _: clock::AirClock, _: std::sync::Arc<dyn journal::AirJournal>, _: tokio::sync::mpsc::Sender<journal::AirEvent>) -> Air { Air }
 pub fn status(&self) -> Vec<DestinationStatus> { vec![] }
 pub async fn drain(&self, _: std::time::Duration) -> bool { true }
 pub async fn stop(self) {}
}
pub mod journal;
pub mod status;
pub use status::DestinationStatus;
