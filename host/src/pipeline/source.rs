//! HLS -> [source] -> batch: follows a playlist and puts each segment on disk, once.

pub mod segment;
