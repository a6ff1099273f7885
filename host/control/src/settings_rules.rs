//! Whether a tenant's pipeline may have these settings: the rules of settings, the tenant's quotas, components and network policy.
//!
//! In: settings that somebody wants, never kept here. Out: every problem at once, or nothing. Called by pipelines and swaps before they
//! write anything. Reads the other pipelines of the tenant, for what a quota counts over all of them.

use std::sync::Arc;

use serde_json::Value;

use super::components::library::ComponentLibrary;
use super::error::ControlError;
use super::hidden::Hidden;
use super::id::PipelineId;
use super::pipeline_directory::PipelineDirectory;
use super::registry::TenantRow;
use super::tenant_network::tenant_guard;
use outboard_base::Problem;
use outboard_base::printable;
use outboard_pipeline::Host;
use outboard_pipeline::settings::{Patch, Settings};

/// Stands for a name that cannot be one: what is wrong with settings is wrong whatever they are of.
const ANY_NAME: &str = "stream";

/// What settings are held against. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct SettingsRules {
    host: Host,
    library: ComponentLibrary,
    directory: Arc<PipelineDirectory>,
}

impl SettingsRules {
    pub(super) fn new(host: Host, library: ComponentLibrary, directory: Arc<PipelineDirectory>) -> Self {
        Self { host, library, directory }
    }

    /// A new pipeline's id and settings. What is wrong with either is told at once.
    pub(super) fn named(
        &self,
        tenant: &TenantRow,
        stream: String,
        patch: Patch,
    ) -> Result<(PipelineId, Settings), ControlError> {
        let settings = Settings::default().patched(patch).map_err(ControlError::InvalidInput);
        let wrong = match PipelineId::new(&tenant.name, stream) {
            Ok(id) => return Ok((id, settings?)),
            Err(wrong) => wrong,
        };
        let checked = settings.and_then(|settings| {
            settings.check(ANY_NAME, self.host.storage()).map(drop).map_err(ControlError::InvalidInput)
        });
        let mut problems = wrong.problems().to_vec();
        problems.extend(checked.err().iter().flat_map(ControlError::problems).cloned());
        Err(ControlError::InvalidInput(problems))
    }

    /// What was checked, and whether a revision's note is one line as every other text; all problems at once.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] with the problem of `note` too; any other error as it was.
    pub(super) fn with_note<T>(checked: Result<T, ControlError>, note: Option<&str>) -> Result<T, ControlError> {
        let Err(message) = note.map_or(Ok(()), printable::check) else { return checked };
        let mut problems = match checked {
            Ok(_) => Vec::new(),
            Err(ControlError::InvalidInput(problems)) => problems,
            Err(other) => return Err(other),
        };
        problems.push(Problem { path: "note".to_owned(), message });
        Err(ControlError::InvalidInput(problems))
    }

    /// Checks settings against the rules, the components that the tenant may use, and its quotas.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] with every problem; [`ControlError::LimitExceeded`] where a quota is reached.
    pub(super) fn check(&self, tenant: &TenantRow, id: &PipelineId, settings: &Settings) -> Result<(), ControlError> {
        let config = settings.check(&id.stream, self.host.storage()).map_err(ControlError::InvalidInput)?;
        self.library.check(tenant, settings)?;
        let quotas = tenant.quotas();
        quotas.destinations(&tenant.name, config.destinations.len())?;
        let in_flight =
            |settings: &Settings| settings.check(&id.stream, self.host.storage()).ok()?.processor.map(|p| p.in_flight);
        let others: usize = self
            .directory
            .of_tenant(&tenant.name)
            .iter()
            .filter(|other| other.id() != id)
            .filter_map(|other| in_flight(&other.settings()))
            .sum();
        let wanted = config.processor.as_ref().map_or(0, |processor| processor.in_flight);
        let (all, most) = (others + wanted, quotas.in_flight_fragments as usize);
        if all > most {
            return Err(ControlError::LimitExceeded(format!(
                "tenant {} may have {most} fragments with processors at once; with this pipeline's processor.inFlight of \
                 {wanted} it could have {all}",
                tenant.name
            )));
        }
        Ok(())
    }
}

/// Holds the addresses in settings against the tenant's network policy, as far as can be said without looking names up;
/// what they lead to is judged whenever something connects.
pub(super) fn judge(tenant: &TenantRow, settings: &Settings) -> Result<(), ControlError> {
    let problems = settings.denied(&tenant_guard(tenant));
    if problems.is_empty() { Ok(()) } else { Err(ControlError::InvalidInput(problems)) }
}

/// Settings as they are kept in the registry.
pub(super) fn kept(settings: &Settings) -> Result<Hidden<Value>, ControlError> {
    let value = serde_json::to_value(settings);
    value.map(Into::into).map_err(|error| ControlError::invalid("settings", error.to_string()))
}

/// Settings from how they are kept in the registry.
///
/// # Errors
/// [`ControlError::Unavailable`]: a version of this program that is gone wrote them otherwise.
pub(super) fn read(value: &Value) -> Result<Settings, ControlError> {
    serde_json::from_value(value.clone())
        .map_err(|error| ControlError::Unavailable(format!("the stored settings cannot be read: {error}")))
}
