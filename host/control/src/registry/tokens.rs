//! Tokens: credentials of callers. Only the hash of a token's secret is stored.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::json;

use super::{NewAudit, Registry, RegistryError, Scope, enabled_tenant, kept};
use crate::access::{Action, Actor, Role};
use crate::limits::{REVOKED_TOKENS_KEPT, TOKENS_MAX};
use outboard_base::unix_time::now_ms;
use outboard_store::files::check_name;
use outboard_store::page::{Listed, Page};

/// A token to be created; the caller already has its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The tenant; `None`: a token of the host, valid for all tenants.
    pub tenant: Option<String>,
    /// Name of the token, unique within its tenant.
    pub name: String,
    /// Role that the token gives its bearer.
    pub role: Role,
    /// When it expires, Unix time in milliseconds.
    pub expires_ms: Option<u64>,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// Number of the token, as callers name it.
    pub id: u64,
    /// The tenant; `None`: a token of the host.
    pub tenant: Option<String>,
    /// Name for people, unique among the valid tokens of its owner.
    pub name: String,
    /// Role that the token gives its bearer.
    pub role: Role,
    /// When it was created, Unix time in milliseconds.
    pub created_ms: u64,
    /// Name of the caller who created it.
    pub created_by: String,
    /// When it was last used, to the minute, Unix time in milliseconds.
    pub last_used_ms: Option<u64>,
    /// When it expires, Unix time in milliseconds.
    pub expires_ms: Option<u64>,
    /// When it was revoked, Unix time in milliseconds.
    pub revoked_ms: Option<u64>,
    /// Whether its tenant is disabled.
    pub tenant_disabled: bool,
}

impl TokenRow {
    /// Whether it is valid at this Unix time in milliseconds.
    pub fn is_good(&self, now_ms: u64) -> bool {
        self.revoked_ms.is_none() && !self.tenant_disabled && self.expires_ms.is_none_or(|end| now_ms < end)
    }

    /// The caller that it stands for.
    pub fn actor(&self) -> Actor {
        let name = format!("token {}", self.name);
        Actor { tenant: self.tenant.clone(), role: self.role, token: Some(self.id), name }
    }

    fn target(&self) -> String {
        format!("token {} ({})", self.id, self.name)
    }
}

const TOKEN: &str = "SELECT id, tenant, token.name, role, token.created_ms, created_by, last_used_ms, expires_ms,
    revoked_ms, ifnull(disabled, 0) FROM token LEFT JOIN tenant ON tenant.name = token.tenant";

// === impl Registry ===

