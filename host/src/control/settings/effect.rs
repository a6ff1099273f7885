//! What a change of settings does to a pipeline that runs: which parts take it on air, and what needs a restart.
//!
//! [`Settings::effect_of`] takes both settings apart field by field, so that a field that is added has to be placed here.

use std::collections::BTreeSet;

use super::{Destination, Keep, Processor, Settings, Source, Stage, Stages};
use crate::pipeline::load::identity;

/// A part of a pipeline that takes a change on air, without an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Which component decides, or with which settings: by a swap.
    Stages,
    /// Who goes on where a stage fails, and who may change it: nothing is swapped for it.
    StagePolicy,
    /// Where the stream goes: added, removed, named, enabled and disabled.
    Destinations,
    /// Where the audio goes to: what the processor has already is sent again to the new one.
    Processor,
    /// Length of batches, hold and cushion: the air clock leans to them.
    Pace,
    /// What is kept of batches that went on air.
    Keep,
    /// What is asked beside the pipeline, such as SRS.
    Beside,
}

/// What a change of settings does to a pipeline that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeEffect {
    /// Parts that take the change on air.
    pub live: BTreeSet<Part>,
    /// Settings that only a restart takes, by their path.
    pub restart: BTreeSet<&'static str>,
    /// The stream begins anew after the restart: what is buffered does not go on air.
    pub anew: bool,
}

impl ChangeEffect {
    /// True if the settings are equal, so that nothing has to be applied.
    pub fn is_nothing(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }

    /// Everything of it is taken on air.
    pub fn is_live(&self) -> bool {
        self.restart.is_empty()
    }

    fn live(&mut self, part: Part, differs: bool) {
        if differs {
            self.live.insert(part);
        }
    }

    fn restart(&mut self, path: &'static str, differs: bool) {
        if differs {
            self.restart.insert(path);
        }
    }
}

impl Settings {
    /// What changing these settings to `new` does to a pipeline that runs.
    pub fn effect_of(&self, new: &Self) -> ChangeEffect {
        let mut effect = ChangeEffect::default();
        let Self { source, processor, destinations, batch_seconds, hold_seconds, cushion_seconds, keep, stages, speed } =
            self;
        source_effect(source, &new.source, &mut effect);
        processor_effect(processor.as_ref(), new.processor.as_ref(), &mut effect);
        destinations_effect(destinations, &new.destinations, &mut effect);
        let pace = (batch_seconds, hold_seconds, cushion_seconds);
        effect.live(Part::Pace, pace != (&new.batch_seconds, &new.hold_seconds, &new.cushion_seconds));
        keep_effect(keep, &new.keep, &mut effect);
        stages_effect(stages, &new.stages, &mut effect);
        effect.restart("speed", *speed != new.speed);
        effect
    }
}

fn source_effect(old: &Source, new: &Source, effect: &mut ChangeEffect) {
    let Source { url, backup_url, max_bandwidth, resolution, live_edge, headers, header_hosts, when_ended, catch_up } =
        old;
    effect.restart("source.url", *url != new.url);
    effect.restart("source.backupUrl", *backup_url != new.backup_url);
    effect.restart("source.maxBandwidth", *max_bandwidth != new.max_bandwidth);
    effect.restart("source.resolution", *resolution != new.resolution);
    // Only a stream that begins looks at it.
    effect.live(Part::Beside, *live_edge != new.live_edge);
    effect.restart("source.headers", *headers != new.headers);
    effect.restart("source.headerHosts", *header_hosts != new.header_hosts);
    effect.restart("source.whenEnded", *when_ended != new.when_ended);
    effect.restart("source.catchUp", *catch_up != new.catch_up);
    let identity = |url: &str| url::Url::parse(url).ok().map(|url| identity(&url));
    effect.anew = identity(url) != identity(&new.url);
}

fn processor_effect(old: Option<&Processor>, new: Option<&Processor>, effect: &mut ChangeEffect) {
    let (Some(old), Some(new)) = (old, new) else {
        effect.restart("processor", old != new);
        return;
    };
    let Processor { url, path, namespace, auth, headers, in_flight } = old;
    let place = (url, path, namespace) != (&new.url, &new.path, &new.namespace);
    let access = (auth, headers) != (&new.auth, &new.headers);
    effect.live(Part::Processor, place || access || *in_flight != new.in_flight);
}

fn destinations_effect(old: &[Destination], new: &[Destination], effect: &mut ChangeEffect) {
    let by_id = |list: &[Destination]| list.iter().map(Destination::id).collect::<Vec<_>>();
    effect.live(Part::Destinations, by_id(old) != by_id(new));
    for old in old {
        let Some(new) = new.iter().find(|new| new.url == old.url) else { continue };
        let Destination { url: _, name, enabled, srs_api } = old;
        effect.live(Part::Destinations, (name, enabled) != (&new.name, &new.enabled));
        effect.live(Part::Beside, *srs_api != new.srs_api);
    }
}

fn keep_effect(old: &Keep, new: &Keep, effect: &mut ChangeEffect) {
    let Keep { batches, max_age_seconds, max_bytes } = old;
    let differs = (batches, max_age_seconds, max_bytes) != (&new.batches, &new.max_age_seconds, &new.max_bytes);
    effect.live(Part::Keep, differs);
}

fn stages_effect(old: &Stages, new: &Stages, effect: &mut ChangeEffect) {
    let Stages { batching, framing, remux_planning } = old;
    for (old, new) in [(batching, &new.batching), (framing, &new.framing), (remux_planning, &new.remux_planning)] {
        // The version before is where a roll-back goes to: it decides nothing now.
        let Stage { component, settings, on_failure, auto_swap, pinned, previous } = old;
        effect.live(Part::Stages, (component, settings) != (&new.component, &new.settings));
        let policy = (on_failure, auto_swap, pinned, previous);
        effect.live(Part::StagePolicy, policy != (&new.on_failure, &new.auto_swap, &new.pinned, &new.previous));
    }
}

#[cfg(test)]
mod tests;
