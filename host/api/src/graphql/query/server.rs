//! The server, and who is calling it.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Result, core};
use crate::graphql::types::server::{self, Server};
use crate::graphql::types::token::Me;

/// Queries of the server, merged into [`super::Query`].
#[derive(Debug, Default)]
pub struct ServerQuery;

#[Object]
impl ServerQuery {
    /// The caller and the caller's role.
    async fn me(&self, ctx: &Context<'_>) -> Result<Me> {
        let (_, actor) = core(ctx)?;
        Ok(Me {
            name: actor.name.clone(),
            tenant: actor.tenant.clone().map(ID),
            role: actor.role.into(),
            token_id: actor.token.map(ID::from),
        })
    }

    /// The server: version, uptime and limits.
    async fn server(&self, ctx: &Context<'_>) -> Result<Server> {
        let (control, actor) = core(ctx)?;
        server::now(control, actor)
    }
}
