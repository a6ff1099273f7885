//! The parts of the demo, all on this machine: a live HLS source, the echo processor, an RTMP receiver, and a page that shows what the
//! receiver gets. The command line and the server run a pipeline between them.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::echo::{Echo, EchoConfig};

mod receiver;
mod site;
mod source;

/// Ports of the page, the processor and the receiver, where they are free.
pub const USUAL_PORTS: [u16; 3] = [8090, 5000, 1935];
/// Any. For parts that nobody has to find: ffmpeg's receiver gives up its port while it has a publisher, so that a usual
/// one would be taken by two.
pub const ANY_PORTS: [Port; 3] = [Port::Usual(0); 3];
/// Where the live playlist is.
pub const SOURCE_PATH: &str = "/source/live.m3u8";
/// Time in hand: the demo's segments are short and the machine may be slow.
pub const CUSHION_SECONDS: u32 = 3;

/// A port that a part is to listen on; 0 is any.
#[derive(Debug, Clone, Copy)]
pub enum Port {
    /// This one, or any where it is taken.
    Usual(u16),
    /// This one and no other, as this option of the command line has it.
    Given(u16, &'static str),
}

/// Addresses of the parts; held from before they are started.
#[derive(Debug)]
pub struct Places {
    page: TcpListener,
    page_addr: SocketAddr,
    processor: SocketAddr,
    rtmp_port: u16,
}

/// The parts, running.
#[derive(Debug)]
pub struct Parts {
    site: JoinHandle<()>,
    echo: Option<Echo>,
    receiver: receiver::Receiver,
    source: source::Source,
}

impl Places {
    /// Ports of the page, the processor and the receiver.
    ///
    /// # Errors
    /// One that was given is taken, or none is free.
    pub async fn find(ports: [Port; 3]) -> anyhow::Result<Self> {
        let [page, processor, receiver] = [free(ports[0]).await?, free(ports[1]).await?, free(ports[2]).await?];
        let (page_addr, rtmp_port) = (page.local_addr()?, receiver.local_addr()?.port());
        let addr = processor.local_addr()?;
        // Their servers bind by themselves.
        drop((processor, receiver));
        Ok(Self { page, page_addr, processor: addr, rtmp_port })
    }

    /// The live playlist.
    pub fn source(&self) -> String {
        format!("http://{}{SOURCE_PATH}", self.page_addr)
    }

    /// The processor.
    pub fn processor(&self) -> String {
        format!("http://{}", self.processor)
    }

    /// Where the receiver listens.
    pub fn destination(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live/demo", self.rtmp_port)
    }

    /// The page to watch.
    pub fn page(&self) -> String {
        format!("http://{}/", self.page_addr)
    }

    /// Starts the parts, with their files in `dir`. The first time there, the clip is encoded, which takes some seconds.
    /// `echo_delay_ms`: how long the echo processor takes; without it none is started.
    ///
    /// # Errors
    /// ffmpeg is not there, or a part does not start.
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
    /// Ends them.
    pub async fn stop(self) {
        self.site.abort();
        if let Some(echo) = self.echo {
            echo.shutdown().await;
        }
        self.receiver.stop().await;
        self.source.stop().await;
    }
}

/// A listener on the port, or on another where that may be.
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
