//! `outboard stage check|inspect`: what a component is, and whether this host can run it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Ending, say};
use crate::stage::inspect;

/// Options of `stage`.
#[derive(Debug, Args)]
pub struct StageArgs {
    #[command(subcommand)]
    command: StageCommand,
}

#[derive(Debug, Subcommand)]
enum StageCommand {
    /// Say whether this host can run the component; exit with 1 and the reasons if not.
    Check {
        /// The component, a .wasm file.
        file: PathBuf,
    },
    /// Tell everything that is known of the component, as JSON.
    Inspect {
        /// The component, a .wasm file.
        file: PathBuf,
    },
}
