use bytes::Bytes;
use tokio::sync::oneshot;

use super::*;
use crate::fake::{fragment, tone};
use crate::limits::{BREAKER_PROBE_AFTER_DEFAULT, IN_FLIGHT_DEFAULT};
use crate::reply::Returned;

/// A table, its time, and the waiting callers.
struct Desk {
    fragments: FragmentTable,
    now: Instant,
}

type Waiting = oneshot::Receiver<Reply>;

impl Desk {
    fn new(change: impl FnOnce(&mut ExchangeConfig)) -> Self {
        let mut config = ExchangeConfig::new("http://localhost");
        change(&mut config);
        Self { fragments: FragmentTable::new(&config), now: Instant::now() }
    }

    fn submit(&mut self, batch: u64) -> Waiting {
        let (sender, receiver) = oneshot::channel();
        self.fragments.submit(fragment(batch, Bytes::new()), sender, self.now);
        receiver
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.fragments.sweep(self.now);
    }

    /// Sends what may be sent and marks it written; returns the batches.
    fn send(&mut self) -> Vec<u64> {
        let mut sent = Vec::new();
        while let Some(key) = self.fragments.next_to_send(self.now) {
            let receipt = Receipt::default();
            receipt.write(self.now);
            self.fragments.sent(key, 10, receipt, self.now);
            sent.push(self.fragments.entries[&key].outgoing.fragment.batch);
        }
        sent
    }

    fn reply(&mut self, batch: u64) -> Option<WantedReply> {
        self.fragments.processed(&id(batch), self.now)
    }

    fn answer(&mut self, batch: u64) {
        let wanted = self.reply(batch).expect("somebody waits");
        self.fragments.finish(wanted.key, returned(), self.now);
    }

    fn fail(&mut self, batch: u64, retryable: bool) {
        self.fragments.failed(Some(&id(batch)), "broken", retryable, self.now);
    }
}

fn id(batch: u64) -> Reference {
    Reference::Id(format!("s-{batch}"))
}

fn returned() -> Reply {
    let probe = outboard_media::probe::probe(&tone(1)).unwrap();
    let (metadata, round_trip) = (serde_json::Value::Null, Duration::ZERO);
    Reply::Returned(Returned {
        audio: Bytes::new(),
        probe,
        metadata,
        round_trip,
        attempts: 1,
        answered: Instant::now(),
    })
}

fn absence(waiting: &mut Waiting) -> Option<Absence> {
    match waiting.try_recv() {
        Ok(Reply::Absent(absence)) => Some(absence),
        _ => None,
    }
}

#[test]
fn so_many_go_at_a_time_in_order() {
    let mut desk = Desk::new(|config| config.in_flight = 2);
    let mut waiting: Vec<_> = (0..4).map(|batch| desk.submit(batch)).collect();
    assert_eq!(desk.send(), [0, 1]);
    assert_eq!((desk.fragments.in_flight(), desk.fragments.queued()), (2, 2));
    desk.answer(1);
    assert_eq!(desk.send(), [2]);
    assert!(matches!(waiting[1].try_recv(), Ok(Reply::Returned(_))));
    desk.answer(0);
    assert_eq!(desk.send(), [3]);
    assert_eq!(desk.fragments.counters.sent, 4);
}

/// A caller that gives up before the processor had its full time shows nothing about the processor.
#[tokio::test]
async fn what_is_given_up_early_does_not_open_the_breaker() {
    let mut desk = Desk::new(|config| config.breaker.failures = 2);
    let (_, status) = tokio::sync::watch::channel(Default::default());
    let submit = |desk: &mut Desk, batch| {
        let asked =
            crate::reply::Asked { fragment: format!("s-{batch}"), at: Instant::now(), heard: Default::default() };
        let (reply, pending) = crate::Pending::new(Default::default(), status.clone(), asked);
        desk.fragments.submit(fragment(batch, Bytes::new()), reply, desk.now);
        pending
    };
    for batch in 0..5 {
        let pending = submit(&mut desk, batch);
        assert_eq!(desk.send(), [batch]);
        pending.give_up_early();
        desk.pass(Duration::ZERO);
    }
    assert_eq!((desk.fragments.breaker().state(), desk.fragments.counters.timeouts), (BreakerState::Closed, 5));
    for batch in 5..7 {
        let pending = submit(&mut desk, batch);
        assert_eq!(desk.send(), [batch]);
        pending.give_up();
        desk.pass(Duration::ZERO);
    }
    assert_eq!(desk.fragments.breaker().state(), BreakerState::Open);
    // The probe may have had too little time too: another one follows.
    desk.pass(BREAKER_PROBE_AFTER_DEFAULT);
    let pending = submit(&mut desk, 7);
    assert_eq!((desk.send(), desk.fragments.breaker().state()), (vec![7], BreakerState::Probing));
    pending.give_up_early();
    desk.pass(Duration::ZERO);
    let _pending = submit(&mut desk, 8);
    assert_eq!(desk.send(), [8]);
}

