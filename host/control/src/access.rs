//! Who may do what: the one table, and the one function that reads it.
//!
//! In: an [`Actor`] (who calls), an [`Action`] and the tenant that it is about. Out: nothing, or why not. Every method of
//! the control plane asks here first; resolvers and handlers never decide. Knows no tokens and no database.
//!
//! A tenant that is not the caller's is not there for them: [`Denied::NotFound`], the same as for one that does not exist.

use std::fmt;

use super::error::ControlError;
use super::registry::Scope;
use super::words::words;
use outboard_pipeline::host::DEFAULT_TENANT;

words! {
    /// What a caller may do; each may also do what those before it may.
    pub enum Role {
        /// May read everything of its tenant but tokens, webhooks and the audit log.
        Viewer = "viewer",
        /// Create, change, start, stop and delete pipelines, and clean storage.
        Operator = "operator",
        /// Manage tokens and webhooks; host-wide also tenants, quotas and network policies.
        Admin = "admin",
    }
}

/// Whom an action is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Actors of the tenant that it is about, and host-wide ones.
    Tenant,
    /// Host-wide actors only, also where it is about a tenant.
    Host,
    /// Every actor; it is about no tenant.
    Anyone,
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $reach:ident, $role:ident;)*) => {
        /// Everything that can be done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $name,)* }

        impl Action {
            /// Every action, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in the audit log.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Whom it is open to, and from which role on.
            fn rule(self) -> (Reach, Role) {
                match self { $(Self::$name => (Reach::$reach, Role::$role),)* }
            }
        }
    };
}

actions! {
    /// What the server is: version, uptime, limits.
    ViewServer = "server.view", Anyone, Viewer;
    /// Who one is oneself.
    ViewSelf = "self.view", Anyone, Viewer;

    /// Pipelines: settings without secrets, status, batches, revisions.
    ViewPipelines = "pipeline.view", Tenant, Viewer;
    /// Query and subscribe to events.
    ViewEvents = "event.view", Tenant, Viewer;
    /// Query, subscribe to and download log lines.
    ViewLogs = "log.view", Tenant, Viewer;
    /// Scrape the metrics of pipelines.
    ViewMetrics = "metrics.view", Tenant, Viewer;
    /// What went on air, and the audio before and after.
    ViewMedia = "media.view", Tenant, Viewer;
    /// What lies on disk.
    ViewStorage = "storage.view", Tenant, Viewer;
    /// The tenant itself: its quotas and how much of them is used.
    ViewTenant = "tenant.view", Tenant, Viewer;
    /// Stage components that can be chosen.
    ViewStages = "stage.view", Tenant, Viewer;

    /// Try settings without keeping them; reaches out to the addresses in them.
    ValidatePipeline = "pipeline.validate", Tenant, Operator;
    /// Create a pipeline, started or not.
    CreatePipeline = "pipeline.create", Tenant, Operator;
    /// Change a pipeline's settings, which adds a revision.
    UpdatePipeline = "pipeline.update", Tenant, Operator;
    /// Go back to earlier settings.
    RollBackPipeline = "pipeline.roll-back", Tenant, Operator;
    /// Start a pipeline; a running one stays as it is.
    StartPipeline = "pipeline.start", Tenant, Operator;
    /// Stop a pipeline, with or without draining.
    StopPipeline = "pipeline.stop", Tenant, Operator;
    /// Stop it and start it again.
    RestartPipeline = "pipeline.restart", Tenant, Operator;
    /// End a destination's session and open another one.
    ReconnectDestination = "destination.reconnect", Tenant, Operator;
    /// Delete it with all that is kept of it.
    DeletePipeline = "pipeline.delete", Tenant, Operator;
    /// Add a component for the tenant.
    AddStage = "stage.add", Tenant, Operator;
    /// Take a component of the tenant away.
    RemoveStage = "stage.remove", Tenant, Operator;
    /// Add or take away a component for every tenant.
    ShareStage = "stage.share", Host, Operator;
    /// Swap a stage, or take it back.
    SwapStage = "stage.swap", Tenant, Operator;
    /// Swap a stage in all of a tenant's pipelines.
    RollOutStage = "stage.roll-out", Tenant, Operator;
    /// Remove files of batches that were on air.
    CleanStorage = "storage.clean", Tenant, Operator;

    /// Tokens, without their secrets.
    ViewTokens = "token.view", Tenant, Admin;
    /// Create a token; its secret is shown to the caller once.
    CreateToken = "token.create", Tenant, Admin;
    /// Revoke a token, which cannot be undone.
    RevokeToken = "token.revoke", Tenant, Admin;
    /// Webhooks, without their secrets, and what was delivered.
    ViewWebhooks = "webhook.view", Tenant, Admin;
    /// Create a webhook with its signing secret.
    CreateWebhook = "webhook.create", Tenant, Admin;
    /// Change a webhook's URL, secret, kinds or state.
    UpdateWebhook = "webhook.update", Tenant, Admin;
    /// Delete a webhook and its deliveries.
    DeleteWebhook = "webhook.delete", Tenant, Admin;
    /// Send a delivery once more, or one to try it.
    DeliverWebhook = "webhook.deliver", Tenant, Admin;
    /// Read the audit log of the tenant.
    ViewAudit = "audit.view", Tenant, Admin;

    /// Start the demo's parts on the server's machine, and its pipeline.
    StartDemo = "demo.start", Host, Operator;

    /// List all tenants with quotas and policies.
    ListTenants = "tenant.list", Host, Viewer;
    /// Create a tenant with quotas and policies.
    CreateTenant = "tenant.create", Host, Admin;
    /// Delete a tenant without pipelines, and its data.
    DeleteTenant = "tenant.delete", Host, Admin;
    /// Shut a tenant out, or let it in again.
    DisableTenant = "tenant.disable", Host, Admin;
    /// Change what a tenant may use.
    SetQuotas = "tenant.set-quotas", Host, Admin;
    /// Change which addresses a tenant may reach.
    SetNetwork = "tenant.set-network", Host, Admin;
    /// Change which components a tenant may use.
    SetStagePolicy = "tenant.set-stages", Host, Admin;
}

