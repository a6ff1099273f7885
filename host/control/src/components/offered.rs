//! Components on their way into the host's store and out of it again: offered, refused, listed.

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::known::Known;
use crate::registry::{ComponentRow, ComponentSource};

/// A component that can be used.
#[derive(Debug, Clone)]
pub struct ListedComponent {
    /// Description of the component, without its code.
    pub component: Arc<Known>,
    /// It is used where none is chosen.
    pub default: bool,
    /// The tenant that owns it; `None`: it is shared with every tenant.
    pub tenant: Option<String>,
    /// The way by which it was added.
    pub source: ComponentSource,
    /// File or reference that it came by.
    pub origin: Option<String>,
    /// Who added it, and when (Unix time in milliseconds).
    pub added: Option<(String, u64)>,
    /// The id of the key that it is signed with, where one was asked for.
    pub signed_by: Option<String>,
}

/// A component that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The tenant that would own it; `None`: it would be shared with every tenant.
    pub tenant: Option<String>,
    /// File or reference that it came by.
    pub origin: String,
    /// The way by which it was offered.
    pub source: ComponentSource,
    /// Why it was not taken, in a sentence without secrets.
    pub reason: String,
    /// Unix time in milliseconds.
    pub at_ms: u64,
}

/// A component that is to be added.
#[derive(Debug, Clone)]
pub struct Offered {
    /// The tenant that will own it; `None`: it will be shared with every tenant.
    pub tenant: Option<String>,
    /// The component's binary, not yet validated.
    pub bytes: Bytes,
    /// The way by which it is added.
    pub source: ComponentSource,
    /// File or reference that it came by.
    pub origin: String,
    /// Its detached signature, in base64.
    pub signature: Option<String>,
    /// Cancelled once nobody waits for the answer: then it is not compiled on.
    pub gone: CancellationToken,
}

impl ListedComponent {
    /// One that comes with the host.
    pub(super) fn bundled(component: Arc<Known>, default: bool) -> Self {
        Self { default, source: ComponentSource::Bundled, ..Self::stored(component, None) }
    }

    /// One in the host's store; without a row it was put there by the command line.
    pub(super) fn stored(component: Arc<Known>, row: Option<&ComponentRow>) -> Self {
        Self {
            component,
            default: false,
            tenant: row.and_then(|row| row.component.tenant.clone()),
            source: row.map_or(ComponentSource::CommandLine, |row| row.component.source),
            origin: row.and_then(|row| row.component.origin.clone()),
            added: row.map(|row| (row.added_by.clone(), row.added_ms)),
            signed_by: row.and_then(|row| row.component.signed_by.clone()),
        }
    }
}
