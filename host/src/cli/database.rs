//! `outboard database backup|restore|init`: backup, restore and creation of the database.
//!
//! A backup can be made while a server runs. `restore` and `init` need the storage folder's lock, so no server may run.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Ending, complain};
use crate::config::{self, Layers};
use crate::limits::DATABASE_CHECK_LIMIT;
use crate::store::database::check::Checked;
use crate::store::database::{Database, backup};
use crate::store::files::{Storage, database_file};

/// Subcommand and options of `outboard database`.
#[derive(Debug, Args)]
pub struct DatabaseArgs {
    #[command(subcommand)]
    command: DatabaseCommand,
    /// Storage directory that contains the database.
    #[arg(long, value_name = "DIR", global = true)]
    storage: Option<String>,
    /// TOML configuration file with the storage directory and other settings.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum DatabaseCommand {
    /// Back up the database to a new file. The server may be running. The file contains the stream keys of
    /// destinations.
    Backup {
        /// The file to create.
        file: PathBuf,
    },
    /// Replace the database with a backup. The server must not run. The previous database is kept in the same
    /// directory.
    Restore {
        /// The backup file to restore from.
        file: PathBuf,
    },
    /// Create an empty database, even if streams have files. For a storage directory whose database is lost.
    Init,
}

/// Runs the chosen subcommand.
pub async fn run(args: &DatabaseArgs, layers: Layers) -> anyhow::Result<Ending> {
    let host = match config::check(layers.set("storage.dir", args.storage.clone()), false) {
        Ok((host, _)) => host,
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    let storage = host.storage;
    match &args.command {
        DatabaseCommand::Backup { file } => {
            let (storage, to) = (storage, file.clone());
            let checked = tokio::task::spawn_blocking(move || backup::back_up(&storage, &to)).await??;
            if checked == Checked::Unfinished {
                complain(&format!(
                    "the copy was checked for {DATABASE_CHECK_LIMIT:?}, not completely; no damage was found"
                ));
            }
            complain(&format!("backup written to {}; it contains secrets", file.display()));
        }
        DatabaseCommand::Restore { file } => {
            let file = file.clone();
            tokio::task::spawn_blocking(move || restore(&storage, &file)).await??;
        }
        DatabaseCommand::Init => init(&storage)?,
    }
    Ok(Ending::Done)
}

fn restore(storage: &Path, file: &Path) -> anyhow::Result<()> {
    let storage =
        Storage::open(storage).context("cannot restore a backup while a server runs: stop the server first")?;
    if let Some(old) = backup::restore(&storage, file)? {
        complain(&format!("the previous database is now {}", old.display()));
    }
    complain(&format!("{} is restored; start the server", file.display()));
    Ok(())
}

fn init(storage: &Path) -> anyhow::Result<()> {
    let storage = Storage::open(storage)?;
    let path = database_file(storage.root());
    anyhow::ensure!(
        std::fs::metadata(&path).map_or(0, |found| found.len()) == 0,
        "{} already contains a database: move it away first",
        path.display()
    );
    for suffix in ["-wal", "-shm"] {
        // SQLite would apply the log of the previous database to the new one.
        let mut left = path.clone().into_os_string();
        left.push(suffix);
        std::fs::remove_file(left).ok();
    }
    Database::open(&path)?;
    complain(&format!("created an empty database: {}", path.display()));
    Ok(())
}