#[test]
fn whoever_gives_up_frees_a_place_and_a_later_reply_is_late() {
    let mut desk = Desk::new(|config| config.in_flight = 1);
    let (first, second, _third) = (desk.submit(0), desk.submit(1), desk.submit(2));
    assert_eq!(desk.send(), [0]);
    drop((first, second));
    desk.pass(Duration::ZERO);
    assert_eq!(desk.send(), [2]);
    assert_eq!(desk.reply(0), None);
    assert_eq!(desk.reply(1), None);
    let counters = desk.fragments.counters;
    assert_eq!((counters.late, counters.unknown, counters.timeouts), (1, 1, 1), "batch 1 was never sent");
}

#[test]
fn replies_are_told_apart() {
    let mut desk = Desk::new(|_| {});
    let _waiting = (desk.submit(0), desk.submit(1));
    assert_eq!(desk.reply(0), None, "not sent yet");
    desk.send();
    desk.now += Duration::from_secs(2);
    let wanted = desk.fragments.processed(&Reference::Batch(0), desk.now).unwrap();
    assert_eq!((wanted.round_trip, wanted.attempts), (Duration::from_secs(2), 1));
    assert_eq!(desk.reply(0), None, "one is being looked at");
    desk.fragments.finish(wanted.key, Reply::Absent(Absence::Invalid("noise".to_owned())), desk.now);
    assert_eq!(desk.reply(0), None, "it had its answer");
    assert_eq!(desk.fragments.processed(&Reference::Batch(9), desk.now), None);
    let counters = desk.fragments.counters;
    assert_eq!((counters.duplicates, counters.unknown, counters.invalid, counters.replies), (2, 2, 1, 0));
}

#[test]
fn a_reply_that_is_looked_at_too_long_is_late() {
    let mut desk = Desk::new(|_| {});
    let waiting = desk.submit(0);
    desk.send();
    let wanted = desk.reply(0).unwrap();
    drop(waiting);
    desk.fragments.finish(wanted.key, returned(), desk.now);
    assert_eq!((desk.fragments.counters.replies, desk.fragments.counters.late), (0, 1));
}

#[test]
fn history_is_bounded() {
    let mut desk = Desk::new(|_| {});
    for batch in 0..=EXCHANGE_HISTORY_MAX as u64 {
        let _waiting = desk.submit(batch);
        desk.send();
        desk.answer(batch);
    }
    assert_eq!((desk.reply(1), desk.fragments.counters.duplicates), (None, 1));
    assert_eq!((desk.reply(0), desk.fragments.counters.unknown), (None, 1), "forgotten");
}

#[test]
fn more_than_the_limit_is_refused() {
    let mut desk = Desk::new(|_| {});
    let _waiting: Vec<_> = (0..EXCHANGE_FRAGMENTS_MAX as u64).map(|batch| desk.submit(batch)).collect();
    let refused = absence(&mut desk.submit(99));
    assert_eq!(refused, Some(Absence::Failed("64 fragments are already waiting for the processor".to_owned())));
}

#[test]
fn time_is_counted_from_the_sending() {
    let mut desk = Desk::new(|config| config.fragment_timeout = Some(Duration::from_secs(8)));
    let mut waiting = desk.submit(0);
    desk.pass(Duration::from_secs(100));
    desk.send();
    assert_eq!(desk.fragments.next_due(desk.now), Some(desk.now + Duration::from_secs(8)));
    desk.pass(Duration::from_millis(7999));
    assert_eq!(absence(&mut waiting), None);
    desk.pass(Duration::from_millis(1));
    assert_eq!((absence(&mut waiting), desk.fragments.counters.timeouts), (Some(Absence::Late), 1));
    assert_eq!(desk.fragments.next_due(desk.now), None);
}

// === failures and the breaker ===

