//! Tests with `rml_rtmp`'s server, with independently computed values, and with faulty servers. `tests/all/air_cases`
//! tests complete sessions with nginx and scripted servers.

use rml_rtmp::handshake::{Handshake as Theirs, HandshakeProcessResult as Progress, PeerType};

use super::digest::{end, find, sign};
use super::*;

const FORMS: [Form; 3] = [Form::Digest(Place::First), Form::Digest(Place::Second), Form::Simple];

/// Bytes that any test can compute: byte n is `n * by + from`.
fn counted(by: usize, from: usize) -> Box<Part> {
    let mut part = Box::new([0; PART_BYTES]);
    part.iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * by + from) as u8);
    part
}

fn client(form: Form) -> Handshake {
    Handshake::new(form, |bytes| bytes.copy_from_slice(&counted(7, 3)[..bytes.len()]))
}

fn c1(client: &Handshake) -> &Part {
    part(client.hello(), 1).unwrap()
}

/// The server's part: S0, S1 with or without a digest, S2.
fn server(s1_digest: Option<Place>, s2: impl Fn(&mut Part)) -> Vec<u8> {
    let (mut s1, mut s2_part) = (counted(11, 5), counted(13, 9));
    s1[..8].copy_from_slice(&[0, 0, 1, 0, 5, 0, 1, 1]);
    if let Some(place) = s1_digest {
        place.imprint(&mut s1, SERVER);
    }
    s2(&mut s2_part);
    [&[3][..], &s1[..], &s2_part[..]].concat()
}