impl Registry {
    /// Creates a token. Its secret cannot be shown again, so an existing name is a conflict.
    pub async fn create_token(&self, actor: &Actor, new: NewToken) -> Result<TokenRow, RegistryError> {
        check_name("token name", &new.name).map_err(|error| RegistryError::invalid("name", error.to_string()))?;
        let actor = actor.clone();
        self.write(move |transaction| {
            let tenant = new.tenant.as_deref();
            if let Some(tenant) = tenant {
                enabled_tenant(transaction, tenant)?;
            }
            let (same_name, usable): (u64, u64) = transaction.query_row(
                "SELECT count(*) FILTER (WHERE name = ?2), count(*) FROM token
                 WHERE tenant IS ?1 AND revoked_ms IS NULL",
                params![tenant, new.name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            let whose = tenant.map_or("the host".to_owned(), |tenant| format!("tenant {tenant}"));
            if same_name > 0 {
                let text = format!("{whose} has a token {} already: revoke it first, or choose another name", new.name);
                return Err(RegistryError::Conflict(text));
            }
            if usable >= TOKENS_MAX {
                return Err(RegistryError::Limit(format!("{whose} may have {TOKENS_MAX} tokens and has {usable}")));
            }
            transaction.execute(
                "INSERT INTO token (tenant, name, role, hash, created_ms, created_by, expires_ms)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![tenant, new.name, new.role, new.hash, now_ms(), kept(&actor.name), new.expires_ms],
            )?;
            let id = u64::try_from(transaction.last_insert_rowid()).unwrap_or_default();
            let row = one(transaction, id)?.ok_or_else(|| absent(id))?;
            NewAudit::new(&actor, Action::CreateToken, tenant, row.target())
                .detail(json!({ "role": row.role, "expiresMs": row.expires_ms }))
                .write(transaction)?;
            Ok(row)
        })
        .await
    }

    /// The token of a secret with this hash, valid or not.
    pub async fn token_by_hash(&self, hash: [u8; 32]) -> Result<Option<TokenRow>, RegistryError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!("{TOKEN} WHERE hash = ?"))?;
            Ok(statement.query_row(params![hash], read).optional()?)
        })
        .await
    }

    /// Reads one token; `None`: it does not exist. Revoked and expired ones are returned, too.
    pub async fn token(&self, id: u64) -> Result<Option<TokenRow>, RegistryError> {
        self.read(move |connection| one(connection, id)).await
    }

    /// Tokens, keyed by id, including revoked ones.
    pub async fn tokens(&self, scope: Scope, page: Page) -> Result<Listed<TokenRow>, RegistryError> {
        self.read(move |connection| {
            let ((of, tenant), (than, order)) = (scope.sql(), page.words());
            let mut statement = connection
                .prepare_cached(&format!("{TOKEN} WHERE {of} AND id {than} ?2 ORDER BY id {order} LIMIT ?3"))?;
            let rows = statement.query_map(params![tenant, page.key(), page.limit()], read)?;
            Ok(page.cut(rows.collect::<Result<_, _>>()?))
        })
        .await
    }

    /// Revokes a token permanently.
    pub async fn revoke_token(&self, actor: &Actor, id: u64) -> Result<TokenRow, RegistryError> {
        let actor = actor.clone();
        self.write(move |transaction| {
            let before = one(transaction, id)?.ok_or_else(|| absent(id))?;
            let changed = before.revoked_ms.is_none();
            if changed {
                transaction.execute("UPDATE token SET revoked_ms = ? WHERE id = ?", params![now_ms(), id])?;
                transaction.execute(
                    "DELETE FROM token WHERE tenant IS ?1 AND revoked_ms IS NOT NULL AND id NOT IN (
                         SELECT id FROM token WHERE tenant IS ?1 AND revoked_ms IS NOT NULL
                         ORDER BY revoked_ms DESC, id DESC LIMIT ?2)",
                    params![before.tenant, REVOKED_TOKENS_KEPT],
                )?;
            }
            NewAudit::new(&actor, Action::RevokeToken, before.tenant.as_deref(), before.target())
                .changed(changed)
                .write(transaction)?;
            one(transaction, id)?.ok_or_else(|| absent(id))
        })
        .await
    }

    /// Queues the recording of a token's use; returns false if the queue is full.
    pub fn token_was_used(&self, id: u64, at_ms: u64) -> bool {
        self.database.write_later(move |transaction| {
            transaction
                .prepare_cached("UPDATE token SET last_used_ms = max(ifnull(last_used_ms, 0), ?) WHERE id = ?")?
                .execute(params![at_ms, id])?;
            Ok(())
        })
    }

    /// Whether a valid token for managing the host exists at this Unix time in milliseconds.
    pub async fn has_host_admin(&self, now_ms: u64) -> Result<bool, RegistryError> {
        self.read(move |connection| {
            let found = connection.query_row(
                "SELECT count(*) FROM token WHERE tenant IS NULL AND role = ? AND revoked_ms IS NULL
                 AND ifnull(expires_ms, ?2 + 1) > ?2",
                params![Role::Admin, now_ms],
                |row| row.get::<_, u64>(0),
            )?;
            Ok(found > 0)
        })
        .await
    }
}

fn absent(id: u64) -> RegistryError {
    RegistryError::NotFound(format!("there is no token {id}"))
}

fn one(connection: &Connection, id: u64) -> Result<Option<TokenRow>, RegistryError> {
    let mut statement = connection.prepare_cached(&format!("{TOKEN} WHERE id = ?"))?;
    Ok(statement.query_row(params![id], read).optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        tenant: row.get(1)?,
        name: row.get(2)?,
        role: row.get(3)?,
        created_ms: row.get(4)?,
        created_by: row.get(5)?,
        last_used_ms: row.get(6)?,
        expires_ms: row.get(7)?,
        revoked_ms: row.get(8)?,
        tenant_disabled: row.get(9)?,
    })
}
