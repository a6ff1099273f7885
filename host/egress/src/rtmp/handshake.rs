//! The RTMP handshake, from the client's side.
//!
//! In: the server's bytes, in pieces of any length. Out: bytes for the server, and the bytes after the handshake. No
//! I/O, no clock, no own randomness. Limits: the server's part has [`SERVER_BYTES`] bytes, and no more are stored.
//!
//! The client sends C0 and C1, the server answers with S0, S1 and S2, and the client ends with C2. C0 and S0 are one
//! byte, the version; the others have [`PART_BYTES`] bytes. There are two forms:
//!
//! - simple (Adobe RTMP specification 1.0, section 5.2): random bytes, and each side returns the other's bytes;
//! - with digests (Flash Player 9 and later, unpublished): C1 and S1 contain a digest of themselves, and C2 and S2 end
//!   with a signature over the other's digest; `digest.rs` has the details.
//!
//! A client that sends a digest works with both kinds of server: one that does not know digests treats them as random
//! bytes.

mod digest;

use thiserror::Error;

pub use self::digest::Place;
use self::digest::{CLIENT, Digest, SERVER};

/// Length of C1, C2, S1 and S2 in bytes.
pub const PART_BYTES: usize = 1536;
/// Length of the server's part in bytes: S0, S1 and S2.
pub const SERVER_BYTES: usize = 1 + 2 * PART_BYTES;
/// The version in C0 and S0: RTMP without encryption.
const PLAIN: u8 = 3;
/// Bytes 4 to 7 of a C1 with a digest, as sent by Flash Player 10. Zeros announce the simple form.
const FLASH_VERSION: [u8; 4] = [0x80, 0, 7, 2];

/// C1, C2, S1 or S2.
pub type Part = [u8; PART_BYTES];

/// The form of C1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With a digest. The server may answer in either form.
    Digest(Place),
    /// Without a digest, and with zeros as version. The server answers in the simple form.
    Simple,
}

/// The form of a server's S1 and S2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// S1 contains a digest at this place; S2 is signed, or repeats C1.
    Digest(Place),
    /// S1 contains no digest; S2 repeats C1.
    Echo,
    /// S1 contains no digest, and S2 does not repeat C1. Accepted, because other publishers ignore S2 in this form, so
    /// such servers work with them.
    Other,
}

/// Why a server's part is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// S0 is not version 3.
    #[error(
        "RTMP handshake: S0, the server's first byte, is 0x{0:02x}, expected 0x03 (RTMP without encryption){advice}", advice = advice(*.0)
    )]
    Version(u8),
    /// S1 contains a digest, but S2 is neither signed with it nor repeats C1.
    #[error(
        "RTMP handshake: S2 ends in {found}, expected {expected} (the signature over the digest in C1), or a copy of C1"
    )]
    Signature {
        /// The last 32 bytes, in hex.
        found: String,
        /// The expected bytes, in hex.
        expected: String,
    },
    /// The server closed or reset the connection before S2 was complete.
    #[error(
        "RTMP handshake: the server closed the connection after {received} bytes, in {part}, expected {total}: S0 of 1 byte, S1 \
         and S2 of {PART_BYTES} bytes each", part = part_at(*.received), total = SERVER_BYTES
    )]
    Closed {
        /// Number of bytes received from the server before that.
        received: usize,
    },
}

impl HandshakeError {
    /// Whether the server may accept a connection later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

/// The result of processing a server's bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step<'a> {
    /// C2, to be sent; once per handshake.
    pub reply: Option<Box<Part>>,
    /// If the handshake is complete: the bytes after it.
    pub rest: Option<&'a [u8]>,
}

/// One handshake, until a [`Step`] with `rest` or an error.
#[derive(Debug)]
pub struct Handshake {
    /// C0 and C1, as they are sent.
    hello: Vec<u8>,
    /// The digest in C1.
    digest: Option<Digest>,
    /// Random bytes for C2.
    noise: Box<Part>,
    /// Bytes from the server so far, at most [`SERVER_BYTES`].
    received: Vec<u8>,
    /// The digest in S1; set when S1 is complete.
    theirs: Option<Option<(Place, Digest)>>,
    answer: Option<Answer>,
}

