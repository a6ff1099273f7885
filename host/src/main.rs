//! The `outboard` binary: reads the command line, runs the command, ends with its exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = outboard::cli::Cli::parse();
    if let Some(code) = outboard::cli::too_small(&cli) {
        return code;
    }
    // Answering a deep query takes more stack than tokio's default in an unoptimised build.
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(8 << 20).enable_all().build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(outboard::cli::main(cli));
            // Not waited for without end, as dropping it would: what blocks may never come back.
            runtime.shutdown_timeout(outboard::limits::RUNTIME_STOP_LIMIT);
            code
        }
        Err(error) => outboard::cli::cannot_begin(&error),
    }
}
