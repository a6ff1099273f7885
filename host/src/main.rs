//! The `outboard` binary: reads the command line, runs the command, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;
use outboard::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    outboard::address_space::spare();
    if let Command::CompileComponent(args) = &cli.command {
        return outboard::stage::compile_component(args);
    }
    if let Some(code) = outboard::cli::too_small(&cli) {
        return code;
    }
    // A deep query needs more stack than tokio's default in an unoptimised build.
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(8 << 20).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(outboard::cli::main(cli));
            // Dropping the runtime would wait for its blocking threads, forever if one of them hangs.
            runtime.shutdown_timeout(outboard::limits::BLOCKING_END_LIMIT);
            ended
        }
        Err(error) => outboard::cli::cannot_begin(&error),
    }
}
