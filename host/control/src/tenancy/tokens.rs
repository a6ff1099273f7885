//! Tokens: who comes with one, and how admins make, list and revoke them.

use super::Tenancy;
use crate::access::{Action, Actor, Role};
use crate::error::ControlError;
use crate::hidden::Hidden;
use crate::registry::{self, TokenRow};
use crate::tokens::make_secret;
use outboard_base::unix_time::now_ms;
use outboard_store::page::{Listed, Page};

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The tenant that owns it; `None`: the caller's own, for a host-wide caller the host's.
    pub tenant: Option<String>,
    /// Name, unique among the tokens of its tenant.
    pub name: String,
    /// Role that the token gives its bearer.
    pub role: Role,
    /// Unix time in milliseconds from which on it is not taken.
    pub expires_ms: Option<u64>,
}

/// A token that was just made, with the secret that is never shown again.
#[derive(Debug, Clone)]
pub struct TokenSecret {
    /// The token as it is stored, without its secret.
    pub row: TokenRow,
    /// What a client sends as `Authorization: Bearer`.
    pub secret: Hidden<String>,
}

impl Tenancy {
    /// Who comes with this token.
    ///
    /// # Errors
    /// [`ControlError::Unauthenticated`] for one that is unknown, expired or revoked.
    pub async fn authenticate(&self, secret: &str) -> Result<Actor, ControlError> {
        self.tokens.authenticate(secret).await
    }

    /// Waits until an actor's token is not taken any more: for streams, which outlive the question who is calling. Never
    /// ends for an actor without a token.
    pub async fn until_unwelcome(&self, actor: &Actor) -> ControlError {
        self.tokens.until_bad(actor).await;
        ControlError::Unauthenticated("this token is no longer valid".to_owned())
    }

    /// Whether anybody could manage this server with a token.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn has_host_admin(&self) -> Result<bool, ControlError> {
        Ok(self.registry.has_host_admin(now_ms()).await?)
    }

    /// Tokens, keyed by id, without their secrets.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn tokens(
        &self,
        actor: &Actor,
        tenant: Option<&str>,
        page: Page,
    ) -> Result<Listed<TokenRow>, ControlError> {
        let scope = self.tenants.scope(actor, Action::ViewTokens, tenant)?;
        Ok(self.registry.tokens(scope, page).await?)
    }

    /// Makes a token. Its secret is in this answer and nowhere else.
    ///
    /// # Errors
    /// Any [`ControlError`]; [`ControlError::Conflict`] where the tenant has one of that name.
    pub async fn create_token(&self, actor: &Actor, new: NewToken) -> Result<TokenSecret, ControlError> {
        let tenant = new.tenant.or_else(|| actor.tenant.clone());
        match &tenant {
            Some(tenant) => drop(self.tenants.allowed(actor, Action::CreateToken, Some(tenant))?),
            None => actor.check(Action::CreateToken, None)?,
        }
        if new.expires_ms.is_some_and(|at| at <= now_ms()) {
            return Err(ControlError::invalid("expiresAt", "is in the past: the token would never be valid"));
        }
        let (secret, hash) = make_secret();
        let new = registry::NewToken { tenant, name: new.name, role: new.role, expires_ms: new.expires_ms, hash };
        Ok(TokenSecret { row: self.registry.create_token(actor, new).await?, secret })
    }

    /// Revokes a token; it is not taken any more when this answers.
    ///
    /// # Errors
    /// Any [`ControlError`].
    pub async fn revoke_token(&self, actor: &Actor, id: u64) -> Result<TokenRow, ControlError> {
        let absent = || ControlError::NotFound(format!("there is no token {id}"));
        let row = self.registry.token(id).await?.ok_or_else(absent)?;
        // The host's own tokens are not there for a tenant.
        if row.tenant.is_none() && actor.tenant.is_some() {
            return Err(absent());
        }
        actor.check(Action::RevokeToken, row.tenant.as_deref()).map_err(|denied| denied.or_absent(absent()))?;
        let row = self.registry.revoke_token(actor, id).await?;
        self.tokens.forget_all();
        Ok(row)
    }
}
