//! The outgoing chunk layer: splits messages into chunks and appends them to a buffer that is written as a whole.
//!
//! In: message bodies in pieces, with 32-bit millisecond timestamps that may wrap. Out: chunk bytes. Only three of the four header
//! types are used: full (type 0), delta (type 1) and continuation (type 3). Servers interpret type 3 at the start of a
//! message differently, and type 2 saves only four bytes. Allocates only the buffer.
//!
//! Source: Adobe RTMP specification 1.0, section 5.3.

/// Chunk stream of control messages (specification 5.4).
pub const CONTROL: u8 = 2;
/// Chunk stream of commands.
pub const COMMAND: u8 = 3;
/// Chunk stream of audio messages.
pub const AUDIO: u8 = 4;
/// Chunk stream of script data.
pub const DATA: u8 = 5;
/// Chunk stream of video messages.
pub const VIDEO: u8 = 6;

/// Timestamps and deltas from this value on are written in the extended field.
const EXTENDED: u32 = 0x00FF_FFFF;
/// Chunk size before SetChunkSize (5.4.1), in bytes.
pub const CHUNK_BYTES_INITIAL: usize = 128;

/// A message without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Chunk stream, 2 to 6.
    pub chunk_stream: u8,
    /// Type of the message (8 audio, 9 video, 20 command...).
    pub kind: u8,
    /// Message stream; 0 for control and connection commands.
    pub stream: u32,
    /// Absolute timestamp of the message in milliseconds.
    pub timestamp_ms: u32,
}

/// Writes messages of one connection.
#[derive(Debug)]
pub struct ChunkWriter {
    chunk_bytes: usize,
    /// The last header of each chunk stream.
    last: [Option<Head>; 8],
}

impl Default for ChunkWriter {
    fn default() -> Self {
        Self { chunk_bytes: CHUNK_BYTES_INITIAL, last: [None; 8] }
    }
}

impl ChunkWriter {
    /// Sets the length of following chunks in bytes; the server must have been informed before.
    pub fn set_chunk_bytes(&mut self, bytes: usize) {
        self.chunk_bytes = bytes.max(1);
    }

    /// Appends one message, whose body is these pieces one after another. A body has at most 16 MiB - 1 byte, as in FLV
    /// tags.
    pub fn write(&mut self, out: &mut Vec<u8>, head: Head, body: &[&[u8]]) {
        let len: usize = body.iter().map(|piece| piece.len()).sum();
        let slot = self.last.get_mut(usize::from(head.chunk_stream & 7));
        let delta = slot.as_ref().and_then(|slot| slot.as_ref()).and_then(|last| delta(*last, head));
        if let Some(slot) = slot {
            *slot = Some(head);
        }
        let [_, l0, l1, l2] = (len as u32).to_be_bytes();
        let mut extended = None;
        match delta {
            Some(delta) => {
                let [_, t0, t1, t2] = delta.to_be_bytes();
                out.extend_from_slice(&[0x40 | head.chunk_stream, t0, t1, t2, l0, l1, l2, head.kind]);
            }
            None => {
                if head.timestamp_ms >= EXTENDED {
                    extended = Some(head.timestamp_ms.to_be_bytes());
                }
                let [_, t0, t1, t2] = head.timestamp_ms.min(EXTENDED).to_be_bytes();
                out.extend_from_slice(&[head.chunk_stream, t0, t1, t2, l0, l1, l2, head.kind]);
                out.extend_from_slice(&head.stream.to_le_bytes());
                out.extend_from_slice(extended.as_ref().map_or(&[], |bytes| &bytes[..]));
            }
        }
        let mut room = self.chunk_bytes;
        for mut piece in body.iter().copied() {
            while !piece.is_empty() {
                if room == 0 {
                    out.push(0xC0 | head.chunk_stream);
                    // Continuations repeat the extended field of their message, as all known servers expect.
                    out.extend_from_slice(extended.as_ref().map_or(&[], |bytes| &bytes[..]));
                    room = self.chunk_bytes;
                }
                let (now, later) = piece.split_at(piece.len().min(room));
                out.extend_from_slice(now);
                room -= now.len();
                piece = later;
            }
        }
    }
}

