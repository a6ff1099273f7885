//! The effect of a settings change on a running pipeline: which parts apply it on air, and what needs a restart.
//!
//! [`Settings::effect_of`] and the functions that it calls compare all fields by destructuring both settings, so that a
//! new field does not compile until its effect is defined.

use super::change_effect::{ChangeEffect, Part};
use super::{Settings, destinations, processor};

impl Settings {
    /// The effect of changing these settings to `new` on a running pipeline.
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
