//! What can be told of an AAC packet without decoding it: its first syntactic element (ISO/IEC 14496-3, table 4.85).

/// True if a raw data block that starts so cannot be one of so many channels (table 1.19: one channel starts with a
/// single channel element, two with a channel pair element; data, fill and configuration elements may come before).
pub fn is_absurd(packet: &[u8], channels: u32) -> bool {
    const SINGLE: u8 = 0;
    const PAIR: u8 = 1;
    const DATA: u8 = 4;
    const CONFIGURATION: u8 = 5;
    const FILL: u8 = 6;
    const END: u8 = 7;
    let Some(element) = packet.first().map(|byte| byte >> 5) else { return true };
    match channels {
        1 => !matches!(element, SINGLE | DATA | CONFIGURATION | FILL),
        2 => !matches!(element, PAIR | DATA | CONFIGURATION | FILL),
        _ => element == END,
    }
}

#[cfg(test)]
mod tests {
    use super::is_absurd;

    #[test]
    fn a_packet_starts_as_its_channels_ask() {
        assert!(!is_absurd(&[0b0000_0000], 1) && is_absurd(&[0b0000_0000], 2));
        assert!(!is_absurd(&[0b0010_0000], 2) && is_absurd(&[0b0010_0000], 1));
        assert!([1, 2, 6].iter().all(|&channels| !is_absurd(&[0b1101_1111], channels)), "fill");
        assert!([1, 2, 6].iter().all(|&channels| is_absurd(&[0xff], channels)), "end");
        assert!(is_absurd(&[], 2));
    }
}
