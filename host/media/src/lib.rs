//! Media containers and packets.
//!
//! In: bytes of segments, of files from processors, and of ffmpeg's packet lists. Out: facts about them ([`facts`], [`duration`],
//! [`probe()`](probe::probe)), and bytes to write ([`flv`], [`fmp4`]). All input is untrusted: the result is facts or an error, within
//! [`limits`].
//!
//! It uses no other crate of the host. It opens only the files that it is given, and uses no network, task, thread or program.

pub mod avc;
pub mod duration;
pub mod facts;
pub mod flv;
pub mod fmp4;
pub mod id3;
pub mod limits;
pub mod probe;
