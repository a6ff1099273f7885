//! Mutations that create and revoke tokens. For admins.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, boxed, core};
use crate::graphql::error::At;
use crate::graphql::types::token::{CreateTokenInput, CreateTokenPayload, Token};
use outboard_control::NewToken;
use outboard_control::error::ControlError;

/// Mutations of tokens, merged into [`super::Mutation`].
#[derive(Debug, Default)]
pub struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Creates a token and returns its secret, which cannot be read again. Fails with CONFLICT if the name is in use.
    /// For admins.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token to create.")] input: CreateTokenInput,
    ) -> Maybe<CreateTokenPayload> {
        boxed(create(ctx, input)).await
    }

    /// Revokes a token permanently. The token is no longer accepted, and subscriptions that were opened with it end.
    /// Idempotent. For admins.
    async fn revoke_token(&self, ctx: &Context<'_>, #[graphql(desc = "ID of the token.")] id: ID) -> Maybe<Token> {
        boxed(revoke(ctx, &id)).await
    }
}

async fn create(ctx: &Context<'_>, input: CreateTokenInput) -> Result<CreateTokenPayload> {
    let (control, actor) = core(ctx)?;
    let CreateTokenInput { tenant, name, role, expires_at } = input;
    let new =
        NewToken { tenant: tenant.map(Into::into), name, role: role.into(), expires_ms: expires_at.map(|at| at.0) };
    let made = control.tenancy().create_token(actor, new).await.at_input("input")?;
    Ok(CreateTokenPayload { token: made.row.into(), secret: made.secret.get().clone() })
}

async fn revoke(ctx: &Context<'_>, id: &ID) -> Result<Token> {
    let (control, actor) = core(ctx)?;
    let number = id.parse().map_err(|_| ControlError::NotFound(format!("there is no token {:?}", id.as_str())))?;
    control.tenancy().revoke_token(actor, number).await.map(Token::from)
}
