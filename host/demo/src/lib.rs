//! The parts of the demo, all on this machine: a live HLS source, the echo processor, an RTMP receiver, and a page that
//! plays the received stream. The command line and the server run a pipeline between them. The echo processor alone is
//! [`echo`].
//!
//! In: ports and an ffmpeg. Out: addresses of the parts, which run until they are dropped. It uses `outboard-ffmpeg`,
//! `outboard-media`, `outboard-process` and the limits of `outboard-exchange`, and never knows the pipeline between its
//! parts.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::echo::{Echo, EchoConfig};

pub mod echo;
pub mod limits;
mod receiver;
mod site;
mod source;

/// Default ports of the page, the processor and the receiver.
pub const USUAL_PORTS: [u16; 3] = [8090, 5000, 1935];
/// Any free ports, for parts that users need not find. ffmpeg's receiver releases its port while it has a publisher, so
/// a second demo could bind the same default port.
pub const ANY_PORTS: [Port; 3] = [Port::Usual(0); 3];
/// Path of the live playlist.
pub const SOURCE_PATH: &str = "/source/live.m3u8";
/// Reserve time in seconds: the demo's segments are short, and the machine may be slow.
pub const CUSHION_SECONDS: u32 = 3;

/// The port for a part; 0 selects any free port.
#[derive(Debug, Clone, Copy)]
pub enum Port {
    /// This port, or any free one if it is taken.
    Usual(u16),
    /// Exactly this port, from this command-line option.
    Given(u16, &'static str),
}

/// Addresses of the parts, reserved before they start.
#[derive(Debug)]
pub struct Places {
    page: TcpListener,
    page_addr: SocketAddr,
    processor: SocketAddr,
    rtmp_port: u16,
}

/// The running parts of the demo. [`Parts::stop`] ends them in order.
#[derive(Debug)]
pub struct Parts {
    site: JoinHandle<()>,
    echo: Option<Echo>,
    receiver: receiver::Receiver,
    source: source::Source,
}

impl Places {
    /// Reserves ports for the page, the processor and the receiver.
    ///
    /// # Errors
    /// A given port is taken, or none is free.
    pub async fn find(ports: [Port; 3]) -> anyhow::Result<Self> {
        let [page, processor, receiver] = [free(ports[0]).await?, free(ports[1]).await?, free(ports[2]).await?];
        let (page_addr, rtmp_port) = (page.local_addr()?, receiver.local_addr()?.port());
        let addr = processor.local_addr()?;
        // The servers of these parts bind the ports themselves.
        drop((processor, receiver));
        Ok(Self { page, page_addr, processor: addr, rtmp_port })
    }

    /// URL of the live playlist.
    pub fn source(&self) -> String {
        format!("http://{}{SOURCE_PATH}", self.page_addr)
    }

    /// URL of the processor.
    pub fn processor(&self) -> String {
        format!("http://{}", self.processor)
    }

    /// URL of the receiver.
    pub fn destination(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live/demo", self.rtmp_port)
    }

    /// URL of the page.
    pub fn page(&self) -> String {
        format!("http://{}/", self.page_addr)
    }

    /// Starts the parts, with their files in `dir`. The first start in a folder encodes the clip, which takes some
    /// seconds. `echo_delay_ms`: delay of the echo processor; `None`: no echo processor.
    ///
    /// # Errors
    /// ffmpeg is missing, or a part does not start.
    pub async fn start(self, dir: &Path, echo_delay_ms: Option<u64>) -> anyhow::Result<Parts> {
        let source = source::Source::start(&dir.join("source")).await?;
        let receiver = receiver::Receiver::start(&dir.join("received"), self.rtmp_port).await?;
        let echo = match echo_delay_ms {
            Some(delay_ms) => Some(Echo::start(EchoConfig { delay_ms, ..EchoConfig::new(self.processor) }).await?),
            None => None,
        };
        Ok(Parts { site: site::serve(self.page, dir), echo, receiver, source })
    }
}

impl Parts {
    /// Stops all parts and waits until the processor, the receiver and the source have ended.
    pub async fn stop(self) {
        self.site.abort();
        if let Some(echo) = self.echo {
            echo.shutdown().await;
        }
        self.receiver.stop().await;
        self.source.stop().await;
    }
}

/// Binds the port, or another one if that is allowed.
async fn free(port: Port) -> anyhow::Result<TcpListener> {
    match port {
        Port::Given(port, option) => TcpListener::bind(("127.0.0.1", port))
            .await
            .with_context(|| format!("{option} {port}: the port cannot be used on 127.0.0.1")),
        Port::Usual(port) => match TcpListener::bind(("127.0.0.1", port)).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind(("127.0.0.1", 0)).await.context("no free port on 127.0.0.1"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_gives_way_unless_it_was_given() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let any = Port::Usual(0);
        let places = Places::find([Port::Usual(port), any, any]).await.unwrap();
        assert_ne!(places.page_addr.port(), port);
        let refused = Places::find([any, any, Port::Given(port, "--rtmp-port")]).await.unwrap_err().to_string();
        assert_eq!(refused, format!("--rtmp-port {port}: the port cannot be used on 127.0.0.1"));
        let free = Places::find([Port::Given(0, "--port"), any, any]).await.unwrap();
        assert_ne!(free.page_addr.port(), 0);
    }
}
