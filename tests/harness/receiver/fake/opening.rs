//! How the scripted server opens a connection: with `rml_rtmp`'s handshake, or with one that `rml_rtmp` cannot produce.

use std::io::{Error, Result};

use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Length of C1, C2, S1 and S2 in bytes.
const PART_BYTES: usize = 1536;

/// The server's side of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// With digests, if the client sends one.
    Digest,
    /// Without digests: returns the client's bytes, and closes unless the client returns its own.
    Simple,
    /// [`Self::Simple`], but closes without a response if bytes 4 to 7 of C1 are not zero, as the specification
    /// requires.
    Strict,
    /// Accepts C0 and C1, sends these bytes, and closes.
    Says(&'static [u8]),
}

impl Opening {
    /// Performs the handshake; returns the bytes after it, or `None` if the connection must be closed.
    pub(super) async fn open(self, stream: &mut TcpStream) -> Result<Option<Vec<u8>>> {
        if self == Self::Digest {
            return digest(stream).await.map(Some);
        }
        let (mut hello, mut c2) = ([0; 1 + PART_BYTES], [0; PART_BYTES]);
        stream.read_exact(&mut hello).await?;
        if let Self::Says(bytes) = self {
            stream.write_all(bytes).await?;
            stream.shutdown().await?;
            // A reset instead of a regular end would show if nobody read C2.
            tokio::io::copy(stream, &mut tokio::io::sink()).await?;
            return Ok(None);
        }
        if self == Self::Strict && hello[5..9] != [0; 4] {
            return Ok(None);
        }
        let s1: [u8; PART_BYTES] = std::array::from_fn(|n| (n * 31) as u8);
        // In two pieces, split within S1.
        stream.write_all(&[&[3][..], &s1[..700]].concat()).await?;
        stream.write_all(&[&s1[700..], &hello[1..]].concat()).await?;
        stream.read_exact(&mut c2).await?;
        if c2 != s1 { Err(Error::other("C2 is not S1")) } else { Ok(Some(Vec::new())) }
    }
}

async fn digest(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut shake = Handshake::new(PeerType::Server);
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = stream.read(&mut buffer).await?;
        match shake.process_bytes(&buffer[..read]).map_err(Error::other)? {
            HandshakeProcessResult::InProgress { response_bytes } => stream.write_all(&response_bytes).await?,
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                stream.write_all(&response_bytes).await?;
                return Ok(remaining_bytes);
            }
        }
    }
}
