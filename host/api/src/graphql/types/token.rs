//! The types of tokens and roles.

use async_graphql::{Enum, ID, InputObject, SimpleObject};

use crate::graphql::scalars::DateTime;
use outboard_base::unix_time::now_ms;
use outboard_control::access;
use outboard_control::registry::TokenRow;

/// The role of a caller. Each role includes the permissions of the roles before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "access::Role")]
pub enum Role {
    /// Read everything of the tenant except tokens, webhooks and the audit log.
    Viewer,
    /// Create, change, start, stop and delete pipelines, add and swap stages, and clean storage.
    Operator,
    /// Manage tokens and webhooks and read the audit log; for the whole host also manage tenants, quotas and policies.
    Admin,
}

/// The identity of the caller.
#[derive(Debug, Clone, SimpleObject)]
pub struct Me {
    /// Name of the caller in the audit log.
    pub name: String,
    /// Tenant of the caller. Null: the whole host, and so all tenants.
    pub tenant: Option<ID>,
    /// Role of the caller.
    pub role: Role,
    /// ID of the token that authenticated the caller. Null if no token was required.
    pub token_id: Option<ID>,
}

/// A token. Its secret was returned once, when the token was created.
#[derive(Debug, Clone, SimpleObject)]
pub struct Token {
    /// ID of the token.
    pub id: ID,
    /// Name of the token.
    pub name: String,
    /// The tenant that the token belongs to. Null: the whole host, and so all tenants.
    pub tenant: Option<ID>,
    /// Role of the token.
    pub role: Role,
    /// Time at which the token was created.
    pub created_at: DateTime,
    /// Name of the caller who created the token.
    pub created_by: String,
    /// Time of the last use, with a precision of one minute. Null if the token was never used.
    pub last_used_at: Option<DateTime>,
    /// Time at which the token expires. Null: never.
    pub expires_at: Option<DateTime>,
    /// Time at which the token was revoked. Null if it was not revoked.
    pub revoked_at: Option<DateTime>,
    /// True if the token is accepted now: neither expired nor revoked.
    pub usable: bool,
}

/// A token to create.
#[derive(Debug, Clone, InputObject)]
pub struct CreateTokenInput {
    /// The tenant that the token belongs to. Default: the caller's tenant; for host-wide callers, the whole host.
    pub tenant: Option<ID>,
    /// Name of the token, unique within its tenant.
    pub name: String,
    /// Role of the token.
    pub role: Role,
    /// Time at which the token expires. Default: never.
    pub expires_at: Option<DateTime>,
}

/// The result of `createToken`.
#[derive(Debug, Clone, SimpleObject)]
pub struct CreateTokenPayload {
    /// The token that was created.
    pub token: Token,
    /// Secret of the token, for the header `Authorization: Bearer <secret>`. It is returned only once.
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
