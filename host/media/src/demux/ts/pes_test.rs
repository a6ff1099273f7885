use super::*;

#[derive(Debug, Default, PartialEq)]
struct Collected {
    begun: Vec<Option<Times>>,
    bytes: Vec<u8>,
    done: usize,
    unusable: Vec<(Reason, usize)>,
    padding: usize,
}

impl Take for Collected {
    fn begin(&mut self, times: Option<Times>) {
        self.begun.push(times);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    fn done(&mut self) {
        self.done += 1;
    }

    fn unusable(&mut self, reason: Reason, bytes: usize) {
        if bytes > 0 {
            self.unusable.push((reason, bytes));
        }
    }

    fn padding(&mut self, bytes: usize) {
        self.padding += bytes;
    }
}

/// Makes a PES packet with PTS 90,000, DTS 86,400 and three bytes of stuffing in the header.
fn pes(length: usize, payload: &[u8]) -> Vec<u8> {
    let fields = [0x31, 0x00, 0x05, 0xbf, 0x21, 0x11, 0x00, 0x05, 0xa3, 0x01, 0xff, 0xff, 0xff];
    [&[0, 0, 1, 0xe0, (length >> 8) as u8, length as u8, 0x80, 0xc0, 13][..], &fields, payload].concat()
}

fn run(feeds: &[(bool, &[u8])]) -> (Collected, Pes) {
    let (mut seen, mut pes, mut clock) = (Collected::default(), Pes::default(), Clock::default());
    feeds.iter().for_each(|(start, payload)| pes.feed(*start, payload, &mut clock, &mut seen));
    (seen, pes)
}

#[test]
fn headers_may_lie_in_several_packets() {
    let whole = pes(0, b"pictures");
    for cut in 1..whole.len() {
        let (seen, pes) = run(&[(true, &whole[..cut]), (false, &whole[cut..])]);
        assert_eq!(seen.begun, [Some(Times { pts: 90_000, dts: 86_400 })], "{cut}");
        assert_eq!((&seen.bytes[..], seen.done), (&b"pictures"[..], 0), "{cut}");
        assert!(pes.is_endless());
    }
}

#[test]
fn a_length_ends_it_and_what_comes_behind_is_counted() {
    let whole = pes(16 + 8, b"pictures");
    let (seen, open) = run(&[(true, &whole), (false, b"more")]);
    assert_eq!((&seen.bytes[..], seen.done, open.is_past()), (&b"pictures"[..], 1, true));
    assert_eq!(seen.unusable, [(Reason::Corrupt, 4)]);
    let (seen, _) = run(&[(true, &pes(16 + 90, b"pictures")), (true, &whole)]);
    assert_eq!((seen.done, seen.begun.len()), (2, 2), "a length that is too great does not hold back");
}

#[test]
fn what_is_none_is_counted_with_its_reason() {
    let (seen, _) = run(&[(false, b"middle"), (true, b"\0\0\x02 no start code"), (false, b"rest")]);
    assert_eq!(seen.unusable, [(Reason::Truncated, 6), (Reason::Corrupt, 17), (Reason::Corrupt, 4)]);
    let mut scrambled = pes(0, b"pictures");
    scrambled[6] |= 0x20;
    assert_eq!(run(&[(true, &scrambled)]).0.unusable, [(Reason::Scrambled, scrambled.len())]);
    assert_eq!(run(&[(true, &pes(5, b""))]).0.unusable, [(Reason::Corrupt, 22)], "shorter than its header");
    let (seen, _) = run(&[(true, b"\0\0\x01\xbe\0\x04\xff\xff\xff\xff"), (false, &[0xff; 3])]);
    assert_eq!((seen.unusable, seen.padding), (vec![], 3));
    assert_eq!(stamp(&[0x20, 0, 5, 0xbf, 0x21]), None, "a marker bit is 0");
}
