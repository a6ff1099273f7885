//! The processor: connected to, greeted if its dialect wants that, and left.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::{Check, Fault, Finding, check, millis, stages};
use crate::limits::{DRY_RUN_PROCESSOR_LIMIT, DRY_RUN_READY_WAIT};
use outboard_exchange::probe::{Readiness, reach};
use outboard_pipeline::load::exchange_config;
use outboard_pipeline::settings::PipelineConfig;
use outboard_pipeline::stage_framer::StageFramer;
use outboard_pipeline::{Host, Owner};

/// The framing stage, which knows how to greet, and the processor, if there is one.
pub(super) async fn look(
    host: &Host,
    owner: &Owner,
    config: &PipelineConfig,
) -> (stages::StageFindings, Option<Check>) {
    let Some(settings) = exchange_config(config, &owner.guard) else {
        return (stages::framing(host, owner, config).await.0, None);
    };
    let mut reached = None;
    let connecting = check("processor.url", DRY_RUN_PROCESSOR_LIMIT, async {
        let processor = reach(&settings).await.map_err(|error| Fault::new(&error, error.may_pass()))?;
        let most = processor.max_payload;
        let message = format!("{} answered in {} ms", processor.server, millis(processor.took));
        let finding = Finding::new(message)
            .fact("server", &processor.server)
            .fact("namespace", &processor.namespace)
            .fact("handshakeMs", millis(processor.took))
            .fact("maxPayloadBytes", most);
        reached = Some(processor);
        Ok(finding)
    });
    let (mut check, (framing, stage)) = tokio::join!(connecting, stages::framing(host, owner, config));
    if let Some(mut processor) = reached {
        if let Some(stage) = stage {
            let mut framer = StageFramer::new(Arc::new(Mutex::new(stage)), None);
            let readiness = processor.ready(&mut framer, &config.stream_id, DRY_RUN_READY_WAIT).await;
            tell(&mut check, readiness);
        }
        processor.leave().await;
    }
    (framing, Some(check))
}

fn tell(check: &mut Check, readiness: Readiness) {
    let ready = match readiness {
        Readiness::AtOnce => {
            check.message += " and would be sent fragments at once";
            true
        }
        Readiness::Said(after) => {
            check.message += &format!(" and was ready {} ms after the greeting", millis(after));
            true
        }
        Readiness::NotYet => {
            let seconds = DRY_RUN_READY_WAIT.as_secs();
            check.warnings.push(format!("it did not report within {seconds} s that it is ready for fragments"));
            false
        }
        Readiness::No(reason) => {
            (check.ok, check.temporary) = (false, true);
            check.message += &format!(", but accepts no fragments: {reason}");
            false
        }
    };
    check.detail.insert("ready".to_owned(), ready.into());
}
