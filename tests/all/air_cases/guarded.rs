//! Destinations that a guard denies are reported and receive nothing; the others continue on air.

use outboard_tests::door::{CountingListener, strict};

use super::*;

fn guarded(name: &str, url: &str) -> DestinationConfig {
    DestinationConfig { guard: strict(), ..to(name, url) }
}

#[tokio::test]
async fn what_may_not_be_reached_sees_nothing() {
    let (dir, four, six) = (scratch(), CountingListener::at("127.0.0.2").await, CountingListener::at("::1").await);
    let server = FakeServer::start(|_| GOOD).await;
    let batches = batches(dir.path(), 1);
    let (port, six_port) = (four.port(), six.port());
    let file = dir.path().join("out.ts");
    let refused = [
        format!("rtmp://127.0.0.2:{port}/live/SECRET"),
        format!("rtmp://inner.test:{port}/live/SECRET"),
        format!("rtmp://0x7f.2:{port}/live/SECRET"),
        format!("rtmps://inner.test:{port}/live/SECRET"),
        format!("rtmp://[::1]:{six_port}/live/SECRET"),
        format!("rtmp://six.test:{six_port}/live/SECRET"),
        format!("srt://127.0.0.2:{port}?passphrase=SECRET-SECRET"),
        format!("srt://inner.test:{port}?passphrase=SECRET-SECRET"),
        format!("srt://[::1]:{six_port}?passphrase=SECRET-SECRET"),
        format!("udp://inner.test:{port}"),
        format!("udp://127.0.0.2:{port}?pkt_size=1316"),
        format!("file:{}", file.display()),
    ];
    let mut all: Vec<_> = refused.iter().map(|url| guarded(url, url)).collect();
    all.push(guarded("good", &server.url("key")));
    let programme = Programme::new(all, 8.0);
    programme.start(&batches);
    for (destination, url) in refused.iter().enumerate() {
        let refused = |status: &DestinationStatus| {
            let DestinationState::Retrying { reason, .. } = &status.state else { return false };
            assert!(reason.contains("the network policy") && !reason.contains("SECRET"), "{url}: {reason}");
            true
        };
        programme.until(destination, url, refused).await;
    }
    let good = refused.len();
    programme.until(good, "every picture is sent", |status| status.counters.video == 50).await;
    programme.air.stop().await;
    assert_eq!((four.came().await, six.came().await), ((0, false), (0, false)));
    assert!(!file.exists());
}

#[tokio::test]
async fn the_doors_are_open_to_whoever_may() {
    let (dir, door) = (scratch(), CountingListener::at("127.0.0.2").await);
    let batches = batches(dir.path(), 1);
    let port = door.port();
    let udp = to("u", &format!("udp://127.0.0.2:{port}?pkt_size=1316"));
    let programme = Programme::new(vec![to("r", &format!("rtmp://127.0.0.2:{port}/live/k")), udp], 8.0);
    programme.start(&batches);
    programme
        .until(0, "an answer that is no RTMP", |status| matches!(status.state, DestinationState::Retrying { .. }))
        .await;
    programme.until(1, "every picture is sent", |status| status.counters.video == 50).await;
    programme.air.stop().await;
    let (tcp, datagrams) = door.came().await;
    assert!(tcp > 0 && datagrams, "{tcp} {datagrams}");
}

#[tokio::test]
async fn ffmpeg_sends_to_the_address_that_was_judged() {
    let (dir, door) = (scratch(), CountingListener::at("127.0.0.1").await);
    let batches = batches(dir.path(), 1);
    // A name that only the guard's resolver knows: ffmpeg itself could not resolve it.
    let programme =
        Programme::new(vec![guarded("u", &format!("udp://programme.test:{}?pkt_size=1316", door.port()))], 8.0);
    programme.start(&batches);
    let (status, _, _) = programme.drain().await;
    assert_eq!(status[0].state, DestinationState::Done);
    assert!(door.came().await.1, "a datagram came");
}
