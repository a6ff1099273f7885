//! AES-128 of whole segments (RFC 8216 section 4.3.2.4): decrypts a stream of chunks in place, in bounded memory.

use aes::Aes128;
use cbc::Decryptor;
use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};

use super::error::FetchError;

/// Bytes of a key, of an initialization vector and of a cipher block.
pub(super) const BLOCK: usize = 16;

/// The initialization vector of a segment without an IV attribute: its media sequence number, big-endian.
pub(super) fn implicit_iv(media_sequence: u64) -> [u8; BLOCK] {
    u128::from(media_sequence).to_be_bytes()
}

/// Parses an IV attribute: `0x` and 32 hexadecimal digits; fewer digits are padded on the left.
pub(super) fn parse_iv(text: &str) -> Option<[u8; BLOCK]> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    if digits.is_empty() || digits.len() > 2 * BLOCK {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

/// The CBC chain of one segment. The last block is kept until the end, because it contains the PKCS#7 padding.
pub(super) struct Chain(Decryptor<Aes128>);

impl Chain {
    /// A chain at its first block.
    pub(super) fn new(key: &[u8; BLOCK], iv: &[u8; BLOCK]) -> Self {
        Self(Decryptor::new(&(*key).into(), &(*iv).into()))
    }

    /// Decrypts the front of `buffer` in place and returns how many bytes of it are clear text. The rest (at least one
    /// block) must stay at the front of the buffer for the next call.
    pub(super) fn advance(&mut self, buffer: &mut [u8]) -> usize {
        let ready = buffer.len().saturating_sub(1) / BLOCK * BLOCK;
        let (front, _) = buffer.split_at_mut(ready);
        let (blocks, _) = Array::slice_as_chunks_mut(front);
        self.0.decrypt_blocks(blocks);
        ready
    }

    /// Decrypts the end and returns how many bytes of it are clear text, without the padding.
    ///
    /// # Errors
    /// [`FetchError::Decrypt`] if the length or the padding is invalid: the segment is truncated, or the key is wrong.
    pub(super) fn finish(mut self, buffer: &mut [u8]) -> Result<usize, FetchError> {
        let (blocks, rest) = Array::slice_as_chunks_mut(buffer);
        if blocks.is_empty() || !rest.is_empty() {
            return Err(FetchError::Decrypt("the length is not a multiple of 16 bytes"));
        }
        self.0.decrypt_blocks(blocks);
        let padding = buffer.last().copied().map_or(0, usize::from);
        let clear = buffer.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
        match clear.and_then(|clear| buffer.get(clear..).map(|tail| (clear, tail))) {
            Some((clear, tail)) if tail.iter().all(|&byte| usize::from(byte) == padding) => Ok(clear),
            _ => Err(FetchError::Decrypt("the padding is wrong: the key or initialization vector does not match")),
        }
    }
}

#[cfg(test)]
mod tests {
    use cbc::cipher::BlockModeEncrypt;
    use cbc::cipher::block_padding::Pkcs7;

    use super::*;

    const KEY: [u8; BLOCK] = *b"0123456789abcdef";
    const IV: [u8; BLOCK] = *b"fedcba9876543210";

    fn encrypt(clear: &[u8]) -> Vec<u8> {
        cbc::Encryptor::<Aes128>::new(&KEY.into(), &IV.into()).encrypt_padded_vec::<Pkcs7>(clear)
    }

    /// Passes `cipher` in chunks of `step` bytes, as the download does.
    fn decrypt(cipher: &[u8], step: usize) -> Result<Vec<u8>, FetchError> {
        let mut chain = Chain::new(&KEY, &IV);
        let (mut clear, mut buffer) = (Vec::new(), Vec::new());
        for chunk in cipher.chunks(step) {
            buffer.extend_from_slice(chunk);
            let ready = chain.advance(&mut buffer);
            clear.extend(buffer.drain(..ready));
        }
        let end = chain.finish(&mut buffer)?;
        clear.extend_from_slice(&buffer[..end]);
        Ok(clear)
    }

    #[test]
    fn any_length_in_any_chunks() {
        for length in [0, 1, 15, 16, 17, 188 * 4, 1000] {
            let clear: Vec<u8> = (0..length).map(|n| (n * 7 % 251) as u8).collect();
            let cipher = encrypt(&clear);
            for step in [1, 7, 16, 33, 4096] {
                assert_eq!(decrypt(&cipher, step).unwrap(), clear, "{length} bytes by {step}");
            }
        }
    }

    #[test]
    fn truncation_and_wrong_keys_are_seen() {
        let cipher = encrypt(&[0x55; 100]);
        assert!(decrypt(&cipher[..cipher.len() - 3], 64).is_err(), "cut inside a block");
        assert!(decrypt(&cipher[..cipher.len() - 16], 64).is_err(), "cut at a block: no padding");
        assert!(decrypt(&[], 64).is_err());
        let mut other = cipher.clone();
        other[cipher.len() - 17] ^= 0xFF;
        assert!(decrypt(&other, 64).is_err());
    }

    #[test]
    fn initialization_vectors() {
        assert_eq!(implicit_iv(258)[14..], [1, 2]);
        assert_eq!(parse_iv("0x00000000000000000000000000000102"), Some(implicit_iv(258)));
        assert_eq!(parse_iv("0X102"), Some(implicit_iv(258)));
        assert_eq!(parse_iv("102"), None);
        assert_eq!(parse_iv("0x"), None);
        assert_eq!(parse_iv("0x1000000000000000000000000000000000"), None);
        assert_eq!(parse_iv("0xzz"), None);
    }
}
