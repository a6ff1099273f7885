//! `outboard storage clean`: removes the files of finished batches while no server runs.
//!
//! In: a storage folder, locked while this runs (`outboard.lock`), so that it never runs at the same time as a server.
//! Out: one line per stream and a total on standard output. The journal decides what is finished; the rules are those
//! of a running server's [`Janitor`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{Ending, say};
use crate::config::{self, Layers};
use crate::room::shown;
use crate::store::database::Database;
use crate::store::files::{Storage, database_file};
use crate::store::janitor::{Cleaned, Janitor};
use crate::store::journal::Journal;
use crate::store::retention::Keep;

/// Finished batches of a stream that are kept when no option says otherwise.
const KEEP_BATCHES: usize = 5;

/// Subcommand and options of `outboard storage`.
#[derive(Debug, Args)]
pub struct StorageArgs {
    #[command(subcommand)]
    command: StorageCommand,
    /// Storage directory that contains the database and the media files.
    #[arg(long, value_name = "DIR", global = true)]
    storage: Option<String>,
    /// TOML configuration file with the storage directory and other settings.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum StorageCommand {
    /// Remove finished batches and their segments. Stop the server first; a running server has its own retention.
    Clean(CleanArgs),
}

/// Options of `storage clean`.
#[derive(Debug, Args, Default)]
struct CleanArgs {
    /// Keep the newest N finished batches of each stream. Default: 5, unless --older-than is given.
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    /// Remove batches that finished longer ago than this: 90s, 30m, 12h or 7d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Clean only the streams of this tenant.
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    /// Clean only the streams with this ID.
    #[arg(long, value_name = "ID")]
    stream: Option<String>,
    /// Print what would be removed, without removing it.
    #[arg(long)]
    dry_run: bool,
    /// Remove all batches and segments, including those not yet on air. Their pipelines then start from the beginning.
    #[arg(long, conflicts_with_all = ["keep", "older_than"])]
    all: bool,
}

impl CleanArgs {
    fn keep(&self) -> Keep {
        let unset = if self.older_than.is_some() { usize::MAX } else { KEEP_BATCHES };
        let batches = self.keep.map_or(unset, |keep| usize::try_from(keep).unwrap_or(usize::MAX));
        Keep { batches, max_age: self.older_than, max_bytes: None }
    }

    fn wants(&self, tenant: &str, stream: &str) -> bool {
        self.tenant.as_deref().is_none_or(|wanted| wanted == tenant)
            && self.stream.as_deref().is_none_or(|wanted| wanted == stream)
    }
}

/// Runs the chosen subcommand.
pub async fn run(args: &StorageArgs, layers: Layers) -> anyhow::Result<Ending> {
    let host = match config::check(layers.set("storage.dir", args.storage.clone()), false) {
        Ok((host, _)) => host,
        Err(problems) => return Ok(Ending::Refused(problems)),
    };
    let StorageCommand::Clean(clean_args) = &args.command;
    clean(&host.storage, clean_args).await?.iter().for_each(|line| say(line));
    Ok(Ending::Done)
}

/// Cleans and returns the lines to print.
async fn clean(root: &Path, args: &CleanArgs) -> anyhow::Result<Vec<String>> {
    let is_ours = database_file(root).exists() || root.join("outboard.lock").exists();
    anyhow::ensure!(
        is_ours,
        "{} has neither outboard.db nor outboard.lock: it is not a storage folder of outboard",
        root.display()
    );
    let storage = Storage::open(root).context(
        "cannot clean a storage folder while a server runs on it: stop the server, or use its API (POST /api/storage/clean)",
    )?;
    let database = Database::open_checked(storage.root())?;
    // Without a minimum of free space, so that only the requested files are removed.
    let janitor = Janitor::start(storage.root(), Journal::new(database), Some(0));
    let ledger = janitor.usage().clone();
    tokio::task::spawn_blocking(move || ledger.look_at_all()).await?;
    let mut lines = Vec::new();
    let mut freed = 0;
    for ((tenant, stream), _) in janitor.usage().streams() {
        if !args.wants(&tenant, &stream) {
            continue;
        }
        let Cleaned { batches, bytes } = match (args.all, args.dry_run) {
            (true, true) => janitor.media(&tenant, &stream).await,
            (true, false) => janitor.remove_media(&tenant, &stream).await?,
            (false, true) => {
                let planned = janitor.plan_clean(&tenant, &stream, args.keep()).await?;
                Cleaned { batches: planned.len() as u64, bytes: planned.iter().map(|batch| batch.bytes).sum() }
            }
            (false, false) => janitor.clean(&tenant, &stream, args.keep()).await?,
        };
        lines.push(format!("{tenant}/{stream}: {batches} batches, {}", shown(bytes)));
        freed += bytes;
    }
    lines.push(format!("{} {}", if args.dry_run { "would free" } else { "freed" }, shown(freed)));
    Ok(lines)
}

