//! The control plane on a storage of its own. Sources are addresses where nobody listens: what counts here is what is
//! answered, kept and wanted, not what goes on air.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::access::Role;
use super::pipeline_handle::PipelineHandle;
use super::registry::{AuditRow, NewTenant, TenantPatch};
use super::*;
use outboard_store::page::Page;

mod component_room;
mod removing;
mod steering;
mod swaps;
mod tenants;
mod validating;

/// How long a test waits for something that must come.
const SOON: Duration = Duration::from_secs(120);

struct Place {
    dir: tempfile::TempDir,
    host: Host,
    control: Control,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = Host::open(dir.path()).await.unwrap();
        let control = Control::open(host.clone()).await.unwrap();
        Self { dir, host, control }
    }

    fn registry(&self) -> Registry {
        Registry::new(self.host.database().clone())
    }

    async fn tenant(&self, name: &str) {
        let new = NewTenant { name: name.to_owned(), ..NewTenant::default() };
        self.control.tenancy().create_tenant(&local(), new).await.unwrap();
    }

    /// Makes a pipeline that may reach what it names.
    async fn pipeline(&self, tenant: &str, stream: &str, start: bool) -> Arc<PipelineHandle> {
        let network = Some(Some(json!({ "private": true })));
        if tenant != "default" {
            let patch = TenantPatch { network, ..TenantPatch::default() };
            self.control.tenancy().update_tenant(&local(), tenant, patch).await.unwrap();
        }
        self.control.pipelines().create(&local(), new(tenant, stream, start)).await.unwrap()
    }

    /// Puts something into each folder of a stream, as a pipeline would, and has it counted.
    fn fill(&self, tenant: &str, stream: &str) -> PathBuf {
        let files = self.host.storage().stream(tenant, stream).unwrap();
        std::fs::write(files.segments.join("segment-0.ts"), [0; 1000]).unwrap();
        std::fs::write(files.make_batch(0).unwrap().join("video.fmp4"), [0; 1000]).unwrap();
        std::fs::write(files.logs.join("outboard.log"), [0; 1000]).unwrap();
        self.host.janitor().usage().look(tenant, stream);
        files.batches
    }

    async fn audit(&self) -> Vec<AuditRow> {
        self.control.history().audit(&local(), None, Page::oldest(500)).await.unwrap().rows
    }

    /// Every write of the control plane fails from now on, or works again.
    async fn break_audit(&self, broken: bool) {
        let rename = if broken { "ALTER TABLE audit RENAME TO away" } else { "ALTER TABLE away RENAME TO audit" };
        self.host.database().write(|transaction| Ok(transaction.execute_batch(rename)?)).await.unwrap();
    }
}

fn local() -> Actor {
    Actor::local("test")
}

fn patch(value: Value) -> outboard_pipeline::settings::Patch {
    serde_json::from_value(value).unwrap()
}

fn new(tenant: &str, stream: &str, start: bool) -> NewPipeline {
    let settings = json!({
        "source": { "url": "http://127.0.0.1:9/live.m3u8" },
        "destinations": [{ "url": "rtmp://127.0.0.1:9/live/key" }],
    });
    let (tenant, stream_id) = (Some(tenant.to_owned()), stream.to_owned());
    NewPipeline { tenant, stream_id, patch: patch(settings), start, ..NewPipeline::default() }
}
