//! Times of 33 bits (ISO/IEC 13818-1 section 2.4.3.7), which wrap after 26.5 hours, as times that go on.

/// One turn of the source's clock in ticks of 90 kHz.
pub const TURN: i64 = 1 << 33;

/// Presentation and decoding time of what begins in a PES packet, in ticks of 90 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Presentation time: when the decoded picture or sound is output.
    pub pts: i64,
    /// Decoding; the same where the source tells one only.
    pub dts: i64,
}

/// The clock of one input: all its tracks use one, or they would come apart at a wrap.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    last: Option<i64>,
}

impl Clock {
    /// The time whose low 33 bits these are, nearest to the last one; the bits themselves at first.
    pub fn extend(&mut self, bits: u64) -> i64 {
        let bits = i64::try_from(bits).unwrap_or_default() & (TURN - 1);
        let time = match self.last {
            Some(last) => nearest(bits, last),
            None => bits,
        };
        self.last = Some(time);
        time
    }

    /// Both times of a PES packet. The decoding time is next to the presentation time.
    pub fn times(&mut self, pts: u64, dts: Option<u64>) -> Times {
        let pts = self.extend(pts);
        let dts = dts.map_or(pts, |dts| nearest(i64::try_from(dts).unwrap_or_default() & (TURN - 1), pts));
        Times { pts, dts }
    }

    /// What follows has nothing to do with the times before.
    pub fn reset(&mut self) {
        self.last = None;
    }
}

fn nearest(bits: i64, to: i64) -> i64 {
    let step = (bits - to).rem_euclid(TURN);
    to + if step >= TURN / 2 { step - TURN } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_over_the_wrap_in_both_directions() {
        let mut clock = Clock::default();
        assert_eq!(clock.extend((1 << 33) - 90), (1 << 33) - 90);
        assert_eq!(clock.extend(10), TURN + 10);
        assert_eq!(clock.extend((1 << 33) - 5), TURN - 5, "another track is still before it");
        assert_eq!(clock.times(20, Some((1 << 33) - 20)), Times { pts: TURN + 20, dts: TURN - 20 });
        clock.reset();
        assert_eq!(clock.extend(7), 7);
        assert_eq!(clock.extend((1 << 33) - 1), -1, "a time before the first is below 0");
    }
}