/// Parses a number of seconds, minutes, hours or days.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not an age; expected a whole number and s, m, h or d, such as 12h");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::StreamFiles;
    use crate::store::journal::{CutRecord, Step};
    use crate::unix_time::now_ms;

    /// Creates a storage folder with a stream of eight batches that are done, except the second, which is on air. The
    /// folder is not locked.
    async fn storage(root: &Path, name: &str) -> StreamFiles {
        let storage = Storage::open(root).unwrap();
        let journal = Journal::new(Database::open(&storage.journal()).unwrap());
        let files = storage.stream("default", name).unwrap();
        let (stream, _) = journal.begin("default", name, "u").await.unwrap();
        for number in 0..8 {
            std::fs::write(files.make_batch(number).unwrap().join("video.fmp4"), vec![0; 900]).unwrap();
            std::fs::write(files.segments.join(format!("segment-{number}.ts")), vec![0; 100]).unwrap();
            let (reason, complete_ms) = ("length".to_owned(), now_ms());
            let cut = CutRecord { number, first: number, last: number, reason, discontinuity: false, complete_ms };
            stream.segment(None, vec![cut], None).await.unwrap();
            stream.step(number, if number == 1 { Step::OnAir } else { Step::Done }).await.unwrap();
        }
        std::fs::write(files.logs.join("log"), "kept").unwrap();
        files
    }

    /// Numbers of the batches on disk, each with its segment.
    fn on_disk(files: &StreamFiles) -> Vec<u64> {
        let segment = |number: &u64| files.segments.join(format!("segment-{number}.ts")).exists();
        (0..20).filter(|number| files.batch(*number).exists()).inspect(|number| assert!(segment(number))).collect()
    }

    #[tokio::test]
    async fn the_newest_stay_and_what_is_not_on_air_yet() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (storage(dir.path(), "one").await, storage(dir.path(), "two").await);
        let args = CleanArgs { dry_run: true, ..CleanArgs::default() };
        let told = clean(dir.path(), &args).await.unwrap();
        assert_eq!(told, ["default/one: 2 batches, 2.0 kB", "default/two: 2 batches, 2.0 kB", "would free 4.0 kB"]);
        assert_eq!(on_disk(&one).len() + on_disk(&two).len(), 16);

        let args = CleanArgs { keep: Some(0), stream: Some("two".to_owned()), ..CleanArgs::default() };
        assert_eq!(clean(dir.path(), &args).await.unwrap(), ["default/two: 7 batches, 7.0 kB", "freed 7.0 kB"]);
        assert_eq!((on_disk(&one).len(), on_disk(&two)), (8, vec![1]));
        assert_eq!(clean(dir.path(), &CleanArgs::default()).await.unwrap().last().unwrap(), "freed 2.0 kB");
        assert_eq!(on_disk(&one), [1, 3, 4, 5, 6, 7]);
        let nobody = CleanArgs { tenant: Some("other".to_owned()), keep: Some(0), ..CleanArgs::default() };
        assert_eq!(clean(dir.path(), &nobody).await.unwrap(), ["freed 0 B"]);
        assert!(one.logs.join("log").exists() && dir.path().join("outboard.db").exists());
    }

    #[tokio::test]
    async fn what_is_older_goes_however_many_stay() {
        let dir = tempfile::tempdir().unwrap();
        let files = storage(dir.path(), "one").await;
        let args = |older_than, keep| CleanArgs { older_than, keep, ..CleanArgs::default() };
        let told = clean(dir.path(), &args(Some(Duration::from_secs(3600)), None)).await.unwrap();
        assert_eq!((told.last().unwrap().as_str(), on_disk(&files).len()), ("freed 0 B", 8));
        let done = now_ms();
        while now_ms() <= done {
            tokio::task::yield_now().await;
        }
        clean(dir.path(), &args(Some(Duration::ZERO), None)).await.unwrap();
        assert_eq!(on_disk(&files), [1]);
    }

    #[tokio::test]
    async fn all_of_it_goes_on_request_and_the_stream_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let files = storage(dir.path(), "one").await;
        let args = |dry_run| CleanArgs { all: true, dry_run, ..CleanArgs::default() };
        assert_eq!(
            clean(dir.path(), &args(true)).await.unwrap(),
            ["default/one: 8 batches, 8.0 kB", "would free 8.0 kB"]
        );
        assert_eq!(on_disk(&files).len(), 8);
        assert_eq!(clean(dir.path(), &args(false)).await.unwrap(), ["default/one: 8 batches, 8.0 kB", "freed 8.0 kB"]);
        assert!(on_disk(&files).is_empty() && files.logs.join("log").exists());
        let journal = Journal::new(Database::open(&dir.path().join("outboard.db")).unwrap());
        let (_, resumed) = journal.begin("default", "one", "u").await.unwrap();
        assert!(!resumed.unfinished && resumed.batches.is_empty() && resumed.next_batch == 8, "{resumed:?}");
    }

    #[tokio::test]
    async fn nothing_is_touched_where_a_server_runs_or_that_is_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let files = storage(dir.path(), "one").await;
        let everything = CleanArgs { all: true, ..CleanArgs::default() };
        // Locked as by a server.
        let held = Storage::open(dir.path()).unwrap();
        let refused = format!("{:#}", clean(dir.path(), &everything).await.unwrap_err());
        assert!(refused.contains("while a server runs") && refused.contains("/api/storage/clean"), "{refused}");
        assert_eq!(on_disk(&files).len(), 8);
        drop(held);
        clean(dir.path(), &everything).await.unwrap();
        assert!(on_disk(&files).is_empty());

        let other = tempfile::tempdir().unwrap();
        let refused = clean(other.path(), &everything).await.unwrap_err().to_string();
        assert!(refused.contains("not a storage folder"), "{refused}");
        assert_eq!(std::fs::read_dir(other.path()).unwrap().count(), 0, "nothing is made there");
    }

    #[test]
    fn ages_have_a_unit() {
        for (text, seconds) in [("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("0s", 0)] {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "h", "12", "1.5h", "-1h", "12 h", "1w", "99999999999999999999d", "999999999999999999d"] {
            assert!(age(text).unwrap_err().contains("such as 12h"), "{text}");
        }
    }
}
