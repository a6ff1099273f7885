//! `outboard echo`: the arguments.

use std::net::SocketAddr;

use clap::Args;

use super::{EchoConfig, Rule};
use crate::limits::ECHO_PAYLOAD_DEFAULT_BYTES;

/// Options of the test processor.
#[derive(Debug, Clone, Args)]
pub struct EchoArgs {
    /// Address to listen on.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5000")]
    pub listen: SocketAddr,
    /// Delay between a fragment and its reply, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    pub delay_ms: u64,
    /// Largest frame to accept, in bytes (Node's Socket.IO accepts 1000000 by default).
    #[arg(long, value_name = "BYTES", default_value_t = ECHO_PAYLOAD_DEFAULT_BYTES)]
    pub max_payload: u64,
    /// Send fragment:ack for each fragment before the reply.
    #[arg(long)]
    pub ack: bool,
    /// Fault to simulate, as FAULT@WHICH. Repeat for several faults.
    #[arg(long, value_name = "SPEC", long_help = super::fault::HELP)]
    pub fault: Vec<Rule>,
}

impl From<EchoArgs> for EchoConfig {
    fn from(args: EchoArgs) -> Self {
        Self {
            listen: args.listen,
            delay_ms: args.delay_ms,
            max_payload: args.max_payload,
            ack: args.ack,
            faults: args.fault,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        echo: EchoArgs,
    }

    #[test]
    fn arguments_become_a_configuration() {
        let cli = Cli::try_parse_from(["echo", "--fault", "drop@3", "--fault", "late:5000@every:4", "--ack"]).unwrap();
        let config = EchoConfig::from(cli.echo);
        assert_eq!(config.listen.to_string(), "127.0.0.1:5000");
        assert_eq!((config.delay_ms, config.ack, config.faults.len()), (100, true, 2));
        let error = Cli::try_parse_from(["echo", "--fault", "explode@3"]).err().unwrap().to_string();
        assert!(error.contains("explode"), "{error}");
    }
}
