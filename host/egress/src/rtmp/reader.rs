//! The incoming chunk layer: assembles messages from chunks.
//!
//! In: bytes of an untrusted server. Out: complete messages. Limits: bytes per message, number of chunk streams; only
//! incomplete messages are stored.
//!
//! Source: Adobe RTMP specification 1.0, section 5.3.

use thiserror::Error;

use super::chunk::CHUNK_BYTES_INITIAL;
use crate::limits::{RTMP_CHUNK_STREAMS_MAX, RTMP_MESSAGE_MAX};

/// Why the server's bytes are not valid RTMP.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ChunkError {
    /// A continuation without a start.
    #[error("chunk stream {0} continues a message that has not started")]
    NoStart(u32),
    /// A message exceeds the size limit.
    #[error("the server sent a message of {0} bytes; the limit is {RTMP_MESSAGE_MAX}")]
    TooLong(usize),
    /// The number of chunk streams exceeds the limit.
    #[error("the server uses more than {RTMP_CHUNK_STREAMS_MAX} chunk streams")]
    TooManyStreams,
}

/// A message, assembled from its chunks.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Message type id, such as 20 for an AMF0 command.
    pub kind: u8,
    /// Its timestamp in milliseconds.
    pub timestamp_ms: u32,
    /// Message stream id; 0 is the connection itself.
    pub stream: u32,
    /// The message's payload, valid until the next read.
    pub body: &'a [u8],
}

/// Reads messages of one connection.
#[derive(Debug)]
pub struct ChunkReader {
    buffer: Vec<u8>,
    at: usize,
    chunk_bytes: usize,
    streams: Vec<Incoming>,
}

/// A chunk stream from the server.
#[derive(Debug, Default)]
struct Incoming {
    id: u32,
    timestamp_ms: u32,
    delta_ms: u32,
    extended: bool,
    len: usize,
    kind: u8,
    stream: u32,
    body: Vec<u8>,
    /// `body` was returned and must be cleared.
    done: bool,
}

impl Default for ChunkReader {
    fn default() -> Self {
        Self { buffer: Vec::new(), at: 0, chunk_bytes: CHUNK_BYTES_INITIAL, streams: Vec::new() }
    }
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

impl ChunkReader {
    /// Sets the length of the server's following chunks in bytes.
    pub fn set_chunk_bytes(&mut self, bytes: usize) {
        self.chunk_bytes = bytes.clamp(1, RTMP_MESSAGE_MAX);
    }

    /// Adds bytes. All messages must be taken before the next call, or the buffer grows.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message; `None` until more bytes are added.
    ///
    /// # Errors
    /// [`ChunkError`]; after that the connection cannot be used.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, ChunkError> {
        loop {
            match self.chunk()? {
                None => return Ok(None),
                Some(index) => {
                    let done = self.streams.get_mut(index).is_some_and(|stream| {
                        stream.done = stream.body.len() >= stream.len;
                        stream.done
                    });
                    if done {
                        return Ok(self.streams.get(index).map(|stream| Message {
                            kind: stream.kind,
                            timestamp_ms: stream.timestamp_ms,
                            stream: stream.stream,
                            body: &stream.body,
                        }));
                    }
                }
            }
        }
    }

