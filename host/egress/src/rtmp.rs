//! RTMP and RTMPS publishing: [`session`] communicates with a server; the other modules are its layers.
//!
//! `rml_rtmp` is only used as the peer in tests. Its sessions are not used: they write a message's start as a type 3
//! chunk (which nginx-rtmp reads with a wrong time), allocate for each packet, do not know FCPublish, and its chunk
//! reader trusts the server's lengths. `docs/decisions/0013-rtmp-handshake.md` explains why its handshake is not used.

pub mod acks;
pub mod amf;
pub mod answer;
mod challenge;
pub mod chunk;
pub mod credentials;
pub mod enhanced;
pub mod handshake;
pub mod login;
pub mod reader;
pub mod session;
pub mod transport;
