use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::*;
use outboard_exchange::fake::{FakeFramer, fragment, tone};
use outboard_exchange::{Absence, Exchange, ExchangeConfig, Readers, Reply};

/// Starts an echo processor with these faults and an exchange that is connected to it.
async fn pair(faults: &[&str], change: impl FnOnce(&mut EchoConfig)) -> (Echo, Exchange) {
    let mut config = EchoConfig::new(([127, 0, 0, 1], 0).into());
    config.delay_ms = 0;
    config.faults = faults.iter().map(|rule| rule.parse().unwrap()).collect();
    change(&mut config);
    let echo = Echo::start(config).await.unwrap();
    let framer = Box::new(FakeFramer::default());
    let config = ExchangeConfig::new(echo.url());
    let exchange = Exchange::start(config, "s", framer, Readers::default(), &CancellationToken::new()).await.unwrap();
    (echo, exchange)
}

async fn absence(exchange: &Exchange, batch: u64) -> Absence {
    match exchange.submit(fragment(batch, tone(41))).await {
        Reply::Absent(absence) => absence,
        Reply::Returned(_) => panic!("batch {batch} came back"),
    }
}

#[tokio::test]
async fn a_faultless_echo_gives_back_every_byte() {
    let (echo, exchange) = pair(&[], |config| config.ack = true).await;
    let pending: Vec<_> = (0..20).map(|n| (n, exchange.submit(fragment(n, tone(50 + n as usize))))).collect();
    for (n, pending) in pending {
        let Reply::Returned(returned) = pending.await else { panic!("batch {n}") };
        assert_eq!(returned.audio, tone(50 + n as usize));
        assert_eq!(returned.probe.packets, 50 + n);
        assert_eq!((returned.attempts, &returned.metadata["processor"]), (1, &serde_json::json!("outboard echo")));
        assert!(returned.metadata["processingTime"].is_u64());
    }
    let counters = exchange.status().counters;
    assert_eq!((counters.sent, counters.replies, counters.unknown, counters.resent), (20, 20, 0, 0));
    let stats = echo.stats();
    assert_eq!((stats.connections, stats.received, stats.answered, stats.faulty), (1, 20, 20, 0));
    exchange.shutdown().await;
    echo.shutdown().await;
}

#[tokio::test]
async fn each_fault_has_its_effect() {
    let rules = [
        "fail@0",
        "fail:retryable@first:1",
        "fail:retryable@2",
        "corrupt@3",
        "garbage@4",
        "truncate@5",
        "empty@6",
        "disconnect@first:7",
        "disconnect@8",
        "wav@9",
        "shorten:10%@10",
    ];
    let (echo, exchange) = pair(&rules, |_| {}).await;
    assert_eq!(absence(&exchange, 0).await, Absence::Failed("simulated failure".to_owned()));
    let Reply::Returned(again) = exchange.submit(fragment(1, tone(40))).await else { panic!("sent again") };
    assert_eq!(again.attempts, 2);
    assert_eq!(absence(&exchange, 2).await, Absence::Failed("simulated failure".to_owned()));
    for batch in 3..=6 {
        assert!(matches!(absence(&exchange, batch).await, Absence::Invalid(_)), "batch {batch}");
    }
    let Reply::Returned(again) = exchange.submit(fragment(7, tone(40))).await else { panic!("sent again") };
    assert_eq!(again.attempts, 2, "over the next connection");
    let Absence::Failed(reason) = absence(&exchange, 8).await else { panic!("gave it up") };
    assert_eq!(reason, "the connection was lost 2 times in a row just after it was sent");
    for batch in [9, 10] {
        let reply = exchange.submit(fragment(batch, tone(94))).await;
        let Reply::Returned(changed) = reply else { panic!("batch {batch}: {reply:?}") };
        assert_eq!(changed.probe.copyable, batch == 10);
    }
    let counters = exchange.status().counters;
    assert_eq!((counters.invalid, counters.disconnects, counters.failed), (4, 3, 4));
    assert_eq!(echo.stats().faulty, 13);
}

#[tokio::test]
async fn answers_can_come_twice_late_never_and_in_another_order() {
    let rules = ["duplicate@0", "reorder@1", "drop@4", "silent@5", "late:600000@6"];
    let (echo, exchange) = pair(&rules, |config| config.ack = true).await;
    let Reply::Returned(_) = exchange.submit(fragment(0, tone(40))).await else { panic!("once") };
    let (held, next) = (exchange.submit(fragment(1, tone(40))), exchange.submit(fragment(2, tone(40))));
    let (Reply::Returned(next), Reply::Returned(held)) = (next.await, held.await) else { panic!("both") };
    assert!(held.round_trip > next.round_trip, "sent before, answered after");
    assert_eq!(exchange.status().counters.duplicates, 1);

    let none: BTreeMap<u64, _> = (4..=6).map(|n| (n, exchange.submit(fragment(n, tone(40))))).collect();
    let mut watch = exchange.watch();
    watch.wait_for(|status| status.in_flight == 3).await.unwrap();
    assert!(matches!(exchange.submit(fragment(7, tone(40))).give_up(), Reply::Absent(Absence::Late)));
    for (n, pending) in none {
        assert!(matches!(pending.give_up(), Reply::Absent(Absence::Late)), "batch {n}");
    }
    // Three slots are free again.
    assert!(matches!(exchange.submit(fragment(8, tone(40))).await, Reply::Returned(_)));
    assert_eq!(exchange.status().counters.timeouts, 3);
    echo.shutdown().await;
}

#[tokio::test]
async fn a_message_without_binary_data_is_answered_with_the_reason() {
    let (echo, exchange) = pair(&["wav@0"], |_| {}).await;
    let Absence::Failed(reason) = (match exchange.submit(fragment(0, "hello")).await {
        Reply::Absent(absence) => absence,
        Reply::Returned(_) => panic!("not audio"),
    }) else {
        panic!("failed")
    };
    assert_eq!(reason, "cannot change the audio: its 5 bytes are neither MP4, ADTS, WAV nor MP3");
    assert_eq!(echo.stats().errors, 1);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let (echo, _exchange) = pair(&[], |_| {}).await;
    let error = Echo::start(EchoConfig::new(echo.addr())).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("the echo processor cannot listen on {}: ", echo.addr())), "{error}");
    let addr = echo.addr();
    echo.shutdown().await;
    Echo::start(EchoConfig::new(addr)).await.expect("the address is free again").shutdown().await;
}