    /// Takes one complete chunk; returns the index of its stream.
    fn chunk(&mut self) -> Result<Option<usize>, ChunkError> {
        let mut rest = self.buffer.get(self.at..).unwrap_or_default();
        let whole = rest.len();
        let Some([first]) = take::<1>(&mut rest) else { return Ok(None) };
        let id = match first & 0x3F {
            0 => match take::<1>(&mut rest) {
                Some([low]) => 64 + u32::from(low),
                None => return Ok(None),
            },
            1 => match take::<2>(&mut rest) {
                Some(both) => 64 + u32::from(u16::from_le_bytes(both)),
                None => return Ok(None),
            },
            id => u32::from(id),
        };
        let form = first >> 6;
        let known = self.streams.iter().position(|stream| stream.id == id);
        let index = match known {
            Some(index) => index,
            None if form == 3 => return Err(ChunkError::NoStart(id)),
            None if self.streams.len() >= RTMP_CHUNK_STREAMS_MAX => return Err(ChunkError::TooManyStreams),
            None => {
                self.streams.push(Incoming { id, done: true, ..Incoming::default() });
                self.streams.len() - 1
            }
        };
        let Some(stream) = self.streams.get_mut(index) else { return Ok(None) };
        let (mut time, mut extended) = (stream.delta_ms, stream.extended);
        let (mut len, mut kind, mut message_stream) = (stream.len, stream.kind, stream.stream);
        if form <= 2 {
            let Some([t0, t1, t2]) = take(&mut rest) else { return Ok(None) };
            time = u32::from_be_bytes([0, t0, t1, t2]);
            extended = time == 0x00FF_FFFF;
        }
        if form <= 1 {
            let Some([l0, l1, l2, k]) = take(&mut rest) else { return Ok(None) };
            (len, kind) = (u32::from_be_bytes([0, l0, l1, l2]) as usize, k);
        }
        if form == 0 {
            let Some(id) = take(&mut rest) else { return Ok(None) };
            message_stream = u32::from_le_bytes(id);
        }
        if extended {
            let Some(bytes) = take(&mut rest) else { return Ok(None) };
            time = u32::from_be_bytes(bytes);
        }
        if len > RTMP_MESSAGE_MAX {
            return Err(ChunkError::TooLong(len));
        }
        let got = if stream.done { 0 } else { stream.body.len() };
        let Some(body) = rest.get(..self.chunk_bytes.min(len.saturating_sub(got))) else { return Ok(None) };
        // The chunk is complete: the state changes only from here on.
        if got == 0 {
            stream.body.clear();
            stream.timestamp_ms = if form == 0 { time } else { stream.timestamp_ms.wrapping_add(time) };
            stream.delta_ms = time;
        }
        stream.done = false;
        (stream.extended, stream.len, stream.kind, stream.stream) = (extended, len, kind, message_stream);
        stream.body.extend_from_slice(body);
        self.at += whole - rest.len() + body.len();
        Ok(Some(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reader: &mut ChunkReader) -> Vec<(u8, u32, Vec<u8>)> {
        let mut got = Vec::new();
        while let Some(message) = reader.next_message().unwrap() {
            got.push((message.kind, message.timestamp_ms, message.body.to_vec()));
        }
        got
    }

    /// Two messages whose chunks are interleaved, byte by byte.
    #[test]
    fn interleaved_chunks_in_single_bytes() {
        let mut bytes = vec![3, 0, 0, 10, 0, 0, 200, 20, 0, 0, 0, 0];
        bytes.extend([1; 128]);
        bytes.extend([2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 9, 9, 9, 9]);
        bytes.push(0xC3);
        bytes.extend([2; 72]);
        // A delta header, then a message of continuations only: same length, kind and delta.
        bytes.extend([0x42, 0, 0, 5, 0, 0, 1, 3, 7]);
        bytes.extend([0xC2, 8]);
        let mut reader = ChunkReader::default();
        let mut got = Vec::new();
        for byte in &bytes {
            reader.feed(&[*byte]);
            got.append(&mut all(&mut reader));
        }
        let long: Vec<u8> = [vec![1; 128], vec![2; 72]].concat();
        assert_eq!(got, [(3, 0, vec![9; 4]), (20, 10, long), (3, 5, vec![7]), (3, 10, vec![8])]);
    }

    #[test]
    fn long_chunk_stream_ids_and_a_larger_chunk_size() {
        let mut reader = ChunkReader::default();
        reader.set_chunk_bytes(4096);
        let mut bytes = vec![0, 6, 0xFF, 0xFF, 0xFF, 0, 4, 0, 20, 0, 0, 0, 0, 1, 0, 0, 0];
        bytes.extend([5; 1024]);
        bytes.extend([1, 0, 1, 0, 0, 1, 0, 0, 1, 4, 1, 0, 0, 0, 6]);
        reader.feed(&bytes);
        assert_eq!(all(&mut reader), [(20, 0x0100_0000, vec![5; 1024]), (4, 1, vec![6])]);
    }

    #[test]
    fn a_hostile_server_is_refused() {
        let error = |bytes: &[u8]| {
            let mut reader = ChunkReader::default();
            reader.feed(bytes);
            loop {
                match reader.next_message() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("no error"),
                    Err(error) => return error,
                }
            }
        };
        assert_eq!(error(&[0xC5, 1]), ChunkError::NoStart(5));
        assert_eq!(error(&[3, 0, 0, 0, 0xFF, 0, 0, 20, 0, 0, 0, 0]), ChunkError::TooLong(0x00FF_0000));
        let many: Vec<u8> = (2..40u8).flat_map(|id| [id, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0]).collect();
        assert_eq!(error(&many), ChunkError::TooManyStreams);
        // A length that shrinks within a message ends that message and nothing else.
        let mut reader = ChunkReader::default();
        let mut bytes = vec![3, 0, 0, 0, 0, 0, 200, 20, 0, 0, 0, 0];
        bytes.extend([1; 128]);
        bytes.extend([0x43, 0, 0, 0, 0, 0, 1, 20]);
        reader.feed(&bytes);
        assert_eq!(all(&mut reader).len(), 1);
        // Chunk size 0 would never end.
        reader.set_chunk_bytes(0);
        reader.feed(&[3, 0, 0, 0, 0, 0, 1, 20, 0, 0, 0, 0, 7]);
        assert_eq!(all(&mut reader), [(20, 0, vec![7])]);
    }
}
