use serde_json::json;

use super::*;
use crate::settings::{Destination, Header, PreviousStage, Processor, Source};
use outboard_stage::FailurePolicy;

fn before() -> Settings {
    Settings {
        source: Source { url: "http://o.test/live.m3u8?token=1".to_owned(), ..Source::default() },
        processor: Some(Processor { url: "http://p.test".to_owned(), ..Processor::default() }),
        destinations: vec![
            Destination { url: "rtmp://a/live/k".to_owned(), ..Destination::default() },
            Destination { url: "rtmp://b/live/k".to_owned(), ..Destination::default() },
        ],
        ..Settings::default()
    }
}

/// The effect of a change: the parts that apply it on air, the settings that need a restart, and whether the stream
/// starts from the beginning.
fn effect(change: impl FnOnce(&mut Settings)) -> (Vec<Part>, Vec<&'static str>, bool) {
    let (old, mut new) = (before(), before());
    change(&mut new);
    let ChangeEffect { live, restart, anew } = old.effect_of(&new);
    (live.into_iter().collect(), restart.into_iter().collect(), anew)
}

fn live(part: Part) -> (Vec<Part>, Vec<&'static str>, bool) {
    (vec![part], Vec::new(), false)
}

fn restart(path: &'static str) -> (Vec<Part>, Vec<&'static str>, bool) {
    (Vec::new(), vec![path], false)
}

fn header() -> Vec<Header> {
    vec![Header { name: "X".to_owned(), value: "1".to_owned() }]
}

#[test]
fn nothing_differs_from_itself() {
    assert!(before().effect_of(&before()).is_nothing());
}

#[test]
fn a_source_is_changed_by_a_restart() {
    assert_eq!(effect(|new| new.source.url = "http://o.test/live.m3u8?token=2".to_owned()), restart("source.url"));
    let (live, paths, anew) = effect(|new| new.source.url = "http://o.test/other.m3u8".to_owned());
    assert_eq!((live, paths, anew), (vec![], vec!["source.url"], true), "another stream begins anew");
    assert_eq!(effect(|new| new.source.backup_url = Some("http://b.test/x".to_owned())), restart("source.backupUrl"));
    assert_eq!(effect(|new| new.source.max_bandwidth = Some(1)), restart("source.maxBandwidth"));
    assert_eq!(effect(|new| new.source.resolution = Some("1x1".to_owned())), restart("source.resolution"));
    assert_eq!(effect(|new| new.source.audio.pid = Some(257)), restart("source.audio"));
    assert_eq!(effect(|new| new.source.program = Some(2)), restart("source.program"));
    assert_eq!(effect(|new| new.source.headers = header()), restart("source.headers"));
    let (live, paths, anew) = effect(|new| new.source.live_edge = Some(2));
    assert_eq!((live, paths, anew), (vec![Part::Beside], vec![], false), "a stream that runs has begun");
}

#[test]
fn destinations_change_on_air() {
    let added = Destination { url: "srt://c:9000".to_owned(), ..Destination::default() };
    assert_eq!(effect(|new| new.destinations.push(added)), live(Part::Destinations));
    assert_eq!(effect(|new| drop(new.destinations.remove(0))), live(Part::Destinations));
    assert_eq!(effect(|new| new.destinations.swap(0, 1)), live(Part::Destinations));
    assert_eq!(effect(|new| new.destinations[1].url = "rtmp://c/live/k".to_owned()), live(Part::Destinations));
    assert_eq!(effect(|new| new.destinations[1].name = Some("Main".to_owned())), live(Part::Destinations));
    assert_eq!(effect(|new| new.destinations[1].enabled = false), live(Part::Destinations));
    assert_eq!(effect(|new| new.destinations[1].srs_api = Some("http://s".to_owned())), live(Part::Beside));
}

#[test]
fn a_processor_and_what_is_kept_change_on_air() {
    let processor = |change: fn(&mut Processor)| effect(|new| change(new.processor.as_mut().unwrap()));
    assert_eq!(processor(|new| new.url = "http://q.test".to_owned()), live(Part::Processor));
    assert_eq!(processor(|new| new.path = Some("/x/".to_owned())), live(Part::Processor));
    assert_eq!(processor(|new| new.namespace = Some("/x".to_owned())), live(Part::Processor));
    assert_eq!(processor(|new| new.auth = Some(json!(1))), live(Part::Processor));
    assert_eq!(processor(|new| new.headers = header()), live(Part::Processor));
    assert_eq!(processor(|new| new.in_flight = Some(1)), live(Part::Processor));
    assert_eq!(processor(|new| new.pre_roll = Some(false)), restart("processor.preRoll"));
    assert_eq!(effect(|new| new.processor = None), restart("processor"));
    assert_eq!(effect(|new| new.keep.batches = Some(1)), live(Part::Keep));
    assert_eq!(effect(|new| new.keep.max_age_seconds = Some(1)), live(Part::Keep));
    assert_eq!(effect(|new| new.keep.max_bytes = Some(1)), live(Part::Keep));
    assert_eq!(effect(|new| new.keep.output = true), live(Part::Keep));
}

#[test]
fn batches_and_the_clock_change_on_air() {
    assert_eq!(effect(|new| new.batch_seconds = Some(6)), live(Part::Pace));
    assert_eq!(effect(|new| new.hold_seconds = Some(6.0)), live(Part::Pace));
    assert_eq!(effect(|new| new.cushion_seconds = Some(6.0)), live(Part::Pace));
}

#[test]
fn stages_are_swapped_on_air() {
    assert_eq!(effect(|new| new.stages.framing.component = Some("sha256:1".to_owned())), live(Part::Stages));
    assert_eq!(effect(|new| new.stages.batching.settings = Some(json!({}))), live(Part::Stages));
    assert_eq!(effect(|new| new.stages.batching.on_failure = Some(FailurePolicy::Stop)), live(Part::StagePolicy));
    assert_eq!(effect(|new| new.stages.remux_planning.auto_swap = true), live(Part::StagePolicy));
    assert_eq!(effect(|new| new.stages.remux_planning.pinned = true), live(Part::StagePolicy));
    let previous = Some(PreviousStage::default());
    assert_eq!(effect(|new| new.stages.framing.previous = previous), live(Part::StagePolicy));
}

#[test]
fn one_setting_that_needs_a_restart_takes_the_others_along() {
    let effect = before().effect_of(&Settings {
        destinations: Vec::new(),
        source: Source { headers: header(), ..before().source },
        ..before()
    });
    assert!(!effect.is_live());
    assert_eq!(effect.live, [Part::Destinations].into());
}
