//! RTMP, as a publisher.
pub mod acks;
pub mod amf;
pub mod chunk;
pub mod reader;
