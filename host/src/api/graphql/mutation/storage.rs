//! Cleaning the storage by hand.

use async_graphql::{Context, Object};

use crate::api::graphql::context::{Maybe, Result};
use crate::api::graphql::types::storage::{CleanStorageInput, CleanStoragePayload};
use crate::control::error::ControlError;

/// See [`super::Mutation`].
#[derive(Debug, Default)]
pub struct StorageMutation;

#[Object]
impl StorageMutation {
    /// Removes the files of batches that went on air, but of the newest. Batches that are not yet on air everywhere stay.
    async fn clean_storage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to clean.")] input: CleanStorageInput,
    ) -> Maybe<CleanStoragePayload> {
        Some(clean(ctx, input).await)
    }
}

async fn clean(_ctx: &Context<'_>, _input: CleanStorageInput) -> Result<CleanStoragePayload> {
    Err(ControlError::Unavailable("this is not built yet".to_owned()))
}