/// Computed with Python's `hmac` and `hashlib` from [`counted`] bytes: the offsets of the digests of C1 and S1, the
/// digests, the ends of S2 and C2.
struct Known {
    place: Place,
    c1: (usize, &'static str),
    s1: (usize, &'static str),
    s2_end: &'static str,
    c2_end: &'static str,
}

const KNOWN: [Known; 2] = [
    Known {
        place: Place::First,
        c1: (290, "0b441119ef46c4660e578ac88d3bf4c2d8901ff9a39c94bb92cb345f63928860"),
        s1: (450, "f82ac0e497291ba92ac09ef12fe978af7081e8a425852b4f47571c6ad38a371a"),
        s2_end: "8a13ae56f4996151f0e5296e8cda6f21d3aa6f9d912734ed634ea1246ccb7607",
        c2_end: "8101933a8bd802b959256d1071753f736ff0d3b3cc691958d0582a726eef0795",
    },
    Known {
        place: Place::Second,
        c1: (942, "8e211aefe949d44221d8905aa6154973bcab5ecb43dc582f65b1de1c2f94e4d5"),
        s1: (1038, "75c0ae83b0ef96d6098cb3cf45924af378044278d66210a2e841b587a10bdcfa"),
        s2_end: "0c42c1f2f63c89374645972ba33ee3dd9c2850e887fa26ea0845adb015dd2192",
        c2_end: "f9af60a24bfd5d4530b6e201bd3f1b766e48c2e1aae424808a43643b6d347bef",
    },
];

#[test]
fn digests_and_signatures_are_what_others_compute() {
    for known in KNOWN {
        let mut client = client(Form::Digest(known.place));
        assert_eq!(client.hello().len(), 1 + PART_BYTES);
        assert_eq!(client.hello()[..9], [3, 0, 0, 0, 0, 0x80, 0, 7, 2]);
        let (at, digest) = known.c1;
        assert_eq!(hex(&c1(&client)[at..at + 32]), digest);
        let ours = client.digest.unwrap();
        let bytes = server(Some(known.place), |s2| sign(s2, SERVER, &ours));
        let (at, digest) = known.s1;
        assert_eq!(hex(&bytes[1 + at..1 + at + 32]), digest);
        assert_eq!(hex(&bytes[SERVER_BYTES - 32..]), known.s2_end);
        let step = client.take(&bytes).unwrap();
        let c2 = step.reply.unwrap();
        assert_eq!(hex(&end(&c2)), known.c2_end);
        assert_eq!(c2[..1504], counted(7, 3)[..1504]);
        assert_eq!(step.rest, Some(&[][..]));
        assert_eq!(client.answer(), Some(Answer::Digest(known.place)));
    }
}

/// A digest at the lowest and at the highest possible offset is found.
#[test]
fn a_digest_stands_within_its_part_wherever_it_points() {
    for place in [Place::First, Place::Second] {
        let pointer = if place == Place::First { 8 } else { 772 };
        for (sum, offset) in [([0, 0, 0, 0], 0), ([255, 255, 217, 0], 727), ([255, 255, 218, 0], 0), ([255; 4], 292)] {
            let mut part = counted(11, 5);
            part[pointer..pointer + 4].copy_from_slice(&sum);
            assert_eq!(place.offset(&part), pointer + 4 + offset);
            let digest = place.imprint(&mut part, SERVER);
            assert_eq!(part[pointer + 4 + offset..][..32], digest);
            assert_eq!(find(&part, SERVER), Some((place, digest)));
            part[1535] ^= 1;
            assert_eq!(find(&part, SERVER), None, "a bit of another byte is different");
        }
    }
}

/// `rml_rtmp` knows all three forms of C1, and answers the first two with a digest at the second place.
#[test]
fn another_server_agrees_wherever_its_bytes_are_cut() {
    for form in FORMS {
        let mut theirs = Theirs::new(PeerType::Server);
        let mut client = client(form);
        let Progress::InProgress { response_bytes } = theirs.process_bytes(client.hello()).unwrap() else {
            panic!("C2 is missing")
        };
        assert_eq!(response_bytes.len(), SERVER_BYTES);
        let bytes = [&response_bytes[..], b"chunk"].concat();
        let mut last = None;
        for cut in 0..=bytes.len() {
            let mut client = self::client(form);
            let (mut reply, mut rest) = (None, Vec::new());
            for piece in [&bytes[..cut], &bytes[cut..]] {
                // Bytes after the end do not belong to the handshake.
                let step = client.take(piece).unwrap_or_else(|error| panic!("{form:?}, cut at {cut}: {error}"));
                assert!(reply.is_none() || step.reply.is_none(), "C2 twice");
                reply = reply.or(step.reply);
                rest.extend_from_slice(step.rest.unwrap_or_default());
            }
            assert_eq!(rest, b"chunk", "{form:?}, cut at {cut}");
            let got = (reply.unwrap(), client.answer());
            assert_eq!(*last.get_or_insert_with(|| got.clone()), got, "{form:?}, cut at {cut}");
        }
        let (c2, answer) = last.unwrap();
        let Progress::Completed { remaining_bytes, .. } = theirs.process_bytes(&[&c2[..], b"next"].concat()).unwrap()
        else {
            panic!("C2 is too short")
        };
        assert_eq!(remaining_bytes, b"next");
        let s1 = &bytes[1..=PART_BYTES];
        match form {
            Form::Digest(_) => {
                assert_eq!(answer, Some(Answer::Digest(Place::Second)));
                assert_ne!(c2[..], *s1);
            }
            Form::Simple => {
                assert_eq!(answer, Some(Answer::Echo));
                assert_eq!(c2[..], *s1);
            }
        }
        client.take(&bytes).unwrap();
    }
}

/// Byte by byte, C2 is ready with the last byte of S1, and the handshake ends with the last byte of S2.
#[test]
fn each_part_is_answered_when_it_is_complete() {
    for form in FORMS {
        let mut client = client(form);
        let echo = *c1(&client);
        for (n, byte) in server(None, |s2| *s2 = echo).iter().enumerate() {
            let step = client.take(std::slice::from_ref(byte)).unwrap();
            assert_eq!(step.reply.is_some(), n == PART_BYTES, "{n}");
            assert_eq!(step.rest.is_some(), n == SERVER_BYTES - 1, "{n}");
            assert!(client.received() == n + 1);
        }
    }
}

#[test]
fn a_server_without_digests_gets_its_bytes_back() {
    for form in FORMS {
        let ours = *c1(&client(form));
        let other_time = |s2: &mut Part| {
            *s2 = ours;
            s2[4..8].copy_from_slice(&[1, 2, 3, 4]);
        };
        for (bytes, answer) in [
            (server(None, |s2| *s2 = ours), Answer::Echo),
            (server(None, other_time), Answer::Echo),
            (server(None, |_| ()), Answer::Other),
        ] {
            let mut client = client(form);
            let c2 = client.take(&bytes).unwrap().reply.unwrap();
            assert_eq!(c2[..], bytes[1..=PART_BYTES]);
            assert_eq!(client.answer(), Some(answer));
        }
    }
}

#[test]
fn a_digest_in_s1_wants_a_signature_or_an_echo_in_s2() {
    for place in [Place::First, Place::Second] {
        let form = Form::Digest(Place::First);
        let ours = client(form);
        let bytes = server(Some(place), |s2| *s2 = *c1(&ours));
        let mut echoed = client(form);
        echoed.take(&bytes).unwrap();
        assert_eq!(echoed.answer(), Some(Answer::Digest(place)));
        let bytes = server(Some(place), |s2| {
            sign(s2, SERVER, &ours.digest.unwrap());
            s2[0] ^= 1;
        });
        let mut signed = client(form);
        // No error before the last byte.
        signed.take(&bytes[..SERVER_BYTES - 1]).unwrap();
        let error = signed.take(&bytes[SERVER_BYTES - 1..]).unwrap_err();
        let HandshakeError::Signature { found, expected } = &error else { panic!("{error}") };
        assert_eq!(*found, hex(&bytes[SERVER_BYTES - 32..]));
        assert_ne!(found, expected);
        let text = format!(
            "RTMP handshake: S2 ends in {found}, expected {expected} (the signature over the digest in C1), or a copy of C1"
        );
        assert_eq!(error.to_string(), text);
        assert!(!error.may_pass());
    }
}

#[test]
fn other_protocols_are_named_at_their_first_byte() {
    let cases: [(&[u8], &str); 4] = [
        (b"HTTP/1.1 400 Bad Request", "0x48, expected 0x03 (RTMP without encryption); this is an HTTP answer"),
        (
            &[0x15, 3, 1],
            "0x15, expected 0x03 (RTMP without encryption); this is a TLS answer; the URL must begin with rtmps:",
        ),
        (&[6], "0x06, expected 0x03 (RTMP without encryption); this is RTMPE, which is not supported"),
        (&[0; 5000], "0x00, expected 0x03 (RTMP without encryption)"),
    ];
    for (bytes, want) in cases {
        let error = client(FORMS[0]).take(bytes).unwrap_err();
        assert!(!error.may_pass());
        let text = error.to_string();
        assert!(text.starts_with("RTMP handshake: S0, the server's first byte, is ") && text.contains(want), "{text}");
    }
}

#[test]
fn a_closed_connection_says_how_far_it_came() {
    for (received, part) in [(0, "S0"), (1, "S1"), (1536, "S1"), (1537, "S2"), (3072, "S2")] {
        let error = HandshakeError::Closed { received };
        assert!(error.may_pass());
        let want =
            format!("after {received} bytes, in {part}, expected 3073: S0 of 1 byte, S1 and S2 of 1536 bytes each");
        assert_eq!(error.to_string(), format!("RTMP handshake: the server closed the connection {want}"));
    }
}
