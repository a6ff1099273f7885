//! Whether a caller that stays is still welcome.

use super::shim::Lacking;
use crate::control::Control;
use crate::control::access::Actor;
use crate::control::error::ControlError;
use crate::limits::GRAPHQL_WELCOME_EVERY;

/// Waits until the caller's token is not taken any more: revoked, expired, or its tenant shut out. Never ends for callers
/// that need none.
pub async fn until_unwelcome(control: &Control, actor: &Actor) -> ControlError {
    let Some(token) = actor.token else { return std::future::pending().await };
    let mut changes = control.token_changes();
    loop {
        changes.borrow_and_update();
        if let Err(error @ ControlError::Unauthenticated(_)) = control.still_welcome(token).await {
            return error;
        }
        // Expiry is no change.
        let _ = tokio::time::timeout(GRAPHQL_WELCOME_EVERY, changes.changed()).await;
    }
}
