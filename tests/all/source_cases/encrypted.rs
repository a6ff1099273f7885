//! AES-128, and unsupported encryption.

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};

use super::*;

const ONE: [u8; 16] = *b"the first key 01";
const TWO: [u8; 16] = *b"the second key 2";

fn encrypt(clear: &[u8], key: [u8; 16], iv: u128) -> Vec<u8> {
    cbc::Encryptor::<Aes128>::new(&key.into(), &iv.to_be_bytes().into()).encrypt_padded_vec::<Pkcs7>(clear)
}

#[tokio::test]
async fn rotation_with_vectors_of_both_kinds() {
    let origin = origin_with("a f").await;
    origin.put("/one", ONE.to_vec()).put("/two?v=1", TWO.to_vec()).put("/two", TWO.to_vec());
    for (name, key, iv) in [("b", ONE, 0xABC), ("c", ONE, 0xABC), ("d", TWO, 503), ("e", TWO, 504)] {
        origin.put(&format!("/{name}.ts"), encrypt(&ts(name), key, iv));
    }
    let words = "a #EXT-X-KEY:METHOD=AES-128,URI=\"one\",IV=0xABC b c #EXT-X-KEY:METHOD=AES-128,URI=\"two?v=1\" d e #EXT-X-KEY:METHOD=NONE f";
    origin.put("/x.m3u8", ended(500, words));
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    assert_eq!(told, ["0 a", "1 b", "2 c", "3 d", "4 e", "5 f", "ended"]);
    assert_eq!((origin.asked("/one").len(), origin.asked("/two").len()), (1, 1), "keys are kept");
}

#[tokio::test]
async fn a_key_in_the_playlist_itself() {
    let origin = Origin::start().await;
    for (name, iv) in [("a", 500), ("b", 501)] {
        origin.put(&format!("/{name}.ts"), encrypt(&ts(name), *b"0123456789abcdef", iv));
    }
    let base64 = "#EXT-X-KEY:METHOD=AES-128,URI=\"data:text/plain;base64,MDEyMzQ1Njc4OWFiY2RlZg==\" a";
    let plain = "#EXT-X-KEY:METHOD=AES-128,URI=\"data:,0123456789abcdef\" b";
    origin.put("/x.m3u8", ended(500, &format!("{base64} {plain}")));
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a", "1 b", "ended"]);
}

#[tokio::test]
async fn large_segments_are_decrypted_piece_by_piece() {
    let origin = Origin::start().await;
    let large: Vec<u8> = (0..6000).flat_map(|number| ts(&format!("part {number}"))).collect();
    origin.put("/k", ONE.to_vec()).put("/a.ts", encrypt(&large, ONE, 0));
    origin.put("/x.m3u8", ended(0, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\" a"));
    let mut run = Run::start(origin.url("/x.m3u8"));
    let told = run.take(3).await;
    assert_eq!(told[2], "ended");
    assert!(std::fs::read(&run.last.unwrap().main.path).unwrap() == large);
}

#[tokio::test]
async fn a_section_is_encrypted_with_the_key_before_it() {
    use outboard_tests::origin::mp4;
    let origin = Origin::start().await;
    origin.put("/k", ONE.to_vec()).put("/i.mp4", encrypt(&mp4("ftyp", "init"), ONE, 7));
    origin.put("/a.ts", encrypt(&mp4("moof", "a"), ONE, 7));
    origin.put("/x.m3u8", ended(0, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x7 #EXT-X-MAP:URI=\"i.mp4\" a"));
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a<init", "ended"]);
}

#[tokio::test]
async fn a_range_of_an_encrypted_file() {
    let origin = Origin::start().await;
    let (a, b) = (encrypt(&ts("a"), ONE, 0), encrypt(&ts("b"), ONE, 1));
    origin.put("/k", ONE.to_vec()).put("/all.ts", [a.clone(), b.clone()].concat());
    let words = format!(
        "#EXT-X-KEY:METHOD=AES-128,URI=\"k\" #EXT-X-BYTERANGE:{}@0 all #EXT-X-BYTERANGE:{} all",
        a.len(),
        b.len()
    );
    origin.put("/x.m3u8", ended(0, &words));
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a", "1 b", "ended"]);
}

#[tokio::test]
async fn a_key_that_changed_behind_its_address_is_asked_for_again() {
    let origin = Origin::start().await;
    origin.script("/k", [Reply::status(500), Reply::ok(TWO.to_vec()), Reply::ok(ONE.to_vec())]);
    origin.put("/a.ts", encrypt(&ts("a"), ONE, 0));
    origin.put("/x.m3u8", ended(0, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\" a"));
    assert_eq!(Run::start(origin.url("/x.m3u8")).all().await, ["0 a", "ended"]);
    assert_eq!(origin.asked("/k").len(), 3);
}

#[tokio::test]
async fn without_its_key_a_segment_is_a_gap() {
    let page = Reply::ok("<html>".repeat(9));
    for (reply, tries) in [(Reply::status(404), 3), (Reply::status(503), 8), (Reply::ok(vec![1; 15]), 3), (page, 3)] {
        let origin = origin_with("b").await;
        origin.put("/k", reply.clone()).put("/a.ts", encrypt(&ts("a"), ONE, 0));
        origin.put("/x.m3u8", ended(0, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\" a #EXT-X-KEY:METHOD=NONE b"));
        let told = Run::start(origin.url("/x.m3u8")).all().await;
        assert_eq!(told, ["gap main 1 given up", "0 b", "ended"], "{reply:?}");
        assert_eq!(origin.asked("/k").len(), tries, "{reply:?}");
    }
}

#[tokio::test]
async fn protected_streams_are_refused_by_name() {
    for (tag, method, keyformat) in [
        ("METHOD=SAMPLE-AES,URI=\"k\"", "SAMPLE-AES", "identity"),
        (
            "METHOD=SAMPLE-AES,URI=\"skd://x\",KEYFORMAT=\"com.apple.streamingkeydelivery\"",
            "SAMPLE-AES",
            "com.apple.streamingkeydelivery",
        ),
        (
            "METHOD=SAMPLE-AES-CTR,URI=\"data:text/plain;base64,AA\",KEYFORMAT=\"urn:uuid:edef8ba9\"",
            "SAMPLE-AES-CTR",
            "urn:uuid:edef8ba9",
        ),
    ] {
        let origin = origin_with("a").await;
        origin.put("/x.m3u8", live(0, &format!("#EXT-X-KEY:{tag} a")));
        let error = Run::start(origin.url("/x.m3u8?token=secret")).error().await;
        let SourceError::Encrypted { method: refused, keyformat: format, .. } = &error else { panic!("{error}") };
        assert_eq!((refused.as_str(), format.as_str()), (method, keyformat));
        let text = error.to_string();
        assert!(text.contains("/x.m3u8?token=***") && !text.contains("secret") && text.contains(method), "{text}");
        assert!(origin.asked("/a.ts").is_empty());
    }
}

#[tokio::test]
async fn a_protected_stretch_inside_a_clear_stream_is_a_gap() {
    let origin = origin_with("a b c").await;
    origin.put("/x.m3u8", ended(0, "a #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\" b #EXT-X-KEY:METHOD=NONE c"));
    let told = Run::start(origin.url("/x.m3u8")).all().await;
    assert_eq!(told, ["0 a", "gap main 1 given up", "1 c disc", "ended"]);
    assert!(origin.asked("/b.ts").is_empty());
}
