//! Tokens: made and revoked. For admins.

use async_graphql::{Context, ID, Object};

use crate::api::graphql::context::{Maybe, Result, boxed, core};
use crate::api::graphql::error::At;
use crate::api::graphql::types::token::{CreateTokenInput, CreateTokenPayload, Token};
use crate::control::NewToken;
use crate::control::error::ControlError;

/// See [`super::Mutation`].
#[derive(Debug, Default)]
pub struct TokenMutation;

#[Object]
impl TokenMutation {
    /// Makes a token, and shows its secret this once. A name that is in use is a CONFLICT. For admins.
    async fn create_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateTokenInput,
    ) -> Maybe<CreateTokenPayload> {
        boxed(create(ctx, input)).await
    }

    /// Revokes a token for good: it is not taken any more, and subscriptions that came with it end. For admins.
    async fn revoke_token(&self, ctx: &Context<'_>, #[graphql(desc = "The token.")] id: ID) -> Maybe<Token> {
        boxed(revoke(ctx, &id)).await
    }
}

async fn create(ctx: &Context<'_>, input: CreateTokenInput) -> Result<CreateTokenPayload> {
    let (control, actor) = core(ctx)?;
    let CreateTokenInput { tenant, name, role, expires_at } = input;
    let new =
        NewToken { tenant: tenant.map(Into::into), name, role: role.into(), expires_ms: expires_at.map(|at| at.0) };
    let made = control.create_token(actor, new).await.at_input("input")?;
    Ok(CreateTokenPayload { token: made.row.into(), secret: made.secret.get().clone() })
}

async fn revoke(ctx: &Context<'_>, id: &ID) -> Result<Token> {
    let (control, actor) = core(ctx)?;
    let number = id.parse().map_err(|_| ControlError::NotFound(format!("there is no token {:?}", id.as_str())))?;
    control.revoke_token(actor, number).await.map(Token::from)
}