#[test]
fn a_retryable_failure_is_tried_once_more() {
    let mut desk = Desk::new(|_| {});
    let mut waiting = desk.submit(0);
    desk.send();
    desk.fail(0, true);
    assert_eq!((desk.send(), desk.fragments.counters.resent), (vec![0], 1));
    desk.fail(0, true);
    assert_eq!(absence(&mut waiting), Some(Absence::Failed("broken".to_owned())));
    let mut waiting = desk.submit(1);
    desk.send();
    desk.fail(1, false);
    assert_eq!(absence(&mut waiting), Some(Absence::Failed("broken".to_owned())), "at once");
    desk.fail(7, true);
    assert_eq!((desk.fragments.counters.failed, desk.fragments.counters.unknown), (4, 1));
}

#[test]
fn a_failure_of_the_stream_concerns_all_that_is_sent() {
    let mut desk = Desk::new(|config| config.in_flight = 2);
    let mut waiting: Vec<_> = (0..3).map(|batch| desk.submit(batch)).collect();
    desk.send();
    desk.fragments.failed(None, "out of memory", true, desk.now);
    assert_eq!(desk.send(), [0, 1], "again");
    desk.reply(0).unwrap();
    desk.fragments.failed(None, "out of memory", false, desk.now);
    assert_eq!(absence(&mut waiting[0]), None, "its reply is being looked at");
    assert_eq!(absence(&mut waiting[1]), Some(Absence::Failed("out of memory".to_owned())));
    assert_eq!(desk.send(), [2]);
}

/// A desk whose breaker was just opened by five unanswered fragments; one more waits.
fn open() -> (Desk, Waiting) {
    let mut desk = Desk::new(|config| {
        config.in_flight = 5;
        config.fragment_timeout = Some(Duration::from_secs(8));
    });
    let _unanswered: Vec<_> = (0..5).map(|batch| desk.submit(batch)).collect();
    desk.send();
    let waiting = desk.submit(5);
    desk.pass(Duration::from_secs(8));
    assert_eq!(desk.fragments.breaker().state(), BreakerState::Open);
    (desk, waiting)
}

#[test]
fn an_open_breaker_holds_everything_back() {
    let (mut desk, mut waiting) = open();
    assert_eq!(absence(&mut waiting), Some(Absence::BreakerOpen), "one that waited");
    assert_eq!(absence(&mut desk.submit(6)), Some(Absence::BreakerOpen), "and a new one");
    assert_eq!((desk.send(), desk.fragments.counters.held_back), (vec![], 2));
}

#[test]
fn one_fragment_probes_and_an_answer_closes() {
    let (mut desk, _) = open();
    desk.pass(BREAKER_PROBE_AFTER_DEFAULT);
    let _probe = desk.submit(6);
    assert_eq!(absence(&mut desk.submit(7)), Some(Absence::BreakerOpen), "only one");
    assert_eq!(desk.send(), [6]);
    desk.answer(6);
    assert_eq!(desk.fragments.breaker().state(), BreakerState::Closed);
    let _next = desk.submit(8);
    assert_eq!(desk.send(), [8]);
}

#[test]
fn a_probe_that_fails_is_not_tried_again_and_one_that_tells_nothing_is_followed() {
    let (mut desk, _) = open();
    desk.pass(BREAKER_PROBE_AFTER_DEFAULT);
    let mut probe = desk.submit(6);
    desk.send();
    desk.fail(6, true);
    assert_eq!(absence(&mut probe), Some(Absence::Failed("broken".to_owned())));
    assert_eq!(desk.fragments.breaker().state(), BreakerState::Open);
    desk.pass(BREAKER_PROBE_AFTER_DEFAULT);
    // Abandoned before it was sent, then too large to be sent: neither shows anything about the processor.
    drop(desk.submit(7));
    desk.pass(Duration::ZERO);
    let mut large = desk.submit(8);
    let key = desk.fragments.next_to_send(desk.now).unwrap();
    desk.fragments.refuse(key, Absence::TooLarge("2 of 1".to_owned()), desk.now);
    assert_eq!(absence(&mut large), Some(Absence::TooLarge("2 of 1".to_owned())));
    let _probe = desk.submit(9);
    assert_eq!(desk.send(), [9]);
}

// === lost connections ===

