//! What is taken already: the stream id, and addresses that other pipelines publish to.
//!
//! In: the pipelines that there are. Out: checks that fail, none where nothing is taken. Other tenants' pipelines are never
//! named.

use std::sync::Arc;

use super::Check;
use crate::id::PipelineId;
use crate::pipeline_handle::PipelineHandle;
use outboard_egress::target::Target;
use outboard_pipeline::settings::{Destination, Settings};

/// A new pipeline's name, if there is one of that name.
pub fn stream_id(id: &PipelineId, there: bool) -> Option<Check> {
    there.then(|| {
        let stream = &id.stream;
        Check::failed(
            "streamId",
            false,
            format!("the stream id {stream:?} is taken: pipeline {id} has it; choose another one"),
        )
    })
}

/// Destinations of a pipeline that another one, which is meant to run, publishes to.
pub fn addresses(id: &PipelineId, settings: &Settings, others: &[Arc<PipelineHandle>]) -> Vec<Check> {
    let others: Vec<(&PipelineId, Vec<String>)> = others
        .iter()
        .filter(|entry| entry.id() != id && entry.desired_running())
        .map(|entry| (entry.id(), places(&entry.settings())))
        .collect();
    let taken = places(settings).into_iter().enumerate().filter(|(_, place)| !place.is_empty());
    let taken = taken.filter_map(|(n, place)| {
        let (other, _) = others.iter().find(|(_, places)| places.contains(&place))?;
        let who = if other.tenant == id.tenant {
            format!("pipeline {other}")
        } else {
            "another pipeline of this host".to_owned()
        };
        let message = format!("{who} publishes to this address; most servers accept only one publisher per stream");
        Some(Check::failed(format!("destinations[{n}].url"), true, message))
    });
    taken.collect()
}

/// Where each destination is, so that two that mean the same place are the same text; empty where that is not known, and of one
/// that is switched off.
fn places(settings: &Settings) -> Vec<String> {
    let place = |url: &str| match Target::parse(url) {
        Ok(Target::Rtmp(to)) => {
            let key = to.key.split_once('?').map_or(to.key.as_str(), |(key, _)| key);
            format!("rtmp {} {} {} {key}", to.host.to_ascii_lowercase(), to.port, to.app)
        }
        Ok(Target::Stream(url)) => url.to_string(),
        Ok(Target::File(path, _)) => format!("file {}", path.display()),
        Err(_) => String::new(),
    };
    let place = |destination: &Destination| if destination.enabled { place(&destination.url) } else { String::new() };
    settings.destinations.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(urls: &[&str]) -> Settings {
        let destinations = urls.iter().map(|url| Destination { url: (*url).to_owned(), ..Destination::default() });
        Settings { destinations: destinations.collect(), ..Settings::default() }
    }

    #[test]
    fn the_same_place_is_known_however_it_is_written() {
        let same = places(&of(&["rtmp://H.test/live/key", "rtmp://u:p@h.test:1935/live/key?token=1"]));
        assert_eq!(same[0], same[1]);
        let others = places(&of(&[
            "rtmp://h.test/live/key2",
            "rtmp://h.test/other/key",
            "rtmps://h.test/live/key",
            "srt://h.test:9000?streamid=a",
            "no url",
        ]));
        assert!(others.iter().all(|other| *other != same[0]), "{others:?}");
        assert_eq!(others[4], "");
    }
}
