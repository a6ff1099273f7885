//! Tokens: who may come in, and what they may do.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use crate::api::graphql::scalars::DateTime;
use crate::control::access;
use crate::control::registry::TokenRow;
use crate::unix_time::now_ms;

/// What a caller may do; each may also do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "access::Role")]
pub enum Role {
    /// Look.
    Viewer,
    /// Create, change, start, stop and delete pipelines, and clean storage.
    Operator,
    /// Manage tokens and webhooks; for the whole host also tenants, quotas and network policies.
    Admin,
}

/// Who is calling.
#[derive(Debug, Clone, SimpleObject)]
pub struct Me {
    /// What they are called in the audit log.
    pub name: String,
    /// Their tenant; null: the whole host, and so all tenants.
    pub tenant: Option<ID>,
    /// What they may do there.
    pub role: Role,
    /// The token that they came with; null: none was needed.
    pub token_id: Option<ID>,
}

/// A token. Its secret was shown once, when it was made.
#[derive(Debug, Clone, SimpleObject)]
pub struct Token {
    /// Its id.
    pub id: ID,
    /// Its name.
    pub name: String,
    /// Whose it is; null: the host's, good for all tenants.
    pub tenant: Option<ID>,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: DateTime,
    /// Who made it.
    pub created_by: String,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime>,
    /// From when on it is not taken; null: it does not expire.
    pub expires_at: Option<DateTime>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime>,
    /// It is taken now.
    pub usable: bool,
}

/// A token to make.
#[derive(Debug, Clone, InputObject)]
pub struct CreateTokenInput {
    /// Whose it is to be. Left out: the caller's own tenant; for callers of the whole host, the whole host.
    pub tenant: Option<ID>,
    /// Its name, once for its tenant.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// From when on it is not taken; left out: it does not expire.
    pub expires_at: Option<DateTime>,
}

/// A token that was made.
#[derive(Debug, Clone, SimpleObject)]
pub struct CreateTokenPayload {
    /// The token.
    pub token: Token,
    /// Its secret, shown this once and never again: what goes behind `Bearer`.
    pub secret: String,
}

// === from the core ===

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: ID::from(row.id),
            usable: row.is_good(now_ms()),
            name: row.name,
            tenant: row.tenant.map(ID),
            role: row.role.into(),
            created_at: DateTime(row.created_ms),
            created_by: row.created_by,
            last_used_at: row.last_used_ms.map(DateTime),
            expires_at: row.expires_ms.map(DateTime),
            revoked_at: row.revoked_ms.map(DateTime),
        }
    }
}
