//! Replacing a processor in use with another one.

use super::*;

#[tokio::test]
async fn the_processor_before_may_answer_until_another_one_is_there_and_the_rest_is_sent_again() {
    let (mut scene, mut before) = Scene::plain().await;
    let answered = scene.exchange.submit(fragment(0, tone(10)));
    let open = scene.exchange.submit(fragment(1, tone(10)));
    for id in ["s-0", "s-1"] {
        assert_eq!(before.fragment().await.unwrap().0, id);
    }
    let (script, url) = Script::new().await;
    scene.exchange.reconfigure(ExchangeConfig::new(url)).unwrap();
    let mut after = script.accept(LONG).await;
    before.answer("s-0", tone(20)).await;
    let Reply::Returned(returned) = answered.await else { panic!("the one before still answers") };
    assert_eq!((returned.probe.packets, returned.attempts), (20, 1));
    // New fragments are not sent to the previous processor: its connection ends, and its unanswered fragments are sent
    // to the new one.
    let next = scene.exchange.submit(fragment(2, tone(10)));
    assert_eq!(before.hear().await.as_deref(), Some("41"));
    for id in ["s-1", "s-2"] {
        assert_eq!(after.fragment().await.unwrap().0, id);
        after.answer(id, tone(30)).await;
    }
    let Reply::Returned(returned) = open.await else { panic!("sent again") };
    assert_eq!((returned.probe.packets, returned.attempts), (30, 2));
    assert!(matches!(next.await, Reply::Returned(_)));
    let status = scene.until(|status| status.counters.replies == 3).await;
    assert!(status.connected, "{status:?}");
    assert_eq!((status.counters.disconnects, status.counters.resent), (0, 1));
}

#[tokio::test]
async fn the_same_settings_move_nothing_and_wrong_ones_change_nothing() {
    let (scene, mut peer) = Scene::plain().await;
    let config = scene.exchange.wanted().config;
    scene.exchange.reconfigure(config.clone()).unwrap();
    scene.exchange.reconfigure(ExchangeConfig { in_flight: 1, ..config.clone() }).unwrap();
    for wrong in [ExchangeConfig::new("ftp://host"), ExchangeConfig { in_flight: 0, ..config }] {
        assert!(scene.exchange.reconfigure(wrong).is_err());
    }
    let _one = scene.exchange.submit(fragment(0, tone(1)));
    let _two = scene.exchange.submit(fragment(1, tone(1)));
    assert_eq!(peer.fragment().await.unwrap().0, "s-0");
    peer.event("ask", json!(1)).await;
    assert_eq!(peer.hear().await.as_deref(), Some("42[\"told\",1]"), "one at a time from now on");
}

#[tokio::test]
async fn a_processor_that_is_away_is_replaced_without_waiting() {
    let mut scene = Scene::new(FakeFramer::default(), |config| config.url = "http://127.0.0.1:9".to_owned()).await;
    scene.until(|status| status.counters.connect_failures == 1).await;
    let (script, url) = Script::new().await;
    scene.exchange.reconfigure(ExchangeConfig::new(url)).unwrap();
    let mut peer = script.accept(LONG).await;
    let _pending = scene.exchange.submit(fragment(0, tone(1)));
    assert_eq!(peer.fragment().await.unwrap().0, "s-0");
}