/// The delta, if a delta header is possible: same message stream, time does not go back, no extended field.
fn delta(last: Head, head: Head) -> Option<u32> {
    let delta = head.timestamp_ms.wrapping_sub(last.timestamp_ms);
    (last.stream == head.stream && delta < EXTENDED).then_some(delta)
}

#[cfg(test)]
mod tests {
    use super::super::reader::ChunkReader;
    use super::*;

    fn head(chunk_stream: u8, kind: u8, timestamp_ms: u32) -> Head {
        Head { chunk_stream, kind, stream: 1, timestamp_ms }
    }

    /// An independent reader (`rml_rtmp`) reads back everything that was written, with its timestamp.
    #[test]
    fn another_reader_agrees() {
        let mut out = Vec::new();
        let mut writer = ChunkWriter::default();
        writer.set_chunk_bytes(100);
        // Over the 24-bit border, in a first header, over the 32-bit wrap, back in time, after a long pause.
        let times = [
            0,
            40,
            0x00FF_FFF0,
            0x0100_0010,
            0x0100_0030,
            0xFFFF_FFF0,
            0x10,
            0x20,
            5,
            0x0200_0000,
            0x0200_0000 + 0x00FF_FFFE,
        ];
        let mut want = Vec::new();
        for (n, at) in times.into_iter().enumerate() {
            for (chunk_stream, kind) in [(AUDIO, 8), (VIDEO, 9)] {
                let body = vec![n as u8; 1 + n * 60];
                // In two pieces, whose border is anywhere in a chunk.
                let (start, end) = body.split_at(body.len().min(5 + n * 37));
                writer.write(&mut out, head(chunk_stream, kind, at), &[start, end]);
                want.push((kind, at, body));
            }
        }
        let mut theirs = rml_rtmp::chunk_io::ChunkDeserializer::new();
        theirs.set_max_chunk_size(100).unwrap();
        let mut ours = ChunkReader::default();
        ours.set_chunk_bytes(100);
        ours.feed(&out);
        let mut input = &out[..];
        for (kind, at, body) in want {
            let message = theirs.get_next_message(input).unwrap().expect("a message");
            input = &[];
            assert_eq!((message.type_id, message.timestamp.value, &message.data[..]), (kind, at, &body[..]));
            assert_eq!(message.message_stream_id, 1);
            let message = ours.next_message().unwrap().expect("a message");
            assert_eq!((message.kind, message.timestamp_ms, message.body), (kind, at, &body[..]));
        }
        assert_eq!(ours.next_message().unwrap(), None);
    }

    /// After 4.6 hours only the first header of a session has the extended field; the rest are deltas.
    #[test]
    fn late_in_the_day_headers_stay_small() {
        let mut out = Vec::new();
        let mut writer = ChunkWriter::default();
        writer.write(&mut out, head(VIDEO, 9, 0x0123_4567), &[&[1; 300]]);
        // 12 + 4, then two continuations of 1 + 4.
        assert_eq!(out.len(), 16 + 300 + 2 * 5);
        assert_eq!(&out[..16], [6, 0xFF, 0xFF, 0xFF, 0, 1, 44, 9, 1, 0, 0, 0, 1, 0x23, 0x45, 0x67]);
        out.clear();
        writer.write(&mut out, head(VIDEO, 9, 0x0123_4567 + 33), &[&[1; 300]]);
        assert_eq!(out.len(), 8 + 300 + 2);
        assert_eq!(&out[..8], [0x46, 0, 0, 33, 0, 1, 44, 9]);
    }

    #[test]
    fn another_message_stream_and_an_empty_body_take_a_header() {
        let mut out = Vec::new();
        let mut writer = ChunkWriter::default();
        writer.write(&mut out, Head { stream: 0, ..head(COMMAND, 20, 0) }, &[b""]);
        writer.write(&mut out, head(COMMAND, 20, 0), &[b"x"]);
        assert_eq!(out, [3, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 1, 20, 1, 0, 0, 0, b'x']);
    }
}
