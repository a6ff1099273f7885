//! Extends timestamps of 33 bits (ISO/IEC 13818-1 section 2.4.3.7), which wrap after 26.5 hours, to times that do not
//! wrap.

/// Ticks of 90 kHz after which a timestamp of 33 bits wraps.
pub const TURN: i64 = 1 << 33;

/// Presentation and decoding time of the unit that begins in a PES packet, in ticks of 90 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Presentation time: when the decoded picture or sound is output.
    pub pts: i64,
    /// Decoding time; equal to `pts` if the source sends only one time.
    pub dts: i64,
}

/// The clock of one input. All its tracks share it, because separate clocks could differ by one wrap.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    last: Option<i64>,
}

impl Clock {
    /// Returns the time with these low 33 bits that is nearest to the last time. The first call returns the bits
    /// unchanged.
    pub fn extend(&mut self, bits: u64) -> i64 {
        let bits = i64::try_from(bits).unwrap_or_default() & (TURN - 1);
        let time = match self.last {
            Some(last) => nearest(bits, last),
            None => bits,
        };
        self.last = Some(time);
        time
    }

    /// Extends both times of a PES packet. The decoding time is the one nearest to the presentation time.
    pub fn times(&mut self, pts: u64, dts: Option<u64>) -> Times {
        let pts = self.extend(pts);
        let dts = dts.map_or(pts, |dts| nearest(i64::try_from(dts).unwrap_or_default() & (TURN - 1), pts));
        Times { pts, dts }
    }

    /// Forgets the last time, because the next times are unrelated to it.
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
