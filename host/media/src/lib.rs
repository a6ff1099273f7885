//! Media containers and packets.
//!
//! In: bytes of segments, of files from processors, and of ffmpeg's packet lists. Out: packets ([`demux`]), facts about
//! them ([`facts`], [`duration`], [`probe()`](probe::probe)), and bytes to write ([`flv`], [`fmp4`]). All input is
//! untrusted: the result is facts or an error, within [`limits`].
//!
//! [`segment`] is what a source delivers, [`timeline`] gives each packet its time on air.
//!
//! It uses no other crate of ours, and does no I/O of its own: no network, no task, no thread, no program.

pub mod aac;
pub mod adts;
pub mod avc;
pub mod demux;
pub mod duration;
pub mod facts;
pub mod flv;
pub mod fmp4;
pub mod id3;
pub mod language;
pub mod layout;
pub mod limits;
mod pes_time;
pub mod probe;
pub mod segment;
pub mod timeline;
