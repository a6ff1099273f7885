//! Changes of settings: an absent field stays as it is, and `null` removes a value. A hidden value is kept only if it
//! is sent to the same server as before.

use serde::Deserialize;

use super::patch_field::{named, set};
use super::{DestinationPatch, Keep, ProcessorPatch, Settings, SourcePatch, StagesPatch};
use outboard_base::Problem;

/// A change of settings. For a new pipeline it is applied to empty settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Patch {
    /// Changes of the source.
    pub source: Option<SourcePatch>,
    /// The processor; `null` removes it.
    #[serde(deserialize_with = "named")]
    pub processor: Option<Option<ProcessorPatch>>,
    /// The complete list of destinations; those not in the list are removed.
    pub destinations: Option<Vec<DestinationPatch>>,
    /// Length of a batch in seconds; `null`: the default.
    #[serde(deserialize_with = "named")]
    pub batch_seconds: Option<Option<u32>>,
    /// When air starts; `null`: automatic.
    #[serde(deserialize_with = "named")]
    pub hold_seconds: Option<Option<f64>>,
    /// Reserve time in seconds; `null`: computed.
    #[serde(deserialize_with = "named")]
    pub cushion_seconds: Option<Option<f64>>,
    /// New retention; `None` keeps the previous one.
    pub keep: Option<Keep>,
    /// Changes of the stages.
    pub stages: Option<StagesPatch>,
}

impl Settings {
    /// Returns these settings with a change applied.
    ///
    /// # Errors
    /// References to things that do not exist.
    pub fn patched(&self, patch: Patch) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut new = self.clone();
        if let Some(source) = patch.source {
            new.source.patch(source, &mut problems);
        }
        match patch.processor {
            Some(Some(processor)) => new.processor.get_or_insert_default().patch(processor, &mut problems),
            Some(None) => new.processor = None,
            None => {}
        }
        if let Some(list) = patch.destinations {
            let listed = list.into_iter().enumerate();
            let found = listed.filter_map(|(n, one)| self.patched_destination(n, one, &mut problems));
            new.destinations = found.collect();
        }
        set(&mut new.batch_seconds, patch.batch_seconds);
        set(&mut new.hold_seconds, patch.hold_seconds);
        set(&mut new.cushion_seconds, patch.cushion_seconds);
        if let Some(keep) = patch.keep {
            new.keep = keep;
        }
        if let Some(stages) = patch.stages {
            new.stages.patch(stages);
        }
        if problems.is_empty() { Ok(new) } else { Err(problems) }
    }
}
