"""Removes finished batches and their segments from a storage folder. Called by scripts/clean-storage.sh.

In: the folder (layout: docs/architecture.md) and its journal, outboard.db. Out: what was removed, on stdout. Takes the
lock that a running host holds, for as long as it works, so that neither can start under the other. Removal of a batch
is a rename first, so that an interruption leaves no half batch under its name. Standard library only.
"""

import argparse
import fcntl
import re
import shutil
import sqlite3
import sys
from pathlib import Path

LOCK = "outboard.lock"
DATABASE = "outboard.db"
BATCH = re.compile(r"batch-(\d+)$")
SEGMENT = re.compile(r"segment-(\d+)(?:-audio-\d+)?\.[a-z0-9]+$")
# Folders of the storage itself, not of a tenant.
NOT_A_TENANT = {"stages", "aot"}

# What is known of each batch: which segments it was cut from, and whether all of it has been on air. The one place
# that knows the journal's schema.
JOURNAL = """
    SELECT stream.tenant, stream.name, batch.number, batch.first, batch.last, batch.step = 6
    FROM batch JOIN stream ON stream.id = batch.stream
"""


def read_journal(storage: Path) -> dict[tuple[str, str], dict[int, tuple[int, int, bool]]]:
    """(tenant, stream) -> batch -> (first segment, last segment, finished)."""
    path = storage / DATABASE
    if not path.exists():
        return {}
    try:
        # Read-only, but with the write-ahead log: what was committed last counts.
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            rows = database.execute(JOURNAL).fetchall()
    except sqlite3.Error as error:
        sys.exit(f"the journal {path} cannot be read ({error}); --all cleans without it")
    journal: dict[tuple[str, str], dict[int, tuple[int, int, bool]]] = {}
    for tenant, stream, batch, first, last, finished in rows:
        journal.setdefault((tenant, stream), {})[batch] = (first, last, bool(finished))
    return journal


def size(path: Path) -> tuple[int, int]:
    """Bytes and files below a path."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files), len(files)


def human(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def numbered(folder: Path, pattern: re.Pattern) -> dict[int, Path]:
    if not folder.is_dir():
        return {}
    # A link is never followed: it could lead out of the storage.
    entries = [(pattern.match(entry.name), entry) for entry in folder.iterdir() if not entry.is_symlink()]
    return {int(match.group(1)): entry for match, entry in entries if match}


def remove(path: Path) -> None:
    if path.is_dir():
        gone = path.with_name(f".removing-{path.name}")
        path.rename(gone)
        shutil.rmtree(gone)
    else:
        path.unlink()


def to_remove(batches, segments, journal, keep: int, all_of_it: bool) -> list[Path]:
    """Which paths of one stream go."""
    if all_of_it:
        return [*batches.values(), *segments.values()]
    # Not in the journal means not known to be finished: stays.
    finished = sorted(batch for batch, (_, _, done) in journal.items() if done)
    going = [batch for batch in (finished[:-keep] if keep else finished)]
    paths = [batches[batch] for batch in going if batch in batches]
    # Segments of batches that stay, and those after the last cut, are still needed.
    needed_from = min((first for batch, (first, _, _) in journal.items() if batch not in going), default=None)
    last_cut = max((last for _, last, _ in journal.values()), default=-1)
    limit = last_cut + 1 if needed_from is None else needed_from
    return paths + [path for number, path in segments.items() if number < limit]


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("storage", type=Path)
    options.add_argument("--keep", type=int, default=5)
    options.add_argument("--stream")
    options.add_argument("--dry-run", action="store_true")
    options.add_argument("--all", action="store_true")
    given = options.parse_args()

    with open(given.storage / LOCK, "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"a host is running on {given.storage} (it holds {LOCK}): stop it first, it cleans up by itself too")
        journal = {} if given.all else read_journal(given.storage)
        freed, files = 0, 0
        for tenant in sorted(given.storage.iterdir()):
            if not tenant.is_dir() or tenant.is_symlink() or tenant.name in NOT_A_TENANT:
                continue
            names = {
                stream.name
                for kind in ("original_stream", "processed_fragments")
                if (tenant / kind).is_dir()
                for stream in (tenant / kind).iterdir()
                if stream.is_dir() and not stream.is_symlink()
            }
            for name in sorted(names):
                if given.stream and name != given.stream:
                    continue
                # What an interrupted run left half removed.
                for rest in (tenant / "processed_fragments" / name).glob(".removing-*"):
                    shutil.rmtree(rest)
                batches = numbered(tenant / "processed_fragments" / name, BATCH)
                segments = numbered(tenant / "original_stream" / name, SEGMENT)
                paths = to_remove(batches, segments, journal.get((tenant.name, name), {}), given.keep, given.all)
                sizes = [size(path) for path in paths]
                if not given.dry_run:
                    for path in paths:
                        remove(path)
                gone = sum(BATCH.match(path.name) is not None for path in paths)
                print(
                    f"{tenant.name}/{name}: {gone} of {len(batches)} batches, {len(paths) - gone} of {len(segments)} "
                    f"segments, {human(sum(pair[0] for pair in sizes))}"
                )
                freed += sum(pair[0] for pair in sizes)
                files += sum(pair[1] for pair in sizes)
    print(f"{'would free' if given.dry_run else 'freed'} {human(freed)} in {files} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
