//! Where each destination is on air, written into the stream's journal.

use futures_util::future::BoxFuture;

use outboard_egress::journal::{self, AirJournal};
use outboard_egress::position::Position;
use outboard_store::journal::StreamJournal;

/// Writes positions on air into the stream's journal.
pub struct Positions(pub StreamJournal);

impl AirJournal for Positions {
    fn key_frame(&self, destination: &str, position: Position) -> BoxFuture<'_, Result<(), journal::JournalError>> {
        let destination = destination.to_owned();
        Box::pin(async move {
            let text = serde_json::to_string(&position).map_err(|error| journal::JournalError(error.to_string()))?;
            self.0.air(&destination, text).await.map_err(|error| journal::JournalError(error.to_string()))
        })
    }

    fn forget(&self, destination: &str) -> BoxFuture<'_, Result<(), journal::JournalError>> {
        let destination = destination.to_owned();
        Box::pin(async move {
            self.0.forget_air(&destination).await.map_err(|error| journal::JournalError(error.to_string()))
        })
    }
}