#[test]
fn after_a_loss_all_that_is_wanted_goes_out_again() {
    let mut desk = Desk::new(|_| {});
    let (_a, b, _c) = (desk.submit(0), desk.submit(1), desk.submit(2));
    desk.send();
    desk.pass(SUSPECT_WINDOW);
    desk.fragments.connection_lost(desk.now);
    drop(b);
    desk.pass(Duration::ZERO);
    assert_eq!(desk.send(), [0, 2], "both at once: the loss came too late to blame them");
    assert_eq!(desk.reply(0).unwrap().attempts, 2);
    assert_eq!(desk.fragments.counters.timeouts, 0, "what is not sent does not time out");
}

#[test]
fn the_fragment_that_kills_is_found_and_the_others_are_not_harmed() {
    let mut desk = Desk::new(|_| {});
    let mut waiting: Vec<_> = (0..3).map(|batch| desk.submit(batch)).collect();
    // Batch 1 ends each connection over which it is sent.
    let mut connections = 0;
    let mut answered = Vec::new();
    while answered.len() < 2 {
        connections += 1;
        assert!(connections < 10, "it goes on for ever");
        loop {
            let sent = desk.send();
            if sent.contains(&1) {
                desk.fragments.connection_lost(desk.now);
                break;
            }
            if sent.is_empty() {
                break;
            }
            for batch in sent {
                desk.answer(batch);
                answered.push(batch);
            }
        }
    }
    let Some(Absence::Failed(reason)) = absence(&mut waiting[1]) else { panic!("batch 1 has its reason") };
    assert_eq!(reason, "the connection was lost 2 times in a row just after it was sent");
    assert_eq!((answered, connections), (vec![0, 2], 3));
}

#[test]
fn a_suspect_keeps_others_waiting_for_a_window_at_most() {
    let mut desk = Desk::new(|_| {});
    let _waiting: Vec<_> = (0..4).map(|batch| desk.submit(batch)).collect();
    desk.send();
    desk.fragments.connection_lost(desk.now);
    assert_eq!(desk.send(), [0], "alone");
    assert_eq!(desk.fragments.next_due(desk.now), Some(desk.now + SUSPECT_WINDOW));
    desk.fragments.acknowledged(&id(0));
    assert_eq!(desk.send(), [1], "an acknowledgement clears it");
    desk.pass(SUSPECT_WINDOW);
    assert_eq!(desk.send(), [2], "and so does time");
    desk.fragments.acknowledged(&id(9));
    assert_eq!(desk.fragments.counters.unknown, 1);
}

#[test]
fn one_that_is_not_written_yet_is_a_suspect_too() {
    let mut desk = Desk::new(|_| {});
    let mut waiting = desk.submit(0);
    for _ in 0..FRAGMENT_KILLS_MAX {
        let key = desk.fragments.next_to_send(desk.now).unwrap();
        desk.fragments.sent(key, 10, Receipt::default(), desk.now);
        let _next = desk.submit(1);
        assert_eq!(desk.fragments.next_due(desk.now), Some(desk.now + SUSPECT_WINDOW), "looked at again");
        desk.now += Duration::from_secs(60);
        desk.fragments.connection_lost(desk.now);
    }
    assert!(matches!(absence(&mut waiting), Some(Absence::Failed(_))));
}

#[test]
fn nothing_is_sent_for_ever() {
    let mut desk = Desk::new(|_| {});
    let mut waiting = desk.submit(0);
    for _ in 0..FRAGMENT_SENDS_MAX {
        assert_eq!(desk.send(), [0]);
        desk.pass(SUSPECT_WINDOW);
        desk.fragments.connection_lost(desk.now);
    }
    let reason = "sent 6 times, and the connection was lost each time".to_owned();
    assert_eq!(absence(&mut waiting), Some(Absence::Failed(reason)));
}

#[test]
fn a_reply_over_the_next_connection_counts_for_one_that_waits() {
    let mut desk = Desk::new(|_| {});
    let _waiting = desk.submit(0);
    desk.send();
    desk.fragments.connection_lost(desk.now);
    assert_eq!(desk.reply(0).unwrap().round_trip, Duration::ZERO);
}

#[test]
fn the_end_answers_everybody() {
    let mut desk = Desk::new(|_| {});
    let mut waiting: Vec<_> = (0..IN_FLIGHT_DEFAULT as u64 + 2).map(|batch| desk.submit(batch)).collect();
    desk.send();
    desk.fragments.clear(desk.now);
    assert!(waiting.iter_mut().all(|waiting| absence(waiting) == Some(Absence::Disconnected)));
    assert_eq!((desk.fragments.in_flight(), desk.fragments.queued()), (0, 0));
}
