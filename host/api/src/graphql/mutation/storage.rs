//! The mutation that cleans the storage.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::{Maybe, Result, boxed, core};
use crate::graphql::scalars::BigInt;
use crate::graphql::types::storage::CleanStoragePayload;
use outboard_control::Cleaning;

/// Mutations of storage, merged into [`super::Mutation`].
#[derive(Debug, Default)]
pub struct StorageMutation;

#[Object]
impl StorageMutation {
    /// Removes the files of a pipeline's finished batches, except the newest `keepBatches`. Batches that are not yet
    /// sent to every destination are never removed. For a deleted pipeline whose files were kept, removes all remaining
    /// files, whatever `keepBatches` says. Idempotent. For operators and admins.
    async fn clean_storage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "ID of the pipeline.")] pipeline: ID,
        #[graphql(desc = "Number of the newest finished batches to keep.")] keep_batches: u32,
        #[graphql(desc = "True: remove nothing and report what would be removed.", default)] dry_run: bool,
    ) -> Maybe<CleanStoragePayload> {
        boxed(clean(ctx, pipeline, keep_batches, dry_run)).await
    }
}

async fn clean(ctx: &Context<'_>, pipeline: ID, keep: u32, dry_run: bool) -> Result<CleanStoragePayload> {
    let (control, actor) = core(ctx)?;
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let Cleaning { pipeline, cleaned } = control.storage().clean(actor, &pipeline, keep, dry_run).await?;
    let (batches, bytes) = (BigInt(cleaned.batches), BigInt(cleaned.bytes));
    Ok(CleanStoragePayload { pipeline: ID(pipeline.to_string()), batches, bytes, dry_run })
}
