//! Destinations of a pipeline: switched on and off, and connected again.

use std::sync::Arc;

use serde_json::json;

use super::{Change, Pipelines};
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::pipeline_handle::PipelineHandle;
use crate::registry::NewAudit;
use outboard_pipeline::settings::{DestinationPatch, Patch};

impl Pipelines {
    /// Switches a destination on or off, as a revision of its own. What runs takes it on air.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::NotFound`] for a destination that is not there.
    pub async fn set_destination_enabled(
        &self,
        actor: &Actor,
        id: &str,
        destination: &str,
        enabled: bool,
    ) -> Result<Arc<PipelineHandle>, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::UpdatePipeline, id)?;
        let settings = handle.settings();
        known(&handle, destination)?;
        let patched = settings.destinations.iter().map(|one| DestinationPatch {
            id: Some(one.id()),
            enabled: (one.id() == destination).then_some(Some(enabled)),
            ..DestinationPatch::default()
        });
        let patch = Patch { destinations: Some(patched.collect()), ..Patch::default() };
        let note = format!("destination {destination} {}", if enabled { "enabled" } else { "disabled" });
        // Another change in between may have taken it away, or brought one that must not be lost.
        let expected_revision = Some(handle.revision());
        self.update(actor, id, Change { patch, expected_revision, note: Some(note), ..Change::default() }).await
    }

    /// Ends a destination's session and opens another one at once.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where nothing runs or the destination is disabled.
    pub async fn reconnect_destination(
        &self,
        actor: &Actor,
        id: &str,
        destination: &str,
    ) -> Result<Arc<PipelineHandle>, ControlError> {
        let handle = self.0.directory.allowed(actor, Action::ReconnectDestination, id)?;
        known(&handle, destination)?;
        let Some(live) = handle.live() else {
            return Err(ControlError::Conflict(format!(
                "pipeline {} is not running: no destination is connected",
                handle.id()
            )));
        };
        let disabled = || {
            let what = format!("destination {destination} of pipeline {} is disabled: enable it first", handle.id());
            ControlError::Conflict(what)
        };
        if !live.parts.sends_to(destination) {
            return Err(disabled());
        }
        let target = format!("pipeline {}", handle.id());
        let line = NewAudit::new(actor, Action::ReconnectDestination, Some(&handle.id().tenant), target);
        self.0.registry.record(line.detail(json!({ "destination": destination }))).await?;
        if live.parts.reconnect(destination) { Ok(handle.clone()) } else { Err(disabled()) }
    }
}

fn known(handle: &PipelineHandle, destination: &str) -> Result<(), ControlError> {
    match handle.settings().destinations.iter().any(|one| one.id() == destination) {
        true => Ok(()),
        false => Err(ControlError::NotFound(format!("pipeline {} has no destination {destination:?}", handle.id()))),
    }
}