impl Handshake {
    /// `random` fills its argument with random bytes.
    pub fn new(form: Form, mut random: impl FnMut(&mut [u8])) -> Self {
        let (mut c1, mut noise) = (Box::new([0; PART_BYTES]), Box::new([0; PART_BYTES]));
        random(&mut c1[..]);
        random(&mut noise[..]);
        let version = if form == Form::Simple { [0; 4] } else { FLASH_VERSION };
        if let Some((time, rest)) = c1.split_first_chunk_mut::<4>()
            && let Some((place, _)) = rest.split_first_chunk_mut::<4>()
        {
            // Times count from the first packet, so this is the time of C1.
            *time = [0; 4];
            *place = version;
        }
        let digest = match form {
            Form::Digest(place) => Some(place.imprint(&mut c1, CLIENT)),
            Form::Simple => None,
        };
        let mut hello = vec![PLAIN];
        hello.extend_from_slice(&c1[..]);
        Self { hello, digest, noise, received: Vec::with_capacity(SERVER_BYTES), theirs: None, answer: None }
    }

    /// C0 and C1, to be sent first.
    pub fn hello(&self) -> &[u8] {
        &self.hello
    }

    /// Number of bytes of the server's part so far.
    pub fn received(&self) -> usize {
        self.received.len()
    }

    /// The form of S1 and S2, once the handshake is complete.
    pub fn answer(&self) -> Option<Answer> {
        self.answer
    }

    /// Processes the server's next bytes.
    ///
    /// # Errors
    /// [`HandshakeError::Version`] and [`HandshakeError::Signature`], as soon as they are detected.
    pub fn take<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, HandshakeError> {
        let missing = SERVER_BYTES - self.received.len();
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.received.extend_from_slice(taken);
        let mut step = Step::default();
        match self.received.first() {
            None => return Ok(step),
            Some(&PLAIN) => {}
            Some(&other) => return Err(HandshakeError::Version(other)),
        }
        let Some(s1) = part(&self.received, 1) else { return Ok(step) };
        let theirs = match self.theirs {
            Some(theirs) => theirs,
            None => {
                let theirs = self.digest.and_then(|_| digest::find(s1, SERVER));
                let mut c2 = self.noise.clone();
                match &theirs {
                    Some((_, theirs)) => digest::sign(&mut c2, CLIENT, theirs),
                    None => *c2 = *s1,
                }
                self.theirs = Some(theirs);
                step.reply = Some(c2);
                theirs
            }
        };
        let Some(s2) = part(&self.received, 1 + PART_BYTES) else { return Ok(step) };
        self.answer = Some(self.judge(theirs.map(|(place, _)| place), s2)?);
        step.rest = Some(rest);
        Ok(step)
    }

    /// Determines the form of S2, with or without a digest in S1.
    fn judge(&self, theirs: Option<Place>, s2: &Part) -> Result<Answer, HandshakeError> {
        // The two time fields at the start may be the server's own.
        let echo = part(&self.hello, 1).is_some_and(|c1| c1.get(8..) == s2.get(8..));
        let (Some(place), Some(ours)) = (theirs, &self.digest) else {
            return Ok(if echo { Answer::Echo } else { Answer::Other });
        };
        let (expected, found) = (digest::signature(s2, SERVER, ours), digest::end(s2));
        if echo || expected == found {
            return Ok(Answer::Digest(place));
        }
        Err(HandshakeError::Signature { found: hex(&found), expected: hex(&expected) })
    }
}

fn part(bytes: &[u8], at: usize) -> Option<&Part> {
    bytes.get(at..)?.first_chunk()
}

/// The part in which the received bytes end.
fn part_at(received: usize) -> &'static str {
    match received {
        0 => "S0",
        1..=PART_BYTES => "S1",
        _ => "S2",
    }
}

/// The protocol of a server that begins with this byte, as advice.
fn advice(first: u8) -> &'static str {
    match first {
        b'H' => "; this is an HTTP answer; check the port",
        0x15 | 0x16 => "; this is a TLS answer; the URL must begin with rtmps:",
        6 | 8 | 9 => "; this is RTMPE, which is not supported",
        _ => "",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
