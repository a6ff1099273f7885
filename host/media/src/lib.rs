//! Containers and packets: what the steps know about the bytes they move.
//!
//! In: bytes of segments, of returned files and of what ffmpeg tells about packets. Out: packets ([`demux`]), facts ([`facts`], [`duration`],
//! [`probe()`](probe::probe)), and bytes to write ([`flv`], [`fmp4`]). What is read comes from strangers: whatever it holds, the answer is facts
//! or an error, within [`limits`].
//!
//! It uses no other crate of ours, and does no I/O of its own: no network, no task, no thread, no program.

mod adts;
pub mod avc;
pub mod demux;
pub mod duration;
pub mod facts;
pub mod flv;
pub mod fmp4;
pub mod id3;
pub mod limits;
pub mod probe;
