//! What the core lacks so far, under the names that it will have. Goes when it is there.

use std::sync::{Arc, OnceLock};

use super::context::Result;
use crate::control::Control;
use crate::control::access::{Action, Actor};
use crate::control::error::ControlError;
use crate::logs::{Filter, LogHub};
use crate::stage::StageComponent;

pub struct LogQuery {
    pub tenant: Option<String>,
    pub pipeline: Option<String>,
}

fn later<T>() -> Result<T> {
    Err(ControlError::Unavailable("this is not built yet".to_owned()))
}

pub trait Lacking {
    fn logs(&self) -> &LogHub;
    fn log_filter(&self, actor: &Actor, query: &LogQuery) -> Result<Filter>;
    async fn stage_components(&self, _: &Actor) -> Result<Vec<(Arc<StageComponent>, bool)>> {
        later()
    }
}

impl Lacking for Control {
    fn logs(&self) -> &LogHub {
        static HUB: OnceLock<LogHub> = OnceLock::new();
        HUB.get_or_init(LogHub::new)
    }

    fn log_filter(&self, actor: &Actor, query: &LogQuery) -> Result<Filter> {
        actor.check(Action::ViewLogs, query.tenant.as_deref().or(actor.tenant.as_deref()))?;
        let filter = actor.tenant.as_ref().map_or_else(Filter::of_host, Filter::of_tenant);
        match &query.pipeline {
            Some(id) => {
                let id = self.pipeline(actor, id)?.id().clone();
                Ok(filter.tenant(Some(id.tenant)).stream(Some(id.stream)))
            }
            None => Ok(filter.tenant(query.tenant.clone())),
        }
    }
}
