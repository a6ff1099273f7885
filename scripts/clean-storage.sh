#!/usr/bin/env bash
# Removes the files of finished batches from Outboard's storage and prints how much space was freed: runs `outboard
# storage clean` of the program that was built last. No server may run on the storage: the program takes the server's
# lock (outboard.lock), and refuses if it is taken.
#
#   scripts/clean-storage.sh                    keeps the newest 5 finished batches of each stream
#   scripts/clean-storage.sh --keep N           keeps the newest N (0: none)
#   scripts/clean-storage.sh --older-than 12h   removes those that finished longer ago (s, m, h, d)
#   scripts/clean-storage.sh --stream ID        only this stream; --tenant T: only this tenant's
#   scripts/clean-storage.sh --storage DIR      another folder than ./storage (or OUTBOARD_STORAGE__DIR)
#   scripts/clean-storage.sh --dry-run          only prints what it would remove
#   scripts/clean-storage.sh --all              all batches and segments, including those not yet on air:
#                                               their pipelines then start from the beginning
#
# Without --all, a batch that is not yet on air is never removed. The database, logs, stage components and their cache are kept.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in -h | --help) usage && exit 0 ;; esac
program=''
for candidate in "$TARGET_DIR/release/outboard" "$TARGET_DIR/debug/outboard" "$(command -v outboard || true)"; do
  [ -x "$candidate" ] || continue
  if [ -z "$program" ] || [ "$candidate" -nt "$program" ]; then program=$candidate; fi
done
[ -n "$program" ] || die "outboard is not built yet: run ./scripts/release (or: cargo build -p outboard)"

exec "$program" storage clean "$@"
