//! RTMP and RTMPS, as a publisher: [`session`] speaks to a server, the rest are its layers.
//!
//! `rml_rtmp` is the counterpart of the tests only. Its sessions are not used: they write a message's start as a type 3
//! chunk (which nginx-rtmp reads with another time), allocate for each packet, know no FCPublish, and its chunk reader trusts
//! the server's lengths. Why its handshake is not used either: `docs/decisions/0013-rtmp-handshake.md`.

pub mod acks;
pub mod amf;
pub mod answer;
pub mod chunk;
pub mod handshake;
pub mod login;
pub mod reader;
pub mod session;
pub mod transport;
