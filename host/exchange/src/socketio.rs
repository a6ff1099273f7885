//! A Socket.IO v4 client (protocol 5) over Engine.IO 4, WebSocket only: connects, answers pings and acks, and transfers
//! event packets with binary attachments at any depth. It knows nothing of fragments and does not reconnect; the
//! exchange does.
//!
//! docs/exchange.md explains why this is not a library.

mod assembly;
mod connection;
mod endpoint;
mod engine;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod handshake;
mod packet;
mod refusal;
mod tls;

pub use connection::{Connection, Incoming, Receipt};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{Closed, ConnectError, EmitError};
