//! What a change of settings does to a pipeline that runs: which parts take it on air, and what needs a restart.
//!
//! [`Settings::effect_of`] and what it calls take both settings apart field by field, so that a field that is added has to be
//! placed there.

use std::collections::BTreeSet;

use super::{Settings, destinations, processor};

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
    /// Length of batches, hold and cushion: the air clock's rate changes until they hold.
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

    pub(super) fn live(&mut self, part: Part, differs: bool) {
        if differs {
            self.live.insert(part);
        }
    }

    pub(super) fn restart(&mut self, path: &'static str, differs: bool) {
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
        source.effect(&new.source, &mut effect);
        processor::effect(processor.as_ref(), new.processor.as_ref(), &mut effect);
        destinations::effect(destinations, &new.destinations, &mut effect);
        let pace = (batch_seconds, hold_seconds, cushion_seconds);
        effect.live(Part::Pace, pace != (&new.batch_seconds, &new.hold_seconds, &new.cushion_seconds));
        keep.effect(&new.keep, &mut effect);
        stages.effect(&new.stages, &mut effect);
        effect.restart("speed", *speed != new.speed);
        effect
    }
}

#[cfg(test)]
mod tests;
