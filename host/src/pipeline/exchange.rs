//! demux -> [exchange] -> remux: audio out to the processor and back, over Socket.IO.