/// The caller of an action, as a token or the local machine identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Actor {
    /// The tenant that they belong to; `None`: the host, and so all tenants.
    pub tenant: Option<String>,
    /// What they may do there.
    pub role: Role,
    /// The token that they came with.
    pub token: Option<u64>,
    /// What they are called in the audit log.
    pub name: String,
}

/// Why somebody may not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// They are of the tenant, and their role is not enough.
    #[error("{}", forbidden(*.action, *.role, *.needs, *.host_wide))]
    Forbidden {
        /// The action that was denied.
        action: Action,
        /// The role that the caller has.
        role: Role,
        /// The least that would do.
        needs: Role,
        /// It would have to be a host-wide one.
        host_wide: bool,
    },
    /// For them it is not there.
    #[error("not found")]
    NotFound,
}

// === impl Action ===

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// === impl Actor ===

impl Actor {
    /// One who needs no token: whoever can reach a server that listens on loopback only, or the storage folder.
    pub fn local(name: &str) -> Self {
        Self { tenant: None, role: Role::Admin, token: None, name: name.to_owned() }
    }

    /// Whose pipeline a bare stream id means.
    pub fn home(&self) -> &str {
        self.tenant.as_deref().unwrap_or(DEFAULT_TENANT)
    }

    /// Whose rows they may see at all.
    pub fn scope(&self) -> Scope {
        self.tenant.clone().map_or(Scope::All, Scope::Tenant)
    }

    /// Whether a tenant is there for them.
    pub fn knows(&self, tenant: &str) -> bool {
        self.tenant.as_deref().is_none_or(|own| own == tenant)
    }

    /// Whether they may do it. `tenant`: whom it is about; `None`: the host itself.
    ///
    /// # Errors
    /// [`Denied::NotFound`] for another tenant, whatever the action; [`Denied::Forbidden`] where their role is not enough.
    pub fn check(&self, action: Action, tenant: Option<&str>) -> Result<(), Denied> {
        let (reach, needs) = action.rule();
        if tenant.is_some_and(|tenant| !self.knows(tenant)) {
            return Err(Denied::NotFound);
        }
        // What is about no tenant is the host's, unless it is open to anyone.
        let host_wide = match reach {
            Reach::Anyone => false,
            Reach::Host => true,
            Reach::Tenant => tenant.is_none(),
        };
        let outside = host_wide && self.tenant.is_some();
        if outside || self.role < needs {
            return Err(Denied::Forbidden { action, role: self.role, needs, host_wide: outside });
        }
        Ok(())
    }
}

// === impl Denied ===

fn forbidden(action: Action, role: Role, needs: Role, host_wide: bool) -> String {
    match host_wide {
        true => format!("{action} needs a host-wide {needs}; this token is of one tenant"),
        false => format!("{action} needs {needs}; this token's role is {role}"),
    }
}

impl Denied {
    /// As the API tells it; `absent` is what is said of a thing of this kind that does not exist.
    pub fn or_absent(self, absent: ControlError) -> ControlError {
        match self {
            Self::Forbidden { .. } => ControlError::Forbidden(self.to_string()),
            Self::NotFound => absent,
        }
    }
}

#[cfg(test)]
mod tests;
