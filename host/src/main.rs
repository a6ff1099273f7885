//! The `outboard` binary: reads the command line, runs the command, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = outboard::cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(outboard::cli::main(cli)),
        Err(_) => ExitCode::FAILURE,
    }
}
