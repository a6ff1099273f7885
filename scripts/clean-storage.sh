#!/usr/bin/env bash
# Removes what finished batches left in Outboard's storage, and says what it freed: `outboard storage clean` of the program
# that was built last. Only while no server runs on the storage: the program takes the lock that a server holds
# (outboard.lock), and refuses where it cannot.
#
#   scripts/clean-storage.sh                    keeps the newest 5 finished batches of each stream
#   scripts/clean-storage.sh --keep N           keeps the newest N (0: none)
#   scripts/clean-storage.sh --older-than 12h   removes those that were done longer ago (s, m, h, d)
#   scripts/clean-storage.sh --stream ID        only this stream; --tenant T: only this tenant's
#   scripts/clean-storage.sh --storage DIR      another folder than ./storage (or OUTBOARD_STORAGE__DIR)
#   scripts/clean-storage.sh --dry-run          only says what it would remove
#   scripts/clean-storage.sh --all              the streams' batches and segments altogether, also what is not yet on
#                                               air: a pipeline that starts again then begins anew
#
# Without --all, a batch that is not yet on air is never removed. Database, logs, stage components and their cache stay.

# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

case ${1:-} in -h | --help) usage && exit 0 ;; esac
program=''
for candidate in "$TARGET_DIR/release/outboard" "$TARGET_DIR/debug/outboard" "$(command -v outboard || true)"; do
  [ -x "$candidate" ] || continue
  if [ -z "$program" ] || [ "$candidate" -nt "$program" ]; then program=$candidate; fi
done
[ -n "$program" ] || die "there is no outboard yet: build it with ./scripts/release (or: cargo build -p outboard)"

exec "$program" storage clean "$@"
