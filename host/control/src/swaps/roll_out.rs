//! A roll-out: the same swap in all pipelines of a tenant, one after the other; the first that does not end well stops it.

use super::{NewSwap, StageSwaps};
use crate::access::{Action, Actor};
use crate::error::ControlError;
use crate::id::PipelineId;
use crate::registry::{RollOutRecord, RollOutRow, RollOutState, SwapState};
use outboard_base::unix_time::now_ms;
use outboard_pipeline::settings::Settings;
use outboard_stage::{CompileRequester, StageKind};

impl StageSwaps {
    /// Swaps a stage in all of a tenant's pipelines that are not pinned and do not run that already.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where there is no such pipeline.
    pub async fn roll_out_stage(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        kind: StageKind,
        new: NewSwap,
    ) -> Result<RollOutRow, ControlError> {
        let tenant = self.tenants.allowed(actor, Action::RollOutStage, tenant)?;
        let file = new.component.as_deref().and_then(|digest| self.host.storage().component(digest));
        if let Some(digest) = new.component.as_ref().filter(|_| file.as_ref().is_none_or(|file| !file.is_file())) {
            return Err(ControlError::invalid("component", format!("{digest} is not in this host's store")));
        }
        let mut wanted = Settings::default();
        wanted.stages.of_mut(kind).component = new.component.clone();
        // Not only in each swap: another tenant's component would be told by name.
        self.library.check(&tenant, &wanted)?;
        let component = self
            .library
            .load_component(&CompileRequester::of(Some(&tenant.name)), kind, new.component.as_deref())
            .await;
        let component = component.map_err(|error| ControlError::invalid("component", error.to_string()))?;
        let waiting: Vec<String> = self
            .directory
            .of_tenant(&tenant.name)
            .iter()
            .filter(|handle| {
                let settings = handle.settings();
                let stage = settings.stages.of(kind);
                let same = stage.component == new.component
                    && new.settings.as_ref().is_none_or(|settings| *settings == stage.settings);
                !stage.pinned && !same
            })
            .map(|handle| handle.id().stream.clone())
            .collect();
        if waiting.is_empty() {
            let what =
                format!("no pipeline of {} would change: each already runs this version, or is pinned", tenant.name);
            return Err(ControlError::Conflict(what));
        }
        let record = RollOutRecord {
            kind,
            to: component.label(),
            requested_by: actor.name.clone(),
            state: RollOutState::Running,
            reason: None,
            swaps: Vec::new(),
            waiting,
            started_ms: now_ms(),
            ended_ms: None,
        };
        let row = self.registry.create_roll_out(actor, &tenant.name, record).await?;
        self.home.spawn(carry_out(self.clone(), actor.clone(), row.clone(), new));
        Ok(row)
    }

    /// Reads one roll-out by its id, in progress or ended.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if it does not exist or is another tenant's; the database cannot be read.
    pub async fn roll_out(&self, actor: &Actor, id: u64) -> Result<RollOutRow, ControlError> {
        let absent = || ControlError::NotFound(format!("there is no rollout {id}"));
        let row = self.registry.roll_out(id).await?.ok_or_else(absent)?;
        actor.check(Action::ViewPipelines, Some(&row.tenant)).map_err(|denied| denied.or_absent(absent()))?;
        Ok(row)
    }
}

/// Swaps one pipeline after the other, and stores how far it is before each next one.
async fn carry_out(swaps: StageSwaps, actor: Actor, mut row: RollOutRow, new: NewSwap) {
    let ended = loop {
        let Some(stream) = row.roll_out.waiting.first().cloned() else { break (RollOutState::Done, None) };
        let id = PipelineId { tenant: row.tenant.clone(), stream };
        row.roll_out.waiting.remove(0);
        // One that was deleted meanwhile needs no swap.
        let Some(handle) = swaps.directory.get(&id) else { continue };
        let swap = match swaps.swap_of(&actor, &handle, row.roll_out.kind, new.clone(), Some(row.id)).await {
            Ok(swap) => swap.id,
            Err(error) => break (RollOutState::Stopped, Some(format!("{id}: {error}"))),
        };
        row.roll_out.swaps.push(swap);
        save(&swaps, &row).await;
        match swaps.swap_ended(swap).await {
            Ok(swap) if swap.swap.state == SwapState::Done => {}
            Ok(swap) => {
                let reason = swap.swap.reason.unwrap_or_default();
                break (RollOutState::Stopped, Some(format!("{id}: {}: {reason}", swap.swap.state)));
            }
            Err(error) => break (RollOutState::Stopped, Some(format!("{id}: {error}"))),
        }
    };
    (row.roll_out.state, row.roll_out.reason) = ended;
    row.roll_out.ended_ms = Some(now_ms());
    save(&swaps, &row).await;
}

async fn save(swaps: &StageSwaps, row: &RollOutRow) {
    if let Err(error) = swaps.registry.save_roll_out(row).await {
        tracing::error!(roll_out = row.id, %error, "failed to store the progress of a rollout");
    }
}
