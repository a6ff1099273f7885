//! Counts what the server has received, from its Acknowledgements.
//!
//! In: sequence numbers as servers really send them. Out: bytes of this session that have certainly arrived, never too
//! many. Servers differ: nginx-rtmp counts from the end of the handshake and restarts at 0xF000_0000, SRS includes the
//! handshake, and some send the bytes since their last acknowledgement; all wrap at 32 bits.

/// Bytes of the client's handshake (C0, C1, C2), which some servers include.
const HANDSHAKE_BYTES: u64 = 1 + 2 * 1536;

/// The count of one session.
#[derive(Debug, Default, Clone, Copy)]
pub struct Acks {
    total: u64,
    last: Option<u32>,
}

impl Acks {
    /// Takes a sequence number, when `written` bytes have been sent in total.
    pub fn take(&mut self, sequence: u32, written: u64) {
        let most = written + HANDSHAKE_BYTES;
        let step = u64::from(sequence.wrapping_sub(self.last.unwrap_or(0)));
        // A step of zero, or past the written bytes: the server restarted its count or counts from its last
        // acknowledgement.
        let step = if step == 0 || self.total + step > most { u64::from(sequence) } else { step };
        self.total = (self.total + step).min(most);
        self.last = Some(sequence);
    }

    /// Bytes after the handshake that have certainly arrived; `None` while the server has acknowledged nothing.
    pub fn bytes(&self) -> Option<u64> {
        self.last.map(|_| self.total.saturating_sub(HANDSHAKE_BYTES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_kinds_of_servers() {
        let mut none = Acks::default();
        assert_eq!(none.bytes(), None);
        none.take(100, 5_000);
        assert_eq!(none.bytes(), Some(0), "it may be the handshake that was acknowledged");

        // Since the start, over the 32-bit wrap.
        let (mut acks, mut written) = (Acks::default(), 0u64);
        for _ in 0..200_000 {
            written += 100_000;
            acks.take(written as u32, written + 50_000);
        }
        assert_eq!(acks.bytes(), Some(written - HANDSHAKE_BYTES));

        // nginx-rtmp: back to 0 at 0xF000_0000.
        let (mut acks, mut written, mut count) = (Acks::default(), 0u64, 0u64);
        for _ in 0..200_000 {
            written += 100_000;
            count += 100_000;
            if count >= 0xF000_0000 {
                count = 0;
            }
            acks.take(count as u32, written + 50_000);
            let bytes = acks.bytes().unwrap();
            assert!(bytes <= written && written - bytes <= 1_000_000, "{bytes} of {written}");
        }

        // Bytes since the last one, sometimes a few more.
        let (mut acks, mut written) = (Acks::default(), 0u64);
        for n in 0..1_000u64 {
            let step = 262_144 + n % 2 * 500;
            written += step;
            acks.take(step as u32, written);
            assert!(acks.bytes().unwrap() <= written);
        }
        assert!(acks.bytes().unwrap() > written / 3);
    }

    #[test]
    fn never_more_than_was_written() {
        let mut acks = Acks::default();
        acks.take(u32::MAX, 1_000);
        assert_eq!(acks.bytes(), Some(1_000));
    }
}
