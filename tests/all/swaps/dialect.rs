//! Swapping in another dialect: replies to the previous version's fragments arrive in the old dialect and are still
//! decoded, and the rehearsal does not compare what cannot be compared.

use outboard::stage::framing::{Event, Reference};
use outboard_tests::guests::{bundled_file, variant};

use super::*;

/// The bundled stage of the other dialect, without state.
async fn sts(probation: u32) -> NewVersion {
    let component = runtime().load_file(&bundled_file("framing-sts")).await.unwrap();
    NewVersion { fresh: true, probation, ..new_version(component, "") }
}

/// Sends a fragment and creates an echo's reply to it.
async fn sent(stages: &Stages, batch: u64) -> Message {
    let sent = stages.framing.lock().await.encode(&fragment(batch), vec![1, 2, 3].into()).await;
    assert!(sent.failure.is_none(), "{:?}", sent.failure);
    let [sent] = <[Message; 1]>::try_from(sent.value).unwrap();
    Message { event: "fragment:processed".into(), ..sent }
}

/// The fragments for which a message contains audio.
async fn processed(stages: &Stages, message: Message) -> Vec<Reference> {
    let answer = stages.framing.lock().await.decode(message, 0).await;
    let of = |event: Event| match event {
        Event::Processed(processed) => Some(processed.fragment),
        _ => None,
    };
    answer.value.into_iter().filter_map(of).collect()
}

async fn ready(stages: &Stages) {
    stages.framing.lock().await.on_connect(&connection()).await;
    let told = json!([{ "stream_id": "tv", "session_id": "s", "max_inflight": 3, "capabilities": [] }]).to_string();
    let message = Message { event: "stream:ready".into(), arguments: told, attachments: vec![] };
    assert!(stages.framing.lock().await.decode(message, 0).await.failure.is_none());
}

#[tokio::test]
async fn replies_to_what_the_dialect_before_sent_are_read_by_it() {
    let stages = Stages::bundled().await;
    stages.framing.lock().await.on_connect(&connection()).await;
    let (first, second) = (sent(&stages, 0).await, sent(&stages, 1).await);
    let cut = stages.slots.cut_over(StageKind::Framing, &sts(1).await).await.unwrap();
    ready(&stages).await;
    assert_eq!(processed(&stages, first.clone()).await, [Reference::Id("tv-0".into())], "on probation");
    sent(&stages, 2).await;
    assert_eq!(cut.probation.borrow().end, Some(outboard::stage::slot_status::ProbationEnd::Passed));
    assert_eq!(stages.name(StageKind::Framing).await, "framing-sts");
    assert_eq!(processed(&stages, second).await, [Reference::Id("tv-1".into())], "after its probation");
    assert_eq!(processed(&stages, first).await, [], "it was answered");
    assert_eq!(stages.framing.lock().await.counters().read().failures(), 0);
}

#[tokio::test]
async fn another_dialect_is_not_compared_with_the_running_one() {
    let kind = StageKind::Framing;
    let stages = Stages::bundled().await;
    stages.framing.lock().await.on_connect(&connection()).await;
    for batch in 0..3 {
        let reply = sent(&stages, batch).await;
        assert_eq!(processed(&stages, reply).await.len(), 1);
    }
    let other = stages.slots.rehearse(kind, &sts(1).await).await.unwrap();
    assert_eq!((other.calls, other.same, other.not_comparable.as_deref()), (7, 0, Some("another dialect")));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("v.wasm");
    std::fs::write(&file, variant(&bundled_file("framing-fragment"), 1)).unwrap();
    let next = new_version(runtime().load_file(&file).await.unwrap(), "");
    for fresh in [false, true] {
        let same = stages.slots.rehearse(kind, &NewVersion { fresh, ..next.clone() }).await.unwrap();
        assert_eq!((same.calls, same.same, same.not_comparable), (7, 7, None), "fresh: {fresh}");
    }
}
