//! How long a change of settings would take a pipeline off air.

use serde::Serialize;

use super::pipeline_handle::PipelineHandle;
use super::snapshot::Snapshot;
use crate::limits::RESTART_GAP;
use outboard_pipeline::load::cushion;
use outboard_pipeline::settings::PipelineConfig;
use outboard_pipeline::settings::{ChangeEffect, Settings};

/// A time off air that a change of settings costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interruption {
    /// About how long no packets leave, in seconds.
    pub seconds: f64,
    /// The settings that cause it and what follows, in one sentence.
    pub why: String,
}

impl Interruption {
    /// What applying `config` now would cost a pipeline; `None`: it is not on air, or takes the change on air.
    pub(super) fn of(entry: &PipelineHandle, new: &Settings, config: &PipelineConfig) -> Option<Self> {
        let effect = entry.live()?.settings.effect_of(new);
        Self::estimated(&effect, &entry.snapshot(), config)
    }

    fn estimated(effect: &ChangeEffect, now: &Snapshot, config: &PipelineConfig) -> Option<Self> {
        if effect.is_live() || !now.on_air() {
            return None;
        }
        let paths = effect.restart.iter().copied().collect::<Vec<_>>().join(", ");
        let restart = RESTART_GAP.as_secs_f64();
        if !effect.anew {
            let why = format!("{paths} can only change with a restart, which resumes at the same position on air");
            return Some(Self { seconds: restart, why });
        }
        // The first batch is collected, and waits for its reply: at most as long as it is.
        let batch = config.batch.as_secs_f64();
        let hold = match config.hold {
            outboard_pipeline::settings::Hold::After(hold) => hold.as_secs_f64(),
            outboard_pipeline::settings::Hold::Auto if config.processor.is_some() => {
                let round_trip = now.run.watch.as_ref().map(|watch| watch.timings().read().round_trip.mean());
                (round_trip.unwrap_or_default() + cushion(config)).as_secs_f64().min(batch)
            }
            outboard_pipeline::settings::Hold::Auto => cushion(config).as_secs_f64().min(batch),
        };
        let why = format!("{paths} can only change with a restart, after which a first batch must be collected");
        Some(Self { seconds: restart + batch + hold, why })
    }
}
