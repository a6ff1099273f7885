//! Whether settings may be: the rules, the tenant's quotas, components and network policy.

use serde::Deserialize;

use crate::config::Problem;
use crate::control::Control;
use crate::control::error::ControlError;
use crate::control::id::PipelineId;
use crate::control::registry::TenantRow;
use crate::net::{Guard, Policy};
use crate::pipeline::DEFAULT_TENANT;
use crate::settings::{Patch, Settings};
use outboard_base::printable;

/// Stands for a name that cannot be one: what is wrong with settings is wrong whatever they are of.
const ANY_NAME: &str = "stream";

impl Control {
    /// A new pipeline's id and settings. What is wrong with either is told at once.
    pub(in crate::control) fn named(
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
            settings.check(ANY_NAME, self.0.host.storage()).map(drop).map_err(ControlError::InvalidInput)
        });
        let mut problems = wrong.problems().to_vec();
        problems.extend(checked.err().iter().flat_map(ControlError::problems).cloned());
        Err(ControlError::InvalidInput(problems))
    }

    /// What was checked, and whether a revision's note is one line as every other text; all problems at once.
    ///
    /// # Errors
    /// [`ControlError::InvalidInput`] with the problem of `note` too; any other error as it was.
    pub(in crate::control) fn with_note<T>(
        checked: Result<T, ControlError>,
        note: Option<&str>,
    ) -> Result<T, ControlError> {
        let Err(message) = note.map_or(Ok(()), printable::check) else { return checked };
        let mut problems = match checked {
            Ok(_) => Vec::new(),
            Err(ControlError::InvalidInput(problems)) => problems,
            Err(other) => return Err(other),
        };
        problems.push(Problem { path: "note".to_owned(), message });
        Err(ControlError::InvalidInput(problems))
    }

    /// Checks settings against the rules and the tenant's quotas.
    pub(in crate::control) fn check(
        &self,
        tenant: &TenantRow,
        id: &PipelineId,
        settings: &Settings,
    ) -> Result<(), ControlError> {
        let config = settings.check(&id.stream, self.0.host.storage()).map_err(ControlError::InvalidInput)?;
        self.check_components(tenant, settings)?;
        let quotas = tenant.quotas();
        quotas.destinations(&tenant.name, config.destinations.len())?;
        let in_flight = |settings: &Settings| {
            settings.check(&id.stream, self.0.host.storage()).ok()?.processor.map(|p| p.in_flight)
        };
        let others: usize = self
            .entries()
            .iter()
            .filter(|entry| entry.id().tenant == tenant.name && entry.id() != id)
            .filter_map(|entry| in_flight(&entry.settings()))
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

/// What a tenant may reach: what was set, else everything for the host's own tenant and the public internet for others.
/// A policy that cannot be read lets nothing through.
pub fn tenant_policy(tenant: &TenantRow) -> Policy {
    let policy = match &tenant.network {
        Some(value) => Policy::deserialize(value).map_err(|error| error.to_string()),
        None if tenant.name == DEFAULT_TENANT => return Policy::open(),
        None => return Policy::strict(),
    };
    policy.unwrap_or_else(|error| {
        tracing::error!(tenant = tenant.name, error, "failed to read the network policy: every address is denied");
        Policy { public: false, ..Policy::strict() }
    })
}

/// Holds a tenant to its policy.
pub(in crate::control) fn tenant_guard(tenant: &TenantRow) -> Guard {
    Guard::new(tenant_policy(tenant)).unwrap_or_else(|problems| {
        tracing::error!(tenant = tenant.name, %problems, "the network policy is invalid: every address is denied");
        Guard::new(Policy { public: false, ..Policy::strict() }).unwrap_or_default()
    })
}
